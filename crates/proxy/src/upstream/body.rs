//! The body of an upstream's response, read as the client takes it.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use super::exchange::Exchange;
use super::failure::CallError;
use super::pool::Pool;
use super::response_head::BodyFraming;
use crate::chunked::{ChunkScanner, Next};

/// Trailers that are relayed at most.
const MOST_TRAILERS: usize = 64;

/// A response body that broke off. The client's connection is closed without its proper end, so that the client can
/// tell (unlike the original, see `data-plane-live.md`, "Not to be copied").
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the upstream's response ended early: {0}")]
pub(crate) struct EndedEarly(pub(crate) CallError);

/// What is left of a body to be read.
#[derive(Debug)]
enum Rest {
    Sized(u64),
    Chunked(ChunkScanner),
    UntilClose,
    Ended,
    Broken(CallError),
}

/// A response body under way.
#[derive(Debug)]
pub(crate) struct UpstreamBody {
    /// `None` when the body has been read to its end.
    exchange: Option<Exchange>,
    rest: Rest,
    keep_alive: bool,
    pool: Rc<Pool>,
    trailers: Vec<u8>,
}

impl UpstreamBody {
    pub(crate) fn new(exchange: Exchange, framing: BodyFraming, keep_alive: bool, pool: Rc<Pool>) -> Self {
        let rest = match framing {
            BodyFraming::Sized(length) => Rest::Sized(length),
            BodyFraming::Chunked => Rest::Chunked(ChunkScanner::new()),
            BodyFraming::UntilClose => Rest::UntilClose,
        };
        Self { exchange: Some(exchange), rest, keep_alive, pool, trailers: Vec::new() }
    }

    /// The whole body, if it is there already; the connection goes back to its pool.
    pub(crate) fn take_whole(&mut self) -> Option<Bytes> {
        let Rest::Sized(length) = self.rest else { return None };
        let inbox = &mut self.exchange.as_mut()?.connection.inbox;
        let length = usize::try_from(length).ok().filter(|length| *length <= inbox.len())?;
        let body = inbox.split_to(length).freeze();
        self.finish();
        Some(body)
    }

    /// The response is complete: the connection is kept if both sides are at the end of the exchange.
    fn finish(&mut self) {
        self.rest = Rest::Ended;
        if let Some(exchange) = self.exchange.take()
            && self.keep_alive
            && exchange.is_sent()
            && exchange.connection.inbox.is_empty()
        {
            self.pool.put(exchange.into_connection(), Instant::now());
        }
    }

    /// The body breaks off. The error itself comes with the next poll: what was passed on before it, the head at
    /// least, is sent to the client first.
    fn fail(
        &mut self,
        cx: &mut Context<'_>,
        error: CallError,
    ) -> Poll<Option<Result<Frame<Bytes>, EndedEarly>>> {
        self.rest = Rest::Broken(error);
        self.exchange = None;
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Takes what is there from the inbox.
    fn take(&mut self) -> Result<Taken, CallError> {
        let Some(exchange) = &mut self.exchange else { return Ok(Taken::End) };
        let inbox = &mut exchange.connection.inbox;
        match &mut self.rest {
            Rest::Ended | Rest::Broken(_) | Rest::Sized(0) => Ok(Taken::End),
            _ if inbox.is_empty() => Ok(Taken::Nothing),
            Rest::Sized(left) => {
                let length = usize::try_from(*left).unwrap_or(usize::MAX).min(inbox.len());
                *left -= length as u64;
                Ok(Taken::Data(inbox.split_to(length).freeze()))
            }
            Rest::UntilClose => Ok(Taken::Data(inbox.split().freeze())),
            Rest::Chunked(scanner) => loop {
                let scan = scanner.next(inbox).map_err(|_| CallError::Malformed)?;
                inbox.advance(scan.skip);
                match scan.then {
                    Next::Data(length) => return Ok(Taken::Data(inbox.split_to(length).freeze())),
                    Next::Trailer(length) => {
                        self.trailers.extend_from_slice(&inbox[..length]);
                        inbox.advance(length);
                    }
                    Next::More => return Ok(Taken::Nothing),
                    Next::End => return Ok(Taken::End),
                }
            },
        }
    }

    fn take_trailers(&mut self) -> Option<HeaderMap> {
        if self.trailers.is_empty() {
            return None;
        }
        let mut lines = std::mem::take(&mut self.trailers);
        lines.extend_from_slice(b"\r\n");
        let mut parsed = [httparse::EMPTY_HEADER; MOST_TRAILERS];
        let Ok(httparse::Status::Complete((_, lines))) = httparse::parse_headers(&lines, &mut parsed) else {
            return None;
        };
        let trailers: HeaderMap = lines
            .iter()
            .filter_map(|line| {
                let name = HeaderName::from_bytes(line.name.as_bytes()).ok()?;
                Some((name, HeaderValue::from_bytes(line.value).ok()?))
            })
            .collect();
        Some(trailers)
    }
}

enum Taken {
    Data(Bytes),
    Nothing,
    End,
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = EndedEarly;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, EndedEarly>>> {
        let this = self.get_mut();
        if let Rest::Broken(error) = this.rest {
            this.rest = Rest::Ended;
            return Poll::Ready(Some(Err(EndedEarly(error))));
        }
        loop {
            match this.take() {
                Ok(Taken::Data(data)) => {
                    if matches!(this.rest, Rest::Sized(0)) {
                        this.finish();
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Ok(Taken::End) => {
                    this.finish();
                    return Poll::Ready(this.take_trailers().map(|trailers| Ok(Frame::trailers(trailers))));
                }
                Ok(Taken::Nothing) => {}
                Err(error) => return this.fail(cx, error),
            }
            let Some(exchange) = &mut this.exchange else { return Poll::Ready(None) };
            // The request may still be on its way while the response comes back.
            if !exchange.is_sent() {
                let _ = exchange.poll_send(cx);
                if exchange.is_aborted() {
                    return this.fail(cx, CallError::ClientAborted);
                }
            }
            match exchange.poll_receive(cx, None) {
                Poll::Ready(Ok(0)) if matches!(this.rest, Rest::UntilClose) => {
                    this.finish();
                    return Poll::Ready(None);
                }
                Poll::Ready(Ok(0)) => return this.fail(cx, CallError::Closed),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return this.fail(cx, error),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self.rest {
            Rest::Ended => self.trailers.is_empty(),
            Rest::Sized(left) => left == 0,
            Rest::Chunked(_) | Rest::UntilClose | Rest::Broken(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self.rest {
            Rest::Sized(left) => SizeHint::with_exact(left),
            Rest::Ended => SizeHint::with_exact(0),
            Rest::Chunked(_) | Rest::UntilClose | Rest::Broken(_) => SizeHint::default(),
        }
    }
}
