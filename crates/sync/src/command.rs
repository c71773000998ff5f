//! What goes into the machine and what comes out of it. Plain data, so that the driver in the binary and the
//! simulation speak to the core in the same words.

use std::sync::Arc;
use std::time::Duration;

use zonegate_model::{Epoch, Kind, NodeId, Revision, Row, StoreId};

use crate::port::{
    Acquire, AcquireOutcome, Batch, Grant, Indexed, LogItem, Manifest, Member, ReadMethod, RenewOutcome,
    RepositoryError, StageOp, StampedChange, StoreError, Synced, Watched, Window, WriteOutcome,
};

/// Ties a reply to its request. Replies to calls that the machine no longer waits for are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// What the machine wants done. The driver carries commands out; order matters among `Stage` commands only.
#[derive(Clone, Debug)]
pub enum Command {
    /// Call the zone store. Exactly one final reply must come back, if need be an error after a time-out.
    Store {
        /// Comes back with the reply.
        call: CallId,
        /// The call.
        request: StoreRequest,
    },
    /// Read the management repository. Parts, then exactly one final reply must come back.
    Repository {
        /// Comes back with the replies.
        call: CallId,
        /// The read.
        request: RepositoryRequest,
    },
    /// Nobody waits for this call any more; it may be broken off.
    Cancel(CallId),
    /// A step of building this gateway's next state. Answer `Input::Committed` when a commit is active.
    Stage(StageOp),
    /// Something worth telling people.
    Note(Note),
}

/// A call to the zone store; see [`crate::port::ZoneStore`].
#[derive(Clone, Debug)]
pub enum StoreRequest {
    /// `acquire`
    Acquire(Acquire),
    /// `renew`
    Renew {
        /// Who.
        node: NodeId,
        /// Under which grant.
        grant: Grant,
        /// For how long.
        time_to_live: Duration,
    },
    /// `release`
    Release {
        /// Who.
        node: NodeId,
        /// Which grant.
        grant: Grant,
    },
    /// `write`
    Write(Box<Batch>),
    /// `record_synced`
    RecordSynced {
        /// Who.
        node: NodeId,
        /// Under which grant.
        grant: Grant,
        /// What the store must hold.
        expected: (StoreId, Revision),
        /// How far the repository was read.
        synced: Synced,
    },
    /// `manifest`
    Manifest,
    /// `apim_state`
    ApimState,
    /// `read`
    Read(ReadMethod),
    /// `read_since`
    ReadSince(i64),
    /// `follow`
    Follow {
        /// The last revision that is known.
        after: Revision,
        /// How long to wait for the next one.
        wait: Duration,
    },
    /// `heartbeat`
    Heartbeat(Box<Member>),
}

/// An answer of the zone store. All but `Rows` are final.
#[derive(Clone, Debug)]
pub enum StoreReply {
    /// To `Acquire`.
    Acquired(Result<AcquireOutcome, StoreError>),
    /// To `Renew`.
    Renewed(Result<RenewOutcome, StoreError>),
    /// To `Release`.
    Released(Result<(), StoreError>),
    /// To `Write` and `RecordSynced`.
    Written(Result<WriteOutcome, StoreError>),
    /// To `Manifest`.
    Manifest(Result<Option<Box<Manifest>>, StoreError>),
    /// To `ApimState`.
    ApimState(Result<Option<Synced>, StoreError>),
    /// A part of the answer to `Read` and `ReadSince`.
    Rows(Vec<Row>),
    /// The end of `Read` and `ReadSince`.
    ReadDone(Result<(), StoreError>),
    /// To `Follow`.
    Followed(Result<Vec<LogItem>, StoreError>),
    /// To `Heartbeat`: the members that are alive.
    Members(Result<Vec<Member>, StoreError>),
}

/// A read of the management repository; see [`crate::port::RepositoryReader`].
#[derive(Clone, Debug)]
pub enum RepositoryRequest {
    /// `read_all`
    ReadAll,
    /// `read_changes`
    ReadChanges(Window),
    /// `read_index`
    ReadIndex,
    /// `read_parts`
    ReadParts(Vec<Arc<str>>),
    /// `watch`
    Watch,
}

