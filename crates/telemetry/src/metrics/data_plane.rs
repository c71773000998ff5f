//! What the data plane counts: per API, per error key, and connections.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::api::ApiMetrics;
use super::catalogue;
use super::sync::counters;

/// Counters of the data plane. One per process, shared by all its workers.
#[derive(Debug, Default)]
pub struct DataPlane {
    apis: Arc<Apis>,
    upstream_failures: Mutex<BTreeMap<&'static str, u64>>,
    unrouted: AtomicU64,
    connections: Arc<AtomicU64>,
}

/// The APIs that are deployed somewhere, by id.
#[derive(Debug, Default)]
pub(super) struct Apis(Mutex<HashMap<Arc<str>, Weak<ApiMetrics>>>);

impl Apis {
    /// Takes an entry out whose counters have gone. A newer deployment's entry under the same id stays.
    pub(super) fn forget(&self, api: &str) {
        let mut apis = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if apis.get(api).is_some_and(|entry| entry.strong_count() == 0) {
            apis.remove(api);
        }
    }

    fn get_or_create(this: &Arc<Self>, api: &Arc<str>) -> Arc<ApiMetrics> {
        let mut apis = this.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = apis.get(api).and_then(Weak::upgrade) {
            return known;
        }
        let metrics = Arc::new(ApiMetrics::new(Arc::clone(api), Arc::downgrade(this)));
        apis.insert(Arc::clone(api), Arc::downgrade(&metrics));
        metrics
    }

    /// Those that had requests, by id.
    fn used(&self) -> Vec<Arc<ApiMetrics>> {
        let mut live: Vec<_> = {
            let apis = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            apis.values().filter_map(Weak::upgrade).collect()
        };
        // Outside of the lock: letting go of the last handle takes it.
        live.retain(|metrics| metrics.is_used());
        live.sort_by(|a, b| a.api().cmp(b.api()));
        live
    }
}

impl DataPlane {
    /// Counters of an API, to be kept with its deployment. The same as the ones that another live deployment of the API
    /// has.
    pub fn api(&self, api: &Arc<str>) -> Arc<ApiMetrics> {
        Apis::get_or_create(&self.apis, api)
    }

    /// Counts a request that no API matched.
    pub fn unrouted(&self) {
        self.unrouted.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request that failed on the way to or from an upstream. `key` is the answer's error key
    /// (`data-plane.md` section 2.9), so that there are only so many.
    pub fn upstream_failure(&self, key: &'static str) {
        let mut failures = self.upstream_failures.lock().unwrap_or_else(PoisonError::into_inner);
        *failures.entry(key).or_default() += 1;
    }

    /// Counts a client's connection as open until the answer is dropped.
    #[must_use = "the connection counts as open until this is dropped"]
    pub fn connection(&self) -> Connection {
        self.connections.fetch_add(1, Ordering::Relaxed);
        Connection(Arc::clone(&self.connections))
    }

    /// Open connections of clients.
    pub fn open_connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}

/// An open connection; dropped when it is closed.
#[derive(Debug)]
pub struct Connection(Arc<AtomicU64>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Collector for DataPlane {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let apis = self.apis.used();
        let out = &mut encoder;

        let mut requests = catalogue::REQUESTS.begin(out)?;
        for metrics in &apis {
            for (status, count) in metrics.requests() {
                requests
                    .encode_family(&[("api", metrics.api()), ("status", status)])?
                    .encode_counter::<[(&str, &str); 0], _, u64>(&count, None)?;
            }
        }
        let mut durations = catalogue::REQUEST_DURATION.begin(out)?;
        for metrics in &apis {
            if let Some(counted) = metrics.durations() {
                durations.encode_family(&[("api", metrics.api())])?.encode_histogram::<[(&str, &str); 0]>(
                    counted.sum,
                    counted.count,
                    &counted.buckets,
                    None,
                )?;
            }
        }
        catalogue::UNROUTED_REQUESTS.counter(out, self.unrouted.load(Ordering::Relaxed))?;
        let failures = self.upstream_failures.lock().unwrap_or_else(PoisonError::into_inner).clone();
        counters(out, &catalogue::UPSTREAM_FAILURES, failures)?;
        catalogue::ACTIVE_CONNECTIONS.gauge(out, self.open_connections() as f64)
    }
}
