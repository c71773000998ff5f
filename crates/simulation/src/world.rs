//! The world of one history: gateways, network, zone store and management repository under virtual time.
//!
//! Everything that happens is an event in the queue. `world/calls.rs` carries requests and replies, `world/gateways.rs`
//! runs the processes, `world/faults.rs` makes things go wrong, `world/calm.rs` decides whether all is well at the end.

mod calls;
mod calm;
mod faults;
mod gateways;

use std::time::Duration;

use zonegate_model::{Moment, NodeId};
use zonegate_sync::CallId;

use crate::history::History;
use crate::plan::Plan;
use crate::queue::Queue;
use crate::random::Random;
use crate::repository::{Repository, Unit};
use crate::runner::Options;
use crate::served::Staged;
use crate::store::{Content, Store};
use crate::violation::{Finding, Guarantee, Violation};

use calls::{RepositoryWork, StoreWork, Waiter};
use calm::Stage;
use gateways::Gateway;

/// The wall clock when a history begins.
const EPOCH_MILLIS: i64 = 1_750_000_000_000;
/// Lateness of a commit that windows still reach.
const WITHIN_OVERLAP: Duration = Duration::from_secs(2);
/// More events than any honest history needs.
const MOST_STEPS: u64 = 400_000;

/// One process of a gateway: what happens to a process that has gone does not concern the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Address {
    gateway: usize,
    incarnation: u32,
}

/// Which call of whom, and until when its driver waits for the answer.
#[derive(Clone, Copy, Debug)]
struct Caller {
    address: Address,
    call: CallId,
    deadline: Duration,
}

/// Something that happens.
enum Event {
    /// The timer of a machine.
    Wake(Address),
    /// An answer arrives.
    Reply(Caller, Box<zonegate_sync::Input>),
    /// A request, or the next part of one, reaches the store.
    AtStore(Caller, Box<StoreWork>),
    /// A follower has waited long enough.
    FollowOver(u64),
    /// A request, or the next part of one, reaches the repository.
    AtRepository(Caller, Box<RepositoryWork>),
    /// A handed-over state becomes active.
    Activate(Address, Box<Staged>),
    /// SIGCONT.
    Resume(usize),
    /// A process starts.
    Start(usize),
    /// A process that was told to stop is killed if it still runs.
    Kill(Address),
    /// A gateway's connection to the store is up again.
    Connect(Address),
    /// The server sees a connection go.
    Disconnect(NodeId),
    /// A planned write begins.
    Write(usize),
    /// A transaction commits.
    CommitWrite { unit: usize, write: usize, at: i64, late: Duration },
    /// A planned fault.
    Fault(usize),
    /// All faults end.
    Heal,
    /// Is all well?
    Look,
}

/// What is wrong with the servers and the network now.
#[derive(Default)]
struct Weather {
    store_down_until: Duration,
    store_hangs: bool,
    store_read_only_until: Duration,
    repository_down_until: Duration,
    repository_hangs: bool,
    repository_slow_until: Duration,
    lossy_until: Duration,
    loss_permille: u32,
    slow_until: Duration,
    slow_factor: u32,
}

/// The state of a history.
pub(crate) struct World {
    seed: u64,
    options: Options,
    plan: Plan,
    now: Duration,
    step: u64,
    queue: Queue<Event>,
    network: Random,
    chance: Random,
    workload: Random,
    weather: Weather,
    gateways: Vec<Gateway>,
    store: Store,
    images: Vec<Option<Content>>,
    waiters: Vec<Waiter>,
    next_waiter: u64,
    /// Gateways that wait for a change in the repository.
    watchers: Vec<Caller>,
    /// For [`crate::Mutant::StaleParts`]: the repository when a gateway last began an index.
    index_images: Vec<Vec<Unit>>,
    repository: Repository,
    stage: Stage,
    pub(crate) history: History,
    pub(crate) summary: Summary,
    /// A running sum of all that happened: two runs of a seed must have the same.
    pub(crate) fingerprint: u64,
}

/// What happened in a history, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Events.
    pub steps: u64,
    /// Virtual time until all was well.
    pub lasted: Duration,
    /// Faults.
    pub faults: u64,
    /// Commits in the repository.
    pub repository_writes: u64,
    /// Batches that the store accepted.
    pub batches: u64,
    /// Writes that the store refused because of their grant.
    pub fenced: u64,
    /// Writes that the store refused because of its revision.
    pub unexpected: u64,
    /// Grants of the lease.
    pub grants: u64,
    /// Audits by ids and times that found something that no window had shown.
    pub audits: u64,
    /// States that became active in a gateway.
    pub activations: u64,
    /// Commits that replaced the state of a gateway that served one already.
    pub full_activations: u64,
    /// A running sum of all that happened.
    pub fingerprint: u64,
}

impl Summary {
    /// Adds the numbers of another history.
    pub(crate) fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.lasted += other.lasted;
        self.faults += other.faults;
        self.repository_writes += other.repository_writes;
        self.batches += other.batches;
        self.fenced += other.fenced;
        self.unexpected += other.unexpected;
        self.grants += other.grants;
        self.audits += other.audits;
        self.activations += other.activations;
        self.full_activations += other.full_activations;
        self.fingerprint ^= other.fingerprint;
    }
}

