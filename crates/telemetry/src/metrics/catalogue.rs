//! Every metric of a gateway, once. `docs/metrics.md` lists the same, and a test compares them.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder};
use prometheus_client::metrics::MetricType;

/// What sort of figure a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only rises, from zero at the start of the process. Its samples end in `_total`.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts by size, with `_bucket`, `_sum` and `_count`.
    Histogram,
}

/// One metric family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// The family's name, without the `_total` of counters.
    pub name: &'static str,
    /// What sort of figure it is.
    pub kind: MetricKind,
    /// Its labels, besides `le`.
    pub labels: &'static [&'static str],
    /// What it says, with its unit.
    pub help: &'static str,
}

impl Metric {
    /// The name to use in a query.
    pub fn exposed_name(&self) -> String {
        match self.kind {
            MetricKind::Counter => format!("{}_total", self.name),
            MetricKind::Gauge | MetricKind::Histogram => self.name.to_owned(),
        }
    }

    /// Begins the family in an answer to a scrape.
    pub(super) fn begin<'e>(
        &self,
        encoder: &'e mut DescriptorEncoder<'_>,
    ) -> Result<MetricEncoder<'e>, fmt::Error>
    where
        Self: 'e,
    {
        let kind = match self.kind {
            MetricKind::Counter => MetricType::Counter,
            MetricKind::Gauge => MetricType::Gauge,
            MetricKind::Histogram => MetricType::Histogram,
        };
        encoder.encode_descriptor(self.name, self.help, None, kind)
    }

    /// A gauge without labels.
    pub(super) fn gauge(&self, encoder: &mut DescriptorEncoder<'_>, value: f64) -> fmt::Result {
        self.begin(encoder)?.encode_gauge(&value)
    }

    /// A counter without labels.
    pub(super) fn counter(&self, encoder: &mut DescriptorEncoder<'_>, value: u64) -> fmt::Result {
        self.begin(encoder)?.encode_counter::<[(&str, &str); 0], _, u64>(&value, None)
    }
}

/// Whether the family of this name is a counter.
pub(super) fn is_counter(name: &str) -> bool {
    ALL.iter().any(|metric| metric.name == name && metric.kind == MetricKind::Counter)
}

macro_rules! metrics {
    ($($constant:ident = $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $constant: Metric = Metric {
                name: $name,
                kind: MetricKind::$kind,
                labels: &[$($label),*],
                help: $help,
            };
        )*

        /// All of them, in the order in which they are exposed.
        pub const ALL: &[Metric] = &[$($constant),*];
    };
}

metrics! {
    ROLE = Gauge "zonegate_role" ["role"] "1 for the role that this gateway has now, 0 for the others";
    EPOCH = Gauge "zonegate_epoch" [] "Epoch of the lease that this gateway knows as the current one";
    REVISION_APPLIED = Gauge "zonegate_revision_applied" [] "Revision of the zone's state that this gateway serves";
    STORE_REVISION = Gauge "zonegate_store_revision" [] "Revision of the zone store's last batch that this gateway knows of";
    STORE_WHOLE_REVISION = Gauge "zonegate_store_whole_revision" [] "Last revision at which the zone store was whole";
    LAG = Gauge "zonegate_lag_milliseconds" [] "Age of the repository time up to which the served state is complete, in milliseconds";
    READY = Gauge "zonegate_ready" [] "1 once a whole state is active";
    REPOSITORY_UP = Gauge "zonegate_repository_up" [] "1 if the last call to the management repository succeeded, 0 if it failed; absent where it is not called";
    STORE_UP = Gauge "zonegate_store_up" [] "1 if the last call to the zone store succeeded, 0 if it failed; absent where it is not called";
    MEMBERS = Gauge "zonegate_members" [] "Live gateways of the zone that this gateway knows of, itself included";
    ROWS = Gauge "zonegate_rows" ["kind"] "Active rows of the served state by kind";
    PENDING_ROWS = Gauge "zonegate_pending_rows" [] "Rows that this primary serves and the zone store does not have yet";
    REFUSED_APIS = Gauge "zonegate_refused_apis" [] "APIs that are not served, or only in an earlier version, because they are not understood";
    REFUSED_API_PRODUCTS = Gauge "zonegate_refused_api_products" [] "API products whose plans are not offered, or only in an earlier version, because they are not understood";
    PUSH_SUBSCRIPTIONS = Gauge "zonegate_push_subscriptions" [] "Accepted subscriptions of type PUSH, which are carried and not served";
    BATCHES_WRITTEN = Counter "zonegate_batches_written" [] "Batches that this gateway committed to the zone store";
    ROWS_WRITTEN = Counter "zonegate_rows_written" [] "Rows that this gateway committed to the zone store";
    FENCED_WRITES = Counter "zonegate_fenced_writes" [] "Writes that the zone store refused because another gateway is primary";
    TAKEOVERS = Counter "zonegate_takeovers" [] "Times that this gateway became primary";
    FULL_READS = Counter "zonegate_full_reads" ["reason"] "Full reads of the zone store by reason";
    PROOF_FAILURES = Counter "zonegate_proof_failures" ["kind"] "Reads of the zone store that were not whole, by the first kind that differed";
    REPOSITORY_FAILURES = Counter "zonegate_repository_failures" [] "Failed reads of the management repository";
    STORE_FAILURES = Counter "zonegate_store_failures" [] "Failed calls to the zone store";

    REQUESTS = Counter "zonegate_requests" ["api", "status"] "Answered requests by API and class of status";
    REQUEST_DURATION = Histogram "zonegate_request_duration_seconds" ["api"] "Time until the head of the response, in seconds";
    UPSTREAM_FAILURES = Counter "zonegate_upstream_failures" ["api", "key"] "Calls of upstreams that failed, by API and error key";
    UNROUTED_REQUESTS = Counter "zonegate_unrouted_requests" [] "Requests that no API matched";
    REFUSED_REQUESTS = Counter "zonegate_refused_requests" [] "Requests refused before they were routed: malformed, or too large";
    REQUESTS_IN_FLIGHT = Gauge "zonegate_requests_in_flight" [] "Requests whose response has not begun";
    ACTIVE_CONNECTIONS = Gauge "zonegate_active_connections" [] "Open connections of clients";
    CONNECTIONS = Counter "zonegate_connections" [] "Connections of clients that were accepted";

    BUILD_INFO = Gauge "zonegate_build_info" ["version"] "Always 1; the label names the version";
    UPTIME = Gauge "zonegate_uptime_seconds" [] "Time since the process started, in seconds";
    RESIDENT_MEMORY = Gauge "zonegate_process_resident_memory_bytes" [] "Memory of the process in RAM, in bytes";
    OPEN_FDS = Gauge "zonegate_process_open_fds" [] "Open file descriptors of the process";
    THREADS = Gauge "zonegate_process_threads" [] "Threads of the process";
    CPU = Counter "zonegate_process_cpu_seconds" [] "Processor time that the process used, in seconds";
}
