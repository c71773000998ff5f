//! What the client gets when an upstream does not answer as it should: acceptance cases F1 to F17 that this slice
//! serves.

use std::io::Write;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use serde_json::{Value, json};
use zonegate_proxy::{CallError, GatewaySettings};

use crate::gateway::{self, Client, Gateway, Response, api, definition, keyless, organization, set_http};
use crate::upstream::{Then, Upstream, eventually};

/// A gateway with the API `/test` whose only endpoint has these HTTP settings.
fn gateway(target: &str, http: Value) -> Gateway {
    let mut definition = definition("test", "/test", target);
    set_http(&mut definition, http);
    Gateway::serving(vec![api(&definition)])
}

fn failures(gateway: &Gateway, id: &str) -> Vec<(CallError, u64)> {
    gateway.counters.snapshot().apis[id].failures.clone()
}

/// An answer of the gateway without a text.
fn assert_silent(response: &Response, status: u16) {
    assert_eq!((response.status, response.body.as_str()), (status, ""), "{}", response.head);
    assert_eq!(response.header("content-type"), None);
    assert_eq!(response.header("content-length"), Some("0"));
    assert_eq!(response.header("connection"), Some("close"));
    assert!(response.header("x-gravitee-request-id").is_some());
    assert!(response.header("x-gravitee-client-identifier").is_some());
}

#[test]
fn f5_f15_a_refused_connection_is_502_without_a_body() {
    let unused = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let gateway = gateway(&format!("http://{unused}"), json!({}));
    assert_silent(&gateway.get("/test", "Accept: application/json\r\n"), 502);
    assert_eq!(failures(&gateway, "test"), [(CallError::Refused, 1)]);
    assert_eq!(gateway.counters.snapshot().apis["test"].by_class, [0, 0, 0, 0, 1]);
}

#[test]
fn f8_a_name_that_does_not_resolve_is_502() {
    let gateway = gateway("http://does-not-exist.invalid", json!({}));
    assert_silent(&gateway.get("/test", ""), 502);
    assert_eq!(failures(&gateway, "test"), [(CallError::Dns, 1)]);
}

#[test]
fn a_target_that_is_no_url_is_502_and_no_endpoint_is_503() {
    let mut none = definition("none", "/none", "http://unused");
    none["endpointGroups"][0]["endpoints"] = json!([]);
    let gateway = Gateway::serving(vec![keyless("no url"), api(&none)]);
    assert_silent(&gateway.get("/test", ""), 502);
    assert_silent(&gateway.get("/none", ""), 503);
    assert_eq!(failures(&gateway, "none"), [(CallError::NoEndpoint, 1)]);
}

#[test]
fn f7_a_reset_and_a_closed_connection_are_502() {
    let upstream = Upstream::answering(|request, stream| {
        if request.line().ends_with("/reset") {
            let socket = socket2::SockRef::from(&*stream);
            socket.set_linger(Some(Duration::ZERO)).expect("a socket");
        }
        Then::Close
    });
    let gateway = gateway(&upstream.target(""), json!({}));
    assert_silent(&gateway.get("/test/reset", ""), 502);
    assert_silent(&gateway.get("/test/closed", ""), 502);
    assert_eq!(failures(&gateway, "test"), [(CallError::Reset, 1), (CallError::Closed, 1)]);
    assert_eq!(upstream.seen().len(), 2, "a new connection is not tried twice");
}

#[test]
fn an_answer_that_is_not_http_is_502() {
    for bytes in [
        "garbage\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-",
    ] {
        let upstream = Upstream::with_then_close(bytes);
        let gateway = gateway(&upstream.target(""), json!({}));
        assert_silent(&gateway.get("/test", ""), 502);
        assert_eq!(failures(&gateway, "test"), [(CallError::Malformed, 1)], "{bytes:?}");
    }
}

#[test]
fn f17_a_silent_upstream_is_504_without_a_body() {
    let upstream = Upstream::answering(|_, _| Then::Keep);
    let gateway = gateway(&upstream.target(""), json!({ "readTimeout": 50 }));
    assert_silent(&gateway.get("/test", "Accept: */*\r\n"), 504);
    assert_eq!(failures(&gateway, "test"), [(CallError::ReadTimeout, 1)]);
    eventually("the connection to the silent upstream is closed", || upstream.closed() == 1);
}

