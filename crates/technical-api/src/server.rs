//! The listener of the technical API: bounded in connections and time, and stopped by its owner.
//!
//! Relies on hyper for HTTP/1.1. Nothing of it is shared with the listener for traffic, so that neither can starve
//! the other.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::authentication::{Access, Peer};
use crate::monitor::Sampler;
use crate::routes::{self, Context};
use crate::view::NodeView;

/// Open connections at a time. More wait in the listener's queue.
const CONNECTIONS: usize = 256;
/// Time for a request's head, and for the next request on an idle connection.
const HEAD: Duration = Duration::from_secs(30);
/// Longest life of a connection. One that is still idle or slow then is closed.
const CONNECTION: Duration = Duration::from_mins(5);
/// Time that a running request gets when its connection is to be closed.
const LAST_REQUEST: Duration = Duration::from_secs(5);
/// Pause after the system refused a connection, which it does while file descriptors are short.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the operator decides about the technical API.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `services.core.http.host`: a name or an address.
    pub host: String,
    /// `services.core.http.port`; 0: the system chooses.
    pub port: u16,
    /// `services.core.http.authentication.*`.
    pub access: Access,
    /// Show secrets as APIM's gateway does (`services.core.endpoints.configuration.clearText`, default false).
    pub clear_text: bool,
    /// `services.health.threshold.*`.
    pub thresholds: Thresholds,
    /// `services.metrics.prometheus.concurrencyLimit`, default 3: scrapes at a time.
    pub scrapes: usize,
}

/// From which percentage on a probe of the machine is unhealthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Of the processors, by this process; default 80.
    pub cpu: u8,
    /// Of the memory that the process may use; default 80.
    pub memory: u8,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { cpu: 80, memory: 80 }
    }
}

/// Why the technical API could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {host}:{port} for the technical API: {source}; change `services.core.http.host` or \
         `services.core.http.port`, or stop what uses the port"
    )]
    Listen {
        /// The host as it is set.
        host: String,
        /// The port as it is set.
        port: u16,
        /// Why.
        source: io::Error,
    },
}

/// The running technical API. It stops when this is dropped, or when the token that it was started with is cancelled.
#[derive(Debug)]
pub struct Handle {
    address: SocketAddr,
    task: JoinHandle<()>,
    _stop: DropGuard,
}

impl Handle {
    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops, and waits until the last request has been answered or has run out of time.
    pub async fn stop(self) {
        let Self { task, _stop: stop, .. } = self;
        drop(stop);
        if let Err(error) = task.await {
            tracing::error!(%error, "the listener of the technical API ended badly");
        }
    }
}

/// Starts the technical API.
pub async fn serve(
    settings: Settings,
    view: Arc<dyn NodeView>,
    stop: CancellationToken,
) -> Result<Handle, ServeError> {
    let listen = |source| ServeError::Listen { host: settings.host.clone(), port: settings.port, source };
    let listener = TcpListener::bind((settings.host.as_str(), settings.port)).await.map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let context = Context {
        sampler: Arc::new(Sampler::new(view.now())),
        scrapes: Arc::new(Semaphore::new(settings.scrapes.clamp(1, 1024))),
        settings: Arc::new(settings),
        view,
    };
    let stop = stop.child_token();
    let task = tokio::spawn(accept(listener, routes::router(context), stop.clone()));
    tracing::info!(%address, "the technical API listens");
    Ok(Handle { address, task, _stop: stop.drop_guard() })
}

/// Accepts connections until it is stopped, then waits for the open ones. They are this task's own: they end with it.
async fn accept(listener: TcpListener, router: Router, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            _ = connections.join_next(), if connections.len() >= CONNECTIONS => continue,
            accepted = listener.accept(), if connections.len() < CONNECTIONS => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                connections.spawn(connection(stream, peer, router.clone(), stop.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "the technical API could not accept a connection");
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = tokio::time::sleep(ACCEPT_PAUSE) => {}
                }
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Serves one connection until either side closes it, it grows too old, or the API is stopped.
async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, stop: CancellationToken) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        router.call(request)
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(64 * 1024)
            .serve_connection(TokioIo::new(stream), service)
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = stop.cancelled() => None,
        () = tokio::time::sleep(CONNECTION) => None,
    };
    let ended = if let Some(ended) = ended {
        ended
    } else {
        connection.as_mut().graceful_shutdown();
        match tokio::time::timeout(LAST_REQUEST, connection).await {
            Ok(ended) => ended,
            Err(_) => return,
        }
    };
    if let Err(error) = ended {
        // A peer that leaves or talks nonsense is its own business.
        tracing::debug!(%peer, %error, "a connection to the technical API ended badly");
    }
}
