//! What comes through, byte by byte, against a plain reading of the same rules.

use std::io::Write;

use proptest::prelude::*;
use tokio::io::AsyncReadExt;

use super::*;

const LIMITS: HeadLimits = HeadLimits { request_line: 64, headers: 128 };

/// Everything that comes through from an input that arrives in pieces, and the refusal.
fn through(input: &[u8], piece: usize, room: usize) -> (Vec<u8>, Option<StatusCode>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        let signals = Rc::new(ConnectionSignals::default());
        let mut admission = Admission::new(server, LIMITS, signals.clone());
        let mut out = Vec::new();
        for piece in input.chunks(piece) {
            tokio::io::AsyncWriteExt::write_all(&mut client, piece).await.expect("room");
            // One read for each piece, as long as something comes through.
            let mut buffer = vec![0; room];
            while let Ok(Ok(length)) =
                tokio::time::timeout(std::time::Duration::ZERO, admission.read(&mut buffer)).await
            {
                out.extend_from_slice(&buffer[..length]);
                if length == 0 {
                    break;
                }
            }
        }
        (out, signals.refused.get())
    })
}

fn admitted(input: &[u8]) {
    for (piece, room) in [(1, 3), (5, 100), (input.len().max(1), 7), (input.len().max(1), 4096)] {
        let (out, refused) = through(input, piece, room);
        assert_eq!(refused, None, "{:?}", String::from_utf8_lossy(input));
        assert_eq!(out, input, "pieces of {piece}, room for {room}");
    }
}

fn refused(input: &[u8], before: &[u8], status: StatusCode) {
    for (piece, room) in [(1, 3), (5, 100), (input.len().max(1), 4096)] {
        let (out, found) = through(input, piece, room);
        assert_eq!(found, Some(status), "{:?}", String::from_utf8_lossy(input));
        let mut expected = Vec::new();
        expected.write_all(before).expect("memory");
        expected.write_all(MARKED_REQUEST).expect("memory");
        assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&expected), "pieces of {piece}");
    }
}

#[test]
fn well_formed_requests_come_through_unchanged() {
    admitted(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    admitted(b"\r\n\r\nGET / HTTP/1.0\r\n\r\nGET /2 HTTP/1.1\r\n\r\n");
    admitted(b"POST / HTTP/1.1\r\nContent-Length: 28\r\n\r\nGET / HTTP/9.9\r\n garbage\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    admitted(
        b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip , Chunked\r\n\r\n4;x=y\r\n\r\n\r\n\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    );
}

#[test]
fn what_follows_a_refused_request_is_never_read() {
    let good = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nok";
    let mut input = good.to_vec();
    input.extend_from_slice(
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nGET /2 HTTP/1.1\r\n\r\n",
    );
    refused(&input, good, StatusCode::BAD_REQUEST);
    refused(b"GET / HTTP/3.0\r\n\r\n", b"", StatusCode::HTTP_VERSION_NOT_SUPPORTED);
    refused(b"GET /\r\n\r\n", b"", StatusCode::BAD_REQUEST);
}

#[test]
fn l2_limits_hold_to_the_byte() {
    let line =
        |length: usize| format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(length - "GET / HTTP/1.1".len()));
    admitted(line(64).as_bytes());
    refused(line(65).as_bytes(), b"", StatusCode::URI_TOO_LONG);
    let headers = |length: usize| format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(length - 5));
    admitted(headers(128).as_bytes());
    refused(headers(129).as_bytes(), b"", StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    refused("\r\n".repeat(100).as_bytes(), b"", StatusCode::URI_TOO_LONG);
}

#[test]
fn a_client_gains_nothing_by_sending_the_mark() {
    let signals = ConnectionSignals::default();
    let request = Request::builder().method(MARK).uri("/").body(()).expect("a request");
    assert_eq!(signals.refusal(&request), None);
    signals.refused.set(Some(StatusCode::BAD_REQUEST));
    assert_eq!(signals.refusal(&request), Some(StatusCode::BAD_REQUEST));
    let other = Request::builder().uri("/").body(()).expect("a request");
    assert_eq!(signals.refusal(&other), None, "a request before the refused one is answered as always");
}

proptest! {
    #[test]
    fn pieces_and_room_do_not_matter(
        parts in prop::collection::vec(prop::sample::select(vec![
            &b"GET / HTTP/1.1\r\n"[..], b"POST /x HTTP/1.1\r\n", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n",
            b"\r\n", b"abc", b"3\r\n", b"0\r\n", b"X: y\r\n", b"\n", b" ", b"GET / HTTP/1.1\r\n\r\n",
        ]), 0..12),
        piece in 1_usize..30,
        room in 1_usize..60,
    ) {
        let input = parts.concat();
        let (whole, verdict) = through(&input, input.len().max(1), 4096);
        let (pieces, same_verdict) = through(&input, piece, room);
        prop_assert_eq!(verdict, same_verdict);
        // A broken chunk ends the connection; how much of the body came through before depends on the pieces.
        prop_assert!(whole.starts_with(&pieces) || pieces.starts_with(&whole));
    }
}
