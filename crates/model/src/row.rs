//! A row: one entity of the zone's state, as it lies in the zone store.

use std::fmt;
use std::sync::Arc;

use crate::Kind;
use crate::digest::Digest;

/// The text that describes an entity, in the format of the zone store (`zone-store.md` section 6). Shared, never
/// changed. It can hold secrets (API keys, decrypted properties), so `Debug` shows only its length (L3).
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(Arc<str>);

impl Payload {
    /// Wraps the text.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.0.len())
    }
}

impl From<&str> for Payload {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Payload {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

/// What identifies a row. Ids and scopes are opaque text (S6). Ordered by kind first, which is the order of effect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey {
    /// What the row is.
    pub kind: Kind,
    /// The API, or API product, that a subscription or key belongs to; `None` for all other kinds.
    pub scope: Option<Arc<str>>,
    /// The entity's id.
    pub id: Arc<str>,
}

impl RowKey {
    /// A row of a kind that has no scope.
    pub fn new(kind: Kind, id: impl Into<Arc<str>>) -> Self {
        Self { kind, scope: None, id: id.into() }
    }

    /// A subscription or key under its API or API product.
    pub fn scoped(kind: Kind, scope: impl Into<Arc<str>>, id: impl Into<Arc<str>>) -> Self {
        Self { kind, scope: Some(scope.into()), id: id.into() }
    }

    /// The API or API product with which this row becomes active (S2): its scope, or for an API or API product
    /// itself its own id. `None` for kinds that stand alone.
    pub fn unit(&self) -> Option<&Arc<str>> {
        match self.kind {
            Kind::Api | Kind::ApiProduct => Some(&self.id),
            _ => self.scope.as_ref(),
        }
    }
}

impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.scope {
            Some(scope) => write!(f, "{} {} of {scope}", self.kind, self.id),
            None => write!(f, "{} {}", self.kind, self.id),
        }
    }
}

/// What a row says of its entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowState {
    /// It is to be active, and this is its text (`syncAction` DEPLOY).
    Deployed(Payload),
    /// It is not, or no longer (`syncAction` UNDEPLOY). Equal to a row that was never there.
    Removed,
}

/// When the management side last changed the record that a row comes from: its `updatedAt`, epoch milliseconds by the
/// clock of whoever wrote it. An audit compares it with the record instead of reading the record's content (S5). It is no
/// part of the row's digest: a record that was touched and says the same is the same row (S4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordedAt(pub i64);

impl RecordedAt {
    /// Not known, as in a row that an APIM gateway wrote: an audit reads the record.
    pub const UNKNOWN: Self = Self(0);
}

/// One entity of the zone's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which entity.
    pub key: RowKey,
    /// Active with its text, or removed.
    pub state: RowState,
    /// Which version of its record it comes from.
    pub recorded_at: RecordedAt,
}

impl Row {
    /// An active row, of a record whose time is not known; see [`Self::recorded`].
    pub fn deployed(key: RowKey, payload: impl Into<Payload>) -> Self {
        Self { key, state: RowState::Deployed(payload.into()), recorded_at: RecordedAt::UNKNOWN }
    }

    /// A removed row.
    pub fn removed(key: RowKey) -> Self {
        Self { key, state: RowState::Removed, recorded_at: RecordedAt::UNKNOWN }
    }

    /// The row, with the time of its record.
    #[must_use]
    pub fn recorded(mut self, at: RecordedAt) -> Self {
        self.recorded_at = at;
        self
    }

    /// The digest of an active row; a removed row has none, so that a tombstone equals absence.
    pub fn digest(&self) -> Option<Digest> {
        match &self.state {
            RowState::Deployed(payload) => Some(Digest::of(&self.key, payload)),
            RowState::Removed => None,
        }
    }

    /// Bytes of text in the row, for limits of batches.
    pub fn size(&self) -> usize {
        let payload = match &self.state {
            RowState::Deployed(payload) => payload.len(),
            RowState::Removed => 0,
        };
        payload + self.key.id.len() + self.key.scope.as_ref().map_or(0, |scope| scope.len()) + 64
    }
}
