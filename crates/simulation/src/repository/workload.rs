//! What people do in the management console while the zone runs.

use std::sync::Arc;
use std::time::Duration;

use zonegate_model::{Digest, Kind, Payload, RowKey};

use super::{Record, Repository, Unit};
use crate::random::Random;

/// What to do. Where it does not fit the unit's state, the nearest thing that does is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteKind {
    /// Deploys, or deploys again with another text.
    Deploy,
    /// Undeploys.
    Undeploy,
    /// Undeploys and deletes every record a while ago: no window will show it.
    Purge,
    /// A new subscription with its key.
    Subscribe,
    /// A subscription is paused or changed.
    ChangeSubscription,
    /// A subscription is closed and its keys are revoked.
    Close,
    /// A key is revoked.
    Revoke,
    /// Deploys with a definition that cannot be understood.
    Break,
    /// A record is saved again without a difference in what it says.
    Touch,
    /// Every record is deleted at once while it is deployed: no window will show it.
    Vanish,
    /// A subscription and its key are deleted: no window will show it.
    DeleteSubscription,
    /// Deploys for other sharding tags, where these gateways are not to serve it.
    MoveAway,
    /// Deploys with another set of plans: one subscription is served no more, or again.
    ChangePlans,
}

/// A planned write.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    /// Picks the unit.
    pub(crate) unit: u32,
    pub(crate) kind: WriteKind,
    /// Between `updatedAt` and the commit that makes it visible.
    pub(crate) late: Duration,
}

impl WriteKind {
    pub(crate) fn draw(random: &mut Random) -> Self {
        match random.below(100) {
            0..26 => Self::Deploy,
            26..35 => Self::Undeploy,
            35..38 => Self::Purge,
            38..53 => Self::Subscribe,
            53..60 => Self::ChangeSubscription,
            60..68 => Self::Close,
            68..78 => Self::Revoke,
            78..81 => Self::Break,
            81..86 => Self::Touch,
            86..89 => Self::Vanish,
            89..92 => Self::DeleteSubscription,
            92..96 => Self::MoveAway,
            _ => Self::ChangePlans,
        }
    }
}

impl Repository {
    /// Takes the unit's locks; `false` if another transaction has them.
    pub(crate) fn lock(&mut self, unit: usize) -> bool {
        !std::mem::replace(&mut self.units[unit].locked, true)
    }

    /// Commits: records get `at` as their `updatedAt`, and everybody sees them from now on. `hidden`: so late that no
    /// window shows it.
    pub(crate) fn commit(
        &mut self,
        unit: usize,
        kind: WriteKind,
        at: i64,
        hidden: bool,
        now: Duration,
        random: &mut Random,
    ) {
        self.units[unit].locked = false;
        self.units[unit].mixed |= hidden;
        let scoped = matches!(self.units[unit].kind, Kind::Api | Kind::ApiProduct);
        let deployed = self.units[unit].is_deployed();
        match kind {
            WriteKind::Deploy => self.deploy(unit, at, random),
            WriteKind::Undeploy | WriteKind::Purge if deployed => self.set(unit, 0, at, false),
            // The records of an undeployed unit go without a trace; whoever missed the removal must find out alone.
            WriteKind::Purge => self.units[unit].records.clear(),
            WriteKind::Break if deployed && scoped => {
                let unit = &mut self.units[unit];
                (unit.broken, unit.mixed, unit.elsewhere) = (true, true, false);
                unit.records[0].at = at.max(unit.records[0].at + 1);
            }
            WriteKind::Touch if deployed => {
                let touched = random.index(self.units[unit].records.len());
                let record = &mut self.units[unit].records[touched];
                record.at = at.max(record.at + 1);
            }
            WriteKind::Vanish if deployed => {
                self.units[unit].records.clear();
                self.units[unit].broken = false;
            }
            WriteKind::DeleteSubscription if deployed && scoped => {
                self.units[unit].mixed = true;
                self.with_record(unit, Kind::Subscription, random, |repository, record| {
                    repository.units[unit].records.drain(record..=record + 1);
                });
            }
            WriteKind::MoveAway if deployed && scoped => {
                self.set(unit, 0, at, true);
                self.units[unit].elsewhere = true;
            }
            WriteKind::ChangePlans if deployed && scoped => {
                self.set(unit, 0, at, true);
                self.with_record(unit, Kind::Subscription, random, |repository, record| {
                    for record in &mut repository.units[unit].records[record..=record + 1] {
                        record.unserved = !record.unserved;
                    }
                });
            }
            WriteKind::Subscribe if deployed && scoped => self.subscribe(unit, at),
            WriteKind::ChangeSubscription if deployed && scoped => {
                self.with_record(unit, Kind::Subscription, random, |repository, record| {
                    repository.set(unit, record, at, true);
                });
            }
            WriteKind::Close if deployed && scoped => {
                self.with_record(unit, Kind::Subscription, random, |repository, record| {
                    repository.set(unit, record, at, false);
                    // The record after a subscription is its key.
                    repository.set(unit, record + 1, at, false);
                });
            }
            WriteKind::Revoke if deployed && scoped => {
                self.with_record(unit, Kind::ApiKey, random, |repository, record| {
                    repository.set(unit, record, at, false);
                });
            }
            _ if !deployed => self.deploy(unit, at, random),
            _ => self.set(unit, 0, at, true),
        }
        self.units[unit].version(now);
    }

