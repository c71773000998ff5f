//! One connection to an upstream: opening it, and what lives as long as it does.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::failure::CallError;
use super::{Address, Upstream};

/// Smallest and largest piece that is read at once.
const READ_SIZES: (usize, usize) = (8 * 1024, 64 * 1024);

/// An open connection with its buffers. While it lives it counts as open. It is boxed, since it goes from hand to hand
/// with each request.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    /// What was received and not yet taken.
    pub(crate) inbox: BytesMut,
    /// What is to be sent; kept to be filled again.
    pub(crate) outbox: Vec<u8>,
    /// One timer for the whole life of the connection. It may go off early, never late: whoever waits looks at its own
    /// deadline and sets it again. So a request that is answered in time sets no timer.
    timer: Pin<Box<Sleep>>,
    pub(crate) upstream: Arc<Upstream>,
    opened: Instant,
    /// How long it may be idle.
    pub(crate) keep_alive_timeout: Option<Duration>,
    read_size: usize,
}

impl Connection {
    /// Opens a connection within the endpoint's connect time-out, and before `deadline`.
    pub(crate) async fn open(
        upstream: &Arc<Upstream>,
        deadline: Option<Instant>,
    ) -> Result<Box<Self>, CallError> {
        let started = Instant::now();
        let own = upstream.settings.connect_timeout.map(|timeout| started + timeout);
        let (until, late) = earlier((own, CallError::ConnectTimeout), (deadline, CallError::RequestTimeout));
        let stream = match until {
            Some(until) => {
                tokio::time::timeout_at(until, connect(&upstream.address)).await.map_err(|_| late)?
            }
            None => connect(&upstream.address).await,
        }?;
        // Without it small writes would wait for acknowledgements of earlier ones.
        let _ = stream.set_nodelay(true);
        upstream.open.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(Self {
            stream,
            inbox: BytesMut::new(),
            outbox: Vec::with_capacity(512),
            timer: Box::pin(tokio::time::sleep_until(
                started + upstream.settings.read_timeout.unwrap_or(LONG),
            )),
            upstream: upstream.clone(),
            opened: started,
            keep_alive_timeout: upstream.settings.keep_alive_timeout,
            read_size: READ_SIZES.0,
        }))
    }

    /// Whether nothing has come from the upstream since the last response: neither its end nor bytes that nobody
    /// asked for. Costs no system call in the usual case, since the runtime knows that nothing came.
    pub(crate) fn is_quiet(&self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        match self.stream.poll_read_ready(&mut cx) {
            Poll::Pending => true,
            Poll::Ready(Err(_)) => false,
            Poll::Ready(Ok(())) => {
                matches!(self.stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
            }
        }
    }

    /// Whether the connection may serve another request, as far as its age is concerned.
    pub(crate) fn is_young(&self, now: Instant) -> bool {
        self.upstream.settings.max_connection_lifetime.is_none_or(|limit| now - self.opened < limit)
    }

    /// Receives into the inbox; 0 at the end.
    pub(crate) fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.inbox.capacity() - self.inbox.len() < self.read_size / 4 {
            self.inbox.reserve(self.read_size);
        }
        let spare = self.inbox.capacity() - self.inbox.len();
        let received = tokio_util::io::poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.inbox);
        if matches!(received, Poll::Ready(Ok(length)) if length == spare) {
            self.read_size = (self.read_size * 2).min(READ_SIZES.1);
        }
        received
    }

    /// Sends from the two buffers, the first one first.
    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        from: usize,
        then: &[u8],
    ) -> Poll<io::Result<usize>> {
        use tokio::io::AsyncWrite;
        let first = self.outbox.get(from..).unwrap_or_default();
        let stream = Pin::new(&mut self.stream);
        match (first.is_empty(), then.is_empty()) {
            (false, false) => {
                stream.poll_write_vectored(cx, &[io::IoSlice::new(first), io::IoSlice::new(then)])
            }
            (true, false) => stream.poll_write(cx, then),
            _ => stream.poll_write(cx, first),
        }
    }

    /// Waits for a point in time.
    pub(crate) fn poll_until(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        loop {
            match self.timer.as_mut().poll(cx) {
                Poll::Ready(()) if Instant::now() >= deadline => return Poll::Ready(()),
                Poll::Pending if self.timer.deadline() <= deadline => return Poll::Pending,
                _ => self.timer.as_mut().reset(deadline),
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.upstream.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Longer than anything waits.
const LONG: Duration = Duration::from_hours(24);

/// The earlier of two deadlines, with what it means to miss it.
pub(crate) fn earlier(
    one: (Option<Instant>, CallError),
    other: (Option<Instant>, CallError),
) -> (Option<Instant>, CallError) {
    match (one.0, other.0) {
        (Some(first), Some(second)) if second < first => other,
        (Some(_), _) => one,
        (None, _) => other,
    }
}

async fn connect(address: &Address) -> Result<TcpStream, CallError> {
    match address {
        Address::Socket(address) => {
            TcpStream::connect(address).await.map_err(|error| CallError::of_socket(&error))
        }
        Address::Name(name, port) => {
            let addresses: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), *port)).await.map_err(|_| CallError::Dns)?.collect();
            let mut failure = CallError::Dns;
            for address in addresses {
                match TcpStream::connect(address).await {
                    Ok(stream) => return Ok(stream),
                    Err(error) => failure = CallError::of_socket(&error),
                }
            }
            Err(failure)
        }
    }
}
