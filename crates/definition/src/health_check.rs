//! Health checks of endpoints, V2 and V4 (`data-plane.md` sections 1.5, 1.11).

pub(crate) mod json;

use crate::{EndpointHeader, Template};

/// How it is found out whether an endpoint is up. Secondary endpoints are not probed.
#[derive(Clone, Debug)]
pub struct HealthCheck {
    /// When: cron text with six fields, seconds first, as it is written.
    pub schedule: Option<String>,
    /// Requests, in order. V4 has one. All must succeed.
    pub probes: Vec<Probe>,
    /// Successes in a row after which an endpoint that was down is up. Default 2.
    pub success_threshold: u32,
    /// Failures in a row after which an endpoint that was up is down. Default 3.
    pub failure_threshold: u32,
}

/// One request of a health check, and what its answer must be.
#[derive(Clone, Debug)]
pub struct Probe {
    /// Method in upper case. Default `GET`.
    pub method: String,
    /// Path, or absolute URL. As it is written.
    pub target: String,
    /// The path replaces the endpoint's own instead of following it. Default no.
    pub overrides_path: bool,
    /// Headers.
    pub headers: Vec<EndpointHeader>,
    /// Body.
    pub body: Option<Template>,
    /// Expressions over `response` that must all be true; V2 writes them without braces. Never empty.
    pub assertions: Vec<Template>,
}