/// An answer of the management repository.
#[derive(Clone, Debug)]
pub enum RepositoryReply {
    /// A part.
    Changes(Vec<StampedChange>),
    /// A part of an index.
    Index(Vec<Indexed>),
    /// To `Watch`, and its end.
    Watched(Result<Watched, RepositoryError>),
    /// The end of any other read.
    Done(Result<(), RepositoryError>),
}

/// What the machine is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// Time has passed; due at [`crate::Machine::wake_at`], allowed at any time.
    Tick,
    /// An answer of the zone store.
    Store {
        /// To which call.
        call: CallId,
        /// The answer.
        reply: StoreReply,
    },
    /// An answer of the management repository.
    Repository {
        /// To which call.
        call: CallId,
        /// The answer.
        reply: RepositoryReply,
    },
    /// The oldest commit that was not yet acknowledged is active: requests see it.
    Committed,
    /// The process is to stop in good order: hand the lease over.
    Stop,
}

/// Why a full read of the store was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FullReadReason {
    /// Nothing was active yet.
    Start,
    /// The log did not continue where the node stands.
    LogGap,
    /// The store is another filling than the one known.
    OtherStore,
    /// Digests differed after a log entry.
    DigestMismatch,
    /// An earlier read could not be proven whole.
    Unproven,
    /// The primary compares the store with its own state.
    Verification,
    /// The store is written by an APIM gateway and is read whole at intervals.
    ApimInterval,
}

/// Something that happened in the sync process, for logs, metrics and the technical API.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// This node became primary.
    Promoted {
        /// The epoch of its grant.
        epoch: Epoch,
    },
    /// This node is no longer primary.
    Deposed {
        /// The epoch that ended.
        epoch: Epoch,
        /// Who is primary now, if known.
        by: Option<NodeId>,
    },
    /// The lease was given up in good order.
    Released {
        /// The epoch that ended.
        epoch: Epoch,
    },
    /// A full read of the store begins.
    FullRead {
        /// Why.
        reason: FullReadReason,
        /// By which way.
        method: ReadMethod,
    },
    /// A read of the store was not the whole content at any revision; nothing of it was activated.
    ReadUnproven {
        /// At which revision the proof was tried.
        revision: Revision,
        /// The first kind that differs.
        kind: Option<Kind>,
        /// By which way it was read.
        method: ReadMethod,
    },
    /// A state became active.
    Activated {
        /// Which revision of which store it equals, if any.
        revision: Option<(StoreId, Revision)>,
        /// Rows of the state.
        rows: u64,
    },
    /// The store is not what it was: emptied, rolled back, or filled by somebody else.
    StoreChanged {
        /// What was known.
        known: Option<(StoreId, Revision)>,
        /// What is there.
        found: Option<(StoreId, Revision)>,
    },
    /// The store was compared with the primary's state.
    Verified {
        /// Rows that have to be written or removed.
        differences: u64,
    },
    /// This node's state is newer than the store's; it is kept until the primary has read the repository again.
    HoldingNewerState,
    /// A batch was committed.
    Published {
        /// Its revision.
        revision: Revision,
        /// Its rows.
        rows: u64,
        /// Whether the zone is whole with it.
        whole: bool,
    },
    /// A read of the repository ended well.
    Imported {
        /// Whether everything was read.
        full: bool,
        /// Rows that changed.
        changed: u64,
    },
    /// The state was compared with the ids and times of all records of the repository, and what differed was read.
    Audited {
        /// APIs and API products that were read because of it.
        units: u64,
        /// Rows that changed.
        changed: u64,
    },
    /// A repository record could not be understood.
    Refused {
        /// The row that it would have become.
        key: String,
        /// Why.
        reason: String,
    },
    /// A call to the store failed; first of its kind since the last success.
    StoreFailed(StoreError),
    /// The store answers again.
    StoreRecovered,
    /// A read of the repository failed; first of its kind since the last success.
    RepositoryFailed(RepositoryError),
    /// The repository answers again.
    RepositoryRecovered,
}
