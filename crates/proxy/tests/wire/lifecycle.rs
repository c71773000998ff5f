//! Servers and deployments: starting, stopping in good order, and changes under traffic.

use std::io::Write;
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::json;
use zonegate_model::{Kind, Row, RowKey};
use zonegate_proxy::{GatewaySettings, ListenerSettings};

use crate::gateway::{self, Gateway, api, definition, keyless, set_http};
use crate::upstream::{Then, Upstream, eventually};

#[test]
fn s2_an_api_appears_and_goes_on_connections_that_are_open() {
    let upstream = Upstream::ok();
    let mut gateway = Gateway::serving(Vec::new());
    let mut client = gateway.connect();
    let mut status = |expected: u16| {
        client.send("GET /test HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(client.receive().status, expected);
    };
    status(404);
    gateway.apply(vec![keyless(&upstream.target(""))]);
    status(200);
    gateway.apply(vec![Row::removed(RowKey::new(Kind::Api, "keyless"))]);
    status(404);
}

#[test]
fn s4_a_redeployment_that_leaves_the_endpoint_keeps_connections_and_counts() {
    let upstream = Upstream::ok();
    let mut test = definition("test", "/test", &upstream.target(""));
    let mut gateway = Gateway::serving(vec![api(&test)]);
    assert_eq!(gateway.get("/test", "").status, 200);
    test["name"] = json!("another name");
    assert_eq!(gateway.apply(vec![api(&test)]).updated.len(), 1);
    assert_eq!(gateway.get("/test", "").status, 200);
    assert_eq!(upstream.connections(), 1);
    assert_eq!(gateway.counters.snapshot().apis["test"].by_class[1], 2);
    set_http(&mut test, json!({ "readTimeout": 9000 }));
    gateway.apply(vec![api(&test)]);
    assert_eq!(gateway.get("/test", "").status, 200);
    assert_eq!(upstream.connections(), 2, "other settings, other connections");
}

#[test]
fn s2_a_request_under_way_ends_as_it_began() {
    let (came, coming) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let (came, released) = (Mutex::new(came), Mutex::new(released));
    let upstream = Upstream::answering(move |_, stream| {
        let _ = came.lock().expect("no panic").send(());
        let _ = released.lock().expect("no panic").recv();
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        Then::Keep
    });
    let mut test = definition("test", "/test", &upstream.target(""));
    test["flows"] = json!([{ "enabled": true, "response": [{ "policy": "transform-headers", "enabled": true,
        "configuration": { "addHeaders": [{ "name": "X-Version", "value": "1" }] } }] }]);
    let mut gateway = Gateway::serving(vec![api(&test)]);
    let mut client = gateway.connect();
    client.send("GET /test HTTP/1.1\r\nHost: x\r\n\r\n");
    coming.recv().expect("the request is under way");
    gateway.apply(vec![Row::removed(RowKey::new(Kind::Api, "test"))]);
    release.send(()).expect("the upstream waits");
    let response = client.receive();
    assert_eq!((response.status, response.header("x-version")), (200, Some("1")));
    assert_eq!(gateway.get("/test", "").status, 404);
}

#[test]
fn s3_an_unknown_policy_is_refused_and_the_path_is_unknown() {
    let upstream = Upstream::ok();
    let mut test = definition("test", "/test", &upstream.target(""));
    test["flows"] =
        json!([{ "enabled": true, "request": [{ "policy": "no-such-policy", "enabled": true }] }]);
    let other = definition("other", "/other", &upstream.target(""));
    let mut gateway = Gateway::serving(Vec::new());
    let committed = gateway.apply(vec![api(&test), api(&other)]);
    assert_eq!(committed.refused.len(), 1);
    assert!(committed.refused[0].refusal.to_string().contains("no-such-policy"));
    assert_eq!((gateway.get("/test", "").status, gateway.get("/other", "").status), (404, 200));
}

#[test]
fn a_server_stops_in_good_order() {
    let (came, coming) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let (came, released) = (Mutex::new(came), Mutex::new(released));
    let upstream = Upstream::answering(move |request, stream| {
        if request.line().ends_with("/slow") {
            let _ = came.lock().expect("no panic").send(());
            let _ = released.lock().expect("no panic").recv();
        }
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        Then::Keep
    });
    let listener = ListenerSettings { workers: 2, ..gateway::listener() };
    let mut gateway =
        Gateway::with(GatewaySettings::default(), listener, vec![keyless(&upstream.target(""))]);
    let mut idle = gateway.connect();
    idle.send("GET /test HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(idle.receive().header("connection"), None);
    let mut busy = gateway.connect();
    busy.send("GET /test/slow HTTP/1.1\r\nHost: x\r\n\r\n");
    coming.recv().expect("the request is under way");

    let stopping = gateway.shut_down(Duration::from_mins(1));
    eventually("nothing more is accepted", || !gateway.listens());
    assert!(idle.is_closed(), "an idle connection ends at once");
    assert!(!stopping.is_finished());
    release.send(()).expect("the upstream waits");
    let response = busy.receive();
    assert_eq!((response.status, response.header("connection")), (200, Some("close")));
    assert!(busy.is_closed());
    stopping.join().expect("stopped");
    assert_eq!(gateway.counters.snapshot().connections, 0);
}

#[test]
fn a_server_does_not_wait_longer_than_its_grace() {
    let upstream = Upstream::answering(|_, _| Then::Keep);
    let mut gateway = Gateway::serving(vec![keyless(&upstream.target(""))]);
    let mut client = gateway.connect();
    client.send("GET /test HTTP/1.1\r\nHost: x\r\n\r\n");
    eventually("the request is under way", || upstream.seen().len() == 1);
    gateway.shut_down(Duration::from_millis(50)).join().expect("stopped");
    assert!(client.is_closed());
    eventually("the call is cancelled", || upstream.closed() == 1);
}

#[test]
fn a_silent_client_is_closed_where_there_is_a_limit() {
    let upstream = Upstream::ok();
    let listener = ListenerSettings { idle_timeout: Some(Duration::from_millis(80)), ..gateway::listener() };
    let gateway = Gateway::with(GatewaySettings::default(), listener, vec![keyless(&upstream.target(""))]);
    let mut silent = gateway.connect();
    assert!(silent.is_closed());
    let mut partial = gateway.connect();
    partial.send("GET /test HTT");
    assert!(partial.is_closed());
    let mut client = gateway.connect();
    client.send("GET /test HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(client.receive().status, 200);
    assert!(client.is_closed());
    eventually("none is left", || gateway.counters.snapshot().connections == 0);
    assert!(gateway.counters.snapshot().accepted >= 3);
}

#[test]
fn settings_that_cannot_work_are_refused_by_name() {
    let wrong = ListenerSettings { workers: 0, ..gateway::listener() };
    assert!(wrong.validate().is_err_and(|error| error.name == "workers"));
    let wrong = ListenerSettings { max_initial_line_length: 0, ..gateway::listener() };
    assert!(wrong.validate().is_err_and(|error| error.name == "max_initial_line_length"));
}

#[test]
fn a_port_that_is_taken_is_an_error_also_for_several_workers() {
    let first = Gateway::with(
        GatewaySettings::default(),
        ListenerSettings { workers: 2, ..gateway::listener() },
        Vec::new(),
    );
    for workers in [1, 2] {
        let taken = ListenerSettings { workers, port: first.address().port(), ..gateway::listener() };
        assert!(first.start_another(&taken).is_err(), "{workers} workers");
    }
}
