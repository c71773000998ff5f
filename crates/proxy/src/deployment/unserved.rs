//! What this data plane cannot do yet, as far as it concerns an API as a whole: refused, or reported where nothing is
//! served wrongly without it (S3). Whoever teaches it something removes the line here.

use zonegate_definition::{Api, Limitation, Reason, Refusal, excerpt};

use super::endpoint;

/// Refuses what would be served wrongly.
pub(super) fn check(api: &Api) -> Result<(), Refusal> {
    if let Some(path) = api.listeners.iter().find(|path| path.has_wildcard()) {
        let host = path.host.clone().unwrap_or_default();
        return Err(Refusal::new(Reason::WildcardHost(excerpt(&host)), api.host_at(path)));
    }
    if api.cors.is_some() {
        return Err(Refusal::new(Reason::Cors, api.cors_at()));
    }
    if api.failover.is_some() {
        return Err(api.failover_at().refuse(Reason::Failover));
    }
    if !api.response_templates.is_empty() {
        return Err(api.response_templates_at().refuse(Reason::ResponseTemplates));
    }
    if api.discovery.is_some() {
        return Err(Refusal::new(Reason::ServiceDiscovery, "services.discovery"));
    }
    for group in &api.groups {
        if group.discovery.is_some() {
            return Err(Refusal::new(Reason::ServiceDiscovery, format!("{}.services.discovery", group.at)));
        }
        for endpoint in &group.endpoints {
            endpoint::check(api, group, endpoint)?;
        }
    }
    Ok(())
}

/// What the API is served without.
pub(super) fn limitations(api: &Api) -> Vec<Limitation> {
    let mut limitations = api.limitations.clone();
    for group in &api.groups {
        if group.endpoints.iter().any(|endpoint| endpoint.health_check.is_some()) {
            limitations.push(Limitation::HealthCheck { at: group.at.to_string() });
        }
    }
    if api.analytics.enabled && api.analytics.logging.is_some() {
        limitations.push(Limitation::Logging);
    }
    if api.analytics.enabled && api.analytics.tracing.is_some() {
        limitations.push(Limitation::Tracing);
    }
    limitations
}
