//! Subscriptions and API keys of one API or API product: what a request is checked against (`data-plane.md` sections
//! 3.1, 3.3).
//!
//! Rows are plain bytes of fixed size ([`Packed`]) in sharded tables ([`Table`]), so that one changed key copies one leaf
//! (P4) and a subscription with its key takes some 160 bytes (P5). Only what can be used is in: a subscription that is not
//! accepted, or a key that is not active, counts as absent, as in the original (`zone-store.md` sections 6.2, 6.3).
//! Subscriptions of type PUSH are counted and opened by no key: this gateway does not push.

use std::fmt;

use zonegate_payload::{ApiKeyPayload, SubscriptionPayload};

use crate::table::{Row, Seed, Table};
use crate::text::{LongTexts, Packed, Text};
use row::{Accepted, Key, Push, Record, Subscription};
use time::Time;

mod bulk;
mod row;
mod time;

pub(crate) use bulk::Bulk;

/// Rows in a leaf: many, since they are copied as one block.
const LEAF: usize = 64;
/// The same for rows that are small.
const LARGE_LEAF: usize = 128;

/// Subscriptions and API keys of one API, or of one API product.
#[derive(Clone, Default)]
pub struct Credentials {
    seed: Seed,
    long: LongTexts,
    subscriptions: Table<Subscription, LEAF>,
    keys: Table<Key, LEAF>,
    /// From the id of a key's record to the hash of its text, for changes.
    records: Table<Record, LARGE_LEAF>,
    /// Ids of accepted subscriptions of type PUSH.
    push: Table<Push, LEAF>,
}

/// A key that is known, with the subscription that it belongs to. Whether it is valid now is for the caller to say.
#[derive(Clone, Copy)]
pub struct KeyMatch<'a> {
    /// Id of the subscription's plan.
    pub plan: Text<'a>,
    /// Id of the subscription.
    pub subscription: Text<'a>,
    /// Id of the application.
    pub application: Text<'a>,
    starting_at: Time,
    ending_at: Time,
    expire_at: Time,
}

impl KeyMatch<'_> {
    /// Whether the subscription has begun and not ended at this time, milliseconds since 1970; bounds included.
    pub fn is_subscribed_at(&self, now: i64) -> bool {
        self.starting_at.millis().is_none_or(|start| now >= start)
            && self.ending_at.millis().is_none_or(|end| now <= end)
    }

    /// Whether the key has expired at this time, milliseconds since 1970; the bound is expired.
    pub fn is_expired_at(&self, now: i64) -> bool {
        self.expire_at.millis().is_some_and(|end| now >= end)
    }
}

impl Credentials {
    pub(crate) fn new(seed: Seed) -> Self {
        Self { seed, ..Self::default() }
    }

