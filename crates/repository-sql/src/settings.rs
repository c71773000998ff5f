//! What the reader is told: where the database is, how to read it, and which part of it is for this gateway.

mod jdbc;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use zonegate_payload::{ShardingTags, WrongSecretLength};

use crate::ColumnZone;

/// Settings of [`crate::SqlRepository`].
#[derive(Clone, Debug)]
pub struct SqlSettings {
    /// `management.jdbc.url`, read by [`Database::from_jdbc`].
    pub database: Database,
    /// `management.jdbc.username`; `None` for the process' own user name. Not for SQLite.
    pub username: Option<String>,
    /// `management.jdbc.password`.
    pub password: Option<SecretString>,
    /// `management.jdbc.schema`; `None` for the connection's own. Letters, digits, underscores.
    pub schema: Option<String>,
    /// `management.jdbc.prefix`: what every table name begins with. Letters, digits, underscores.
    pub prefix: String,
    /// `management.jdbc.pool.maxPoolSize`: how many unused connections are kept. A gateway uses one or two.
    pub pool_size: usize,
    /// The zone of the times in the database.
    pub zone: ColumnZone,
    /// `organizations` and `environments`.
    pub environments: EnvironmentFilter,
    /// `tags`.
    pub tags: ShardingTags,
    /// `services.sync.*`: how much is read at once.
    pub bulk: Bulk,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// `api.properties.encryption.secret`: 16, 24 or 32 bytes.
    pub encryption_secret: SecretString,
}

impl SqlSettings {
    /// Settings with APIM's defaults for everything but the place of the database.
    pub fn new(database: Database) -> Self {
        Self {
            database,
            username: None,
            password: None,
            schema: None,
            prefix: String::new(),
            pool_size: 10,
            zone: ColumnZone::default(),
            environments: EnvironmentFilter::default(),
            tags: ShardingTags::default(),
            bulk: Bulk::default(),
            timeouts: Timeouts::default(),
            encryption_secret: zonegate_payload::PropertyCipher::DEFAULT_SECRET.into(),
        }
    }
}

/// Where the management repository is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// A PostgreSQL server.
    Postgresql {
        /// Host name or address.
        host: String,
        /// Port.
        port: u16,
        /// Database.
        database: String,
        /// Parameters of the URL, in its order. User, password and schema do not count here: they are settings.
        parameters: Vec<(String, String)>,
    },
    /// A SQLite file.
    Sqlite {
        /// The file, which must exist.
        path: PathBuf,
    },
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postgresql { host, port, database, .. } => {
                write!(f, "PostgreSQL database `{database}` at {host}:{port}")
            }
            Self::Sqlite { path } => write!(f, "SQLite file {}", path.display()),
        }
    }
}

/// Which environments are for this gateway. All empty: all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvironmentFilter {
    /// Human-readable ids of organizations (`organizations`).
    pub organizations: Vec<String>,
    /// Environments (`environments`): human-readable ids, or ids.
    pub environments: Vec<String>,
    /// Whether `environments` are ids (`useLegacyEnvironmentHrids: false`).
    pub environments_are_ids: bool,
}

impl EnvironmentFilter {
    /// Whether it lets everything pass.
    pub fn is_empty(&self) -> bool {
        self.organizations.is_empty() && self.environments.is_empty()
    }
}

/// How much is read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bulk {
    /// `services.sync.bulk_items`: events.
    pub events: usize,
    /// `services.sync.subscription.bulk_items`: subscriptions.
    pub subscriptions: usize,
    /// `services.sync.apikey.bulk_items`: keys.
    pub keys: usize,
    /// `services.sync.apikey.subscriptions_chunk_size`: subscriptions whose keys are asked for together.
    pub key_subscriptions: usize,
}

impl Default for Bulk {
    fn default() -> Self {
        Self { events: 100, subscriptions: 2000, keys: 1000, key_subscriptions: 900 }
    }
}

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// `management.jdbc.pool.connectionTimeout`: until a connection is made and authenticated.
    pub connect: Duration,
    /// Until a statement is answered in full.
    pub statement: Duration,
    /// `management.jdbc.pool.idleTimeout`: how long an unused connection is kept.
    pub idle: Duration,
    /// `management.jdbc.pool.maxLifetime`: how long a connection is used at all.
    pub lifetime: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            statement: Duration::from_mins(1),
            idle: Duration::from_mins(10),
            lifetime: Duration::from_mins(30),
        }
    }
}

/// Settings that cannot be used. No message holds a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Not a URL of a known database.
    #[error("`management.jdbc.url`: {0}")]
    Url(String),
    /// TLS is asked for.
    #[error(
        "`management.jdbc.url`: `{0}` asks for TLS to PostgreSQL, which is not supported yet; remove it to connect \
         without encryption, or leave `sslmode` at `prefer`, `allow` or `disable`"
    )]
    Tls(String),
    /// A name that cannot be put into a statement.
    #[error("`{key}` is `{value}`: only letters, digits and underscores can be in it")]
    Name {
        /// The setting.
        key: &'static str,
        /// What it is set to.
        value: String,
    },
    /// A size of nothing.
    #[error("`{0}` is 0: at least one item must be read at once")]
    Zero(&'static str),
    /// The secret of encrypted properties.
    #[error(transparent)]
    Secret(#[from] WrongSecretLength),
}

impl SqlSettings {
    /// Whether the settings can be used.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        let name = |key, value: &str| {
            let sound = value.len() <= 63 && value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if sound { Ok(()) } else { Err(SettingsError::Name { key, value: value.to_owned() }) }
        };
        name("management.jdbc.prefix", &self.prefix)?;
        name("management.jdbc.schema", self.schema.as_deref().unwrap_or_default())?;
        for (key, value) in [
            ("services.sync.bulk_items", self.bulk.events),
            ("services.sync.subscription.bulk_items", self.bulk.subscriptions),
            ("services.sync.apikey.bulk_items", self.bulk.keys),
            ("services.sync.apikey.subscriptions_chunk_size", self.bulk.key_subscriptions),
        ] {
            if value == 0 {
                return Err(SettingsError::Zero(key));
            }
        }
        self.database.check()
    }
}