impl World {
    pub(crate) fn new(seed: u64, options: &Options, history: History) -> Self {
        let plan = options.plan(seed);
        let mut workload = Random::stream(seed, 2);
        let repository = Repository::new(&mut workload, EPOCH_MILLIS, options.mutant);
        let slots = plan.faults.len();
        let mut world = Self {
            seed,
            options: options.clone(),
            now: Duration::ZERO,
            step: 0,
            queue: Queue::new(),
            network: Random::stream(seed, 3),
            chance: Random::stream(seed, 4),
            workload,
            weather: Weather::default(),
            gateways: (0..plan.nodes).map(|_| Gateway::default()).collect(),
            store: Store::new(plan.log_limit, options.mutant),
            images: vec![None; slots],
            waiters: Vec::new(),
            next_waiter: 0,
            watchers: Vec::new(),
            index_images: vec![Vec::new(); plan.nodes],
            repository,
            stage: Stage::Faults,
            history,
            summary: Summary::default(),
            fingerprint: 0,
            plan,
        };
        world.schedule();
        world
    }

    /// Puts everything into the queue that is known from the start.
    fn schedule(&mut self) {
        for gateway in 0..self.plan.nodes {
            // Any start order, any number at once.
            let at = if self.chance.permille(500) { Duration::ZERO } else { self.chance.millis(0, 4_000) };
            self.queue.push(at, Event::Start(gateway));
        }
        for (index, (at, _)) in self.plan.faults.iter().enumerate() {
            self.queue.push(*at, Event::Fault(index));
        }
        for (index, (at, _)) in self.plan.writes.iter().enumerate() {
            self.queue.push(*at, Event::Write(index));
        }
        self.queue.push(self.plan.ends_at, Event::Heal);
    }

    /// Runs the history to its end.
    pub(crate) fn run(&mut self) -> Result<Summary, Violation> {
        while self.stage != Stage::Well {
            let Some((at, event)) = self.queue.pop() else { break };
            self.now = self.now.max(at);
            self.step += 1;
            let outcome = if self.step > MOST_STEPS {
                Err(Finding::new(Guarantee::Conduct, "the history does not end: somebody spins"))
            } else {
                self.happen(event)
            };
            if let Err(finding) = outcome {
                return Err(Violation {
                    seed: self.seed,
                    mutant: self.options.mutant,
                    step: self.step,
                    at: self.now,
                    guarantee: finding.guarantee,
                    what: finding.what,
                });
            }
        }
        self.summary.steps = self.step;
        self.summary.lasted = self.now;
        self.summary.fingerprint = self.fingerprint;
        Ok(self.summary)
    }

    fn happen(&mut self, event: Event) -> Result<(), Finding> {
        match event {
            Event::Wake(address) => self.wake(address),
            Event::Reply(caller, input) => self.arrive(caller, input),
            Event::AtStore(caller, work) => self.at_store(caller, *work),
            Event::FollowOver(waiter) => {
                self.follow_over(waiter);
                Ok(())
            }
            Event::AtRepository(caller, work) => {
                self.at_repository(caller, *work);
                Ok(())
            }
            Event::Activate(address, staged) => self.activate(address, staged),
            Event::Resume(gateway) => {
                self.resume(gateway);
                Ok(())
            }
            Event::Start(gateway) => self.start(gateway),
            Event::Kill(address) => {
                self.kill(address);
                Ok(())
            }
            Event::Connect(address) => {
                self.connect(address);
                Ok(())
            }
            Event::Disconnect(node) => {
                self.store.disconnect(&node);
                Ok(())
            }
            Event::Write(index) => {
                self.begin_write(index);
                Ok(())
            }
            Event::CommitWrite { unit, write, at, late } => {
                self.commit_write(unit, write, at, late);
                Ok(())
            }
            Event::Fault(index) => self.fault(index),
            Event::Heal => {
                self.heal();
                Ok(())
            }
            Event::Look => self.look(),
        }
    }

    /// True wall-clock time, which the management API stamps its records with.
    fn wall(&self) -> i64 {
        EPOCH_MILLIS + self.now.as_millis() as i64
    }

    /// What a gateway's clocks say.
    fn moment(&self, gateway: usize) -> Moment {
        Moment { elapsed: self.now, wall_millis: self.wall() + self.gateways[gateway].clock_offset }
    }

    /// Folds something that happened into the fingerprint.
    fn mark(&mut self, value: u64) {
        self.fingerprint = (self.fingerprint.rotate_left(5) ^ value ^ self.now.as_nanos() as u64)
            .wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn begin_write(&mut self, index: usize) {
        let (_, write) = &self.plan.writes[index];
        let unit = write.unit as usize % self.repository.units.len();
        let at = self.wall();
        // A window that missed a commit for good must not add a later change of the same API to what it missed. Only the
        // audit puts that right, so in most histories an API's commits stay within reach of the windows; single entities
        // need not.
        let any = self.plan.hides || self.repository.is_alone(unit);
        let late = if any { write.late } else { write.late.min(WITHIN_OVERLAP) };
        if self.repository.lock(unit) {
            self.queue.push(self.now + late, Event::CommitWrite { unit, write: index, at, late });
        }
    }

    fn commit_write(&mut self, unit: usize, index: usize, at: i64, late: Duration) {
        let kind = self.plan.writes[index].1.kind;
        let before = self.repository.units[unit].versions.len();
        let hidden = late > WITHIN_OVERLAP;
        self.repository.commit(unit, kind, at, hidden, self.now, &mut self.workload);
        self.summary.repository_writes += 1;
        let (now, unit) = (self.now, &self.repository.units[unit]);
        let version = unit.versions.len() - 1;
        let changed = unit.versions.len() > before;
        self.history.note(now, |line| {
            let what = if changed { "now version" } else { "still version" };
            line.put(format_args!("repository: {kind:?} {}, updatedAt {at}, {what} {version}", unit.id))
        });
        self.tell_watchers();
    }
}
