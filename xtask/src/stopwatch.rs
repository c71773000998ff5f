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

    /// Runs from the moment on at which this process was started. `cargo run` becomes the program that it runs, so what
    /// cargo built before is in it.
    #[expect(clippy::disallowed_methods, reason = "as above")]
    pub(crate) fn of_command() -> Self {
        let now = Instant::now();
        let start = age_of_process().and_then(|age| now.checked_sub(age));
        Self { start: start.unwrap_or(now) }
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

/// How long this process has been running, cargo's part included, to 10 ms.
fn age_of_process() -> Option<Duration> {
    /// The kernel tells times in this unit, whatever its own is.
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    // The fields after the name, which is in parentheses and may hold anything; the 22nd of all is the start.
    let started: f64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    let uptime: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(uptime - started / TICKS_PER_SECOND).ok()
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
    fn the_age_of_this_process_is_known() {
        let age = age_of_process().unwrap();
        assert!(age < Duration::from_hours(1), "{age:?}");
        assert!(Stopwatch::of_command().elapsed() >= age);
    }

    #[test]
    fn times_are_told_as_people_tell_them() {
        let told = [0, 9_940, 12_300, 185_000].map(|millis| text(Duration::from_millis(millis)));
        assert_eq!(told, ["0.0 s", "9.9 s", "12 s", "3 min 05 s"]);
    }
}
