//! Requests that must not be believed: limits, malformed heads, smuggling (`data-plane.md` section 2.12 and
//! `data-plane-live.md`, framing of requests).

use std::io::Write;

use proptest::prelude::*;

use crate::gateway::{Gateway, keyless};
use crate::upstream::Upstream;

fn serving() -> (Upstream, Gateway) {
    let upstream = Upstream::ok();
    let gateway = Gateway::serving(vec![keyless(&upstream.target(""))]);
    (upstream, gateway)
}

/// Sends bytes in pieces; the first answer, and whether the connection was closed after it.
fn answer(gateway: &Gateway, bytes: &[u8], piece: usize) -> (u16, String, bool) {
    let mut client = gateway.connect();
    for piece in bytes.chunks(piece) {
        // The gateway may have answered and closed before everything was sent.
        if client.stream.write_all(piece).is_err() {
            break;
        }
    }
    let response = client.receive();
    let closed = client.is_closed();
    (response.status, response.head, closed)
}

#[test]
fn l1_a_request_with_two_meanings_is_refused_and_ends_the_connection() {
    let (upstream, gateway) = serving();
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: chunked\r\ncOnTeNt-lEnGtH: 0",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nX: y\r\nContent-Length: 6",
        "Content-Length: 5, 5",
        "Content-Length: -5",
        "Content-Length: +5",
        "Content-Length: 5 5",
        "Content-Length: 0x5",
        "Content-Length: ",
        "Content-Length: 99999999999999999999",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: \u{b}chunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding\r\n : chunked",
        "X: y\r\n folded: z",
        "X: y\r\n\tTransfer-Encoding: chunked",
        "X: y\nTransfer-Encoding: chunked",
        "X y",
        "X(: y",
        "X: a\0b",
        ": y",
    ] {
        let request = format!(
            "POST /test HTTP/1.1\r\nHost: x\r\n{lines}\r\n\r\n0\r\n\r\nGET /test HTTP/1.1\r\nHost: x\r\n\r\n"
        );
        for piece in [1, 7, request.len()] {
            let (status, head, closed) = answer(&gateway, request.as_bytes(), piece);
            assert_eq!(status, 400, "{lines:?} in pieces of {piece}");
            assert!(head.contains("content-length: 0"), "{head}");
            assert!(!head.contains("x-gravitee"), "{head}");
            assert!(closed, "{lines:?}: nothing after it is served");
        }
    }
    assert!(upstream.seen().is_empty());
}

#[test]
fn l1_a_malformed_request_line_is_refused() {
    let (upstream, gateway) = serving();
    for (line, expected) in [
        ("garbage", 400),
        ("GET /test", 400),
        ("GET /test HTTP/1.1 ", 400),
        ("GET /test HTTX/1.1", 400),
        ("GET  HTTP/1.1", 400),
        ("G(ET /test HTTP/1.1", 400),
        ("GET /te st HTTP/1.1", 400),
        ("GET /test\u{1} HTTP/1.1", 400),
        ("GET /test HTTP/1.7", 505),
        ("GET /test HTTP/2.0", 505),
        ("PRI * HTTP/2.0", 505),
    ] {
        let (status, _, closed) = answer(&gateway, format!("{line}\r\nHost: x\r\n\r\n").as_bytes(), 1000);
        assert_eq!((status, closed), (expected, true), "{line:?}");
    }
    assert_eq!(
        answer(&gateway, b"GET /test HTTP/1.1\nHost: x\n\n", 1000).0,
        400,
        "line feeds alone are no line ends"
    );
    assert!(upstream.seen().is_empty());
}

#[test]
fn l2_long_request_lines_and_headers_have_their_status() {
    let (upstream, gateway) = serving();
    let with_line = |length: usize| {
        let path = "a".repeat(length - "GET /test? HTTP/1.1".len());
        format!("GET /test?{path} HTTP/1.1\r\nHost: x\r\n\r\n")
    };
    let with_headers = |length: usize| {
        let value = "a".repeat(length - "Host: x\r\nX-Big: \r\n".len());
        format!("GET /test HTTP/1.1\r\nHost: x\r\nX-Big: {value}\r\n\r\n")
    };
    for piece in [100, 1 << 20] {
        assert_eq!(answer_keeping(&gateway, &with_line(4096), piece), 200);
        assert_eq!(answer_keeping(&gateway, &with_headers(8192), piece), 200);
        for (request, expected) in [
            (with_line(4097), 414),
            (with_line(200_000), 414),
            (with_headers(8193), 431),
            (with_headers(200_000), 431),
        ] {
            let (status, head, closed) = answer(&gateway, request.as_bytes(), piece);
            assert_eq!((status, closed), (expected, true), "{head}");
        }
    }
    assert_eq!(upstream.seen().len(), 4);
    assert!(gateway.counters.snapshot().refused >= 8);
}

