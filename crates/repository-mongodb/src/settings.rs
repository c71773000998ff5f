//! Where the MongoDB is and how it is talked to: `management.mongodb.*` (`management-repository.md` section 2.3).
//!
//! TLS is refused by the name of the key that asks for it. What only matters to a writer (`writeConcern`, `journal`,
//! `wtimeout`, `retryWrites`) has no place here, nor have `maxWaitTime`, `maxConnectionLifeTime` and
//! `minHeartbeatFrequency`, which the driver does not know.

mod uri;

use std::fmt;
use std::time::Duration;

use secrecy::SecretString;

pub(crate) use uri::Uri;

/// Settings of [`crate::MongoDatabase`].
#[derive(Clone, Debug)]
pub struct MongoSettings {
    /// How the servers are found, and with what options they are talked to.
    pub place: MongoPlace,
    /// `management.mongodb.dbname`: the database, unless the URI names one.
    pub database: String,
    /// `management.mongodb.prefix`: what every collection's name begins with. Letters, digits, `_`, `.` and `-`.
    pub prefix: String,
    /// `management.mongodb.description`: what the server's log calls this client, unless the URI says.
    pub description: String,
}

impl MongoSettings {
    /// Settings with APIM's defaults for everything but the place.
    pub fn new(place: MongoPlace) -> Self {
        Self {
            place,
            database: "gravitee".to_owned(),
            prefix: String::new(),
            description: "gravitee.io".to_owned(),
        }
    }
}

/// How the servers are found.
#[derive(Clone, Debug)]
pub enum MongoPlace {
    /// `management.mongodb.uri`. With it counts nothing of [`MongoServers`]. It may hold a password.
    Uri(SecretString),
    /// The servers one by one, where there is no URI.
    Servers(Box<MongoServers>),
}

/// Servers and options. `None` stands for the driver's default unless it says otherwise.
#[derive(Clone, Debug)]
pub struct MongoServers {
    /// Hosts and ports: `management.mongodb.servers[].host` and `.port`, else `management.mongodb.host` and `.port`. A
    /// single one is connected to directly, as APIM does, whatever it says of other members; several are the seeds of a
    /// replica set.
    pub hosts: Vec<(String, u16)>,
    /// `management.mongodb.username`.
    pub username: Option<String>,
    /// `management.mongodb.password`.
    pub password: Option<SecretString>,
    /// `management.mongodb.authSource`: the database that knows the user.
    pub auth_source: String,
    /// `management.mongodb.connectTimeout`.
    pub connect_timeout: Duration,
    /// `management.mongodb.socketTimeout`; `None`: without. It is the limit of a whole answer here, which the driver
    /// cannot tell from its first byte, so that less than [`LEAST_ANSWER_TIME`] counts as that.
    pub socket_timeout: Option<Duration>,
    /// `management.mongodb.serverSelectionTimeout`: how long a usable server is looked for.
    pub server_selection_timeout: Duration,
    /// `management.mongodb.heartbeatFrequency`: the time between two looks at each server.
    pub heartbeat_frequency: Option<Duration>,
    /// `management.mongodb.localThreshold`: how much slower than the nearest a server may be to be chosen.
    pub local_threshold: Option<Duration>,
    /// `management.mongodb.maxConnectionIdleTime`: how long an unused connection is kept.
    pub max_idle_time: Option<Duration>,
    /// `management.mongodb.connectionsPerHost`.
    pub max_pool_size: Option<u32>,
    /// `management.mongodb.minConnectionsPerHost`.
    pub min_pool_size: Option<u32>,
    /// `management.mongodb.readPreference`.
    pub read_preference: ReadPreference,
    /// `management.mongodb.readPreferenceTags`: what a member must have. Counts for `secondary`, `secondaryPreferred`
    /// and `nearest`, as in APIM.
    pub read_preference_tags: Vec<(String, String)>,
}

impl MongoServers {
    /// One server, with APIM's defaults.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            hosts: vec![(host.into(), port)],
            username: None,
            password: None,
            auth_source: "gravitee".to_owned(),
            connect_timeout: Duration::from_secs(1),
            socket_timeout: Some(Duration::from_secs(1)),
            server_selection_timeout: Duration::from_secs(1),
            heartbeat_frequency: None,
            local_threshold: None,
            max_idle_time: None,
            max_pool_size: None,
            min_pool_size: None,
            read_preference: ReadPreference::Primary,
            read_preference_tags: Vec::new(),
        }
    }
}

