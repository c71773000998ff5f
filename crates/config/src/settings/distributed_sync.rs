//! `distributed-sync.*` and `cluster.*`: the zone and its store.

mod hazelcast;
mod zone;

use std::time::Duration;

use secrecy::SecretString;
use zonegate_model::ZoneName;

use crate::Origin;
use crate::diagnostic::Diagnostic;
use crate::reader::Reader;

/// This gateway's place in a zone.
#[derive(Clone, Debug)]
pub struct DistributedSync {
    /// Which zone.
    pub zone: Zone,
    /// `distributed-sync.role` (ours), default `auto`.
    pub role: Role,
    /// `distributed-sync.layout` (ours), default `4.12`.
    pub layout: Layout,
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

/// How the zone store is laid out, by the APIM version that reads and writes it so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// `4.12`: that version and later ones. Zones can share a Redis.
    #[default]
    V4_12,
    /// `4.11`: versions 4.0 to 4.11. A Redis holds one zone only.
    V4_11,
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

/// Far above any real number of Sentinels.
const NODE_LIMIT: usize = 100;

impl DistributedSync {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        const TYPE: &str = "distributed-sync.type";
        if reader.has(TYPE) {
            reader.choice(TYPE, "redis", &[("redis", ())])?;
        } else {
            reader.about(
                TYPE,
                Diagnostic::error("is needed when `services.sync.distributed.enabled` is true")
                    .hint("write `distributed-sync.type: redis`"),
            );
        }
        let roles = [("auto", Role::Auto), ("secondary", Role::Secondary)];
        let role = reader.choice("distributed-sync.role", "auto", &roles).unwrap_or_default();
        let layout = zone::layout(reader);
        // Below this, one slow answer of Redis would cost the lease.
        let lease_ttl = reader.milliseconds("distributed-sync.lease.ttl", 2000, 200);
        let store = RedisStore::read(reader);
        Some(Self { zone: zone::read(reader)?, role, layout, lease_ttl, store: store? })
    }
}

impl RedisStore {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        reader.refuse_true("distributed-sync.redis.ssl");
        if reader.has("distributed-sync.redis.cluster.nodes[0].host") {
            reader.refuse("distributed-sync.redis.cluster.nodes[0].host");
        }
        Some(Self {
            username: reader.optional_text("distributed-sync.redis.username"),
            password: reader.secret("distributed-sync.redis.password"),
            connect_timeout: reader.milliseconds("distributed-sync.redis.tcp.connectTimeout", 5000, 1),
            idle_timeout: reader.milliseconds_or_none("distributed-sync.redis.tcp.idleTimeout", 0),
            endpoint: RedisEndpoint::read(reader)?,
        })
    }
}

impl RedisEndpoint {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        const MASTER: &str = "distributed-sync.redis.sentinel.master";
        let mut nodes = Vec::new();
        for index in 0..NODE_LIMIT {
            let key = |name: &str| format!("distributed-sync.redis.sentinel.nodes[{index}].{name}");
            if !reader.has(&key("host")) {
                break;
            }
            nodes.push(HostPort {
                host: reader.host(&key("host"), "localhost"),
                port: reader.port(&key("port"), 26379),
            });
        }
        let master = reader.optional_text(MASTER);
        if nodes.is_empty() {
            return Some(Self::Standalone(HostPort {
                host: reader.host("distributed-sync.redis.host", "localhost"),
                port: reader.port("distributed-sync.redis.port", 6379),
            }));
        }
        let Some(master) = master else {
            reader.about(
                MASTER,
                Diagnostic::error("is needed when there are Sentinel nodes")
                    .hint("write the name under which the Sentinels watch the master"),
            );
            return None;
        };
        Some(Self::Sentinel {
            master,
            nodes,
            password: reader.secret("distributed-sync.redis.sentinel.password"),
        })
    }
}
