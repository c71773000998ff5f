//! Following the log, and following a store that an APIM gateway writes.

use std::collections::BTreeMap;

use zonegate_model::{Digest, RowKey};

use super::State;
use crate::command::{FullReadReason, Note, StoreReply, StoreRequest};
use crate::machine::Machine;
use crate::port::{LogEntry, LogItem, Manifest, ReadMethod, StageOp};

impl Machine {
    /// Items of the log after the place where this node stands.
    pub(super) fn follow(&mut self, items: Vec<LogItem>) {
        // Releases say nothing about where the log stands: what was trimmed before them would never be missed.
        if !items.iter().any(|item| matches!(item, LogItem::Committed(_)))
            && let State::Following(following) = &mut self.reader.state
        {
            following.asks_manifest = true;
        }
        for item in items {
            match item {
                LogItem::Released(epoch) => self.lease_was_released(epoch),
                LogItem::Committed(entry) => {
                    if !self.take_entry(*entry) {
                        return;
                    }
                }
            }
        }
    }

    /// Takes one entry. Answers whether this node still stands in the log after it.
    fn take_entry(&mut self, entry: LogEntry) -> bool {
        let may_follow = self.may_follow_from_here(&entry.manifest);
        let State::Following(following) = &mut self.reader.state else { return false };
        let manifest = entry.manifest;
        self.election.saw_epoch(manifest.epoch);
        if manifest.store != following.store || !may_follow {
            self.history_forked(&manifest);
            return false;
        }
        if manifest.revision != following.position.next() {
            self.left_the_log(FullReadReason::LogGap, Some(manifest));
            return false;
        }
        let Some(rows) = entry.rows else {
            self.left_the_log(FullReadReason::LogGap, Some(manifest));
            return false;
        };
        following.position = manifest.revision;
        if following.open.is_empty() {
            following.open = rows;
        } else {
            following.open.extend(rows);
        }
        if manifest.whole == manifest.revision {
            return self.apply_open(&manifest);
        }
        self.caught_up_if_there(&manifest);
        matches!(self.reader.state, State::Following(_))
    }

    /// The zone is whole with this entry: what was collected becomes active, if digests agree.
    fn apply_open(&mut self, manifest: &Manifest) -> bool {
        let State::Following(following) = &mut self.reader.state else { return false };
        let rows = std::mem::take(&mut following.open);
        let undo = self.table.try_apply(&rows);
        if let Some(kind) = self.table.digests().first_difference(&manifest.digests) {
            self.table.undo(undo);
            self.counters.digest_mismatches += 1;
            self.note(Note::ReadUnproven {
                revision: manifest.revision,
                kind: Some(kind),
                method: ReadMethod::Index,
            });
            self.history_forked(manifest);
            return false;
        }
        let revision = (manifest.store, manifest.revision);
        self.applied = Some(revision);
        self.applied_epoch = manifest.epoch;
        self.synced = Some(manifest.synced);
        let changed = self.table.differing_rows(&undo);
        self.stage(StageOp::Begin { full: false });
        self.stage(StageOp::Rows(changed));
        self.commit(Some(revision));
        self.counters.followed += 1;
        self.caught_up_if_there(manifest);
        matches!(self.reader.state, State::Following(_))
    }

    /// The log does not continue where this node stands. Serving goes on; everything is read again behind it.
    fn left_the_log(&mut self, reason: FullReadReason, manifest: Option<Manifest>) {
        let same_store =
            manifest.as_ref().is_some_and(|m| self.applied.is_some_and(|(store, _)| store == m.store));
        let catching_up = self.catching_up().is_some();
        self.forget_open();
        match manifest {
            Some(manifest) if same_store && manifest.whole.0 != 0 => {
                // What a primary that catches up reads must be whole already: nobody else will finish it.
                if catching_up && manifest.whole != manifest.revision {
                    self.cannot_catch_up();
                } else {
                    let method = self.method();
                    self.begin_full(reason, method, Some(manifest));
                }
            }
            _ if catching_up => self.cannot_catch_up(),
            _ => self.reader.state = State::Looking { next_at: self.now.elapsed },
        }
    }

    /// Whether a place in this node's store can come after the place where this node stands: epochs rise, and what was
    /// whole once stays so.
    pub(in crate::machine) fn may_follow_from_here(&self, manifest: &Manifest) -> bool {
        manifest.epoch >= self.applied_epoch
            && self.applied.is_none_or(|(_, revision)| manifest.whole >= revision)
    }

