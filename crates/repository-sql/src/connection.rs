//! Connections to the database: made when needed, with a limit on everything that waits for the other side.
//!
//! Not sqlx' pool: it hides a refused connection behind its own time-out, and keeps a connection whose server has
//! gone silent. Here a connection that failed, timed out or whose read was dropped is closed; only one that ended
//! a read in good order is kept for the next (which also rolls back whatever was open).

use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, MySqlConnection, PgConnection, SqliteConnection};
use tokio::time::{Instant, timeout};
use zonegate_sync::port::RepositoryError;

use crate::failure::{classify, unreachable};
use crate::mysql;
use crate::settings::{Database, SqlSettings, Timeouts};
use crate::value::{Argument, Columns};

/// Makes connections, and keeps those that can be used again.
pub(crate) struct Connections {
    database: Arc<Database>,
    options: Options,
    timeouts: Timeouts,
    keep: usize,
    idle: Mutex<Vec<Idle>>,
}

enum Options {
    Postgres(Box<PgConnectOptions>),
    Mysql(Box<MySqlConnectOptions>),
    Sqlite(Box<SqliteConnectOptions>),
}

struct Idle {
    link: Link,
    made: Instant,
    left: Instant,
}

enum Link {
    Postgres(PgConnection),
    Mysql(MySqlConnection),
    Sqlite(SqliteConnection, Option<FileIdentity>),
}

/// Device and number of a file. A SQLite connection goes on reading the file that it opened when another one is put in
/// its place (a restored backup), or when it is moved away; what has been removed since would stay (S5).
type FileIdentity = (u64, u64);

async fn identity(database: &Database) -> Option<FileIdentity> {
    let Database::Sqlite { path } = database else { return None };
    let found = tokio::fs::metadata(path).await.ok()?;
    Some((found.dev(), found.ino()))
}

impl Connections {
    pub(crate) fn new(settings: &SqlSettings) -> Self {
        let options = match &settings.database {
            Database::Postgresql { host, port, database, .. } => {
                let mut options = PgConnectOptions::new_without_pgpass()
                    .host(host)
                    .port(*port)
                    .database(database)
                    .ssl_mode(PgSslMode::Disable)
                    .application_name("zonegate")
                    .disable_statement_logging();
                if let Some(username) = &settings.username {
                    options = options.username(username);
                }
                if let Some(password) = &settings.password {
                    options = options.password(password.expose_secret());
                }
                Options::Postgres(Box::new(options))
            }
            Database::Mysql { host, port, database, .. } => {
                Options::Mysql(Box::new(mysql::options(host, *port, database, settings)))
            }
            Database::Sqlite { path } => Options::Sqlite(Box::new(
                SqliteConnectOptions::new()
                    .filename(path)
                    .read_only(true)
                    .busy_timeout(settings.timeouts.connect)
                    .disable_statement_logging(),
            )),
        };
        Self {
            database: Arc::new(settings.database.clone()),
            options,
            timeouts: settings.timeouts,
            keep: settings.pool_size,
            idle: Mutex::new(Vec::new()),
        }
    }

    pub(crate) fn database(&self) -> &Arc<Database> {
        &self.database
    }

    /// A connection: one that was used before if it still answers, else a new one.
    pub(crate) async fn open(&self) -> Result<Session, RepositoryError> {
        while let Some(idle) = self.take() {
            let now = Instant::now();
            if now - idle.left > self.timeouts.idle || now - idle.made > self.timeouts.lifetime {
                continue;
            }
            let mut session = self.session(idle.link, idle.made);
            if matches!(timeout(self.timeouts.connect, session.ping()).await, Ok(true)) {
                return Ok(session);
            }
        }
        let link = async {
            match &self.options {
                Options::Postgres(options) => options.connect().await.map(Link::Postgres),
                Options::Mysql(options) => {
                    mysql::connect(options, self.timeouts.statement).await.map(Link::Mysql)
                }
                Options::Sqlite(options) => {
                    // Looked at first: if it is replaced in between, the connection is given up too early, not too late.
                    let file = identity(&self.database).await;
                    options.connect().await.map(|link| Link::Sqlite(link, file))
                }
            }
        };
        match timeout(self.timeouts.connect, link).await {
            Ok(Ok(link)) => Ok(self.session(link, Instant::now())),
            Ok(Err(error)) => Err(classify(&self.database, "connecting", &error)),
            Err(_) => {
                Err(unreachable(&self.database, &format!("no connection within {:?}", self.timeouts.connect)))
            }
        }
    }

