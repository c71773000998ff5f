//! Finds the configuration file and turns its settings into those of each part.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::HeaderName;
use secrecy::{ExposeSecret, SecretString};
use zonegate_config::{
    Authentication, DistributedSync, Layout as StoreLayout, LoadError, Loaded, Management, MongoPlace,
    RedisEndpoint, Role, Settings,
};
use zonegate_definition::NodeContext;
use zonegate_model::NodeId;
use zonegate_payload::ShardingTags;
use zonegate_proxy::{GatewaySettings, ListenerSettings};
use zonegate_store_redis::{Layout, RedisSettings};
use zonegate_sync::Mode;
use zonegate_technical_api::{Access, Thresholds};

/// Longer than any process runs, and far from the end of the clock.
pub(crate) const NEVER: Duration = Duration::from_hours(24 * 365 * 100);

/// Where the configuration is looked for.
#[derive(Debug)]
pub(crate) struct Location {
    /// The file.
    pub(crate) file: PathBuf,
    /// `${gravitee.home}`.
    pub(crate) home: Option<PathBuf>,
}

/// The file named on the command line, else `config/gravitee.yml` in the home folder. The home folder is the one named,
/// else `GRAVITEE_HOME`, else the folder above the file's `config` folder, else the working directory.
pub(crate) fn locate(config: Option<&Path>, home: Option<&Path>) -> Location {
    let from_environment = || {
        let mut variables = zonegate_config::process_environment();
        variables.find(|(name, _)| name == "GRAVITEE_HOME").map(|(_, value)| PathBuf::from(value))
    };
    let home = home.map(Path::to_path_buf).or_else(from_environment);
    let Some(file) = config else {
        let base = home.clone().unwrap_or_else(|| PathBuf::from("."));
        return Location { file: base.join("config").join("gravitee.yml"), home: Some(base) };
    };
    let beside = || {
        let folder = file.parent()?;
        (folder.file_name()? == "config").then(|| folder.parent().map(Path::to_path_buf))?
    };
    Location { file: file.to_path_buf(), home: home.or_else(beside) }
}

/// Reads the file and the environment of this process.
pub(crate) fn load(location: &Location) -> Result<Loaded, LoadError> {
    zonegate_config::load(&location.file, zonegate_config::process_environment(), location.home.as_deref())
}

/// A setting that is valid, but that this version cannot honour.
#[derive(Debug, thiserror::Error)]
#[error("`{key}`: {problem}")]
pub(crate) struct Unsupported {
    key: &'static str,
    problem: String,
}

impl Unsupported {
    pub(crate) fn new(key: &'static str, problem: impl Into<String>) -> Self {
        Self { key, problem: problem.into() }
    }
}

/// Every secret among the settings, for the log to mask (L3).
pub(crate) fn secrets(settings: &Settings) -> Vec<SecretString> {
    let mut secrets = vec![settings.api.properties_encryption_secret.clone()];
    if let Authentication::Basic { users } = &settings.technical_api.authentication {
        secrets.extend(users.values().cloned());
    }
    if let Some(sync) = &settings.distributed_sync {
        secrets.extend(sync.store.password.clone());
        if let RedisEndpoint::Sentinel { password, .. } = &sync.store.endpoint {
            secrets.extend(password.clone());
        }
    }
    match &settings.management {
        Some(Management::Jdbc(jdbc)) => secrets.extend(jdbc.password.clone()),
        Some(Management::Mongo(mongo)) => match &mongo.place {
            MongoPlace::Uri(uri) => {
                secrets.extend(password_in(uri));
                secrets.push(uri.clone());
            }
            MongoPlace::Parts(parts) => secrets.extend(parts.password.clone()),
        },
        None => {}
    }
    secrets
}

/// The password in `mongodb://user:password@…`, as it stands there.
fn password_in(uri: &SecretString) -> Option<SecretString> {
    let (_, rest) = uri.expose_secret().split_once("://")?;
    let (credentials, _) = rest.split_once('@')?;
    let (_, password) = credentials.split_once(':')?;
    (!password.is_empty()).then(|| SecretString::from(password))
}

/// The name of this machine.
pub(crate) fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}

/// This gateway's sharding tags.
pub(crate) fn tags(settings: &Settings) -> ShardingTags {
    ShardingTags::new(settings.tags.iter().map(String::as_str))
}

/// What the generation has to know.
pub(crate) fn generation_settings(settings: &Settings) -> zonegate_generation::Settings {
    zonegate_generation::Settings {
        node: NodeContext { tags: tags(settings), tenant: settings.tenant.clone() },
        keep_previous: settings.sync.keep_previous_when_refused,
    }
}

