//! Telling the other members of the zone about this one, and hearing of them. Keeps Z7: a member that cannot prove
//! what it reads makes the primary look at the store.

use std::time::Duration;

use zonegate_model::Moment;

use super::Machine;
use crate::command::{CallId, StoreReply, StoreRequest};
use crate::port::{Member, MemberRole};

/// Pause between two verifications that members ask for.
const VERIFY_PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Membership {
    pub(super) call: Option<CallId>,
    next_at: Duration,
    since: i64,
    pub(super) members: Vec<Member>,
}

impl Membership {
    pub(super) fn new(now: Moment) -> Self {
        Self { call: None, next_at: now.elapsed, since: now.wall_millis, members: Vec::new() }
    }
}

impl Machine {
    pub(super) fn membership_wake(&self) -> Option<Duration> {
        (self.in_zone() && self.membership.call.is_none() && !self.stopping)
            .then_some(self.membership.next_at)
    }

    pub(super) fn advance_membership(&mut self) {
        if self.membership.call.is_some() || self.now.elapsed < self.membership.next_at || self.stopping {
            return;
        }
        let leads = self.leadership.is_some();
        let member = Member {
            node: self.settings.node.clone(),
            host: self.settings.host.clone(),
            version: self.settings.version.clone(),
            role: if leads { MemberRole::Primary } else { MemberRole::Secondary },
            technical_api: self.settings.technical_api.clone(),
            applied: self.applied,
            repository_reachable: leads.then(|| self.repository_failure.is_none()),
            suspects: self.reader.suspects,
            wants_audit: self.reader.holds() || (!leads && self.active && self.applied.is_none()),
            since: self.membership.since,
        };
        let call = self.call_store(StoreRequest::Heartbeat(Box::new(member)));
        self.membership.call = Some(call);
        self.membership.next_at = self.now.elapsed + self.settings.heartbeat_interval;
    }

    /// Whether another member serves a state.
    pub(super) fn other_member_has_state(&self) -> bool {
        let others = self.membership.members.iter().filter(|member| member.node != self.settings.node);
        others.into_iter().any(|member| member.applied.is_some() || member.wants_audit)
    }

    pub(super) fn on_members_reply(&mut self, reply: StoreReply) {
        self.membership.call = None;
        if let StoreReply::Members(Ok(members)) = reply {
            let own = &self.settings.node;
            let suspicion = members.iter().any(|member| member.suspects.is_some() && member.node != *own);
            let wants_audit = members.iter().any(|member| member.wants_audit && member.node != *own);
            self.membership.members = members;
            if wants_audit {
                self.member_wants_audit();
            }
            if suspicion {
                self.member_suspects(VERIFY_PAUSE);
            }
        }
    }
}
