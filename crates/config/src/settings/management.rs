//! `management.*` (or `repositories.management.*`): the management repository.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

/// The management repository that the primary reads.
#[derive(Clone, Debug)]
pub enum Management {
    /// `management.type: jdbc`.
    Jdbc(Jdbc),
}

/// A management repository in a SQL database.
#[derive(Clone, Debug)]
pub struct Jdbc {
    /// `management.jdbc.url`.
    pub url: JdbcUrl,
    /// `management.jdbc.username`; or `user` in the URL.
    pub username: Option<String>,
    /// `management.jdbc.password`; or `password` in the URL.
    pub password: Option<SecretString>,
    /// `management.jdbc.schema`. `None`: the connection's own.
    pub schema: Option<String>,
    /// `management.jdbc.prefix`, default empty: what every table name begins with. Letters, digits, underscores.
    pub table_prefix: String,
    /// `management.jdbc.timezone` (ours), default `UTC`: the zone whose local time the management API wrote into its
    /// zone-less columns. `UTC`, an offset (`+02:00`) or a name (`Europe/Paris`).
    pub time_zone: String,
    /// `management.jdbc.pool.*`.
    pub pool: JdbcPool,
}

/// Which database, as its JDBC URL says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JdbcUrl {
    /// `jdbc:postgresql://host:port/database?parameters`.
    Postgresql {
        /// Default `localhost`.
        host: String,
        /// Default 5432.
        port: u16,
        /// Never empty.
        database: String,
        /// Query parameters other than user and password, as they stand in the URL. For the adapter to judge.
        parameters: Vec<(String, String)>,
    },
    /// `jdbc:sqlite:path`.
    Sqlite {
        /// The database file, relative to the working directory unless absolute.
        path: PathBuf,
    },
}

/// The connection pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JdbcPool {
    /// `management.jdbc.pool.maxPoolSize`, default 10.
    pub max_size: u32,
    /// `management.jdbc.pool.minIdle`, default 10; never above `max_size`.
    pub min_idle: u32,
    /// `management.jdbc.pool.connectionTimeout` in ms, default 10000.
    pub connection_timeout: Duration,
    /// `management.jdbc.pool.idleTimeout` in ms, default 600000. `None`: never.
    pub idle_timeout: Option<Duration>,
    /// `management.jdbc.pool.maxLifetime` in ms, default 1800000. `None`: without end.
    pub max_lifetime: Option<Duration>,
}