#[test]
fn an_upstream_that_speaks_now_and_then_is_not_silent() {
    let upstream = Upstream::answering(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
        for _ in 0..10 {
            std::thread::sleep(Duration::from_millis(60));
            let _ = stream.write_all(b"x");
        }
        Then::Keep
    });
    let gateway = gateway(&upstream.target(""), json!({ "readTimeout": 400 }));
    let response = gateway.get("/test", "");
    assert!(response.complete);
    assert_eq!(response.body, "xxxxxxxxxx");
}

#[test]
fn f1_f2_the_gateways_own_time_out_has_a_text_and_organization_flows_run() {
    let upstream = Upstream::answering(|_, _| Then::Keep);
    let settings =
        GatewaySettings { request_timeout: Some(Duration::from_millis(50)), ..GatewaySettings::default() };
    let mut test = definition("test", "/test", &upstream.target(""));
    test["flows"] = json!([{ "enabled": true, "response": [{ "policy": "transform-headers", "enabled": true,
        "configuration": { "addHeaders": [{ "name": "X-Api", "value": "1" }] } }] }]);
    let flows = json!({ "id": "O", "flows": [{ "enabled": true, "path-operator": { "path": "/" },
        "post": [{ "policy": "transform-headers", "enabled": true,
                   "configuration": { "addHeaders": [{ "name": "X-Organization", "value": "1" }] } }] }] });
    let gateway = Gateway::with(settings, gateway::listener(), vec![organization(&flows), api(&test)]);
    let response = gateway.get("/test", "");
    assert_eq!((response.status, response.body.as_str()), (504, "Request timeout"));
    assert_eq!(response.header("content-type"), Some("text/plain"));
    assert_eq!(response.header("x-organization"), Some("1"));
    assert_eq!(response.header("x-api"), None, "the API's response flows are skipped");
    let response = gateway.get("/test", "Accept: */*\r\n");
    assert_eq!(response.body, r#"{"message":"Request timeout","http_status_code":504}"#);
    assert_eq!(upstream.seen().len(), 2);
}

/// An upstream that says when a request has come, and answers when it is told to.
fn held() -> (Upstream, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (came, coming) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let (came, released) = (Mutex::new(came), Mutex::new(released));
    let upstream = Upstream::answering(move |_, stream| {
        let _ = came.lock().expect("no panic").send(());
        let _ = released.lock().expect("no panic").recv();
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        Then::Keep
    });
    (upstream, coming, release)
}

fn ask(gateway: &Gateway) -> Client {
    let mut client = gateway.connect();
    client.send("GET /test HTTP/1.1\r\nHost: x\r\n\r\n");
    client
}

#[test]
fn f9_waiting_for_a_connection_is_a_connect_time_out() {
    let upstream = Upstream::answering(|_, _| Then::Keep);
    let gateway = gateway(&upstream.target(""), json!({ "maxConcurrentConnections": 1, "readTimeout": 100 }));
    let mut clients = [ask(&gateway), ask(&gateway)];
    for client in &mut clients {
        assert_silent(&client.receive(), 504);
    }
    let mut found = failures(&gateway, "test");
    found.sort_by_key(|(error, _)| error.index());
    // The second may get the connection in the very moment in which the first gives up.
    assert!(
        found == [(CallError::ConnectTimeout, 1), (CallError::ReadTimeout, 1)]
            || found == [(CallError::ReadTimeout, 2)],
        "{found:?}"
    );
}

#[test]
fn f10_to_f12_the_queue_is_as_long_as_the_endpoint_says() {
    for (queue, served) in [(json!(0), 1), (json!(1), 2), (json!(-1), 4), (Value::Null, 4)] {
        let (upstream, coming, release) = held();
        let http = json!({ "maxConcurrentConnections": 1, "maxWaitQueueSize": queue });
        let gateway = gateway(&upstream.target(""), http);
        let mut clients = vec![ask(&gateway)];
        coming.recv().expect("the first request is under way");
        clients.extend([ask(&gateway), ask(&gateway), ask(&gateway)]);
        let refused = 4 - served as u64;
        eventually("those beyond the queue are refused", || {
            gateway.counters.snapshot().apis["test"].by_class[4] == refused
        });
        for _ in 0..served {
            release.send(()).expect("the upstream waits");
        }
        let mut statuses: Vec<u16> = clients.iter_mut().map(|client| client.receive().status).collect();
        statuses.sort_unstable();
        let expected: Vec<u16> = [200; 4][..served].iter().chain(&[503; 4][served..]).copied().collect();
        assert_eq!(statuses, expected, "queue {queue}");
        assert_eq!(upstream.connections(), 1);
    }
}

#[test]
fn f14_a_client_that_goes_away_frees_its_place_and_cancels_the_upstream() {
    let (upstream, coming, release) = held();
    let gateway = gateway(&upstream.target(""), json!({ "maxConcurrentConnections": 1 }));
    let under_way = ask(&gateway);
    coming.recv().expect("the first request is under way");
    let queued = ask(&gateway);
    eventually("the second request is routed", || gateway.counters.snapshot().in_flight == 2);
    let mut last = ask(&gateway);
    eventually("the third request is routed", || gateway.counters.snapshot().in_flight == 3);
    drop(queued);
    eventually("the queued request is gone", || gateway.counters.snapshot().in_flight == 2);
    drop(under_way);
    eventually("the request under way is gone", || gateway.counters.snapshot().in_flight == 1);
    release.send(()).expect("the upstream waits");
    coming.recv().expect("the third request is under way");
    release.send(()).expect("the upstream waits");
    assert_eq!(last.receive().status, 200);
    assert_eq!(upstream.seen().len(), 2, "the queued request never went upstream");
    assert_eq!(upstream.connections(), 2, "the cancelled connection was not used again");
}

#[test]
fn a_client_that_goes_away_within_its_body_cancels_the_upstream() {
    let upstream = Upstream::ok();
    let gateway = gateway(&upstream.target(""), json!({}));
    let mut client = gateway.connect();
    client.send("POST /test HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    eventually("the request goes upstream", || upstream.connections() == 1);
    drop(client);
    eventually("the upstream's connection ends", || upstream.closed() == 1);
    assert!(upstream.seen().is_empty());
}

#[test]
fn a_response_that_breaks_off_is_seen_to_break_off() {
    for bytes in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nnonsense\r\n",
    ] {
        let upstream = Upstream::with_then_close(bytes);
        let gateway = gateway(&upstream.target(""), json!({}));
        let mut client = ask(&gateway);
        let response = client.receive();
        assert_eq!(
            (response.status, response.body.as_str(), response.complete),
            (200, "abc", false),
            "{bytes:?}"
        );
        assert!(client.is_closed());
    }
}

#[test]
fn a_body_that_ends_with_the_connection_is_passed_on_whole() {
    let upstream = Upstream::with_then_close("HTTP/1.1 200 OK\r\n\r\nto the end");
    let gateway = gateway(&upstream.target(""), json!({}));
    let response = gateway.get("/test", "");
    assert_eq!(response.header("transfer-encoding"), Some("chunked"));
    assert_eq!((response.body.as_str(), response.complete), ("to the end", true));
    let mut client = gateway.connect();
    client.send("GET /test HTTP/1.0\r\n\r\n");
    let response = client.receive();
    assert_eq!(response.header("transfer-encoding"), None, "HTTP/1.0 knows no chunks");
    assert_eq!(response.body, "to the end");
}

#[test]
fn trailers_are_relayed() {
    let upstream = Upstream::with(
        "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n",
    );
    let gateway = gateway(&upstream.target(""), json!({}));
    let mut client = gateway.connect();
    client.send("GET /test HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nConnection: close\r\n\r\n");
    let mut all = String::new();
    std::io::Read::read_to_string(&mut client.stream, &mut all).expect("text");
    assert!(all.to_ascii_lowercase().ends_with("0\r\nx-sum: 7\r\n\r\n"), "{all}");
}

/// An upstream that closes each connection after its first answer without saying so.
fn forgetful() -> (Upstream, Arc<AtomicUsize>) {
    let answered = Arc::new(AtomicUsize::new(0));
    let count = answered.clone();
    let upstream = Upstream::answering(move |_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        count.fetch_add(1, Ordering::SeqCst);
        Then::Close
    });
    (upstream, answered)
}

