//! Audits: what no window shows (a commit that became visible late, a record that was deleted) is found by comparing ids
//! and times with all records of the repository, and reading what differs. Keeps S5 at a fraction of what reading
//! everything costs the centre, and S2 and S4 by taking whole units through the same door as every other read.
//!
//! An audit has two halves. The *index* streams beside the windows, which go on; nothing is concluded from it but which
//! units are *suspicious*, because what a window brought meanwhile is newer than it. Then the *parts*, in the ordinary
//! queue of reads: every suspicious unit and all that stands alone. Marks of the table's pass tell what was mentioned, by
//! the index or by a window since the audit began.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use zonegate_model::{Digest, Payload, RowKey};

use crate::command::{CallId, Note, RepositoryReply, RepositoryRequest};
use crate::machine::Machine;
use crate::port::{Indexed, RepositoryError};
use crate::random::BackOff;
use crate::table::Compared;

/// Most records that one audit can add to the ignored ones. Their keys are kept until its end.
const MOST_DOUBTS: usize = 100_000;
/// Most ignored records; 16 bytes each.
const MOST_IGNORED: usize = 1_000_000;

/// What audits need from one to the next.
pub(super) struct Auditor {
    /// When the next audit, or the next half of the one under way, may begin.
    at: Duration,
    audit: Option<Audit>,
    /// Records that the index mentions although they are not served here: for other sharding tags, of plans that are
    /// not served, refused. Each with its time, as [`ignored_mark`] mixes them, in order. Of the last audit only: what it
    /// did not mention again is forgotten.
    ignored: Vec<u128>,
    back_off: BackOff,
}

/// An audit under way.
#[derive(Default)]
struct Audit {
    /// The index is being read; `None` when it was read to its end.
    call: Option<CallId>,
    suspicious: BTreeSet<Arc<str>>,
    /// More units are suspicious than are worth being read one by one: everything is read instead.
    too_many: bool,
    /// Units that were suspicious in all.
    units: u64,
    /// Records that made units suspicious and may turn out not to be served.
    doubts: Vec<(RowKey, u128)>,
    /// Ignored records that were mentioned again with the same time.
    still_ignored: Vec<u128>,
}

impl Auditor {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            at: now,
            audit: None,
            ignored: Vec::new(),
            back_off: BackOff::new(Duration::from_millis(500), Duration::from_secs(30)),
        }
    }
}

impl Audit {
    fn suspect(&mut self, unit: &Arc<str>, most: usize) {
        if self.too_many || self.suspicious.contains(unit) {
            return;
        }
        self.units += 1;
        self.too_many = self.suspicious.len() >= most;
        if !self.too_many {
            self.suspicious.insert(Arc::clone(unit));
        }
    }
}

/// One number for a record at a time. 128 bits, so that no two records are taken for one.
fn ignored_mark(indexed: &Indexed) -> u128 {
    Digest::of(&indexed.key, &Payload::new(indexed.recorded_at.0.to_string())).0
}

impl Machine {
    /// When an audit, or its second half, is due.
    pub(super) fn audit_wake(&self) -> Option<Duration> {
        let waits = match &self.importer.auditor.audit {
            None => self.may_audit(),
            Some(audit) => audit.call.is_none() && !audit.too_many && self.importer.run.is_none(),
        };
        waits.then_some(self.importer.auditor.at)
    }

    /// An index is worth reading when what is served came from the repository, or from a store that was proven, and the
    /// repository answers.
    fn may_audit(&self) -> bool {
        let importer = &self.importer;
        self.active
            && importer.run.is_none()
            && !importer.everything
            && !importer.news_first
            && self.repository_failure.is_none()
            && self.knows_time()
    }

    /// Begins an audit that is due.
    pub(super) fn advance_audit(&mut self) {
        let due = self.now.elapsed >= self.importer.auditor.at;
        if !due || self.importer.auditor.audit.is_some() || !self.may_audit() {
            return;
        }
        self.table.begin_pass();
        let call = self.call_repository(RepositoryRequest::ReadIndex);
        self.importer.auditor.audit = Some(Audit { call: Some(call), ..Audit::default() });
    }

    /// The second half of an audit, if it is due.
    pub(super) fn parts_to_read(&mut self) -> Option<RepositoryRequest> {
        let auditor = &self.importer.auditor;
        let audit = auditor.audit.as_ref()?;
        if audit.call.is_some() || audit.too_many || self.now.elapsed < auditor.at {
            return None;
        }
        let units = audit.suspicious.iter().cloned().collect();
        // From now on the marks are about what stands alone.
        self.table.begin_pass();
        Some(RepositoryRequest::ReadParts(units))
    }

    /// Whether an audit found so much that everything has to be read.
    pub(super) fn audit_wants_everything(&self) -> bool {
        self.importer.auditor.audit.as_ref().is_some_and(|audit| audit.call.is_none() && audit.too_many)
    }

    pub(super) fn is_index_call(&self, call: CallId) -> bool {
        self.importer.auditor.audit.as_ref().is_some_and(|audit| audit.call == Some(call))
    }

