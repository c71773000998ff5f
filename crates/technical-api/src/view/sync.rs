//! The sync process, as `/_node/sync` shows it. Names of members here are the names in the JSON, in camel case.

use std::collections::BTreeMap;

use serde::Serialize;

/// The sync process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sync {
    /// A whole state is active (A4).
    pub initial_done: bool,
    /// Cycles begun: reads of the repository on a primary, activations on a secondary.
    pub cycles: u64,
    /// The last cycle failed.
    pub last_on_error: bool,
    /// What failed, while `last_on_error`.
    pub last_error: Option<String>,
    /// Everything that the original does not have.
    pub zone: Zone,
}

/// Everything about this gateway's part in its zone. All times are wall clock, milliseconds since 1970 in UTC.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Zone {
    /// The zone's name.
    pub name: String,
    /// `starting`, `primary`, `secondary` or `lone`.
    pub role: &'static str,
    /// The lease, as far as known.
    pub lease: Option<PrimaryLease>,
    /// The zone store, as far as known.
    pub store: Option<StorePosition>,
    /// Revision of the state that is served; `None` if it is none of the store's.
    pub applied: Option<u64>,
    /// The repository time up to which the served state is complete.
    pub synced: Option<Window>,
    /// Age of `synced.to`, milliseconds.
    pub lag_millis: Option<u64>,
    /// Active rows by kind.
    pub rows: BTreeMap<&'static str, u64>,
    /// Rows that this primary serves and the store does not have yet.
    pub pending_rows: u64,
    /// Accepted subscriptions of type PUSH: carried, and not served.
    pub push_subscriptions: u64,
    /// Number of refused APIs and API products, also where the list is cut.
    pub refused_count: u64,
    /// APIs and API products that are not served, or in an earlier version, and why (S3).
    pub refused: Vec<Refusal>,
    /// The last full read of the store.
    pub last_full_read: Option<FullRead>,
    /// The management repository.
    pub repository: Dependency,
    /// The zone store's server.
    pub zone_store: Dependency,
    /// Live members of the zone, this gateway included.
    pub members: Vec<Member>,
    /// What happened since the process started.
    pub counters: Counters,
}

/// Who is primary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PrimaryLease {
    /// The epoch of the lease; 0 if this gateway does not know it.
    pub epoch: u64,
    /// The primary's id; `None` if nobody is.
    pub primary: Option<String>,
}

/// Where the store stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StorePosition {
    /// Which filling of the store.
    pub id: String,
    /// Its last batch.
    pub revision: u64,
    /// The last batch at which it was whole.
    pub whole: u64,
}

/// A window of repository time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Window {
    /// Lower bound; -1: from the beginning.
    pub from: i64,
    /// Upper bound.
    pub to: i64,
}

/// An API (or another row) that is not understood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// Kind of row.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// Why, for people. No secret.
    pub reason: String,
    /// Since when, if known.
    pub at: Option<i64>,
    /// An earlier version is served meanwhile.
    pub earlier_version_served: bool,
}

/// A full read of the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FullRead {
    /// Why it was begun, a fixed word.
    pub reason: String,
    /// `index` or `scan`.
    pub method: &'static str,
    /// When it was begun.
    pub at: i64,
    /// Whether it was proven whole; `None` while it runs.
    pub proven: Option<bool>,
    /// Rows that came.
    pub rows: u64,
}

/// Something that this gateway calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Dependency {
    /// Whether the last call succeeded; `None` if it is not called.
    pub up: Option<bool>,
    /// The last failure, also if calls succeed again.
    pub last_failure: Option<Failure>,
}

/// A failed call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What was wrong. No secret.
    pub message: String,
    /// When.
    pub at: i64,
}

/// A gateway of the zone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Its id.
    pub node: String,
    /// Whether it is this gateway.
    #[serde(rename = "self")]
    pub is_self: bool,
    /// Its host name.
    pub host: String,
    /// Its version.
    pub version: String,
    /// `primary` or `secondary`.
    pub role: &'static str,
    /// Revision that it serves.
    pub applied: Option<u64>,
    /// Which filling of the store that is a revision of.
    pub store: Option<String>,
    /// Address of its technical API.
    pub technical_api: Option<String>,
    /// Whether it reaches the repository; `None` if it does not try.
    pub repository_reachable: Option<bool>,
    /// Since when it runs.
    pub since: i64,
}

/// What happened since the process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counters {
    /// Batches committed to the store.
    pub batches_written: u64,
    /// Rows committed to the store.
    pub rows_written: u64,
    /// Writes that the store refused because another gateway is primary (Z1).
    pub fenced_writes: u64,
    /// Times that this gateway became primary.
    pub takeovers: u64,
    /// Full reads of the store.
    pub full_reads: u64,
    /// Reads that were not whole (Z7).
    pub proof_failures: u64,
}
