//! Load by `wrk`: as much as the proxy takes.

use std::process::Command;
use std::time::Duration;

use zonegate_testkit::install;

use super::contestant::Route;
use crate::bench::measure::failure::MeasureError;
use crate::bench::measure::tell;

/// Drives a contestant, and answers how many requests were answered. Every one must have gone well.
pub(super) fn run(
    route: &Route,
    core: &str,
    connections: usize,
    time: Duration,
) -> Result<u64, MeasureError> {
    let program = install::wrk(&tell)?;
    let mut command = Command::new("taskset");
    command.envs(program.env()).args(["-c", core]).arg(&program.path).args([
        "-t1".to_owned(),
        format!("-c{connections}"),
        format!("-d{}s", time.as_secs()),
    ]);
    if let Some(key) = route.key {
        command.args(["-H", &format!("X-Gravitee-Api-Key: {key}")]);
    }
    command.arg(format!("http://{}{}", route.address, route.path));
    let output = command.output().map_err(MeasureError::system("run wrk"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    requests(&text).filter(|_| output.status.success()).ok_or_else(|| {
        let errors = String::from_utf8_lossy(&output.stderr);
        MeasureError::Unexpected(format!("wrk against {}: {}: {text}{errors}", route.name, output.status))
    })
}

/// How many requests, from what it prints; `None` if any failed.
fn requests(text: &str) -> Option<u64> {
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        return None;
    }
    text.lines().find_map(|line| line.trim().split_once(" requests in ")?.0.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_count_only_if_all_went_well() {
        let good = "Running 2s test @ http://a\n  1 threads and 32 connections\n  4321 requests in 2.00s, 1.0MB read\n";
        assert_eq!(requests(good), Some(4321));
        assert_eq!(requests(&format!("{good}  Non-2xx or 3xx responses: 1\n")), None);
        assert_eq!(
            requests(&format!("{good}  Socket errors: connect 0, read 1, write 0, timeout 0\n")),
            None
        );
    }
}
