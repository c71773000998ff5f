//! Subscriptions and API keys of one API: what a request is checked against (`data-plane.md` sections 3.1, 3.3).
//!
//! Rows are packed and sharded ([`Table`]), so that one changed key copies one shard (P4) and a subscription with its
//! key takes some 200 bytes (P5). Only what can be used is in: a subscription that is not accepted, or a key that is
//! not active, counts as absent, as in the original (`zone-store.md` sections 6.2, 6.3).

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use zonegate_payload::{ApiKeyPayload, SubscriptionPayload};

use crate::packed::{Needle, PackedText};
use crate::table::{Row, Seed, Table};

/// No lower bound, and no upper bound, of a validity.
const EVER: (i64, i64) = (i64::MIN, i64::MAX);

/// Subscriptions and API keys of one API.
#[derive(Clone, Default)]
pub struct Credentials {
    seed: Seed,
    subscriptions: Table<Subscription>,
    keys: Table<Key>,
    /// From the id of a key's record to the hash of its text, for changes.
    records: Table<Record>,
}

#[derive(Clone, PartialEq)]
struct Subscription {
    id: PackedText,
    application: PackedText,
    plan: Arc<str>,
    starting_at: i64,
    ending_at: i64,
}

#[derive(Clone, PartialEq)]
struct Key {
    text: PackedText,
    id: PackedText,
    subscription: PackedText,
    expire_at: i64,
}

/// Where the key of a record is.
#[derive(Clone)]
struct Record {
    /// Hash of the record's id.
    id: u64,
    /// Hash of the key's text.
    text: u64,
}

impl Row for Subscription {
    fn hash(&self, seed: &Seed) -> u64 {
        seed.hash(self.id.bytes())
    }
}

impl Row for Key {
    fn hash(&self, seed: &Seed) -> u64 {
        seed.hash(self.text.bytes())
    }
}

impl Row for Record {
    fn hash(&self, _: &Seed) -> u64 {
        self.id
    }
}

/// A key that is known, with the subscription that it belongs to. Whether it is valid now is for the caller to say.
#[derive(Clone)]
pub struct KeyMatch<'a> {
    /// Id of the subscription's plan.
    pub plan: &'a Arc<str>,
    /// Id of the subscription.
    pub subscription: &'a PackedText,
    /// Id of the application.
    pub application: &'a PackedText,
    /// The key is not valid from then on, milliseconds since 1970.
    pub expire_at: Option<i64>,
    /// The subscription is not valid before, milliseconds since 1970.
    pub starting_at: Option<i64>,
    /// The subscription is not valid after, milliseconds since 1970.
    pub ending_at: Option<i64>,
}

impl KeyMatch<'_> {
    /// Whether the subscription has begun and not ended at this time, milliseconds since 1970; bounds included.
    pub fn is_subscribed_at(&self, now: i64) -> bool {
        self.starting_at.is_none_or(|start| now >= start) && self.ending_at.is_none_or(|end| now <= end)
    }

    /// Whether the key has expired at this time, milliseconds since 1970.
    pub fn is_expired_at(&self, now: i64) -> bool {
        self.expire_at.is_some_and(|end| now >= end)
    }
}

impl Credentials {
    pub(crate) fn new(seed: Seed) -> Self {
        Self { seed, ..Self::default() }
    }

