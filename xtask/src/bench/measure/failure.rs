//! Why a row could not be measured.

use std::io;

use zonegate_management_writer::WriteError;
use zonegate_sync::port::StoreError;
use zonegate_testkit::gateway::GatewayError;
use zonegate_testkit::http_client::HttpError;
use zonegate_testkit::install::InstallError;
use zonegate_testkit::postgres::PostgresError;
use zonegate_testkit::process::ProcessError;
use zonegate_testkit::redis::{CommandError, RedisError};

/// Why a row could not be measured.
#[derive(Debug, thiserror::Error)]
pub(super) enum MeasureError {
    /// The operating system refused something.
    #[error("cannot {action}: {source}")]
    System {
        /// What was tried.
        action: String,
        /// Why not.
        source: io::Error,
    },
    /// A server is missing.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// The Redis server.
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// A command to it.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The zone store.
    #[error("the zone store failed: {0}")]
    Store(#[from] StoreError),
    /// The management repository.
    #[error("the management repository cannot be written: {0}")]
    Write(#[from] WriteError),
    /// The PostgreSQL server.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// What was asked of it.
    #[error("PostgreSQL: {0}")]
    Sql(#[from] sqlx::Error),
    /// A gateway.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// Another server.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// No answer to a request.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Something did what it must not do, so that a figure would mean nothing.
    #[error("{0}")]
    Unexpected(String),
}

impl MeasureError {
    /// For `map_err`: what was tried when the operating system refused.
    pub(super) fn system(action: &str) -> impl FnOnce(io::Error) -> Self {
        let action = action.to_owned();
        move |source| Self::System { action, source }
    }
}
