//! P6: what a request costs the gateway, against nginx on the same core.
//!
//! Processor time is what the kernel charges the process while `wrk` drives it; user-space instructions are counted by
//! valgrind, over a number of requests that is known exactly, because a virtual machine often has no counters of its own.

mod contestant;
mod exact_load;
mod instructions;
mod nginx;
mod wrk;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use zonegate_testkit::install;

use super::super::line::Line;
use super::cpu::CpuTime;
use super::failure::MeasureError;
use super::spread::Spread;
use super::{Outcome, Quickness, Row, runtime, tell};
use contestant::{ApiGateway, Route};
use nginx::Nginx;

/// The core of nginx and gateway, of which one at a time has work.
const PROXY_CORE: &str = "0";
/// The core of `wrk` and the upstream.
const LOAD_CORE: &str = "1";
/// Keep-alive connections of `wrk`.
const CONNECTIONS: usize = 32;
/// Bytes of the upstream's answer.
const BODY: usize = 128;

/// What a round brought.
#[derive(Debug, Clone, Copy)]
struct Sample {
    /// Processor time per request, microseconds.
    total: f64,
    /// The part of it in user space.
    user: f64,
    /// Requests per second.
    rate: f64,
}

/// Measures the row.
pub(super) fn measure(quickness: Quickness, gateway: &Path) -> Result<Outcome, MeasureError> {
    let (rounds, seconds) = if quickness == Quickness::Quick { (2, 2) } else { (7, 5) };
    let program = install::nginx(&tell)?;
    let runtime = runtime()?;
    let upstream = Nginx::upstream(&program, LOAD_CORE, BODY)?;
    let nginx = Nginx::proxy(&program, &["taskset", "-c", PROXY_CORE], upstream.address())?;
    tell("starting the gateway");
    let pinned = ["taskset", "-c", PROXY_CORE];
    let gateway_running = runtime.block_on(ApiGateway::start(gateway, &pinned, upstream.address()))?;

    let contestants = [
        (nginx.process_id(), nginx.route()),
        (gateway_running.process_id(), gateway_running.open()),
        (gateway_running.process_id(), gateway_running.keyed()),
    ];
    let mut samples: [Vec<Sample>; 3] = Default::default();
    for (_, route) in &contestants {
        wrk::run(route, LOAD_CORE, CONNECTIONS, Duration::from_secs(1))?;
    }
    for round in 0..rounds {
        // Whoever comes first in one round comes last in the next.
        for turn in 0..contestants.len() {
            let index = (turn + round) % contestants.len();
            let (process, route) = &contestants[index];
            tell(&format!("round {} of {rounds}: {}", round + 1, route.name));
            samples[index].push(sample(*process, route, Duration::from_secs(seconds))?);
        }
    }
    drop((gateway_running, nginx));

    let mut outcome = Outcome::new(Row::P6);
    let [reference, open, keyed] = &samples;
    outcome.lines.push(time_line(
        "pass-through: processor time per request",
        open,
        ("nginx", reference),
        1.3,
    ));
    outcome.lines.push(time_line(
        "API key: processor time per request",
        keyed,
        ("own pass-through", open),
        1.05,
    ));
    outcome.taken = vec![
        format!(
            "keep-alive on both sides, GET, answer of {BODY} B; nginx 1 worker (`master_process off`), gateway lone with \
             SQLite, 1 worker, both pinned to core {PROXY_CORE} (`taskset`); `wrk -t1 -c{CONNECTIONS} -d{seconds}s` and an \
             upstream nginx on core {LOAD_CORE}"
        ),
        format!(
            "processor time: user and system time of the whole process in /proc; {rounds} rounds, in turn; ratio: \
             median of the rounds' ratios"
        ),
        "nginx does less: it makes no ids of requests, adds no headers and counts nothing; requests with a key carry one \
         header more than the others, and its parsing is in the figure"
            .to_owned(),
    ];
    outcome.costs = vec![format!(
        "requests per second of one core: nginx {:.0}, pass-through {:.0}, API key {:.0}",
        median(reference, |sample| sample.rate),
        median(open, |sample| sample.rate),
        median(keyed, |sample| sample.rate)
    )];
    match instructions::measure(quickness, &program, gateway, upstream.address(), &runtime)? {
        Some(counted) => {
            outcome.lines.extend(counted.lines());
            outcome.taken.push(counted.taken());
        }
        None => outcome.taken.push("instructions: not counted, since valgrind is not installed".to_owned()),
    }
    Ok(outcome)
}

fn sample(process: u32, route: &Route, time: Duration) -> Result<Sample, MeasureError> {
    let before = CpuTime::of(process)?;
    let requests = wrk::run(route, LOAD_CORE, CONNECTIONS, time)? as f64;
    let spent = CpuTime::of(process)?.since(before);
    let each = |time: Duration| time.as_secs_f64() * 1e6 / requests;
    Ok(Sample { total: each(spent.total()), user: each(spent.user), rate: requests / time.as_secs_f64() })
}

fn median(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    Spread::new(samples.iter().map(of).collect()).median()
}

fn time_line(work: &str, measured: &[Sample], (name, reference): (&str, &[Sample]), goal: f64) -> Line {
    let ratios = measured.iter().zip(reference).map(|(own, other)| own.total / other.total);
    let ratios = Spread::new(ratios.collect());
    let text = |samples: &[Sample]| {
        let (total, user) = (median(samples, |sample| sample.total), median(samples, |sample| sample.user));
        format!("{total:.2} µs (user {user:.2}, system {:.2})", total - user)
    };
    Line {
        work: work.to_owned(),
        measured: text(measured),
        reference: format!("{name}: {}", text(reference)),
        ratio: format!("{:.2} × ({:.2} to {:.2})", ratios.median(), ratios.least(), ratios.worst()),
        goal: format!("≤ {goal} ×"),
        met: Some(ratios.median() <= goal),
        figures: BTreeMap::from([
            ("cpu_us".to_owned(), median(measured, |sample| sample.total)),
            ("cpu_user_us".to_owned(), median(measured, |sample| sample.user)),
            ("reference_cpu_us".to_owned(), median(reference, |sample| sample.total)),
            ("reference_cpu_user_us".to_owned(), median(reference, |sample| sample.user)),
            ("requests_per_second".to_owned(), median(measured, |sample| sample.rate)),
            ("ratio".to_owned(), ratios.median()),
        ]),
    }
}
