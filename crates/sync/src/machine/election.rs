//! The lease: asking for it, renewing it, giving it up. Keeps Z1 (with the store's fence), Z3, P8.
//!
//! No clock of this gateway takes part in safety: the timers here only decide how soon somebody tries.

use std::time::Duration;

use zonegate_model::{Epoch, NodeId, Token};

use super::Machine;
use crate::command::{CallId, Note, StoreReply, StoreRequest};
use crate::port::{Acquire, AcquireOutcome, Grant, Holder, RenewOutcome};
use crate::random::BackOff;

/// How long a member that has no whole state yet leaves the lease to those that have.
const COLD_PATIENCE: Duration = Duration::from_secs(3);
/// Spread of attempts after a release, so that not all members ask in one instant.
const RELEASE_JITTER: Duration = Duration::from_millis(15);

pub(super) struct Election {
    pub(super) call: Option<(CallId, LeaseCall)>,
    next_at: Duration,
    highest: Epoch,
    pub(super) holder: Option<NodeId>,
    /// While this member is not fit to lead: when it asks all the same.
    patience_ends: Option<Duration>,
    back_off: BackOff,
    released: bool,
    /// The lease is given up for somebody fitter.
    giving_away: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum LeaseCall {
    Acquire,
    Renew { sent_at: Duration },
    Release,
}

impl Election {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            call: None,
            next_at: now,
            highest: Epoch(0),
            holder: None,
            patience_ends: None,
            back_off: BackOff::new(Duration::from_millis(100), Duration::from_secs(2)),
            released: false,
            giving_away: false,
        }
    }

    pub(super) fn saw_epoch(&mut self, epoch: Epoch) {
        self.highest = self.highest.max(epoch);
    }
}

impl Machine {
    pub(super) fn election_wake(&self) -> Option<Duration> {
        let idle = self.election.call.is_none() && self.in_zone() && !self.election.released;
        // While stopping, the lease is given up when the write under way is answered; no timer is needed for that.
        (idle && !self.stopping && (self.leadership.is_some() || self.may_lead()))
            .then_some(self.election.next_at)
    }

    pub(super) fn advance_election(&mut self) {
        if self.election.call.is_some() || self.election.released {
            return;
        }
        if let Some(leader) = &self.leadership {
            let (grant, has_lease, writing) = (leader.grant, leader.has_lease, leader.is_writing());
            if self.stopping && !has_lease {
                self.step_down();
            } else if self.stopping || self.election.giving_away {
                if !writing {
                    let node = self.settings.node.clone();
                    let call = self.call_store(StoreRequest::Release { node, grant });
                    self.election.call = Some((call, LeaseCall::Release));
                }
            } else if self.now.elapsed >= self.election.next_at {
                if has_lease {
                    self.renew(grant);
                } else {
                    self.acquire();
                }
            }
        } else if self.may_lead() && self.now.elapsed >= self.election.next_at {
            if self.fit_to_lead() {
                self.acquire();
            } else {
                self.election.next_at = self.now.elapsed + self.settings.watch_interval;
            }
        }
    }

    /// A member leads when it stands where the store stands. One that does not leaves the lease to those that do, and
    /// asks now and then in case there are none.
    fn fit_to_lead(&mut self) -> bool {
        if self.reader.is_current() || self.reader.store_is_empty() {
            self.election.patience_ends = None;
            return true;
        }
        let now = self.now.elapsed;
        let ends = *self.election.patience_ends.get_or_insert(now + COLD_PATIENCE);
        if now >= ends {
            self.election.patience_ends = Some(now + COLD_PATIENCE);
        }
        now >= ends
    }

    fn acquire(&mut self) {
        let request = Acquire {
            node: self.settings.node.clone(),
            token: Token(self.random.next_u128()),
            above: self.election.highest,
            time_to_live: self.settings.lease_time_to_live,
            from_the_dead: true,
        };
        let call = self.call_store(StoreRequest::Acquire(request));
        self.election.call = Some((call, LeaseCall::Acquire));
    }

    fn renew(&mut self, grant: Grant) {
        let request = StoreRequest::Renew {
            node: self.settings.node.clone(),
            grant,
            time_to_live: self.settings.lease_time_to_live,
        };
        let call = self.call_store(request);
        self.election.call = Some((call, LeaseCall::Renew { sent_at: self.now.elapsed }));
    }

