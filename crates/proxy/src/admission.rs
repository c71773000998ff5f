//! Admits requests to the HTTP library: what it reads from a client's connection passes through here first.
//!
//! The library decides by itself what to make of a request with two framings, a bare line feed or an overlong
//! request line, and does not tell. Here each head is looked at before the library sees it, and what must be refused
//! (`data-plane.md` section 2.12, RFC 9112 section 11.2: request smuggling) is replaced with a marked request that the
//! service answers with the status that belongs to it; nothing that follows it is read. Bodies pass through unchanged and
//! are followed only to find the next head.

mod head;

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::chunked::{ChunkScanner, Next};
use head::Framing;
pub(crate) use head::{HeadLimits, HeadScanner, HeadStatus, parse_length};

/// Method of the request that stands for a refused one.
const MARK: &str = "ZONEGATE-REFUSED";
const MARKED_REQUEST: &[u8] = b"ZONEGATE-REFUSED / HTTP/1.1\r\nConnection: close\r\n\r\n";

/// What the service has to know of its connection.
#[derive(Debug, Default)]
pub(crate) struct ConnectionSignals {
    refused: Cell<Option<StatusCode>>,
    activity: Cell<u32>,
}

impl ConnectionSignals {
    /// The status of the answer, if this request stands for one that was refused.
    pub(crate) fn refusal<B>(&self, request: &Request<B>) -> Option<StatusCode> {
        let status = self.refused.get()?;
        (request.method().as_str() == MARK).then_some(status)
    }

    /// A number that changes whenever bytes flow.
    pub(crate) fn activity(&self) -> u32 {
        self.activity.get()
    }

    fn bytes_flowed(&self) {
        self.activity.set(self.activity.get().wrapping_add(1));
    }
}

/// A client's connection, of which only well-formed request heads come through.
#[derive(Debug)]
pub(crate) struct Admission<S> {
    stream: S,
    limits: HeadLimits,
    signals: Rc<ConnectionSignals>,
    stage: Stage,
    /// Bytes that wait: an incomplete head, or what is to be delivered before the stream is read again.
    held: Vec<u8>,
    /// How much of `held`, from `delivered` on, may be delivered.
    released: usize,
    delivered: usize,
    closing: Closing,
}

/// How far closing has come. A client that is still sending gets time to read its answer: closing at once would make
/// the kernel throw the answer away.
#[derive(Debug)]
enum Closing {
    Open,
    /// The answer is out; what still comes is thrown away.
    Lingering {
        left: usize,
        patience: Pin<Box<Sleep>>,
    },
    Closed,
}

/// How much a client may still send, and for how long, after its last answer.
const LINGER: (usize, Duration) = (256 * 1024, Duration::from_secs(1));

#[derive(Debug)]
enum Stage {
    Head(HeadScanner),
    Sized(u64),
    Chunked(ChunkScanner),
    /// The marked request is on its way, or delivered; nothing comes after it.
    Refused,
}

/// What became of a piece of input.
enum Outcome {
    /// That many bytes from the start may be delivered; the rest is an incomplete head.
    Pass(usize),
    /// That many bytes may be delivered, then the marked request.
    Refuse(usize),
    /// The framing of a body is broken: the connection ends here.
    Break,
}

impl<S> Admission<S> {
    pub(crate) fn new(stream: S, limits: HeadLimits, signals: Rc<ConnectionSignals>) -> Self {
        Self {
            stream,
            limits,
            signals,
            stage: Stage::Head(HeadScanner::default()),
            held: Vec::new(),
            released: 0,
            delivered: 0,
            closing: Closing::Open,
        }
    }

    /// Whether the client is in the middle of a request, or was refused: more may be coming.
    fn is_mid_request(&self) -> bool {
        !matches!(self.stage, Stage::Head(_))
    }
}

