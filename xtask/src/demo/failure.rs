//! Why the demo cannot go on.

use std::io;

use zonegate_management_writer::WriteError;
use zonegate_testkit::gateway::{BuildError, GatewayError};
use zonegate_testkit::install::InstallError;
use zonegate_testkit::postgres::PostgresError;
use zonegate_testkit::redis::{CommandError, RedisError};

/// What went wrong, in a step of the demo or before the first one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// A server could not be installed.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// The gateway could not be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// Redis could not be had or controlled.
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// Redis refused a command.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// PostgreSQL could not be had or controlled.
    #[error(transparent)]
    Postgresql(#[from] PostgresError),
    /// A gateway could not be started or controlled.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// A change could not be written to the management repository.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The operating system refused something.
    #[error("cannot {action}: {source}")]
    System {
        /// What was tried.
        action: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// A promise was not kept.
    #[error("expected: {expected}; found: {found}")]
    Broken {
        /// What was to be.
        expected: String,
        /// What was.
        found: String,
        /// The gateway that it is about, by its name.
        gateway: Option<String>,
    },
}

impl DemoError {
    /// For `map_err` on something that the operating system does.
    pub(crate) fn system(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { action, source }
    }

    /// A broken promise of one gateway.
    pub(crate) fn broken(gateway: &str, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::Broken { expected: expected.into(), found: found.into(), gateway: Some(gateway.to_owned()) }
    }
}