    pub(super) fn on_lease_reply(&mut self, reply: StoreReply) {
        let Some((_, kind)) = self.election.call.take() else { return };
        match reply {
            StoreReply::Acquired(Ok(AcquireOutcome::Granted(grant))) => self.granted(grant),
            StoreReply::Acquired(Ok(AcquireOutcome::Held(holder))) => {
                self.election.back_off.reset();
                self.saw_holder(&holder);
                if self.leadership.is_some() {
                    self.depose(Some(holder.node));
                }
                let jitter = self.random.up_to(self.settings.watch_interval / 4);
                self.election.next_at = self.now.elapsed + self.settings.watch_interval + jitter;
            }
            StoreReply::Renewed(Ok(RenewOutcome::Renewed)) => {
                self.election.back_off.reset();
                let sent_at = match kind {
                    LeaseCall::Renew { sent_at } => sent_at,
                    LeaseCall::Acquire | LeaseCall::Release => self.now.elapsed,
                };
                self.election.next_at = sent_at + self.settings.renew_interval();
            }
            StoreReply::Renewed(Ok(RenewOutcome::Lost(holder))) => self.lost_lease(holder),
            StoreReply::Released(_) => {
                self.election.released = self.stopping;
                self.election.giving_away = false;
                self.election.next_at = self.now.elapsed + COLD_PATIENCE;
                self.election.patience_ends = None;
                if let Some(leader) = &self.leadership {
                    let epoch = leader.grant.epoch;
                    self.note(Note::Released { epoch });
                    self.step_down();
                }
            }
            StoreReply::Acquired(Err(_)) | StoreReply::Renewed(Err(_)) => {
                let pause = self.election.back_off.next(&mut self.random);
                let pause = pause.min(self.settings.renew_interval());
                self.election.next_at = self.now.elapsed + pause;
            }
            _ => {}
        }
    }

    fn granted(&mut self, grant: Grant) {
        self.election.back_off.reset();
        self.election.saw_epoch(grant.epoch);
        self.election.holder = Some(self.settings.node.clone());
        self.election.next_at = self.now.elapsed + self.settings.renew_interval();
        self.counters.promotions += 1;
        self.note(Note::Promoted { epoch: grant.epoch });
        self.lead(grant);
    }

    /// The store says that this node's grant is not the current one. If nobody else has the lease it is asked for
    /// again at once, with all that is known kept; else this node follows.
    pub(super) fn lost_lease(&mut self, holder: Option<Holder>) {
        match holder {
            Some(holder) => {
                self.saw_holder(&holder);
                self.depose(Some(holder.node));
            }
            None => {
                if let Some(leader) = &mut self.leadership {
                    leader.has_lease = false;
                    self.election.next_at = self.now.elapsed;
                }
            }
        }
    }

    pub(super) fn depose(&mut self, by: Option<NodeId>) {
        if let Some(leader) = &self.leadership {
            let epoch = leader.grant.epoch;
            self.counters.depositions += 1;
            self.note(Note::Deposed { epoch, by });
            self.step_down();
        }
    }

    /// Gives the lease up, although this node goes on.
    pub(super) fn give_lease_away(&mut self) {
        self.election.giving_away = true;
    }

    /// A primary gave up the lease in good order: ask at once.
    pub(super) fn lease_was_released(&mut self, epoch: Epoch) {
        self.election.saw_epoch(epoch);
        self.election.holder = None;
        if self.may_lead() && self.leadership.is_none() {
            let jitter = self.random.up_to(RELEASE_JITTER);
            self.election.next_at = self.election.next_at.min(self.now.elapsed + jitter);
        }
    }

    /// This node has learnt where it stands: whether it is fit to lead may have changed.
    pub(super) fn election_reconsiders(&mut self) {
        if self.leadership.is_none() && self.election.patience_ends.is_some() {
            self.election.next_at = self.election.next_at.min(self.now.elapsed);
        }
    }

    fn saw_holder(&mut self, holder: &Holder) {
        self.election.saw_epoch(holder.grant.epoch);
        self.election.holder = Some(holder.node.clone());
    }
}
