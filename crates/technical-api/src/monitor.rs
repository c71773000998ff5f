//! `/_node/monitor`: figures of machine and process in the original's form.
//!
//! What the original says of its virtual machine is filled with what is true of this process: the heap is its resident
//! memory, there are no pools and no collectors. Figures that are unknown are -1, as there.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use zonegate_model::Moment;
use zonegate_telemetry::{Host, HostFigures, ProcessFigures};

use crate::answer;
use crate::routes::Context;

/// A share of processor time is taken over at least this long, however often somebody asks.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

/// Reads the host, and remembers enough to tell how busy processors were since the last time.
#[derive(Debug)]
pub(crate) struct Sampler {
    host: Host,
    processors: u32,
    state: Mutex<Shares>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Shares {
    last: Option<Sample>,
    host_cpu: Option<u8>,
    process_cpu: Option<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Moment,
    process_cpu: Duration,
    host_busy: Duration,
    host_total: Duration,
}

/// How much is in use. `None`: unknown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage {
    /// Of the machine's processors, by everybody.
    pub(crate) host_cpu_percent: Option<u8>,
    /// Of the machine's processors, by this process.
    pub(crate) process_cpu_percent: Option<u8>,
    /// Of the memory that this process may use.
    pub(crate) memory_percent: Option<u8>,
    pub(crate) process: Option<ProcessFigures>,
    pub(crate) machine: Option<HostFigures>,
}

impl Sampler {
    /// Takes the first sample.
    pub(crate) fn new(now: Moment) -> Self {
        let processors =
            std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(1));
        let sampler = Self { host: Host::default(), processors, state: Mutex::default() };
        sampler.usage(now);
        sampler
    }

    /// What is in use now.
    pub(crate) fn usage(&self, now: Moment) -> Usage {
        let process =
            self.host.process().inspect_err(|error| tracing::debug!(%error, "no process figures")).ok();
        let machine =
            self.host.machine().inspect_err(|error| tracing::debug!(%error, "no machine figures")).ok();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(process), Some(machine)) = (&process, &machine) {
            let sample = Sample {
                at: now,
                process_cpu: process.cpu,
                host_busy: machine.cpu_busy,
                host_total: machine.cpu_total,
            };
            state.advance(sample, self.processors);
        }
        let memory_percent = match (&process, &machine) {
            (Some(process), Some(machine)) => percent(process.resident as f64, machine.memory_limit as f64),
            _ => None,
        };
        Usage {
            host_cpu_percent: state.host_cpu,
            process_cpu_percent: state.process_cpu,
            memory_percent,
            process,
            machine,
        }
    }
}

impl Shares {
    fn advance(&mut self, sample: Sample, processors: u32) {
        let Some(last) = self.last else {
            self.last = Some(sample);
            return;
        };
        let passed = sample.at - last.at;
        if passed < SHORTEST_INTERVAL {
            return;
        }
        let part = |later: Duration, earlier: Duration| later.saturating_sub(earlier).as_secs_f64();
        self.process_cpu =
            percent(part(sample.process_cpu, last.process_cpu), passed.as_secs_f64() * f64::from(processors));
        self.host_cpu =
            percent(part(sample.host_busy, last.host_busy), part(sample.host_total, last.host_total));
        self.last = Some(sample);
    }
}

fn percent(part: f64, whole: f64) -> Option<u8> {
    (whole > 0.0).then(|| (part / whole * 100.0).clamp(0.0, 100.0).round() as u8)
}

/// Figures of machine and process.
pub(crate) async fn monitor(State(context): State<Context>) -> Response {
    let now = context.view.now();
    let uptime = now - context.view.started();
    let usage = context.sampler.usage(now);
    answer::json(StatusCode::OK, &body(now.wall_millis, uptime, &usage))
}

fn body(timestamp: i64, uptime: Duration, usage: &Usage) -> Value {
    let unknown = || Value::from(-1);
    let known = |value: Option<u64>| value.map_or_else(unknown, Value::from);
    let share = |value: Option<u8>| value.map_or_else(unknown, Value::from);
    let (process, machine) = (usage.process.as_ref(), usage.machine.as_ref());
    let memory = |of: fn(&HostFigures) -> u64| known(machine.map(of));
    let free_percent = machine.and_then(|m| percent(m.memory_free as f64, m.memory as f64));
    let resident = known(process.map(|p| p.resident));
    json!({
        "os": {
            "timestamp": timestamp,
            "cpu": {
                "percent": share(usage.host_cpu_percent),
                "loadAverage": machine.map_or_else(Vec::new, |m| m.load.to_vec()),
            },
            "mem": {
                "total": memory(|m| m.memory),
                "free": memory(|m| m.memory_free),
                "used": memory(|m| m.memory.saturating_sub(m.memory_free)),
                "freePercent": share(free_percent),
                "usedPercent": share(free_percent.map(|free| 100 - free)),
            },
            "swap": { "total": memory(|m| m.swap), "free": memory(|m| m.swap_free) },
        },
        "jvm": {
            "timestamp": timestamp,
            "uptime": u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX),
            "mem": {
                "heapCommitted": resident,
                "heapUsed": resident,
                "heapMax": memory(|m| m.memory_limit),
                "heapUsedPercent": share(usage.memory_percent),
                "nonHeapCommitted": -1,
                "nonHeapUsed": -1,
                "pools": [],
            },
            "threads": { "count": known(process.map(|p| p.threads)), "peakCount": -1 },
            "gc": { "collectors": [] },
        },
        "process": {
            "timestamp": timestamp,
            "openFileDescriptors": known(process.map(|p| p.open_files)),
            "maxFileDescriptors": known(process.and_then(|p| p.open_files_limit)),
            "cpu": {
                "percent": share(usage.process_cpu_percent),
                "total": process.map_or_else(unknown, |p| Value::from(p.cpu.as_millis() as u64)),
            },
            "mem": { "totalVirtual": known(process.map(|p| p.address_space)) },
        },
        "gpu": { "timestamp": 0, "devices": [] },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(seconds: u64, process: u64, busy: u64, total: u64) -> Sample {
        let at = Moment { elapsed: Duration::from_secs(seconds), wall_millis: 0 };
        let [process_cpu, host_busy, host_total] = [process, busy, total].map(Duration::from_secs);
        Sample { at, process_cpu, host_busy, host_total }
    }

    #[test]
    fn shares_are_taken_over_the_time_since_the_last_sample() {
        let mut state = Shares::default();
        state.advance(sample(0, 100, 1000, 5000), 4);
        assert_eq!((state.process_cpu, state.host_cpu), (None, None), "nothing to compare with");
        state.advance(sample(10, 110, 1030, 5040), 4);
        assert_eq!((state.process_cpu, state.host_cpu), (Some(25), Some(75)));
        state.advance(sample(10, 999, 1030, 5040), 4);
        assert_eq!(state.process_cpu, Some(25), "too soon for another figure");
    }

    #[test]
    fn what_is_unknown_is_minus_one() {
        let body = body(5, Duration::from_secs(2), &Usage::default());
        assert_eq!(body["process"]["openFileDescriptors"], -1);
        assert_eq!(body["os"]["mem"]["freePercent"], -1);
        assert_eq!(body["jvm"]["uptime"], 2000);
    }
}
