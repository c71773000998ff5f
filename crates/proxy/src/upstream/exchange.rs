//! One request and its response on one connection. Both directions move in the same task, driven by whoever waits for
//! the response; dropping the exchange closes the connection, so that a client that goes away cancels the upstream.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::{Method, StatusCode};
use http_body::Body;
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};

use super::connection::{Connection, earlier};
use super::failure::CallError;
use super::response_head::{self, ResponseHead};

/// Pieces of a request body up to this size are copied beside each other, to be sent at once.
const GATHER: usize = 16 * 1024;
/// How long the upstream may think about `Expect: 100-continue` before the body is sent all the same.
const CONTINUE_PATIENCE: Duration = Duration::from_secs(1);

/// How a request body goes upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// As it is; its length is in the head.
    Sized,
    /// In chunks.
    Chunked,
}

/// The body of a request on its way upstream.
#[derive(Debug)]
pub(crate) struct RequestBody {
    pub(crate) incoming: Incoming,
    pub(crate) framing: Framing,
    /// The client waits for `100 Continue` before it sends the body.
    pub(crate) expects_continue: bool,
}

#[derive(Debug)]
enum Sending {
    /// The body waits for the upstream's word.
    Held(RequestBody, Pin<Box<Sleep>>),
    Body(RequestBody),
    /// Everything is in the buffers.
    Flushing,
    Done,
    /// The upstream takes no more; its response may be there all the same.
    Broken,
    /// The client's body ended early.
    Aborted,
}

/// A request that is being sent, and its response.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) connection: Box<Connection>,
    /// Held until the response is complete: it is what limits the endpoint's load.
    permit: OwnedSemaphorePermit,
    sending: Sending,
    sent: usize,
    pending: Bytes,
    /// No body was ever there, so that the request can be sent once more.
    bodiless: bool,
    received: bool,
    /// When the present silence is too long; set when waiting begins.
    silent_until: Option<Instant>,
}

impl Exchange {
    /// Begins with the head that is in the connection's outbox.
    pub(crate) fn new(
        connection: Box<Connection>,
        permit: OwnedSemaphorePermit,
        body: Option<RequestBody>,
    ) -> Self {
        let bodiless = body.is_none();
        let sending = match body {
            None => Sending::Flushing,
            Some(body) if body.expects_continue => {
                Sending::Held(body, Box::pin(tokio::time::sleep(CONTINUE_PATIENCE)))
            }
            Some(body) => Sending::Body(body),
        };
        let (sent, pending) = (0, Bytes::new());
        Self { connection, permit, sending, sent, pending, bodiless, received: false, silent_until: None }
    }

    /// Whether the request has been sent to its end.
    pub(crate) fn is_sent(&self) -> bool {
        matches!(self.sending, Sending::Done)
    }

    /// Whether nothing came back and nothing of a body was used up: the same request may go over another connection.
    pub(crate) fn is_repeatable(&self) -> bool {
        self.bodiless && !self.received
    }

    /// The head that was sent, and the permit, for another try.
    pub(crate) fn into_parts(self) -> (Vec<u8>, OwnedSemaphorePermit) {
        let Self { mut connection, permit, .. } = self;
        (std::mem::take(&mut connection.outbox), permit)
    }

    /// The connection, when the exchange is over.
    pub(crate) fn into_connection(self) -> Box<Connection> {
        self.connection
    }

