//! What Linux says about this process and its machine, from `/proc` and the control group. Read when somebody asks, never in between.
//!
//! Relies on a mounted `/proc`; elsewhere each reading is an error, and whoever asked shows "unknown".

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Length of the ticks in which `/proc` counts processor time: `USER_HZ` is 100 on every architecture that Linux has
/// a Rust standard library for.
const TICK: Duration = Duration::from_millis(10);

/// Reads figures of the process and its machine.
#[derive(Clone, Debug)]
pub struct Host {
    proc: PathBuf,
    memory_limit: PathBuf,
}

/// A reading that failed.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not as Linux writes it.
    #[error("{path} has no readable {what}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
}

/// Figures of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessFigures {
    /// Memory in RAM, bytes.
    pub resident: u64,
    /// Address space, bytes.
    pub address_space: u64,
    /// Threads.
    pub threads: u64,
    /// Open file descriptors, sockets among them.
    pub open_files: u64,
    /// Most file descriptors that the process may open; `None` for no limit.
    pub open_files_limit: Option<u64>,
    /// Processor time used, of all threads together.
    pub cpu: Duration,
}

/// Figures of the machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HostFigures {
    /// Load averages over 1, 5 and 15 minutes.
    pub load: [f64; 3],
    /// RAM, bytes.
    pub memory: u64,
    /// Most RAM that the process may use: its container's limit where there is one, else all; bytes.
    pub memory_limit: u64,
    /// RAM that nothing uses, not even a cache; bytes.
    pub memory_free: u64,
    /// Swap space, bytes.
    pub swap: u64,
    /// Swap space that is not used, bytes.
    pub swap_free: u64,
    /// Processor time that was spent on anything, all processors together, since the machine started.
    pub cpu_busy: Duration,
    /// The same, idle time included.
    pub cpu_total: Duration,
}

impl Default for Host {
    fn default() -> Self {
        Self { proc: PathBuf::from("/proc"), memory_limit: PathBuf::from("/sys/fs/cgroup/memory.max") }
    }
}

impl Host {
    /// Figures of this process, now.
    pub fn process(&self) -> Result<ProcessFigures, HostError> {
        let status = self.file("self/status", "resident memory", |text| {
            Some((kibibytes(text, "VmRSS:")?, kibibytes(text, "VmSize:")?, number_after(text, "Threads:")?))
        })?;
        let cpu = self.file("self/stat", "processor time", process_cpu)?;
        let open_files_limit = self.file("self/limits", "limit of open files", open_files_limit)?;
        let fds = self.proc.join("self/fd");
        let open_files =
            fds.read_dir().map_err(|source| HostError::Read { path: fds.clone(), source })?.count() as u64;
        Ok(ProcessFigures {
            resident: status.0,
            address_space: status.1,
            threads: status.2,
            // The reading itself has the folder open.
            open_files: open_files.saturating_sub(1),
            open_files_limit,
            cpu,
        })
    }

    /// Figures of the machine, now.
    pub fn machine(&self) -> Result<HostFigures, HostError> {
        let load = self.file("loadavg", "load averages", load_averages)?;
        let memory = self.file("meminfo", "memory sizes", |text| {
            Some([
                kibibytes(text, "MemTotal:")?,
                kibibytes(text, "MemFree:")?,
                kibibytes(text, "SwapTotal:")?,
                kibibytes(text, "SwapFree:")?,
            ])
        })?;
        let (cpu_busy, cpu_total) = self.file("stat", "processor time", machine_cpu)?;
        let [memory, memory_free, swap, swap_free] = memory;
        // No such file, or "max" in it: not limited.
        let container =
            std::fs::read_to_string(&self.memory_limit).ok().and_then(|text| text.trim().parse().ok());
        let memory_limit = container.map_or(memory, |limit: u64| limit.min(memory));
        Ok(HostFigures { load, memory, memory_limit, memory_free, swap, swap_free, cpu_busy, cpu_total })
    }

