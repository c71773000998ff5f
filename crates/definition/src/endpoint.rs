//! Upstream endpoints and their groups (`data-plane.md` section 1.4).

pub(crate) mod json;

use std::sync::Arc;

use crate::{ConnectionSettings, HealthCheck, NotAUrl, Service, Target, Template};

/// A named set of endpoints among which load is balanced.
#[derive(Clone, Debug)]
pub struct EndpointGroup {
    /// Where it stands in the definition, for messages.
    pub at: Box<str>,
    /// Name, unique among groups and endpoints of the API.
    pub name: String,
    /// Strategy.
    pub load_balancing: LoadBalancing,
    /// Endpoints in order of declaration. May be empty: then requests get 503.
    pub endpoints: Vec<Endpoint>,
    /// More endpoints come from a discovery service.
    pub discovery: Option<Service>,
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
    /// Its number among those of its group in the definition, those that are left out included.
    pub index: usize,
    /// Name.
    pub name: String,
    /// Where it is.
    pub target: EndpointTarget,
    /// Share of the load, at least 1. Read by weighted strategies.
    pub weight: u32,
    /// Used only where no primary endpoint of the group is available.
    pub secondary: bool,
    /// More endpoints come from a discovery service.
    pub discovery: Option<Service>,
    /// How it is found out whether it is up; `None`: it counts as up.
    pub health_check: Option<Arc<HealthCheck>>,
    /// How to talk to it.
    pub connection: Arc<ConnectionSettings>,
}

/// Where an endpoint is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointTarget {
    /// At a URL.
    Url(Target),
    /// At a URL that has to be evaluated once, at deployment.
    Dynamic(Template),
    /// Nowhere: it deploys, and requests to it are answered with 502 (`data-plane-live.md`).
    NotAUrl(NotAUrl),
}
