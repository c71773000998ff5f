//! Requests and replies between gateways and servers: delayed, lost before or after they were carried out, answered
//! out of order. The driver of a gateway reports a failure when no answer came in time; the request may still be
//! carried out after that.

use std::time::Duration;

use zonegate_model::{Revision, Row, RowState};
use zonegate_sync::port::{
    AcquireOutcome, Batch, LogItem, Manifest, RepositoryError, RepositoryFailure, StoreError, StoreFailure,
    Watched, WriteOutcome,
};
use zonegate_sync::{CallId, Input, RepositoryReply, RepositoryRequest, StoreReply, StoreRequest};

use super::{Address, Caller, Event, World};
use crate::mutant::Mutant;
use crate::repository::{AllRead, IndexRead, PartsRead, WindowRead};
use crate::store::{Cursor, Place, Store};
use crate::violation::{Finding, Guarantee};

/// How long the driver waits for the store.
const STORE_TIME_OUT: Duration = Duration::from_secs(1);
/// How long the driver waits for the repository.
const REPOSITORY_TIME_OUT: Duration = Duration::from_secs(6);

/// What reaches the store.
pub(super) enum StoreWork {
    Request(StoreRequest),
    Part(Cursor),
}

/// What reaches the repository.
pub(super) enum RepositoryWork {
    All(AllRead),
    Window(WindowRead),
    Index(IndexRead),
    Parts(PartsRead),
    Watch,
}

/// A follower that waits at the store.
pub(super) struct Waiter {
    id: u64,
    caller: Caller,
    after: Place,
}

fn store_error(failure: StoreFailure) -> StoreError {
    let message = match failure {
        StoreFailure::ReadOnly => "the store takes no writes",
        _ => "the store does not answer",
    };
    StoreError { failure, message: message.to_owned() }
}

/// The final reply that says that a request failed.
fn store_failed(request: &StoreRequest, failure: StoreFailure) -> StoreReply {
    let error = store_error(failure);
    match request {
        StoreRequest::Acquire(_) => StoreReply::Acquired(Err(error)),
        StoreRequest::Renew { .. } => StoreReply::Renewed(Err(error)),
        StoreRequest::Release { .. } => StoreReply::Released(Err(error)),
        StoreRequest::Write(_) | StoreRequest::RecordSynced { .. } => StoreReply::Written(Err(error)),
        StoreRequest::Manifest => StoreReply::Manifest(Err(error)),
        StoreRequest::ApimState => StoreReply::ApimState(Err(error)),
        StoreRequest::Read(_) | StoreRequest::ReadSince(_) => StoreReply::ReadDone(Err(error)),
        StoreRequest::Follow { .. } => StoreReply::Followed(Err(error)),
        StoreRequest::Heartbeat(_) => StoreReply::Members(Err(error)),
    }
}

fn changes_something(request: &StoreRequest) -> bool {
    !matches!(
        request,
        StoreRequest::Manifest
            | StoreRequest::ApimState
            | StoreRequest::Read(_)
            | StoreRequest::ReadSince(_)
            | StoreRequest::Follow { .. }
    )
}

impl World {
    /// Time on the way, one way.
    fn latency(&mut self) -> Duration {
        let base = self.network.duration(Duration::from_micros(100), Duration::from_millis(2));
        let base = if self.network.permille(10) { base * 50 } else { base };
        if self.weather.slow_until > self.now { base * self.weather.slow_factor } else { base }
    }

    fn is_lost(&mut self) -> bool {
        self.weather.lossy_until > self.now && self.network.permille(self.weather.loss_permille)
    }

    fn reply(&mut self, caller: Caller, after: Duration, input: Input) {
        self.queue.push(self.now + after, Event::Reply(caller, Box::new(input)));
    }

    fn reply_from_store(&mut self, caller: Caller, reply: StoreReply) {
        let after = self.latency();
        self.reply_from_store_after(caller, after, reply);
    }

    /// An answer may get lost, or come too late: then the driver's time-out speaks in its place.
    fn reply_from_store_after(&mut self, caller: Caller, after: Duration, reply: StoreReply) {
        let cut = self.gateways[caller.address.gateway].store_cut_until > self.now;
        if cut || self.is_lost() || self.now + after > caller.deadline {
            return self.time_out(caller, &reply);
        }
        self.reply(caller, after, Input::Store { call: caller.call, reply });
    }

