//! What the data plane counts: plain atomics, reached through handles that are resolved at deployment. Whoever shows
//! them takes a snapshot.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use http::StatusCode;

use crate::upstream::failure::CallError;

/// Upper bounds of the latency histogram's buckets, milliseconds, ascending; one more bucket has no bound.
pub const LATENCY_BOUNDS: [u64; 14] = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000];

/// Counts of the whole data plane. Clones of its `Arc` share them.
#[derive(Debug, Default)]
pub struct Counters {
    apis: Mutex<BTreeMap<Arc<str>, Weak<ApiCounters>>>,
    /// Open client connections.
    pub(crate) connections: AtomicU64,
    /// Client connections ever accepted.
    pub(crate) accepted: AtomicU64,
    /// Requests for which there is no API.
    pub(crate) unrouted: AtomicU64,
    /// Requests refused before they were routed: malformed, or too large.
    pub(crate) refused: AtomicU64,
    /// Requests under way.
    pub(crate) in_flight: AtomicU64,
}

/// Counts of one API. They go on over redeployments (S4).
#[derive(Debug, Default)]
pub struct ApiCounters {
    by_class: [AtomicU64; 5],
    failures: [AtomicU64; CallError::ALL.len()],
    latency: [AtomicU64; LATENCY_BOUNDS.len() + 1],
    latency_sum_micros: AtomicU64,
}

/// Counts of the data plane at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GatewaySnapshot {
    /// Open client connections.
    pub connections: u64,
    /// Client connections ever accepted.
    pub accepted: u64,
    /// Requests for which there is no API (404).
    pub unrouted: u64,
    /// Requests refused before they were routed.
    pub refused: u64,
    /// Requests under way, until the head of their response.
    pub in_flight: u64,
    /// By API id, those that are deployed.
    pub apis: BTreeMap<Arc<str>, ApiSnapshot>,
}

/// Counts of one API at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiSnapshot {
    /// Requests answered, by the first digit of the status: 1xx to 5xx.
    pub by_class: [u64; 5],
    /// Calls of upstreams that failed, those that did.
    pub failures: Vec<(CallError, u64)>,
    /// Requests by time until the head of the response, one count per bucket of [`LATENCY_BOUNDS`] and one beyond.
    pub latency: [u64; LATENCY_BOUNDS.len() + 1],
    /// Sum of those times, microseconds.
    pub latency_sum_micros: u64,
}

impl ApiSnapshot {
    /// Requests answered.
    pub fn requests(&self) -> u64 {
        self.by_class.iter().sum()
    }
}

impl Counters {
    /// The counts of an API, the same ones as long as some deployment of it lives.
    pub fn of_api(&self, id: &Arc<str>) -> Arc<ApiCounters> {
        let mut apis = self.apis.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counters) = apis.get(id).and_then(Weak::upgrade) {
            return counters;
        }
        let counters = Arc::new(ApiCounters::default());
        apis.insert(id.clone(), Arc::downgrade(&counters));
        counters
    }

    /// Everything, now. APIs that are no longer deployed are left out and forgotten.
    pub fn snapshot(&self) -> GatewaySnapshot {
        let mut apis = self.apis.lock().unwrap_or_else(PoisonError::into_inner);
        apis.retain(|_, counters| counters.strong_count() > 0);
        let apis = apis
            .iter()
            .filter_map(|(id, counters)| counters.upgrade().map(|counters| (id.clone(), counters.snapshot())))
            .collect();
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        GatewaySnapshot {
            connections: read(&self.connections),
            accepted: read(&self.accepted),
            unrouted: read(&self.unrouted),
            refused: read(&self.refused),
            in_flight: read(&self.in_flight),
            apis,
        }
    }
}

impl ApiCounters {
    pub(crate) fn answered(&self, status: StatusCode, after: Duration) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.by_class[class].fetch_add(1, Ordering::Relaxed);
        let micros = after.as_micros() as u64;
        let bucket =
            LATENCY_BOUNDS.iter().position(|bound| micros <= bound * 1000).unwrap_or(LATENCY_BOUNDS.len());
        self.latency[bucket].fetch_add(1, Ordering::Relaxed);
        self.latency_sum_micros.fetch_add(micros, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self, error: CallError) {
        self.failures[error.index()].fetch_add(1, Ordering::Relaxed);
    }

    /// The counts now.
    pub fn snapshot(&self) -> ApiSnapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ApiSnapshot {
            by_class: std::array::from_fn(|index| read(&self.by_class[index])),
            failures: CallError::ALL
                .into_iter()
                .map(|error| (error, read(&self.failures[error.index()])))
                .filter(|(_, count)| *count > 0)
                .collect(),
            latency: std::array::from_fn(|index| read(&self.latency[index])),
            latency_sum_micros: read(&self.latency_sum_micros),
        }
    }
}

/// Counts one up, and down again when dropped.
#[derive(Debug)]
pub(crate) struct Gauge<'a>(&'a AtomicU64);

impl<'a> Gauge<'a> {
    pub(crate) fn up(counter: &'a AtomicU64) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter)
    }
}

impl Drop for Gauge<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
