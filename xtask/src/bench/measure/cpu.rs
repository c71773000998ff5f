//! How much processor time a process has had.

use std::fs;
use std::time::Duration;

use super::failure::MeasureError;

/// The kernel tells these times in hundredths of a second, whatever its own tick is.
const TICK: Duration = Duration::from_millis(10);

/// Processor time of all threads of a process since its start.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CpuTime {
    /// In its own code.
    pub(super) user: Duration,
    /// In the kernel, on its behalf.
    pub(super) system: Duration,
}

impl CpuTime {
    /// Of the process with this id.
    pub(super) fn of(process: u32) -> Result<Self, MeasureError> {
        let path = format!("/proc/{process}/stat");
        let text = fs::read_to_string(&path).map_err(MeasureError::system(&format!("read {path}")))?;
        parse(&text)
            .ok_or_else(|| MeasureError::Unexpected(format!("{path} is not what it should be: {text}")))
    }

    /// Of the process with this id and of those that it started and that are still there.
    pub(super) fn of_family(process: u32) -> Result<Self, MeasureError> {
        let mut sum = Self::of(process)?;
        for entry in fs::read_dir("/proc").map_err(MeasureError::system("read /proc"))?.flatten() {
            // A process that is just ending has no files any more.
            let text = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            if parent(&text) == Some(process) {
                let time = parse(&text).unwrap_or_default();
                sum = Self { user: sum.user + time.user, system: sum.system + time.system };
            }
        }
        Ok(sum)
    }

    /// Of this process.
    pub(super) fn own() -> Result<Self, MeasureError> {
        Self::of(std::process::id())
    }

    /// Of all threads of this process whose name begins with `name`.
    pub(super) fn own_threads(name: &str) -> Result<Self, MeasureError> {
        let read = || {
            let mut sum = Self::default();
            for thread in fs::read_dir("/proc/self/task")? {
                let folder = thread?.path();
                // A thread that is just ending has no files any more.
                let text = |file| fs::read_to_string(folder.join(file)).unwrap_or_default();
                if text("comm").starts_with(name) {
                    let time = parse(&text("stat")).unwrap_or_default();
                    sum = Self { user: sum.user + time.user, system: sum.system + time.system };
                }
            }
            Ok(sum)
        };
        read().map_err(MeasureError::system("read /proc/self/task"))
    }

    /// What was added since `before`.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            user: self.user.saturating_sub(before.user),
            system: self.system.saturating_sub(before.system),
        }
    }

    /// Both kinds.
    pub(super) fn total(self) -> Duration {
        self.user + self.system
    }
}

/// Processor time of all threads of this process, to the nanosecond.
pub(super) fn own_exactly() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// The 14th and 15th field. Those after the name, which is in parentheses and may hold anything, are counted from the 3rd.
fn parse(stat: &str) -> Option<CpuTime> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut time = || Some(TICK * fields.next()?.parse().ok()?);
    Some(CpuTime { user: time()?, system: time()? })
}

/// The 4th field: who started the process.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_times_are_found_behind_a_strange_name() {
        let stat = "1 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 7 0 0";
        let time = parse(stat).unwrap();
        assert_eq!(parent(stat), Some(1));
        assert_eq!((time.user, time.system), (Duration::from_millis(2500), Duration::from_millis(70)));
        assert!(CpuTime::own().is_ok());
        assert!(CpuTime::own_threads("").unwrap().total() <= CpuTime::own().unwrap().total() + TICK * 2);
    }
}
