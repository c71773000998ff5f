//! A lone gateway and the repository's side of its conversation, step by step.

use std::time::Duration;

use zonegate_model::{Kind, Moment, NodeId, RecordedAt, Row, RowKey, RowState};
use zonegate_sync::port::{
    Change, Indexed, RepositoryError, RepositoryFailure, StageOp, Stamp, StampedChange, Watched,
};
use zonegate_sync::{
    CallId, Command, Input, Machine, Mode, Note, RepositoryReply, RepositoryRequest, Settings,
};

const AUDIT: Duration = Duration::from_mins(1);

/// A lone gateway and what it was last seen to want.
pub(crate) struct Gateway {
    machine: Machine,
    pub(crate) now: Moment,
    /// Calls to the repository that were not answered.
    open: Vec<(CallId, RepositoryRequest)>,
    /// Rows that were handed over for serving since somebody looked.
    staged: Vec<Row>,
    pub(crate) audits: Vec<(u64, u64)>,
}

impl Gateway {
    /// Started, with what the repository holds.
    pub(crate) fn with(rows: Vec<StampedChange>) -> Self {
        Self::with_settings(rows, |_| {})
    }

    pub(crate) fn with_settings(rows: Vec<StampedChange>, adjust: impl FnOnce(&mut Settings)) -> Self {
        let now = Moment { elapsed: Duration::ZERO, wall_millis: 1_750_000_000_000 };
        let mut settings = Settings::new(NodeId::new("a"), Mode::Lone);
        settings.delay = Duration::from_secs(5);
        settings.audit_interval = AUDIT;
        adjust(&mut settings);
        let machine = Machine::new(settings, 1, now);
        let mut gateway = Self { machine, now, open: Vec::new(), staged: Vec::new(), audits: Vec::new() };
        gateway.collect();
        let read = gateway.take(|request| matches!(request, RepositoryRequest::ReadAll));
        gateway.answer(read, RepositoryReply::Changes(rows));
        gateway.answer(read, RepositoryReply::Done(Ok(())));
        gateway.staged.clear();
        gateway
    }

    pub(crate) fn collect(&mut self) {
        while let Some(command) = self.machine.next_command() {
            match command {
                Command::Repository { call, request } => self.open.push((call, request)),
                Command::Cancel(call) => self.open.retain(|(open, _)| *open != call),
                Command::Stage(StageOp::Rows(rows)) => self.staged.extend(rows),
                Command::Note(Note::Audited { units, changed }) => self.audits.push((units, changed)),
                _ => {}
            }
        }
    }

    pub(crate) fn answer(&mut self, call: CallId, reply: RepositoryReply) {
        self.machine.handle(self.now, Input::Repository { call, reply });
        self.collect();
    }

    /// The open call that is meant; it is no longer open.
    pub(crate) fn take(&mut self, wanted: impl Fn(&RepositoryRequest) -> bool) -> CallId {
        let place = self.open.iter().position(|(_, request)| wanted(request));
        let place = place.unwrap_or_else(|| panic!("not asked for; open are {:?}", self.open));
        self.open.remove(place).0
    }

    pub(crate) fn asks_for(&self, wanted: impl Fn(&RepositoryRequest) -> bool) -> bool {
        self.open.iter().any(|(_, request)| wanted(request))
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = self.now.after(time);
        self.machine.handle(self.now, Input::Tick);
        self.collect();
    }

    /// Lets time pass until an audit is due; windows meanwhile show nothing. Answers the call for the index.
    pub(crate) fn begin_audit(&mut self) -> CallId {
        for _ in 0..100 {
            if self.asks_for(|request| matches!(request, RepositoryRequest::ReadIndex)) {
                return self.take(|request| matches!(request, RepositoryRequest::ReadIndex));
            }
            if self.asks_for(|request| matches!(request, RepositoryRequest::ReadChanges(_))) {
                self.window(Vec::new());
            }
            self.pass(Duration::from_secs(5));
        }
        panic!("no audit within 500 s");
    }

    /// A window shows something.
    pub(crate) fn window(&mut self, changes: Vec<StampedChange>) {
        let read = self.take(|request| matches!(request, RepositoryRequest::ReadChanges(_)));
        self.answer(read, RepositoryReply::Changes(changes));
        self.answer(read, RepositoryReply::Done(Ok(())));
    }

    /// The units of the parts that are asked for, with the call.
    pub(crate) fn parts(&mut self) -> (CallId, Vec<String>) {
        let wanted = |request: &RepositoryRequest| matches!(request, RepositoryRequest::ReadParts(_));
        if self.asks_for(|request| matches!(request, RepositoryRequest::ReadChanges(_))) {
            self.window(Vec::new());
        }
        let units = self.open.iter().find_map(|(_, request)| match request {
            RepositoryRequest::ReadParts(units) => Some(units.iter().map(ToString::to_string).collect()),
            _ => None,
        });
        (self.take(wanted), units.unwrap_or_default())
    }

    /// A whole audit: what the index says, which units are read because of it, and what they say.
    pub(crate) fn audit(&mut self, index: Vec<Indexed>, parts: Vec<StampedChange>) -> Vec<String> {
        let call = self.begin_audit();
        self.answer(call, RepositoryReply::Index(index));
        self.answer(call, RepositoryReply::Done(Ok(())));
        let (call, units) = self.parts();
        self.answer(call, RepositoryReply::Changes(parts));
        self.answer(call, RepositoryReply::Done(Ok(())));
        units
    }

    /// The repository tells, or says that it cannot.
    pub(crate) fn watched(&mut self, watched: Watched) {
        let wait = self.take(|request| matches!(request, RepositoryRequest::Watch));
        self.answer(wait, RepositoryReply::Watched(Ok(watched)));
    }

    /// What was handed over for serving since the last look; a removed row with a minus.
    pub(crate) fn served(&mut self) -> Vec<String> {
        let staged = std::mem::take(&mut self.staged);
        staged
            .iter()
            .map(|row| format!("{}{}", if row.state == RowState::Removed { "-" } else { "" }, row.key.id))
            .collect()
    }
}

pub(crate) fn api(id: &str) -> RowKey {
    RowKey::new(Kind::Api, id)
}

pub(crate) fn key(api: &str, id: &str) -> RowKey {
    RowKey::scoped(Kind::ApiKey, api, id)
}

pub(crate) fn row(key: RowKey, at: i64) -> Row {
    Row::deployed(key, format!("text of {at}")).recorded(RecordedAt(at))
}

pub(crate) fn unit(id: &str, rows: Vec<Row>) -> StampedChange {
    stamped(Change::Scope { id: id.into(), rows })
}

pub(crate) fn stamped(change: Change) -> StampedChange {
    StampedChange { stamp: Stamp { record: "record".into(), at: 0 }, change }
}

pub(crate) fn indexed(key: RowKey, at: i64) -> Indexed {
    Indexed { key, recorded_at: RecordedAt(at) }
}

/// Two APIs with a key each.
pub(crate) fn two_apis() -> Vec<StampedChange> {
    ["a", "b"].map(|id| unit(id, vec![row(api(id), 10), row(key(id, &format!("{id}-key")), 11)])).to_vec()
}

pub(crate) fn index_of_two() -> Vec<Indexed> {
    ["a", "b"]
        .into_iter()
        .flat_map(|id| [indexed(api(id), 10), indexed(key(id, &format!("{id}-key")), 11)])
        .collect()
}

pub(crate) fn unreachable_repository() -> RepositoryError {
    RepositoryError { failure: RepositoryFailure::Unreachable, message: "gone".to_owned() }
}
