//! Logging and metrics of a gateway, and what the host says about the process.
//!
//! Relies on `zonegate-model` only: the sync core and the data plane know nothing of Prometheus. The core's figures are
//! taken from a snapshot at scrape time ([`SyncFigures`]); the data plane counts into handles that it gets when an
//! API is deployed ([`ApiMetrics`]). Carries L3 for log lines (registered secrets are masked in whatever is written)
//! and its part of S4 (a redeployment resets no counter).

mod host;
mod logging;
mod metrics;
pub mod secret_text;

pub use host::{Host, HostError, HostFigures, ProcessFigures};
pub use logging::{InvalidFilter, LogFormat, LogSettings, LoggingError, Redaction, UnknownLogFormat};
pub use metrics::{
    ApiMetrics, Connection, DataPlane, Exposition, Metric, MetricKind, Metrics, Outcome, Role, SyncFigures,
    catalogue,
};

/// Installs the log of this process, on the standard output. Call it once.
pub use logging::install as install_log;