    /// Sends as much as can be sent. Ready when there is nothing more to send.
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let mut waits_for_client = false;
            if self.pending.is_empty() && self.connection.outbox.len() - self.sent < GATHER {
                match &mut self.sending {
                    Sending::Body(body) => match Pin::new(&mut body.incoming).poll_frame(cx) {
                        Poll::Ready(Some(Ok(frame))) => {
                            let framing = body.framing;
                            // Trailers of requests are dropped, as the original does.
                            if let Ok(data) = frame.into_data() {
                                self.take_in(data, framing);
                            }
                            continue;
                        }
                        Poll::Ready(Some(Err(_))) => {
                            self.sending = Sending::Aborted;
                            return Poll::Ready(());
                        }
                        Poll::Ready(None) => {
                            if body.framing == Framing::Chunked {
                                self.connection.outbox.extend_from_slice(b"0\r\n\r\n");
                            }
                            self.sending = Sending::Flushing;
                        }
                        Poll::Pending => waits_for_client = true,
                    },
                    Sending::Held(_, patience) => {
                        if patience.as_mut().poll(cx).is_ready() {
                            self.release_body();
                            continue;
                        }
                        waits_for_client = true;
                    }
                    Sending::Flushing => {}
                    Sending::Done | Sending::Broken | Sending::Aborted => return Poll::Ready(()),
                }
            }
            if self.sent < self.connection.outbox.len() || !self.pending.is_empty() {
                match self.connection.poll_send(cx, self.sent, &self.pending) {
                    Poll::Ready(Ok(length)) if length > 0 => self.advance(length),
                    Poll::Ready(_) => {
                        self.sending = Sending::Broken;
                        return Poll::Ready(());
                    }
                    Poll::Pending => return Poll::Pending,
                }
            } else if matches!(self.sending, Sending::Flushing) {
                self.sending = Sending::Done;
                return Poll::Ready(());
            } else if waits_for_client {
                return Poll::Pending;
            }
        }
    }

    /// Puts a piece of the body into the buffers.
    fn take_in(&mut self, data: Bytes, framing: Framing) {
        use std::io::Write;
        if data.is_empty() {
            return;
        }
        self.silent_until = None;
        let outbox = &mut self.connection.outbox;
        if framing == Framing::Chunked {
            // Writing to memory cannot fail.
            let _ = write!(outbox, "{:x}\r\n", data.len());
        }
        if data.len() <= GATHER {
            outbox.extend_from_slice(&data);
            if framing == Framing::Chunked {
                outbox.extend_from_slice(b"\r\n");
            }
        } else {
            self.pending = data;
        }
    }

    /// Counts bytes as sent.
    fn advance(&mut self, length: usize) {
        self.silent_until = None;
        let from_outbox = length.min(self.connection.outbox.len() - self.sent);
        self.sent += from_outbox;
        let ended = !self.pending.is_empty() && {
            self.pending.advance(length - from_outbox);
            self.pending.is_empty()
        };
        if let Sending::Body(body) = &self.sending
            && self.sent == self.connection.outbox.len()
            && self.pending.is_empty()
        {
            self.connection.outbox.clear();
            self.sent = 0;
            if ended && body.framing == Framing::Chunked {
                self.connection.outbox.extend_from_slice(b"\r\n");
            }
        }
    }

    fn release_body(&mut self) {
        self.sending = match std::mem::replace(&mut self.sending, Sending::Done) {
            Sending::Held(body, _) => Sending::Body(body),
            other => other,
        };
    }

    /// Sends the request and waits for the head of its response; the gateway's own deadline is `overall`.
    pub(crate) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        method: &Method,
        overall: Option<Instant>,
    ) -> Poll<Result<ResponseHead, CallError>> {
        let _ = self.poll_send(cx);
        if matches!(self.sending, Sending::Aborted) {
            return Poll::Ready(Err(CallError::ClientAborted));
        }
        loop {
            match response_head::take(&mut self.connection.inbox, method) {
                Ok(Some(head)) if head.status == StatusCode::SWITCHING_PROTOCOLS => {
                    return Poll::Ready(Err(CallError::Malformed));
                }
                Ok(Some(head)) if head.status.is_informational() => {
                    if head.status == StatusCode::CONTINUE {
                        self.release_body();
                        let _ = self.poll_send(cx);
                    }
                    continue;
                }
                Ok(Some(head)) => {
                    // An upstream that answers without having asked for the body does not want it.
                    if matches!(self.sending, Sending::Held(..)) {
                        self.sending = Sending::Broken;
                    }
                    return Poll::Ready(Ok(head));
                }
                Ok(None) => {}
                Err(_) => return Poll::Ready(Err(CallError::Malformed)),
            }
            match self.poll_receive(cx, overall) {
                Poll::Ready(Ok(0)) if self.connection.inbox.is_empty() => {
                    return Poll::Ready(Err(CallError::Closed));
                }
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(CallError::Malformed)),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Receives more into the connection's inbox; 0 at the end. Bounded by the endpoint's read time-out, which
    /// starts again with each byte in either direction.
    pub(crate) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        overall: Option<Instant>,
    ) -> Poll<Result<usize, CallError>> {
        match self.connection.poll_receive(cx) {
            Poll::Ready(Ok(length)) => {
                self.received |= length > 0;
                self.silent_until = None;
                return Poll::Ready(Ok(length));
            }
            Poll::Ready(Err(error)) => return Poll::Ready(Err(CallError::of_socket(&error))),
            Poll::Pending => {}
        }
        let timeout = self.connection.upstream.settings.read_timeout;
        if self.silent_until.is_none() {
            self.silent_until = timeout.map(|timeout| Instant::now() + timeout);
        }
        match earlier((self.silent_until, CallError::ReadTimeout), (overall, CallError::RequestTimeout)) {
            (Some(deadline), late) => self.connection.poll_until(cx, deadline).map(|()| Err(late)),
            (None, _) => Poll::Pending,
        }
    }

    /// Whether the client's body ended early.
    pub(crate) fn is_aborted(&self) -> bool {
        matches!(self.sending, Sending::Aborted)
    }
}
