//! Endpoint groups of V4 definitions (`data-plane.md` section 1.4).

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::api::json::Switch;
use crate::endpoint::json::{SettingsJson, load_balancing, settings, target, weight};
use crate::json::{self, Flag, Number, Text};
use crate::limitation::{LeftOut, Limitation};
use crate::node::NodeContext;
use crate::refusal::{Reason, Refusal, excerpt};
use crate::{Endpoint, EndpointGroup, HttpSettings, label};

/// A group as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Group<'a> {
    name: Option<Text>,
    #[serde(rename = "type")]
    kind: Option<Text>,
    load_balancer: Option<LoadBalancer>,
    #[serde(borrow)]
    shared_configuration: Option<&'a RawValue>,
    #[serde(borrow)]
    endpoints: Option<Vec<EndpointJson<'a>>>,
    services: Option<Services>,
}

#[derive(Deserialize)]
struct LoadBalancer {
    #[serde(rename = "type")]
    kind: Option<Text>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Services {
    health_check: Option<Switch>,
    discovery: Option<Switch>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EndpointJson<'a> {
    name: Option<Text>,
    #[serde(rename = "type")]
    kind: Option<Text>,
    weight: Option<Number>,
    secondary: Option<Flag>,
    tenants: Option<Vec<Text>>,
    inherit_configuration: Option<Flag>,
    #[serde(borrow)]
    configuration: Option<&'a RawValue>,
    #[serde(borrow)]
    shared_configuration_override: Option<&'a RawValue>,
    services: Option<Services>,
}

#[derive(Deserialize)]
struct OwnConfiguration {
    target: Option<Text>,
}

/// Reads all groups. Endpoints of other tenants and unusable ones are left out.
pub(super) fn read(
    groups: Vec<Group<'_>>,
    node: &NodeContext,
    limitations: &mut Vec<Limitation>,
) -> Result<Vec<EndpointGroup>, Refusal> {
    let mut read = Vec::with_capacity(groups.len());
    for (index, group) in groups.into_iter().enumerate() {
        let at = format!("endpointGroups[{index}]");
        http_proxy(group.kind, &at)?;
        services(group.services, &at, limitations)?;
        let kind = group.load_balancer.and_then(|balancer| balancer.kind);
        let load_balancing = load_balancing(kind, &format!("{at}.loadBalancer"))?;
        let mut endpoints = Vec::new();
        for (index, json) in group.endpoints.unwrap_or_default().into_iter().enumerate() {
            let at = format!("{at}.endpoints[{index}]");
            endpoints.extend(endpoint(json, group.shared_configuration, node, &at, limitations)?);
        }
        read.push(EndpointGroup { name: Text::or(group.name, "default"), load_balancing, endpoints });
    }
    Ok(read)
}

fn endpoint(
    json: EndpointJson<'_>,
    shared: Option<&RawValue>,
    node: &NodeContext,
    at: &str,
    limitations: &mut Vec<Limitation>,
) -> Result<Option<Endpoint>, Refusal> {
    http_proxy(json.kind, at)?;
    services(json.services, at, limitations)?;
    if !node.accepts_tenants(&Text::all(json.tenants)) {
        return Ok(None);
    }
    let mut leave_out = |because| {
        limitations.push(Limitation::EndpointLeftOut { at: at.to_owned(), because });
        Ok(None)
    };
    let name = Text::filled(json.name).ok_or_else(|| Refusal::new(Reason::Missing("name"), at))?;
    // Neither configuration may be a string that holds JSON: the original leaves such an endpoint out (live notes).
    let Ok(own) = optional::<OwnConfiguration>(json.configuration) else {
        return leave_out(LeftOut::Configuration);
    };
    let Some(address) = own.and_then(|own| Text::filled(own.target)) else {
        return leave_out(LeftOut::NoTarget);
    };
    let (member, text) = if Flag::or(json.inherit_configuration, false) {
        ("inherited", shared)
    } else {
        ("sharedConfigurationOverride", json.shared_configuration_override)
    };
    let Ok(configuration) = optional::<SettingsJson>(text) else { return leave_out(LeftOut::Configuration) };
    let (http, headers) =
        settings(configuration.unwrap_or_default(), &HttpSettings::V4, &format!("{at}.{member}"))?;
    Ok(Some(Endpoint {
        name,
        target: target(&address, &format!("{at}.configuration.target"))?,
        weight: weight(json.weight),
        secondary: Flag::or(json.secondary, false),
        http,
        headers,
    }))
}

fn optional<'a, T: Deserialize<'a>>(text: Option<&'a RawValue>) -> Result<Option<T>, Refusal> {
    match text.map(RawValue::get) {
        // A blank string means all defaults.
        None | Some("\"\"") => Ok(None),
        Some(text) => json::parse(text, ""),
    }
}

fn http_proxy(kind: Option<Text>, at: &str) -> Result<(), Refusal> {
    let kind = Text::or(kind, "");
    if label::is(&kind, "httpproxy") {
        return Ok(());
    }
    Err(Refusal::new(Reason::EndpointType(excerpt(&kind)), format!("{at}.type")))
}

fn services(services: Option<Services>, at: &str, limitations: &mut Vec<Limitation>) -> Result<(), Refusal> {
    let Some(services) = services else { return Ok(()) };
    if Switch::is_on(services.discovery.as_ref()) {
        return Err(Refusal::new(Reason::ServiceDiscovery, format!("{at}.services.discovery")));
    }
    if Switch::is_on(services.health_check.as_ref()) {
        limitations.push(Limitation::HealthCheck { at: format!("{at}.services.healthCheck") });
    }
    Ok(())
}