    /// The key with this text, if it belongs to a subscription that is there. The text is compared in constant time.
    /// If several keys have the text, the one with a plan that comes first in no particular order; see
    /// [`find_keys`](Self::find_keys).
    pub fn find_key(&self, key: &[u8]) -> Option<KeyMatch<'_>> {
        self.find_keys(key).next()
    }

    /// All keys with this text: an application may use one key for subscriptions to several plans.
    pub fn find_keys<'a>(&'a self, key: &[u8]) -> impl Iterator<Item = KeyMatch<'a>> {
        let needle = Needle::new(key);
        let hash = self.seed.hash(needle.bytes());
        self.keys.find_all(hash, move |row| row.text.is(&needle)).filter_map(|key| {
            let subscription = self.subscription(&key.subscription)?;
            Some(KeyMatch {
                plan: &subscription.plan,
                subscription: &subscription.id,
                application: &subscription.application,
                expire_at: bound(key.expire_at, EVER.1),
                starting_at: bound(subscription.starting_at, EVER.0),
                ending_at: bound(subscription.ending_at, EVER.1),
            })
        })
    }

    /// Number of accepted subscriptions.
    pub fn subscriptions(&self) -> usize {
        self.subscriptions.len()
    }

    /// Number of active keys.
    pub fn keys(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.subscriptions.len() == 0 && self.keys.len() == 0
    }

    /// Puts a subscription in, or takes it out if it is not accepted. Whether that changed anything (S4).
    pub(crate) fn put_subscription(
        &mut self,
        id: &str,
        payload: &SubscriptionPayload,
        plans: &mut PlanNames,
    ) -> bool {
        let accepted =
            payload.status.as_deref().is_some_and(|status| status.eq_ignore_ascii_case("ACCEPTED"));
        let (true, Some(plan)) = (accepted, &payload.plan) else { return self.remove_subscription(id) };
        let row = Subscription {
            id: PackedText::new(id),
            application: PackedText::new(payload.application.as_deref().unwrap_or_default()),
            plan: plans.intern(plan),
            starting_at: payload.starting_at.unwrap_or(EVER.0),
            ending_at: payload.ending_at.unwrap_or(EVER.1),
        };
        if self.subscription(&row.id) == Some(&row) {
            return false;
        }
        let needle = Needle::new(id.as_bytes());
        self.subscriptions.replace(row, |other| other.id.is(&needle), &self.seed);
        true
    }

    /// Takes a subscription out. Whether it was there.
    pub(crate) fn remove_subscription(&mut self, id: &str) -> bool {
        let needle = Needle::new(id.as_bytes());
        self.subscriptions.remove(self.seed.hash(needle.bytes()), |row| row.id.is(&needle)).is_some()
    }

    /// Puts a key in, or takes it out if it is not active. Whether that changed anything (S4).
    pub(crate) fn put_key(&mut self, id: &str, payload: &ApiKeyPayload) -> bool {
        let usable = payload.active && !payload.revoked && !payload.paused && !payload.key.is_empty();
        let (true, Some(subscription)) = (usable, &payload.subscription) else { return self.remove_key(id) };
        let row = Key {
            text: PackedText::new(&payload.key),
            id: PackedText::new(id),
            subscription: PackedText::new(subscription),
            expire_at: payload.expire_at.unwrap_or(EVER.1),
        };
        let hash = row.hash(&self.seed);
        if self.keys.find(hash, |other| *other == row).is_some() {
            return false;
        }
        self.remove_key(id);
        self.records.insert(Record { id: self.seed.hash(row.id.bytes()), text: hash }, &self.seed);
        self.keys.insert(row, &self.seed);
        true
    }

    /// Takes the key of a record out. Whether it was there.
    pub(crate) fn remove_key(&mut self, id: &str) -> bool {
        let needle = Needle::new(id.as_bytes());
        let hash = self.seed.hash(needle.bytes());
        let keys = &self.keys;
        // Two ids may share a hash: the record is the one whose key has this id.
        let here =
            |record: &Record| record.id == hash && keys.find(record.text, |key| key.id.is(&needle)).is_some();
        let Some(record) = self.records.find(hash, here).cloned() else { return false };
        self.records.remove(hash, |other| other.id == hash && other.text == record.text);
        self.keys.remove(record.text, |key| key.id.is(&needle)).is_some()
    }

    /// Whether both hold the same subscriptions and keys.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.subscriptions.len() == other.subscriptions.len()
            && self.keys.len() == other.keys.len()
            && self.subscriptions.iter().all(|row| other.subscription(&row.id) == Some(row))
            && self.keys.iter().all(|row| other.keys.find(row.hash(&other.seed), |key| key == row).is_some())
    }

    /// All that can be seen, for comparing two.
    #[cfg(test)]
    pub(crate) fn visible(&self) -> Vec<String> {
        let subscription = |row: &Subscription| format!("{} of {} to {}", row.id, row.application, row.plan);
        let key = |row: &Key| format!("{} is {} of {}", row.id, row.text, row.subscription);
        let mut all: Vec<String> =
            self.subscriptions.iter().map(subscription).chain(self.keys.iter().map(key)).collect();
        all.sort();
        assert_eq!(self.keys.len(), self.records.len(), "each key has its record");
        all
    }

    fn subscription(&self, id: &PackedText) -> Option<&Subscription> {
        let needle = id.needle();
        self.subscriptions.find(self.seed.hash(id.bytes()), |row| row.id.is(&needle))
    }
}

/// Numbers only: keys are secrets (L3).
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("subscriptions", &self.subscriptions())
            .field("keys", &self.keys())
            .finish_non_exhaustive()
    }
}

fn bound(value: i64, none: i64) -> Option<i64> {
    (value != none).then_some(value)
}

/// Plan ids, each held once however many subscriptions name it.
#[derive(Default)]
pub(crate) struct PlanNames(HashSet<Arc<str>>);

impl PlanNames {
    fn intern(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.get(name) {
            return known.clone();
        }
        let name: Arc<str> = name.into();
        self.0.insert(name.clone());
        name
    }

    /// Forgets names that no subscription uses any more.
    pub(crate) fn forget_unused(&mut self) {
        self.0.retain(|name| Arc::strong_count(name) > 1);
    }
}
