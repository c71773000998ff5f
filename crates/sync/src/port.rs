//! The ports of the sync process: what the core asks of the zone store, of the management repository and of the
//! gateway itself, and what they answer. Adapters implement the traits; the simulation answers the same requests.
//!
//! Nothing here knows Redis, SQL or JSON.

mod repository;
mod stage;
mod zone_store;

pub use repository::{
    Change, ChangeSink, IndexSink, Indexed, RepositoryError, RepositoryFailure, RepositoryReader, Stamp,
    StampedChange, Stopped, Watched, Window,
};
pub use stage::StageOp;
pub use zone_store::{
    Acquire, AcquireOutcome, Batch, Grant, Holder, LogEntry, LogItem, Manifest, Member, MemberRole,
    ReadMethod, RenewOutcome, RowSink, StoreError, StoreFailure, Synced, WriteOutcome, ZoneStore,
};
