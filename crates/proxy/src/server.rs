//! HTTP servers: worker threads, each with its own listening socket, runtime, pool and view of the generation.
//!
//! The kernel spreads connections over the sockets (`SO_REUSEPORT`); workers share nothing on the request path but
//! counters. A server listens before there is any state, and answers 404 until then.

mod connection;
pub(crate) mod worker;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use zonegate_generation::Published;
use zonegate_model::Clock;

use crate::counters::Counters;
use crate::deployment::Compiler;
use crate::settings::{GatewaySettings, InvalidSetting, ListenerSettings};

/// What servers are started with.
#[derive(Clone)]
pub struct Server {
    /// What is served.
    pub published: Published<Compiler>,
    /// What holds for every request.
    pub settings: Arc<GatewaySettings>,
    /// Where it is counted.
    pub counters: Arc<Counters>,
    /// Wall clock for the validity of subscriptions and keys.
    pub clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("published", &self.published).finish_non_exhaustive()
    }
}

/// Why a server does not run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting that it cannot work with.
    #[error("HTTP server `{id}`: {source}")]
    Setting {
        /// Id of the server.
        id: String,
        /// What is wrong.
        source: InvalidSetting,
    },
    /// Its address cannot be bound.
    #[error("HTTP server `{id}` cannot listen on {address}: {source}")]
    Bind {
        /// Id of the server.
        id: String,
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A thread cannot be started.
    #[error("HTTP server `{id}` cannot start its workers: {source}")]
    Worker {
        /// Id of the server.
        id: String,
        /// Why.
        source: io::Error,
    },
}

/// A server that runs. Dropping it stops it at once.
#[derive(Debug)]
pub struct Running {
    id: String,
    address: SocketAddr,
    /// Stop accepting, finish what is under way.
    drain: CancellationToken,
    /// Stop now.
    stop: CancellationToken,
    workers: Vec<(JoinHandle<()>, oneshot::Receiver<()>)>,
}

impl Server {
    /// Starts a server; returns when it listens.
    pub fn start(&self, listener: &ListenerSettings) -> Result<Running, StartError> {
        let id = || listener.id.clone();
        listener.validate().map_err(|source| StartError::Setting { id: id(), source })?;
        let mut address = SocketAddr::new(listener.host, listener.port);
        let mut sockets = Vec::with_capacity(listener.workers);
        let shared = listener.workers > 1;
        if shared {
            // A socket that shares its port would also share it with another gateway that runs already.
            bind(address, false).map_err(|source| StartError::Bind { id: id(), address, source })?;
        }
        for _ in 0..listener.workers {
            let socket = bind(address, shared)
                .and_then(|socket| socket.listen(listener.backlog).map(|()| TcpListener::from(socket)))
                .map_err(|source| StartError::Bind { id: id(), address, source })?;
            // The workers after the first share the port that it got.
            address = socket.local_addr().map_err(|source| StartError::Bind { id: id(), address, source })?;
            sockets.push(socket);
        }
        let (drain, stop) = (CancellationToken::new(), CancellationToken::new());
        let mut running = Running { id: id(), address, drain, stop, workers: Vec::new() };
        for (index, socket) in sockets.into_iter().enumerate() {
            let (done, finished) = oneshot::channel();
            let seed = worker::Seed {
                server: self.clone(),
                listener: listener.clone(),
                socket,
                drain: running.drain.clone(),
                stop: running.stop.clone(),
            };
            let thread = std::thread::Builder::new()
                .name(format!("{}-{index}", listener.id))
                .spawn(move || {
                    seed.run();
                    drop(done);
                })
                .map_err(|source| StartError::Worker { id: id(), source })?;
            running.workers.push((thread, finished));
        }
        tracing::info!(server = %listener.id, %address, workers = listener.workers, "HTTP server listens");
        Ok(running)
    }
}

impl Running {
    /// Id of the server.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where it listens, with the port that it got.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops in good order: accepts nothing more, answers with `Connection: close`, and gives requests under way
    /// until `grace` has passed. Returns when every worker has ended.
    pub async fn shutdown(mut self, grace: Duration) {
        self.drain.cancel();
        let workers = std::mem::take(&mut self.workers);
        let (threads, finished): (Vec<_>, Vec<_>) = workers.into_iter().unzip();
        let stop = self.stop.clone();
        let all = async {
            for finished in finished {
                // An error is the end of the worker: nothing is ever sent.
                let _ = finished.await;
            }
        };
        tokio::pin!(all);
        if tokio::time::timeout(grace, &mut all).await.is_err() {
            stop.cancel();
            all.await;
        }
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!(server = %self.id, "a worker of the HTTP server had panicked");
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn bind(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}
