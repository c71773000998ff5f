//! Endpoint groups of V4 definitions (`data-plane.md` section 1.4).

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::connection::json::{SettingsJson, settings};
use crate::endpoint::json::{load_balancing, target, weight};
use crate::health_check::json::{V4HealthCheck, v4_health_check};
use crate::json::{self, Flag, Number, Text};
use crate::limitation::{LeftOut, Limitation};
use crate::refusal::{Reason, Refusal, excerpt};
use crate::service::{ServiceJson, service};
use crate::{
    At, ConnectionSettings, DefinitionVersion, Endpoint, EndpointGroup, HealthCheck, NodeContext, label,
};

/// A group as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Group<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(rename = "type")]
    kind: Option<Text<'a>>,
    load_balancer: Option<LoadBalancer<'a>>,
    shared_configuration: Option<&'a RawValue>,
    endpoints: Option<Vec<EndpointJson<'a>>>,
    services: Option<Services<'a>>,
}

#[derive(Deserialize)]
struct LoadBalancer<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Text<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Services<'a> {
    #[serde(borrow)]
    health_check: Option<V4HealthCheck<'a>>,
    discovery: Option<ServiceJson<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EndpointJson<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(rename = "type")]
    kind: Option<Text<'a>>,
    weight: Option<Number>,
    secondary: Option<Flag>,
    tenants: Option<Vec<Text<'a>>>,
    inherit_configuration: Option<Flag>,
    configuration: Option<&'a RawValue>,
    shared_configuration_override: Option<&'a RawValue>,
    services: Option<Services<'a>>,
}

#[derive(Deserialize)]
struct OwnConfiguration<'a> {
    #[serde(borrow)]
    target: Option<Text<'a>>,
}

/// Reads all groups. Endpoints of other tenants and unusable ones are left out.
pub(super) fn read(
    groups: Vec<Group<'_>>,
    node: &NodeContext,
    limitations: &mut Vec<Limitation>,
) -> Result<Vec<EndpointGroup>, Refusal> {
    let at = At::root("endpointGroups");
    let mut read = Vec::with_capacity(groups.len());
    for (index, json) in groups.into_iter().enumerate() {
        read.push(group(json, node, &at.element(index), limitations)?);
    }
    Ok(read)
}

fn group(
    json: Group<'_>,
    node: &NodeContext,
    at: &At<'_>,
    limitations: &mut Vec<Limitation>,
) -> Result<EndpointGroup, Refusal> {
    http_proxy(json.kind, at)?;
    let services = json.services.unwrap_or_default();
    let at_services = at.member("services");
    let health_check = services
        .health_check
        .and_then(|check| v4_health_check(&check, &at_services.member("healthCheck"), limitations));
    let at_shared = at.member("sharedConfiguration");
    let mut inherited =
        Inherited { json: json.shared_configuration, at: &at_shared, settings: None, health_check };
    let written = json.endpoints.unwrap_or_default();
    let mut endpoints = Vec::with_capacity(written.len());
    let at_endpoints = at.member("endpoints");
    for (index, json) in written.into_iter().enumerate() {
        let at = at_endpoints.element(index);
        endpoints.extend(endpoint(json, index, &mut inherited, node, &at, limitations)?);
    }
    Ok(EndpointGroup {
        at: at.to_string().into(),
        name: Text::or(json.name, "default").into(),
        load_balancing: load_balancing(
            json.load_balancer.and_then(|balancer| balancer.kind),
            &at.member("loadBalancer"),
        )?,
        endpoints,
        discovery: service(services.discovery, &at_services.member("discovery"))?,
    })
}

/// What the endpoints of a group may take from it. The settings are read when the first one does.
struct Inherited<'a, 'b> {
    json: Option<&'a RawValue>,
    at: &'b At<'b>,
    settings: Option<Arc<ConnectionSettings>>,
    health_check: Option<Arc<HealthCheck>>,
}

fn endpoint(
    json: EndpointJson<'_>,
    index: usize,
    inherited: &mut Inherited<'_, '_>,
    node: &NodeContext,
    at: &At<'_>,
    limitations: &mut Vec<Limitation>,
) -> Result<Option<Endpoint>, Refusal> {
    http_proxy(json.kind, at)?;
    if !node.accepts_tenants(&Text::all(json.tenants)) {
        return Ok(None);
    }
    let name = Text::filled(json.name).ok_or_else(|| at.refuse(Reason::Missing("name")))?;
    let mut leave_out = |because| {
        limitations.push(Limitation::EndpointLeftOut { at: at.to_string(), because });
        Ok(None)
    };
    // Neither configuration may be a string that holds JSON: the original leaves such an endpoint out (live notes).
    let Ok(own) = optional::<OwnConfiguration<'_>>(json.configuration) else {
        return leave_out(LeftOut::Configuration);
    };
    let Some(address) = own.and_then(|own| Text::filled(own.target)) else {
        return leave_out(LeftOut::NoTarget);
    };
    let inherits = Flag::or(json.inherit_configuration, false);
    let connection = match &inherited.settings {
        Some(settings) if inherits => settings.clone(),
        _ => {
            let (text, at) = if inherits {
                (inherited.json, *inherited.at)
            } else {
                (json.shared_configuration_override, at.member("sharedConfigurationOverride"))
            };
            let Ok(written) = optional::<SettingsJson<'_>>(text) else {
                return leave_out(LeftOut::Configuration);
            };
            let read = Arc::new(settings(written.unwrap_or_default(), DefinitionVersion::V4, &at)?);
            if inherits {
                inherited.settings = Some(read.clone());
            }
            read
        }
    };
    let services = json.services.unwrap_or_default();
    let at_services = at.member("services");
    let secondary = Flag::or(json.secondary, false);
    let health_check = match services.health_check {
        _ if secondary => None,
        Some(own) if own.overrides() => {
            v4_health_check(&own, &at_services.member("healthCheck"), limitations)
        }
        _ => inherited.health_check.clone(),
    };
    Ok(Some(Endpoint {
        index,
        name: name.into_owned(),
        target: target(&address),
        weight: weight(json.weight),
        secondary,
        discovery: service(services.discovery, &at_services.member("discovery"))?,
        health_check,
        connection,
    }))
}

fn optional<'a, T: Deserialize<'a>>(text: Option<&'a RawValue>) -> Result<Option<T>, Refusal> {
    match text.map(RawValue::get) {
        // A blank string means all defaults.
        None | Some("\"\"") => Ok(None),
        Some(text) => json::parse(text, &At::WHOLE),
    }
}

fn http_proxy(kind: Option<Text<'_>>, at: &At<'_>) -> Result<(), Refusal> {
    let kind = Text::or(kind, "");
    if label::is(&kind, "httpproxy") {
        return Ok(());
    }
    Err(at.member("type").refuse(Reason::EndpointType(excerpt(&kind))))
}
