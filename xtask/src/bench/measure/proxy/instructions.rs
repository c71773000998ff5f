//! User-space instructions per request, by valgrind.
//!
//! Each contestant is run twice, with few requests and with many; the difference is what the requests cost, whatever
//! start and stop do. The profiles of the longer runs stay in `.zonegate/logs/bench`, for `callgrind_annotate`.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tokio::runtime::Runtime;
use zonegate_testkit::folders;
use zonegate_testkit::install::Program;

use super::contestant::{ApiGateway, Route};
use super::exact_load;
use super::nginx::Nginx;
use crate::bench::Quickness;
use crate::bench::line::Line;
use crate::bench::measure::failure::MeasureError;
use crate::bench::measure::tell;

/// Connections that the requests come by.
const CONNECTIONS: usize = 8;

/// Instructions per request.
#[derive(Debug)]
pub(super) struct Counted {
    nginx: f64,
    open: f64,
    keyed: f64,
    few: usize,
    many: usize,
}

/// Which contestant, and by which API.
#[derive(Debug, Clone, Copy)]
enum Who {
    Nginx,
    Open,
    Keyed,
}

/// What the contestants are started from.
struct Ring<'a> {
    nginx: &'a Program,
    gateway: &'a Path,
    upstream: SocketAddr,
    runtime: &'a Runtime,
    logs: PathBuf,
}

/// Counts; `None` without valgrind.
pub(super) fn measure(
    quickness: Quickness,
    nginx: &Program,
    gateway: &Path,
    upstream: SocketAddr,
    runtime: &Runtime,
) -> Result<Option<Counted>, MeasureError> {
    let mut version = Command::new("valgrind");
    version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    if !version.status().is_ok_and(|status| status.success()) {
        return Ok(None);
    }
    let (few, many) = if quickness == Quickness::Quick { (1_000, 3_000) } else { (2_000, 12_000) };
    let logs = folders::state().join("logs/bench");
    fs::create_dir_all(&logs).map_err(MeasureError::system("make .zonegate/logs/bench"))?;
    let ring = Ring { nginx, gateway, upstream, runtime, logs };
    let each = |who| -> Result<f64, MeasureError> {
        let (less, more) = (ring.run(who, few)?, ring.run(who, many)?);
        Ok(more.saturating_sub(less) as f64 / (many - few) as f64)
    };
    let (nginx, open, keyed) = (each(Who::Nginx)?, each(Who::Open)?, each(Who::Keyed)?);
    Ok(Some(Counted { nginx, open, keyed, few, many }))
}

impl Ring<'_> {
    /// Runs one contestant for so many requests and answers all instructions of its life.
    fn run(&self, who: Who, count: usize) -> Result<u64, MeasureError> {
        let name = match who {
            Who::Nginx => "nginx",
            Who::Open => "pass-through",
            Who::Keyed => "api-key",
        };
        tell(&format!("counting instructions: {name}, {count} requests"));
        let log = self.logs.join(format!("{name}.valgrind.log"));
        let profile = self.logs.join(format!("{name}.callgrind"));
        let words = [
            "valgrind".to_owned(),
            "--tool=callgrind".to_owned(),
            format!("--log-file={}", log.display()),
            format!("--callgrind-out-file={}", profile.display()),
        ];
        let wrapper: Vec<&str> = words.iter().map(String::as_str).collect();
        match who {
            Who::Nginx => {
                let nginx = Nginx::proxy(self.nginx, &wrapper, self.upstream)?;
                send(&nginx.route(), count)?;
                nginx.stop()?;
            }
            Who::Open | Who::Keyed => {
                let start = ApiGateway::start(self.gateway, &wrapper, self.upstream);
                let gateway = self.runtime.block_on(start)?;
                send(&if matches!(who, Who::Open) { gateway.open() } else { gateway.keyed() }, count)?;
                gateway.stop()?;
            }
        }
        let text = fs::read_to_string(&log).map_err(MeasureError::system("read valgrind's log"))?;
        collected(&text).ok_or_else(|| {
            MeasureError::Unexpected(format!("valgrind counted nothing; see {}", log.display()))
        })
    }
}

fn send(route: &Route, count: usize) -> Result<(), MeasureError> {
    exact_load::send(route, CONNECTIONS, count)
}

/// The sum in callgrind's log.
fn collected(text: &str) -> Option<u64> {
    let number = |line: &str| line.split_once("Collected : ")?.1.split_whitespace().next()?.parse().ok();
    text.lines().find_map(number)
}

impl Counted {
    /// Its lines of the table.
    pub(super) fn lines(&self) -> [Line; 2] {
        let line = |work: &str, measured: f64, (name, reference): (&str, f64), goal: Option<f64>| {
            let ratio = measured / reference;
            Line {
                work: work.to_owned(),
                measured: format!("{measured:.0}"),
                reference: format!("{name}: {reference:.0}"),
                ratio: format!("{ratio:.2} ×"),
                goal: goal.map_or_else(|| "–".to_owned(), |goal| format!("≤ {goal} ×")),
                met: goal.map(|goal| ratio <= goal),
                figures: BTreeMap::from([
                    ("instructions".to_owned(), measured),
                    ("reference_instructions".to_owned(), reference),
                    ("ratio".to_owned(), ratio),
                ]),
            }
        };
        let (nginx, open) = (("nginx", self.nginx), ("own pass-through", self.open));
        [
            line("pass-through: user-space instructions per request", self.open, nginx, None),
            line("API key: user-space instructions per request", self.keyed, open, Some(1.05)),
        ]
    }

    /// How they were counted.
    pub(super) fn taken(&self) -> String {
        format!(
            "instructions: `valgrind --tool=callgrind` of the same programs, {CONNECTIONS} connections, {} requests less \
             those with {}; profiles in .zonegate/logs/bench",
            self.many, self.few
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_found_in_the_log() {
        let log = "==7== Events    : Ir\n==7== Collected : 123456\n==7== \n==7== I   refs:      123,456\n";
        assert_eq!(collected(log), Some(123_456));
        assert_eq!(collected("==7== killed"), None);
    }
}
