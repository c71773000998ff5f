//! The primary's side towards the store: find out what it holds, compare, and write what is missing, fenced.
//! Keeps Z1 (by the grant in each write), Z4 (a promotion resumes), Z6 (the store is refilled), A2 (serving goes on).

mod publish;
mod survey;

use std::sync::Arc;
use std::time::Duration;

use zonegate_model::{Digest, Digests, Revision, RowKey, StoreId};

use super::Machine;
use super::pending::Pending;
use crate::command::{CallId, StoreReply, StoreRequest};
use crate::port::{Batch, Grant, Manifest, Synced, WriteOutcome};
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
        let pending = Pending::fresh(&mut self.table);
        self.leadership = Some(Leadership {
            grant,
            has_lease: true,
            phase: Phase::Survey,
            pending,
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
        let clean = leader.pending.is_empty(&self.table) && leader.in_doubt.is_none() && !leader.went_on;
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
                if leader.pending.is_empty(&self.table) {
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
            (LeaderCall::Write(batch, _), StoreReply::Written(Err(_))) => {
                leader.in_doubt = Some(batch);
                self.leader_retries();
            }
            (LeaderCall::Record(synced), StoreReply::Written(Ok(outcome))) => match outcome {
                WriteOutcome::Written => {
                    if let Some(manifest) = leader.stored.as_mut().and_then(|stored| stored.manifest.as_mut())
                    {
                        manifest.synced = synced;
                        if leader.pending.is_empty(&self.table) && !leader.went_on {
                            self.applied = Some((manifest.store, manifest.revision));
                            self.applied_epoch = manifest.epoch;
                        }
                    }
                }
                WriteOutcome::Fenced(holder) => self.fenced(holder),
                WriteOutcome::Unexpected(manifest) => self.surveyed(manifest),
            },
            _ => self.leader_retries(),
        }
    }

    fn fenced(&mut self, holder: Option<crate::port::Holder>) {
        self.counters.fenced += 1;
        self.lost_lease(holder);
    }

    /// After a failed call: ask anew what the store holds. What is known of it is kept to be compared.
    fn leader_retries(&mut self) {
        if let Some(leader) = &mut self.leadership {
            leader.phase = Phase::Survey;
            leader.next_at = self.now.elapsed + leader.back_off.next(&mut self.random);
        }
    }

    /// Reading failed while catching up.
    pub(super) fn leader_lost_reader(&mut self) {
        self.leader_retries();
    }

    /// A row of the state has changed while this node is primary.
    pub(super) fn row_changed(&mut self, key: &RowKey, before: Option<Digest>) {
        let Some(leader) = &mut self.leadership else { return };
        // Also while the store is gone and what it holds is not known: this node's state has gone on by itself.
        self.applied = None;
        leader.went_on = true;
        if leader.knows_store() {
            leader.pending.changed(key, before, &mut self.table);
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

    pub(super) fn leads_steadily(&self) -> bool {
        self.leadership.as_ref().is_some_and(|leader| leader.phase == Phase::Steady)
    }
}
