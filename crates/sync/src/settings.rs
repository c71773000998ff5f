//! What the operator decides about the sync process. All intervals are durations on the monotonic clock.

use std::time::Duration;

use zonegate_model::NodeId;

/// How this gateway takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// No zone: reads the repository for itself (`services.sync.distributed.enabled: false`).
    Lone,
    /// A member of a zone.
    Zone {
        /// Whether it may become primary (`distributed-sync.role: auto`), or only reads (`secondary`).
        may_lead: bool,
    },
}

/// Settings of one [`crate::Machine`].
#[derive(Clone, Debug)]
pub struct Settings {
    /// This gateway's id.
    pub node: NodeId,
    /// Its host name, for the other members.
    pub host: String,
    /// Its version, for the other members.
    pub version: String,
    /// Address of its technical API, for the other members.
    pub technical_api: Option<String>,
    /// Alone, or in a zone.
    pub mode: Mode,
    /// Time to live of the lease without renewal (`distributed-sync.lease.ttl`).
    pub lease_time_to_live: Duration,
    /// Pause between two reads of the repository (`services.sync.delay`).
    pub delay: Duration,
    /// Interval at which the primary compares its state with the whole repository.
    pub audit_interval: Duration,
    /// Most APIs and API products that an audit reads one by one. Where more differ, it reads everything.
    pub audit_most_units: usize,
    /// Wait for the repository to tell that something changed, where it can, beside the cadence of reads.
    pub watch: bool,
    /// How far windows reach back beyond the last one, and ahead of now, because clocks differ and commits come
    /// late. APIM uses 30 s on both sides (`sync-semantics.md` section 3).
    pub overlap: Duration,
    /// Interval at which the manifest is polled as a safety net for what a push lost.
    pub poll_interval: Duration,
    /// Interval at which a follower asks whether the lease is free.
    pub watch_interval: Duration,
    /// Interval at which a member refreshes its entry.
    pub heartbeat_interval: Duration,
    /// Interval of whole reads of a store that an APIM gateway writes.
    pub apim_full_interval: Duration,
    /// Most rows in a batch.
    pub batch_rows: usize,
    /// Most bytes in a batch; a single larger row makes a batch of its own.
    pub batch_bytes: usize,
}

impl Settings {
    /// Defaults for a member of a zone.
    pub fn new(node: NodeId, mode: Mode) -> Self {
        Self {
            node,
            host: String::new(),
            version: String::new(),
            technical_api: None,
            mode,
            lease_time_to_live: Duration::from_secs(2),
            delay: Duration::from_secs(5),
            audit_interval: Duration::from_mins(10),
            audit_most_units: 10_000,
            watch: true,
            overlap: Duration::from_secs(30),
            poll_interval: Duration::from_secs(1),
            watch_interval: Duration::from_millis(200),
            heartbeat_interval: Duration::from_secs(1),
            apim_full_interval: Duration::from_mins(1),
            batch_rows: 512,
            batch_bytes: 512 * 1024,
        }
    }

    /// Interval of renewals: a quarter of the time to live, so that three may be lost.
    pub fn renew_interval(&self) -> Duration {
        self.lease_time_to_live / 4
    }
}
