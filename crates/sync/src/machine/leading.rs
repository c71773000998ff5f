//! The primary's side towards the store: find out what it holds, compare, and write what is missing, fenced.
//! Keeps Z1 (by the grant in each write), Z4 (a promotion resumes), Z6 (the store is refilled), A2 (serving goes on).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use zonegate_model::{Digest, Digests, Revision, Row, RowKey, StoreId};

use super::Machine;
use super::pending::Pending;
use crate::command::{CallId, FullReadReason, Note, StoreReply, StoreRequest};
use crate::port::{Batch, Grant, Manifest, ReadMethod, StoreError, Synced, WriteOutcome};
use crate::random::BackOff;

/// What this node does as primary.
pub(super) struct Leadership {
    pub(super) grant: Grant,
    /// False while the lease is being asked for again after it was lost to nobody.
    pub(super) has_lease: bool,
    pub(super) phase: Phase,
    pub(super) pending: Pending,
    pub(super) stored: Option<Stored>,
    call: Option<(CallId, LeaderCall)>,
    /// A write whose outcome is not known.
    in_doubt: Option<Box<Batch>>,
    next_at: Duration,
    back_off: BackOff,
    /// Publishing waits for the repository to have been read since the promotion.
    gate: Gate,
    new_store: bool,
    /// What the store held when it was decided to read the repository first.
    set_aside: Option<Manifest>,
    /// The grant under which the whole read under way, or the last one, began.
    import_began: Option<Grant>,
    /// The same of the last one that ended well. If it is the present grant, what this node has is right whatever the
    /// store says.
    imported: Option<Grant>,
    verified_at: Option<Duration>,
    /// What is known of the store comes from a comparison that no accepted write has confirmed: another primary may
    /// have been at work when it was made.
    unconfirmed: bool,
    /// This node's state has changed since the last call was sent that the store accepted. It may stand where the
    /// store stands in content and still be ahead of it in time.
    went_on: bool,
}

/// What the store holds, as far as the primary knows.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    /// Its manifest; `None` if there is none yet.
    pub(super) manifest: Option<Manifest>,
    /// Counts and digests of its active rows, counted and not believed.
    digests: Digests,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Asking what the store holds.
    Survey,
    /// Reading on, as a follower does, up to where the last primary got.
    CatchUp { store: StoreId, revision: Revision },
    /// The store can be neither adopted nor compared before the repository was read whole.
    ImportFirst,
    /// Comparing the store's rows with the state, row by row.
    Verify { before: Option<(StoreId, Revision)>, found: Digests },
    /// The store's content is known; differences are written.
    Steady,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Open,
    /// Wait for a read of the repository, whether it succeeds or fails.
    Attempt,
    /// Wait for a read that succeeds: what this node has may be older than what the store has.
    Success,
}

enum LeaderCall {
    Survey,
    VerifyRead,
    VerifyAfter,
    Write(Box<Batch>, Option<Arc<str>>),
    Record(Synced),
}

impl Leadership {
    pub(super) fn call_id(&self) -> Option<CallId> {
        self.call.as_ref().map(|(call, _)| *call)
    }

    pub(super) fn is_writing(&self) -> bool {
        matches!(self.call, Some((_, LeaderCall::Write(..) | LeaderCall::Record(_))))
    }

    /// Whether changes to the state have to be remembered as differences to the store.
    fn knows_store(&self) -> bool {
        self.stored.is_some() || matches!(self.phase, Phase::Verify { .. })
    }
}

