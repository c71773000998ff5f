//! Why a read failed, in words that name what to do about it and hold no secret.

use std::time::Duration;

use mongodb::error::{CommandError, Error, ErrorKind};
use zonegate_sync::port::{RepositoryError, RepositoryFailure};

use crate::settings::Names;

/// So much of the server's or driver's own words is repeated.
const WORDS: usize = 600;

/// `Unauthorized`.
pub(crate) const UNAUTHORIZED: i32 = 13;

/// Codes of a server that cannot answer now: gone, starting, stopping, not in a state to be read, too slow. From MongoDB's
/// list of error codes.
const AWAY: [i32; 20] = [
    6, 7, 50, 89, 91, 133, 134, 189, 202, 262, 317, 384, 9001, 10058, 10107, 11600, 11602, 13388, 13435,
    13436,
];
/// `UserNotFound`, `AuthenticationFailed`, `AuthSchemaIncompatible`, and Atlas' own.
const NO_LOGIN: [i32; 4] = [11, 18, 69, 8000];
/// `MechanismUnavailable`.
const NO_MECHANISM: i32 = 334;

/// Whether an error of the server is about the query itself, and not about who asks, or about the server's state.
pub(crate) fn is_about_the_query(code: i32) -> bool {
    code != UNAUTHORIZED && code != NO_MECHANISM && !NO_LOGIN.contains(&code) && !AWAY.contains(&code)
}

/// Sorts what the driver says. `doing`: what was being done.
pub(crate) fn classify(names: &Names, doing: &str, error: &Error) -> RepositoryError {
    match &*error.kind {
        ErrorKind::Command(answer) => command(names, doing, answer),
        ErrorKind::Authentication { message, .. } => no_login(names, message),
        ErrorKind::ServerSelection { message, .. } => {
            let hint = if names.by_uri {
                "`management.mongodb.uri`"
            } else {
                "`management.mongodb.servers` or `.host` and `.port`"
            };
            unreachable(
                names,
                &format!("{doing}: no server that can be read; check {hint} ({})", some(message)),
            )
        }
        ErrorKind::DnsResolve { message, .. } => {
            unreachable(names, &format!("{doing}: the host's name is not found ({})", some(message)))
        }
        ErrorKind::Io(error) => unreachable(names, &format!("{doing}: {error}")),
        ErrorKind::ConnectionPoolCleared { .. } | ErrorKind::Shutdown => {
            unreachable(names, &format!("{doing}: the connection broke"))
        }
        ErrorKind::IncompatibleServer { message, .. } => other(
            names,
            &format!("{doing}: the server is of a version that cannot be read ({})", some(message)),
        ),
        ErrorKind::InvalidArgument { message, .. } => {
            other(names, &format!("{doing}: the driver refuses the settings ({})", some(message)))
        }
        // What follows can repeat values, so it is not repeated.
        _ => other(names, &format!("{doing}: unexpected failure")),
    }
}

fn command(names: &Names, doing: &str, answer: &CommandError) -> RepositoryError {
    let CommandError { code, code_name, message, .. } = answer;
    match *code {
        UNAUTHORIZED => {
            let (user, database) = (
                if names.by_uri {
                    "the user of `management.mongodb.uri`"
                } else {
                    "`management.mongodb.username`"
                },
                &names.database,
            );
            denied(
                names,
                &format!("{doing}: {}; {user} needs the role `read` on database `{database}`", some(message)),
            )
        }
        code if NO_LOGIN.contains(&code) || code == NO_MECHANISM => no_login(names, message),
        code if AWAY.contains(&code) => {
            unreachable(names, &format!("{doing}: {} ({code_name})", some(message)))
        }
        _ => other(names, &format!("{doing}: {} ({code_name}, code {code})", some(message))),
    }
}

fn no_login(names: &Names, message: &str) -> RepositoryError {
    let check = if names.by_uri {
        "user, password and `authSource` in `management.mongodb.uri`"
    } else {
        "`management.mongodb.username`, `management.mongodb.password` and `management.mongodb.authSource`"
    };
    denied(names, &format!("the server refuses the login; check {check} ({})", some(message)))
}

/// No answer in time.
pub(crate) fn too_slow(names: &Names, doing: &str, limit: Duration) -> RepositoryError {
    unreachable(names, &format!("{doing}: no answer within {limit:?}"))
}

/// It is no APIM repository.
pub(crate) fn not_apim(names: &Names) -> RepositoryError {
    let (environments, events) = (names.collection("environments"), names.collection("events_latest"));
    let key = if names.by_uri {
        "`management.mongodb.uri` (its path, else `management.mongodb.dbname`)"
    } else {
        "`management.mongodb.dbname`"
    };
    failed(
        RepositoryFailure::Schema,
        names,
        &format!(
            "there is nothing in the collections `{environments}` and `{events}`. Is it an APIM database of version 4.0 or \
             later, and are {key} and `management.mongodb.prefix` right?"
        ),
    )
}

fn unreachable(names: &Names, what: &str) -> RepositoryError {
    failed(RepositoryFailure::Unreachable, names, what)
}

fn denied(names: &Names, what: &str) -> RepositoryError {
    failed(RepositoryFailure::Denied, names, what)
}

fn other(names: &Names, what: &str) -> RepositoryError {
    failed(RepositoryFailure::Other, names, what)
}

fn failed(failure: RepositoryFailure, names: &Names, what: &str) -> RepositoryError {
    RepositoryError { failure, message: format!("management repository ({names}): {what}") }
}

/// The beginning of a text that others wrote.
fn some(message: &str) -> &str {
    message.get(..message.floor_char_boundary(WORDS)).unwrap_or_default()
}
