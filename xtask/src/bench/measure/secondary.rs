//! A secondary in this process: the sync core under the gateway's own driver, the Redis store, and a builder of generations
//! with the data plane's compiler, put together as the gateway's binary does it, without a repository.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use zonegate_generation::Builder;
use zonegate_model::{Clock, Moment, NodeId, Revision, StoreId};
use zonegate_policy::Registry;
use zonegate_proxy::{Compiler, Counters, GatewaySettings};
use zonegate_sync::port::StageOp;
use zonegate_sync::{Machine, Mode, Settings};
use zonegate_sync_driver::{NoRepository, Stage, Surroundings, run_stage};
use zonegate_testkit::redis::Redis;

use super::failure::MeasureError;
use super::publisher;
use crate::stopwatch::Stopwatch;

/// Any time does: nothing that a secondary of ours does depends on the wall clock.
const WALL_MILLIS: i64 = 1_795_000_000_000;
/// Steps that may wait for the builder, as in the binary.
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
        on_commit: impl FnMut(Commit) + Send + 'static,
    ) -> Result<Self, MeasureError> {
        let compiler = Compiler::new(
            Registry::builtin(),
            Arc::new(GatewaySettings::default()),
            Arc::new(Counters::default()),
        );
        let builder = Builder::new(compiler, zonegate_generation::Settings::default());
        let building = Building { number, builder, clock, serve, on_commit };
        let (stage, steps) = mpsc::channel(STAGE_QUEUE);
        let (committed_in, committed) = watch::channel(0_u64);
        let builder = std::thread::Builder::new()
            .name(format!("generations-{number}"))
            .spawn(move || run_stage(building, steps, &committed_in))
            .map_err(MeasureError::system("start a thread"))?;
        let settings =
            Settings::new(NodeId::new(format!("secondary-{number}")), Mode::Zone { may_lead: false });
        let (clock, seed) = (Arc::new(Watch(clock)), number as u64);
        let picture = Machine::new(settings.clone(), seed, clock.now()).status();
        let surroundings = Surroundings {
            store: Some(Arc::new(publisher::store(redis))),
            repository: None::<Arc<NoRepository>>,
            stage,
            committed,
            status: watch::Sender::new(Arc::new(picture)),
            clock,
            notes: Box::new(|_| {}),
        };
        let driver = zonegate_sync_driver::run(settings, seed, surroundings, CancellationToken::new());
        Ok(Self { task: tokio::spawn(driver), builder: Some(builder) })
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

/// The stopwatch as the core's clock.
struct Watch(Stopwatch);

impl Clock for Watch {
    fn now(&self) -> Moment {
        Moment { elapsed: Duration::ZERO, wall_millis: WALL_MILLIS }.after(self.0.elapsed())
    }
}

/// The builder, and who hears of its commits.
struct Building<F> {
    number: usize,
    builder: Builder<Compiler>,
    clock: Stopwatch,
    serve: Serve,
    on_commit: F,
}

impl<F: FnMut(Commit) + Send + 'static> Stage for Building<F> {
    fn step(&mut self, op: StageOp) {
        match op {
            StageOp::Begin { full } => self.builder.begin(full),
            StageOp::Rows(_) if self.serve == Serve::Nothing => {}
            StageOp::Rows(rows) => self.builder.rows(rows),
            StageOp::Abort => self.builder.abort(),
            StageOp::Commit { revision, digests } => {
                let done = self.builder.commit(revision, digests);
                let at = self.clock.elapsed();
                let (added, refused) = (done.added.len(), done.refused.len());
                (self.on_commit)(Commit { secondary: self.number, revision, at, added, refused });
            }
        }
    }
}
