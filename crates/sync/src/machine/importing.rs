//! Bringing the management repository's state into this gateway. Keeps S4 (a replay changes nothing), S5 (what is no
//! longer there is removed), S2 (units are taken whole), A2 (goes on while the store is gone).
//!
//! One read of rows at a time. Windows reach back by the overlap; records seen before with the same time are skipped, rows
//! that did not change are found by digest. What windows cannot show is found by audits (`importing/auditing.rs`).

mod auditing;
mod watching;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use zonegate_model::{Kind, Row, RowKey};

use auditing::Auditor;
use watching::Watcher;

use super::Machine;
use super::leading::Phase;
use crate::command::{CallId, Note, RepositoryReply, RepositoryRequest};
use crate::port::{Change, RepositoryError, StageOp, Stamp, StampedChange, Synced, Window};
use crate::random::BackOff;
use crate::settings::Mode;
use crate::table;

/// A record changed within this time before a read began may change again within the same millisecond, unseen. It is
/// read once more instead of being skipped.
const UNSETTLED: i64 = 2_000;
/// Windows have no upper bound in practice: a record stamped by a clock that is ahead of ours is not missed.
const FAR_AHEAD: i64 = 366 * 24 * 3_600_000;

/// The reading of the repository.
pub(super) struct Importer {
    run: Option<Run>,
    next_at: Duration,
    auditor: Auditor,
    watcher: Watcher,
    back_off: BackOff,
    /// Records seen within reach of the next window, with their time.
    seen: Arc<HashMap<Arc<str>, i64>>,
    everything: bool,
    /// The next read is of a window, although everything is to be read: what is new is wanted first.
    news_first: bool,
    /// Up to which time of the repository the last read reached, and when it began.
    reached: Option<(Duration, i64)>,
    /// Further reads that follow without a pause.
    hurry: u8,
}

struct Run {
    call: CallId,
    what: What,
    /// The first state of this gateway is being built: it becomes active at the end, all at once.
    cold: bool,
    started_at: Duration,
    wall: i64,
    from: i64,
    changed: u64,
}

/// What a run reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// Everything: what does not come is not there.
    All,
    /// What changed.
    Window,
    /// The second half of an audit: all that stands alone, and units that are in doubt.
    Parts,
}

impl Run {
    fn is_full(&self) -> bool {
        self.what == What::All
    }
}

impl Importer {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            run: None,
            next_at: now,
            auditor: Auditor::new(now),
            watcher: Watcher::new(now),
            back_off: BackOff::new(Duration::from_millis(500), Duration::from_secs(10)),
            seen: Arc::default(),
            everything: false,
            news_first: false,
            reached: None,
            hurry: 0,
        }
    }

    /// The state was taken from elsewhere: what was seen in the repository before says nothing about it.
    pub(super) fn forget_records(&mut self) {
        self.seen = Arc::default();
    }
}

impl Machine {
    /// Whether this node is the one that reads the repository.
    fn imports(&self) -> bool {
        if self.stopping {
            return false;
        }
        match self.settings.mode {
            Mode::Lone => true,
            Mode::Zone { .. } => self.leadership.as_ref().is_some_and(|leader| match leader.phase {
                Phase::Steady | Phase::ImportFirst => true,
                // The store is gone: the primary goes on following the repository for itself (A2).
                Phase::Survey => self.active && self.store_failure.is_some(),
                Phase::CatchUp { .. } | Phase::Verify { .. } => false,
            }),
        }
    }

    pub(super) fn importer_wake(&self) -> Option<Duration> {
        if !self.imports() {
            return None;
        }
        let read = self.importer.run.is_none().then_some(self.importer.next_at);
        [read, self.audit_wake(), self.watch_wake()].into_iter().flatten().min()
    }

    pub(super) fn advance_importer(&mut self) {
        let imports = self.imports();
        self.advance_watch(imports);
        if !imports {
            return;
        }
        // Before the next read begins, so that what that read brings counts as seen in the audit, and nothing older does.
        self.advance_audit();
        if self.importer.run.is_some() {
            return;
        }
        if self.now.elapsed >= self.importer.next_at {
            self.begin_read();
        } else if let Some(request) = self.parts_to_read() {
            self.begin_run(request, What::Parts, false, -1);
        }
    }

