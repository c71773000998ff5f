//! Runs the sync core: one task that owns the [`Machine`], carries out its commands on the real store and repository,
//! and feeds the answers back. The simulation answers the same commands.
//!
//! May rely on `zonegate-sync`, `zonegate-model` and tokio; knows the ports, and nobody who implements them. The binary and
//! the benchmarks run it.
//!
//! Bounds (L2): control answers and bulk rows come through two channels of fixed length; while the stage is behind, no
//! bulk rows are taken, so readers wait, while the lease is still renewed.

mod calls;
mod no_repository;
mod stage;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use zonegate_model::{Clock, Moment};
use zonegate_sync::port::{RepositoryReader, StageOp, ZoneStore};
use zonegate_sync::{CallId, Command, Input, Machine, Note, Settings, Status};

pub use no_repository::NoRepository;
pub use stage::{Stage, run_stage};

/// Steps of staging that may wait for the builder before bulk reading pauses.
const STAGE_BACKLOG: usize = 32;
/// Bulk answers that may wait for the machine.
const BULK_QUEUE: usize = 8;
/// Control answers that may wait: each kind of call is outstanding at most once.
const CONTROL_QUEUE: usize = 64;
/// How long a release of the lease may take at shutdown before the process goes anyway.
const RELEASE_PATIENCE: Duration = Duration::from_secs(2);

/// What the driver needs of the process around it.
pub struct Surroundings<S, R> {
    /// The zone store; `None` for a lone gateway.
    pub store: Option<Arc<S>>,
    /// The management repository; `None` for a gateway that never reads it.
    pub repository: Option<Arc<R>>,
    /// Takes the steps of staging, in order.
    pub stage: mpsc::Sender<StageOp>,
    /// Counts the commits that are active.
    pub committed: watch::Receiver<u64>,
    /// Where the picture of the machine is published.
    pub status: watch::Sender<Arc<Status>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Hears what happens.
    pub notes: Box<dyn Fn(Note) + Send>,
}

/// Runs the machine until `stop` is cancelled and the lease is given up. Owns every task that it starts.
pub async fn run<S: ZoneStore, R: RepositoryReader>(
    settings: Settings,
    seed: u64,
    surroundings: Surroundings<S, R>,
    stop: CancellationToken,
) {
    let now = surroundings.clock.now();
    let machine = Machine::new(settings, seed, now);
    let (control_in, control_out) = mpsc::channel(CONTROL_QUEUE);
    let (bulk_in, bulk_out) = mpsc::channel(BULK_QUEUE);
    let driver = Driver {
        machine,
        surroundings,
        calls: JoinSet::new(),
        running: HashMap::new(),
        control_in,
        bulk_in,
        stage_backlog: VecDeque::new(),
        seen_commits: 0,
    };
    driver.run(control_out, bulk_out, stop).await;
}

struct Driver<S, R> {
    machine: Machine,
    surroundings: Surroundings<S, R>,
    calls: JoinSet<CallId>,
    running: HashMap<CallId, AbortHandle>,
    control_in: mpsc::Sender<Input>,
    bulk_in: mpsc::Sender<Input>,
    stage_backlog: VecDeque<StageOp>,
    seen_commits: u64,
}

impl<S: ZoneStore, R: RepositoryReader> Driver<S, R> {
    async fn run(
        mut self,
        mut control: mpsc::Receiver<Input>,
        mut bulk: mpsc::Receiver<Input>,
        stop: CancellationToken,
    ) {
        self.carry_out();
        let mut stopping_since: Option<Moment> = None;
        loop {
            let wake = self.machine.wake_at().saturating_sub(self.surroundings.clock.now().elapsed);
            let stage = self.surroundings.stage.clone();
            tokio::select! {
                biased;
                () = stop.cancelled(), if stopping_since.is_none() => {
                    stopping_since = Some(self.surroundings.clock.now());
                    self.feed(Input::Stop);
                }
                changed = self.surroundings.committed.changed() => {
                    if changed.is_err() {
                        break; // the stage is gone, so nothing can become active any more
                    }
                    self.take_commits();
                }
                Some(input) = control.recv() => self.feed(input),
                Some(finished) = self.calls.join_next(), if !self.calls.is_empty() => {
                    if let Ok(call) = finished {
                        self.running.remove(&call);
                    }
                }
                permit = stage.reserve(), if !self.stage_backlog.is_empty() => match permit {
                    Ok(permit) => {
                        if let Some(op) = self.stage_backlog.pop_front() {
                            permit.send(op);
                        }
                    }
                    Err(_) => break,
                },
                Some(input) = bulk.recv(), if self.stage_backlog.len() < STAGE_BACKLOG => self.feed(input),
                () = tokio::time::sleep(wake) => self.feed(Input::Tick),
            }
            if let Some(since) = stopping_since {
                let late = self.surroundings.clock.now() - since > RELEASE_PATIENCE;
                if late || !self.is_primary() {
                    break;
                }
            }
        }
        self.calls.shutdown().await;
    }

    fn is_primary(&self) -> bool {
        matches!(self.machine.status().role, zonegate_sync::Role::Primary { .. })
    }

    fn feed(&mut self, input: Input) {
        self.machine.handle(self.surroundings.clock.now(), input);
        self.carry_out();
    }

    fn take_commits(&mut self) {
        let committed = *self.surroundings.committed.borrow_and_update();
        while self.seen_commits < committed {
            self.seen_commits += 1;
            self.machine.handle(self.surroundings.clock.now(), Input::Committed);
        }
        self.carry_out();
    }

    fn carry_out(&mut self) {
        while let Some(command) = self.machine.next_command() {
            match command {
                Command::Store { call, request } => {
                    let call_store = calls::store(
                        self.surroundings.store.clone(),
                        call,
                        request,
                        self.control_in.clone(),
                        self.bulk_in.clone(),
                    );
                    self.start(call, call_store);
                }
                Command::Repository { call, request } => {
                    let read = calls::repository(
                        self.surroundings.repository.clone(),
                        call,
                        request,
                        self.bulk_in.clone(),
                    );
                    self.start(call, read);
                }
                Command::Cancel(call) => {
                    if let Some(running) = self.running.remove(&call) {
                        running.abort();
                    }
                }
                Command::Stage(op) => self.stage_backlog.push_back(op),
                Command::Note(note) => (self.surroundings.notes)(note),
            }
        }
        self.surroundings.status.send_replace(Arc::new(self.machine.status()));
    }

    fn start(&mut self, call: CallId, work: impl Future<Output = ()> + Send + 'static) {
        let handle = self.calls.spawn(async move {
            work.await;
            call
        });
        self.running.insert(call, handle);
    }
}
