//! Audits of a lone gateway, step by step: what is asked of the repository, and what follows from its answers. Whole
//! histories with faults are the simulation's.

use std::time::Duration;

use zonegate_model::{Kind, Moment, NodeId, RecordedAt, Row, RowKey, RowState};
use zonegate_sync::port::{
    Change, Indexed, RepositoryError, RepositoryFailure, StageOp, Stamp, StampedChange,
};
use zonegate_sync::{
    CallId, Command, Input, Machine, Mode, Note, RepositoryReply, RepositoryRequest, Settings,
};

const AUDIT: Duration = Duration::from_mins(1);

/// A lone gateway and what it was last seen to want.
struct Gateway {
    machine: Machine,
    now: Moment,
    /// Calls to the repository that were not answered.
    open: Vec<(CallId, RepositoryRequest)>,
    /// Rows that were handed over for serving since somebody looked.
    staged: Vec<Row>,
    audits: Vec<(u64, u64)>,
}

impl Gateway {
    /// Started, with what the repository holds.
    fn with(rows: Vec<StampedChange>) -> Self {
        Self::with_settings(rows, |_| {})
    }

    fn with_settings(rows: Vec<StampedChange>, adjust: impl FnOnce(&mut Settings)) -> Self {
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

    fn collect(&mut self) {
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

    fn answer(&mut self, call: CallId, reply: RepositoryReply) {
        self.machine.handle(self.now, Input::Repository { call, reply });
        self.collect();
    }

    /// The open call that is meant; it is no longer open.
    fn take(&mut self, wanted: impl Fn(&RepositoryRequest) -> bool) -> CallId {
        let place = self.open.iter().position(|(_, request)| wanted(request));
        let place = place.unwrap_or_else(|| panic!("not asked for; open are {:?}", self.open));
        self.open.remove(place).0
    }

    fn asks_for(&self, wanted: impl Fn(&RepositoryRequest) -> bool) -> bool {
        self.open.iter().any(|(_, request)| wanted(request))
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.after(time);
        self.machine.handle(self.now, Input::Tick);
        self.collect();
    }

    /// Lets time pass until an audit is due; windows meanwhile show nothing. Answers the call for the index.
    fn begin_audit(&mut self) -> CallId {
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
    fn window(&mut self, changes: Vec<StampedChange>) {
        let read = self.take(|request| matches!(request, RepositoryRequest::ReadChanges(_)));
        self.answer(read, RepositoryReply::Changes(changes));
        self.answer(read, RepositoryReply::Done(Ok(())));
    }

    /// The units of the parts that are asked for, with the call.
    fn parts(&mut self) -> (CallId, Vec<String>) {
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
    fn audit(&mut self, index: Vec<Indexed>, parts: Vec<StampedChange>) -> Vec<String> {
        let call = self.begin_audit();
        self.answer(call, RepositoryReply::Index(index));
        self.answer(call, RepositoryReply::Done(Ok(())));
        let (call, units) = self.parts();
        self.answer(call, RepositoryReply::Changes(parts));
        self.answer(call, RepositoryReply::Done(Ok(())));
        units
    }

    fn served(&mut self) -> Vec<String> {
        let staged = std::mem::take(&mut self.staged);
        staged
            .iter()
            .map(|row| format!("{}{}", if row.state == RowState::Removed { "-" } else { "" }, row.key.id))
            .collect()
    }
}

fn api(id: &str) -> RowKey {
    RowKey::new(Kind::Api, id)
}

fn key(api: &str, id: &str) -> RowKey {
    RowKey::scoped(Kind::ApiKey, api, id)
}

fn row(key: RowKey, at: i64) -> Row {
    Row::deployed(key, format!("text of {at}")).recorded(RecordedAt(at))
}

fn unit(id: &str, rows: Vec<Row>) -> StampedChange {
    stamped(Change::Scope { id: id.into(), rows })
}

fn stamped(change: Change) -> StampedChange {
    StampedChange { stamp: Stamp { record: "record".into(), at: 0 }, change }
}

fn indexed(key: RowKey, at: i64) -> Indexed {
    Indexed { key, recorded_at: RecordedAt(at) }
}

/// Two APIs with a key each.
fn two_apis() -> Vec<StampedChange> {
    ["a", "b"].map(|id| unit(id, vec![row(api(id), 10), row(key(id, &format!("{id}-key")), 11)])).to_vec()
}

fn index_of_two() -> Vec<Indexed> {
    ["a", "b"]
        .into_iter()
        .flat_map(|id| [indexed(api(id), 10), indexed(key(id, &format!("{id}-key")), 11)])
        .collect()
}

#[test]
fn s4_an_audit_that_finds_nothing_reads_no_unit_and_changes_nothing() {
    let mut gateway = Gateway::with(two_apis());
    assert_eq!(gateway.audit(index_of_two(), Vec::new()), Vec::<String>::new());
    assert_eq!(gateway.served(), Vec::<String>::new());
    assert_eq!(gateway.audits, [(0, 0)]);
}

#[test]
fn s5_a_key_that_the_index_does_not_mention_goes_when_its_unit_was_read_and_not_before() {
    let mut gateway = Gateway::with(two_apis());
    let mut index = index_of_two();
    index.retain(|indexed| &*indexed.key.id != "b-key");
    let call = gateway.begin_audit();
    gateway.answer(call, RepositoryReply::Index(index));
    gateway.answer(call, RepositoryReply::Done(Ok(())));
    assert_eq!(gateway.served(), Vec::<String>::new(), "the index itself proves nothing");
    let (call, units) = gateway.parts();
    assert_eq!(units, ["b"]);
    gateway.answer(call, RepositoryReply::Changes(vec![unit("b", vec![row(api("b"), 10)])]));
    gateway.answer(call, RepositoryReply::Done(Ok(())));
    assert_eq!(gateway.served(), ["-b-key"]);
}

#[test]
fn s5_a_record_with_another_time_or_without_a_row_has_its_unit_read() {
    let mut gateway = Gateway::with(two_apis());
    let mut index = index_of_two();
    index[0].recorded_at = RecordedAt(99);
    index.push(indexed(key("b", "another"), 5));
    index.push(indexed(api("c"), 5));
    let read = gateway.audit(index, Vec::new());
    assert_eq!(read, ["a", "b", "c"]);
}

#[test]
fn what_a_window_brought_since_the_audit_began_need_not_be_in_its_index() {
    let mut gateway = Gateway::with(two_apis());
    let call = gateway.begin_audit();
    gateway.pass(Duration::from_secs(5));
    gateway.window(vec![unit("c", vec![row(api("c"), 50), row(key("c", "c-key"), 50)])]);
    gateway.answer(call, RepositoryReply::Index(index_of_two()));
    gateway.answer(call, RepositoryReply::Done(Ok(())));
    assert_eq!(gateway.parts().1, Vec::<String>::new());
}

#[test]
fn windows_go_on_at_their_cadence_while_an_index_streams() {
    let mut gateway = Gateway::with(two_apis());
    let call = gateway.begin_audit();
    for _ in 0..5 {
        gateway.pass(Duration::from_secs(5));
        gateway.window(Vec::new());
        gateway.answer(call, RepositoryReply::Index(index_of_two()));
    }
    assert!(gateway.audits.is_empty());
}

#[test]
fn what_is_not_served_here_is_read_once_and_again_when_its_record_changes() {
    let mut gateway = Gateway::with(two_apis());
    let with_others = |at| {
        let mut index = index_of_two();
        index.push(indexed(api("elsewhere"), at));
        index.push(indexed(key("elsewhere", "its-key"), at));
        index.push(indexed(key("b", "of-another-plan"), at));
        index
    };
    let parts = || vec![unit("elsewhere", Vec::new()), two_apis().remove(1)];
    assert_eq!(gateway.audit(with_others(7), parts()), ["b", "elsewhere"]);
    assert_eq!(gateway.audit(with_others(7), Vec::new()), Vec::<String>::new());
    assert_eq!(gateway.audit(with_others(7), Vec::new()), Vec::<String>::new(), "it stays known");
    assert_eq!(gateway.audit(with_others(8), parts()), ["b", "elsewhere"]);
    assert_eq!(gateway.audit(index_of_two(), Vec::new()), Vec::<String>::new());
    assert_eq!(
        gateway.audit(with_others(8), parts()),
        ["b", "elsewhere"],
        "what an index leaves out is forgotten"
    );
}

#[test]
fn s3_a_refused_api_is_read_once_and_keeps_what_is_known_of_it() {
    let mut gateway = Gateway::with(two_apis());
    let mut index = index_of_two();
    index[0].recorded_at = RecordedAt(20);
    let refused = || vec![stamped(Change::Refused { key: api("a"), reason: "broken".to_owned() })];
    assert_eq!(gateway.audit(index.clone(), refused()), ["a"]);
    assert_eq!(gateway.audit(index.clone(), Vec::new()), Vec::<String>::new());
    assert_eq!(gateway.served(), Vec::<String>::new());
    index[0].recorded_at = RecordedAt(21);
    assert_eq!(gateway.audit(index, refused()), ["a"]);
}

#[test]
fn s5_what_stands_alone_goes_when_the_parts_do_not_bring_it() {
    let dictionary = |id: &str| stamped(Change::Rows(vec![row(RowKey::new(Kind::Dictionary, id), 3)]));
    let mut gateway = Gateway::with([two_apis(), vec![dictionary("d"), dictionary("e")]].concat());
    gateway.audit(index_of_two(), vec![dictionary("e")]);
    assert_eq!(gateway.served(), ["-d"]);
}

#[test]
fn too_many_suspicious_units_make_it_read_everything_and_are_ignored_all_the_same() {
    let mut gateway = Gateway::with_settings(two_apis(), |settings| settings.audit_most_units = 2);
    let mut index = index_of_two();
    index.extend(["p", "q", "r"].map(|id| indexed(api(id), 7)));
    let call = gateway.begin_audit();
    gateway.answer(call, RepositoryReply::Index(index.clone()));
    gateway.answer(call, RepositoryReply::Done(Ok(())));
    if gateway.asks_for(|request| matches!(request, RepositoryRequest::ReadChanges(_))) {
        gateway.window(Vec::new());
    }
    gateway.pass(Duration::from_secs(5));
    let all = gateway.take(|request| matches!(request, RepositoryRequest::ReadAll));
    gateway.answer(all, RepositoryReply::Changes(two_apis()));
    gateway.answer(all, RepositoryReply::Done(Ok(())));
    assert_eq!(gateway.served(), Vec::<String>::new());
    assert_eq!(gateway.audit(index, Vec::new()), Vec::<String>::new());
}

#[test]
fn s5_a_failed_audit_changes_nothing_and_is_tried_again() {
    let mut gateway = Gateway::with(two_apis());
    let error = || {
        let failure = RepositoryFailure::Unreachable;
        RepositoryReply::Done(Err(RepositoryError { failure, message: "gone".to_owned() }))
    };
    let call = gateway.begin_audit();
    gateway.answer(call, RepositoryReply::Index(Vec::new()));
    gateway.answer(call, error());
    let call = gateway.begin_audit();
    gateway.answer(call, RepositoryReply::Done(Ok(())));
    let (call, units) = gateway.parts();
    gateway.answer(call, RepositoryReply::Changes(vec![unit("a", Vec::new())]));
    gateway.answer(call, error());
    assert_eq!(gateway.served(), ["-a", "-a-key"], "what was read is right whatever comes after it");
    gateway.pass(Duration::from_secs(40));
    assert_eq!((units.len(), gateway.parts().1.as_slice()), (2, &["b".to_owned()][..]));
}

#[test]
fn a_touched_record_is_no_change_and_not_suspicious_afterwards() {
    let mut gateway = Gateway::with(two_apis());
    let touched = Row::deployed(key("a", "a-key"), "text of 11").recorded(RecordedAt(77));
    gateway.pass(Duration::from_secs(5));
    gateway.window(vec![stamped(Change::Rows(vec![touched]))]);
    assert_eq!(gateway.served(), Vec::<String>::new());
    let mut index = index_of_two();
    index[1].recorded_at = RecordedAt(77);
    assert_eq!(gateway.audit(index, Vec::new()), Vec::<String>::new());
}

#[test]
fn rows_of_which_no_time_is_known_are_read() {
    let unknown = |id: &str| unit(id, vec![Row::deployed(api(id), "text"), row(key(id, "k"), 1)]);
    let mut gateway = Gateway::with(vec![unknown("a")]);
    let index = vec![indexed(api("a"), 0), indexed(key("a", "k"), 1)];
    assert_eq!(gateway.audit(index, Vec::new()), ["a"]);
}

/// Ids are what they are (S6).
#[test]
fn s6_units_with_ids_that_begin_alike_are_told_apart() {
    let rows = ["a", "a*", "a/b"].map(|id| unit(id, vec![row(api(id), 1)])).to_vec();
    let mut gateway = Gateway::with(rows);
    let index = ["a", "a/b"].map(|id| indexed(api(id), 1)).to_vec();
    assert_eq!(gateway.audit(index, vec![unit("a*", Vec::new())]), ["a*"]);
    assert_eq!(gateway.served(), ["-a*"]);
}
