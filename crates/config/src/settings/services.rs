//! `services.*`: technical API, health, metrics and the sync process.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::SecretString;

use crate::diagnostic::Diagnostic;
use crate::reader::Reader;

/// Rows in one page at most, so that a page fits into memory (L2).
const PAGE_LIMIT: u32 = 100_000;

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
    /// `services.sync.repository.watch` (ours), default true: where the repository can tell that something changed (a
    /// MongoDB change stream), the primary reads it at once instead of at the next delta.
    pub watch: bool,
    /// `gamma.enabled`, default false: authorization entities and policies are read from the repository and carried.
    pub authorization: bool,
    /// `services.sync.audit.interval` (ours) with `.unit`, default 10 minutes: how often the primary compares the
    /// whole repository with its state, by ids and times, to find what a delta cannot show (S5). `None` (0): only at
    /// start and at promotion.
    pub audit_interval: Option<Duration>,
    /// `services.sync.refused.keepPrevious` (ours), default true: an API whose new definition is refused goes on in
    /// its earlier version (S3); false: it is undeployed.
    pub keep_previous_when_refused: bool,
}

impl TechnicalApi {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
        let enabled = reader.boolean("services.core.http.enabled", true);
        reader.refuse_true("services.core.http.secured");
        Self {
            enabled,
            host: reader.host("services.core.http.host", "localhost"),
            port: reader.listening_port("services.core.http.port", 18082),
            authentication: Authentication::read(reader, enabled),
            configuration_clear_text: reader
                .boolean("services.core.endpoints.configuration.clearText", false),
        }
    }
}

impl Authentication {
    fn read(reader: &mut Reader<'_>, enabled: bool) -> Self {
        const TYPE: &str = "services.core.http.authentication.type";
        const USERS: &str = "services.core.http.authentication.users.";
        let basic = reader.choice(TYPE, "basic", &[("none", false), ("basic", true)]).unwrap_or(true);
        if !basic {
            return Self::None;
        }
        let mut users = BTreeMap::new();
        for name in reader.names_below(USERS) {
            if let Some(password) = reader.secret(&format!("{USERS}{name}")) {
                users.insert(name, password);
            }
        }
        if users.is_empty() && enabled {
            reader.about(
                TYPE,
                Diagnostic::warning("no users are configured, so nobody can call the technical API")
                    .hint("add `services.core.http.authentication.users.<name>: <password>`"),
            );
        }
        Self::Basic { users }
    }
}

impl Health {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
        let mut percent = |key: &str| u8::try_from(reader.number(key, 80, 0, 100)).unwrap_or(80);
        let cpu_threshold = percent("services.health.threshold.cpu");
        let memory_threshold = percent("services.health.threshold.memory");
        Self {
            enabled: reader.boolean("services.health.enabled", true),
            delay: reader.duration("services.health.delay", "services.health.unit", 5000, 1),
            cpu_threshold,
            memory_threshold,
        }
    }
}

impl Metrics {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            enabled: reader.boolean("services.metrics.enabled", false),
            prometheus: reader.boolean("services.metrics.prometheus.enabled", true),
        }
    }
}

impl Sync {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
        for key in [
            "services.sync.kubernetes.enabled",
            "services.sync.local.enabled",
            "services.bridge.http.enabled",
            "tcp.enabled",
            "kafka.enabled",
        ] {
            reader.refuse_true(key);
        }
        let audit = reader.duration("services.sync.audit.interval", "services.sync.audit.unit", 600_000, 0);
        Self {
            enabled: reader.boolean("services.sync.enabled", true),
            delay: reader.duration("services.sync.delay", "services.sync.unit", 5000, 1),
            retry: reader.number("services.sync.retry", 3, 0, 1000),
            bulk_items: reader.number("services.sync.bulk_items", 100, 1, PAGE_LIMIT),
            subscription_bulk_items: reader.number(
                "services.sync.subscription.bulk_items",
                2000,
                1,
                PAGE_LIMIT,
            ),
            api_key_bulk_items: reader.number("services.sync.apikey.bulk_items", 1000, 1, PAGE_LIMIT),
            api_key_subscriptions_chunk_size: reader.number(
                "services.sync.apikey.subscriptions_chunk_size",
                900,
                1,
                30_000,
            ),
            repository: reader.boolean("services.sync.repository.enabled", true),
            watch: reader.boolean("services.sync.repository.watch", true),
            authorization: reader.boolean("gamma.enabled", false),
            audit_interval: (!audit.is_zero()).then_some(audit),
            keep_previous_when_refused: reader.boolean("services.sync.refused.keepPrevious", true),
        }
    }
}
