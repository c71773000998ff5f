//! `management.mongodb.*`: a management repository in MongoDB (`management-repository.md` section 2.3).

use std::time::Duration;

use secrecy::SecretString;

use crate::diagnostic::Diagnostic;
use crate::reader::Reader;
use crate::settings::HostPort;

/// A management repository in MongoDB.
#[derive(Clone, Debug)]
pub struct Mongo {
    /// Where it is and how to log in.
    pub place: MongoPlace,
    /// `management.mongodb.dbname`, default `gravitee`: the database, unless the URI names one.
    pub database: String,
    /// `management.mongodb.prefix`, default empty: what every collection's name begins with.
    pub prefix: String,
    /// `management.mongodb.description`, default `gravitee.io`: the name that the server's log shows.
    pub description: String,
}

/// How the servers are found.
#[derive(Clone, Debug)]
pub enum MongoPlace {
    /// `management.mongodb.uri`, which wins over every other key but `dbname`, `prefix` and those of TLS. May hold a password.
    Uri(SecretString),
    /// One by one.
    Parts(Box<MongoParts>),
}

/// Servers and options where there is no URI. Times of 0 in the file are `None` where they mean "no limit".
#[derive(Clone, Debug)]
pub struct MongoParts {
    /// `management.mongodb.servers[].host` and `.port`; else `management.mongodb.host`, `.port`; default
    /// `localhost:27017`. Never empty.
    pub servers: Vec<HostPort>,
    /// `management.mongodb.username`.
    pub username: Option<String>,
    /// `management.mongodb.password`.
    pub password: Option<SecretString>,
    /// `management.mongodb.authSource`, default `gravitee`.
    pub auth_source: String,
    /// `management.mongodb.connectTimeout` in ms, default 1000.
    pub connect_timeout: Duration,
    /// `management.mongodb.socketTimeout` in ms, default 1000; 0: no limit.
    pub socket_timeout: Option<Duration>,
    /// `management.mongodb.serverSelectionTimeout` in ms, default 1000.
    pub server_selection_timeout: Duration,
    /// `management.mongodb.heartbeatFrequency` in ms; `None`: the driver's default.
    pub heartbeat_frequency: Option<Duration>,
    /// `management.mongodb.localThreshold` in ms; `None`: the driver's default.
    pub local_threshold: Option<Duration>,
    /// `management.mongodb.maxConnectionIdleTime` in ms; `None`: the driver's default.
    pub max_idle_time: Option<Duration>,
    /// `management.mongodb.connectionsPerHost`; `None`: the driver's default.
    pub max_pool_size: Option<u32>,
    /// `management.mongodb.minConnectionsPerHost`; `None`: the driver's default.
    pub min_pool_size: Option<u32>,
    /// `management.mongodb.readPreference`, default `primary`.
    pub read_preference: ReadPreference,
    /// `management.mongodb.readPreferenceTags`: `key:value` pairs that a member must have.
    pub read_preference_tags: Vec<(String, String)>,
}

/// Which members of a replica set are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadPreference {
    /// The primary only.
    #[default]
    Primary,
    /// The primary, else a secondary.
    PrimaryPreferred,
    /// Secondaries only. Their lag adds to the window's overlap.
    Secondary,
    /// A secondary, else the primary.
    SecondaryPreferred,
    /// Whichever answers first.
    Nearest,
}

const URI: &str = "management.mongodb.uri";
const TAGS: &str = "management.mongodb.readPreferenceTags";
/// Far above any real replica set.
const SERVER_LIMIT: usize = 100;

impl Mongo {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        reader.refuse_true("management.mongodb.sslEnabled");
        reader.refuse_true("management.mongodb.encryption.enabled");
        let database = reader.text("management.mongodb.dbname", "gravitee");
        let prefix = reader.parse(
            "management.mongodb.prefix",
            String::new(),
            "letters, digits, underscores, dots and hyphens",
            |text, _| is_prefix(text).then(|| text.to_owned()),
        );
        let description = reader.text("management.mongodb.description", "gravitee.io");
        let place = match reader.secret(URI) {
            Some(uri) => MongoPlace::Uri(checked(uri, reader)?),
            None => MongoPlace::Parts(Box::new(MongoParts::read(reader))),
        };
        Some(Self { place, database, prefix, description })
    }
}