    fn time_out(&mut self, caller: Caller, instead_of: &StoreReply) {
        let error = store_error(StoreFailure::Unreachable);
        let reply = match instead_of {
            StoreReply::Acquired(_) => StoreReply::Acquired(Err(error)),
            StoreReply::Renewed(_) => StoreReply::Renewed(Err(error)),
            StoreReply::Released(_) => StoreReply::Released(Err(error)),
            StoreReply::Written(_) => StoreReply::Written(Err(error)),
            StoreReply::Manifest(_) => StoreReply::Manifest(Err(error)),
            StoreReply::ApimState(_) => StoreReply::ApimState(Err(error)),
            StoreReply::Rows(_) | StoreReply::ReadDone(_) => StoreReply::ReadDone(Err(error)),
            StoreReply::Followed(_) => StoreReply::Followed(Err(error)),
            StoreReply::Members(_) => StoreReply::Members(Err(error)),
        };
        let after = caller.deadline.saturating_sub(self.now);
        self.reply(caller, after, Input::Store { call: caller.call, reply });
    }

    pub(super) fn send_to_store(&mut self, address: Address, call: CallId, request: StoreRequest) {
        let patience = match &request {
            StoreRequest::Follow { wait, .. } => STORE_TIME_OUT + *wait,
            StoreRequest::Read(_) | StoreRequest::ReadSince(_) => 4 * STORE_TIME_OUT,
            _ => STORE_TIME_OUT,
        };
        let caller = Caller { address, call, deadline: self.now + patience };
        if let Some(process) = self.process(address) {
            let node = process.node.clone();
            let polls = matches!(request, StoreRequest::Heartbeat(_) | StoreRequest::Follow { .. });
            if !polls {
                self.history.note(self.now, |line| {
                    line.put(format_args!("{node}: -> {} {}", call.0, Brief(&request)))
                });
            }
        }
        let cut = self.gateways[address.gateway].store_cut_until > self.now;
        if cut || self.is_lost() {
            let failed = store_failed(&request, StoreFailure::Unreachable);
            return self.time_out(caller, &failed);
        }
        let on_the_way = self.latency();
        self.queue.push(self.now + on_the_way, Event::AtStore(caller, Box::new(StoreWork::Request(request))));
    }

    pub(super) fn at_store(&mut self, caller: Caller, work: StoreWork) -> Result<(), Finding> {
        if self.weather.store_down_until > self.now {
            let failed = match &work {
                StoreWork::Request(request) => store_failed(request, StoreFailure::Unreachable),
                StoreWork::Part(_) => StoreReply::ReadDone(Err(store_error(StoreFailure::Unreachable))),
            };
            if self.weather.store_hangs {
                self.time_out(caller, &failed);
            } else {
                self.reply_from_store(caller, failed);
            }
            return Ok(());
        }
        match work {
            StoreWork::Request(request) => {
                if changes_something(&request) && self.weather.store_read_only_until > self.now {
                    let failed = store_failed(&request, StoreFailure::ReadOnly);
                    self.reply_from_store(caller, failed);
                    return Ok(());
                }
                self.execute(caller, request)
            }
            StoreWork::Part(cursor) => {
                self.read_on(caller, cursor);
                Ok(())
            }
        }
    }