fn answer_keeping(gateway: &Gateway, request: &str, piece: usize) -> u16 {
    let mut client = gateway.connect();
    for piece in request.as_bytes().chunks(piece) {
        client.stream.write_all(piece).expect("the gateway reads");
    }
    client.receive().status
}

#[test]
fn an_overlong_head_that_never_ends_is_answered_all_the_same() {
    let (_, gateway) = serving();
    let endless_line = "GET /".to_owned() + &"a".repeat(5000);
    assert_eq!(answer(&gateway, endless_line.as_bytes(), 1000).0, 414);
    let endless_headers = "GET /test HTTP/1.1\r\n".to_owned() + &"X: y\r\n".repeat(2000);
    assert_eq!(answer(&gateway, endless_headers.as_bytes(), 1000).0, 431);
}

#[test]
fn a_refused_request_does_not_spoil_those_before_it() {
    let (upstream, gateway) = serving();
    let mut client = gateway.connect();
    client.send(
        "POST /test/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc\
         GET /test/2 HTTP/1.1\r\nHost: x\r\n\r\n\
         POST /test/3 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n\
         GET /test/4 HTTP/1.1\r\nHost: x\r\n\r\n",
    );
    assert_eq!([client.receive().status, client.receive().status, client.receive().status], [200, 200, 400]);
    assert!(client.is_closed());
    let lines: Vec<_> = upstream.seen().iter().map(|seen| seen.line().to_owned()).collect();
    assert_eq!(lines, ["POST /1", "GET /2"]);
}

#[test]
fn a_body_that_looks_like_a_request_is_a_body() {
    let (upstream, gateway) = serving();
    let inner = "GET /test/inner HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut client = gateway.connect();
    client.send(&format!("POST /test HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{inner}", inner.len()));
    assert_eq!(client.receive().status, 200);
    client.send(&format!(
        "POST /test HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{inner}\r\n0\r\nX: y\r\n\r\n",
        inner.len()
    ));
    assert_eq!(client.receive().status, 200);
    let seen = upstream.seen();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|seen| seen.body == inner));
    assert!(seen[1].head.to_ascii_lowercase().contains("transfer-encoding: chunked"));
}

#[test]
fn a_broken_chunk_ends_the_connection_and_the_call() {
    let (upstream, gateway) = serving();
    for body in ["zz\r\n", "3\r\nabcX", "5\nhello\r\n0\r\n\r\n", "-1\r\n"] {
        let mut client = gateway.connect();
        client.send(&format!("POST /test HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{body}"));
        let mut rest = Vec::new();
        let _ = std::io::Read::read_to_end(&mut client.stream, &mut rest);
        assert!(!rest.starts_with(b"HTTP/1.1 2"), "{body:?}");
    }
    assert!(upstream.seen().is_empty());
}

#[test]
fn lengths_are_passed_on_as_they_were_announced() {
    let (upstream, gateway) = serving();
    for (method, lines, body, length) in [
        ("POST", "", "", None),
        ("PUT", "Content-Length: 0\r\n", "", Some("0")),
        ("GET", "Content-Length: 3\r\n", "abc", Some("3")),
        ("DELETE", "Content-Length: 03\r\n", "abc", Some("3")),
    ] {
        let response = gateway.send(&format!("{method} /test HTTP/1.1\r\nHost: x\r\n{lines}\r\n{body}"));
        assert_eq!(response.status, 200);
        let seen = upstream.last();
        assert_eq!((seen.header("content-length"), seen.body.as_str()), (length, body), "{method}");
        assert_eq!(seen.header("transfer-encoding"), None);
    }
    gateway.send(
        "POST /test HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
    );
    assert_eq!(
        upstream.last().header("transfer-encoding"),
        Some("gzip, chunked"),
        "no coding is lost on the way"
    );
}