/// Which members of a replica set are read. The lag of a secondary adds to the overlap that windows need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadPreference {
    /// The primary only.
    #[default]
    Primary,
    /// The primary, else a secondary.
    PrimaryPreferred,
    /// Secondaries only.
    Secondary,
    /// A secondary, else the primary.
    SecondaryPreferred,
    /// Whichever answers first.
    Nearest,
}

/// The least time that the server has to answer.
pub const LEAST_ANSWER_TIME: Duration = Duration::from_secs(10);

/// The time that it has where the settings give it any.
const ANSWER_TIME: Duration = Duration::from_mins(1);

/// Settings that cannot be used. No message holds a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Not a URI that the driver understands.
    #[error("`management.mongodb.uri`: {0}")]
    Uri(String),
    /// TLS is asked for.
    #[error(
        "`management.mongodb.uri`: `{0}` asks for TLS to MongoDB, which is not supported yet; say `tls=false` to \
         connect without encryption"
    )]
    Tls(&'static str),
    /// A name that cannot be one.
    #[error("`{key}` is `{value}`: {rule}")]
    Name {
        /// The setting.
        key: &'static str,
        /// What it is set to.
        value: String,
        /// What it has to be.
        rule: &'static str,
    },
    /// No server.
    #[error("`management.mongodb.servers` has no server in it")]
    NoServer,
}

/// What was asked for, checked, and what messages call it.
#[derive(Clone)]
pub(crate) struct Checked {
    /// The servers.
    pub(crate) place: CheckedPlace,
    /// Application name.
    pub(crate) description: String,
    /// Names for messages.
    pub(crate) names: Names,
    /// How long an answer may take.
    pub(crate) answer_time: Duration,
}

/// [`MongoPlace`] with the URI taken apart.
#[derive(Clone)]
pub(crate) enum CheckedPlace {
    Uri(Box<Uri>),
    Servers(Box<MongoServers>),
}

/// What messages call the repository and its collections.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    /// Database.
    pub(crate) database: String,
    /// Prefix of collections.
    pub(crate) prefix: String,
    /// Hosts and ports.
    pub(crate) servers: String,
    /// Whether all is said by a URI.
    pub(crate) by_uri: bool,
}

impl Names {
    /// A collection's full name.
    pub(crate) fn collection(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MongoDB database `{}` at {}", self.database, self.servers)
    }
}

impl MongoSettings {
    /// Whether the settings can be used.
    pub(crate) fn check(self) -> Result<Checked, SettingsError> {
        let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if self.prefix.len() > 63 || !self.prefix.chars().all(sound) {
            let rule = "only letters, digits, underscores, dots and hyphens can be in it";
            return Err(SettingsError::Name { key: "management.mongodb.prefix", value: self.prefix, rule });
        }
        let (place, database, servers, answer_time) = match self.place {
            MongoPlace::Uri(uri) => {
                let uri = Uri::parse(&uri)?;
                let database = uri.database().map_or(self.database, str::to_owned);
                let (servers, time) = (uri.servers(), uri.socket_timeout());
                (CheckedPlace::Uri(Box::new(uri)), database, servers, time)
            }
            MongoPlace::Servers(servers) => {
                if servers.hosts.is_empty() {
                    return Err(SettingsError::NoServer);
                }
                let names = servers.hosts.iter().map(|(host, port)| format!("{host}:{port}"));
                let (names, time) = (names.collect::<Vec<_>>().join(","), servers.socket_timeout);
                (CheckedPlace::Servers(servers), self.database, names, time)
            }
        };
        let forbidden = |c: char| c.is_control() || "/\\. \"$".contains(c);
        if database.is_empty() || database.len() > 63 || database.contains(forbidden) {
            let rule =
                "the name of a database has 1 to 63 bytes, without `/`, `\\`, `.`, `\"`, `$` and spaces";
            return Err(SettingsError::Name { key: "management.mongodb.dbname", value: database, rule });
        }
        let by_uri = matches!(place, CheckedPlace::Uri(_));
        Ok(Checked {
            place,
            description: self.description,
            names: Names { database, prefix: self.prefix, servers, by_uri },
            answer_time: answer_time.map_or(ANSWER_TIME, |time| time.max(LEAST_ANSWER_TIME)),
        })
    }
}

#[cfg(test)]
mod tests;
