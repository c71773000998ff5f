//! The primary finds out what the store holds, and decides what follows from that. Keeps Z4 and Z6.
//!
//! The table in ARCHITECTURE.md, "The primary's own work", says what is decided when.

use std::collections::BTreeMap;
use std::time::Duration;

use zonegate_model::{Digest, Digests, Revision, Row, RowKey, StoreId};

use super::publish::partial_after;
use super::{Gate, LeaderCall, Pending, Phase, Stored};
use crate::command::{FullReadReason, Note, StoreRequest};
use crate::machine::Machine;
use crate::port::{Manifest, ReadMethod, Synced};

impl Machine {
    /// Decides what to do about what the store holds.
    pub(super) fn surveyed(&mut self, found: Option<Manifest>) {
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
    pub(super) fn known_position(&self) -> Option<(StoreId, Revision)> {
        let stored = self.leadership.as_ref().and_then(|leader| leader.stored.as_ref());
        let written = stored.and_then(|stored| stored.manifest.as_ref()).map(|m| (m.store, m.revision));
        written.or(self.applied)
    }

    pub(super) fn catch_up(&mut self, manifest: &Manifest) {
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
    pub(in crate::machine) fn caught_up(
        &mut self,
        manifest: Manifest,
        open: &BTreeMap<RowKey, Option<Digest>>,
    ) {
        self.pause_reader();
        self.steady(manifest, open);
    }

    /// The reader cannot get to where the store stands.
    pub(in crate::machine) fn cannot_catch_up(&mut self) {
        self.pause_reader();
        let found = self.leadership.as_mut().and_then(|leader| leader.set_aside.take());
        self.import_first(found);
    }

    pub(super) fn steady(&mut self, manifest: Manifest, open: &BTreeMap<RowKey, Option<Digest>>) {
        let Some(leader) = &mut self.leadership else { return };
        leader.pending = Pending::fresh(&mut self.table);
        if manifest.whole != manifest.revision {
            leader.pending.mark_unsettled();
        }
        for (key, in_store) in open {
            leader.pending.found(key, *in_store, &mut self.table);
        }
        let synced = manifest.synced;
        leader.stored = Some(Stored { digests: manifest.digests, manifest: Some(manifest) });
        leader.phase = Phase::Steady;
        self.synced =
            Some(self.synced.map_or(synced, |own| Synced { reads: own.reads.max(synced.reads), ..synced }));
    }

    pub(super) fn import_first(&mut self, found: Option<Manifest>) {
        if let Some(leader) = &mut self.leadership {
            leader.set_aside = found;
            leader.phase = Phase::ImportFirst;
            leader.stored = None;
            leader.gate = Gate::Success;
            self.importer_wants_everything();
        }
    }

    pub(super) fn verify(&mut self, manifest: Option<&Manifest>, new_store: bool, gate: Gate) {
        // Two passes over the state would take each other's marks for their own.
        self.abandon_import();
        let Some(leader) = &mut self.leadership else { return };
        let before = manifest.map(|manifest| (manifest.store, manifest.revision));
        leader.phase = Phase::Verify { before, found: Digests::default() };
        leader.new_store = new_store;
        if leader.gate != Gate::Open || gate == Gate::Success {
            leader.gate = gate;
        }
        leader.pending = Pending::fresh(&mut self.table);
        leader.stored = None;
        self.table.begin_pass();
        let call = self.call_store(StoreRequest::Read(ReadMethod::Scan));
        self.counters.full_reads += 1;
        self.note(Note::FullRead { reason: FullReadReason::Verification, method: ReadMethod::Scan });
        if let Some(leader) = &mut self.leadership {
            leader.call = Some((call, LeaderCall::VerifyRead));
        }
    }

    pub(super) fn compare_rows(&mut self, rows: &[Row]) {
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
            leader.pending.found(&row.key, Some(digest), &mut self.table);
        }
    }

    pub(super) fn verified(&mut self, manifest: Option<Manifest>) {
        let Some(leader) = &mut self.leadership else { return };
        let Phase::Verify { before, found } = leader.phase else { return };
        if before != manifest.as_ref().map(|manifest| (manifest.store, manifest.revision)) {
            leader.phase = Phase::Survey;
            leader.next_at = self.now.elapsed;
            return;
        }
        Pending::unseen_are_missing(&mut self.table);
        leader.verified_at = Some(self.now.elapsed);
        leader.unconfirmed = true;
        let whole = manifest.as_ref().is_some_and(|manifest| manifest.whole == manifest.revision);
        if manifest.is_some() && (!whole || !leader.pending.is_empty(&self.table)) {
            leader.pending.mark_unsettled();
        }
        leader.stored = Some(Stored { manifest, digests: found });
        leader.phase = Phase::Steady;
        leader.next_at = self.now.elapsed + self.settings.poll_interval;
        let differences = leader.pending.len(&self.table);
        self.counters.verifications += 1;
        self.note(Note::Verified { differences });
    }

    /// The repository, which would tell who is right, does not answer.
    pub(super) fn leader_without_repository(&mut self) {
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
    pub(in crate::machine) fn member_suspects(&mut self, pause: Duration) {
        let Some(leader) = &mut self.leadership else { return };
        let recently = leader.verified_at.is_some_and(|at| self.now.elapsed.saturating_sub(at) < pause);
        if leader.phase == Phase::Steady
            && leader.call.is_none()
            && leader.pending.is_empty(&self.table)
            && !recently
        {
            let manifest = leader.stored.take().and_then(|stored| stored.manifest);
            self.verify(manifest.as_ref(), false, Gate::Open);
        }
    }
}