impl Machine {
    /// Begins, or resumes, the work of a primary under a new grant.
    pub(super) fn lead(&mut self, grant: Grant) {
        self.pause_reader();
        if let Some(leader) = &mut self.leadership {
            // The lease was lost to nobody and came back: what is known of the store is checked, not forgotten.
            leader.grant = grant;
            leader.has_lease = true;
            leader.phase = Phase::Survey;
            leader.next_at = self.now.elapsed;
            // Rows without a manifest: nothing tells whether they are still there.
            let no_manifest = leader.stored.as_ref().is_some_and(|stored| stored.manifest.is_none());
            if no_manifest || leader.unconfirmed {
                leader.stored = None;
            }
            let call = leader.call.take().map(|(call, kind)| {
                if let LeaderCall::Write(batch, _) = kind {
                    leader.in_doubt = Some(batch);
                }
                call
            });
            self.cancel(call);
            return;
        }
        self.leadership = Some(Leadership {
            grant,
            has_lease: true,
            phase: Phase::Survey,
            pending: Pending::default(),
            stored: None,
            call: None,
            in_doubt: None,
            next_at: self.now.elapsed,
            back_off: BackOff::new(Duration::from_millis(50), Duration::from_secs(2)),
            gate: Gate::Attempt,
            new_store: false,
            set_aside: None,
            import_began: None,
            imported: None,
            verified_at: None,
            unconfirmed: false,
            went_on: false,
        });
        self.importer_promoted();
    }

    /// Ends the work of a primary: this node follows from now on.
    pub(super) fn step_down(&mut self) {
        let Some(leader) = self.leadership.take() else { return };
        self.cancel(leader.call.map(|(call, _)| call));
        self.abandon_import();
        let clean = leader.pending.is_empty() && leader.in_doubt.is_none() && !leader.went_on;
        let position = leader.stored.and_then(|stored| stored.manifest).map(|m| (m.store, m.revision));
        if leader.phase == Phase::Steady {
            self.applied = if clean { position } else { None };
        }
        self.resume_reader();
    }

    pub(super) fn leader_wake(&self) -> Option<Duration> {
        let leader = self.leadership.as_ref()?;
        let waits = leader.call.is_none()
            && leader.has_lease
            && matches!(leader.phase, Phase::Survey | Phase::Steady)
            && !self.stopping;
        waits.then_some(leader.next_at)
    }

    pub(super) fn advance_leading(&mut self) {
        if self.stopping {
            return;
        }
        let Some(leader) = &mut self.leadership else { return };
        if leader.call.is_some() || !leader.has_lease {
            return;
        }
        let due = self.now.elapsed >= leader.next_at;
        match leader.phase {
            Phase::Survey if due => self.survey(),
            Phase::Steady => {
                if !self.publish()
                    && self.leadership.as_ref().is_some_and(|leader| self.now.elapsed >= leader.next_at)
                {
                    self.survey();
                }
            }
            Phase::Survey | Phase::CatchUp { .. } | Phase::ImportFirst | Phase::Verify { .. } => {}
        }
    }

    fn survey(&mut self) {
        let call = self.call_store(StoreRequest::Manifest);
        if let Some(leader) = &mut self.leadership {
            leader.call = Some((call, LeaderCall::Survey));
        }
    }

    /// Writes the next batch, or records the time read up to. Answers whether a call was made.
    fn publish(&mut self) -> bool {
        let Some(leader) = &mut self.leadership else { return false };
        let Some(stored) = &leader.stored else { return false };
        if leader.gate != Gate::Open || !self.active {
            return false;
        }
        let before = stored.manifest.as_ref();
        let never_whole = before.is_none_or(|manifest| manifest.whole == Revision(0));
        let must_close = before.is_none_or(|manifest| manifest.whole != manifest.revision);
        let limits = (self.settings.batch_rows, self.settings.batch_bytes);
        let cut = leader.pending.cut(&self.table, &stored.digests, limits.0, limits.1);
        let (rows, digests, whole, last, partial) = match cut {
            Some(cut) => {
                let partial = cut.partial();
                (cut.rows, cut.digests, cut.whole, cut.last, partial)
            }
            None if must_close || leader.new_store => (Vec::new(), stored.digests, true, true, None),
            None => return self.record_synced(),
        };
        let epoch = leader.grant.epoch;
        let own = self.synced.unwrap_or(Synced { from: -1, to: 0, reads: 0 });
        let manifest = match before {
            Some(manifest) if !leader.new_store => {
                let revision = manifest.revision.next();
                // A store that was never whole becomes so only when nothing is missing (A4).
                let whole = whole && (!never_whole || last);
                let synced = if last { own } else { manifest.synced };
                Manifest {
                    store: manifest.store,
                    revision,
                    whole: if whole { revision } else { manifest.whole },
                    epoch,
                    digests,
                    synced,
                }
            }
            _ => {
                let known = before.map_or(Revision(0), |manifest| manifest.revision);
                let applied = self.applied.map_or(Revision(0), |(_, revision)| revision);
                let revision = known.max(applied).next();
                Manifest {
                    store: StoreId(self.random.next_u128()),
                    revision,
                    whole: if last { revision } else { Revision(0) },
                    epoch,
                    digests,
                    synced: own,
                }
            }
        };
        let batch = Box::new(Batch {
            node: self.settings.node.clone(),
            grant: leader.grant,
            expected: before.map(|manifest| (manifest.store, manifest.revision)),
            log_rows: manifest.whole != Revision(0),
            manifest,
            rows,
        });
        let call = self.call_store(StoreRequest::Write(batch.clone()));
        if let Some(leader) = &mut self.leadership {
            leader.went_on = false;
            leader.call = Some((call, LeaderCall::Write(batch, partial)));
        }
        true
    }