    fn execute(&mut self, caller: Caller, request: StoreRequest) -> Result<(), Finding> {
        let (now, wall) = (self.now, self.wall());
        let reply = match request {
            StoreRequest::Acquire(request) => {
                let outcome = self.store.acquire(now, &request);
                if let AcquireOutcome::Granted(grant) = &outcome {
                    self.summary.grants += 1;
                    self.mark(grant.epoch.0);
                    // The adapter subscribes to the grant's channel and shows that it did.
                    let after = self.network.millis(1, 20);
                    self.queue.push(now + after, Event::Connect(caller.address));
                    self.history.note(now, |line| {
                        line.put(format_args!("store: epoch {} granted to {}", grant.epoch, request.node))
                    });
                }
                StoreReply::Acquired(Ok(outcome))
            }
            StoreRequest::Renew { node, grant, time_to_live } => {
                StoreReply::Renewed(Ok(self.store.renew(now, &node, grant, time_to_live)))
            }
            StoreRequest::Release { node, grant } => {
                if self.store.release(now, &node, grant) {
                    self.history.note(now, |line| line.put(format_args!("store: {node} released the lease")));
                    self.wake_waiters();
                }
                StoreReply::Released(Ok(()))
            }
            StoreRequest::Write(batch) => StoreReply::Written(Ok(self.write(wall, &batch)?)),
            StoreRequest::RecordSynced { node, grant, expected, synced } => {
                let outcome = self.store.record_synced(now, &node, grant, expected, synced);
                StoreReply::Written(Ok(outcome))
            }
            StoreRequest::Manifest => {
                if self.options.mutant == Some(Mutant::VoidProof) && self.network.permille(300) {
                    self.store.recount();
                }
                StoreReply::Manifest(Ok(self.store.manifest().cloned().map(Box::new)))
            }
            StoreRequest::ApimState => StoreReply::ApimState(Ok(self.store.apim_state())),
            StoreRequest::Read(method) => {
                let cursor = self.store.open(method, &mut self.network);
                self.read_on(caller, cursor);
                return Ok(());
            }
            StoreRequest::ReadSince(from) => {
                let cursor = self.store.open_since(from);
                self.read_on(caller, cursor);
                return Ok(());
            }
            StoreRequest::Follow { after, wait } => {
                self.follow(caller, after, wait);
                return Ok(());
            }
            StoreRequest::Heartbeat(member) => StoreReply::Members(Ok(self.store.heartbeat(now, *member))),
        };
        self.reply_from_store(caller, reply);
        Ok(())
    }

    /// Carries out a write and checks that it was right to accept it (Z1).
    fn write(&mut self, wall: i64, batch: &Batch) -> Result<WriteOutcome, Finding> {
        let now = self.now;
        let lease = self.store.lease(now).cloned();
        let before = self.store.manifest().map(|manifest| (manifest.store, manifest.revision));
        let outcome = self.store.write(now, wall, batch);
        let Manifest { store, revision, whole, .. } = batch.manifest;
        let node = &batch.node;
        self.history.note(now, |line| {
            let said = match &outcome {
                WriteOutcome::Written => "accepted",
                WriteOutcome::Fenced(_) => "fenced",
                WriteOutcome::Unexpected(_) => "unexpected",
            };
            line.put(format_args!(
                "store: {node} writes revision {revision} (whole {whole}) of {}: {said}: {}",
                store.to_string().get(..4).unwrap_or_default(),
                Rows(&batch.rows)
            ))
        });
        match &outcome {
            WriteOutcome::Written => self.summary.batches += 1,
            WriteOutcome::Fenced(_) => self.summary.fenced += 1,
            WriteOutcome::Unexpected(_) => self.summary.unexpected += 1,
        }
        if outcome != WriteOutcome::Written {
            return Ok(outcome);
        }
        self.mark(revision.0);
        let breach = |what: String| Err(Finding::new(Guarantee::Z1, what));
        if lease.is_none_or(|lease| lease.node != *node || lease.grant != batch.grant) {
            return breach(format!("the store took revision {revision} from {node}, which was not primary"));
        }
        let follows = match before {
            Some((known, at)) if known == store => revision == at.next(),
            _ => revision.0 >= 1,
        };
        if !follows {
            return breach(format!("revision {revision} was written over {before:?}"));
        }
        if !self.store.is_tampered() && *self.store.true_digests() != batch.manifest.digests {
            let what = format!("the manifest of revision {revision} is not what the store holds");
            return Err(Finding::new(Guarantee::Z7, what));
        }
        self.wake_waiters();
        Ok(outcome)
    }

    fn read_on(&mut self, caller: Caller, mut cursor: Cursor) {
        let most = self.network.within(1, 24) as usize;
        let part = self.store.read_part(&mut cursor, most, &mut self.network);
        let cut = self.gateways[caller.address.gateway].store_cut_until > self.now;
        let pause = Store::part_pause(&mut self.network);
        let call = caller.call;
        if cut || self.is_lost() || self.now + pause > caller.deadline {
            return self.time_out(caller, &StoreReply::ReadDone(Ok(())));
        }
        // Parts of one answer stay in order, so each is on its way before the next is read.
        match part {
            Some(rows) => {
                self.reply(caller, pause, Input::Store { call, reply: StoreReply::Rows(rows) });
                self.queue.push(self.now + pause, Event::AtStore(caller, Box::new(StoreWork::Part(cursor))));
            }
            None => self.reply(caller, pause, Input::Store { call, reply: StoreReply::ReadDone(Ok(())) }),
        }
    }

