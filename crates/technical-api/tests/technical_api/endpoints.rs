//! Each endpoint's answer, and who gets one.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use zonegate_technical_api::view::Probe;
use zonegate_technical_api::{Access, ServeError, Thresholds};

use crate::client::{basic, get, get_with, send};
use crate::gateway::Gateway;

#[tokio::test]
async fn c5_every_path_asks_for_credentials_even_one_that_does_not_exist() {
    let api = Gateway::default().start(|_| {}).await;
    for path in
        ["/_node", "/_node/health", "/_node/configuration", "/nothing", "/", "/_node/metrics/prometheus"]
    {
        for headers in [String::new(), basic("admin:wrong"), basic("root:adminadmin"), basic("admin")] {
            let answer = get_with(api.address(), path, &headers).await;
            assert_eq!((answer.status, answer.body.as_str()), (401, "Unauthorized"), "{path} {headers}");
            assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"gravitee.io\""));
        }
    }
}

#[tokio::test]
async fn c5_without_authentication_everybody_gets_an_answer() {
    let api = Gateway::default().start(|settings| settings.access = Access::Open).await;
    assert_eq!(get_with(api.address(), "/_node", "").await.status, 200);
}

#[tokio::test]
async fn c5_an_unknown_path_is_not_found_and_a_slash_at_the_end_does_not_matter() {
    let api = Gateway::default().start(|_| {}).await;
    for path in ["/", "/nothing", "/_node/plugins", "/_node/apis/api-1/plans", "/_node/metrics/prometheus"] {
        let answer = get(api.address(), path).await;
        assert_eq!((answer.status, answer.body.as_str()), (404, "Not Found"), "{path}");
        assert_eq!(answer.header("content-type"), None, "{path}");
    }
    for path in ["/_node/", "/_node/health/", "/_node/apis/api-1/", "/_node/license/"] {
        assert_eq!(get(api.address(), path).await.status, 200, "{path}");
    }
    let post = format!(
        "POST /_node/sync HTTP/1.1\r\nHost: t\r\nConnection: close\r\n{}\r\n",
        basic("admin:adminadmin")
    );
    assert_eq!(send(api.address(), &post).await.status, 405);
}

#[tokio::test]
async fn a4_the_sync_probe_and_the_sync_endpoint_say_not_ready_until_a_whole_state_is_active() {
    let api = Gateway { ready: false, ..Gateway::default() }.start(|_| {}).await;
    let health = get(api.address(), "/_node/health?probes=http-server,sync-process").await;
    assert_eq!(health.status, 500);
    assert_eq!(
        health.json(),
        json!({"http-server": {"healthy": true}, "sync-process": {"healthy": false, "message": "not ready"}})
    );
    assert_eq!(get(api.address(), "/_node/health").await.status, 200, "hidden unless asked for");
    let sync = get(api.address(), "/_node/sync").await;
    assert_eq!(sync.status, 503);
    assert_eq!(sync.json()["nextSyncTime"], -1);
    assert_eq!(sync.json()["lastErrorMessage"], "the repository does not answer");

    let api = Gateway::default().start(|_| {}).await;
    assert_eq!(get(api.address(), "/_node/health?probes=sync-process").await.status, 200);
    let sync = get(api.address(), "/_node/sync").await;
    assert_eq!((sync.status, sync.json().get("lastErrorMessage")), (200, None));
}

#[tokio::test]
async fn c5_one_sick_probe_makes_health_500_and_an_unknown_one_is_sick() {
    let repository = Probe::unhealthy("no connection");
    let api = Gateway { repository, ..Gateway::default() }.start(|_| {}).await;
    let health = get(api.address(), "/_node/health").await;
    assert_eq!(health.status, 500);
    assert_eq!(health.json()["management-repository"], json!({"healthy": false, "message": "no connection"}));
    assert_eq!(get(api.address(), "/_node/health?probes=http-server").await.status, 200);
    for query in ["nope", "*", "", "http-server,nope"] {
        let health = get(api.address(), &format!("/_node/health?probes={query}")).await;
        assert_eq!(health.status, 500, "{query}");
        assert!(health.body.contains("probe not found"), "{query}");
    }
    let both = get(api.address(), "/_node/health?probes=http-server&probes=cluster").await;
    assert_eq!(both.json().as_object().unwrap().len(), 2);
    assert_eq!(get(api.address(), "/_node/health?probes=gc-pressure,cpu,memory").await.status, 200);
}

#[tokio::test]
async fn a_threshold_that_is_reached_makes_its_probe_sick() {
    let api = Gateway::default().start(|s| s.thresholds = Thresholds { cpu: 101, memory: 0 }).await;
    let health = get(api.address(), "/_node/health?probes=memory,cpu").await.json();
    assert_eq!(health["memory"]["message"], "Memory percent is over the threshold of 0 %");
    assert_eq!(health["cpu"], json!({"healthy": true}));
}

#[tokio::test]
async fn c5_an_api_is_shown_pretty_and_an_unknown_one_is_an_empty_404() {
    let api = Gateway::default().start(|_| {}).await;
    let one = get(api.address(), "/_node/apis/api-1").await;
    assert_eq!(one.status, 200);
    assert!(one.body.contains("\n  \"definition\""), "{}", one.body);
    assert_eq!(one.json()["revision"], "3");
    let unknown = get(api.address(), "/_node/apis/api-10").await;
    assert_eq!((unknown.status, unknown.body.as_str()), (404, ""));
    assert_eq!(unknown.header("content-length"), Some("0"));
    let list = get(api.address(), "/_node/apis").await.json();
    assert_eq!(list[0], json!({"id": "id-Articles", "name": "Articles", "version": "1.0"}));
}