    fn record_synced(&mut self) -> bool {
        let Some(leader) = &self.leadership else { return false };
        let recorded = leader.stored.as_ref().and_then(|stored| stored.manifest.as_ref()).map(|m| m.synced);
        let (Some(recorded), Some(synced)) = (recorded, self.synced) else { return false };
        if recorded == synced {
            return false;
        }
        let request =
            StoreRequest::RecordSynced { node: self.settings.node.clone(), grant: leader.grant, synced };
        let call = self.call_store(request);
        if let Some(leader) = &mut self.leadership {
            leader.went_on = false;
            leader.call = Some((call, LeaderCall::Record(synced)));
        }
        true
    }

    pub(super) fn on_leader_reply(&mut self, reply: StoreReply) {
        if let StoreReply::Rows(rows) = reply {
            self.compare_rows(&rows);
            return;
        }
        let Some(leader) = &mut self.leadership else { return };
        let Some((_, call)) = leader.call.take() else { return };
        match (call, reply) {
            (LeaderCall::Survey, StoreReply::Manifest(Ok(manifest))) => {
                // An answer alone does not mean that the writes will succeed that failed before.
                if leader.pending.is_empty() {
                    leader.back_off.reset();
                }
                leader.next_at = self.now.elapsed + self.settings.poll_interval;
                self.surveyed(manifest.map(|manifest| *manifest));
            }
            (LeaderCall::VerifyRead, StoreReply::ReadDone(Ok(()))) => {
                let call = self.call_store(StoreRequest::Manifest);
                if let Some(leader) = &mut self.leadership {
                    leader.call = Some((call, LeaderCall::VerifyAfter));
                }
            }
            (LeaderCall::VerifyAfter, StoreReply::Manifest(Ok(manifest))) => {
                self.verified(manifest.map(|manifest| *manifest));
            }
            (LeaderCall::Write(batch, partial), StoreReply::Written(Ok(outcome))) => match outcome {
                WriteOutcome::Written => self.written(*batch, partial),
                WriteOutcome::Fenced(holder) => self.fenced(holder),
                WriteOutcome::Unexpected(manifest) => self.surveyed(manifest),
            },
            (LeaderCall::Write(batch, _), StoreReply::Written(Err(error))) => {
                leader.in_doubt = Some(batch);
                self.leader_failed(&error);
            }
            (LeaderCall::Record(synced), StoreReply::Written(Ok(outcome))) => match outcome {
                WriteOutcome::Written => {
                    if let Some(manifest) = leader.stored.as_mut().and_then(|stored| stored.manifest.as_mut())
                    {
                        manifest.synced = synced;
                        if leader.pending.is_empty() && !leader.went_on {
                            self.applied = Some((manifest.store, manifest.revision));
                            self.applied_epoch = manifest.epoch;
                        }
                    }
                }
                WriteOutcome::Fenced(holder) => self.fenced(holder),
                WriteOutcome::Unexpected(manifest) => self.surveyed(manifest),
            },
            (
                _,
                StoreReply::Manifest(Err(error))
                | StoreReply::ReadDone(Err(error))
                | StoreReply::Written(Err(error)),
            ) => self.leader_failed(&error),
            _ => self.leader_retries(),
        }
    }

