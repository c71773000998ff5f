//! Bringing the store's state into this gateway. Keeps Z5, Z6, A4, and S2 by activating at whole revisions only.
//!
//! A full read sees some mixture of the revisions before and after it; the log between, replayed over it, makes it exact.
//! Nothing is activated before counts and digests equal those of one whole revision.

mod follow;
mod full;

use std::time::Duration;

use zonegate_model::{Epoch, Revision, Row, StoreId};

use super::Machine;
use super::leading::Phase;
use crate::command::{CallId, FullReadReason, Note, StoreReply, StoreRequest};
use crate::port::{Manifest, ReadMethod, StageOp};
use crate::random::BackOff;

use full::FullRead;

/// Pause after the first read that could not be proven; doubled for each further one, up to 64 times.
const UNPROVEN_PAUSE: Duration = Duration::from_millis(250);

/// The reading side of a member.
pub(super) struct Reader {
    pub(super) call: Option<CallId>,
    state: State,
    back_off: BackOff,
    /// Whether the last look found a store without anything in it.
    empty: bool,
    /// The node is ahead of the store: how many repository reads the store had seen when that was noticed.
    hold: Option<Hold>,
    /// The last read could not be proven at this revision.
    pub(super) suspects: Option<Revision>,
    /// Reads of this node that could not be proven, in a row.
    unproven: u32,
}

enum State {
    /// The primary does not read.
    Paused,
    /// Looks at the manifest when due.
    Looking { next_at: Duration },
    /// Reads everything.
    Full(Box<FullRead>),
    /// Stands in the log.
    Following(Following),
    /// Reads a store that an APIM gateway writes.
    Apim { next_at: Duration, from: i64, full_at: Duration, rows: Vec<Row> },
}

/// What the store said of itself when this node found that it is ahead.
#[derive(Clone, Copy)]
struct Hold {
    store: StoreId,
    epoch: Epoch,
    reads: u64,
    /// A higher count was seen since. The first one may stand for reads that were made before and could not be
    /// published, so it is counted from there.
    published: bool,
}

/// A place in the log, with what was read beyond the last whole revision.
struct Following {
    store: StoreId,
    position: Revision,
    /// Rows of batches after the last whole revision, oldest first.
    open: Vec<Row>,
    /// The next call looks at the manifest instead of the log.
    asks_manifest: bool,
    /// At this place the manifest was ahead of a silent log once already.
    suspected_gap: Option<Revision>,
}

impl Reader {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            call: None,
            state: State::Looking { next_at: now },
            back_off: BackOff::new(Duration::from_millis(100), Duration::from_secs(3)),
            empty: false,
            hold: None,
            suspects: None,
            unproven: 0,
        }
    }

    /// Whether this node has a state that continues with the store's, or is ahead of it.
    pub(super) fn is_current(&self) -> bool {
        matches!(self.state, State::Following(_)) || self.hold.is_some()
    }

    /// Whether this node keeps a state that may be newer than the store's.
    pub(super) fn holds(&self) -> bool {
        self.hold.is_some()
    }

    pub(super) fn store_is_empty(&self) -> bool {
        self.empty
    }
}

impl Machine {
    pub(super) fn reader_wake(&self) -> Option<Duration> {
        if self.reader.call.is_some() || !self.in_zone() || self.stopping {
            return None;
        }
        match &self.reader.state {
            State::Looking { next_at } | State::Apim { next_at, .. } => Some(*next_at),
            State::Paused | State::Full(_) | State::Following(_) => None,
        }
    }

    /// Stops reading, for a node that leads.
    pub(super) fn pause_reader(&mut self) {
        self.drop_reading();
        self.reader.state = State::Paused;
    }

    /// Reads again, from a look at the manifest.
    pub(super) fn resume_reader(&mut self) {
        self.drop_reading();
        self.reader.hold = None;
        self.reader.empty = false;
        self.reader.state = State::Looking { next_at: self.now.elapsed };
    }

    /// Breaks off whatever is being read; nothing of it becomes active.
    fn drop_reading(&mut self) {
        let call = self.reader.call.take();
        self.cancel(call);
        if matches!(self.reader.state, State::Full(_)) {
            self.stage(StageOp::Abort);
        }
        self.reader.state = State::Looking { next_at: self.now.elapsed };
    }

