//! Logging and metrics of a gateway, and what the host says about the process.
//!
//! Relies on `zonegate-model` only: sync core and data plane know nothing of Prometheus, they count for themselves, and
//! a snapshot is taken at each scrape ([`SyncFigures`], [`DataPlaneFigures`]). Carries L3 for log lines: registered
//! secrets are masked in whatever is written.

mod host;
mod logging;
mod metrics;
pub mod secret_text;

pub use host::{Host, HostError, HostFigures, ProcessFigures};
pub use logging::{InvalidFilter, LogFormat, LogSettings, LoggingError, Redaction, UnknownLogFormat};
pub use metrics::{
    ApiFigures, DataPlane, DataPlaneFigures, Exposition, Metric, MetricKind, Metrics, Role, SyncFigures,
    catalogue,
};

/// Installs the log of this process, on the standard output. Call it once.
pub use logging::install as install_log;
