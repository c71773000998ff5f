//! Real time, for people who wait and for measurements. The one place in here that reads a clock.

use std::time::{Duration, Instant};

/// Runs from its start on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch {
    start: Instant,
}

impl Stopwatch {
    /// Starts it.
    #[expect(
        clippy::disallowed_methods,
        reason = "developer commands measure real time; nothing in the product does it here"
    )]
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// The time since its start.
    pub(crate) fn elapsed(self) -> Duration {
        self.start.elapsed()
    }

    /// The time since its start as people say it: `0.4 s`, `12 s`, `3 min 05 s`.
    pub(crate) fn text(self) -> String {
        text(self.elapsed())
    }
}

fn text(time: Duration) -> String {
    match time.as_secs() {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        seconds @ 10..120 => format!("{seconds} s"),
        seconds => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_people_tell_them() {
        let told = [0, 9_940, 12_300, 185_000].map(|millis| text(Duration::from_millis(millis)));
        assert_eq!(told, ["0.0 s", "9.9 s", "12 s", "3 min 05 s"]);
    }
}