    fn fenced(&mut self, holder: Option<crate::port::Holder>) {
        self.counters.fenced += 1;
        self.lost_lease(holder);
    }

    fn leader_failed(&mut self, _error: &StoreError) {
        self.leader_retries();
    }

    /// After a failed call: ask anew what the store holds. What is known of it is kept to be compared.
    fn leader_retries(&mut self) {
        if let Some(leader) = &mut self.leadership {
            leader.phase = Phase::Survey;
            leader.next_at = self.now.elapsed + leader.back_off.next(&mut self.random);
        }
    }

    /// Decides what to do about what the store holds.
    fn surveyed(&mut self, found: Option<Manifest>) {
        let Some(leader) = &mut self.leadership else { return };
        if let Some(manifest) = &found {
            self.election.saw_epoch(manifest.epoch);
        }
        let place = found.as_ref().map(|manifest| (manifest.store, manifest.revision));
        // The outcome of a write that was in doubt.
        let was_in_doubt = leader.in_doubt.is_some();
        if let Some(batch) = leader.in_doubt.take()
            && let Some(manifest) = &found
            && place == Some((batch.manifest.store, batch.manifest.revision))
            && manifest.digests == batch.manifest.digests
            && manifest.epoch == batch.manifest.epoch
        {
            let partial = partial_after(&batch);
            self.written(*batch, partial);
            return;
        }
        if was_in_doubt && found.is_none() {
            // Without a manifest nothing tells whether the write was done after all.
            leader.stored = None;
        }
        if let Some(stored) = &leader.stored {
            let known = stored.manifest.as_ref().map(|manifest| (manifest.store, manifest.revision));
            let same = known == place
                && found.as_ref().is_none_or(|manifest| {
                    Some(manifest.digests) == stored.manifest.as_ref().map(|known| known.digests)
                });
            if same {
                leader.phase = Phase::Steady;
                return;
            }
            self.note(Note::StoreChanged { known, found: place });
        }
        let known = self.known_position();
        let Some(leader) = &self.leadership else { return };
        let has_written = leader.stored.is_some();
        // Nobody else has written since this grant, so a read that began under it is newer than whatever lies there.
        // Under a later grant somebody may have written in between.
        let imported = leader.imported == Some(leader.grant);
        let Some(manifest) = found else {
            // Emptied, or never filled, or only ever written by an APIM gateway.
            if self.active {
                self.verify(None, true, Gate::Attempt);
            } else {
                self.import_first(None);
            }
            return;
        };
        let same_store = known.is_some_and(|(store, _)| store == manifest.store)
            && (has_written || manifest.epoch >= self.applied_epoch);
        let ahead = known.is_some_and(|(_, revision)| revision > manifest.revision);
        let settled = manifest.whole == manifest.revision;
        let foreign = manifest.epoch > self.applied_epoch;
        if !self.active {
            if settled { self.catch_up(&manifest) } else { self.import_first(Some(manifest)) }
        } else if same_store && ahead && (imported || !foreign) {
            // Rolled back. What this node has is newer; another store id tells everybody that history was left.
            self.verify(Some(&manifest), true, Gate::Attempt);
        } else if imported {
            self.verify(Some(&manifest), false, Gate::Open);
        } else if !same_store || has_written || ahead || !self.may_follow_from_here(&manifest) {
            // This node went on by itself, or history went on without it: neither state is known to be the newer one.
            self.import_first(Some(manifest));
        } else if known.is_some_and(|(_, revision)| revision == manifest.revision) {
            if manifest.digests == *self.table.digests() {
                self.steady(manifest, &BTreeMap::new());
            } else {
                // The same place in another branch of history.
                self.import_first(Some(manifest));
            }
        } else {
            self.catch_up(&manifest);
        }
    }

    /// The last place in the store's history that this node knows.
    fn known_position(&self) -> Option<(StoreId, Revision)> {
        let stored = self.leadership.as_ref().and_then(|leader| leader.stored.as_ref());
        let written = stored.and_then(|stored| stored.manifest.as_ref()).map(|m| (m.store, m.revision));
        written.or(self.applied)
    }