    /// A key with this text that belongs to a subscription that is there; see [`find_keys`](Self::find_keys).
    pub fn find_key(&self, key: &[u8]) -> Option<KeyMatch<'_>> {
        self.find_keys(key).next()
    }

    /// All keys with this text whose subscriptions are there: an application may use one key for subscriptions to
    /// several plans. The text is compared in constant time. Allocates nothing.
    pub fn find_keys(&self, key: &[u8]) -> impl Iterator<Item = KeyMatch<'_>> {
        let keys = self
            .packed(key)
            .map(|text| self.keys.find_all(text.hash(&self.seed), move |row| row.text.is(&text)));
        keys.into_iter().flatten().filter_map(|key| {
            let subscription = self.subscription(key.subscription)?;
            Some(KeyMatch {
                plan: Text::new(subscription.plan, &self.long),
                subscription: Text::new(subscription.id, &self.long),
                application: Text::new(subscription.application, &self.long),
                starting_at: subscription.starting_at,
                ending_at: subscription.ending_at,
                expire_at: key.expire_at,
            })
        })
    }

    /// Number of accepted subscriptions that are served.
    pub fn subscriptions(&self) -> usize {
        self.subscriptions.len()
    }

    /// Number of active keys.
    pub fn keys(&self) -> usize {
        self.keys.len()
    }

    /// Number of accepted subscriptions of type PUSH, which are not served.
    pub fn push_subscriptions(&self) -> usize {
        self.push.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.subscriptions.len() + self.keys.len() + self.push.len() == 0
    }

    /// Puts a subscription in, or takes it out if it is not accepted. Whether that changed anything (S4).
    pub(crate) fn put_subscription(&mut self, id: &str, payload: &SubscriptionPayload) -> bool {
        let row = match Accepted::new(id, payload, &mut self.long, &self.seed) {
            None => return self.remove_subscription(id),
            Some(Accepted::Push(row)) => {
                let was_served = self.remove_served_subscription(id);
                return self.put_push_subscription(row) | was_served;
            }
            Some(Accepted::Served(row)) => row,
        };
        let was_push = self.remove_push_subscription(id);
        if self.subscription(row.id) == Some(&row) {
            self.long.release_all(row.texts(), &self.seed);
            return was_push;
        }
        let old = self.subscriptions.replace(row, |other| other.id == row.id, &self.seed);
        if let Some(old) = old {
            self.long.release_all(old.texts(), &self.seed);
        }
        true
    }

    /// Takes a subscription out. Whether it was there.
    pub(crate) fn remove_subscription(&mut self, id: &str) -> bool {
        self.remove_served_subscription(id) | self.remove_push_subscription(id)
    }

    fn remove_served_subscription(&mut self, id: &str) -> bool {
        let Some(id) = self.packed(id.as_bytes()) else { return false };
        let removed = self.subscriptions.remove(id.hash(&self.seed), |row| row.id == id);
        removed.map(|row| self.long.release_all(row.texts(), &self.seed)).is_some()
    }

    fn put_push_subscription(&mut self, row: Push) -> bool {
        if self.push.find(row.hash(&self.seed), |other| other.0 == row.0).is_some() {
            self.long.release_all([row.0], &self.seed);
            return false;
        }
        self.push.insert(row, &self.seed);
        true
    }

    fn remove_push_subscription(&mut self, id: &str) -> bool {
        let Some(id) = self.packed(id.as_bytes()) else { return false };
        let removed = self.push.remove(id.hash(&self.seed), |row| row.0 == id);
        removed.map(|row| self.long.release_all([row.0], &self.seed)).is_some()
    }

    /// Puts a key in, or takes it out if it is not active. Whether that changed anything (S4).
    pub(crate) fn put_key(&mut self, id: &str, payload: &ApiKeyPayload) -> bool {
        let Some(row) = Key::new(id, payload, &mut self.long, &self.seed) else {
            return self.remove_key(id);
        };
        let hash = row.hash(&self.seed);
        if self.keys.find(hash, |other| *other == row).is_some() {
            self.long.release_all(row.texts(), &self.seed);
            return false;
        }
        self.remove_key(id);
        self.records.insert(Record::new(&row, &self.seed), &self.seed);
        self.keys.insert(row, &self.seed);
        true
    }

    /// Takes the key of a record out. Whether it was there.
    pub(crate) fn remove_key(&mut self, id: &str) -> bool {
        let Some(id) = self.packed(id.as_bytes()) else { return false };
        let hash = id.hash(&self.seed);
        let keys = &self.keys;
        // Two ids may share a hash: the record is the one whose key has this id.
        let here =
            |record: &Record| record.id == hash && keys.find(record.text, |key| key.id == id).is_some();
        let Some(record) = self.records.find(hash, here).copied() else { return false };
        self.records.remove(hash, |other| *other == record);
        self.keys
            .remove(record.text, |key| key.id == id)
            .map(|row| self.long.release_all(row.texts(), &self.seed))
            .is_some()
    }

    /// Whether both hold the same subscriptions and keys.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.subscriptions.len() == other.subscriptions.len()
            && self.keys.len() == other.keys.len()
            && self.push.len() == other.push.len()
            && self.long.agree(&other.long)
            && self.subscriptions.iter().all(|row| other.subscription(row.id) == Some(row))
            && self.keys.iter().all(|row| other.keys.find(row.hash(&other.seed), |key| key == row).is_some())
            && self
                .push
                .iter()
                .all(|row| other.push.find(row.hash(&other.seed), |id| id.0 == row.0).is_some())
    }

    /// All that can be seen, for comparing two.
    #[cfg(test)]
    pub(crate) fn visible(&self) -> Vec<String> {
        let text = |packed: Packed| Text::new(packed, &self.long).to_string();
        let subscription = |row: &Subscription| {
            format!("{} of {} to {}", text(row.id), text(row.application), text(row.plan))
        };
        let key = |row: &Key| format!("{} is {} of {}", text(row.id), text(row.text), text(row.subscription));
        let mut all: Vec<String> =
            self.subscriptions.iter().map(subscription).chain(self.keys.iter().map(key)).collect();
        all.extend(self.push.iter().map(|row| format!("{} pushes", text(row.0))));
        all.sort();
        assert_eq!(self.keys.len(), self.records.len(), "each key has its record");
        all
    }

    /// A text that some row holds, or could hold.
    #[inline]
    fn packed(&self, text: &[u8]) -> Option<Packed> {
        Packed::new(text).or_else(|| self.long.find(text, &self.seed))
    }

    fn subscription(&self, id: Packed) -> Option<&Subscription> {
        self.subscriptions.find(id.hash(&self.seed), |row| row.id == id)
    }
}

/// Numbers only: keys are secrets (L3).
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("subscriptions", &self.subscriptions())
            .field("keys", &self.keys())
            .field("push_subscriptions", &self.push_subscriptions())
            .finish_non_exhaustive()
    }
}
