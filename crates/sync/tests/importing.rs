//! Reading the repository, step by step. Whole histories with faults are the simulation's.

#[path = "importing/audits.rs"]
mod audits;
#[path = "importing/gateway.rs"]
mod gateway;
#[path = "importing/watching.rs"]
mod watching;