impl MongoParts {
    fn read(reader: &mut Reader<'_>) -> Self {
        let mut optional = |key: &str| {
            let has = reader.has(key);
            reader.milliseconds_or_none(key, 0).filter(|_| has)
        };
        let heartbeat_frequency = optional("management.mongodb.heartbeatFrequency");
        let local_threshold = optional("management.mongodb.localThreshold");
        let max_idle_time = optional("management.mongodb.maxConnectionIdleTime");
        let mut size = |key: &str| reader.has(key).then(|| reader.number(key, 0, 0, 100_000));
        let max_pool_size = size("management.mongodb.connectionsPerHost");
        let min_pool_size = size("management.mongodb.minConnectionsPerHost");
        let preferences = [
            ("primary", ReadPreference::Primary),
            ("primaryPreferred", ReadPreference::PrimaryPreferred),
            ("secondary", ReadPreference::Secondary),
            ("secondaryPreferred", ReadPreference::SecondaryPreferred),
            ("nearest", ReadPreference::Nearest),
        ];
        Self {
            servers: servers(reader),
            username: reader.optional_text("management.mongodb.username"),
            password: reader.secret("management.mongodb.password"),
            auth_source: reader.text("management.mongodb.authSource", "gravitee"),
            connect_timeout: reader.milliseconds("management.mongodb.connectTimeout", 1000, 1),
            socket_timeout: reader.milliseconds_or_none("management.mongodb.socketTimeout", 1000),
            server_selection_timeout: reader.milliseconds(
                "management.mongodb.serverSelectionTimeout",
                1000,
                1,
            ),
            heartbeat_frequency,
            local_threshold,
            max_idle_time,
            max_pool_size,
            min_pool_size,
            read_preference: reader
                .choice("management.mongodb.readPreference", "primary", &preferences)
                .unwrap_or_default(),
            read_preference_tags: tags(reader),
        }
    }
}

fn servers(reader: &mut Reader<'_>) -> Vec<HostPort> {
    let mut servers = Vec::new();
    for index in 0..SERVER_LIMIT {
        let key = |name: &str| format!("management.mongodb.servers[{index}].{name}");
        if !reader.has(&key("host")) {
            break;
        }
        let (host, port) = (reader.host(&key("host"), "localhost"), reader.port(&key("port"), 27017));
        servers.push(HostPort { host, port });
    }
    if servers.is_empty() {
        let host = reader.host("management.mongodb.host", "localhost");
        servers.push(HostPort { host, port: reader.port("management.mongodb.port", 27017) });
    }
    servers
}

fn tags(reader: &mut Reader<'_>) -> Vec<(String, String)> {
    let mut tags = Vec::new();
    for entry in reader.comma_separated(TAGS) {
        if let Some((key, value)) = entry.split_once(':') {
            tags.push((key.trim().to_owned(), value.trim().to_owned()));
        } else {
            reader.about(
                TAGS,
                Diagnostic::error("has an entry that is not `key:value`").hint("write `dc:east,usage:read`"),
            );
        }
    }
    tags
}

/// The form of a URI, as far as it decides whether this gateway can do what it asks for. The driver reads the rest.
fn checked(uri: SecretString, reader: &mut Reader<'_>) -> Option<SecretString> {
    use secrecy::ExposeSecret as _;
    match problem(uri.expose_secret()) {
        None => Some(uri),
        Some((message, hint)) => {
            reader.about(URI, Diagnostic::error(message).hint(hint));
            None
        }
    }
}

fn problem(uri: &str) -> Option<(&'static str, &'static str)> {
    let (by_service_record, rest) = match (uri.strip_prefix("mongodb://"), uri.strip_prefix("mongodb+srv://"))
    {
        (Some(rest), _) => (false, rest),
        (None, Some(rest)) => (true, rest),
        (None, None) => {
            return Some((
                "is not a MongoDB URI",
                "write `mongodb://user:password@host:27017/gravitee?authSource=admin`",
            ));
        }
    };
    let options = rest.split_once('?').map_or("", |(_, options)| options);
    let tls = options
        .split('&')
        .filter_map(|option| option.split_once('='))
        .filter(|(name, _)| name.eq_ignore_ascii_case("tls") || name.eq_ignore_ascii_case("ssl"))
        .map(|(_, value)| value.eq_ignore_ascii_case("true"))
        .next_back()
        .unwrap_or(by_service_record);
    tls.then_some((
        "asks for TLS, which is not supported yet",
        "set `tls=false` in the URI (`mongodb+srv://` means TLS unless it is there)",
    ))
}

fn is_prefix(text: &str) -> bool {
    text.len() <= 63
        && text
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c1_a_uri_that_asks_for_tls_or_is_none_is_an_error() {
        for fine in [
            "mongodb://db/gravitee",
            "mongodb://u:p%40@a:1,b:2/gravitee?replicaSet=rs&tls=false",
            "mongodb+srv://cluster.example/gravitee?ssl=false",
        ] {
            assert_eq!(problem(fine), None, "{fine}");
        }
        for wrong in [
            "db:27017",
            "jdbc:mongodb://db",
            "mongodb://db/?tls=true",
            "mongodb://db/?SSL=True",
            "mongodb+srv://cluster.example/gravitee",
        ] {
            assert!(problem(wrong).is_some(), "{wrong}");
        }
    }
}