    /// What the store says cannot follow from what this node has. Which of the two is newer is not known.
    fn history_forked(&mut self, manifest: &Manifest) {
        self.forget_open();
        if self.catching_up().is_some() {
            self.cannot_catch_up();
            return;
        }
        self.hold_against(manifest);
        self.reader.state = State::Looking { next_at: self.now.elapsed + self.settings.poll_interval };
    }

    /// Rows of an unfinished unit were never staged, so forgetting them is all there is to do.
    fn forget_open(&mut self) {
        if let State::Following(following) = &mut self.reader.state {
            following.open.clear();
        }
    }

    /// The safety net: the log was silent, does the manifest agree with where this node stands?
    pub(super) fn check_place(&mut self, manifest: Option<Manifest>) {
        let State::Following(following) = &mut self.reader.state else { return };
        following.asks_manifest = false;
        let here = (following.store, following.position);
        let catching_up = self.catching_up();
        let Some(manifest) = manifest else {
            self.note(Note::StoreChanged { known: Some(here), found: None });
            if catching_up.is_some() {
                self.cannot_catch_up();
            } else {
                self.forget_open();
                self.reader.empty = true;
                self.look_at_next_poll();
            }
            return;
        };
        self.election.saw_epoch(manifest.epoch);
        let found = (manifest.store, manifest.revision);
        if found == here {
            if manifest.whole == manifest.revision {
                if self.equals(&manifest) {
                    self.synced = Some(manifest.synced);
                } else {
                    self.history_forked(&manifest);
                    return;
                }
            }
            self.caught_up_if_there(&manifest);
        } else if found.0 == here.0 && found.1 > here.1 {
            self.probe_gap(manifest);
        } else if catching_up.is_some() {
            self.cannot_catch_up();
        } else {
            self.forget_open();
            self.look(Some(manifest));
        }
    }

    /// The manifest is ahead although the log was silent: either the entries came between the two calls, or the log
    /// lost them. The next silent call with the same finding decides.
    fn probe_gap(&mut self, manifest: Manifest) {
        let State::Following(following) = &mut self.reader.state else { return };
        if following.suspected_gap == Some(following.position) {
            self.left_the_log(FullReadReason::LogGap, Some(manifest));
        } else {
            following.suspected_gap = Some(following.position);
        }
    }

    /// Tells a primary that catches up that it has got there.
    pub(super) fn caught_up_if_there(&mut self, manifest: &Manifest) {
        if self.catching_up() != Some((manifest.store, manifest.revision)) {
            return;
        }
        let mut rows = Vec::new();
        if let State::Following(following) = &mut self.reader.state {
            rows = std::mem::take(&mut following.open);
        }
        let undo = self.table.try_apply(&rows);
        let proven = *self.table.digests() == manifest.digests;
        self.table.undo(undo);
        if !proven {
            // Somebody changed rows behind the log's back.
            self.cannot_catch_up();
            return;
        }
        let open: BTreeMap<RowKey, Option<Digest>> =
            rows.iter().map(|row| (row.key.clone(), row.digest())).collect();
        self.caught_up(manifest.clone(), &open);
    }

    /// Begins to follow a store that an APIM gateway writes: windows, and a full read now and then.
    pub(super) fn stand_in_apim_store(&mut self, from: i64) {
        self.reader.state = State::Apim {
            next_at: self.now.elapsed + self.settings.poll_interval,
            from,
            full_at: self.now.elapsed + self.settings.apim_full_interval,
            rows: Vec::new(),
        };
    }

    pub(super) fn advance_apim(&mut self) {
        let State::Apim { from, full_at, rows, .. } = &mut self.reader.state else { return };
        if self.now.elapsed >= *full_at {
            self.begin_full(FullReadReason::ApimInterval, ReadMethod::Scan, None);
            return;
        }
        rows.clear();
        let since = *from - self.settings.overlap.as_millis() as i64;
        *from = self.now.wall_millis;
        self.read_call(StoreRequest::ReadSince(since));
    }

    pub(super) fn apim_reply(&mut self, reply: &StoreReply) {
        let State::Apim { next_at, rows, .. } = &mut self.reader.state else { return };
        *next_at = self.now.elapsed + self.settings.poll_interval;
        let mut rows = std::mem::take(rows);
        if !matches!(reply, StoreReply::ReadDone(Ok(()))) {
            return;
        }
        rows.sort_by(|left, right| left.key.cmp(&right.key));
        let undo = self.table.try_apply(&rows);
        let changed = self.table.differing_rows(&undo);
        if !changed.is_empty() {
            self.stage(StageOp::Begin { full: false });
            self.stage(StageOp::Rows(changed));
            self.commit(None);
        }
    }
}