    /// Puts the unit's own record in, at the first time with a few subscriptions.
    pub(super) fn deploy(&mut self, unit: usize, at: i64, random: &mut Random) {
        self.units[unit].elsewhere = false;
        if self.units[unit].records.is_empty() {
            let (Kind::Api | Kind::ApiProduct) = self.units[unit].kind else {
                let key = RowKey::new(self.units[unit].kind, Arc::clone(&self.units[unit].id));
                return self.add_record(unit, "entity", key, at);
            };
            let key = RowKey::new(self.units[unit].kind, Arc::clone(&self.units[unit].id));
            self.add_record(unit, "event", key, at);
            for _ in 0..random.below(4) {
                self.subscribe(unit, at);
            }
            return;
        }
        self.set(unit, 0, at, true);
    }

    fn subscribe(&mut self, unit: usize, at: i64) {
        let id = Arc::clone(&self.units[unit].id);
        let number = self.units[unit].next_record;
        self.units[unit].next_record += 1;
        let subscription =
            RowKey::scoped(Kind::Subscription, Arc::clone(&id), format!("subscription-{number}"));
        self.add_record(unit, "subscription", subscription, at);
        self.add_record(unit, "key", RowKey::scoped(Kind::ApiKey, id, format!("key-{number}")), at);
    }

    fn add_record(&mut self, unit: usize, table: &str, key: RowKey, at: i64) {
        let name = match &key.scope {
            Some(scope) => format!("{table}/{scope}/{}", key.id),
            None => format!("{table}/{}", key.id),
        };
        let record =
            Record { name: name.into(), key, at: at - 1, payload: None, unserved: false, frozen_at: None };
        self.units[unit].records.push(record);
        let record = self.units[unit].records.len() - 1;
        self.set(unit, record, at, true);
    }

    /// Changes a record: a new text, or none.
    fn set(&mut self, unit: usize, record: usize, at: i64, active: bool) {
        self.serial += 1;
        let serial = self.serial;
        if record == 0 {
            self.units[unit].broken = false;
        }
        let Unit { records, texts, .. } = &mut self.units[unit];
        let Some(record) = records.get_mut(record) else { return };
        record.at = at.max(record.at + 1);
        record.payload = active.then(|| {
            let payload = Payload::new(format!("text {serial}"));
            let digest = Digest::of(&record.key, &payload);
            texts.insert(digest.0);
            (payload, digest)
        });
    }

    /// Picks an active record of a kind in the unit.
    fn with_record(
        &mut self,
        unit: usize,
        kind: Kind,
        random: &mut Random,
        change: impl FnOnce(&mut Self, usize),
    ) {
        let records = self.units[unit].records.iter().enumerate();
        let active = records.filter(|(_, record)| record.key.kind == kind && record.payload.is_some());
        let active: Vec<usize> = active.map(|(index, _)| index).collect();
        if let Some(record) = active.get(random.index(active.len())) {
            change(self, *record);
        }
    }
}
