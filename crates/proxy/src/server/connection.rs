//! One client connection, from its acceptance to its end.

use std::cell::OnceCell;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::worker::{OpenConnection, Worker};
use crate::admission::{Admission, ConnectionSignals, HeadLimits};
use crate::life::{self, Client};
use crate::settings::ListenerSettings;

/// How connections of a server are served.
pub(super) struct Options {
    http: http1::Builder,
    limits: HeadLimits,
    idle_timeout: Option<Duration>,
}

/// Room for the HTTP library's buffer beyond the limits that are checked before it.
const SLACK: usize = 1024;

impl Options {
    pub(super) fn of(listener: &ListenerSettings) -> Self {
        let mut http = http1::Builder::new();
        http.auto_date_header(false)
            // The limits are checked in `admission`; the library's own are only to be out of the way.
            .max_buf_size(
                (listener.max_header_size + listener.max_initial_line_length + SLACK).max(64 * 1024),
            );
        Self {
            http,
            limits: HeadLimits {
                request_line: listener.max_initial_line_length,
                headers: listener.max_header_size,
            },
            idle_timeout: listener.idle_timeout,
        }
    }
}

/// Serves a connection until it ends, or the server drains and what is under way has been answered.
pub(super) async fn serve(
    worker: Rc<Worker>,
    options: Rc<Options>,
    stream: TcpStream,
    address: SocketAddr,
    drain: CancellationToken,
    open: OpenConnection,
) {
    let _open = open;
    let _ = stream.set_nodelay(true);
    let signals = Rc::new(ConnectionSignals::default());
    let client = Rc::new(Client { worker, address, signals: signals.clone(), address_hash: OnceCell::new() });
    let io = TokioIo::new(Admission::new(stream, options.limits, signals.clone()));
    let connection =
        options.http.serve_connection(io, service_fn(move |request| life::serve(client.clone(), request)));
    let mut connection = pin!(connection);
    let mut silence = pin!(silent_for(options.idle_timeout, &signals));
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = drain.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                biased;
                ended = connection.as_mut() => ended,
                () = &mut silence => return,
            }
        }
        () = &mut silence => return,
    };
    if let Err(error) = ended {
        tracing::debug!(%address, %error, "a client connection broke");
    }
}

/// Ends when no byte has flowed for so long; never without a limit.
async fn silent_for(limit: Option<Duration>, signals: &ConnectionSignals) {
    let Some(limit) = limit else { return std::future::pending().await };
    // Looked at in quarters: no timer is set again for each byte.
    let (mut last, mut quiet) = (signals.activity(), 0);
    while quiet < 4 {
        tokio::time::sleep(limit / 4).await;
        let now = signals.activity();
        quiet = if now == last { quiet + 1 } else { 0 };
        last = now;
    }
}

/// Errors of accepting that are of the one connection, which is gone.
pub(super) fn is_of_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
