//! The rows of [`Credentials`](super::Credentials): bytes of fixed size, made of payloads.

use zonegate_payload::{ApiKeyPayload, SubscriptionPayload};

use super::time::Time;
use crate::table::{Row, Seed};
use crate::text::{LongTexts, Packed};

/// A subscription that is accepted.
pub(super) enum Accepted {
    Served(Subscription),
    Push(Push),
}

#[derive(Clone, Copy, PartialEq)]
pub(super) struct Subscription {
    pub(super) id: Packed,
    pub(super) application: Packed,
    pub(super) plan: Packed,
    pub(super) starting_at: Time,
    pub(super) ending_at: Time,
}

/// A subscription of type PUSH: only that it is there.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Push(pub(super) Packed);

#[derive(Clone, Copy, PartialEq)]
pub(super) struct Key {
    pub(super) text: Packed,
    pub(super) id: Packed,
    pub(super) subscription: Packed,
    pub(super) expire_at: Time,
}

/// Where the key of a record is.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Record {
    /// Hash of the record's id.
    pub(super) id: u64,
    /// Hash of the key's text.
    pub(super) text: u64,
}

impl Accepted {
    /// `None` for a subscription that is not accepted, or to no plan.
    pub(super) fn new(
        id: &str,
        payload: &SubscriptionPayload,
        long: &mut LongTexts,
        seed: &Seed,
    ) -> Option<Self> {
        let is = |text: &Option<String>, label| {
            text.as_deref().is_some_and(|text: &str| text.eq_ignore_ascii_case(label))
        };
        let plan = payload.plan.as_deref().filter(|_| is(&payload.status, "ACCEPTED"))?;
        let id = long.hold(id, seed);
        if is(&payload.kind, "PUSH") {
            return Some(Self::Push(Push(id)));
        }
        Some(Self::Served(Subscription {
            id,
            application: long.hold(payload.application.as_deref().unwrap_or_default(), seed),
            plan: long.hold(plan, seed),
            starting_at: Time::new(payload.starting_at),
            ending_at: Time::new(payload.ending_at),
        }))
    }
}

impl Subscription {
    pub(super) fn texts(&self) -> [Packed; 3] {
        [self.id, self.application, self.plan]
    }
}

impl Key {
    /// `None` for a key that is not active, or of no subscription.
    pub(super) fn new(id: &str, payload: &ApiKeyPayload, long: &mut LongTexts, seed: &Seed) -> Option<Self> {
        let usable = payload.active && !payload.revoked && !payload.paused && !payload.key.is_empty();
        let subscription = payload.subscription.as_deref().filter(|_| usable)?;
        Some(Self {
            text: long.hold(&payload.key, seed),
            id: long.hold(id, seed),
            subscription: long.hold(subscription, seed),
            expire_at: Time::new(payload.expire_at),
        })
    }

    pub(super) fn texts(&self) -> [Packed; 3] {
        [self.text, self.id, self.subscription]
    }
}

impl Record {
    pub(super) fn new(key: &Key, seed: &Seed) -> Self {
        Self { id: key.id.hash(seed), text: key.text.hash(seed) }
    }
}

impl Row for Subscription {
    fn hash(&self, seed: &Seed) -> u64 {
        self.id.hash(seed)
    }
}

impl Row for Push {
    fn hash(&self, seed: &Seed) -> u64 {
        self.0.hash(seed)
    }
}

impl Row for Key {
    fn hash(&self, seed: &Seed) -> u64 {
        self.text.hash(seed)
    }
}

impl Row for Record {
    fn hash(&self, _: &Seed) -> u64 {
        self.id
    }
}

/// A row that an id stands for.
pub(super) trait Identified: Copy {
    fn id(&self) -> Packed;
}

impl Identified for Subscription {
    fn id(&self) -> Packed {
        self.id
    }
}

impl Identified for Push {
    fn id(&self) -> Packed {
        self.0
    }
}

impl Identified for Key {
    fn id(&self) -> Packed {
        self.id
    }
}
