//! Endpoint groups of V2 definitions (`data-plane.md` section 1.11).

use serde::Deserialize;

use super::{Services, check_services};
use crate::api::json::Switch;
use crate::endpoint::json::{SettingsJson, load_balancing, settings, target, weight};
use crate::json::{Flag, Number, Text};
use crate::limitation::Limitation;
use crate::node::NodeContext;
use crate::refusal::{Reason, Refusal, excerpt};
use crate::{Endpoint, EndpointGroup, EndpointHeader, HttpSettings, label};

/// A group as it is written.
#[derive(Deserialize)]
pub(super) struct Group {
    name: Option<Text>,
    load_balancing: Option<LoadBalancer>,
    endpoints: Option<Vec<EndpointJson>>,
    services: Option<Services>,
    #[serde(flatten)]
    settings: SettingsJson,
}

impl Group {
    /// The group that `proxy.endpoints` of old definitions stands for.
    pub(super) fn of(endpoints: Vec<EndpointJson>) -> Self {
        Self {
            name: Some(Text("default-group".to_owned())),
            load_balancing: None,
            endpoints: Some(endpoints),
            services: None,
            settings: SettingsJson::default(),
        }
    }
}

#[derive(Deserialize)]
struct LoadBalancer {
    #[serde(rename = "type")]
    kind: Option<Text>,
}

/// An endpoint as it is written.
#[derive(Deserialize)]
pub(super) struct EndpointJson {
    name: Option<Text>,
    target: Option<Text>,
    #[serde(rename = "type")]
    kind: Option<Text>,
    weight: Option<Number>,
    backup: Option<Flag>,
    tenant: Option<Text>,
    tenants: Option<Vec<Text>>,
    inherit: Option<Flag>,
    healthcheck: Option<HealthCheck>,
    #[serde(flatten)]
    settings: SettingsJson,
}

/// Old definitions have a plain boolean here.
#[derive(Deserialize)]
#[serde(untagged)]
enum HealthCheck {
    Service(Switch),
    Other(serde::de::IgnoredAny),
}

/// Reads all groups. Endpoints of other tenants are left out.
pub(super) fn read(
    groups: Vec<Group>,
    at: &str,
    node: &NodeContext,
    limitations: &mut Vec<Limitation>,
) -> Result<Vec<EndpointGroup>, Refusal> {
    let mut read = Vec::with_capacity(groups.len());
    for (index, group) in groups.into_iter().enumerate() {
        let at = format!("{at}[{index}]");
        if let Some(services) = group.services {
            check_services(&services, &format!("{at}.services"), limitations)?;
        }
        let shared = settings(group.settings, &HttpSettings::V2, &at)?;
        let mut endpoints = Vec::new();
        for (index, json) in group.endpoints.unwrap_or_default().into_iter().enumerate() {
            endpoints.extend(endpoint(
                json,
                &shared,
                node,
                &format!("{at}.endpoints[{index}]"),
                limitations,
            )?);
        }
        let kind = group.load_balancing.and_then(|balancer| balancer.kind);
        read.push(EndpointGroup {
            name: Text::or(group.name, "default"),
            load_balancing: load_balancing(kind, &format!("{at}.load_balancing"))?,
            endpoints,
        });
    }
    Ok(read)
}

fn endpoint(
    json: EndpointJson,
    shared: &(HttpSettings, Vec<EndpointHeader>),
    node: &NodeContext,
    at: &str,
    limitations: &mut Vec<Limitation>,
) -> Result<Option<Endpoint>, Refusal> {
    let kind = Text::or(json.kind, "http");
    if !label::is(&kind, "http") {
        return Err(Refusal::new(Reason::EndpointType(excerpt(&kind)), format!("{at}.type")));
    }
    let tenants = match json.tenants {
        Some(tenants) => Text::all(Some(tenants)),
        None => Text::filled(json.tenant).into_iter().collect(),
    };
    if !node.accepts_tenants(&tenants) {
        return Ok(None);
    }
    if let Some(HealthCheck::Service(switch)) = &json.healthcheck
        && Switch::is_on(Some(switch))
    {
        limitations.push(Limitation::HealthCheck { at: format!("{at}.healthcheck") });
    }
    let missing = |member| Refusal::new(Reason::Missing(member), at);
    let name = json.name.map(|Text(name)| name).ok_or_else(|| missing("name"))?;
    let address = json.target.map(|Text(target)| target).ok_or_else(|| missing("target"))?;
    // Without `inherit` the group's settings do not hold, only the endpoint's own.
    let (http, headers) = if Flag::or(json.inherit, false) {
        shared.clone()
    } else {
        settings(json.settings, &HttpSettings::V2, at)?
    };
    Ok(Some(Endpoint {
        name,
        target: target(&address, &format!("{at}.target"))?,
        weight: weight(json.weight),
        secondary: Flag::or(json.backup, false),
        http,
        headers,
    }))
}
