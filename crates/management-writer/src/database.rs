//! One way to talk to all databases: statements with `$1` placeholders, a small set of values, rows in bulk.

use std::str::FromStr;
use std::time::Duration;

use crate::documents::Documents;
use chrono::{DateTime, FixedOffset, NaiveDateTime, Offset, Utc};
use sqlx::mysql::{MySqlArguments, MySqlConnectOptions, MySqlPoolOptions, MySqlSslMode};
use sqlx::postgres::{PgArguments, PgPoolCopyExt, PgPoolOptions};
use sqlx::query::Query;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, Executor, MySql, MySqlPool, PgPool, Postgres, Row, Sqlite, SqlitePool};

/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Placeholders in one statement on MariaDB, which allows 65,535.
const MYSQL_PLACEHOLDERS: usize = 5_000;
/// Placeholders in one statement on SQLite. It allows 32,766, but looks each one up by walking all of them.
const SQLITE_PLACEHOLDERS: usize = 500;

/// Why something could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// None of the databases.
    #[error(
        "`{0}` is not `postgresql://…`, `mysql://…`, `mariadb://…`, `sqlite:…` or `mongodb://…`: those are the databases \
         that this writer knows"
    )]
    Url(String),
    /// A prefix that is no part of a name.
    #[error("`{0}` cannot be a prefix of table names: letters, digits and underscores only")]
    Prefix(String),
    /// The database refused, or could not be reached.
    #[error("the management repository: {0}")]
    Database(#[from] sqlx::Error),
    /// MongoDB refused, or could not be reached.
    #[error("the management repository: {0}")]
    Mongo(#[from] mongodb::error::Error),
    /// SQL for MongoDB.
    #[error("the management repository is in MongoDB, which knows no SQL")]
    NotSql,
    /// What an operation is about is not there.
    #[error("there is no {0}")]
    Missing(String),
}

/// A value to write.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Text.
    Text(Option<String>),
    /// Yes or no.
    Flag(bool),
    /// A number.
    Number(i64),
    /// Epoch milliseconds.
    Time(Option<i64>),
}

impl Value {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(Some(text.into()))
    }
}

/// The connections, and the zone in which zone-less times are written.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    pool: Pool,
    pub(crate) zone: FixedOffset,
}

#[derive(Clone, Debug)]
enum Pool {
    Postgres(PgPool),
    Mysql(MySqlPool),
    Sqlite(SqlitePool),
    Mongo(Documents),
}

/// Which database it is, where that makes a difference to a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// PostgreSQL.
    Postgres,
    /// MariaDB or MySQL.
    Mysql,
    /// SQLite.
    Sqlite,
    /// MongoDB, which takes none.
    Mongo,
}

impl Database {
    pub(crate) async fn connect(url: &str) -> Result<Self, WriteError> {
        let url = url.strip_prefix("jdbc:").unwrap_or(url);
        let pool = if url.starts_with("postgres") {
            let options = PgPoolOptions::new().max_connections(4).acquire_timeout(CONNECT_TIMEOUT);
            Pool::Postgres(options.connect(url).await?)
        } else if url.starts_with("mysql:") || url.starts_with("mariadb:") {
            Pool::Mysql(connect_mysql(url).await?)
        } else if url.starts_with("sqlite:") {
            let file = SqliteConnectOptions::from_str(url)?
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                // A power cut may lose the last changes, which is nothing to the tests and demos that this is for.
                .synchronous(SqliteSynchronous::Normal)
                .busy_timeout(CONNECT_TIMEOUT);
            // One connection: SQLite has one writer anyway.
            Pool::Sqlite(SqlitePoolOptions::new().max_connections(1).connect_with(file).await?)
        } else if url.starts_with("mongodb:") || url.starts_with("mongodb+srv:") {
            Pool::Mongo(Documents::connect(url).await?)
        } else {
            return Err(WriteError::Url(url.split('@').next_back().unwrap_or_default().to_owned()));
        };
        Ok(Self { pool, zone: Utc.fix() })
    }

