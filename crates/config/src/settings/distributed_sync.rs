//! `distributed-sync.*` and `cluster.*`: the zone and its store.

use std::time::Duration;

use secrecy::SecretString;
use zonegate_model::ZoneName;

use crate::Origin;

/// This gateway's place in a zone.
#[derive(Clone, Debug)]
pub struct DistributedSync {
    /// Which zone.
    pub zone: Zone,
    /// `distributed-sync.role` (ours), default `auto`.
    pub role: Role,
    /// `distributed-sync.lease.ttl` (ours) in ms, default 2000: how long a primary may be silent (Z3).
    pub lease_ttl: Duration,
    /// `distributed-sync.redis.*` (`distributed-sync.type: redis`).
    pub store: RedisStore,
}

/// The zone's name and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// The name: APIM's cluster id.
    pub name: ZoneName,
    /// By which rule.
    pub source: ZoneSource,
    /// Where the deciding value stands.
    pub origin: Origin,
}

/// The rule that gave the zone its name, in the order in which they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZoneSource {
    /// `distributed-sync.zone`.
    DistributedSyncZone,
    /// `cluster.type: hazelcast`: the cluster name of the Hazelcast file, with APIM's suffixes.
    HazelcastClusterName,
    /// The label `zone`.
    ZoneLabel,
    /// Nothing is set: `standalone`, which is APIM's cluster id for `cluster.type: standalone`.
    Standalone,
}

/// Whether this gateway may become primary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// `auto`: whoever gets the lease.
    #[default]
    Auto,
    /// `secondary`: never primary. For a zone whose primary is one of APIM's gateways, or a reader without a
    /// repository.
    Secondary,
}

/// The Redis server that holds the zone's store.
#[derive(Clone, Debug)]
pub struct RedisStore {
    /// Where it is.
    pub endpoint: RedisEndpoint,
    /// `distributed-sync.redis.username`.
    pub username: Option<String>,
    /// `distributed-sync.redis.password`.
    pub password: Option<SecretString>,
    /// `distributed-sync.redis.tcp.connectTimeout` in ms, default 5000.
    pub connect_timeout: Duration,
    /// `distributed-sync.redis.tcp.idleTimeout` in ms, default 0 (`None`).
    pub idle_timeout: Option<Duration>,
}

/// How the Redis server is found.
#[derive(Clone, Debug)]
pub enum RedisEndpoint {
    /// `distributed-sync.redis.host`, `.port`; default `localhost`, 6379.
    Standalone(HostPort),
    /// `distributed-sync.redis.sentinel.*`: in force as soon as `nodes[0].host` is given.
    Sentinel {
        /// `sentinel.master`.
        master: String,
        /// `sentinel.nodes[]`; port 26379 where none is given. Never empty.
        nodes: Vec<HostPort>,
        /// `sentinel.password`.
        password: Option<SecretString>,
    },
}

/// A host name or address with a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl std::fmt::Display for HostPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}
