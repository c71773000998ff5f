//! The head of an upstream's response: parsed, and its framing decided, strictly (`data-plane-live.md`, framing of
//! responses). What is not plain HTTP/1.x is an error, which the client sees as 502.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use hyper::ext::ReasonPhrase;

use crate::admission::parse_length;

/// Bytes that a response head may have.
const LARGEST_HEAD: usize = 64 * 1024;
/// Headers that are parsed without a second try.
const USUAL_HEADERS: usize = 48;
/// Headers that a response may have.
const MOST_HEADERS: usize = 512;

/// A response head, as it goes on to the client.
#[derive(Debug)]
pub(crate) struct ResponseHead {
    pub(crate) status: StatusCode,
    /// Without `Connection` and `Transfer-Encoding`.
    pub(crate) headers: HeaderMap,
    /// The reason phrase, where it is not the standard one.
    pub(crate) reason: Option<ReasonPhrase>,
    pub(crate) framing: BodyFraming,
    /// Whether the connection may be used again when the body has been read.
    pub(crate) keep_alive: bool,
    /// What the upstream says about how long it keeps an idle connection.
    pub(crate) keep_alive_timeout: Option<Duration>,
}

/// Where a response body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFraming {
    Sized(u64),
    Chunked,
    UntilClose,
}

/// The upstream's bytes are not a response head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid HTTP response")]
pub(crate) struct BadHead;

/// Takes a complete head from the start of what was received; `None` if it is not complete yet.
pub(crate) fn take(inbox: &mut BytesMut, method: &Method) -> Result<Option<ResponseHead>, BadHead> {
    if inbox.is_empty() {
        return Ok(None);
    }
    let mut few = [httparse::EMPTY_HEADER; USUAL_HEADERS];
    let mut response = httparse::Response::new(&mut few);
    match response.parse(inbox) {
        Ok(httparse::Status::Complete(length)) => {
            let lines = Lines::of(&response, inbox)?;
            lines.build(inbox, length, method).map(Some)
        }
        Ok(httparse::Status::Partial) if inbox.len() > LARGEST_HEAD => Err(BadHead),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(httparse::Error::TooManyHeaders) => take_large(inbox, method),
        Err(_) => Err(BadHead),
    }
}

#[cold]
fn take_large(inbox: &mut BytesMut, method: &Method) -> Result<Option<ResponseHead>, BadHead> {
    let mut many = vec![httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut many);
    match response.parse(inbox) {
        Ok(httparse::Status::Complete(length)) => {
            let lines = Lines::of(&response, inbox)?;
            lines.build(inbox, length, method).map(Some)
        }
        Ok(httparse::Status::Partial) if inbox.len() <= LARGEST_HEAD => Ok(None),
        _ => Err(BadHead),
    }
}

/// Where the parts of a head are, so that the bytes can be shared instead of copied.
struct Lines {
    status: StatusCode,
    http_11: bool,
    reason: Option<Bytes>,
    headers: smallvec::SmallVec<[(Span, Span); USUAL_HEADERS]>,
}

type Span = (u32, u32);

impl Lines {
    fn of(response: &httparse::Response<'_, '_>, inbox: &[u8]) -> Result<Self, BadHead> {
        let status = response.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(BadHead)?;
        let reason = response.reason.unwrap_or_default();
        let standard = status.canonical_reason().unwrap_or_default();
        let start = inbox.as_ptr() as usize;
        let span = |part: &[u8]| {
            let from = part.as_ptr() as usize - start;
            (from as u32, (from + part.len()) as u32)
        };
        Ok(Self {
            status,
            http_11: response.version == Some(1),
            reason: (reason != standard && !reason.is_empty())
                .then(|| Bytes::copy_from_slice(reason.as_bytes())),
            headers: response
                .headers
                .iter()
                .map(|line| (span(line.name.as_bytes()), span(line.value)))
                .collect(),
        })
    }

    fn build(self, inbox: &mut BytesMut, length: usize, method: &Method) -> Result<ResponseHead, BadHead> {
        if length > LARGEST_HEAD || has_bare_line_feed(&inbox[..length]) {
            return Err(BadHead);
        }
        let head = inbox.split_to(length).freeze();
        let mut headers = HeaderMap::with_capacity(self.headers.len() + 3);
        let (mut sized, mut chunked, mut coded) = (None, false, false);
        let (mut close, mut keep, mut keep_alive_timeout) = (false, false, None);
        for (name, value) in self.headers {
            let name =
                HeaderName::from_bytes(&head[name.0 as usize..name.1 as usize]).map_err(|_| BadHead)?;
            let value = head.slice(value.0 as usize..value.1 as usize);
            match name {
                header::CONNECTION => {
                    close |= has_token(&value, b"close");
                    keep |= has_token(&value, b"keep-alive");
                    continue;
                }
                header::TRANSFER_ENCODING => {
                    // One coding and no other: nothing else could be relayed without its name.
                    chunked = value.trim_ascii().eq_ignore_ascii_case(b"chunked") && !coded;
                    coded = true;
                    if !chunked {
                        return Err(BadHead);
                    }
                    continue;
                }
                header::CONTENT_LENGTH => {
                    let length = parse_length(&value).ok_or(BadHead)?;
                    if sized.replace(length).is_some() {
                        return Err(BadHead);
                    }
                }
                _ if name == KEEP_ALIVE => {
                    keep_alive_timeout = keep_alive_timeout.or_else(|| timeout_of(&value));
                }
                _ => {}
            }
            let value = HeaderValue::from_maybe_shared(value).map_err(|_| BadHead)?;
            headers.append(name, value);
        }
        if coded && (sized.is_some() || !self.http_11) {
            return Err(BadHead);
        }
        let bodiless = *method == Method::HEAD
            || matches!(self.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
            || self.status.is_informational();
        let framing = match sized {
            _ if bodiless => BodyFraming::Sized(0),
            _ if chunked => BodyFraming::Chunked,
            Some(length) => BodyFraming::Sized(length),
            None => BodyFraming::UntilClose,
        };
        Ok(ResponseHead {
            status: self.status,
            headers,
            reason: self.reason.and_then(|reason| ReasonPhrase::try_from(reason).ok()),
            framing,
            keep_alive: !close && (self.http_11 || keep) && framing != BodyFraming::UntilClose,
            keep_alive_timeout,
        })
    }
}

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

fn has_token(value: &[u8], token: &[u8]) -> bool {
    value.split(|byte| *byte == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(token))
}

/// `timeout=N` of a `Keep-Alive` header, in seconds.
fn timeout_of(value: &[u8]) -> Option<Duration> {
    value.split(|byte| *byte == b',').find_map(|part| {
        let (name, seconds) = part.trim_ascii().split_at_checked(8)?;
        if !name.eq_ignore_ascii_case(b"timeout=") {
            return None;
        }
        std::str::from_utf8(seconds)
            .ok()?
            .parse::<u32>()
            .ok()
            .map(|seconds| Duration::from_secs(seconds.into()))
    })
}

fn has_bare_line_feed(head: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', head).any(|at| at == 0 || head[at - 1] != b'\r')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Option<ResponseHead>, BadHead> {
        take(&mut BytesMut::from(text), &Method::GET)
    }