    pub(crate) fn engine(&self) -> Engine {
        match self.pool {
            Pool::Postgres(_) => Engine::Postgres,
            Pool::Mysql(_) => Engine::Mysql,
            Pool::Sqlite(_) => Engine::Sqlite,
            Pool::Mongo(_) => Engine::Mongo,
        }
    }

    /// MongoDB, if it is that.
    pub(crate) fn documents(&self) -> Option<&Documents> {
        match &self.pool {
            Pool::Mongo(documents) => Some(documents),
            Pool::Postgres(_) | Pool::Mysql(_) | Pool::Sqlite(_) => None,
        }
    }

    pub(crate) async fn close(&self) {
        match &self.pool {
            Pool::Postgres(pool) => pool.close().await,
            Pool::Mysql(pool) => pool.close().await,
            Pool::Sqlite(pool) => pool.close().await,
            // Closed with the last clone.
            Pool::Mongo(_) => {}
        }
    }

    pub(crate) async fn begin(&self) -> Result<Transaction, WriteError> {
        Ok(match &self.pool {
            Pool::Postgres(pool) => Transaction::Postgres(pool.begin().await?, self.zone),
            Pool::Mysql(pool) => Transaction::Mysql(pool.begin().await?, self.zone),
            Pool::Sqlite(pool) => Transaction::Sqlite(pool.begin().await?, self.zone),
            Pool::Mongo(_) => return Err(WriteError::NotSql),
        })
    }

    /// Lets the database look at how large its tables are, as it does by itself after a while.
    pub(crate) async fn gather_statistics(&self) -> Result<(), WriteError> {
        if let Pool::Postgres(pool) = &self.pool {
            pool.execute("ANALYZE").await?;
        }
        Ok(())
    }

    /// Inserts many rows as fast as the database allows. Not atomic with anything else.
    pub(crate) async fn bulk(
        &self,
        table: &str,
        columns: &[&str],
        rows: Vec<Vec<Value>>,
    ) -> Result<(), WriteError> {
        match &self.pool {
            Pool::Postgres(pool) => {
                let statement = format!("COPY {table} ({}) FROM STDIN", quoted(columns));
                let mut copy = pool.copy_in_raw(&statement).await?;
                for chunk in rows.chunks(1000) {
                    let mut text = String::new();
                    for row in chunk {
                        for (index, value) in row.iter().enumerate() {
                            if index > 0 {
                                text.push('\t');
                            }
                            append_copy_text(&mut text, value, self.zone);
                        }
                        text.push('\n');
                    }
                    copy.send(text.as_bytes()).await?;
                }
                copy.finish().await?;
            }
            Pool::Mysql(_) | Pool::Sqlite(_) => {
                let placeholders =
                    if self.engine() == Engine::Mysql { MYSQL_PLACEHOLDERS } else { SQLITE_PLACEHOLDERS };
                let mut transaction = self.begin().await?;
                for chunk in rows.chunks((placeholders / columns.len().max(1)).max(1)) {
                    transaction.insert(table, columns, chunk).await?;
                }
                transaction.commit().await?;
            }
            Pool::Mongo(_) => return Err(WriteError::NotSql),
        }
        Ok(())
    }
}