    pub(super) fn on_index_reply(&mut self, reply: RepositoryReply) {
        match reply {
            RepositoryReply::Index(indexed) => {
                for indexed in indexed {
                    self.compare_record(&indexed);
                }
            }
            RepositoryReply::Done(Ok(())) => self.index_done(),
            RepositoryReply::Done(Err(error)) => self.index_failed(&error),
            RepositoryReply::Changes(_) | RepositoryReply::Watched(_) => {}
        }
    }

    fn compare_record(&mut self, indexed: &Indexed) {
        let key = &indexed.key;
        // The index does not speak of what stands alone.
        let Some(unit) = key.unit() else { return };
        let compared = self.table.compare(key, indexed.recorded_at);
        let missing = match compared {
            Compared::Same => return,
            Compared::Differs => false,
            Compared::Missing => true,
        };
        // What belongs to an API that is not there comes with it; if it should be there, the index mentions it too.
        if missing && key.kind.is_scoped() && !self.table.has_owner(unit) {
            return;
        }
        let may_be_ignored = missing || self.refused.contains_key(key);
        let most = self.settings.audit_most_units;
        let auditor = &mut self.importer.auditor;
        let Some(audit) = &mut auditor.audit else { return };
        let mark = ignored_mark(indexed);
        if may_be_ignored && auditor.ignored.binary_search(&mark).is_ok() {
            audit.still_ignored.push(mark);
            return;
        }
        audit.suspect(unit, most);
        if (missing || !key.kind.is_scoped()) && audit.doubts.len() < MOST_DOUBTS {
            audit.doubts.push((key.clone(), mark));
        }
    }

    /// All records were mentioned. What has rows that were not, is suspicious too.
    fn index_done(&mut self) {
        let most = self.settings.audit_most_units;
        let auditor = &mut self.importer.auditor;
        let Some(audit) = &mut auditor.audit else { return };
        audit.call = None;
        for unit in self.table.unseen_units() {
            audit.suspect(unit, most);
        }
        if audit.too_many {
            self.importer.next_at = self.now.elapsed;
        }
        auditor.at = self.now.elapsed;
        self.note_repository_health(None);
    }

    fn index_failed(&mut self, error: &RepositoryError) {
        self.importer.auditor.audit = None;
        self.audit_later();
        self.note_repository_health(Some(error));
    }

    /// The parts could not be read. What is suspicious stays so.
    pub(super) fn parts_failed(&mut self) {
        self.audit_later();
    }

    fn audit_later(&mut self) {
        let pause = self.importer.auditor.back_off.next(&mut self.random);
        self.importer.auditor.at = self.now.elapsed + pause;
    }

    /// A unit came whole, or was refused: what the index said of it is answered.
    pub(super) fn audit_got_unit(&mut self, unit: &Arc<str>) {
        if let Some(audit) = &mut self.importer.auditor.audit
            && audit.call.is_none()
        {
            audit.suspicious.remove(unit);
        }
    }

    /// The parts were read to their end.
    pub(super) fn audit_done(&mut self, changed: u64) {
        let Some(audit) = self.importer.auditor.audit.take() else { return };
        let units = audit.units;
        // A unit that did not come, against the port's promise, stays suspicious.
        let unanswered = audit.suspicious.clone();
        self.remember_ignored(audit, &unanswered);
        self.counters.audits += 1;
        self.counters.audited_units += units;
        self.note(Note::Audited { units, changed });
    }

    /// Everything was read, which answers whatever an audit asks.
    pub(super) fn audit_done_by_reading_all(&mut self) {
        match self.importer.auditor.audit.take() {
            Some(audit) => self.remember_ignored(audit, &BTreeSet::new()),
            None => self.importer.auditor.at = self.now.elapsed + self.settings.audit_interval,
        }
    }

    /// What the index mentioned and the repository, asked for the whole unit, does not want served is not asked for
    /// again until its record changes.
    fn remember_ignored(&mut self, audit: Audit, unanswered: &BTreeSet<Arc<str>>) {
        let Audit { doubts, still_ignored, .. } = audit;
        let mut ignored = still_ignored;
        for (key, mark) in doubts {
            let answered = key.unit().is_some_and(|unit| !unanswered.contains(unit));
            let served = self.table.contains(&key) && !self.refused.contains_key(&key);
            if answered && !served {
                ignored.push(mark);
            }
        }
        ignored.truncate(MOST_IGNORED);
        ignored.sort_unstable();
        ignored.dedup();
        ignored.shrink_to_fit();
        let auditor = &mut self.importer.auditor;
        auditor.ignored = ignored;
        auditor.back_off.reset();
        auditor.at = self.now.elapsed + self.settings.audit_interval;
    }

    /// Breaks off the index, if it is being read: something else reads everything.
    pub(super) fn abandon_index(&mut self) {
        if self.importer.auditor.audit.as_ref().is_some_and(|audit| audit.call.is_some()) {
            self.abandon_audit();
        }
    }

    /// Breaks off an audit. It is due again as soon as this node may read the repository.
    pub(super) fn abandon_audit(&mut self) {
        if let Some(audit) = self.importer.auditor.audit.take() {
            self.cancel(audit.call);
        }
    }
}
