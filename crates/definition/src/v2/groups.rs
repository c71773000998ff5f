//! Endpoint groups of V2 definitions (`data-plane.md` section 1.11).

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Services;
use crate::connection::json::{HeaderJson, HttpJson, ProxyJson, SettingsJson, settings};
use crate::endpoint::json::{load_balancing, target, weight};
use crate::health_check::json::v2_endpoint_health_check;
use crate::json::{Flag, Number, Pairs, Text};
use crate::limitation::Limitation;
use crate::refusal::{Reason, Refusal, excerpt};
use crate::service::service;
use crate::tls::json::TlsJson;
use crate::{
    At, ConnectionSettings, DefinitionVersion, Endpoint, EndpointGroup, HealthCheck, NodeContext, label,
};

/// A group as it is written.
#[derive(Deserialize, Default)]
pub(super) struct Group<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    load_balancing: Option<LoadBalancer<'a>>,
    endpoints: Option<Vec<EndpointJson<'a>>>,
    services: Option<Services<'a>>,
    http: Option<HttpJson<'a>>,
    proxy: Option<ProxyJson<'a>>,
    ssl: Option<TlsJson<'a>>,
    headers: Option<Pairs<HeaderJson<'a>>>,
    #[serde(rename = "hostHeader")]
    host_header: Option<Text<'a>>,
}

impl<'a> Group<'a> {
    /// The group that `proxy.endpoints` of old definitions stands for.
    pub(super) fn of(endpoints: Vec<EndpointJson<'a>>) -> Self {
        Self { name: Some(Text("default-group".into())), endpoints: Some(endpoints), ..Self::default() }
    }
}

#[derive(Deserialize)]
struct LoadBalancer<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Text<'a>>,
}

/// An endpoint as it is written.
#[derive(Deserialize)]
pub(super) struct EndpointJson<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    target: Option<Text<'a>>,
    #[serde(rename = "type")]
    kind: Option<Text<'a>>,
    weight: Option<Number>,
    backup: Option<Flag>,
    tenant: Option<Text<'a>>,
    tenants: Option<Vec<Text<'a>>>,
    inherit: Option<Flag>,
    healthcheck: Option<&'a RawValue>,
    http: Option<HttpJson<'a>>,
    proxy: Option<ProxyJson<'a>>,
    ssl: Option<TlsJson<'a>>,
    headers: Option<Pairs<HeaderJson<'a>>>,
    #[serde(rename = "hostHeader")]
    host_header: Option<Text<'a>>,
}

/// Reads a group. Endpoints of other tenants are left out. `health_check` is the API's own.
pub(super) fn read(
    group: Group<'_>,
    health_check: Option<&Arc<HealthCheck>>,
    node: &NodeContext,
    at: &At<'_>,
    limitations: &mut Vec<Limitation>,
) -> Result<EndpointGroup, Refusal> {
    let mut inherited = Inherited {
        json: Some(SettingsJson {
            http: group.http,
            proxy: group.proxy,
            ssl: group.ssl,
            headers: group.headers,
            host_header: group.host_header,
        }),
        settings: None,
        health_check,
        at,
    };
    let written = group.endpoints.unwrap_or_default();
    let mut endpoints = Vec::with_capacity(written.len());
    let at_endpoints = at.member("endpoints");
    for (index, json) in written.into_iter().enumerate() {
        let at = at_endpoints.element(index);
        endpoints.extend(endpoint(json, index, &mut inherited, node, &at, limitations)?);
    }
    let kind = group.load_balancing.and_then(|balancer| balancer.kind);
    let services = group.services.unwrap_or_default();
    Ok(EndpointGroup {
        at: at.to_string().into(),
        name: Text::or(group.name, "default").into(),
        load_balancing: load_balancing(kind, &at.member("load_balancing"))?,
        endpoints,
        discovery: service(services.discovery, &at.member("services").member("discovery"))?,
    })
}

/// What the endpoints of a group may take from it or from the API. The settings are read when the first one does.
struct Inherited<'a, 'b> {
    json: Option<SettingsJson<'a>>,
    settings: Option<Arc<ConnectionSettings>>,
    health_check: Option<&'b Arc<HealthCheck>>,
    at: &'b At<'b>,
}

impl Inherited<'_, '_> {
    fn settings(&mut self) -> Result<Arc<ConnectionSettings>, Refusal> {
        if let Some(settings) = &self.settings {
            return Ok(settings.clone());
        }
        let json = self.json.take().unwrap_or_default();
        let read = Arc::new(settings(json, DefinitionVersion::V2, self.at)?);
        Ok(self.settings.insert(read).clone())
    }
}

fn endpoint(
    json: EndpointJson<'_>,
    index: usize,
    inherited: &mut Inherited<'_, '_>,
    node: &NodeContext,
    at: &At<'_>,
    limitations: &mut Vec<Limitation>,
) -> Result<Option<Endpoint>, Refusal> {
    let kind = Text::or(json.kind, "http");
    if !label::is(&kind, "http") {
        return Err(at.member("type").refuse(Reason::EndpointType(excerpt(&kind))));
    }
    let tenants = match json.tenants {
        Some(tenants) => Text::all(Some(tenants)),
        None => Text::filled(json.tenant).map(Into::into).into_iter().collect(),
    };
    if !node.accepts_tenants(&tenants) {
        return Ok(None);
    }
    let name = json.name.ok_or_else(|| at.refuse(Reason::Missing("name")))?;
    let address = json.target.ok_or_else(|| at.refuse(Reason::Missing("target")))?;
    let secondary = Flag::or(json.backup, false);
    // Without `inherit` the group's settings do not hold, only the endpoint's own.
    let connection = if Flag::or(json.inherit, false) {
        inherited.settings()?
    } else {
        let own = SettingsJson {
            http: json.http,
            proxy: json.proxy,
            ssl: json.ssl,
            headers: json.headers,
            host_header: json.host_header,
        };
        Arc::new(settings(own, DefinitionVersion::V2, at)?)
    };
    // Old definitions have a plain boolean here, which says nothing.
    let health_check = match json.healthcheck.map(RawValue::get).filter(|text| text.starts_with('{')) {
        _ if secondary => None,
        Some(own) => {
            v2_endpoint_health_check(own, inherited.health_check, &at.member("healthcheck"), limitations)
        }
        None => inherited.health_check.cloned(),
    };
    Ok(Some(Endpoint {
        index,
        name: name.0.into(),
        target: target(&address.0),
        weight: weight(json.weight),
        secondary,
        discovery: None,
        health_check,
        connection,
    }))
}