/// What holds for every request.
pub(crate) fn gateway_settings(settings: &Settings) -> Result<GatewaySettings, Unsupported> {
    fn header(key: &'static str, name: &str) -> Result<HeaderName, Unsupported> {
        name.parse().map_err(|_| Unsupported::new(key, format!("`{name}` is not a header name")))
    }
    let defaults = GatewaySettings::default();
    let headers = &settings.request_headers;
    let content_type = &settings.http.not_found.content_type;
    Ok(GatewaySettings {
        request_timeout: settings.http.request_timeout,
        transaction_header: header("handlers.request.transaction.header", &headers.transaction.header)?,
        request_header: header("handlers.request.request.header", &headers.request.header)?,
        client_identifier_header: header("handlers.request.client.header", &headers.client_identifier)?,
        api_key_header: match &settings.api_key.header {
            Some(name) => header("policy.api-key.header", name)?,
            None => defaults.api_key_header,
        },
        api_key_parameter: settings.api_key.query_parameter.clone().unwrap_or(defaults.api_key_parameter),
        validate_subscription: settings.api.validate_subscription,
        not_found_message: settings.http.not_found.message.clone(),
        not_found_content_type: content_type.parse().map_err(|_| {
            Unsupported::new(
                "http.errors[404].contentType",
                format!("`{content_type}` is not a header value"),
            )
        })?,
        trust_x_forwarded_for: defaults.trust_x_forwarded_for,
    })
}

/// The HTTP servers for traffic. Host names are looked up now.
pub(crate) async fn listeners(settings: &Settings) -> Result<Vec<ListenerSettings>, Unsupported> {
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut listeners = Vec::new();
    for listener in &settings.http.listeners {
        let unknown = |why: String| Unsupported::new("http.host", format!("`{}` {why}", listener.host));
        let mut addresses = tokio::net::lookup_host((listener.host.as_str(), listener.port))
            .await
            .map_err(|error| unknown(format!("cannot be looked up: {error}")))?;
        let address = addresses.next().ok_or_else(|| unknown("has no address".to_owned()))?;
        listeners.push(ListenerSettings {
            id: listener.id.clone(),
            host: address.ip(),
            port: listener.port,
            workers,
            max_header_size: listener.max_header_size,
            max_initial_line_length: listener.max_initial_line_length,
            idle_timeout: listener.idle_timeout,
            ..ListenerSettings::default()
        });
    }
    Ok(listeners)
}

/// What the technical API has to know.
pub(crate) fn technical_api_settings(settings: &Settings) -> zonegate_technical_api::Settings {
    let api = &settings.technical_api;
    zonegate_technical_api::Settings {
        host: api.host.clone(),
        port: api.port,
        access: match &api.authentication {
            Authentication::None => Access::Open,
            Authentication::Basic { users } => Access::Basic(users.clone()),
        },
        clear_text: api.configuration_clear_text,
        thresholds: Thresholds {
            cpu: settings.health.cpu_threshold,
            memory: settings.health.memory_threshold,
        },
        scrapes: 3,
    }
}

/// What the sync core has to know.
pub(crate) fn sync_settings(
    settings: &Settings,
    node: NodeId,
    host: &str,
    version: &str,
) -> zonegate_sync::Settings {
    let mode = match &settings.distributed_sync {
        None => Mode::Lone,
        Some(sync) => Mode::Zone { may_lead: sync.role == Role::Auto && settings.management.is_some() },
    };
    let mut sync = zonegate_sync::Settings::new(node, mode);
    host.clone_into(&mut sync.host);
    version.clone_into(&mut sync.version);
    let api = &settings.technical_api;
    sync.technical_api = api.enabled.then(|| format!("{}:{}", api.host, api.port));
    sync.delay = settings.sync.delay;
    sync.watch = settings.sync.watch;
    sync.audit_interval = settings.sync.audit_interval.unwrap_or(NEVER);
    if let Some(zone) = &settings.distributed_sync {
        sync.lease_time_to_live = zone.lease_ttl;
        sync.watch_interval = sync.watch_interval.min(zone.lease_ttl / 4);
    }
    sync
}

/// How to reach the zone store.
pub(crate) fn redis_settings(sync: &DistributedSync) -> Result<RedisSettings, Unsupported> {
    let endpoint = match &sync.store.endpoint {
        RedisEndpoint::Standalone(endpoint) => endpoint,
        RedisEndpoint::Sentinel { .. } => {
            let problem =
                "Redis Sentinel is not supported yet; use `distributed-sync.redis.host` and `.port`";
            return Err(Unsupported::new("distributed-sync.redis.sentinel", problem));
        }
    };
    Ok(RedisSettings {
        username: sync.store.username.clone(),
        password: sync.store.password.clone(),
        connect_timeout: sync.store.connect_timeout,
        layout: match sync.layout {
            StoreLayout::V4_12 => Layout::V4_12,
            StoreLayout::V4_11 => Layout::V4_11,
        },
        ..RedisSettings::new(endpoint.host.clone(), endpoint.port)
    })
}
