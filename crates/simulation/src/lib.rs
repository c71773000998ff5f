//! A seeded world with faults for the sync core: gateways, network, zone store and management repository under virtual
//! time, and a checker that knows the guarantees.
//!
//! The code that runs here is the code that runs in production (`zonegate_sync::Machine`); everything around it is
//! simulated. A seed determines a history completely. Checked after each step: S2, S4, Z1, Z6, Z7, A4, and that a
//! gateway never goes back to an older state; when the faults are over: S5, Z4, Z6, A1. `cargo xtask simulate` runs it.

mod history;
mod mutant;
mod plan;
mod queue;
mod random;
mod repository;
mod runner;
mod served;
mod store;
mod violation;
mod world;

pub use mutant::{Mutant, UnknownMutant};
pub use runner::{Options, Report, replay, run, shrink, sweep};
pub use violation::{Guarantee, Violation};
pub use world::Summary;
