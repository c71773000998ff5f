//! What queries answer: records with the times that the database gives them, and positions in lists.

use std::sync::Arc;

use zonegate_payload::record::{
    AccessPointRecord, EventRecord, EventType, KeyRecord, SubscriptionRecord, SubscriptionStatus,
};

/// A place in a list in the order of time and id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position<T> {
    /// Time of the last record.
    pub time: T,
    /// Its id; empty before the first record of that time.
    pub id: Arc<str>,
}

/// Which part of a list in the order of time and id.
#[derive(Debug)]
pub struct Slice<'a, T> {
    /// After this position.
    pub after: &'a Position<T>,
    /// Before this time.
    pub before: &'a T,
    /// At most so many. An answer without any ends the list.
    pub limit: usize,
}

impl<T> Clone for Slice<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Slice<'_, T> {}

/// A latest event without its payload.
#[derive(Clone, Debug)]
pub struct Head<T> {
    /// Id of the record.
    pub id: Arc<str>,
    /// Type.
    pub kind: EventType,
    /// When it changed.
    pub updated: T,
    /// About how long its payload is. Events that together have more than a few megabytes are not read together.
    pub bytes: u64,
}

/// A latest event with its payload and properties.
#[derive(Clone, Debug)]
pub struct Event<T> {
    /// What it says.
    pub record: EventRecord,
    /// When it changed.
    pub updated: T,
    /// Whether its properties were there. In an SQL repository the management API writes them after the event itself,
    /// not always in one transaction, so that they can be missing for a moment.
    pub settled: bool,
}

/// A subscription with what is needed to read on.
#[derive(Clone, Debug)]
pub struct Subscription<T> {
    /// What it says.
    pub record: SubscriptionRecord,
    /// When it changed. Absent where it has no time, so that it is in no window.
    pub updated: Option<T>,
    /// Whether its certificate or configuration is longer than [`super::MAX_TEXT`], and left out.
    pub too_long: bool,
}

/// A key.
#[derive(Clone, Debug)]
pub struct Key<T> {
    /// What it says.
    pub record: Arc<KeyRecord>,
    /// When it changed. Absent where it has no time.
    pub updated: Option<T>,
}

/// That a key is for a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyLink {
    /// The key.
    pub key: Arc<str>,
    /// The subscription.
    pub subscription: Arc<str>,
    /// The API or API product of the subscription ([`SubscriptionRecord::scope`]).
    pub scope: Option<Arc<str>>,
    /// Its plan.
    pub plan: Arc<str>,
    /// Its state.
    pub status: SubscriptionStatus,
}

/// An organization's licence.
#[derive(Clone, Debug)]
pub struct License<T> {
    /// Organization.
    pub organization: Arc<str>,
    /// The licence itself.
    pub text: String,
    /// When it changed.
    pub updated: T,
}

/// An access point.
#[derive(Clone, Debug)]
pub struct AccessPoint<T> {
    /// What it says.
    pub record: AccessPointRecord,
    /// When it changed.
    pub updated: T,
}

/// A place in an index in the order of ids. The first is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexPosition {
    /// Id of the last record.
    pub id: Arc<str>,
    /// For keys: the last subscription.
    pub subscription: Arc<str>,
}

/// A part of an index.
#[derive(Clone, Debug)]
pub struct IndexPage<T> {
    /// Records; can be none.
    pub listed: Vec<Listed<T>>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<IndexPosition>,
}

/// A record in an index.
#[derive(Clone, Debug)]
pub struct Listed<T> {
    /// Its id.
    pub id: Arc<str>,
    /// Of a subscription or key: the API or API product.
    pub scope: Option<Arc<str>>,
    /// When it changed. Absent where it has no time.
    pub updated: Option<T>,
}