#[test]
fn a_pooled_connection_that_was_closed_meanwhile_is_never_noticed() {
    let (upstream, answered) = forgetful();
    let gateway = gateway(&upstream.target(""), json!({}));
    let mut client = gateway.connect();
    for round in 1..=50 {
        let method = if round % 2 == 0 { "POST" } else { "GET" };
        client.send(&format!("{method} /test HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_eq!(client.receive().status, 200, "round {round}");
        // So that the end of the connection has arrived before the next request.
        eventually("the upstream has closed", || upstream.closed() == round);
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(answered.load(Ordering::SeqCst), 50, "nothing was sent twice");
}

#[test]
fn a_request_on_a_used_connection_is_repeated_once_if_it_may_be() {
    // The second request on a connection is read and not answered.
    let upstream = || {
        let used = Mutex::new(std::collections::HashSet::new());
        Upstream::answering(move |_, stream| {
            let first = used.lock().expect("no panic").insert(stream.peer_addr().expect("connected"));
            if !first {
                return Then::Close;
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            Then::Keep
        })
    };
    for (method, status, seen) in [("GET", 200, 3), ("DELETE", 200, 3), ("POST", 502, 2)] {
        let upstream = upstream();
        let gateway = gateway(&upstream.target(""), json!({}));
        assert_eq!(gateway.get("/test", "").status, 200);
        let second = gateway.send(&format!("{method} /test HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_eq!((second.status, upstream.seen().len()), (status, seen), "{method}");
    }
    let upstream = upstream();
    let gateway = gateway(&upstream.target(""), json!({}));
    assert_eq!(gateway.get("/test", "").status, 200);
    let put = gateway.send("PUT /test HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
    assert_eq!((put.status, upstream.seen().len()), (502, 2), "a body cannot be sent again");
}

#[test]
fn connections_are_closed_when_the_endpoint_says_so() {
    for (http, expected) in
        [(json!({}), 1), (json!({ "keepAlive": false }), 3), (json!({ "maxConnectionLifetime": 1 }), 3)]
    {
        let upstream = Upstream::answering(|_, stream| {
            std::thread::sleep(Duration::from_millis(3));
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            Then::Keep
        });
        let gateway = gateway(&upstream.target(""), http.clone());
        for _ in 0..3 {
            assert_eq!(gateway.get("/test", "").status, 200);
        }
        assert_eq!(upstream.connections(), expected, "{http}");
    }
}

#[test]
fn an_early_answer_reaches_a_client_that_is_still_sending() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        // Answers at the head and reads no further.
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut buffer = [0; 64];
        let _ = std::io::Read::read(&mut stream, &mut buffer);
        let _ =
            stream.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
        std::thread::sleep(Duration::from_millis(200));
    });
    let gateway = gateway(&format!("http://{address}"), json!({}));
    let mut client = gateway.connect();
    client.send("POST /test HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nfirst piece");
    let response = client.receive();
    assert_eq!((response.status, response.body.as_str()), (413, "big"));
}

#[test]
fn a_connection_on_which_a_request_was_not_finished_is_never_used_again() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = accepted.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            count.fetch_add(1, Ordering::SeqCst);
            std::thread::spawn(move || {
                // Answers whatever comes at once, and would take the next request for the rest of a body.
                let mut buffer = [0; 4096];
                while matches!(std::io::Read::read(&mut stream, &mut buffer), Ok(length) if length > 0) {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
                }
            });
        }
    });
    let gateway = gateway(&format!("http://{address}"), json!({}));
    let mut unfinished = gateway.connect();
    unfinished.send("POST /test HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    assert_eq!(unfinished.receive().body, "ok");
    assert_eq!(gateway.get("/test", "").body, "ok");
    assert_eq!(accepted.load(Ordering::SeqCst), 2);
}
