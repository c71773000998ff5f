//! The sync process of one gateway: a state machine over the parts in `machine/`.
//!
//! - `election` asks for the lease, renews it, gives it up (Z1, Z3).
//! - `reading` brings the store's state into this gateway: full reads, proof, following (Z5, Z6, A4).
//! - `leading` is the primary's side towards the store: survey, verification, fenced batches (Z4, Z6).
//! - `importing` brings the management repository's state into this gateway (S4, S5).
//! - `membership` tells the other members and hears of them (Z7).
//!
//! It relies on the ports only. Every part reacts to replies and to time, and never waits.

mod election;
mod importing;
mod leading;
mod membership;
mod pending;
mod picture;
mod reading;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use zonegate_model::{Epoch, Moment, Revision, RowKey, StoreId};

use crate::command::{CallId, Command, Input, Note, RepositoryRequest, StoreReply, StoreRequest};
use crate::port::{RepositoryError, StageOp, Synced};
use crate::random::Random;
use crate::settings::{Mode, Settings};
use crate::status::{Counters, Failure};
use crate::table::RowTable;

use election::Election;
use importing::Importer;
use leading::Leadership;
use membership::Membership;
use reading::Reader;

/// The sync process of one gateway. Owned by one driver, which feeds it inputs and carries out its commands.
pub struct Machine {
    settings: Settings,
    random: Random,
    now: Moment,
    commands: VecDeque<Command>,
    last_call: u64,
    /// The state that this gateway serves, or for a cold start from the repository is about to.
    table: RowTable,
    /// Whether `table` is a whole state that was handed over for serving.
    active: bool,
    /// The store's revision that `table` equals; `None` if it equals none.
    applied: Option<(StoreId, Revision)>,
    /// Under which epoch that revision was written.
    applied_epoch: Epoch,
    /// How far into the repository's time `table` reaches.
    synced: Option<Synced>,
    /// Commits that were handed over and not yet acknowledged.
    commits_under_way: u32,
    ready: bool,
    stopping: bool,
    election: Election,
    reader: Reader,
    leadership: Option<Leadership>,
    importer: Importer,
    membership: Membership,
    /// Records and rows that could not be understood, with the reason.
    refused: BTreeMap<RowKey, Arc<str>>,
    store_failure: Option<Failure>,
    repository_failure: Option<Failure>,
    counters: Counters,
}

impl Machine {
    /// A machine at its start. `seed` feeds jitter and the random marks of the protocol.
    pub fn new(settings: Settings, seed: u64, now: Moment) -> Self {
        let mut machine = Self {
            random: Random::new(seed),
            now,
            commands: VecDeque::new(),
            last_call: 0,
            table: RowTable::default(),
            active: false,
            applied: None,
            applied_epoch: Epoch(0),
            synced: None,
            commits_under_way: 0,
            ready: false,
            stopping: false,
            election: Election::new(now.elapsed),
            reader: Reader::new(now.elapsed),
            leadership: None,
            importer: Importer::new(now.elapsed),
            membership: Membership::new(now),
            refused: BTreeMap::new(),
            store_failure: None,
            repository_failure: None,
            counters: Counters::default(),
            settings,
        };
        machine.advance();
        machine
    }

    /// Takes an input at a moment. Commands that follow from it are ready in [`Self::next_command`].
    pub fn handle(&mut self, now: Moment, input: Input) {
        // A clock that goes back would turn intervals negative; the monotonic one is monotonic here too.
        self.now = Moment { elapsed: now.elapsed.max(self.now.elapsed), wall_millis: now.wall_millis };
        match input {
            Input::Tick => {}
            Input::Store { call, reply } => self.on_store(call, reply),
            Input::Repository { call, reply } => self.on_repository(call, reply),
            Input::Committed => {
                self.commits_under_way = self.commits_under_way.saturating_sub(1);
                self.ready = true;
            }
            Input::Stop => self.stopping = true,
        }
        self.advance();
    }