    fn file<T>(
        &self,
        name: &str,
        what: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, HostError> {
        let path = self.proc.join(name);
        match std::fs::read(&path) {
            // The process name in `stat` is any bytes.
            Ok(bytes) => parse(&String::from_utf8_lossy(&bytes)).ok_or(HostError::Format { path, what }),
            Err(source) => Err(HostError::Read { path, source }),
        }
    }
}

/// The first number on the line that begins with `name`.
fn number_after(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

fn kibibytes(text: &str, name: &str) -> Option<u64> {
    number_after(text, name)?.checked_mul(1024)
}

fn ticks(count: u64) -> Duration {
    TICK.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX))
}

/// `utime` and `stime`, the 14th and 15th field of `/proc/self/stat`. The second field, the process name, is in
/// parentheses and can hold anything.
fn process_cpu(text: &str) -> Option<Duration> {
    let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(ticks(user.checked_add(system)?))
}

/// `Max open files <soft> <hard> files`, where the soft limit counts. `Some(None)`: no limit.
#[expect(clippy::option_option, reason = "outer: readable; inner: there is a limit")]
fn open_files_limit(text: &str) -> Option<Option<u64>> {
    let soft =
        text.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_whitespace().next()?;
    if soft == "unlimited" { Some(None) } else { soft.parse().ok().map(Some) }
}

fn load_averages(text: &str) -> Option<[f64; 3]> {
    let mut fields = text.split_whitespace().map(|field| field.parse().ok());
    Some([fields.next()??, fields.next()??, fields.next()??])
}

/// Busy and total time of the `cpu` line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal. The
/// guest times that follow are in user and nice already.
fn machine_cpu(text: &str) -> Option<(Duration, Duration)> {
    let fields: Vec<u64> = text
        .lines()
        .find_map(|line| line.strip_prefix("cpu "))?
        .split_whitespace()
        .take(8)
        .map_while(|field| field.parse().ok())
        .collect();
    let idle = fields.get(3)?.saturating_add(fields.get(4).copied().unwrap_or(0));
    let total = fields.iter().copied().fold(0, u64::saturating_add);
    Some((ticks(total.saturating_sub(idle)), ticks(total)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn this_process_and_its_machine_can_be_read() {
        let host = Host::default();
        let process = host.process().unwrap();
        assert!(process.resident > 100_000 && process.resident < process.address_space, "{process:?}");
        assert!(process.threads >= 1 && process.open_files >= 3, "{process:?}");
        let machine = host.machine().unwrap();
        assert!(machine.memory > machine.memory_free && machine.memory > process.resident, "{machine:?}");
        assert!(machine.cpu_total > machine.cpu_busy, "{machine:?}");
    }

    #[test]
    fn a_machine_without_proc_is_an_error_that_names_the_file() {
        let host = Host { proc: PathBuf::from("/nonexistent"), ..Host::default() };
        let error = host.process().unwrap_err().to_string();
        assert!(error.contains("/nonexistent/self/status"), "{error}");
    }

    #[test]
    fn a_process_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a) b (c)) R 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0";
        assert_eq!(process_cpu(stat), Some(Duration::from_secs(2)));
    }

    #[test]
    fn no_limit_of_open_files_is_not_a_number() {
        assert_eq!(open_files_limit("Max open files            unlimited  unlimited  files\n"), Some(None));
        assert_eq!(open_files_limit("Max open files            20000  20000  files\n"), Some(Some(20_000)));
    }

    #[test]
    fn idle_and_waiting_time_is_not_busy() {
        let (busy, total) = machine_cpu("cpu  100 0 100 600 200 0 0 0 50 0\ncpu0 1 2\n").unwrap();
        assert_eq!((busy, total), (Duration::from_secs(2), Duration::from_secs(10)));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(cpu |VmRSS:|Max open files|\\)|[0-9 .]|\\PC|\n){0,60}") {
            let _ = (process_cpu(&text), open_files_limit(&text), load_averages(&text), machine_cpu(&text));
            let _ = (number_after(&text, "VmRSS:"), kibibytes(&text, "VmRSS:"));
        }
    }
}
