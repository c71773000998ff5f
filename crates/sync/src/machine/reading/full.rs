//! A full read of the store and its proof.

use std::time::Duration;

use zonegate_model::{Kind, Revision, Row};

use super::{State, StoreRequest};
use crate::command::{FullReadReason, Note, StoreReply};
use crate::machine::Machine;
use crate::port::{LogItem, Manifest, ReadMethod, StageOp};
use crate::table::RowTable;

/// A full read under way.
pub(super) struct FullRead {
    method: ReadMethod,
    /// The manifest before the rows; `None` for a store that an APIM gateway writes.
    before: Option<Manifest>,
    fresh: RowTable,
    step: Step,
    /// Wall clock at the beginning: windows over a store without a log go on from there.
    started_at: i64,
}

enum Step {
    Rows,
    ManifestAfter,
    /// Replaying the log over what was read. Exact from `exact_from` on.
    Replay {
        position: Revision,
        exact_from: Revision,
    },
}

impl FullRead {
    pub(super) fn next_request(&self, wait: Duration) -> StoreRequest {
        match self.step {
            Step::Rows => StoreRequest::Read(self.method),
            Step::ManifestAfter => StoreRequest::Manifest,
            Step::Replay { position, .. } => StoreRequest::Follow { after: position, wait },
        }
    }
}

impl Machine {
    pub(super) fn begin_full(
        &mut self,
        reason: FullReadReason,
        method: ReadMethod,
        before: Option<Manifest>,
    ) {
        self.drop_reading();
        self.counters.full_reads += 1;
        self.note(Note::FullRead { reason, method });
        self.stage(StageOp::Begin { full: true });
        let started_at = self.now.wall_millis;
        let read = FullRead { method, before, fresh: RowTable::default(), step: Step::Rows, started_at };
        self.reader.state = State::Full(Box::new(read));
    }

    pub(super) fn full_rows(&mut self, rows: Vec<Row>) {
        let State::Full(read) = &mut self.reader.state else { return };
        read.fresh.apply(&rows);
        self.stage(StageOp::Rows(rows));
    }

    pub(super) fn full_reply(&mut self, reply: StoreReply) {
        let State::Full(read) = &mut self.reader.state else { return };
        match reply {
            StoreReply::ReadDone(Ok(())) if read.before.is_none() => self.activate_apim(),
            StoreReply::ReadDone(Ok(())) => read.step = Step::ManifestAfter,
            StoreReply::Manifest(Ok(manifest)) => self.manifest_after(manifest.map(|manifest| *manifest)),
            StoreReply::Followed(Ok(items)) => self.replay(items),
            _ => self.look_later(),
        }
    }

    fn manifest_after(&mut self, after: Option<Manifest>) {
        let State::Full(read) = &mut self.reader.state else { return };
        let (Some(before), Some(after)) = (&read.before, after) else {
            self.full_lost();
            return;
        };
        if before.store != after.store || after.revision < before.revision {
            self.full_lost();
            return;
        }
        match read.step {
            // The log was silent for a while: is there still a primary that will go on?
            Step::Replay { position, .. } if position == after.revision => {
                if after.whole == after.revision {
                    self.prove(&after);
                } else if self.catching_up().is_some() {
                    self.cannot_catch_up();
                }
            }
            Step::Replay { .. } => self.full_lost(),
            Step::Rows | Step::ManifestAfter => {
                let position = before.revision;
                if position == after.revision && after.whole == after.revision {
                    self.prove(&after);
                } else {
                    read.step = Step::Replay { position, exact_from: after.revision };
                }
            }
        }
    }

    fn replay(&mut self, items: Vec<LogItem>) {
        if items.is_empty() {
            let State::Full(_) = &self.reader.state else { return };
            self.read_call(StoreRequest::Manifest);
            return;
        }
        for item in items {
            let entry = match item {
                LogItem::Released(epoch) => {
                    self.lease_was_released(epoch);
                    continue;
                }
                LogItem::Committed(entry) => entry,
            };
            let State::Full(read) = &mut self.reader.state else { return };
            let Step::Replay { position, exact_from } = &mut read.step else { return };
            let manifest = &entry.manifest;
            let continues = read.before.as_ref().is_some_and(|before| before.store == manifest.store)
                && manifest.revision == position.next();
            let Some(rows) = entry.rows.filter(|_| continues) else {
                self.full_lost();
                return;
            };
            *position = manifest.revision;
            let exact = *position >= *exact_from;
            read.fresh.apply(&rows);
            self.stage(StageOp::Rows(rows));
            if exact && manifest.whole == manifest.revision {
                self.prove(manifest);
                return;
            }
        }
    }

    /// The read went past something: begin again after a moment.
    fn full_lost(&mut self) {
        if self.catching_up().is_some() {
            self.cannot_catch_up();
        } else {
            self.look_later();
        }
    }

    /// Activates what was read if it is the whole content at the manifest's revision.
    fn prove(&mut self, manifest: &Manifest) {
        let State::Full(read) = &mut self.reader.state else { return };
        let difference = read.fresh.digests().first_difference(&manifest.digests);
        if let Some(kind) = difference {
            self.unproven(manifest.revision, kind);
            return;
        }
        let fresh = std::mem::take(&mut read.fresh);
        self.reader.unproven = 0;
        self.reader.state = State::Paused;
        self.adopt(fresh);
        let revision = (manifest.store, manifest.revision);
        self.applied = Some(revision);
        self.applied_epoch = manifest.epoch;
        self.synced = Some(manifest.synced);
        self.commit(Some(revision));
        self.note(Note::Activated { revision: Some(revision), rows: manifest.digests.total() });
        self.stand_at(manifest.store, manifest.revision);
        self.caught_up_if_there(manifest);
    }

    fn unproven(&mut self, revision: Revision, kind: Kind) {
        let State::Full(read) = &self.reader.state else { return };
        let (method, before) = (read.method, read.before.clone());
        self.counters.unproven_reads += 1;
        self.note(Note::ReadUnproven { revision, kind: Some(kind), method });
        self.reader.unproven += 1;
        if method == ReadMethod::Scan {
            self.reader.suspects = Some(revision);
            if self.catching_up().is_some() {
                self.cannot_catch_up();
            } else {
                self.look_after_unproven();
            }
            return;
        }
        if self.catching_up().is_some() {
            self.begin_full(FullReadReason::Unproven, ReadMethod::Scan, before);
        } else {
            // With a look at the manifest first: the store may have moved on meanwhile.
            self.drop_reading();
            self.reader.state = State::Looking { next_at: self.now.elapsed };
        }
    }

    /// Takes over a fresh state.
    fn adopt(&mut self, fresh: RowTable) {
        self.table = fresh;
        self.active = true;
        self.importer.forget_records();
    }

    fn activate_apim(&mut self) {
        let State::Full(read) = &mut self.reader.state else { return };
        let fresh = std::mem::take(&mut read.fresh);
        let (rows, started_at) = (fresh.digests().total(), read.started_at);
        self.reader.state = State::Paused;
        self.adopt(fresh);
        self.applied = None;
        self.commit(None);
        self.note(Note::Activated { revision: None, rows });
        self.stand_in_apim_store(started_at);
    }
}