/// A transaction under way.
pub(crate) enum Transaction {
    Postgres(sqlx::Transaction<'static, Postgres>, FixedOffset),
    Mysql(sqlx::Transaction<'static, MySql>, FixedOffset),
    Sqlite(sqlx::Transaction<'static, Sqlite>, FixedOffset),
}

impl Transaction {
    pub(crate) async fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, WriteError> {
        // Statements are made here from constants and a checked prefix; values are bound.
        let sql = AssertSqlSafe(sql.to_owned());
        Ok(match self {
            Self::Mysql(transaction, zone) => {
                let (sql, values) = in_order(&sql.0, values);
                bind_mysql(sqlx::query(AssertSqlSafe(sql)), values, *zone)
                    .execute(&mut **transaction)
                    .await?
                    .rows_affected()
            }
            Self::Postgres(transaction, zone) => bind_postgres(sqlx::query(sql), values, *zone)
                .execute(&mut **transaction)
                .await?
                .rows_affected(),
            Self::Sqlite(transaction, zone) => bind_sqlite(sqlx::query(sql), values, *zone)
                .execute(&mut **transaction)
                .await?
                .rows_affected(),
        })
    }

    /// The first column of every row, as text.
    pub(crate) async fn texts(
        &mut self,
        sql: &str,
        values: &[Value],
    ) -> Result<Vec<Option<String>>, WriteError> {
        let sql = AssertSqlSafe(sql.to_owned());
        Ok(match self {
            Self::Mysql(transaction, zone) => {
                let (sql, values) = in_order(&sql.0, values);
                bind_mysql(sqlx::query(AssertSqlSafe(sql)), values, *zone)
                    .fetch_all(&mut **transaction)
                    .await?
                    .iter()
                    .map(|row| row.try_get(0))
                    .collect::<Result<_, _>>()?
            }
            Self::Postgres(transaction, zone) => bind_postgres(sqlx::query(sql), values, *zone)
                .fetch_all(&mut **transaction)
                .await?
                .iter()
                .map(|row| row.try_get(0))
                .collect::<Result<_, _>>()?,
            Self::Sqlite(transaction, zone) => bind_sqlite(sqlx::query(sql), values, *zone)
                .fetch_all(&mut **transaction)
                .await?
                .iter()
                .map(|row| row.try_get(0))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Inserts rows, all in one statement.
    pub(crate) async fn insert(
        &mut self,
        table: &str,
        columns: &[&str],
        rows: &[Vec<Value>],
    ) -> Result<(), WriteError> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut number = 0;
        let tuples = rows
            .iter()
            .map(|row| {
                let places = row.iter().map(|_| {
                    number += 1;
                    format!("${number}")
                });
                format!("({})", places.collect::<Vec<_>>().join(","))
            })
            .collect::<Vec<_>>()
            .join(",");
        let sql = format!("INSERT INTO {table} ({}) VALUES {tuples}", quoted(columns));
        self.execute(&sql, &rows.concat()).await?;
        Ok(())
    }

    pub(crate) async fn commit(self) -> Result<(), WriteError> {
        match self {
            Self::Postgres(transaction, _) => transaction.commit().await?,
            Self::Mysql(transaction, _) => transaction.commit().await?,
            Self::Sqlite(transaction, _) => transaction.commit().await?,
        }
        Ok(())
    }
}

/// Sessions quote names as the other databases do, and have the server's own time zone, as those of APIM's drivers have:
/// the server then takes the local time of the JVM for one of its own zone.
async fn connect_mysql(url: &str) -> Result<MySqlPool, WriteError> {
    let options = MySqlConnectOptions::from_str(url)?.ssl_mode(MySqlSslMode::Disabled).timezone(None);
    let pool = MySqlPoolOptions::new().max_connections(4).acquire_timeout(CONNECT_TIMEOUT).after_connect(
        |connection, _| {
            Box::pin(async move {
                connection
                    .execute("SET SESSION sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')")
                    .await
                    .map(drop)
            })
        },
    );
    Ok(pool.connect_with(options).await?)
}

/// The statement with `?` for each `$n`, and the values in that order.
fn in_order(sql: &str, values: &[Value]) -> (String, Vec<Value>) {
    let mut parts = sql.split('$');
    let mut text = parts.next().unwrap_or_default().to_owned();
    let mut ordered = Vec::with_capacity(values.len());
    for part in parts {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let (number, rest) = part.split_at(digits);
        let value = number.parse::<usize>().ok().and_then(|number| values.get(number.wrapping_sub(1)));
        if let Some(value) = value {
            text.push('?');
            ordered.push(value.clone());
        } else {
            text.push('$');
            text.push_str(number);
        }
        text.push_str(rest);
    }
    (text, ordered)
}

fn quoted(columns: &[&str]) -> String {
    columns.iter().map(|column| format!("\"{column}\"")).collect::<Vec<_>>().join(",")
}

type PostgresQuery<'a> = Query<'a, Postgres, PgArguments>;
type MysqlQuery<'a> = Query<'a, MySql, MySqlArguments>;
type SqliteQuery<'a> = Query<'a, Sqlite, SqliteArguments>;

fn bind_postgres<'a>(query: PostgresQuery<'a>, values: &[Value], zone: FixedOffset) -> PostgresQuery<'a> {
    values.iter().cloned().fold(query, |query, value| match value {
        Value::Text(text) => query.bind(text),
        Value::Flag(flag) => query.bind(flag),
        Value::Number(number) => query.bind(number),
        Value::Time(time) => query.bind(time.and_then(|millis| local(millis, zone))),
    })
}

fn bind_mysql(query: MysqlQuery<'_>, values: Vec<Value>, zone: FixedOffset) -> MysqlQuery<'_> {
    values.into_iter().fold(query, |query, value| match value {
        Value::Text(text) => query.bind(text),
        Value::Flag(flag) => query.bind(flag),
        Value::Number(number) => query.bind(number),
        Value::Time(time) => query.bind(time.and_then(|millis| local(millis, zone))),
    })
}

fn bind_sqlite<'a>(query: SqliteQuery<'a>, values: &[Value], zone: FixedOffset) -> SqliteQuery<'a> {
    values.iter().cloned().fold(query, |query, value| match value {
        Value::Text(text) => query.bind(text),
        Value::Flag(flag) => query.bind(flag),
        Value::Number(number) => query.bind(number),
        Value::Time(time) => query.bind(time.and_then(|millis| local(millis, zone)).map(time_text)),
    })
}

/// The local time that a JVM in `zone` would write.
fn local(millis: i64, zone: FixedOffset) -> Option<NaiveDateTime> {
    DateTime::from_timestamp_millis(millis).map(|time| time.with_timezone(&zone).naive_local())
}

/// Times in a SQLite file: text of fixed width, so that it compares as time does.
fn time_text(time: NaiveDateTime) -> String {
    time.format("%Y-%m-%d %H:%M:%S%.3f").to_string()
}

fn append_copy_text(out: &mut String, value: &Value, zone: FixedOffset) {
    match value {
        Value::Text(Some(text)) => {
            let mut rest = text.as_str();
            while let Some(place) = rest.find(['\\', '\t', '\n', '\r']) {
                let (plain, special) = rest.split_at(place);
                out.push_str(plain);
                out.push_str(match special.as_bytes().first() {
                    Some(b'\t') => "\\t",
                    Some(b'\n') => "\\n",
                    Some(b'\r') => "\\r",
                    _ => "\\\\",
                });
                rest = special.get(1..).unwrap_or_default();
            }
            out.push_str(rest);
        }
        Value::Flag(flag) => out.push(if *flag { 't' } else { 'f' }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::Time(Some(millis)) => match local(*millis, zone) {
            Some(time) => out.push_str(&time_text(time)),
            None => out.push_str("\\N"),
        },
        Value::Text(None) | Value::Time(None) => out.push_str("\\N"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_put_in_order_and_repeated() {
        let values = [Value::Number(1), Value::Number(2)];
        let (sql, values) = in_order("a = $2 AND (b < $1 OR c = $2) AND d = '$' AND e = $9", &values);
        assert_eq!(sql, "a = ? AND (b < ? OR c = ?) AND d = '$' AND e = $9");
        assert_eq!(format!("{values:?}"), "[Number(2), Number(1), Number(2)]");
    }
}