/// Follows the input, which continues where the stage stopped; an incomplete head stands at its start.
fn follow(stage: &mut Stage, input: &[u8], limits: &HeadLimits, signals: &ConnectionSignals) -> Outcome {
    let mut at = 0;
    loop {
        match stage {
            Stage::Head(scanner) => match scanner.advance(&input[at..], limits) {
                HeadStatus::Incomplete => return Outcome::Pass(at),
                HeadStatus::Complete { length, framing } => {
                    at += length;
                    *stage = match framing {
                        Framing::None => Stage::Head(HeadScanner::default()),
                        Framing::Sized(length) => Stage::Sized(length),
                        Framing::Chunked => Stage::Chunked(ChunkScanner::new()),
                    };
                }
                HeadStatus::Refused(status) => {
                    signals.refused.set(Some(status));
                    *stage = Stage::Refused;
                    return Outcome::Refuse(at);
                }
            },
            Stage::Sized(left) => {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len() - at);
                at += here;
                *left -= here as u64;
                if *left > 0 {
                    return Outcome::Pass(at);
                }
                *stage = Stage::Head(HeadScanner::default());
            }
            Stage::Chunked(scanner) => {
                let Ok(scan) = scanner.next(&input[at..]) else { return Outcome::Break };
                at += scan.skip;
                match scan.then {
                    Next::Data(length) | Next::Trailer(length) => at += length,
                    Next::More => return Outcome::Pass(at),
                    Next::End => *stage = Stage::Head(HeadScanner::default()),
                }
            }
            Stage::Refused => return Outcome::Refuse(at),
        }
        if at == input.len() {
            return Outcome::Pass(at);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Admission<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.delivered < this.released {
                let bytes = &this.held[this.delivered..this.released];
                let length = bytes.len().min(buf.remaining());
                buf.put_slice(&bytes[..length]);
                this.delivered += length;
                if this.delivered == this.released {
                    this.held.drain(..this.released);
                    (this.delivered, this.released) = (0, 0);
                }
                return Poll::Ready(Ok(()));
            }
            if matches!(this.stage, Stage::Refused) {
                // Not the end: the library would take that for a client that went away, and not answer.
                return Poll::Pending;
            }
            let before = buf.filled().len();
            ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
            let arrived = &buf.filled()[before..];
            if arrived.is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.signals.bytes_flowed();
            if this.held.is_empty() {
                let (passed, refused) = match follow(&mut this.stage, arrived, &this.limits, &this.signals) {
                    Outcome::Pass(passed) => (passed, false),
                    Outcome::Refuse(passed) => (passed, true),
                    Outcome::Break => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                };
                if refused {
                    this.held.extend_from_slice(MARKED_REQUEST);
                    this.released = this.held.len();
                } else {
                    this.held.extend_from_slice(&arrived[passed..]);
                }
                buf.set_filled(before + passed);
                if passed > 0 {
                    return Poll::Ready(Ok(()));
                }
            } else {
                this.held.extend_from_slice(arrived);
                buf.set_filled(before);
                match follow(&mut this.stage, &this.held, &this.limits, &this.signals) {
                    Outcome::Pass(passed) => this.released = passed,
                    Outcome::Refuse(passed) => {
                        this.held.truncate(passed);
                        this.held.extend_from_slice(MARKED_REQUEST);
                        this.released = this.held.len();
                    }
                    Outcome::Break => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                }
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Admission<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(Pin::new(&mut this.stream).poll_write(cx, buf));
        this.signals.bytes_flowed();
        Poll::Ready(written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(Pin::new(&mut this.stream).poll_write_vectored(cx, bufs));
        this.signals.bytes_flowed();
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            match &mut this.closing {
                Closing::Open => {
                    ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
                    this.closing = if this.is_mid_request() {
                        Closing::Lingering {
                            left: LINGER.0,
                            patience: Box::pin(tokio::time::sleep(LINGER.1)),
                        }
                    } else {
                        Closing::Closed
                    };
                }
                Closing::Lingering { left, patience } => {
                    let mut scratch = [0; 4096];
                    let mut buf = ReadBuf::new(&mut scratch);
                    let over = match Pin::new(&mut this.stream).poll_read(cx, &mut buf) {
                        Poll::Ready(Ok(())) => {
                            let arrived = buf.filled().len();
                            *left = left.saturating_sub(arrived);
                            arrived == 0 || *left == 0
                        }
                        Poll::Ready(Err(_)) => true,
                        Poll::Pending => {
                            ready!(patience.as_mut().poll(cx));
                            true
                        }
                    };
                    if over {
                        this.closing = Closing::Closed;
                    }
                }
                Closing::Closed => return Poll::Ready(Ok(())),
            }
        }
    }
}

#[cfg(test)]
mod tests;
