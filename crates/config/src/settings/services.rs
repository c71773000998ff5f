//! `services.*`: technical API, health, metrics and the sync process.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::SecretString;

/// The technical API (`/_node/*`).
#[derive(Clone, Debug)]
pub struct TechnicalApi {
    /// `services.core.http.enabled`, default true.
    pub enabled: bool,
    /// `services.core.http.host`, default `localhost`.
    pub host: String,
    /// `services.core.http.port`, default 18082. 0: the system chooses.
    pub port: u16,
    /// `services.core.http.authentication.*`.
    pub authentication: Authentication,
    /// `services.core.endpoints.configuration.clearText` (ours), default false: `/_node/configuration` shows
    /// secrets, as APIM's does.
    pub configuration_clear_text: bool,
}

/// Who may call the technical API.
#[derive(Clone, Debug)]
pub enum Authentication {
    /// `none`: everybody.
    None,
    /// `basic`, the default: HTTP Basic. Without users nobody gets in.
    Basic {
        /// `services.core.http.authentication.users.<name>`: password by name.
        users: BTreeMap<String, SecretString>,
    },
}

/// Health probes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// `services.health.enabled`, default true.
    pub enabled: bool,
    /// `services.health.delay` with `.unit`, default 5 s: how often probes are evaluated.
    pub delay: Duration,
    /// `services.health.threshold.cpu` in percent, default 80.
    pub cpu_threshold: u8,
    /// `services.health.threshold.memory` in percent, default 80.
    pub memory_threshold: u8,
}

/// Metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// `services.metrics.enabled`, default false.
    pub enabled: bool,
    /// `services.metrics.prometheus.enabled`, default true; has an effect only when metrics are enabled.
    pub prometheus: bool,
}

/// The sync process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sync {
    /// `services.sync.enabled`, default true. False: this gateway never learns of an API.
    pub enabled: bool,
    /// `services.sync.delay` with `.unit`, default 5 s: from one delta to the next.
    pub delay: Duration,
    /// `services.sync.retry`, default 3: attempts per step of a cycle.
    pub retry: u32,
    /// `services.sync.bulk_items`, default 100: events per page.
    pub bulk_items: u32,
    /// `services.sync.subscription.bulk_items`, default 2000: subscriptions per page.
    pub subscription_bulk_items: u32,
    /// `services.sync.apikey.bulk_items`, default 1000: keys per page.
    pub api_key_bulk_items: u32,
    /// `services.sync.apikey.subscriptions_chunk_size`, default 900: ids in one `IN (…)`.
    pub api_key_subscriptions_chunk_size: u32,
    /// `services.sync.repository.enabled`, default true.
    pub repository: bool,
    /// `services.sync.audit.interval` (ours) with `.unit`, default 10 minutes: how often the primary reads the whole
    /// repository again, to find what a delta cannot show (S5). `None` (0): only at start and at promotion.
    pub audit_interval: Option<Duration>,
    /// `services.sync.refused.keepPrevious` (ours), default true: an API whose new definition is refused goes on in
    /// its earlier version (S3); false: it is undeployed.
    pub keep_previous_when_refused: bool,
}
