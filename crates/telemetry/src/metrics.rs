//! The metrics of a gateway, encoded for Prometheus when it asks.
//!
//! Relies on `prometheus-client`. Nothing is collected in between: sync process, data plane and process are asked for
//! their figures at each scrape. Every family is in
//! [`catalogue`], and nothing else is exposed. Labels hold ids and fixed words, never a value from a request (L2, L3).

pub mod catalogue;
mod data_plane;
mod process;
mod sync;

use std::fmt::Write as _;
use std::sync::Arc;

use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use zonegate_model::{Clock, Moment};

pub use catalogue::{Metric, MetricKind};
pub use data_plane::{ApiFigures, DataPlane, DataPlaneFigures};
pub use sync::{Role, SyncFigures};

/// Which text format is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exposition {
    /// Prometheus text 0.0.4, what APIM's gateway answers with.
    #[default]
    Prometheus,
    /// OpenMetrics text 1.0, which newer scrapers ask for.
    OpenMetrics,
}

impl Exposition {
    /// The format that suits a scraper's `Accept` header.
    pub fn for_accept(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// The answer's content type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// All metrics of one gateway.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
}

impl Metrics {
    /// Brings the three sources together. `clock` and `started` give the time that the process runs; `sync` is called
    /// at each scrape.
    pub fn new(
        version: &str,
        clock: Arc<dyn Clock>,
        started: Moment,
        data_plane: Arc<DataPlane>,
        sync: impl Fn() -> SyncFigures + Send + Sync + 'static,
    ) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(sync::SyncCollector::new(sync)));
        registry.register_collector(Box::new(data_plane));
        registry.register_collector(Box::new(process::ProcessCollector::new(version, clock, started)));
        Self { registry }
    }

    /// The answer to a scrape. Takes milliseconds with many APIs: keep it off threads that must not wait.
    pub fn render(&self, exposition: Exposition) -> String {
        let mut encoded = String::new();
        if text::encode(&mut encoded, &self.registry).is_err() {
            // Writing to a string does not fail; a collector that gives up must not take the scrape with it.
            tracing::error!("the metrics could not be encoded");
            return String::new();
        }
        match exposition {
            Exposition::OpenMetrics => encoded,
            Exposition::Prometheus => as_prometheus_text(&encoded),
        }
    }
}

/// OpenMetrics text as Prometheus 0.0.4 reads it: a counter's comments name its samples, with `_total`, and there is
/// no end marker.
fn as_prometheus_text(openmetrics: &str) -> String {
    let mut out = String::with_capacity(openmetrics.len() + 1024);
    for line in openmetrics.lines().filter(|line| *line != "# EOF") {
        let comment =
            ["# HELP ", "# TYPE "].into_iter().find_map(|mark| Some((mark, line.strip_prefix(mark)?)));
        match comment.and_then(|(mark, rest)| Some((mark, rest.split_once(' ')?))) {
            Some((mark, (name, rest))) if catalogue::is_counter(name) => {
                let _ = writeln!(out, "{mark}{name}_total {rest}");
            }
            _ => {
                let _ = writeln!(out, "{line}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests;
