//! What the technical API asks the gateway. The binary implements [`NodeView`] over its own parts.
//!
//! Answers are snapshots: a call must not block and must not wait for the network. No text in them may hold a secret,
//! except [`NodeView::api`] and [`NodeView::configuration`], whose callers mask.

mod sync;

use std::collections::BTreeMap;

use zonegate_model::{Moment, Payload};
use zonegate_telemetry::Exposition;

pub use sync::{
    Counters, Dependency, Failure, FullRead, Member, PrimaryLease, Refusal, StorePosition, Sync, Window, Zone,
};

/// The gateway as the technical API sees it.
pub trait NodeView: Send + std::marker::Sync + 'static {
    /// The time.
    fn now(&self) -> Moment;

    /// When the process started.
    fn started(&self) -> Moment;

    /// Who this gateway is.
    fn identity(&self) -> Identity;

    /// Health, as this gateway's parts report it.
    fn probes(&self) -> Probes;

    /// The sync process.
    fn sync(&self) -> Sync;

    /// The gateways of the zone.
    fn cluster(&self) -> Cluster;

    /// Deployed APIs, in any order.
    fn apis(&self) -> Vec<ApiSummary>;

    /// The text of a deployed API's zone-store row, secrets included; `None` if the API is not deployed.
    fn api(&self, id: &str) -> Option<Payload>;

    /// Every configuration key with its resolved value. Values that are known to be secrets are masked unless
    /// `clear_text`.
    fn configuration(&self, clear_text: bool) -> BTreeMap<String, String>;

    /// The metrics; `None` when they are switched off. May take milliseconds: it is called on a thread that may block.
    fn metrics(&self, exposition: Exposition) -> Option<String>;

    /// Log levels by part of the program, `ROOT` for all others.
    fn log_levels(&self) -> BTreeMap<String, String>;
}

/// Who a gateway is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Its id, new at each start of the process.
    pub id: String,
    /// The product's name.
    pub name: String,
    /// The product's version.
    pub version: String,
    /// The commit that it was built from, if known.
    pub commit: Option<String>,
    /// The machine's host name.
    pub hostname: String,
    /// Installation id, from the node metadata; `None` until known.
    pub installation: Option<String>,
    /// Ids of the organizations that the gateway serves; empty for all.
    pub organizations: Vec<String>,
    /// Ids of the environments that the gateway serves; empty for all.
    pub environments: Vec<String>,
    /// Sharding tags, as configured.
    pub tags: Option<String>,
    /// Tenant, as configured.
    pub tenant: Option<String>,
    /// The label `zone`, as configured.
    pub zone: Option<String>,
}

/// Whether a part of the gateway is well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Well or not.
    pub healthy: bool,
    /// Why not, or something worth knowing.
    pub message: Option<String>,
}

impl Probe {
    /// Well.
    pub fn healthy() -> Self {
        Self { healthy: true, message: None }
    }

    /// Not well.
    pub fn unhealthy(message: impl Into<String>) -> Self {
        Self { healthy: false, message: Some(message.into()) }
    }

    /// With something to say.
    #[must_use]
    pub fn saying(self, message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), ..self }
    }
}

/// Health of the gateway's parts. Probes of the machine are added by the technical API itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probes {
    /// `management-repository`. A secondary does not call it (Z2), and is healthy.
    pub management_repository: Probe,
    /// `http-server`: the listeners for traffic.
    pub http_server: Probe,
    /// `cluster`: the zone's lease and members can be read.
    pub cluster: Probe,
    /// `sync-process`: a whole state is active (A4). `None` without a sync process, which reads `probe not found`.
    pub sync_process: Option<Probe>,
}

/// A deployed API in a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct ApiSummary {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its version, as its author wrote it.
    pub version: String,
}

/// The gateways of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// The zone's name, which is APIM's cluster id.
    pub id: String,
    /// This gateway, whether the zone store can be asked or not.
    pub this: ClusterMember,
    /// The others, as far as known.
    pub others: Vec<ClusterMember>,
}

/// A gateway of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterMember {
    /// The gateway's id.
    pub node: String,
    /// Its host name.
    pub hostname: String,
    /// The address it is reached at, or its host name.
    pub host: String,
    /// Its version.
    pub version: String,
    /// Whether it holds the lease.
    pub primary: bool,
}
