//! `/_node/health`: 200 if all probes asked for are healthy, else 500.
//!
//! Without `?probes=` those that are visible by default answer. A probe that nobody knows is unhealthy, so that a
//! misspelt start-up probe does not pass (A4).

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use crate::answer;
use crate::routes::Context;
use crate::view::Probe;

#[derive(Serialize)]
struct Shown {
    healthy: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// Health by probe.
pub(crate) async fn health(
    State(context): State<Context>,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Response {
    let wanted: BTreeSet<&str> = parameters
        .iter()
        .filter(|(name, _)| name == "probes")
        .flat_map(|(_, value)| value.split(','))
        .collect();
    let (visible, hidden) = probes(&context);
    let shown: BTreeMap<&str, Shown> = if wanted.is_empty() {
        visible.into_iter().map(|(id, probe)| (id, probe.into())).collect()
    } else {
        let mut known: BTreeMap<&str, Probe> = visible.into_iter().chain(hidden).collect();
        wanted
            .into_iter()
            .map(|id| (id, known.remove(id).unwrap_or_else(|| Probe::unhealthy("probe not found")).into()))
            .collect()
    };
    let status = if shown.values().all(|probe| probe.healthy) {
        StatusCode::OK
    } else {
        StatusCode::INTERNAL_SERVER_ERROR
    };
    answer::json(status, &shown)
}

type Named = Vec<(&'static str, Probe)>;

/// Visible and hidden probes.
fn probes(context: &Context) -> (Named, Named) {
    let parts = context.view.probes();
    let visible = vec![
        ("management-repository", parts.management_repository),
        // The original's words when no repository for rate limits is configured, which this gateway never has.
        ("ratelimit-repository", Probe::healthy().saying("RateLimit type is none")),
        ("http-server", parts.http_server),
        ("cluster", parts.cluster),
    ];
    let thresholds = context.settings.thresholds;
    let usage = context.sampler.usage(context.view.now());
    let mut hidden = vec![
        ("cpu", below("CPU", usage.process_cpu_percent, thresholds.cpu)),
        ("memory", below("Memory", usage.memory_percent, thresholds.memory)),
        // There is no garbage collector.
        ("gc-pressure", Probe::healthy()),
    ];
    hidden.extend(parts.sync_process.map(|probe| ("sync-process", probe)));
    (visible, hidden)
}

/// Unhealthy at or above the threshold; healthy where the figure is unknown.
fn below(what: &str, percent: Option<u8>, threshold: u8) -> Probe {
    match percent {
        Some(percent) if percent >= threshold => {
            Probe::unhealthy(format!("{what} percent is over the threshold of {threshold} %"))
        }
        _ => Probe::healthy(),
    }
}

impl From<Probe> for Shown {
    fn from(probe: Probe) -> Self {
        Self { healthy: probe.healthy, message: probe.message }
    }
}
