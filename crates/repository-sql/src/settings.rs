//! Where the database is, and how to reach it.

mod jdbc;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use crate::ColumnZone;
use crate::times::Written;

/// Settings of [`crate::SqlDatabase`].
#[derive(Clone, Debug)]
pub struct SqlSettings {
    /// `management.jdbc.url`, read by [`Database::from_jdbc`].
    pub database: Database,
    /// `management.jdbc.username`; `None` for the process' own user name. Not for SQLite.
    pub username: Option<String>,
    /// `management.jdbc.password`.
    pub password: Option<SecretString>,
    /// `management.jdbc.schema`; `None` for the connection's own. Letters, digits, underscores. Means nothing to MySQL,
    /// MariaDB and SQLite.
    pub schema: Option<String>,
    /// `management.jdbc.prefix`: what every table name begins with. Letters, digits, underscores.
    pub prefix: String,
    /// `management.jdbc.pool.maxPoolSize`: how many unused connections are kept. A gateway uses one or two.
    pub pool_size: usize,
    /// `management.jdbc.timezone`: the zone in whose local time the management API wrote. `None`: what the URL says of it
    /// (MySQL and MariaDB), else UTC.
    pub zone: Option<ColumnZone>,
    /// How long things may take.
    pub timeouts: Timeouts,
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
            zone: None,
            timeouts: Timeouts::default(),
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
    /// A MySQL or MariaDB server.
    Mysql {
        /// Host name or address.
        host: String,
        /// Port.
        port: u16,
        /// Database.
        database: String,
        /// Parameters of the URL, in its order, without user and password.
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
            Self::Mysql { host, port, database, .. } => {
                write!(f, "MySQL or MariaDB database `{database}` at {host}:{port}")
            }
            Self::Sqlite { path } => write!(f, "SQLite file {}", path.display()),
        }
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
        "`management.jdbc.url`: `{0}` asks for TLS to the database, which is not supported yet; remove it to connect \
         without encryption, or set `sslmode=disable` (PostgreSQL, MariaDB) or `sslMode=DISABLED` (MySQL)"
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
}

impl SqlSettings {
    /// Whether the settings can be used, and how times were written according to them.
    pub(crate) fn check(&self) -> Result<Written, SettingsError> {
        let name = |key, value: &str| {
            let sound = value.len() <= 63 && value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if sound { Ok(()) } else { Err(SettingsError::Name { key, value: value.to_owned() }) }
        };
        name("management.jdbc.prefix", &self.prefix)?;
        name("management.jdbc.schema", self.schema.as_deref().unwrap_or_default())?;
        self.database.check(self.zone)
    }
}
