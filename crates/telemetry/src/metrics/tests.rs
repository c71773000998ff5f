//! Scrapes of known figures: what is exposed is the catalogue, the figures are right, and the documentation lists all.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use zonegate_model::{Epoch, Kind, Revision};

use super::*;

struct Standing;

impl Clock for Standing {
    fn now(&self) -> Moment {
        Moment { elapsed: Duration::from_secs(90), wall_millis: 0 }
    }
}

fn figures() -> SyncFigures {
    SyncFigures {
        role: Role::Primary,
        epoch: Some(Epoch(4)),
        applied: Some(Revision(17)),
        store: Some(Revision(18)),
        whole: Some(Revision(17)),
        lag_millis: Some(1200),
        ready: true,
        repository_up: Some(true),
        store_up: Some(false),
        members: Some(3),
        rows: BTreeMap::from([(Kind::Api, 12)]),
        pending_rows: 1,
        refused_apis: 2,
        refused_api_products: 1,
        push_subscriptions: 7,
        batches_written: 18,
        rows_written: 40,
        fenced_writes: 1,
        takeovers: 1,
        full_reads: BTreeMap::from([("start".into(), 1)]),
        proof_failures: BTreeMap::from([(None, 1), (Some(Kind::ApiKey), 2)]),
        repository_failures: 5,
        store_failures: 6,
    }
}

fn traffic() -> DataPlaneFigures {
    let api = ApiFigures {
        by_class: [0, 1, 0, 0, 2],
        failures: vec![("GATEWAY_CLIENT_CONNECTION_ERROR", 1), ("GATEWAY_CLIENT_CONNECTION_ERROR", 2)],
        durations: vec![(Duration::from_millis(5), 2), (Duration::from_secs(30), 0), (Duration::MAX, 1)],
        duration_sum: Duration::from_millis(40_003),
    };
    DataPlaneFigures {
        connections: 3,
        accepted: 5,
        in_flight: 1,
        unrouted: 7,
        refused: 8,
        apis: BTreeMap::from([(Arc::from("api-1"), api), (Arc::from("idle"), ApiFigures::default())]),
    }
}

fn metrics() -> Metrics {
    let started = Moment { elapsed: Duration::from_secs(30), wall_millis: 0 };
    Metrics::new("0.1.0", Arc::new(Standing), started, Arc::new(DataPlane::new(traffic)), figures)
}

/// Names and kinds of all families in an answer.
fn families(text: &str) -> BTreeSet<(String, String)> {
    text.lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .collect()
}

#[test]
fn a_scrape_holds_exactly_the_families_of_the_catalogue() {
    let expected: BTreeSet<_> = catalogue::ALL
        .iter()
        .map(|metric| (metric.exposed_name(), format!("{:?}", metric.kind).to_lowercase()))
        .collect();
    assert_eq!(families(&metrics().render(Exposition::Prometheus)), expected);
}

#[test]
fn every_family_has_a_sample_with_the_labels_that_the_catalogue_names() {
    let text = metrics().render(Exposition::Prometheus);
    for metric in catalogue::ALL {
        let names = match metric.kind {
            MetricKind::Histogram => {
                ["_bucket", "_sum", "_count"].map(|suffix| metric.name.to_owned() + suffix).to_vec()
            }
            MetricKind::Counter | MetricKind::Gauge => vec![metric.exposed_name()],
        };
        let samples: Vec<_> = text
            .lines()
            .filter(|line| line.split(['{', ' ']).next().is_some_and(|n| names.contains(&n.to_owned())))
            .collect();
        assert!(!samples.is_empty(), "{} has no sample", metric.name);
        for label in metric.labels {
            assert!(
                samples.iter().all(|line| line.contains(&format!("{label}=\""))),
                "{}: {samples:?}",
                metric.name
            );
        }
        assert!(metric.name.starts_with("zonegate_") && !metric.help.ends_with('.'), "{}", metric.name);
    }
}

#[test]
fn figures_of_the_sync_process_are_taken_at_the_scrape() {
    let text = metrics().render(Exposition::Prometheus);
    for line in [
        "zonegate_role{role=\"primary\"} 1",
        "zonegate_role{role=\"secondary\"} 0",
        "zonegate_revision_applied 17.0",
        "zonegate_lag_milliseconds 1200.0",
        "zonegate_store_up 0.0",
        "zonegate_full_reads_total{reason=\"start\"} 1",
        "zonegate_proof_failures_total{kind=\"API_KEY\"} 2",
        "zonegate_proof_failures_total{kind=\"unknown\"} 1",
        "zonegate_uptime_seconds 60.0",
    ] {
        assert!(text.lines().any(|l| l == line), "no `{line}` in\n{text}");
    }
}

