//! `management.*` (or `repositories.management.*`): the management repository.

mod mongodb;
mod url;

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use crate::diagnostic::Diagnostic;
use crate::reader::Reader;

pub use mongodb::{Mongo, MongoParts, MongoPlace, ReadPreference};

/// The management repository that the primary reads.
#[derive(Clone, Debug)]
pub enum Management {
    /// `management.type: mongodb`, the default.
    Mongo(Box<Mongo>),
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
    /// `management.jdbc.timezone` (ours): the zone whose local time the management API wrote into its zone-less columns.
    /// `UTC`, an offset (`+02:00`) or a name (`Europe/Paris`). `None`: what the URL says of it, else UTC.
    pub time_zone: Option<String>,
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
        /// Query parameters other than user, password, schema and secrets, as they stand in the URL. For the adapter to judge.
        parameters: Vec<(String, String)>,
    },
    /// `jdbc:mysql://host:port/database?parameters`, or the same with `mariadb`.
    Mysql {
        /// Default `localhost`.
        host: String,
        /// Default 3306.
        port: u16,
        /// Never empty.
        database: String,
        /// Query parameters other than user, password and secrets, as they stand in the URL. For the adapter to judge.
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

impl Management {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        const TYPE: &str = "management.type";
        let choices = [("mongodb", "mongodb"), ("jdbc", "jdbc"), ("http", "http")];
        match reader.choice(TYPE, "mongodb", &choices)? {
            "mongodb" => Mongo::read(reader).map(|mongo| Self::Mongo(Box::new(mongo))),
            "jdbc" => Jdbc::read(reader).map(Self::Jdbc),
            kind => {
                reader.about(
                    TYPE,
                    Diagnostic::error(format!(
                        "a management repository behind a bridge (`{kind}`) is not supported; this gateway reads the \
                         database itself, from one gateway per zone"
                    ))
                    .hint(
                        "set `management.type: mongodb` or `jdbc` with the database's own address, or, for a gateway \
                         that only reads its zone's store, `services.sync.repository.enabled: false`",
                    ),
                );
                None
            }
        }
    }
}

impl Jdbc {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let username = reader.optional_text("management.jdbc.username");
        let password = reader.secret("management.jdbc.password");
        let schema = reader.optional_text("management.jdbc.schema");
        let table_prefix = reader.parse(
            "management.jdbc.prefix",
            String::new(),
            "letters, digits and underscores",
            |text, _| is_identifier(text).then(|| text.to_owned()),
        );
        let time_zone = reader.parse(
            "management.jdbc.timezone",
            "UTC".to_owned(),
            "`UTC`, an offset (`+02:00`) or the name of a time zone (`Europe/Paris`)",
            |text, _| is_time_zone(text).then(|| text.to_owned()),
        );
        let time_zone = reader.optional_text("management.jdbc.timezone").map(|_| time_zone);
        let pool = JdbcPool::read(reader);
        let parts = url::read(reader)?;
        Some(Self {
            url: parts.url,
            // The driver prefers what is given beside the URL.
            username: username.or(parts.username),
            password: password.or(parts.password),
            schema: schema.or(parts.schema),
            table_prefix,
            time_zone,
            pool,
        })
    }
}

impl JdbcPool {
    fn read(reader: &mut Reader<'_>) -> Self {
        let max_size = reader.number("management.jdbc.pool.maxPoolSize", 10, 1, 1000);
        let min_idle = reader.number("management.jdbc.pool.minIdle", 10, 0, 1000);
        Self {
            max_size,
            min_idle: min_idle.min(max_size),
            connection_timeout: reader.milliseconds("management.jdbc.pool.connectionTimeout", 10_000, 1),
            idle_timeout: reader.milliseconds_or_none("management.jdbc.pool.idleTimeout", 600_000),
            max_lifetime: reader.milliseconds_or_none("management.jdbc.pool.maxLifetime", 1_800_000),
        }
    }
}

fn is_identifier(text: &str) -> bool {
    text.len() <= 63
        && text.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
        && !text.starts_with(|character: char| character.is_ascii_digit())
}

/// Form only: whether the zone exists is the database's to say.
fn is_time_zone(text: &str) -> bool {
    let name = text.starts_with(|character: char| character.is_ascii_alphabetic())
        && text.len() <= 64
        && text
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || matches!(character, '/' | '_' | '+' | '-'));
    let offset = text.strip_prefix(['+', '-']).is_some_and(|text| {
        let (hours, minutes) = text.split_once(':').unwrap_or((text, "00"));
        let below = |text: &str, limit: u8| {
            text.len() == 2
                && text.bytes().all(|byte| byte.is_ascii_digit())
                && text.parse::<u8>().is_ok_and(|value| value < limit)
        };
        below(hours, 19) && below(minutes, 60)
    });
    name || offset
}
