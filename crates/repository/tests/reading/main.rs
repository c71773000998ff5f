//! What holds for every database, tried on one in memory that other hands write to between any two queries. Adapters are
//! tested against real servers in their own crates.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside of the functions that clippy knows as tests"
)]

mod memory;
mod order;
mod push;
mod sessions;
