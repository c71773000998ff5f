//! What the figures were taken on. Without it nobody can say what they are worth.

use std::fmt;
use std::fs;
use std::process::Command;

use serde::Serialize;
use zonegate_testkit::folders;

/// The machine and the code.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Machine {
    /// What the processor calls itself.
    processor: String,
    /// How many of its threads we may use.
    processors: usize,
    /// Processes that wanted to run in the minute before.
    load: String,
    /// The kernel's version.
    kernel: String,
    /// The commit, and whether something was changed since.
    commit: String,
}

impl Machine {
    /// Looks.
    pub(super) fn look() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let processor = read("/proc/cpuinfo")
            .lines()
            .find_map(|line| Some(line.strip_prefix("model name")?.split_once(':')?.1.trim().to_owned()));
        Self {
            processor: processor.unwrap_or_else(|| "unknown processor".to_owned()),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            load: read("/proc/loadavg").split_whitespace().next().unwrap_or("?").to_owned(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            commit: git(&["describe", "--always", "--dirty"]).unwrap_or_else(|| "unknown".to_owned()),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, processors, load, kernel, commit } = self;
        write!(
            f,
            "{processors} × {processor}, Linux {kernel}, load average before the run {load}, commit {commit}"
        )
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).current_dir(folders::workspace()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