    fn head(text: &str) -> ResponseHead {
        parse(text).expect("valid").expect("complete")
    }

    #[test]
    fn the_body_ends_where_the_framing_says() {
        assert_eq!(head("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n").framing, BodyFraming::Sized(12));
        assert_eq!(
            head("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n").framing,
            BodyFraming::Chunked
        );
        assert_eq!(head("HTTP/1.1 200 OK\r\n\r\n").framing, BodyFraming::UntilClose);
        assert_eq!(head("HTTP/1.1 204 No Content\r\n\r\n").framing, BodyFraming::Sized(0));
        let not_modified = head("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n");
        assert_eq!(not_modified.framing, BodyFraming::Sized(0));
        assert_eq!(not_modified.headers.get("content-length").map(HeaderValue::as_bytes), Some(&b"7"[..]));
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n";
        let to_head = take(&mut BytesMut::from(text), &Method::HEAD).expect("valid").expect("complete");
        assert_eq!(to_head.framing, BodyFraming::Sized(0));
    }

    #[test]
    fn a_connection_is_kept_only_where_both_sides_agree() {
        assert!(head("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").keep_alive);
        assert!(!head("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x, Close\r\n\r\n").keep_alive);
        assert!(!head("HTTP/1.1 200 OK\r\n\r\n").keep_alive);
        assert!(!head("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n").keep_alive);
        assert!(head("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n").keep_alive);
        let timed = head("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nKeep-Alive: max=9, Timeout=5\r\n\r\n");
        assert_eq!(timed.keep_alive_timeout, Some(Duration::from_secs(5)));
        assert!(timed.headers.contains_key("keep-alive"), "relayed, as recorded from the original");
    }

    #[test]
    fn two_framings_are_one_too_many() {
        for lines in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nContent-Length: 5",
            "Content-Length: 5\r\nContent-Length: 5",
            "Content-Length: 5, 5",
            "Content-Length: +5",
            "Content-Length: -5",
            "Content-Length:",
            "Content-Length: 99999999999999999999",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: gzip",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: chunked, identity",
        ] {
            assert!(parse(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n")).is_err(), "{lines}");
        }
        assert!(parse("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
    }

    #[test]
    fn what_is_no_head_is_refused() {
        for text in [
            "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
            "HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 099 OK\r\n\r\n",
            "HTTP/2.0 200 OK\r\n\r\n",
            "ICY 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: \0\r\n\r\n",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn l2_a_head_is_bounded() {
        let lines = "X-Header: some value\r\n".repeat(4000);
        assert!(parse(&format!("HTTP/1.1 200 OK\r\n{lines}")).is_err());
        assert!(parse(&format!("HTTP/1.1 200 OK\r\nX: {}", "a".repeat(70_000))).is_err());
        let lines = "X: y\r\n".repeat(500);
        assert!(parse(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n")).is_ok_and(|head| head.is_some()));
    }

    #[test]
    fn a_reason_of_its_own_is_kept_and_what_follows_the_head_is_left() {
        let mut inbox = BytesMut::from("HTTP/1.1 200 Custom\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\nbody");
        let head = take(&mut inbox, &Method::GET).expect("valid").expect("complete");
        assert_eq!(head.reason.as_ref().map(ReasonPhrase::as_bytes), Some(&b"Custom"[..]));
        assert_eq!(head.headers.get_all("set-cookie").iter().count(), 2);
        assert_eq!(&inbox[..], b"body");
    }

    proptest! {
        #[test]
        fn any_input_is_parsed_or_refused(text in "(HTTP/1.1 200 OK\r\n)?[ -~\r\n]{0,200}(\r\n\r\n)?") {
            let _ = parse(&text);
        }

        #[test]
        fn a_head_in_pieces_is_incomplete_until_its_end(end in 1_usize..60) {
            let text = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nX-A: b\r\n\r\n";
            let end = end.min(text.len() - 1);
            prop_assert!(parse(&text[..end]).is_ok_and(|head| head.is_none()));
        }
    }
}
