//! Why a read failed, in words that name what to do about it and hold no secret.

use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;
use zonegate_sync::port::{RepositoryError, RepositoryFailure};

use crate::Database;

/// The connection could not be made, or broke, or was too slow.
pub(crate) fn unreachable(database: &Database, what: &str) -> RepositoryError {
    failed(RepositoryFailure::Unreachable, format!("management repository ({database}): {what}"))
}

/// A table or column is missing.
pub(crate) fn schema(database: &Database, what: &str) -> RepositoryError {
    failed(
        RepositoryFailure::Schema,
        format!(
            "management repository ({database}): {what}. Is it an APIM database of version 4.0 or later, and are \
             `management.jdbc.schema` and `management.jdbc.prefix` right?"
        ),
    )
}

fn failed(failure: RepositoryFailure, message: String) -> RepositoryError {
    RepositoryError { failure, message }
}

/// Sorts what the driver says. `doing`: what was being done.
pub(crate) fn classify(database: &Database, doing: &str, error: &sqlx::Error) -> RepositoryError {
    match error {
        sqlx::Error::Database(answer) => {
            let answer = answer.as_ref();
            match database {
                Database::Postgresql { .. } => postgresql(database, doing, answer),
                Database::Mysql { .. } => mysql(database, doing, answer),
                Database::Sqlite { .. } => sqlite(database, doing, answer),
            }
        }
        sqlx::Error::Io(error) => unreachable(database, &format!("{doing}: {error}")),
        sqlx::Error::Tls(_)
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::PoolClosed
        | sqlx::Error::PoolTimedOut => unreachable(database, &format!("{doing}: the connection broke")),
        // What follows can repeat values, so it is not repeated.
        sqlx::Error::Protocol(_) => unreachable(database, &format!("{doing}: the answer was not understood")),
        sqlx::Error::ColumnDecode { index, .. } => schema(
            database,
            &format!("{doing}: column {index} of the answer has another type than it should"),
        ),
        _ => failed(
            RepositoryFailure::Other,
            format!("management repository ({database}): {doing}: unexpected failure"),
        ),
    }
}

fn postgresql(database: &Database, doing: &str, answer: &dyn DatabaseError) -> RepositoryError {
    let code = answer.code().unwrap_or_default();
    let message = answer.message();
    match &*code {
        // invalid authorization, invalid password
        "28000" | "28P01" => failed(
            RepositoryFailure::Denied,
            format!(
                "management repository ({database}): the server refuses the login; check `management.jdbc.username` \
                 and `management.jdbc.password` ({message})"
            ),
        ),
        // insufficient privilege
        "42501" => failed(
            RepositoryFailure::Denied,
            format!(
                "management repository ({database}): {doing}: {message}; the user `management.jdbc.username` needs \
                 the right to select"
            ),
        ),
        // undefined table, column, schema
        "42P01" | "42703" | "3F000" => schema(database, &format!("{doing}: {message}")),
        // undefined database
        "3D000" => failed(
            RepositoryFailure::Schema,
            format!("management repository ({database}): {message}; check `management.jdbc.url`"),
        ),
        // connection failures, too many connections, shutdown, starting up
        _ if code.starts_with("08") || code.starts_with("53") || code.starts_with("57P") => {
            unreachable(database, &format!("{doing}: {message}"))
        }
        _ => failed(
            RepositoryFailure::Other,
            format!("management repository ({database}): {doing}: {message} (SQLSTATE {code})"),
        ),
    }
}

fn mysql(database: &Database, doing: &str, answer: &dyn DatabaseError) -> RepositoryError {
    let message = answer.message();
    let number = answer.try_downcast_ref::<MySqlDatabaseError>().map_or(0, MySqlDatabaseError::number);
    match number {
        // password, host, way of logging in, expired password, locked account
        1045 | 1130 | 1251 | 1275 | 1524 | 1698 | 1820 | 1862 | 3118 | 4151 => failed(
            RepositoryFailure::Denied,
            format!(
                "management repository ({database}): the server refuses the login; check `management.jdbc.username` \
                 and `management.jdbc.password` ({message})"
            ),
        ),
        // rights on a database, table, column, in general
        1044 | 1142 | 1143 | 1227 | 1370 => failed(
            RepositoryFailure::Denied,
            format!(
                "management repository ({database}): {doing}: {message}; the user `management.jdbc.username` needs \
                 the right to select"
            ),
        ),
        // unknown column, table
        1054 | 1109 | 1146 | 1356 => schema(database, &format!("{doing}: {message}")),
        // unknown database
        1049 => failed(
            RepositoryFailure::Schema,
            format!("management repository ({database}): {message}; check `management.jdbc.url`"),
        ),
        // connections and resources, shutdown, host blocked, killed, time limits, locks, packets, other nodes
        1037..=1043
        | 1053
        | 1077..=1081
        | 1129
        | 1135
        | 1152
        | 1158..=1161
        | 1184
        | 1203
        | 1205
        | 1213
        | 1226
        | 1317
        | 1927
        | 1969
        | 2000..=2999
        | 3024
        | 3168
        | 3169
        | 4031 => unreachable(database, &format!("{doing}: {message}")),
        _ => failed(
            RepositoryFailure::Other,
            format!("management repository ({database}): {doing}: {message} (error {number})"),
        ),
    }
}

fn sqlite(database: &Database, doing: &str, answer: &dyn DatabaseError) -> RepositoryError {
    let message = answer.message();
    // The low byte is the primary code.
    let code = answer.code().and_then(|code| code.parse::<u32>().ok()).unwrap_or_default() & 0xff;
    match code {
        1 if message.starts_with("no such") => schema(database, &format!("{doing}: {message}")),
        26 => schema(database, &format!("{doing}: {message}")),
        // permission, read-only, authorization
        3 | 8 | 23 => failed(
            RepositoryFailure::Denied,
            format!("management repository ({database}): {doing}: {message}; check the file's permissions"),
        ),
        // busy, locked, I/O error, cannot open
        5 | 6 | 10 | 14 => unreachable(database, &format!("{doing}: {message}")),
        _ => failed(
            RepositoryFailure::Other,
            format!("management repository ({database}): {doing}: {message} (code {code})"),
        ),
    }
}
