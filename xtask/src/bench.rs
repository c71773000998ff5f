//! `cargo xtask bench`: rows of the targets, each measured with its reference in the same run.

use clap::{Args, ValueEnum};

use crate::steps::Failure;

/// A row of the targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Row {
    /// The primary publishes a full state into the zone store
    P1,
    /// A cold secondary reads all of it, and serves it
    P2,
    /// A change is served by every secondary
    P3,
    /// Proxy against nginx
    P6,
    /// Takeover after the loss of the primary
    P8,
    /// All of them
    All,
}

/// Options of `cargo xtask bench`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// What to measure
    #[arg(value_enum, default_value = "all")]
    pub(crate) row: Row,
}

/// Measures and prints; judges nothing.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    Err(Failure::Other(format!("the benchmarks are not written yet ({options:?})")))
}