#[test]
fn what_is_unknown_has_no_sample() {
    let metrics =
        Metrics::new("0.1.0", Arc::new(Standing), Moment::default(), Arc::default(), SyncFigures::default);
    let text = metrics.render(Exposition::Prometheus);
    for name in ["zonegate_lag_milliseconds ", "zonegate_repository_up ", "zonegate_revision_applied "] {
        assert!(!text.lines().any(|line| line.starts_with(name)), "{name} in\n{text}");
    }
    assert!(text.contains("\nzonegate_ready 0.0\n"), "not ready is known");
}

#[test]
fn requests_are_shown_by_api_and_class_with_their_durations_and_failures() {
    let text = metrics().render(Exposition::Prometheus);
    for line in [
        "zonegate_requests_total{api=\"api-1\",status=\"2xx\"} 1",
        "zonegate_requests_total{api=\"api-1\",status=\"5xx\"} 2",
        "zonegate_request_duration_seconds_count{api=\"api-1\"} 3",
        "zonegate_request_duration_seconds_sum{api=\"api-1\"} 40.003",
        "zonegate_request_duration_seconds_bucket{le=\"0.005\",api=\"api-1\"} 2",
        "zonegate_request_duration_seconds_bucket{le=\"30.0\",api=\"api-1\"} 2",
        "zonegate_request_duration_seconds_bucket{le=\"+Inf\",api=\"api-1\"} 3",
        "zonegate_upstream_failures_total{api=\"api-1\",key=\"GATEWAY_CLIENT_CONNECTION_ERROR\"} 3",
        "zonegate_unrouted_requests_total 7",
        "zonegate_active_connections 3.0",
        "zonegate_connections_total 5",
    ] {
        assert!(text.lines().any(|l| l == line), "no `{line}` in\n{text}");
    }
}

#[test]
fn an_api_without_a_request_is_not_exposed() {
    assert!(!metrics().render(Exposition::Prometheus).contains("idle"));
}

#[test]
fn an_id_with_quotes_and_line_feeds_cannot_forge_a_sample() {
    let data_plane = DataPlane::new(|| {
        let api = ApiFigures { by_class: [1; 5], ..ApiFigures::default() };
        let id = Arc::from("a\"} 7\nzonegate_ready 1 \\");
        DataPlaneFigures { apis: BTreeMap::from([(id, api)]), ..DataPlaneFigures::default() }
    });
    let metrics = Metrics::new(
        "0.1.0",
        Arc::new(Standing),
        Moment::default(),
        Arc::new(data_plane),
        SyncFigures::default,
    );
    let text = metrics.render(Exposition::Prometheus);
    assert!(text.contains("api=\"a\\\"} 7\\nzonegate_ready 1 \\\\\""), "{text}");
}

#[test]
fn openmetrics_is_answered_to_whoever_asks_for_it() {
    let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
    assert_eq!(Exposition::for_accept(accept), Exposition::OpenMetrics);
    assert_eq!(Exposition::for_accept("*/*"), Exposition::Prometheus);
    let openmetrics = metrics().render(Exposition::OpenMetrics);
    assert!(openmetrics.contains("# TYPE zonegate_takeovers counter\nzonegate_takeovers_total 1\n"));
    assert!(openmetrics.ends_with("# EOF\n"));
    let prometheus = metrics().render(Exposition::Prometheus);
    assert!(prometheus.contains("# TYPE zonegate_takeovers_total counter\nzonegate_takeovers_total 1\n"));
    assert!(!prometheus.contains("EOF"));
}

#[test]
fn the_documentation_lists_every_metric_and_no_other() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
    let documentation = std::fs::read_to_string(path).unwrap();
    let row = |metric: &Metric| {
        let labels = metric.labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        let kind = format!("{:?}", metric.kind).to_lowercase();
        format!("| `{}` | {kind} | {labels} | {} |", metric.exposed_name(), metric.help)
            .replace("|  |", "| |")
    };
    let expected: Vec<_> = catalogue::ALL.iter().map(row).collect();
    let found: Vec<_> = documentation.lines().filter(|line| line.starts_with("| `zonegate_")).collect();
    assert_eq!(found, expected, "rows that docs/metrics.md should have:\n{}", expected.join("\n"));
}
