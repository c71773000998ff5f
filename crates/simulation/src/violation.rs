//! What a run reports when a promise was broken.

use std::fmt;
use std::time::Duration;

use crate::mutant::Mutant;

/// A promise, by its number in `guarantees.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Guarantee {
    /// All or nothing per API.
    S2,
    /// Idempotent.
    S4,
    /// Removal is certain.
    S5,
    /// One writer.
    Z1,
    /// One gateway of the zone reads the repository.
    Z2,
    /// Failover is invisible, and loses nothing.
    Z4,
    /// The zone store heals.
    Z6,
    /// Digests are what is there.
    Z7,
    /// The centre may be down.
    A1,
    /// Not ready before it is whole.
    A4,
    /// A gateway never goes back to an older version of an API than it served.
    Monotonic,
    /// The core neither spins nor panics nor breaks the rules of its own ports.
    Conduct,
}

impl fmt::Display for Guarantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A broken promise, with all that is needed to see it again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "seed {seed}, step {step}, at {at:?}: {guarantee} is broken: {what}\n  replay it with: cargo xtask simulate --replay {seed}{}",
    mutant.map(|mutant| format!(" --mutant {mutant}")).unwrap_or_default()
)]
pub struct Violation {
    /// The seed of the history.
    pub seed: u64,
    /// The rule that was broken on purpose.
    pub mutant: Option<Mutant>,
    /// The number of the event after which it was seen.
    pub step: u64,
    /// The virtual time of that event.
    pub at: Duration,
    /// Which promise.
    pub guarantee: Guarantee,
    /// What was seen.
    pub what: String,
}

/// A finding of the checker, before the runner adds where it was.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) guarantee: Guarantee,
    pub(crate) what: String,
}

impl Finding {
    pub(crate) fn new(guarantee: Guarantee, what: impl Into<String>) -> Self {
        Self { guarantee, what: what.into() }
    }
}