    /// The next command to carry out, oldest first.
    pub fn next_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// When `Input::Tick` is due, on the monotonic clock.
    pub fn wake_at(&self) -> Duration {
        let parts = [
            self.election_wake(),
            self.reader_wake(),
            self.leader_wake(),
            self.importer_wake(),
            self.membership_wake(),
        ];
        let far = self.now.elapsed + Duration::from_hours(1);
        parts.into_iter().flatten().min().unwrap_or(far)
    }

    /// Lets each part do what is due.
    fn advance(&mut self) {
        if self.in_zone() {
            self.advance_election();
            self.advance_reader();
            self.advance_leading();
            self.advance_membership();
        }
        self.advance_importer();
    }

    fn in_zone(&self) -> bool {
        matches!(self.settings.mode, Mode::Zone { .. })
    }

    fn may_lead(&self) -> bool {
        matches!(self.settings.mode, Mode::Zone { may_lead: true }) && !self.stopping
    }

    fn on_store(&mut self, call: CallId, reply: StoreReply) {
        self.note_store_health(&reply);
        if self.election.call.is_some_and(|(id, _)| id == call) {
            self.on_lease_reply(reply);
        } else if self.leadership.as_ref().is_some_and(|leader| leader.call_id() == Some(call)) {
            self.on_leader_reply(reply);
        } else if self.reader.call == Some(call) {
            self.on_reader_reply(reply);
        } else if self.membership.call == Some(call) {
            self.on_members_reply(reply);
        }
    }

    fn note_store_health(&mut self, reply: &StoreReply) {
        let error = match reply {
            StoreReply::Acquired(Err(error))
            | StoreReply::Renewed(Err(error))
            | StoreReply::Released(Err(error))
            | StoreReply::Written(Err(error))
            | StoreReply::Manifest(Err(error))
            | StoreReply::ApimState(Err(error))
            | StoreReply::ReadDone(Err(error))
            | StoreReply::Followed(Err(error))
            | StoreReply::Members(Err(error)) => Some(error),
            StoreReply::Rows(_) => return,
            _ => None,
        };
        match error {
            Some(error) => {
                if self.store_failure.as_ref().is_none_or(|known| *known.message != error.message) {
                    self.note(Note::StoreFailed(error.clone()));
                }
                self.store_failure = Some(Failure::new(&error.message, self.store_failure.take(), self.now));
            }
            None => {
                if self.store_failure.take().is_some() {
                    self.note(Note::StoreRecovered);
                }
            }
        }
    }

    fn note_repository_health(&mut self, error: Option<&RepositoryError>) {
        match error {
            Some(error) => {
                if self.repository_failure.as_ref().is_none_or(|known| *known.message != error.message) {
                    self.note(Note::RepositoryFailed(error.clone()));
                }
                self.repository_failure =
                    Some(Failure::new(&error.message, self.repository_failure.take(), self.now));
            }
            None => {
                if self.repository_failure.take().is_some() {
                    self.note(Note::RepositoryRecovered);
                }
            }
        }
    }

    fn call_store(&mut self, request: StoreRequest) -> CallId {
        let call = self.new_call();
        self.commands.push_back(Command::Store { call, request });
        call
    }

    fn call_repository(&mut self, request: RepositoryRequest) -> CallId {
        let call = self.new_call();
        self.commands.push_back(Command::Repository { call, request });
        call
    }

    fn new_call(&mut self) -> CallId {
        self.last_call += 1;
        CallId(self.last_call)
    }

    fn cancel(&mut self, call: Option<CallId>) {
        if let Some(call) = call {
            self.commands.push_back(Command::Cancel(call));
        }
    }

    fn stage(&mut self, op: StageOp) {
        if matches!(op, StageOp::Commit { .. }) {
            self.commits_under_way += 1;
        }
        self.commands.push_back(Command::Stage(op));
    }

    fn commit(&mut self, revision: Option<(StoreId, Revision)>) {
        let digests = *self.table.digests();
        self.stage(StageOp::Commit { revision, digests });
    }

    fn note(&mut self, note: Note) {
        self.commands.push_back(Command::Note(note));
    }
}
