//! A secondary without threads, queues or store: the sync core and a builder of generations with the data plane's compiler,
//! fed by hand, so that the processor time of one log entry can be told from everything else.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use zonegate_generation::{Builder, Committed};
use zonegate_model::{Digests, Epoch, Moment, NodeId, Revision, Row, StoreId};
use zonegate_policy::Registry;
use zonegate_proxy::{Compiler, Counters, GatewaySettings};
use zonegate_sync::port::{LogEntry, LogItem, Manifest, StageOp, Synced};
use zonegate_sync::{CallId, Command, Input, Machine, Mode, Settings, StoreReply, StoreRequest};

use super::cpu;
use super::failure::MeasureError;

/// Rows that a store hands over at once.
const PART: usize = 1000;
/// Any time does.
const WALL_MILLIS: i64 = 1_795_000_000_000;

/// Processor time of one log entry.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cost {
    /// From the entry to the state that requests see, all of it.
    pub(super) whole: Duration,
    /// What the builder of generations had of it.
    pub(super) builder: Duration,
}

/// The secondary.
pub(super) struct ByHand {
    machine: Machine,
    builder: Builder<Compiler>,
    /// What the store would say of itself.
    manifest: Manifest,
    /// The call that waits for the next log entry.
    follow: Option<CallId>,
    /// The call that reads everything.
    read: Option<CallId>,
    answers: VecDeque<Input>,
    committed: Option<Committed>,
    built: Duration,
    now: Moment,
}

impl ByHand {
    /// Reads a full state as from a store, and serves it.
    pub(super) fn load(rows: impl Iterator<Item = Row>) -> Result<Self, MeasureError> {
        let compiler = Compiler::new(
            Registry::builtin(),
            Arc::new(GatewaySettings::default()),
            Arc::new(Counters::default()),
        );
        let now = Moment { elapsed: Duration::ZERO, wall_millis: WALL_MILLIS };
        let settings = Settings::new(NodeId::new("by-hand"), Mode::Zone { may_lead: false });
        let manifest = Manifest {
            store: StoreId(1),
            revision: Revision(1),
            whole: Revision(1),
            epoch: Epoch(1),
            digests: Digests::default(),
            synced: Synced { from: -1, to: 0, reads: 1 },
        };
        let mut secondary = Self {
            machine: Machine::new(settings, 1, now),
            builder: Builder::new(compiler, zonegate_generation::Settings::default()),
            manifest,
            follow: None,
            read: None,
            answers: VecDeque::new(),
            committed: None,
            built: Duration::ZERO,
            now,
        };
        secondary.carry_out();
        let Some(call) = secondary.read.take() else {
            return Err(MeasureError::Unexpected("the sync core does not read its store".to_owned()));
        };
        let mut rows = rows.peekable();
        while rows.peek().is_some() {
            let part: Vec<Row> = rows.by_ref().take(PART).collect();
            for row in &part {
                if let Some(digest) = row.digest() {
                    secondary.manifest.digests[row.key.kind].add(digest);
                }
            }
            secondary.answers.push_back(Input::Store { call, reply: StoreReply::Rows(part) });
            secondary.carry_out();
        }
        secondary.answers.push_back(Input::Store { call, reply: StoreReply::ReadDone(Ok(())) });
        secondary.carry_out();
        match secondary.committed.take() {
            Some(committed) if committed.refused.is_empty() && secondary.follow.is_some() => Ok(secondary),
            Some(committed) => Err(MeasureError::Unexpected(format!(
                "{} APIs are served and {} refused",
                committed.added.len(),
                committed.refused.len()
            ))),
            None => Err(MeasureError::Unexpected("the sync core did not take what was read".to_owned())),
        }
    }

    /// Lets a row change by one log entry, and answers what that took and what came of it.
    pub(super) fn change(&mut self, before: &Row, after: Row) -> Result<(Cost, Committed), MeasureError> {
        let digests = &mut self.manifest.digests[before.key.kind];
        if let Some(digest) = before.digest() {
            digests.subtract(digest);
        }
        if let Some(digest) = after.digest() {
            digests.add(digest);
        }
        self.manifest.revision = self.manifest.revision.next();
        self.manifest.whole = self.manifest.revision;
        let entry = LogEntry { manifest: self.manifest.clone(), rows: Some(vec![after]) };
        let Some(call) = self.follow.take() else {
            return Err(MeasureError::Unexpected("the sync core does not follow".to_owned()));
        };
        let item = LogItem::Committed(Box::new(entry));
        self.answers.push_back(Input::Store { call, reply: StoreReply::Followed(Ok(vec![item])) });
        self.built = Duration::ZERO;
        let begin = cpu::own_exactly();
        self.carry_out();
        let whole = cpu::own_exactly().saturating_sub(begin);
        let committed = self.committed.take();
        let committed =
            committed.ok_or_else(|| MeasureError::Unexpected("a log entry changed nothing".to_owned()))?;
        Ok((Cost { whole, builder: self.built }, committed))
    }

    /// Hands over answers and carries out commands until there are none, as the gateway's driver does.
    fn carry_out(&mut self) {
        loop {
            while let Some(command) = self.machine.next_command() {
                match command {
                    Command::Store { call, request } => self.ask(call, &request),
                    Command::Stage(op) => self.stage(op),
                    Command::Cancel(_) | Command::Note(_) | Command::Repository { .. } => {}
                }
            }
            // The driver publishes a picture after each input.
            std::hint::black_box(self.machine.status());
            let Some(input) = self.answers.pop_front() else { return };
            self.machine.handle(self.now, input);
        }
    }

    fn ask(&mut self, call: CallId, request: &StoreRequest) {
        let reply = match request {
            StoreRequest::Manifest => StoreReply::Manifest(Ok(Some(Box::new(self.manifest.clone())))),
            StoreRequest::Heartbeat(_) => StoreReply::Members(Ok(Vec::new())),
            StoreRequest::Read(_) => {
                self.read = Some(call);
                return;
            }
            StoreRequest::Follow { .. } => {
                self.follow = Some(call);
                return;
            }
            // A gateway that may not lead, on a store with a manifest, asks for nothing else.
            _ => return,
        };
        self.answers.push_back(Input::Store { call, reply });
    }

    fn stage(&mut self, op: StageOp) {
        let begin = cpu::own_exactly();
        match op {
            StageOp::Begin { full } => self.builder.begin(full),
            StageOp::Rows(rows) => self.builder.rows(rows),
            StageOp::Abort => self.builder.abort(),
            StageOp::Commit { revision, digests } => {
                self.committed = Some(self.builder.commit(revision, digests));
                self.answers.push_back(Input::Committed);
            }
        }
        self.built += cpu::own_exactly().saturating_sub(begin);
    }
}