    fn follow(&mut self, caller: Caller, after: Revision, wait: Duration) {
        // The adapter remembers the last item, so that a release comes once although the revision stays the same.
        let last = self.process(caller.address).map_or((0, 0), |process| process.log_place);
        let after = if last.0 == after.0 { last } else { (after.0, 0) };
        let (items, last) = self.store.items_after(after);
        if !items.is_empty() || wait.is_zero() {
            return self.followed(caller, items, last);
        }
        let id = self.next_waiter;
        self.next_waiter += 1;
        self.waiters.push(Waiter { id, caller, after });
        self.queue.push(self.now + wait, Event::FollowOver(id));
    }

    fn followed(&mut self, caller: Caller, items: Vec<LogItem>, last: Place) {
        if let Some(process) = self.process(caller.address).filter(|_| !items.is_empty()) {
            process.log_place = last;
        }
        self.reply_from_store(caller, StoreReply::Followed(Ok(items)));
    }

    pub(super) fn follow_over(&mut self, id: u64) {
        if let Some(place) = self.waiters.iter().position(|waiter| waiter.id == id) {
            let waiter = self.waiters.swap_remove(place);
            self.reply_from_store(waiter.caller, StoreReply::Followed(Ok(Vec::new())));
        }
    }

    /// The log has something new.
    fn wake_waiters(&mut self) {
        for waiter in std::mem::take(&mut self.waiters) {
            let (items, last) = self.store.items_after(waiter.after);
            if items.is_empty() {
                self.waiters.push(waiter);
            } else {
                self.followed(waiter.caller, items, last);
            }
        }
    }

    /// Connections broke: those who waited hear of it, at once or by their time-out.
    pub(super) fn fail_waiters(&mut self) {
        for waiter in std::mem::take(&mut self.waiters) {
            let failed = StoreReply::Followed(Err(store_error(StoreFailure::Unreachable)));
            if self.weather.store_hangs {
                self.time_out(waiter.caller, &failed);
            } else {
                self.reply_from_store(waiter.caller, failed);
            }
        }
    }

    pub(super) fn send_to_repository(&mut self, address: Address, call: CallId, request: RepositoryRequest) {
        let caller = Caller { address, call, deadline: self.now + REPOSITORY_TIME_OUT };
        if let Some(process) = self.process(address) {
            let node = process.node.clone();
            self.history.note(self.now, |line| match &request {
                RepositoryRequest::ReadAll => {
                    line.put(format_args!("{node}: -> {} reads everything", call.0))
                }
                RepositoryRequest::ReadChanges(window) => {
                    line.put(format_args!("{node}: -> {} reads the window from {}", call.0, window.from))
                }
                RepositoryRequest::ReadIndex => {
                    line.put(format_args!("{node}: -> {} reads the index", call.0))
                }
                RepositoryRequest::ReadParts(units) => {
                    line.put(format_args!("{node}: -> {} reads the parts {units:?}", call.0))
                }
                RepositoryRequest::Watch => {
                    line.put(format_args!("{node}: -> {} watches the repository", call.0))
                }
            });
        }
        let work = match request {
            RepositoryRequest::ReadAll => RepositoryWork::All(AllRead::new()),
            RepositoryRequest::ReadChanges(window) => RepositoryWork::Window(WindowRead::new(window)),
            RepositoryRequest::ReadIndex => {
                if self.options.mutant == Some(Mutant::StaleParts) {
                    self.index_images[address.gateway].clone_from(&self.repository.units);
                }
                RepositoryWork::Index(IndexRead::new(&mut self.network))
            }
            RepositoryRequest::ReadParts(units) => RepositoryWork::Parts(PartsRead::new(units)),
            RepositoryRequest::Watch => RepositoryWork::Watch,
        };
        let on_the_way = self.latency();
        self.queue.push(self.now + on_the_way, Event::AtRepository(caller, Box::new(work)));
    }

