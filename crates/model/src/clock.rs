//! Time as it is handed to the cores: they never read a clock themselves, so that a simulation can run them.

use std::ops::Sub;
use std::time::Duration;

/// A point in time on both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Time since an arbitrary start that never goes back. For intervals and time-outs.
    pub elapsed: Duration,
    /// Wall clock, milliseconds since 1970 in UTC. Can jump. For windows over foreign timestamps and for people.
    pub wall_millis: i64,
}

impl Moment {
    /// The moment that is `by` later, if the wall clock does not jump.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self {
            elapsed: self.elapsed + by,
            wall_millis: self.wall_millis.saturating_add(by.as_millis() as i64),
        }
    }
}

impl Sub for Moment {
    type Output = Duration;

    /// Time passed between the two, zero if `other` is later.
    fn sub(self, other: Self) -> Duration {
        self.elapsed.saturating_sub(other.elapsed)
    }
}

/// Where time comes from. The binary has the real one; tests and the simulation have their own.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Moment;
}
