//! Upstream endpoints and how to talk to them (`data-plane.md` section 1.4).

pub(crate) mod json;

use std::fmt;
use std::time::Duration;

use crate::{NotAUrl, Target};

/// A named set of endpoints among which load is balanced.
#[derive(Clone, Debug)]
pub struct EndpointGroup {
    /// Name, unique among groups and endpoints of the API.
    pub name: String,
    /// Strategy.
    pub load_balancing: LoadBalancing,
    /// Endpoints in order of declaration. May be empty: then requests get 503.
    pub endpoints: Vec<Endpoint>,
}

/// How an endpoint is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoadBalancing {
    /// One after the other.
    #[default]
    RoundRobin,
    /// Any.
    Random,
    /// One after the other, as many turns in a cycle as the weight says.
    WeightedRoundRobin,
    /// Any, with probability by weight.
    WeightedRandom,
}

/// An upstream.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Name.
    pub name: String,
    /// Where it is. A target that is no URL deploys; requests to it are answered with 502 (`data-plane-live.md`).
    pub target: Result<Target, NotAUrl>,
    /// Share of the load, at least 1. Read by weighted strategies.
    pub weight: u32,
    /// Used only where no primary endpoint of the group is available.
    pub secondary: bool,
    /// How to talk to it.
    pub http: HttpSettings,
    /// Set last on each request that goes there, replacing what is there.
    pub headers: Vec<EndpointHeader>,
}

/// A configured request header. The value may be a secret, so `Debug` leaves it out (L3).
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointHeader {
    /// Name, a valid token, as it is written.
    pub name: String,
    /// Value, without control characters.
    pub value: String,
}

impl fmt::Debug for EndpointHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointHeader").field("name", &self.name).finish_non_exhaustive()
    }
}

/// How to talk to an endpoint. Absent bounds are `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSettings {
    /// Time to establish a connection. Default 5 s.
    pub connect_timeout: Option<Duration>,
    /// Longest silence within a request, and longest wait for a pooled connection. Default 10 s.
    pub read_timeout: Option<Duration>,
    /// Longest silence of a connection, whole seconds. Default 60 s; below one second means none.
    pub idle_timeout: Option<Duration>,
    /// Use a connection for more than one request. Default yes.
    pub keep_alive: bool,
    /// Longest idle time in the pool, whole seconds. Default 30 s.
    pub keep_alive_timeout: Option<Duration>,
    /// Longest life of a connection. Default none.
    pub max_connection_lifetime: Option<Duration>,
    /// Connections at once, at least 1. Default 20 (V4), 100 (V2).
    pub max_concurrent_connections: u32,
    /// Requests that may wait for a connection; `None`: any number. Default any number.
    pub max_wait_queue_size: Option<u32>,
    /// Send the client's `Host`. Default no.
    pub propagate_client_host: bool,
    /// Ask for compressed answers and decompress them. Default yes.
    pub use_compression: bool,
    /// Send the client's `Accept-Encoding`; only where `use_compression` is off. Default no.
    pub propagate_client_accept_encoding: bool,
}

impl HttpSettings {
    /// What holds where a V4 definition says nothing.
    pub const V4: Self = Self {
        connect_timeout: Some(Duration::from_secs(5)),
        read_timeout: Some(Duration::from_secs(10)),
        idle_timeout: Some(Duration::from_mins(1)),
        keep_alive: true,
        keep_alive_timeout: Some(Duration::from_secs(30)),
        max_connection_lifetime: None,
        max_concurrent_connections: 20,
        max_wait_queue_size: None,
        propagate_client_host: false,
        use_compression: true,
        propagate_client_accept_encoding: false,
    };

    /// What holds where a V2 definition says nothing.
    pub const V2: Self = Self { max_concurrent_connections: 100, ..Self::V4 };
}
