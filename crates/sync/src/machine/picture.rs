//! A picture of the machine for the outside.

use std::sync::Arc;

use super::Machine;
use crate::settings::Mode;
use crate::status::{Role, Status};

impl Machine {
    /// Whether a complete state is active (A4). Never goes back.
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// A picture of this machine now.
    pub fn status(&self) -> Status {
        let role = match (&self.settings.mode, &self.leadership) {
            (Mode::Lone, _) => Role::Lone,
            (Mode::Zone { .. }, Some(leader)) => {
                Role::Primary { epoch: leader.grant.epoch, steady: self.leads_steadily() }
            }
            (Mode::Zone { .. }, None) => Role::Secondary,
        };
        let stored = self.leadership.as_ref().and_then(|leader| leader.stored.as_ref());
        let stored = stored.and_then(|stored| stored.manifest.as_ref());
        Status {
            role,
            ready: self.ready,
            applied: self.applied,
            stored: stored.map(|manifest| (manifest.store, manifest.revision, manifest.whole)),
            synced: self.synced,
            digests: *self.table.digests(),
            pending: self.leadership.as_ref().map_or(0, |leader| leader.pending.len(&self.table)),
            primary: self.election.holder.clone(),
            members: self.membership.members.clone(),
            refused: self.refused.iter().map(|(key, reason)| (key.clone(), Arc::clone(reason))).collect(),
            store_failure: self.store_failure.clone(),
            repository_failure: self.repository_failure.clone(),
            counters: self.counters,
        }
    }
}
