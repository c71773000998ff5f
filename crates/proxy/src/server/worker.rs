//! One worker: a thread with a runtime of its own, and what its requests share.

use std::cell::{Cell, RefCell};
use std::net::TcpListener as StdListener;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;
use zonegate_generation::{Generation, Reader};
use zonegate_model::Clock;

use super::{Server, connection};
use crate::counters::Counters;
use crate::deployment::Compiler;
use crate::identity::IdSource;
use crate::settings::{GatewaySettings, ListenerSettings};
use crate::upstream::pool::{Pool, swept_pool};

/// What a worker starts from.
pub(super) struct Seed {
    pub(super) server: Server,
    pub(super) listener: ListenerSettings,
    pub(super) socket: StdListener,
    pub(super) drain: CancellationToken,
    pub(super) stop: CancellationToken,
}

/// What the requests of a worker share. It never leaves its thread.
pub(crate) struct Worker {
    pub(crate) server_id: String,
    pub(crate) settings: Arc<GatewaySettings>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) ids: RefCell<IdSource>,
    pub(crate) pool: Rc<Pool>,
    clock: Arc<dyn Clock>,
    reader: RefCell<Reader<Compiler>>,
    /// The generation that was current last. Requests share it without touching the count that all workers share.
    #[expect(clippy::redundant_allocation, reason = "the outer count belongs to one thread")]
    current: RefCell<Rc<Arc<Generation<Compiler>>>>,
    /// Open connections.
    connections: Cell<usize>,
    /// Told when the last connection ends.
    emptied: Notify,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("server_id", &self.server_id).finish_non_exhaustive()
    }
}

/// Pause after an accept that failed for want of resources, so that others can be given back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

impl Seed {
    /// Runs the worker to its end.
    pub(super) fn run(self) {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                tracing::error!(server = %self.listener.id, %error, "a worker cannot start its runtime");
                return;
            }
        };
        let local = LocalSet::new();
        let stop = self.stop.clone();
        runtime.block_on(local.run_until(async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = self.serve() => {}
            }
        }));
    }

    async fn serve(self) {
        let Self { server, listener, socket, drain, .. } = self;
        let listening = match TcpListener::from_std(socket) {
            Ok(listening) => listening,
            Err(error) => {
                tracing::error!(server = %listener.id, %error, "a worker cannot use its socket");
                return;
            }
        };
        let mut reader = server.published.reader();
        let current = RefCell::new(Rc::new(reader.current().clone()));
        let worker = Rc::new(Worker {
            server_id: listener.id.clone(),
            settings: server.settings,
            counters: server.counters,
            ids: RefCell::new(IdSource::new()),
            pool: swept_pool(),
            clock: server.clock,
            reader: RefCell::new(reader),
            current,
            connections: Cell::new(0),
            emptied: Notify::new(),
        });
        let options = Rc::new(connection::Options::of(&listener));
        loop {
            let accepted = tokio::select! {
                biased;
                () = drain.cancelled() => break,
                accepted = listening.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => {
                    let open = OpenConnection::new(&worker);
                    tokio::task::spawn_local(connection::serve(
                        worker.clone(),
                        options.clone(),
                        stream,
                        address,
                        drain.clone(),
                        open,
                    ));
                }
                Err(error) if connection::is_of_the_peer(&error) => {}
                Err(error) => {
                    tracing::warn!(server = %listener.id, %error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(listening);
        while worker.connections.get() > 0 {
            worker.emptied.notified().await;
        }
    }
}

impl Worker {
    /// The current generation.
    #[expect(clippy::redundant_allocation, reason = "the outer count belongs to one thread")]
    pub(crate) fn generation(&self) -> Rc<Arc<Generation<Compiler>>> {
        let mut reader = self.reader.borrow_mut();
        let newest = reader.current();
        let mut current = self.current.borrow_mut();
        if !Arc::ptr_eq(newest, &current) {
            *current = Rc::new(newest.clone());
        }
        current.clone()
    }

    /// The wall clock, milliseconds since 1970.
    pub(crate) fn wall_millis(&self) -> i64 {
        self.clock.now().wall_millis
    }
}

/// Counts a connection as long as it is open.
#[derive(Debug)]
pub(super) struct OpenConnection(Rc<Worker>);

impl OpenConnection {
    fn new(worker: &Rc<Worker>) -> Self {
        worker.connections.set(worker.connections.get() + 1);
        worker.counters.accepted.fetch_add(1, Ordering::Relaxed);
        worker.counters.connections.fetch_add(1, Ordering::Relaxed);
        Self(worker.clone())
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let worker = &self.0;
        worker.connections.set(worker.connections.get() - 1);
        worker.counters.connections.fetch_sub(1, Ordering::Relaxed);
        if worker.connections.get() == 0 {
            worker.emptied.notify_one();
        }
    }
}