    fn catch_up(&mut self, manifest: &Manifest) {
        self.abandon_import();
        if let Some(leader) = &mut self.leadership {
            leader.phase = Phase::CatchUp { store: manifest.store, revision: manifest.revision };
            leader.stored = None;
            leader.set_aside = Some(manifest.clone());
            self.reader_catches_up(manifest.clone());
        }
    }

    /// The reader stands where the store stands. `open`: rows of a unit that the last primary did not finish, with
    /// what the store holds of them.
    pub(super) fn caught_up(&mut self, manifest: Manifest, open: &BTreeMap<RowKey, Option<Digest>>) {
        self.pause_reader();
        self.steady(manifest, open);
    }

    /// The reader cannot get to where the store stands.
    pub(super) fn cannot_catch_up(&mut self) {
        self.pause_reader();
        let found = self.leadership.as_mut().and_then(|leader| leader.set_aside.take());
        self.import_first(found);
    }

    /// Reading failed while catching up.
    pub(super) fn leader_lost_reader(&mut self) {
        self.leader_retries();
    }

    fn steady(&mut self, manifest: Manifest, open: &BTreeMap<RowKey, Option<Digest>>) {
        let Some(leader) = &mut self.leadership else { return };
        leader.pending = Pending::default();
        if manifest.whole != manifest.revision {
            leader.pending.mark_unsettled();
        }
        for (key, in_store) in open {
            leader.pending.found(key, *in_store, &self.table);
        }
        let synced = manifest.synced;
        leader.stored = Some(Stored { digests: manifest.digests, manifest: Some(manifest) });
        leader.phase = Phase::Steady;
        self.synced =
            Some(self.synced.map_or(synced, |own| Synced { reads: own.reads.max(synced.reads), ..synced }));
    }

    fn import_first(&mut self, found: Option<Manifest>) {
        if let Some(leader) = &mut self.leadership {
            leader.set_aside = found;
            leader.phase = Phase::ImportFirst;
            leader.stored = None;
            leader.gate = Gate::Success;
            self.importer_wants_everything();
        }
    }

    fn verify(&mut self, manifest: Option<&Manifest>, new_store: bool, gate: Gate) {
        // Two passes over the state would take each other's marks for their own.
        self.abandon_import();
        let Some(leader) = &mut self.leadership else { return };
        let before = manifest.map(|manifest| (manifest.store, manifest.revision));
        leader.phase = Phase::Verify { before, found: Digests::default() };
        leader.new_store = new_store;
        if leader.gate != Gate::Open || gate == Gate::Success {
            leader.gate = gate;
        }
        leader.pending = Pending::default();
        leader.stored = None;
        self.table.begin_pass();
        let call = self.call_store(StoreRequest::Read(ReadMethod::Scan));
        self.counters.full_reads += 1;
        self.note(Note::FullRead { reason: FullReadReason::Verification, method: ReadMethod::Scan });
        if let Some(leader) = &mut self.leadership {
            leader.call = Some((call, LeaderCall::VerifyRead));
        }
    }

    fn compare_rows(&mut self, rows: &[Row]) {
        let Some(leader) = &mut self.leadership else { return };
        let Phase::Verify { found, .. } = &mut leader.phase else { return };
        for row in rows {
            let Some(digest) = row.digest() else { continue };
            // A read may bring a row twice.
            let again = self.table.mark(&row.key).unwrap_or_else(|| leader.pending.knows(&row.key));
            if again {
                continue;
            }
            found[row.key.kind].add(digest);
            leader.pending.found(&row.key, Some(digest), &self.table);
        }
    }

    fn verified(&mut self, manifest: Option<Manifest>) {
        let Some(leader) = &mut self.leadership else { return };
        let Phase::Verify { before, found } = leader.phase else { return };
        if before != manifest.as_ref().map(|manifest| (manifest.store, manifest.revision)) {
            leader.phase = Phase::Survey;
            leader.next_at = self.now.elapsed;
            return;
        }
        for key in self.table.unseen() {
            leader.pending.found(&key, None, &self.table);
        }
        leader.verified_at = Some(self.now.elapsed);
        leader.unconfirmed = true;
        let whole = manifest.as_ref().is_some_and(|manifest| manifest.whole == manifest.revision);
        if manifest.is_some() && (!whole || !leader.pending.is_empty()) {
            leader.pending.mark_unsettled();
        }
        leader.stored = Some(Stored { manifest, digests: found });
        leader.phase = Phase::Steady;
        leader.next_at = self.now.elapsed + self.settings.poll_interval;
        let differences = leader.pending.len() as u64;
        self.counters.verifications += 1;
        self.note(Note::Verified { differences });
    }

