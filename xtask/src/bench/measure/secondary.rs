//! A secondary in this process: the sync core, the Redis store, and a builder of generations with the data plane's
//! compiler, put together as the gateway's binary does it.
//!
//! The binary's own driver is no library, so this is a second, smaller one: no repository, no leading. It keeps the
//! binary's threads and queues, because they are part of what a change takes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use zonegate_generation::Builder;
use zonegate_model::{Moment, NodeId, Revision, Row, StoreId};
use zonegate_policy::Registry;
use zonegate_proxy::{Compiler, Counters, GatewaySettings};
use zonegate_store_redis::RedisStore;
use zonegate_sync::port::{RowSink, StageOp, Stopped, ZoneStore};
use zonegate_sync::{CallId, Command, Input, Machine, Mode, Settings, StoreReply, StoreRequest};
use zonegate_testkit::redis::Redis;

use super::failure::MeasureError;
use super::publisher;
use crate::stopwatch::Stopwatch;

/// Any time does: nothing that a secondary of ours does depends on the wall clock.
const WALL_MILLIS: i64 = 1_795_000_000_000;
/// Bulk answers that may wait for the machine.
const BULK_QUEUE: usize = 8;
/// Other answers that may wait: each kind of call is outstanding at most once.
const CONTROL_QUEUE: usize = 64;
/// Steps that may wait for the builder.
const STAGE_QUEUE: usize = 16;

/// A state that requests would be answered from, from now on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Commit {
    /// Which secondary.
    pub(super) secondary: usize,
    /// The store's revision that it equals.
    pub(super) revision: Option<(StoreId, Revision)>,
    /// When, by the watch that everybody shares.
    pub(super) at: Duration,
    /// How many APIs it added.
    pub(super) added: usize,
    /// How many it refused.
    pub(super) refused: usize,
}

/// What a secondary does with the states that its sync core hands over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Serve {
    /// Builds generations of them.
    Everything,
    /// Drops them, so that nothing but the core is there.
    Nothing,
}

/// A running secondary; it ends when dropped.
#[derive(Debug)]
pub(super) struct Secondary {
    task: JoinHandle<()>,
    builder: Option<std::thread::JoinHandle<()>>,
}

impl Secondary {
    /// Starts one within a Tokio runtime. `on_commit` hears, on a thread of the secondary's own, of each state that
    /// became active.
    pub(super) fn start(
        number: usize,
        redis: &Redis,
        clock: Stopwatch,
        serve: Serve,
        mut on_commit: impl FnMut(Commit) + Send + 'static,
    ) -> Result<Self, MeasureError> {
        let compiler = Compiler::new(
            Registry::builtin(),
            Arc::new(GatewaySettings::default()),
            Arc::new(Counters::default()),
        );
        let mut builder = Builder::new(compiler, zonegate_generation::Settings::default());
        let (stage, mut steps) = mpsc::channel(STAGE_QUEUE);
        let (committed_in, committed) = watch::channel(0_u64);
        let building = std::thread::Builder::new().name(format!("generations-{number}")).spawn(move || {
            while let Some(op) = steps.blocking_recv() {
                match op {
                    StageOp::Begin { full } => builder.begin(full),
                    StageOp::Rows(_) if serve == Serve::Nothing => {}
                    StageOp::Rows(rows) => builder.rows(rows),
                    StageOp::Abort => builder.abort(),
                    StageOp::Commit { revision, digests } => {
                        let done = builder.commit(revision, digests);
                        let at = clock.elapsed();
                        committed_in.send_modify(|count| *count += 1);
                        let (added, refused) = (done.added.len(), done.refused.len());
                        on_commit(Commit { secondary: number, revision, at, added, refused });
                    }
                }
            }
        });
        let building = building.map_err(MeasureError::system("start a thread"))?;
        let settings =
            Settings::new(NodeId::new(format!("secondary-{number}")), Mode::Zone { may_lead: false });
        let driver = Driver {
            machine: Machine::new(settings, number as u64, now(clock)),
            store: Arc::new(publisher::store(redis)),
            stage,
            clock,
            calls: JoinSet::new(),
            running: HashMap::new(),
        };
        Ok(Self { task: tokio::spawn(driver.run(committed)), builder: Some(building) })
    }
}

