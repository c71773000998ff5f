//! The vocabulary of Zonegate: the twelve kinds of state, rows and their digests, zone, epoch, revision, time.
//!
//! Relies on nothing but a hash function. No I/O, no foreign format, no clock of its own: everything here may be
//! used by every other crate. Carries S6 (ids are opaque text, never parsed) by its types.

mod clock;
mod digest;
mod identity;
mod kind;
mod row;

pub use clock::{Clock, Moment};
pub use digest::{Digest, DigestSum, Digests};
pub use identity::{Epoch, NodeId, Revision, StoreId, Token, ZoneName};
pub use kind::{Kind, UnknownKind};
pub use row::{Payload, RecordedAt, Row, RowKey, RowState};
pub use secrecy;