#[tokio::test]
async fn s6_an_id_is_taken_as_it_is() {
    let api = Gateway::default().start(|_| {}).await;
    assert_eq!(get(api.address(), "/_node/apis/a%20b%2F%C3%BC").await.status, 200);
    for path in ["/_node/apis/api-*", "/_node/apis/..%2Fapis", "/_node/apis/%2e%2e/x", "/_node/apis/%ff"] {
        let status = get(api.address(), path).await.status;
        assert!([400, 404].contains(&status), "{path}: {status}");
    }
}

#[tokio::test]
async fn refused_apis_are_listed_with_their_reason_and_the_list_is_bounded() {
    let api = Gateway { refused: 2500, ..Gateway::default() }.start(|_| {}).await;
    let sync = get(api.address(), "/_node/sync").await.json();
    assert_eq!(sync["zone"]["refusedCount"], 2500);
    assert_eq!(sync["zone"]["refused"].as_array().unwrap().len(), 1000);
    assert!(sync["zone"]["refused"][0]["reason"].as_str().unwrap().contains("MAGIC"));
    assert_eq!(sync["zone"]["store"], json!({"id": "00ff", "revision": 18, "whole": 17}));
    assert_eq!(sync["zone"]["members"][0]["self"], true);
}

#[tokio::test]
async fn the_primary_comes_first_in_the_cluster() {
    let api = Gateway::default().start(|_| {}).await;
    let cluster = get(api.address(), "/_node/cluster").await.json();
    assert_eq!(cluster["clusterId"], "blue");
    assert_eq!(cluster["self"]["id"], "node-1");
    let order: Vec<_> = cluster["members"].as_array().unwrap().iter().map(|m| m["id"].clone()).collect();
    assert_eq!(order, ["node-2", "node-1"]);
}

#[tokio::test]
async fn metrics_are_not_there_when_switched_off_and_come_in_the_format_asked_for() {
    let api = Gateway { metrics: Some("text".to_owned()), ..Gateway::default() }.start(|_| {}).await;
    let plain = get(api.address(), "/_node/metrics/prometheus").await;
    assert_eq!((plain.status, plain.body.as_str()), (200, "text Prometheus"));
    assert_eq!(plain.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let headers = basic("admin:adminadmin") + "Accept: application/openmetrics-text; version=1.0.0\r\n";
    let open = get_with(api.address(), "/_node/metrics/prometheus", &headers).await;
    assert_eq!(open.body, "text OpenMetrics");
}

#[tokio::test]
async fn l1_a_row_that_is_not_json_is_an_error_for_that_api_only() {
    let api = Gateway::default().start(|_| {}).await;
    let broken = get(api.address(), "/_node/apis/broken").await;
    assert_eq!(broken.status, 500);
    assert!(!broken.body.contains("planted"), "{}", broken.body);
    assert_eq!(get(api.address(), "/_node/apis/api-1").await.status, 200);
}

#[tokio::test]
async fn l1_nonsense_on_the_socket_closes_that_connection_only() {
    let api = Gateway::default().start(|_| {}).await;
    for nonsense in ["\u{0}\u{1}\u{2}\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"] {
        let mut stream = TcpStream::connect(api.address()).await.unwrap();
        stream.write_all(nonsense.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
    }
    let long = format!("GET /{} HTTP/1.1\r\nHost: t\r\n\r\n", "x".repeat(200_000));
    let mut stream = TcpStream::connect(api.address()).await.unwrap();
    let _ = stream.write_all(long.as_bytes()).await;
    drop(stream);
    assert_eq!(get(api.address(), "/_node").await.status, 200);
}

#[tokio::test]
async fn an_address_in_use_is_an_error_that_names_the_settings() {
    let first = Gateway::default().start(|_| {}).await;
    let port = first.address().port();
    let settings = zonegate_technical_api::Settings {
        host: "127.0.0.1".to_owned(),
        port,
        access: Access::Open,
        clear_text: false,
        thresholds: Thresholds::default(),
        scrapes: 3,
    };
    let view = std::sync::Arc::new(Gateway::default());
    let error = zonegate_technical_api::serve(settings, view, CancellationToken::new()).await.unwrap_err();
    assert!(matches!(error, ServeError::Listen { .. }));
    assert!(error.to_string().contains("services.core.http.port"), "{error}");
}

#[tokio::test]
async fn stopping_closes_idle_connections_and_the_listener() {
    let stop = CancellationToken::new();
    let api = Gateway::default().start_until(stop.clone(), |_| {}).await;
    let address = api.address();
    let mut idle = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /_node/license HTTP/1.1\r\nHost: t\r\n{}\r\n", basic("admin:adminadmin"));
    idle.write_all(request.as_bytes()).await.unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");

    stop.cancel();
    tokio::time::timeout(Duration::from_secs(4), api.stop())
        .await
        .expect("does not wait for idle connections");
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn dropping_the_handle_stops_it_too() {
    let api = Gateway::default().start(|_| {}).await;
    let address = api.address();
    drop(api);
    let closed = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), closed).await.expect("the listener is closed");
}
