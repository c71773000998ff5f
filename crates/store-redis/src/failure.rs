//! What went wrong, in the core's words: which sort of failure, and a message that says what, where and what to do.
//!
//! Server texts are passed on shortened; they name commands and users, never secrets (L3).

use std::time::Duration;

use rustis::{Error, ErrorKind, RedisError, RedisErrorKind};
use zonegate_sync::port::{StoreError, StoreFailure};

use crate::settings::RedisSettings;

/// The longest server text that is passed on.
const LONGEST: usize = 300;

/// A failed command: what the core is told, and what the server said, for those in this crate who can do something.
#[derive(Debug)]
pub(crate) struct CallError {
    /// For the core.
    pub(crate) error: StoreError,
    /// The server's refusal, code first. `None`: it was not the server that refused.
    refusal: Option<String>,
}

impl CallError {
    /// Whether the server refused with words that contain `text`, letter case aside.
    pub(crate) fn says(&self, text: &str) -> bool {
        self.refusal
            .as_ref()
            .is_some_and(|refusal| refusal.to_ascii_lowercase().contains(&text.to_ascii_lowercase()))
    }

    /// Whether there was no answer, so that asking in another way is of no use.
    pub(crate) fn is_unreachable(&self) -> bool {
        self.error.failure == StoreFailure::Unreachable
    }
}

impl From<StoreError> for CallError {
    fn from(error: StoreError) -> Self {
        Self { error, refusal: None }
    }
}

impl From<CallError> for StoreError {
    fn from(failed: CallError) -> Self {
        failed.error
    }
}

fn fail(failure: StoreFailure, message: String) -> StoreError {
    StoreError { failure, message }
}

/// No connection could be opened.
pub(crate) fn connecting(settings: &RedisSettings, error: &Error) -> StoreError {
    match error.kind() {
        ErrorKind::Redis(_) => calling(settings, "HELLO", error).error,
        other => unreachable(settings, &other.to_string()),
    }
}

/// No connection, for a reason in words.
pub(crate) fn unreachable(settings: &RedisSettings, reason: &str) -> StoreError {
    let address = settings.address();
    fail(
        StoreFailure::Unreachable,
        format!(
            "cannot reach the zone store at {address}: {reason}; check that Redis runs there, and \
             `distributed-sync.redis.host` and `.port`"
        ),
    )
}

/// A command got no answer in time.
pub(crate) fn timed_out(settings: &RedisSettings, command: &str, after: Duration) -> StoreError {
    let address = settings.address();
    fail(
        StoreFailure::Unreachable,
        format!("the zone store at {address} did not answer {command} within {} ms", after.as_millis()),
    )
}

/// A command failed.
pub(crate) fn calling(settings: &RedisSettings, command: &str, error: &Error) -> CallError {
    let address = settings.address();
    let error = match error.kind() {
        ErrorKind::Redis(refused) => return refusal(settings, command, refused),
        ErrorKind::IO(_)
        | ErrorKind::EOF
        | ErrorKind::Timeout(_)
        | ErrorKind::DisconnectedByPeer
        | ErrorKind::OneshotCanceled(_)
        | ErrorKind::MpscSend(_)
        | ErrorKind::Client(
            rustis::ClientError::DisconnectedFromServer
            | rustis::ClientError::MaxCommandAttemptsReached
            | rustis::ClientError::SendQueueFull,
        ) => fail(
            StoreFailure::Unreachable,
            format!("the connection to the zone store at {address} broke during {command}: {}", error.kind()),
        ),
        other => malformed(settings, &format!("the answer to {command}"), &other.to_string()),
    };
    error.into()
}

/// A command was refused with these words, on a connection that is not the driver's.
pub(crate) fn refused(settings: &RedisSettings, command: &str, words: &[u8]) -> CallError {
    match RedisError::try_from(words) {
        Ok(refused) => refusal(settings, command, &refused),
        Err(error) => calling(settings, command, &error),
    }
}

fn refusal(settings: &RedisSettings, command: &str, refused: &RedisError) -> CallError {
    let (failure, advice) = refusal_of(&refused.kind, &refused.description(), settings);
    let code = refused.kind.to_string();
    let mut text = refused.description().chars().take(LONGEST).collect::<String>();
    if !code.is_empty() && !text.starts_with(&code) {
        text = format!("{code} {text}");
    }
    let address = settings.address();
    let error = fail(failure, format!("the zone store at {address} refused {command}: {text}{advice}"));
    CallError { error, refusal: Some(text) }
}

/// A connection that is not the driver's broke.
pub(crate) fn broken(settings: &RedisSettings, what: &str, reason: &str) -> StoreError {
    let address = settings.address();
    fail(
        StoreFailure::Unreachable,
        format!("the connection to the zone store at {address} broke during {what}: {reason}"),
    )
}

/// The store answered something that cannot be understood.
pub(crate) fn malformed(settings: &RedisSettings, what: &str, reason: &str) -> StoreError {
    let address = settings.address();
    let reason: String = reason.chars().take(LONGEST).collect();
    fail(StoreFailure::Malformed, format!("the zone store at {address}: {what} cannot be read: {reason}"))
}

/// Something else that is wrong with the server.
pub(crate) fn unsuitable(settings: &RedisSettings, reason: &str) -> StoreError {
    fail(StoreFailure::Other, format!("the zone store at {}: {reason}", settings.address()))
}

fn refusal_of(kind: &RedisErrorKind, text: &str, settings: &RedisSettings) -> (StoreFailure, &'static str) {
    match kind {
        RedisErrorKind::WrongPass if settings.password.is_none() => {
            (StoreFailure::Denied, "; set `distributed-sync.redis.password`")
        }
        RedisErrorKind::WrongPass => (
            StoreFailure::Denied,
            "; check `distributed-sync.redis.password`, and `distributed-sync.redis.username` if users are set up",
        ),
        RedisErrorKind::NoAuth => (
            StoreFailure::Denied,
            "; set `distributed-sync.redis.password`, and `distributed-sync.redis.username` if users are set up",
        ),
        RedisErrorKind::NoPerm => (
            StoreFailure::Denied,
            "; allow it to the user of `distributed-sync.redis.username`: keys distributed_event:*, \
             distributed_sync_state:*, zonegate:*, channels zonegate:*",
        ),
        RedisErrorKind::Err if text.contains("unknown command") => {
            (StoreFailure::Denied, "; Redis 7.0 or later is needed, with no command renamed")
        }
        RedisErrorKind::NoProto => (StoreFailure::Other, "; Redis 7.0 or later is needed"),
        RedisErrorKind::OutOfMemory => (StoreFailure::Full, "; raise `maxmemory` of the server"),
        RedisErrorKind::Readonly
        | RedisErrorKind::Loading
        | RedisErrorKind::MasterDown
        | RedisErrorKind::MisConf => (StoreFailure::ReadOnly, "; it takes no writes for now"),
        RedisErrorKind::WrongType => {
            (StoreFailure::Malformed, "; something else wrote to the keys of the zone")
        }
        _ if text.contains("max number of clients") => {
            (StoreFailure::Unreachable, "; raise `maxclients` of the server")
        }
        _ if text.starts_with("UNBLOCKED") || text.starts_with("NOREPLICAS") => (StoreFailure::ReadOnly, ""),
        _ => (StoreFailure::Other, ""),
    }
}
