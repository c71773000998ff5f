//! The zone store as the core sees it: a lease, a manifest, rows, a log of committed batches, and members.
//!
//! Each method is one atomic step on the store unless it says otherwise. Carries Z1 (each write is fenced by the
//! store itself, atomically with the write), Z5 (the log), Z6 and Z7 (manifest with digests).

use std::future::Future;
use std::time::Duration;

use zonegate_model::{Digests, Epoch, NodeId, Revision, Row, StoreId, Token};

use super::repository::Stopped;

/// Proof that this node was made primary. Every write carries it, and the store refuses any but the current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Number of the grant.
    pub epoch: Epoch,
    /// Random mark of the grant.
    pub token: Token,
}

/// Who holds the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The primary.
    pub node: NodeId,
    /// Its grant.
    pub grant: Grant,
    /// Time until the lease runs out by the store's own clock, if it is not renewed.
    pub remaining: Duration,
}

/// A request for the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acquire {
    /// Who asks.
    pub node: NodeId,
    /// The mark for the grant, drawn afresh for each request.
    pub token: Token,
    /// The highest epoch that the node has seen. The store grants a higher one, so that epochs rise even over a
    /// store that was emptied.
    pub above: Epoch,
    /// How long the lease lasts without renewal.
    pub time_to_live: Duration,
    /// Take the lease from its holder if the store sees that the holder's connection is gone, although the lease
    /// has not run out (P8). Safe, since the fence refuses the old holder's writes from then on.
    pub from_the_dead: bool,
}

/// Answer to a request for the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AcquireOutcome {
    /// The node is primary.
    Granted(Grant),
    /// Somebody else is.
    Held(Holder),
}

/// Answer to a renewal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RenewOutcome {
    /// The lease lasts for its whole time from now.
    Renewed,
    /// The node is no longer primary; who is, if anybody.
    Lost(Option<Holder>),
}

/// Up to which time of the management repository a state is known to be complete. Wall-clock milliseconds; what
/// APIM calls the bounds of the last window (`zone-store.md` section 4.2). `from` is -1 after an initial read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Synced {
    /// Lower bound of the last window.
    pub from: i64,
    /// Upper bound of the last window.
    pub to: i64,
    /// Whole reads of the repository completed by the primaries of this store, counted up by each. It orders states
    /// without any clock: a node that is ahead of the store follows it again after two more of them, because the
    /// second began after the node noticed, and so holds all that the node has, removals included.
    pub reads: u64,
}

/// What the store says of its own content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Identity of this filling of the store.
    pub store: StoreId,
    /// Number of the last committed batch.
    pub revision: Revision,
    /// The last revision at which the content was whole: every API with all its subscriptions and keys. Zero while
    /// the store is filled for the first time (A4). Equal to `revision` unless a change of several batches is under
    /// way.
    pub whole: Revision,
    /// Epoch of the last writer.
    pub epoch: Epoch,
    /// Counts and digests of the active rows at `revision`.
    pub digests: Digests,
    /// Repository time of the content at `whole`.
    pub synced: Synced,
}

/// A fenced write: all of it, or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Who writes, and under which grant.
    pub node: NodeId,
    /// The grant.
    pub grant: Grant,
    /// What the store must hold for the write to be accepted: its id and revision, or `None` for no manifest at all.
    pub expected: Option<(StoreId, Revision)>,
    /// The manifest after the write. `manifest.epoch` is the grant's.
    pub manifest: Manifest,
    /// Rows to write, in order of effect.
    pub rows: Vec<Row>,
    /// Whether the log entry carries the rows. Not during the first filling, when nobody can follow yet.
    pub log_rows: bool,
}

/// Answer to a fenced write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    /// Committed.
    Written,
    /// Nothing was written: the grant is not the current one.
    Fenced(Option<Holder>),
    /// Nothing was written: the store is not at the expected revision. What it holds instead.
    Unexpected(Option<Manifest>),
}

/// One committed batch, as followers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Manifest after the batch.
    pub manifest: Manifest,
    /// The batch's rows; `None` if the entry does not carry them, so that a follower has to read the store.
    pub rows: Option<Vec<Row>>,
}

/// What a follower finds in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogItem {
    /// A batch was committed.
    Committed(Box<LogEntry>),
    /// The primary of this epoch gave up the lease in good order.
    Released(Epoch),
}

/// How to read the rows of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadMethod {
    /// Through the search index, without any clause on `updatedAt` (`cursor-truncation.md`). Falls back to `Scan`
    /// by itself where there is no search module.
    Index,
    /// Key by key. Slower; does not depend on the index.
    Scan,
}