impl Drop for Secondary {
    fn drop(&mut self) {
        // The builder ends with the sender of its steps, which ends with the task.
        self.task.abort();
        if let Some(builder) = self.builder.take() {
            let _ = builder.join();
        }
    }
}

fn now(clock: Stopwatch) -> Moment {
    Moment { elapsed: Duration::ZERO, wall_millis: WALL_MILLIS }.after(clock.elapsed())
}

struct Driver {
    machine: Machine,
    store: Arc<RedisStore>,
    stage: mpsc::Sender<StageOp>,
    clock: Stopwatch,
    calls: JoinSet<CallId>,
    running: HashMap<CallId, AbortHandle>,
}

impl Driver {
    async fn run(mut self, mut committed: watch::Receiver<u64>) {
        let (control_in, mut control) = mpsc::channel(CONTROL_QUEUE);
        let (bulk_in, mut bulk) = mpsc::channel(BULK_QUEUE);
        let mut seen = 0;
        loop {
            while let Some(command) = self.machine.next_command() {
                match command {
                    Command::Store { call, request } => {
                        let store = Arc::clone(&self.store);
                        let answered = answer(store, call, request, control_in.clone(), bulk_in.clone());
                        let handle = self.calls.spawn(async move {
                            answered.await;
                            call
                        });
                        self.running.insert(call, handle);
                    }
                    Command::Cancel(call) => {
                        if let Some(running) = self.running.remove(&call) {
                            running.abort();
                        }
                    }
                    // Waiting here is what makes a read wait while the builder is behind.
                    Command::Stage(op) => {
                        if self.stage.send(op).await.is_err() {
                            return;
                        }
                    }
                    Command::Repository { .. } | Command::Note(_) => {}
                }
            }
            let wake = self.machine.wake_at().saturating_sub(now(self.clock).elapsed);
            let input = tokio::select! {
                biased;
                changed = committed.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let count = *committed.borrow_and_update();
                    for _ in seen..count {
                        self.machine.handle(now(self.clock), Input::Committed);
                    }
                    seen = count;
                    continue;
                }
                Some(input) = control.recv() => input,
                Some(finished) = self.calls.join_next(), if !self.calls.is_empty() => {
                    if let Ok(call) = finished {
                        self.running.remove(&call);
                    }
                    continue;
                }
                Some(input) = bulk.recv() => input,
                () = tokio::time::sleep(wake) => Input::Tick,
            };
            self.machine.handle(now(self.clock), input);
        }
    }
}

/// Carries out one call of the machine on the store.
async fn answer(
    store: Arc<RedisStore>,
    call: CallId,
    request: StoreRequest,
    control: mpsc::Sender<Input>,
    bulk: mpsc::Sender<Input>,
) {
    let reply = match request {
        StoreRequest::Manifest => {
            StoreReply::Manifest(store.manifest().await.map(|found| found.map(Box::new)))
        }
        StoreRequest::ApimState => StoreReply::ApimState(store.apim_state().await),
        StoreRequest::Follow { after, wait } => StoreReply::Followed(store.follow(after, wait).await),
        StoreRequest::Heartbeat(member) => StoreReply::Members(store.heartbeat(*member).await),
        StoreRequest::Read(method) => {
            let mut rows = Rows { call, bulk: bulk.clone() };
            let done = StoreReply::ReadDone(store.read(method, &mut rows).await);
            let _ = bulk.send(Input::Store { call, reply: done }).await;
            return;
        }
        // A gateway that may not lead asks for nothing else.
        _ => return,
    };
    // The receiver is gone only when the driver is.
    let _ = control.send(Input::Store { call, reply }).await;
}

struct Rows {
    call: CallId,
    bulk: mpsc::Sender<Input>,
}

impl RowSink for Rows {
    async fn push(&mut self, rows: Vec<Row>) -> Result<(), Stopped> {
        let input = Input::Store { call: self.call, reply: StoreReply::Rows(rows) };
        self.bulk.send(input).await.map_err(|_| Stopped)
    }
}