    /// Looks at the manifest again after a read that could not be proven. Reading everything is dear, so the pause grows.
    fn look_after_unproven(&mut self) {
        self.drop_reading();
        let pause = UNPROVEN_PAUSE * 2_u32.pow(self.reader.unproven.min(6));
        self.reader.state = State::Looking { next_at: self.now.elapsed + pause };
    }

    /// Looks at the manifest again after a pause that grows with each failure.
    fn look_later(&mut self) {
        self.drop_reading();
        let pause = self.reader.back_off.next(&mut self.random);
        self.reader.state = State::Looking { next_at: self.now.elapsed + pause };
    }

    fn look_at_next_poll(&mut self) {
        self.drop_reading();
        self.reader.state = State::Looking { next_at: self.now.elapsed + self.settings.poll_interval };
    }

    pub(super) fn advance_reader(&mut self) {
        if self.reader.call.is_some() || self.stopping {
            return;
        }
        match &self.reader.state {
            State::Looking { next_at } if self.now.elapsed >= *next_at => {
                self.read_call(StoreRequest::Manifest);
            }
            State::Full(read) => {
                let request = read.next_request(self.settings.poll_interval);
                self.read_call(request);
            }
            State::Following(following) => {
                let after = following.position;
                let wait =
                    if self.leadership.is_some() { Duration::ZERO } else { self.settings.poll_interval };
                let request = if following.asks_manifest {
                    StoreRequest::Manifest
                } else {
                    StoreRequest::Follow { after, wait }
                };
                self.read_call(request);
            }
            State::Apim { next_at, .. } if self.now.elapsed >= *next_at => self.advance_apim(),
            State::Paused | State::Looking { .. } | State::Apim { .. } => {}
        }
    }

    fn read_call(&mut self, request: StoreRequest) {
        let call = self.call_store(request);
        self.reader.call = Some(call);
    }

    pub(super) fn on_reader_reply(&mut self, reply: StoreReply) {
        if let StoreReply::Rows(rows) = reply {
            match &mut self.reader.state {
                State::Full(_) => self.full_rows(rows),
                State::Apim { rows: collected, .. } => collected.extend(rows),
                _ => {}
            }
            return;
        }
        self.reader.call = None;
        let failed = matches!(
            reply,
            StoreReply::Manifest(Err(_))
                | StoreReply::ReadDone(Err(_))
                | StoreReply::Followed(Err(_))
                | StoreReply::ApimState(Err(_))
        );
        if failed {
            self.reader_failed();
            return;
        }
        self.reader.back_off.reset();
        match (&self.reader.state, reply) {
            (State::Looking { .. }, StoreReply::Manifest(Ok(manifest))) => {
                self.look(manifest.map(|manifest| *manifest));
            }
            (State::Looking { .. }, StoreReply::ApimState(Ok(state))) => match state {
                Some(_) => self.begin_full(FullReadReason::Start, ReadMethod::Scan, None),
                None => self.look_at_next_poll(),
            },
            (State::Full(_), reply) => self.full_reply(reply),
            (State::Following(_), StoreReply::Followed(Ok(items))) => self.follow(items),
            (State::Following(_), StoreReply::Manifest(Ok(manifest))) => {
                self.check_place(manifest.map(|manifest| *manifest));
            }
            (State::Apim { .. }, reply) => self.apim_reply(&reply),
            _ => {}
        }
    }

    fn reader_failed(&mut self) {
        if self.catching_up().is_some() {
            // The primary surveys anew, with a pause of its own.
            self.pause_reader();
            self.leader_lost_reader();
            return;
        }
        self.look_later();
    }

    /// A primary that reads up to where the last one got: until which place.
    fn catching_up(&self) -> Option<(StoreId, Revision)> {
        match self.leadership.as_ref()?.phase {
            Phase::CatchUp { store, revision } => Some((store, revision)),
            _ => None,
        }
    }

