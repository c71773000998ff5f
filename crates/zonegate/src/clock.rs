//! The real clock, and the only place that reads it.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use zonegate_model::{Clock, Moment};

/// The clocks of the operating system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemClock {
    start: Instant,
}

impl SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the injected clock")]
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the injected clock")]
    fn now(&self) -> Moment {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        Moment { elapsed: self.start.elapsed(), wall_millis: wall }
    }
}
