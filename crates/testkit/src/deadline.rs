//! How long to wait for a real server. Real time, because real servers know no other.

use std::time::{Duration, Instant};

/// A moment after which waiting ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    end: Instant,
}

impl Deadline {
    /// The moment that is `wait` from now.
    pub(crate) fn after(wait: Duration) -> Self {
        Self { end: now() + wait }
    }

    /// Whether the moment has passed.
    pub(crate) fn passed(self) -> bool {
        now() >= self.end
    }

    /// Sleeps for `step`, or says `false` at once when the time is over.
    pub(crate) fn sleep(self, step: Duration) -> bool {
        if self.passed() {
            return false;
        }
        std::thread::sleep(step);
        true
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "waits for processes of the operating system; no product behaviour depends on it"
)]
fn now() -> Instant {
    Instant::now()
}
