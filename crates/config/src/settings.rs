//! The settings of a gateway, typed: what the other crates are wired with.
//!
//! One struct per section of `gravitee.yml`, each field naming its key. A value of these types is complete and valid;
//! nothing in here is parsed again later. Secrets are `SecretString`s, so that no `Debug` output shows them (L3).
//! Zero durations that mean "never" in `gravitee.yml` are `None` here.

mod api;
mod distributed_sync;
mod http;
mod management;
mod services;

pub use api::{ApiKeySettings, ApiSettings};
pub use distributed_sync::{
    DistributedSync, HostPort, Layout, RedisEndpoint, RedisStore, Role, Zone, ZoneSource,
};
pub use http::{ErrorAnswer, HttpListener, HttpSettings, OverrideMode, RequestHeaders, TracedHeader};
pub use management::{Jdbc, JdbcPool, JdbcUrl, Management, Mongo, MongoParts, MongoPlace, ReadPreference};
pub use services::{Authentication, Health, Metrics, Sync, TechnicalApi};

use std::time::Duration;

use crate::diagnostic::Diagnostic;
use crate::reader::Reader;

/// Everything that this gateway is told by `gravitee.yml` and the environment.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `http.*`, `servers[].*`: where traffic comes in.
    pub http: HttpSettings,
    /// `handlers.request.*`: names of the headers that this gateway adds.
    pub request_headers: RequestHeaders,
    /// `api.*`: how APIs are served.
    pub api: ApiSettings,
    /// `policy.api-key.*`.
    pub api_key: ApiKeySettings,
    /// `services.core.*`: the technical API.
    pub technical_api: TechnicalApi,
    /// `services.health.*`.
    pub health: Health,
    /// `services.metrics.*`.
    pub metrics: Metrics,
    /// `services.sync.*`.
    pub sync: Sync,
    /// `management.*`: the management repository; `None` when `services.sync.enabled` or
    /// `services.sync.repository.enabled` is false.
    pub management: Option<Management>,
    /// `distributed-sync.*`: the zone; `None` for a lone gateway (`services.sync.distributed.enabled: false`, the
    /// default).
    pub distributed_sync: Option<DistributedSync>,
    /// `organizations`: hrids, comma-separated in the file. Empty: all.
    pub organizations: Vec<String>,
    /// `environments`: hrids (ids when [`Settings::legacy_environment_hrids`] is false). Empty: all.
    pub environments: Vec<String>,
    /// `useLegacyEnvironmentHrids`, default true: `environments` holds hrids, not ids.
    pub legacy_environment_hrids: bool,
    /// `tags`: sharding tags, in the order of the file; `!x` excludes. Empty: no filter.
    pub tags: Vec<String>,
    /// `tenant`: filters endpoints of APIs.
    pub tenant: Option<String>,
    /// `zone`: a label for metrics and templates, and the last fall-back for the name of the zone.
    pub zone_label: Option<String>,
    /// `gracefulShutdown.delay` with `.unit`, default 0: how long to wait after the signal before listeners stop.
    pub graceful_shutdown_delay: Duration,
}

impl Settings {
    /// Reads everything; errors are with the reader afterwards, and the settings are of no use if there are any.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
        let sync = Sync::read(reader);
        let in_a_zone = reader.boolean("services.sync.distributed.enabled", false);
        let distributed_sync = (sync.enabled && in_a_zone).then(|| DistributedSync::read(reader)).flatten();
        let management = (sync.enabled && sync.repository).then(|| Management::read(reader)).flatten();
        if sync.enabled && !sync.repository && !in_a_zone {
            reader.about(
                "services.sync.repository.enabled",
                Diagnostic::warning(
                    "with neither the repository nor distributed sync this gateway serves no API",
                )
                .hint("enable `services.sync.distributed.enabled`, or leave the repository on"),
            );
        }
        if !sync.repository && distributed_sync.as_ref().is_some_and(|zone| zone.role == Role::Auto) {
            reader.about(
                "services.sync.repository.enabled",
                Diagnostic::warning("without the repository this gateway cannot be of use as primary")
                    .hint("set `distributed-sync.role: secondary`"),
            );
        }
        Self {
            http: HttpSettings::read(reader),
            request_headers: RequestHeaders::read(reader),
            api: ApiSettings::read(reader),
            api_key: ApiKeySettings::read(reader),
            technical_api: TechnicalApi::read(reader),
            health: Health::read(reader),
            metrics: Metrics::read(reader),
            sync,
            management,
            distributed_sync,
            organizations: reader.comma_separated("organizations"),
            environments: reader.comma_separated("environments"),
            legacy_environment_hrids: reader.boolean("useLegacyEnvironmentHrids", true),
            tags: reader.comma_separated("tags"),
            tenant: reader.optional_text("tenant"),
            zone_label: reader.optional_text("zone"),
            graceful_shutdown_delay: reader.duration("gracefulShutdown.delay", "gracefulShutdown.unit", 0, 0),
        }
    }
}
