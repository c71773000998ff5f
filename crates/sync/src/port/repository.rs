//! The management repository as the core sees it: everything, or what changed in a window. Read only (C2).
//!
//! A reader translates the repository's own records into rows of the zone store's format, so that primary and
//! secondary build their state from the same text.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use zonegate_model::{RecordedAt, Row, RowKey};

/// Which version of a repository record a change came from. A record seen before with the same time is skipped, so
/// that a replayed window costs nothing (S4).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// Kind of record and its id, for example `event/api-1`. Opaque to the core.
    pub record: Arc<str>,
    /// The record's `updatedAt`, milliseconds.
    pub at: i64,
}

/// Something that the repository says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// An API (or API product) complete with its subscriptions and keys. Other rows known under `id` are gone. With
    /// no rows at all, the API is gone (S2, S5).
    Scope {
        /// The API's or product's id.
        id: Arc<str>,
        /// All its rows.
        rows: Vec<Row>,
    },
    /// Single rows: entities that stand alone, or changed subscriptions and keys of an API that itself did not
    /// change. They become active together.
    Rows(Vec<Row>),
    /// A record that could not be understood. What was known of it stays (S3).
    Refused {
        /// The row that it would have become.
        key: RowKey,
        /// Why, for people.
        reason: String,
    },
}

/// A change with where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StampedChange {
    /// The record's version.
    pub stamp: Stamp,
    /// What it says.
    pub change: Change,
}

/// A window over the repository's `updatedAt`, both bounds in milliseconds, inclusive. The core adds the overlap.
#[derive(Clone, Debug)]
pub struct Window {
    /// Lower bound.
    pub from: i64,
    /// Upper bound.
    pub to: i64,
    /// Records that were already seen, with their `updatedAt`: skip those whose time is the same.
    pub seen: Arc<HashMap<Arc<str>, i64>>,
}

/// A row that is to be active, without its text: what an audit reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indexed {
    /// The row: an API, API product, subscription or key.
    pub key: RowKey,
    /// The version of its record.
    pub recorded_at: RecordedAt,
}

/// How a wait for a change ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    /// Something changed. Nothing says what: a read of a window finds out.
    Changed,
    /// This repository cannot tell. It is not asked again.
    Unsupported,
}

/// The receiver of a streaming read has gone; the read ends without an error of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the receiver stopped the read")]
pub struct Stopped;

/// Takes changes from a streaming read. Waits when the core is behind (L2).
pub trait ChangeSink: Send {
    /// Hands over some changes.
    fn push(&mut self, changes: Vec<StampedChange>) -> impl Future<Output = Result<(), Stopped>> + Send;
}

/// Takes an index from a streaming read. Waits when the core is behind (L2).
pub trait IndexSink: Send {
    /// Hands over some of it.
    fn push(&mut self, indexed: Vec<Indexed>) -> impl Future<Output = Result<(), Stopped>> + Send;
}

/// Why a read of the repository failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RepositoryFailure {
    /// No connection, or it broke, or no answer in time.
    Unreachable,
    /// Wrong credentials or missing permission.
    Denied,
    /// A table or column is missing: not an APIM repository, or one older than is supported.
    Schema,
    /// Anything else.
    Other,
}

/// A failed read. The message says what, where and what to do; it holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RepositoryError {
    /// What sort of failure.
    pub failure: RepositoryFailure,
    /// For people.
    pub message: String,
}

/// Reads a management repository.
pub trait RepositoryReader: Send + Sync + 'static {
    /// Streams everything that is to be active, each API complete (S2), kinds in order of effect. What it does not
    /// mention is not there.
    fn read_all(
        &self,
        sink: &mut impl ChangeSink,
    ) -> impl Future<Output = Result<(), RepositoryError>> + Send;

    /// Streams what changed in a window, removals included, kinds in order of effect. A changed API comes complete.
    fn read_changes(
        &self,
        window: Window,
        sink: &mut impl ChangeSink,
    ) -> impl Future<Output = Result<(), RepositoryError>> + Send;

    /// Streams ids and times of all APIs, API products, accepted subscriptions and active keys, in no order, each read
    /// at its own moment. Texts are not read, so it also mentions what is not served here: an API for other sharding
    /// tags, or a subscription whose plan is not served. The row of a key comes once for each of its accepted
    /// subscriptions' scopes.
    fn read_index(
        &self,
        sink: &mut impl IndexSink,
    ) -> impl Future<Output = Result<(), RepositoryError>> + Send;

    /// Streams all entities that stand alone, and these APIs and API products, each complete (S2). A unit that is not
    /// to be active comes without rows.
    fn read_parts(
        &self,
        units: Vec<Arc<str>>,
        sink: &mut impl ChangeSink,
    ) -> impl Future<Output = Result<(), RepositoryError>> + Send;

    /// Waits until something in the repository changes. Changes between two calls are not missed.
    fn watch(&self) -> impl Future<Output = Result<Watched, RepositoryError>> + Send;
}