    /// Begins to read everything, or a window.
    fn begin_read(&mut self) {
        self.read_begins();
        let cold = !self.active;
        let full = cold || self.importer.everything || self.audit_wants_everything() || !self.knows_time();
        self.importer.news_first = false;
        if !full {
            let wall = self.reach();
            let overlap = self.settings.overlap.as_millis() as i64;
            let from = self.synced.map_or(-1, |synced| synced.to.min(wall));
            let window = Window {
                from: from - overlap,
                to: self.now.wall_millis.max(wall) + FAR_AHEAD,
                seen: Arc::clone(&self.importer.seen),
            };
            self.begin_run(RepositoryRequest::ReadChanges(window), What::Window, false, from);
            return;
        }
        // Two passes over the table would take each other's marks for their own.
        self.abandon_index();
        if cold {
            self.table = table::RowTable::default();
            self.stage(StageOp::Begin { full: true });
        }
        self.table.begin_pass();
        self.leader_begins_import();
        self.begin_run(RepositoryRequest::ReadAll, What::All, cold, -1);
    }

    fn begin_run(&mut self, request: RepositoryRequest, what: What, cold: bool, from: i64) {
        let wall = self.reach();
        let call = self.call_repository(request);
        let started_at = self.now.elapsed;
        self.importer.run = Some(Run { call, what, cold, started_at, wall, from, changed: 0 });
    }

    /// A time ahead of now, from a primary whose clock was wrong, does not say where a window has to begin.
    fn knows_time(&self) -> bool {
        let overlap = self.settings.overlap.as_millis() as i64;
        self.synced.is_some_and(|synced| synced.to <= self.reach() + overlap)
    }

    /// Up to which time of the repository a read that begins now reaches. The wall clock, unless it ran ahead of the
    /// time that passed since the last read: then it was set forward, and changes would be skipped.
    fn reach(&self) -> i64 {
        let wall = self.now.wall_millis;
        self.importer.reached.map_or(wall, |(at, reached)| {
            let passed = self.now.elapsed.saturating_sub(at).as_millis() as i64;
            wall.min(reached + passed)
        })
    }

    /// A fresh primary: what is new first, so that changes made in the gap are published at once; then an audit.
    pub(super) fn importer_promoted(&mut self) {
        let now = self.now.elapsed;
        self.importer.next_at = now;
        self.importer.auditor = Auditor::new(now);
        self.restart_watch();
        self.importer.news_first = true;
        self.importer.reached = None;
        self.importer.everything = false;
        self.importer.back_off.reset();
        self.importer.hurry = 1;
    }

    pub(super) fn importer_wants_everything(&mut self) {
        self.importer.everything = true;
        self.importer.next_at = self.now.elapsed;
    }

    /// A member keeps a state that may be newer than the store's: it follows again after whole reads.
    pub(super) fn member_wants_audit(&mut self) {
        let idle = self.importer.run.as_ref().is_none_or(|run| !run.is_full());
        if self.leads_steadily() && idle && !self.importer.everything {
            self.importer.everything = true;
            if self.repository_failure.is_none() {
                self.importer.next_at = self.now.elapsed;
            }
        }
    }

    /// Breaks off reads of the repository that are under way.
    pub(super) fn abandon_import(&mut self) {
        self.abandon_audit();
        if let Some(run) = self.importer.run.take() {
            self.cancel(Some(run.call));
            self.abort_cold(run.cold);
        }
    }

    fn abort_cold(&mut self, cold: bool) {
        if cold {
            self.stage(StageOp::Abort);
            self.table = table::RowTable::default();
        }
    }

    pub(super) fn on_repository(&mut self, call: CallId, reply: RepositoryReply) {
        if self.is_index_call(call) {
            self.on_index_reply(reply);
            return;
        }
        if self.is_watch_call(call) {
            self.on_watch_reply(&reply);
            return;
        }
        if self.importer.run.as_ref().is_none_or(|run| run.call != call) {
            return;
        }
        match reply {
            RepositoryReply::Changes(changes) => self.take_changes(changes),
            RepositoryReply::Index(_) | RepositoryReply::Watched(_) => {}
            RepositoryReply::Done(Ok(())) => self.import_done(),
            RepositoryReply::Done(Err(error)) => self.import_failed(&error),
        }
    }

    fn take_changes(&mut self, changes: Vec<StampedChange>) {
        let mut changed = Vec::new();
        for StampedChange { stamp, change } in changes {
            self.take_change(change, &mut changed);
            self.saw_record(stamp);
        }
        self.stage_own(changed);
    }

    fn saw_record(&mut self, stamp: Stamp) {
        let Some(run) = &self.importer.run else { return };
        let reach = self.settings.overlap.as_millis() as i64 * 2 + self.settings.delay.as_millis() as i64;
        if stamp.at >= run.wall - reach && stamp.at < run.wall - UNSETTLED {
            Arc::make_mut(&mut self.importer.seen).insert(stamp.record, stamp.at);
        }
    }