    fn written(&mut self, batch: Batch, partial: Option<Arc<str>>) {
        let Some(leader) = &mut self.leadership else { return };
        leader.back_off.reset();
        leader.phase = Phase::Steady;
        leader.new_store = false;
        leader.unconfirmed = false;
        leader.pending.written(&batch.rows, partial, &self.table);
        let Manifest { store, revision, whole, epoch, digests, .. } = batch.manifest;
        leader.stored = Some(Stored { digests, manifest: Some(batch.manifest) });
        let clean = leader.pending.is_empty() && !leader.went_on;
        self.applied = clean.then_some((store, revision));
        self.applied_epoch = epoch;
        self.counters.batches += 1;
        self.counters.rows_written += batch.rows.len() as u64;
        let rows = batch.rows.len() as u64;
        self.note(Note::Published { revision, rows, whole: whole == revision });
    }

    /// A row of the state has changed while this node is primary.
    pub(super) fn row_changed(&mut self, key: &RowKey, before: Option<Digest>) {
        let Some(leader) = &mut self.leadership else { return };
        // Also while the store is gone and what it holds is not known: this node's state has gone on by itself.
        self.applied = None;
        leader.went_on = true;
        if leader.knows_store() {
            leader.pending.changed(key, before, &self.table);
        }
    }

    /// A whole read of the repository begins.
    pub(super) fn leader_begins_import(&mut self) {
        if let Some(leader) = &mut self.leadership {
            leader.import_began = Some(leader.grant);
        }
    }

    /// A read of the repository ended.
    pub(super) fn leader_saw_import(&mut self, success: bool, full: bool) {
        let Some(leader) = &mut self.leadership else { return };
        if success || leader.gate == Gate::Attempt {
            leader.gate = Gate::Open;
        }
        if !success && leader.phase == Phase::ImportFirst {
            self.leader_without_repository();
        } else if success && full {
            leader.imported = leader.import_began;
            if leader.phase == Phase::ImportFirst {
                leader.phase = Phase::Survey;
                leader.next_at = self.now.elapsed;
            }
        }
    }

    /// The repository, which would tell who is right, does not answer.
    fn leader_without_repository(&mut self) {
        if !self.active {
            // A member that has a state can do more with the lease than this node.
            if self.other_member_has_state() {
                self.give_lease_away();
            }
            return;
        }
        let Some(leader) = &mut self.leadership else { return };
        // A store that is whole serves those that start; it waits until the repository is back. One that nobody can
        // start from is replaced by what this node serves, as another store, so that members with more keep theirs.
        let unusable = leader.set_aside.as_ref().is_some_and(|manifest| manifest.whole != manifest.revision);
        if unusable && let Some(manifest) = leader.set_aside.take() {
            self.verify(Some(&manifest), true, Gate::Open);
        }
    }

    /// A member could not prove a read of the store: compare, if that was not done just now (Z7).
    pub(super) fn member_suspects(&mut self, pause: Duration) {
        let Some(leader) = &mut self.leadership else { return };
        let recently = leader.verified_at.is_some_and(|at| self.now.elapsed.saturating_sub(at) < pause);
        if leader.phase == Phase::Steady && leader.call.is_none() && leader.pending.is_empty() && !recently {
            let manifest = leader.stored.take().and_then(|stored| stored.manifest);
            self.verify(manifest.as_ref(), false, Gate::Open);
        }
    }

    pub(super) fn leads_steadily(&self) -> bool {
        self.leadership.as_ref().is_some_and(|leader| leader.phase == Phase::Steady)
    }
}

/// The unit that a batch leaves half written, as far as the batch itself tells.
fn partial_after(batch: &Batch) -> Option<Arc<str>> {
    if batch.manifest.whole == batch.manifest.revision {
        return None;
    }
    batch.rows.last().and_then(|row| row.key.unit().cloned())
}
