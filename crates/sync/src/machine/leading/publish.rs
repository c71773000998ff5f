//! The primary writes: the next batch, fenced, or how far the repository was read. Keeps Z1, S2, A4.

use std::sync::Arc;

use zonegate_model::{Revision, StoreId};

use super::{Gate, LeaderCall, Phase, Stored};
use crate::command::{Note, StoreRequest};
use crate::machine::Machine;
use crate::port::{Batch, Manifest, Synced};

impl Machine {
    /// Writes the next batch, or records the time read up to. Answers whether a call was made.
    pub(super) fn publish(&mut self) -> bool {
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

    pub(super) fn record_synced(&mut self) -> bool {
        let Some(leader) = &self.leadership else { return false };
        let manifest = leader.stored.as_ref().and_then(|stored| stored.manifest.as_ref());
        let (Some(manifest), Some(synced)) = (manifest, self.synced) else { return false };
        if manifest.synced == synced {
            return false;
        }
        let request = StoreRequest::RecordSynced {
            node: self.settings.node.clone(),
            grant: leader.grant,
            expected: (manifest.store, manifest.revision),
            synced,
        };
        let call = self.call_store(request);
        if let Some(leader) = &mut self.leadership {
            leader.went_on = false;
            leader.call = Some((call, LeaderCall::Record(synced)));
        }
        true
    }

    pub(super) fn written(&mut self, batch: Batch, partial: Option<Arc<str>>) {
        let Some(leader) = &mut self.leadership else { return };
        leader.back_off.reset();
        leader.phase = Phase::Steady;
        leader.new_store = false;
        leader.unconfirmed = false;
        leader.pending.written(&batch.rows, partial, &mut self.table);
        let Manifest { store, revision, whole, epoch, digests, .. } = batch.manifest;
        leader.stored = Some(Stored { digests, manifest: Some(batch.manifest) });
        let clean = leader.pending.is_empty(&self.table) && !leader.went_on;
        self.applied = clean.then_some((store, revision));
        self.applied_epoch = epoch;
        self.counters.batches += 1;
        self.counters.rows_written += batch.rows.len() as u64;
        let rows = batch.rows.len() as u64;
        self.note(Note::Published { revision, rows, whole: whole == revision });
    }
}

/// The unit that a batch leaves half written, as far as the batch itself tells.
pub(super) fn partial_after(batch: &Batch) -> Option<Arc<str>> {
    if batch.manifest.whole == batch.manifest.revision {
        return None;
    }
    batch.rows.last().and_then(|row| row.key.unit().cloned())
}
