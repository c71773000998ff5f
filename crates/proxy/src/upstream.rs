//! The way to an upstream: connections, their pools, and one request and its response over them.
//!
//! HTTP/1.1 is spoken here directly over the socket, by the task that serves the client: no task per upstream
//! connection, no channel between tasks, no header map to build for the request. That is what P6 is paid with; the
//! parsing of heads is left to `httparse`. Framing of responses is strict, since a response that two parties read
//! differently is a smuggled one.
//!
//! A connection belongs to one worker. What all workers share of an endpoint is its [`Upstream`]: the address, the limits
//! and how much of them is taken.

pub(crate) mod body;
pub(crate) mod call;
pub(crate) mod connection;
pub(crate) mod exchange;
pub(crate) mod failure;
pub(crate) mod pool;
pub(crate) mod response_head;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::Semaphore;
use zonegate_definition::{HttpSettings, Target};

/// An endpoint as connections know it. It outlives redeployments that do not change it, and so do its connections.
#[derive(Debug)]
pub(crate) struct Upstream {
    /// Number by which the workers' pools find it; never used again.
    pub(crate) number: u64,
    /// Where it is.
    pub(crate) address: Address,
    /// How to talk to it.
    pub(crate) settings: HttpSettings,
    /// One for each request that may be under way, over all workers.
    pub(crate) permits: Arc<Semaphore>,
    /// Requests that wait for a permit.
    pub(crate) waiting: AtomicU32,
    /// Open connections, idle ones included, over all workers.
    pub(crate) open: AtomicU32,
}

/// Where an upstream is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Address {
    Socket(SocketAddr),
    Name(String, u16),
}

impl Address {
    fn of(target: &Target) -> Self {
        let host = target.host.trim_start_matches('[').trim_end_matches(']');
        match host.parse::<IpAddr>() {
            Ok(address) => Self::Socket(SocketAddr::new(address, target.port)),
            Err(_) => Self::Name(target.host.clone(), target.port),
        }
    }
}

/// What makes an endpoint the same one across deployments.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Identity {
    api: Arc<str>,
    group: String,
    endpoint: String,
    address: Address,
}

/// All endpoints that something still uses.
#[derive(Debug, Default)]
pub(crate) struct Upstreams {
    known: Mutex<HashMap<Identity, Weak<Upstream>>>,
    next_number: AtomicU64,
}

impl Upstreams {
    /// The endpoint of this name and place: the one that is known, if its settings are the same, else a new one.
    pub(crate) fn find(
        &self,
        api: &Arc<str>,
        group: &str,
        endpoint: &str,
        target: &Target,
        settings: &HttpSettings,
    ) -> Arc<Upstream> {
        let identity = Identity {
            api: api.clone(),
            group: group.to_owned(),
            endpoint: endpoint.to_owned(),
            address: Address::of(target),
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(upstream) = known.get(&identity).and_then(Weak::upgrade)
            && upstream.settings == *settings
        {
            return upstream;
        }
        let upstream = Arc::new(Upstream {
            number: self.next_number.fetch_add(1, Ordering::Relaxed),
            address: identity.address.clone(),
            settings: settings.clone(),
            permits: Arc::new(Semaphore::new(settings.max_concurrent_connections.clamp(1, 1 << 20) as usize)),
            waiting: AtomicU32::new(0),
            open: AtomicU32::new(0),
        });
        // Endpoints that went away are forgotten when the map would grow: each is looked at once per doubling.
        if known.len() == known.capacity() {
            known.retain(|_, upstream| upstream.strong_count() > 0);
        }
        known.insert(identity, Arc::downgrade(&upstream));
        upstream
    }
}

#[cfg(test)]
mod tests;