    /// Takes a connection back that was used in good order.
    pub(crate) fn keep(&self, session: Session) {
        let idle = Idle { link: session.link, made: session.made, left: Instant::now() };
        let mut kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < self.keep {
            kept.push(idle);
        }
    }

    fn take(&self) -> Option<Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn session(&self, link: Link, made: Instant) -> Session {
        Session { link, made, statement: self.timeouts.statement, database: Arc::clone(&self.database) }
    }
}

/// A connection in use. Dropping it closes it.
pub(crate) struct Session {
    link: Link,
    made: Instant,
    statement: Duration,
    database: Arc<Database>,
}

impl Session {
    /// Runs a statement and maps its rows. `doing` is for the error: what was being read.
    pub(crate) async fn fetch<T: Send>(
        &mut self,
        doing: &str,
        sql: &Arc<str>,
        arguments: Vec<Argument>,
        map: impl Fn(&dyn Columns) -> Result<T, sqlx::Error> + Send,
    ) -> Result<Vec<T>, RepositoryError> {
        let limit = self.statement;
        let rows = async {
            // Statements are made of constants and checked names; values are bound.
            let sql = AssertSqlSafe(Arc::clone(sql));
            match &mut self.link {
                Link::Mysql(link) => {
                    let rows = mysql::fill(&sql.0, &arguments).query().fetch_all(link).await?;
                    rows.iter().map(|row| map(row)).collect::<Result<Vec<_>, _>>()
                }
                Link::Postgres(link) => {
                    let query = arguments.into_iter().fold(sqlx::query(sql), |query, value| match value {
                        Argument::Text(text) => query.bind(text),
                        Argument::Texts(texts) => query.bind(texts),
                        Argument::Time(time) => query.bind(time.local),
                        Argument::Number(number) => query.bind(number),
                    });
                    let rows = query.fetch_all(link).await?;
                    rows.iter().map(|row| map(row)).collect::<Result<Vec<_>, _>>()
                }
                Link::Sqlite(link, _) => {
                    let query = arguments.into_iter().fold(sqlx::query(sql), |query, value| match value {
                        Argument::Text(text) => query.bind(text),
                        Argument::Texts(texts) => query.bind(serde_json::Value::from(texts).to_string()),
                        Argument::Time(time) => query.bind(time.as_text()),
                        Argument::Number(number) => query.bind(number),
                    });
                    let rows = query.fetch_all(link).await?;
                    rows.iter().map(|row| map(row)).collect::<Result<Vec<_>, _>>()
                }
            }
        };
        match timeout(limit, rows).await {
            Ok(Ok(rows)) => Ok(rows),
            Ok(Err(error)) => Err(classify(&self.database, doing, &error)),
            Err(_) => Err(unreachable(&self.database, &format!("{doing}: no answer within {limit:?}"))),
        }
    }

    /// Starts a snapshot: what is read until [`Self::end_snapshot`] is of one moment.
    pub(crate) async fn snapshot(&mut self) -> Result<(), RepositoryError> {
        let begin = match &self.link {
            Link::Postgres(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Link::Mysql(_) => mysql::SNAPSHOT,
            Link::Sqlite(..) => "BEGIN",
        };
        self.run(begin).await
    }

    /// Ends a snapshot.
    pub(crate) async fn end_snapshot(&mut self) -> Result<(), RepositoryError> {
        self.run("COMMIT").await
    }

    async fn run(&mut self, sql: &'static str) -> Result<(), RepositoryError> {
        let limit = self.statement;
        let done = async {
            match &mut self.link {
                Link::Postgres(link) => sqlx::raw_sql(sql).execute(link).await.map(|_| ()),
                Link::Mysql(link) => sqlx::raw_sql(sql).execute(link).await.map(|_| ()),
                Link::Sqlite(link, _) => sqlx::raw_sql(sql).execute(link).await.map(|_| ()),
            }
        };
        match timeout(limit, done).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(classify(&self.database, "taking a snapshot", &error)),
            Err(_) => {
                Err(unreachable(&self.database, &format!("taking a snapshot: no answer within {limit:?}")))
            }
        }
    }

    async fn ping(&mut self) -> bool {
        match &mut self.link {
            Link::Postgres(link) => link.ping().await.is_ok(),
            Link::Mysql(link) => link.ping().await.is_ok(),
            Link::Sqlite(link, file) => identity(&self.database).await == *file && link.ping().await.is_ok(),
        }
    }
}
