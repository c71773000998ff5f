//! Figures of the data plane. It counts for itself, into plain atomics that a deployment holds; here comes a snapshot at
//! each scrape.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::catalogue;

/// The data plane at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DataPlaneFigures {
    /// Open connections of clients.
    pub connections: u64,
    /// Connections of clients ever accepted.
    pub accepted: u64,
    /// Requests under way.
    pub in_flight: u64,
    /// Requests that no API matched.
    pub unrouted: u64,
    /// Requests refused before they were routed.
    pub refused: u64,
    /// Deployed APIs by id.
    pub apis: BTreeMap<Arc<str>, ApiFigures>,
}

/// One API at one moment. Counts go on over redeployments (S4).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApiFigures {
    /// Requests answered, by the first digit of the status: 1xx to 5xx.
    pub by_class: [u64; 5],
    /// Failed calls of upstreams by error key (`data-plane.md` section 2.9). A key may come more than once.
    pub failures: Vec<(&'static str, u64)>,
    /// Requests by time until the head of the response: the bucket's upper bound, and how many were within it but not
    /// within the one before. Ascending; the last bound is [`Duration::MAX`] for no bound.
    pub durations: Vec<(Duration, u64)>,
    /// Sum of those times.
    pub duration_sum: Duration,
}

/// Where the figures come from. The default is a gateway without a data plane.
#[derive(Default)]
pub struct DataPlane(Option<Box<dyn Fn() -> DataPlaneFigures + Send + Sync>>);

impl DataPlane {
    /// Calls `figures` at each scrape, on a thread that may block for milliseconds.
    pub fn new(figures: impl Fn() -> DataPlaneFigures + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(figures)))
    }
}

impl fmt::Debug for DataPlane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataPlane")
    }
}

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

type NoLabels = [(&'static str, &'static str); 0];

impl Collector for DataPlane {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut figures = self.0.as_ref().map(|figures| figures()).unwrap_or_default();
        // Of many APIs most have no traffic between two restarts; they would only make the answer long.
        figures.apis.retain(|_, api| api.by_class.iter().any(|count| *count > 0) || !api.failures.is_empty());
        let out = &mut encoder;

        let mut requests = catalogue::REQUESTS.begin(out)?;
        for (id, api) in &figures.apis {
            for (status, count) in CLASSES.into_iter().zip(api.by_class).filter(|(_, count)| *count > 0) {
                requests
                    .encode_family(&[("api", id.as_ref()), ("status", status)])?
                    .encode_counter::<NoLabels, _, u64>(&count, None)?;
            }
        }
        let mut durations = catalogue::REQUEST_DURATION.begin(out)?;
        for (id, api) in figures.apis.iter().filter(|(_, api)| !api.durations.is_empty()) {
            let buckets: Vec<(f64, u64)> =
                api.durations.iter().map(|(bound, count)| (seconds(*bound), *count)).collect();
            // Taken from the buckets, so that the two agree although counting goes on.
            let count = buckets.iter().map(|(_, count)| count).sum();
            durations.encode_family(&[("api", id.as_ref())])?.encode_histogram::<NoLabels>(
                api.duration_sum.as_secs_f64(),
                count,
                &buckets,
                None,
            )?;
        }
        let mut failures = catalogue::UPSTREAM_FAILURES.begin(out)?;
        for (id, api) in &figures.apis {
            // Several failures can have one key, and a sample may come only once.
            let mut by_key = BTreeMap::<_, u64>::new();
            for (key, count) in &api.failures {
                *by_key.entry(*key).or_default() += count;
            }
            for (key, count) in by_key {
                failures
                    .encode_family(&[("api", id.as_ref()), ("key", key)])?
                    .encode_counter::<NoLabels, _, u64>(&count, None)?;
            }
        }
        catalogue::UNROUTED_REQUESTS.counter(out, figures.unrouted)?;
        catalogue::REFUSED_REQUESTS.counter(out, figures.refused)?;
        catalogue::REQUESTS_IN_FLIGHT.gauge(out, figures.in_flight as f64)?;
        catalogue::ACTIVE_CONNECTIONS.gauge(out, figures.connections as f64)?;
        catalogue::CONNECTIONS.counter(out, figures.accepted)
    }
}

fn seconds(bound: Duration) -> f64 {
    if bound == Duration::MAX { f64::INFINITY } else { bound.as_secs_f64() }
}