/// Role of a member of the zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberRole {
    /// Reads the repository, writes the store.
    Primary,
    /// Reads the store.
    Secondary,
}

/// What a gateway tells the other members of its zone, refreshed at each heartbeat and expiring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The gateway.
    pub node: NodeId,
    /// Its host name.
    pub host: String,
    /// Its version.
    pub version: String,
    /// Its role.
    pub role: MemberRole,
    /// Address of its technical API, if it has one.
    pub technical_api: Option<String>,
    /// Revision of the state that it serves, and of which store; `None` if none is active.
    pub applied: Option<(StoreId, Revision)>,
    /// Whether it reaches the management repository; `None` if it does not try.
    pub repository_reachable: Option<bool>,
    /// The node could not prove a read of the store at this revision: the primary should verify the store (Z7).
    pub suspects: Option<Revision>,
    /// The node keeps a state that may be newer than the store's, until the primary has read the repository whole.
    pub wants_audit: bool,
    /// Since when it runs, wall-clock milliseconds.
    pub since: i64,
}

/// Takes rows from a streaming read. Waits when the core is behind (L2).
pub trait RowSink: Send {
    /// Hands over some rows.
    fn push(&mut self, rows: Vec<Row>) -> impl Future<Output = Result<(), Stopped>> + Send;
}

/// Why a call to the store failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StoreFailure {
    /// No connection, or it broke, or no answer in time. A write may or may not have been done.
    Unreachable,
    /// The store refused the credentials or the command.
    Denied,
    /// The store is full.
    Full,
    /// The store is a read-only replica, or is loading.
    ReadOnly,
    /// The store holds something that cannot be read.
    Malformed,
    /// Anything else that the store answered.
    Other,
}

/// A failed call to the store. The message says what, where and what to do; it holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    /// What sort of failure.
    pub failure: StoreFailure,
    /// For people.
    pub message: String,
}

/// The zone store. An implementation belongs to one zone.
pub trait ZoneStore: Send + Sync + 'static {
    /// Asks for the lease.
    fn acquire(&self, request: Acquire) -> impl Future<Output = Result<AcquireOutcome, StoreError>> + Send;

    /// Renews the lease under a grant.
    fn renew(
        &self,
        node: NodeId,
        grant: Grant,
        time_to_live: Duration,
    ) -> impl Future<Output = Result<RenewOutcome, StoreError>> + Send;

    /// Gives the lease up, if the grant is the current one, and tells the followers through the log.
    fn release(&self, node: NodeId, grant: Grant) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Writes a batch (rows, manifest, log entry, and when the manifest is whole APIM's sync state) if its grant is
    /// the current one and the store is as expected.
    fn write(&self, batch: Batch) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;

    /// Records how far the repository was read, without a new revision. Fenced like `write`, and only if the store is at
    /// this place: else the time would be said of a content that it does not belong to.
    fn record_synced(
        &self,
        node: NodeId,
        grant: Grant,
        expected: (StoreId, Revision),
        synced: Synced,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;

    /// The manifest, or `None` where there is none (an empty store, or one that only APIM wrote).
    fn manifest(&self) -> impl Future<Output = Result<Option<Manifest>, StoreError>> + Send;

    /// What an APIM gateway recorded as its sync state (`distributed_sync_state`, with `reads` zero), if it did. Tells that a
    /// store without a manifest was filled completely by an APIM primary. `None` where the zone ever had a primary of
    /// ours (it has an epoch counter): then that state is ours too, and says nothing without the manifest.
    fn apim_state(&self) -> impl Future<Output = Result<Option<Synced>, StoreError>> + Send;

    /// Streams all active rows of the zone. Not atomic: rows written meanwhile may or may not be seen. The caller
    /// proves completeness by the manifests before and after, and the log between.
    fn read(
        &self,
        method: ReadMethod,
        sink: &mut impl RowSink,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Streams rows, active and removed, whose `updatedAt` is at or after `from` (milliseconds). For a store whose
    /// primary is an APIM gateway, which keeps no log.
    fn read_since(
        &self,
        from: i64,
        sink: &mut impl RowSink,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Log items after a revision, oldest first; waits up to `wait` for the first one. Empty if none came.
    fn follow(
        &self,
        after: Revision,
        wait: Duration,
    ) -> impl Future<Output = Result<Vec<LogItem>, StoreError>> + Send;

    /// Refreshes this node's entry among the members and answers all that are alive.
    fn heartbeat(&self, member: Member) -> impl Future<Output = Result<Vec<Member>, StoreError>> + Send;
}