    pub(super) fn at_repository(&mut self, caller: Caller, mut work: RepositoryWork) {
        let call = caller.call;
        let watches = matches!(work, RepositoryWork::Watch);
        let caller =
            if watches { Caller { deadline: self.now + REPOSITORY_TIME_OUT, ..caller } } else { caller };
        let cut = self.gateways[caller.address.gateway].repository_cut_until > self.now;
        let down = self.weather.repository_down_until > self.now;
        let slow = self.weather.repository_slow_until > self.now;
        let pause = if slow {
            self.network.millis(50, 2_000)
        } else {
            self.network.duration(Duration::from_micros(200), Duration::from_millis(6))
        };
        let hangs = cut || (down && self.weather.repository_hangs) || self.now + pause > caller.deadline;
        if cut || down || self.is_lost() || hangs {
            let after = if hangs { caller.deadline.saturating_sub(self.now) } else { pause };
            let error = RepositoryError {
                failure: RepositoryFailure::Unreachable,
                message: "the repository does not answer".to_owned(),
            };
            let reply = if watches {
                RepositoryReply::Watched(Err(error))
            } else {
                RepositoryReply::Done(Err(error))
            };
            return self.reply(caller, after, Input::Repository { call, reply });
        }
        let most = self.network.within(1, 8) as usize;
        let changes = RepositoryReply::Changes;
        let part = match &mut work {
            RepositoryWork::All(read) => read.part(&self.repository, most, &mut self.network).map(changes),
            RepositoryWork::Window(read) => read.part(&self.repository, most).map(changes),
            RepositoryWork::Index(read) => read.part(&mut self.repository, most).map(RepositoryReply::Index),
            RepositoryWork::Parts(read) => {
                let stale = self.options.mutant == Some(Mutant::StaleParts);
                let as_of = stale.then(|| self.index_images[caller.address.gateway].as_slice());
                read.part(&self.repository, as_of, most).map(changes)
            }
            RepositoryWork::Watch => return self.watch(caller, pause),
        };
        let Some(reply) = part else {
            let reply = RepositoryReply::Done(Ok(()));
            return self.reply(caller, pause, Input::Repository { call, reply });
        };
        self.reply(caller, pause, Input::Repository { call, reply });
        self.queue.push(self.now + pause, Event::AtRepository(caller, Box::new(work)));
    }

    /// A gateway waits for a change. The adapter remembers what it told, so that none between two calls is missed.
    fn watch(&mut self, caller: Caller, pause: Duration) {
        let watchable = self.plan.watchable;
        let commits = self.summary.repository_writes;
        let Some(process) = self.process(caller.address) else { return };
        let watched = if !watchable {
            Watched::Unsupported
        } else if process.told_commits < commits {
            process.told_commits = commits;
            Watched::Changed
        } else {
            return self.watchers.push(caller);
        };
        let reply = RepositoryReply::Watched(Ok(watched));
        self.reply(caller, pause, Input::Repository { call: caller.call, reply });
    }

    /// Something was committed. Whoever is cut off hears of that instead.
    pub(super) fn tell_watchers(&mut self) {
        for caller in std::mem::take(&mut self.watchers) {
            let after = self.latency();
            self.queue.push(self.now + after, Event::AtRepository(caller, Box::new(RepositoryWork::Watch)));
        }
    }
}

/// Rows in few words.
pub(super) struct Rows<'a>(pub(super) &'a [Row]);

impl std::fmt::Display for Rows<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut separator = "";
        for row in self.0 {
            f.write_str(separator)?;
            separator = ", ";
            if let Some(scope) = &row.key.scope {
                write!(f, "{scope}/")?;
            }
            match &row.state {
                RowState::Deployed(payload) => write!(f, "{}={}", row.key.id, payload.as_str())?,
                RowState::Removed => write!(f, "{} removed", row.key.id)?,
            }
        }
        Ok(())
    }
}

/// A request in few words.
struct Brief<'a>(&'a StoreRequest);

impl std::fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            StoreRequest::Acquire(request) => write!(f, "acquire above {}", request.above),
            StoreRequest::Renew { grant, .. } => write!(f, "renew epoch {}", grant.epoch),
            StoreRequest::Release { grant, .. } => write!(f, "release epoch {}", grant.epoch),
            StoreRequest::Write(batch) => write!(f, "write revision {}", batch.manifest.revision),
            StoreRequest::RecordSynced { synced, .. } => write!(f, "record synced {synced:?}"),
            StoreRequest::Manifest => f.write_str("manifest"),
            StoreRequest::ApimState => f.write_str("apim state"),
            StoreRequest::Read(method) => write!(f, "read by {method:?}"),
            StoreRequest::ReadSince(from) => write!(f, "read since {from}"),
            StoreRequest::Follow { after, .. } => write!(f, "follow after {after}"),
            StoreRequest::Heartbeat(_) => f.write_str("heartbeat"),
        }
    }
}
