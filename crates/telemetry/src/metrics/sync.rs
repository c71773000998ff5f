//! Figures of the sync process. They come as one snapshot at each scrape, so that the core counts in plain numbers.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use zonegate_model::{Epoch, Kind, Revision};

use super::catalogue::{self, Metric};

/// What a gateway is in its zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Not decided yet.
    #[default]
    Starting,
    /// Reads the repository, writes the store.
    Primary,
    /// Reads the store.
    Secondary,
    /// No zone: reads the repository for itself.
    Lone,
}

impl Role {
    const ALL: [Self; 4] = [Self::Starting, Self::Primary, Self::Secondary, Self::Lone];

    /// The word for it in metrics, logs and the technical API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Primary => "primary",
            Self::Secondary => "secondary",
            Self::Lone => "lone",
        }
    }
}

/// The sync process at one moment. `None`: unknown, or it does not apply; the metric is then absent.
#[derive(Clone, Debug, Default)]
pub struct SyncFigures {
    /// What this gateway is.
    pub role: Role,
    /// The lease's epoch.
    pub epoch: Option<Epoch>,
    /// Revision of the state that is served.
    pub applied: Option<Revision>,
    /// The store's last revision.
    pub store: Option<Revision>,
    /// The store's last whole revision.
    pub whole: Option<Revision>,
    /// Age of the repository time of the served state, in milliseconds.
    pub lag_millis: Option<u64>,
    /// Whether a whole state is active (A4).
    pub ready: bool,
    /// Whether the repository answers.
    pub repository_up: Option<bool>,
    /// Whether the store answers.
    pub store_up: Option<bool>,
    /// Live members of the zone.
    pub members: Option<u64>,
    /// Active rows by kind.
    pub rows: BTreeMap<Kind, u64>,
    /// Rows that still have to be written to the store.
    pub pending_rows: u64,
    /// APIs that are refused (S3).
    pub refused_apis: u64,
    /// API products that are refused (S3).
    pub refused_api_products: u64,
    /// Accepted subscriptions of type PUSH, which are not served.
    pub push_subscriptions: u64,
    /// Batches committed.
    pub batches_written: u64,
    /// Rows committed.
    pub rows_written: u64,
    /// Writes that were fenced off (Z1).
    pub fenced_writes: u64,
    /// Times that this gateway became primary.
    pub takeovers: u64,
    /// Full reads of the store by reason, a fixed word each.
    pub full_reads: BTreeMap<Cow<'static, str>, u64>,
    /// Reads that could not be proven whole (Z7); `None` where no kind is known.
    pub proof_failures: BTreeMap<Option<Kind>, u64>,
    /// Failed reads of the repository.
    pub repository_failures: u64,
    /// Failed calls to the store.
    pub store_failures: u64,
}

/// Asks for the figures at each scrape.
pub(super) struct SyncCollector<F>(F);

impl<F> SyncCollector<F> {
    pub(super) fn new(figures: F) -> Self {
        Self(figures)
    }
}

impl<F> fmt::Debug for SyncCollector<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SyncCollector")
    }
}

impl<F: Fn() -> SyncFigures + Send + Sync + 'static> Collector for SyncCollector<F> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let figures = (self.0)();
        let out = &mut encoder;

        let mut role = catalogue::ROLE.begin(out)?;
        for known in Role::ALL {
            role.encode_family(&[("role", known.name())])?.encode_gauge(&i64::from(known == figures.role))?;
        }
        optional(out, &catalogue::EPOCH, figures.epoch.map(|epoch| epoch.0))?;
        optional(out, &catalogue::REVISION_APPLIED, figures.applied.map(|revision| revision.0))?;
        optional(out, &catalogue::STORE_REVISION, figures.store.map(|revision| revision.0))?;
        optional(out, &catalogue::STORE_WHOLE_REVISION, figures.whole.map(|revision| revision.0))?;
        optional(out, &catalogue::LAG, figures.lag_millis)?;
        optional(out, &catalogue::READY, Some(u64::from(figures.ready)))?;
        optional(out, &catalogue::REPOSITORY_UP, figures.repository_up.map(u64::from))?;
        optional(out, &catalogue::STORE_UP, figures.store_up.map(u64::from))?;
        optional(out, &catalogue::MEMBERS, figures.members)?;
        let mut rows = catalogue::ROWS.begin(out)?;
        for (kind, count) in &figures.rows {
            rows.encode_family(&[("kind", kind.name())])?.encode_gauge(&(*count as f64))?;
        }
        optional(out, &catalogue::PENDING_ROWS, Some(figures.pending_rows))?;
        optional(out, &catalogue::REFUSED_APIS, Some(figures.refused_apis))?;
        optional(out, &catalogue::REFUSED_API_PRODUCTS, Some(figures.refused_api_products))?;
        optional(out, &catalogue::PUSH_SUBSCRIPTIONS, Some(figures.push_subscriptions))?;

        catalogue::BATCHES_WRITTEN.counter(out, figures.batches_written)?;
        catalogue::ROWS_WRITTEN.counter(out, figures.rows_written)?;
        catalogue::FENCED_WRITES.counter(out, figures.fenced_writes)?;
        catalogue::TAKEOVERS.counter(out, figures.takeovers)?;
        let full_reads = figures.full_reads.iter().map(|(reason, count)| (reason.as_ref(), *count));
        counters(out, &catalogue::FULL_READS, full_reads)?;
        let proof_failures =
            figures.proof_failures.iter().map(|(kind, count)| (kind.map_or("unknown", Kind::name), *count));
        counters(out, &catalogue::PROOF_FAILURES, proof_failures)?;
        catalogue::REPOSITORY_FAILURES.counter(out, figures.repository_failures)?;
        catalogue::STORE_FAILURES.counter(out, figures.store_failures)
    }
}

/// A gauge without labels, and without a sample while its value is unknown.
fn optional(encoder: &mut DescriptorEncoder<'_>, metric: &Metric, value: Option<u64>) -> fmt::Result {
    let mut family = metric.begin(encoder)?;
    match value {
        Some(value) => family.encode_gauge(&(value as f64)),
        None => Ok(()),
    }
}

/// A counter with its one label.
fn counters<'v>(
    encoder: &mut DescriptorEncoder<'_>,
    metric: &Metric,
    values: impl IntoIterator<Item = (&'v str, u64)>,
) -> fmt::Result {
    let label = metric.labels.first().copied().unwrap_or_default();
    let mut family = metric.begin(encoder)?;
    for (value, count) in values {
        family.encode_family(&[(label, value)])?.encode_counter::<[(&str, &str); 0], _, u64>(&count, None)?;
    }
    Ok(())
}
