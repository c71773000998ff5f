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

fn metrics(data_plane: &Arc<DataPlane>) -> Metrics {
    let started = Moment { elapsed: Duration::from_secs(30), wall_millis: 0 };
    Metrics::new("0.1.0", Arc::new(Standing), started, Arc::clone(data_plane), figures)
}

fn with_traffic() -> (Arc<DataPlane>, Arc<ApiMetrics>) {
    let data_plane = Arc::new(DataPlane::default());
    let api = data_plane.api(&Arc::from("api-1"));
    api.finished(Outcome::Status(200), Duration::from_millis(3));
    api.finished(Outcome::Status(503), Duration::from_secs(40));
    data_plane.upstream_failure("GATEWAY_CLIENT_CONNECTION_ERROR");
    data_plane.unrouted();
    (data_plane, api)
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
    let (data_plane, _api) = with_traffic();
    let expected: BTreeSet<_> = catalogue::ALL
        .iter()
        .map(|metric| (metric.exposed_name(), format!("{:?}", metric.kind).to_lowercase()))
        .collect();
    assert_eq!(families(&metrics(&data_plane).render(Exposition::Prometheus)), expected);
}

#[test]
fn every_family_has_a_sample_with_the_labels_that_the_catalogue_names() {
    let (data_plane, _api) = with_traffic();
    let text = metrics(&data_plane).render(Exposition::Prometheus);
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
    let text = metrics(&Arc::default()).render(Exposition::Prometheus);
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
fn requests_are_counted_by_api_and_class_with_their_durations() {
    let (data_plane, api) = with_traffic();
    api.finished(Outcome::Aborted, Duration::ZERO);
    api.finished(Outcome::Status(99), Duration::ZERO);
    let text = metrics(&data_plane).render(Exposition::Prometheus);
    for line in [
        "zonegate_requests_total{api=\"api-1\",status=\"2xx\"} 1",
        "zonegate_requests_total{api=\"api-1\",status=\"5xx\"} 2",
        "zonegate_requests_total{api=\"api-1\",status=\"aborted\"} 1",
        "zonegate_request_duration_seconds_count{api=\"api-1\"} 4",
        "zonegate_request_duration_seconds_bucket{le=\"0.005\",api=\"api-1\"} 3",
        "zonegate_request_duration_seconds_bucket{le=\"+Inf\",api=\"api-1\"} 4",
        "zonegate_upstream_failures_total{key=\"GATEWAY_CLIENT_CONNECTION_ERROR\"} 1",
        "zonegate_unrouted_requests_total 1",
    ] {
        assert!(text.lines().any(|l| l == line), "no `{line}` in\n{text}");
    }
}

#[test]
fn s4_a_redeployment_resets_no_counter() {
    let (data_plane, first) = with_traffic();
    let second = data_plane.api(&Arc::from("api-1"));
    drop(first);
    second.finished(Outcome::Status(201), Duration::ZERO);
    let text = metrics(&data_plane).render(Exposition::Prometheus);
    assert!(text.contains("zonegate_requests_total{api=\"api-1\",status=\"2xx\"} 2\n"), "{text}");
}

#[test]
fn s6_an_undeployed_api_leaves_the_metrics_and_takes_no_other_with_it() {
    let (data_plane, first) = with_traffic();
    let other = data_plane.api(&Arc::from("api-10"));
    other.finished(Outcome::Status(200), Duration::ZERO);
    drop(first);
    let text = metrics(&data_plane).render(Exposition::Prometheus);
    assert!(!text.contains("api=\"api-1\""), "{text}");
    assert!(text.contains("api=\"api-10\""), "{text}");
}

#[test]
fn an_api_without_a_request_is_not_exposed() {
    let data_plane = Arc::new(DataPlane::default());
    let _idle = data_plane.api(&Arc::from("idle"));
    assert!(!metrics(&data_plane).render(Exposition::Prometheus).contains("idle"));
}

#[test]
fn an_id_with_quotes_and_line_feeds_cannot_forge_a_sample() {
    let data_plane = Arc::new(DataPlane::default());
    let api = data_plane.api(&Arc::from("a\"} 7\nzonegate_ready 1 \\"));
    api.finished(Outcome::Status(200), Duration::ZERO);
    let text = metrics(&data_plane).render(Exposition::Prometheus);
    assert!(text.contains("api=\"a\\\"} 7\\nzonegate_ready 1 \\\\\""), "{text}");
}

#[test]
fn a_closed_connection_does_not_count() {
    let data_plane = DataPlane::default();
    let one = data_plane.connection();
    let two = data_plane.connection();
    drop(one);
    assert_eq!(data_plane.open_connections(), 1);
    drop(two);
    assert_eq!(data_plane.open_connections(), 0);
}

#[test]
fn openmetrics_is_answered_to_whoever_asks_for_it() {
    let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
    assert_eq!(Exposition::for_accept(accept), Exposition::OpenMetrics);
    assert_eq!(Exposition::for_accept("*/*"), Exposition::Prometheus);
    let openmetrics = metrics(&Arc::default()).render(Exposition::OpenMetrics);
    assert!(openmetrics.contains("# TYPE zonegate_takeovers counter\nzonegate_takeovers_total 1\n"));
    assert!(openmetrics.ends_with("# EOF\n"));
    let prometheus = metrics(&Arc::default()).render(Exposition::Prometheus);
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