    /// The primary wants the reader to get to where the manifest stands.
    pub(super) fn reader_catches_up(&mut self, manifest: Manifest) {
        self.drop_reading();
        self.reader.hold = None;
        match self.applied {
            Some((store, position)) if self.active && store == manifest.store => {
                self.stand_at(store, position);
            }
            _ => self.begin_full(FullReadReason::Start, ReadMethod::Index, Some(manifest)),
        }
    }

    fn stand_at(&mut self, store: StoreId, position: Revision) {
        self.reader.hold = None;
        self.reader.suspects = None;
        self.reader.state = State::Following(Following {
            store,
            position,
            open: Vec::new(),
            asks_manifest: false,
            suspected_gap: None,
        });
    }

    /// A follower that reads nothing yet has looked at the manifest.
    fn look(&mut self, manifest: Option<Manifest>) {
        self.reader.empty = manifest.is_none();
        self.election_reconsiders();
        let Some(manifest) = manifest else {
            // APIM's primaries keep no manifest. Only a gateway that never leads waits for one of them.
            if !self.may_lead() && !self.stopping {
                self.read_call(StoreRequest::ApimState);
            } else {
                self.look_at_next_poll();
            }
            return;
        };
        self.election.saw_epoch(manifest.epoch);
        if manifest.whole == Revision(0) {
            // Being filled. A node that has a state is not behind that.
            if self.active && !self.equals(&manifest) {
                self.hold_against(&manifest);
            }
            self.look_at_next_poll();
        } else if !self.active {
            self.begin_full(FullReadReason::Start, self.method(), Some(manifest));
        } else if self.equals(&manifest) {
            self.jump_to(&manifest);
        } else {
            self.place_in(manifest);
        }
    }

    /// An active state meets a manifest: does the log continue from it, or has history been left?
    fn place_in(&mut self, manifest: Manifest) {
        let continues = self.reader.hold.is_none() && self.may_follow_from_here(&manifest);
        match self.applied {
            Some((store, revision))
                if continues && store == manifest.store && revision <= manifest.revision =>
            {
                self.stand_at(store, revision);
            }
            _ => {
                let seen = self.hold_against(&manifest);
                if manifest.synced.reads >= seen + 2 {
                    self.begin_full(FullReadReason::OtherStore, self.method(), Some(manifest));
                } else {
                    self.look_at_next_poll();
                }
            }
        }
    }

    /// Keeps this node's state against what the store says, since it may be the newer one. Answers how many whole reads of
    /// the repository the store had seen when that began; see `Synced::reads` for when it ends.
    fn hold_against(&mut self, manifest: &Manifest) -> u64 {
        // A lower epoch is another branch of history, in which the count means something else.
        if let Some(hold) = self.reader.hold
            && hold.store == manifest.store
            && hold.epoch <= manifest.epoch
            && hold.reads <= manifest.synced.reads
        {
            let reads = manifest.synced.reads;
            if hold.published || reads == hold.reads {
                return hold.reads;
            }
            self.reader.hold = Some(Hold { reads, published: true, ..hold });
            return reads;
        }
        let found = Some((manifest.store, manifest.revision));
        self.note(Note::StoreChanged { known: self.applied, found });
        self.note(Note::HoldingNewerState);
        let Manifest { store, epoch, synced, .. } = *manifest;
        self.reader.hold = Some(Hold { store, epoch, reads: synced.reads, published: false });
        manifest.synced.reads
    }

    fn equals(&self, manifest: &Manifest) -> bool {
        manifest.whole == manifest.revision && manifest.digests == *self.table.digests()
    }

    /// What this node has is what the store holds: it stands there without reading anything.
    fn jump_to(&mut self, manifest: &Manifest) {
        let revision = (manifest.store, manifest.revision);
        if self.applied != Some(revision) {
            self.applied = Some(revision);
            self.applied_epoch = manifest.epoch;
            self.stage(StageOp::Begin { full: false });
            self.commit(Some(revision));
        }
        self.synced = Some(manifest.synced);
        self.stand_at(manifest.store, manifest.revision);
    }

    /// By which way to read: the index, unless that could not be proven last time.
    fn method(&self) -> ReadMethod {
        if self.reader.unproven == 0 { ReadMethod::Index } else { ReadMethod::Scan }
    }
}