    /// Makes a change part of this node's own state. Rows that differ from what was there go to `changed`.
    fn take_change(&mut self, change: Change, changed: &mut Vec<Row>) {
        match change {
            Change::Scope { id, rows } => {
                let has_owner = rows.iter().any(|row| {
                    matches!(row.key.kind, Kind::Api | Kind::ApiProduct) && row.digest().is_some()
                });
                let staying = if has_owner { rows.as_slice() } else { &[] };
                let gone = self.table.unit_keys_except(&id, staying);
                self.audit_got_unit(&id);
                self.refused.remove(&RowKey::new(Kind::Api, id));
                for key in gone {
                    self.set_own(Row::removed(key), changed);
                }
                if has_owner {
                    for row in rows {
                        self.set_own(row, changed);
                    }
                }
            }
            Change::Rows(rows) => {
                for row in rows {
                    // A subscription or key of something that is not deployed comes with it when it is.
                    let owned = row.key.scope.as_ref().is_none_or(|scope| self.table.has_owner(scope));
                    if owned {
                        self.refused.remove(&row.key);
                        self.set_own(row, changed);
                    }
                }
            }
            Change::Refused { key, reason } => {
                match key.unit() {
                    Some(unit) => {
                        self.audit_got_unit(unit);
                        self.table.mark_unit(unit);
                    }
                    None => {
                        self.table.mark(&key);
                    }
                }
                let reason: Arc<str> = reason.into();
                if self.refused.get(&key) != Some(&reason) {
                    self.note(Note::Refused { key: key.to_string(), reason: reason.to_string() });
                    self.refused.insert(key, reason);
                }
            }
        }
    }

    /// Puts a row into the state, or takes it out, and remembers that the store does not have that yet.
    fn set_own(&mut self, row: Row, changed: &mut Vec<Row>) {
        if let table::Change::From { digest, unwritten } = self.table.set(&row) {
            // Of a row that the store lacked, it has no version.
            self.row_changed(&row.key, digest.filter(|_| !unwritten));
            changed.push(row);
        }
    }

    /// Hands changed rows over for serving: all together (S2), or for a cold start as a part of the whole.
    fn stage_own(&mut self, changed: Vec<Row>) {
        let Some(run) = &mut self.importer.run else { return };
        if changed.is_empty() {
            return;
        }
        run.changed += changed.len() as u64;
        if run.cold {
            self.stage(StageOp::Rows(changed));
        } else {
            self.stage(StageOp::Begin { full: false });
            self.stage(StageOp::Rows(changed));
            self.commit(None);
        }
    }

    fn import_done(&mut self) {
        let Some(what) = self.importer.run.as_ref().map(|run| run.what) else { return };
        let gone = match what {
            What::All => self.table.unseen(),
            What::Parts => self.table.unseen_alone(),
            What::Window => Vec::new(),
        };
        let mut changed = Vec::new();
        for key in gone {
            self.set_own(Row::removed(key), &mut changed);
        }
        self.stage_own(changed);
        let Some(run) = self.importer.run.take() else { return };
        self.note_repository_health(None);
        self.counters.rows_changed += run.changed;
        if what == What::Parts {
            self.audit_done(run.changed);
            return;
        }
        let full = run.is_full();
        let reads = self.synced.map_or(0, |synced| synced.reads) + u64::from(full);
        self.synced = Some(Synced { from: run.from, to: run.wall, reads });
        if run.cold {
            self.active = true;
            self.commit(None);
            let rows = self.table.digests().total();
            self.note(Note::Activated { revision: None, rows });
        }
        self.counters.imports += 1;
        if full || run.changed > 0 {
            self.note(Note::Imported { full, changed: run.changed });
        }
        self.plan_next(&run);
        self.leader_saw_import(true, full);
    }

    fn plan_next(&mut self, run: &Run) {
        let now = self.now.elapsed;
        if run.is_full() {
            self.importer.everything = false;
            self.audit_done_by_reading_all();
        }
        self.importer.reached = Some((run.started_at, run.wall));
        self.importer.back_off.reset();
        self.importer.next_at = if self.importer.hurry > 0 {
            self.importer.hurry -= 1;
            now
        } else {
            now.max(run.started_at + self.settings.delay)
        };
        let horizon = run.wall - 2 * self.settings.overlap.as_millis() as i64;
        let seen = Arc::make_mut(&mut self.importer.seen);
        seen.retain(|_, at| *at >= horizon);
        self.hasten_window();
    }

    fn import_failed(&mut self, error: &RepositoryError) {
        let Some(run) = self.importer.run.take() else { return };
        self.abort_cold(run.cold);
        self.note_repository_health(Some(error));
        if run.what == What::Parts {
            self.parts_failed();
            return;
        }
        let pause = self.importer.back_off.next(&mut self.random);
        self.importer.next_at = self.now.elapsed + pause;
        self.leader_saw_import(false, run.is_full());
    }
}
