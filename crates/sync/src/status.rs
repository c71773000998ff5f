//! What the machine says about itself: for the technical API, metrics and the log.

use std::sync::Arc;

use zonegate_model::{Digests, Epoch, Moment, NodeId, Revision, RowKey, StoreId};

use crate::port::{Member, Synced};

/// The role of this gateway at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// No zone.
    Lone,
    /// Reads the store.
    Secondary,
    /// Reads the repository and writes the store.
    Primary {
        /// The epoch of its grant.
        epoch: Epoch,
        /// Whether it knows what the store holds, so that it can publish.
        steady: bool,
    },
}

/// A failure that lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The last error.
    pub message: Arc<str>,
    /// Since when calls fail, wall-clock milliseconds.
    pub since: i64,
    /// How many have failed since.
    pub count: u64,
}

impl Failure {
    pub(crate) fn new(message: &str, before: Option<Self>, now: Moment) -> Self {
        let (since, count) = before.map_or((now.wall_millis, 0), |before| (before.since, before.count));
        Self { message: message.into(), since, count: count + 1 }
    }
}

/// Counted since the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Grants of the lease.
    pub promotions: u64,
    /// Losses of the lease to somebody else.
    pub depositions: u64,
    /// Writes that the store refused because of the grant.
    pub fenced: u64,
    /// Full reads of the store that were begun.
    pub full_reads: u64,
    /// Full reads that could not be proven.
    pub unproven_reads: u64,
    /// Log entries after which digests differed.
    pub digest_mismatches: u64,
    /// Whole batches applied from the log.
    pub followed: u64,
    /// Comparisons of the store with the primary's state.
    pub verifications: u64,
    /// Committed batches.
    pub batches: u64,
    /// Rows in them.
    pub rows_written: u64,
    /// Reads of the repository that ended well.
    pub imports: u64,
    /// Audits that ended well, without those that became a read of everything.
    pub audits: u64,
    /// APIs and API products that audits read because something about them differed.
    pub audited_units: u64,
    /// Rows that reads of the repository changed.
    pub rows_changed: u64,
}

/// A picture of the machine.
#[derive(Clone, Debug)]
pub struct Status {
    /// Role.
    pub role: Role,
    /// Whether a complete state is active (A4). Never goes back.
    pub ready: bool,
    /// The store's revision that this gateway's state equals; `None` if it equals none (a primary with unpublished
    /// changes, or no state yet).
    pub applied: Option<(StoreId, Revision)>,
    /// For a primary: revision and last whole revision of the store as far as it knows.
    pub stored: Option<(StoreId, Revision, Revision)>,
    /// How far into the repository's time the state reaches.
    pub synced: Option<Synced>,
    /// Counts and digests of the state.
    pub digests: Digests,
    /// Rows that a primary has yet to write.
    pub pending: u64,
    /// Who is primary, as far as this gateway knows.
    pub primary: Option<NodeId>,
    /// Members of the zone that are alive.
    pub members: Vec<Member>,
    /// Repository records that could not be understood, with the reason.
    pub refused: Vec<(RowKey, Arc<str>)>,
    /// The store does not answer.
    pub store_failure: Option<Failure>,
    /// The repository does not answer.
    pub repository_failure: Option<Failure>,
    /// Counters.
    pub counters: Counters,
}
