//! What the data plane counts for one API.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use super::data_plane::Apis;
use super::duration_histogram::{Counted, DurationHistogram};

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A response with this status was begun.
    Status(u16),
    /// The client left before the response's head.
    Aborted,
}

/// Labels of `status`, in the order of the counters.
const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "aborted"];

impl Outcome {
    /// The counter's index. A status that HTTP does not know counts as a server error.
    fn class(self) -> usize {
        match self {
            Self::Status(status @ 100..=599) => usize::from(status / 100 - 1),
            Self::Status(_) => 4,
            Self::Aborted => 5,
        }
    }
}

/// Counters of one deployed API. Get it from [`super::DataPlane::api`] when the API is deployed and keep it with the
/// deployment: the request path looks nothing up. As long as one deployment of the API is alive, a new one gets the
/// same counters (S4); when the last has gone, so have they.
#[derive(Debug)]
pub struct ApiMetrics {
    api: Arc<str>,
    /// Made by the first request: most of 100,000 APIs have none between two restarts.
    cells: OnceLock<Box<Cells>>,
    registered_in: Weak<Apis>,
}

#[derive(Debug, Default)]
struct Cells {
    requests: [AtomicU64; CLASSES.len()],
    duration: DurationHistogram,
}

impl ApiMetrics {
    pub(super) fn new(api: Arc<str>, registered_in: Weak<Apis>) -> Self {
        Self { api, cells: OnceLock::new(), registered_in }
    }

    /// Counts a request that has ended, `duration` after its head had come.
    pub fn finished(&self, outcome: Outcome, duration: Duration) {
        let cells = self.cells.get_or_init(Box::default);
        cells.requests[outcome.class()].fetch_add(1, Ordering::Relaxed);
        cells.duration.observe(duration);
    }

    /// The API's id.
    pub(super) fn api(&self) -> &str {
        &self.api
    }

    /// Whether a request was counted.
    pub(super) fn is_used(&self) -> bool {
        self.cells.get().is_some()
    }

    /// Classes with at least one request.
    pub(super) fn requests(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.cells.get().into_iter().flat_map(|cells| {
            CLASSES
                .into_iter()
                .zip(cells.requests.iter().map(|count| count.load(Ordering::Relaxed)))
                .filter(|(_, count)| *count > 0)
        })
    }

    pub(super) fn durations(&self) -> Option<Counted> {
        self.cells.get().map(|cells| cells.duration.read())
    }
}

impl Drop for ApiMetrics {
    fn drop(&mut self) {
        if let Some(apis) = self.registered_in.upgrade() {
            apis.forget(&self.api);
        }
    }
}