#[test]
fn a_client_that_waits_for_continue_gets_it() {
    let (upstream, gateway) = serving();
    let mut client = gateway.connect();
    client.send("POST /test HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    assert!(client.receive_head().starts_with("HTTP/1.1 100 Continue"));
    client.send("abc");
    assert_eq!(client.receive().status, 200);
    assert_eq!(upstream.last().header("expect"), Some("100-continue"));
    assert_eq!(upstream.last().body, "abc");

    let refusing =
        gateway.send("POST /none HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(refusing.status, 404, "the body is not asked for");
}

#[test]
fn http_1_0_clients_are_served_and_closed() {
    let (_, gateway) = serving();
    let mut client = gateway.connect();
    client.send("GET /test HTTP/1.0\r\n\r\n");
    let response = client.receive();
    assert_eq!((response.status, response.body.as_str()), (200, "ok"));
    assert!(client.is_closed());
    let mut client = gateway.connect();
    for _ in 0..2 {
        client.send("GET /test HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        assert_eq!(client.receive().body, "ok");
    }
    assert_eq!(
        gateway.send("POST /test HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").status,
        400
    );
}

#[test]
fn a_head_request_has_no_body_whatever_the_length_says() {
    let upstream = Upstream::with("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nX-A: b\r\n\r\n");
    let gateway = Gateway::serving(vec![keyless(&upstream.target(""))]);
    let mut client = gateway.connect();
    for _ in 0..3 {
        client.send("HEAD /test HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(client.receive().header("content-length"), Some("1000"));
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn an_answer_that_has_no_body_ends_with_its_head() {
    for (status, lines) in [
        // The HTTP library leaves it out where there is no body to go with it.
        ("304 Not Modified", "Content-Length: 7\r\n"),
        ("304 Not Modified", ""),
        ("204 No Content", ""),
    ] {
        let upstream = Upstream::answering(move |_, stream| {
            let _ = write!(stream, "HTTP/1.1 {status}\r\n{lines}ETag: x\r\n\r\n");
            crate::upstream::Then::Keep
        });
        let gateway = Gateway::serving(vec![keyless(&upstream.target(""))]);
        let mut client = gateway.connect();
        for _ in 0..2 {
            client.send("GET /test HTTP/1.1\r\nHost: x\r\n\r\n");
            let response = client.receive();
            assert!(response.head.starts_with(&format!("HTTP/1.1 {status}")));
            assert_eq!(response.header("content-length"), None, "{status}");
            assert_eq!(response.header("transfer-encoding"), None);
        }
        assert_eq!(upstream.connections(), 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever a client sends, the gateway goes on, and never lets through what it refuses.
    #[test]
    fn l1_any_bytes_leave_the_gateway_in_order(
        lines in prop::collection::vec(
            prop::sample::select(vec![
                "GET /test HTTP/1.1", "POST /test HTTP/1.1", "Host: x", "Content-Length: 3", "Content-Length: 0",
                "Transfer-Encoding: chunked", "Transfer-Encoding: x", "", "", "0", "3", "abc", " folded", "X: y", "\u{1}", ":",
            ]), 0..14),
        ends in prop::collection::vec(prop::sample::select(vec!["\r\n", "\r\n", "\r\n", "\n", "\r", ""]), 14),
        piece in 1_usize..40,
    ) {
        thread_local! {
            static SERVING: (Upstream, Gateway) = serving();
        }
        SERVING.with(|(upstream, gateway)| {
            let bytes: String = lines.iter().zip(&ends).flat_map(|(line, end)| [*line, *end]).collect();
            let mut client = gateway.connect();
            for piece in bytes.as_bytes().chunks(piece) {
                if client.stream.write_all(piece).is_err() {
                    break;
                }
            }
            let _ = client.stream.shutdown(std::net::Shutdown::Write);
            let mut rest = Vec::new();
            let _ = std::io::Read::read_to_end(&mut client.stream, &mut rest);
            for seen in upstream.seen() {
                let framings = seen.headers("content-length").len() + seen.headers("transfer-encoding").len();
                assert!(framings <= 1, "{}", seen.head);
            }
            assert_eq!(gateway.get("/test", "").status, 200);
        });
    }
}
