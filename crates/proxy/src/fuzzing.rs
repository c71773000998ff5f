//! Doors for the fuzz targets into parsers that are nobody else's business. Each panics if something does not hold.

use bytes::BytesMut;
use http::Method;

use crate::admission::{HeadLimits, HeadScanner, HeadStatus};
use crate::chunked::{ChunkScanner, Next};
use crate::{query, upstream};

const LIMITS: HeadLimits = HeadLimits { request_line: 200, headers: 400 };

/// A request head is the same whether it comes at once or byte by byte.
pub fn request_head(bytes: &[u8]) {
    let whole = HeadScanner::default().advance(bytes, &LIMITS);
    let mut scanner = HeadScanner::default();
    let mut pieces = HeadStatus::Incomplete;
    for end in 0..=bytes.len().min(2000) {
        pieces = scanner.advance(&bytes[..end], &LIMITS);
        if pieces != HeadStatus::Incomplete {
            break;
        }
    }
    if bytes.len() <= 2000 {
        // Which of two faults is seen first may depend on the pieces; whether it is refused may not.
        let refused = |status| matches!(status, HeadStatus::Refused(_));
        assert!(
            whole == pieces || (refused(whole) && refused(pieces)),
            "{whole:?} at once, {pieces:?} in pieces"
        );
    }
    if let HeadStatus::Complete { length, .. } = whole {
        assert!(length <= bytes.len());
    }
}

/// A response head takes no more than it was given.
pub fn response_head(bytes: &[u8]) {
    for method in [Method::GET, Method::HEAD] {
        let mut inbox = BytesMut::from(bytes);
        if let Ok(Some(_)) = upstream::response_head::take(&mut inbox, &method) {
            assert!(inbox.len() < bytes.len(), "a head has a length");
        }
    }
}

/// A chunked body has the same content at once and byte by byte.
pub fn chunked_body(bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(4000)];
    let whole = content(bytes, bytes.len().max(1));
    assert_eq!(whole, content(bytes, 1), "a body does not depend on its pieces");
}

/// Data of a body that is taken in pieces of some size, and whether it was sound and whole.
fn content(bytes: &[u8], piece: usize) -> (Vec<u8>, Option<bool>) {
    let mut scanner = ChunkScanner::new();
    let mut data = Vec::new();
    let mut inbox: Vec<u8> = Vec::new();
    for piece in bytes.chunks(piece) {
        inbox.extend_from_slice(piece);
        loop {
            let Ok(scan) = scanner.next(&inbox) else { return (data, None) };
            inbox.drain(..scan.skip);
            match scan.then {
                Next::Data(length) => data.extend(inbox.drain(..length)),
                Next::Trailer(length) => drop(inbox.drain(..length)),
                Next::More => break,
                Next::End => return (data, Some(true)),
            }
        }
    }
    (data, Some(false))
}

/// A query that was written again without a parameter does not have it.
pub fn query(text: &str) {
    let _ = query::first(text, "api-key");
    let _ = query::first_ignoring_case(text, "api-key");
    let mut out = Vec::new();
    query::write(&mut out, Some(text), Some("api-key"), None);
    if let Ok(out) = std::str::from_utf8(&out) {
        let left = out.strip_prefix('?').unwrap_or(out);
        assert_eq!(query::first(left, "api-key"), None, "the key is gone from {out:?}");
    }
}
