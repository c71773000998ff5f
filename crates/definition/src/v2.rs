//! V2 definitions (`data-plane.md` section 1.11).

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::value::RawValue;
use zonegate_payload::ApiPayload;

use crate::analytics::{V2Logging, v2_analytics};
use crate::api::json::{PropertyJson, properties};
use crate::cors::json::{CorsJson, cors};
use crate::failover::{V2Failover, v2_failover};
use crate::flow::json::{V2Flow, flow_mode, v2_flows};
use crate::health_check::json::v2_health_check;
use crate::json::{self, Items, Pairs, Text};
use crate::listener::{context_path, distinct, host};
use crate::plan::json::{in_chain_order, is_served, security};
use crate::refusal::{Reason, Refusal, excerpt};
use crate::response_template::{TemplatesJson, response_templates};
use crate::service::{ResourceJson, ServiceJson, resources, service};
use crate::{
    Api, At, Configuration, ContextPath, DefinitionVersion, EndpointGroup, ExecutionMode, NodeContext,
    NotHere, Plan, Read, Template,
};

mod groups;

#[derive(Deserialize)]
struct Definition<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    name: Option<Text<'a>>,
    version: Option<Text<'a>>,
    execution_mode: Option<Text<'a>>,
    flow_mode: Option<Text<'a>>,
    tags: Option<Vec<Text<'a>>>,
    proxy: Option<Proxy<'a>>,
    services: Option<Services<'a>>,
    plans: Option<Items<PlanJson<'a>>>,
    flows: Option<Vec<V2Flow<'a>>>,
    properties: Option<Pairs<PropertyJson<'a>>>,
    resources: Option<Vec<ResourceJson<'a>>>,
    path_mappings: Option<Vec<Text<'a>>>,
    response_templates: Option<TemplatesJson<'a>>,
}

#[derive(Deserialize)]
struct Proxy<'a> {
    #[serde(borrow)]
    context_path: Option<Text<'a>>,
    virtual_hosts: Option<Vec<VirtualHost<'a>>>,
    groups: Option<Vec<groups::Group<'a>>>,
    endpoints: Option<Vec<groups::EndpointJson<'a>>>,
    failover: Option<V2Failover>,
    cors: Option<CorsJson<'a>>,
    servers: Option<Vec<Text<'a>>>,
    logging: Option<V2Logging<'a>>,
}

#[derive(Deserialize)]
struct VirtualHost<'a> {
    #[serde(borrow)]
    host: Option<Text<'a>>,
    path: Option<Text<'a>>,
}

/// Services of an API or a group.
#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
struct Services<'a> {
    #[serde(borrow)]
    health_check: Option<&'a RawValue>,
    discovery: Option<ServiceJson<'a>>,
    dynamic_property: Option<ServiceJson<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PlanJson<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    name: Option<Text<'a>>,
    security: Option<Text<'a>>,
    security_definition: Option<Text<'a>>,
    selection_rule: Option<Text<'a>>,
    status: Option<Text<'a>>,
    tags: Option<Vec<Text<'a>>>,
    flows: Option<Vec<V2Flow<'a>>>,
}

/// Reads a V2 definition.
pub(crate) fn read(payload: &ApiPayload, node: &NodeContext) -> Result<Read, Refusal> {
    let definition: Definition<'_> = json::parse(payload.definition.get(), &At::WHOLE)?;
    let tags = Text::all(definition.tags);
    if !node.accepts(&tags) {
        return Ok(Read::NotHere(NotHere::Tags));
    }
    let plans = plans(definition.plans.unwrap_or_default().0, node)?;
    if plans.is_empty() {
        return Ok(Read::NotHere(NotHere::NoPlan));
    }
    let missing = |member| move || At::WHOLE.refuse(Reason::Missing(member));
    let id = Text::filled(definition.id).ok_or_else(missing("id"))?;
    let name = Text::filled(definition.name).ok_or_else(missing("name"))?;
    let proxy = definition.proxy.ok_or_else(missing("proxy"))?;
    let listeners = listeners(proxy.context_path, proxy.virtual_hosts, proxy.servers)?;
    let mut limitations = Vec::new();
    let services = definition.services.unwrap_or_default();
    let at_services = At::root("services");
    let health_check = services
        .health_check
        .and_then(|text| v2_health_check(text.get(), &at_services.member("health-check"), &mut limitations));
    let at_proxy = At::root("proxy");
    let at_groups = at_proxy.member("groups");
    let mut read_group =
        |group, at: &At<'_>| groups::read(group, health_check.as_ref(), node, at, &mut limitations);
    let groups = if let Some(endpoints) = proxy.endpoints {
        vec![read_group(groups::Group::of(endpoints), &at_proxy)?]
    } else {
        let written = proxy.groups.unwrap_or_default().into_iter().enumerate();
        written.map(|(index, json)| read_group(json, &at_groups.element(index))).collect::<Result<_, _>>()?
    };
    distinct_names(&groups)?;
    Ok(Read::Serve(Box::new(Api {
        id: (*id).into(),
        name: (*name).into(),
        version: (*Text::or(definition.version, "undefined")).into(),
        generation: DefinitionVersion::V2,
        execution_mode: execution_mode(definition.execution_mode.as_ref()),
        environment: payload.environment_id.clone(),
        organization: payload.organization_id.clone(),
        deployed_at: payload.deployed_at,
        revision: payload.revision.clone(),
        tags,
        listeners,
        entrypoints: Vec::new(),
        path_mappings: Text::all(definition.path_mappings),
        cors: cors(proxy.cors, 0),
        reject_null_byte: false,
        plans,
        groups,
        discovery: service(services.discovery, &at_services.member("discovery"))?,
        failover: v2_failover(proxy.failover, &at_proxy.member("failover"))?,
        flows: v2_flows(definition.flows, &At::root("flows"))?,
        flow_mode: flow_mode(definition.flow_mode.as_ref()),
        match_required: false,
        response_templates: response_templates(
            definition.response_templates,
            &At::root("response_templates"),
        )?,
        resources: resources(definition.resources, DefinitionVersion::V2, &At::root("resources"))?,
        properties: properties(definition.properties),
        dynamic_properties: service(services.dynamic_property, &at_services.member("dynamic-property"))?,
        analytics: v2_analytics(proxy.logging),
        allowed_in_products: false,
        limitations,
    })))
}

/// `jupiter` is an old name of the new engine; anything unknown is the old one.
fn execution_mode(text: Option<&Text<'_>>) -> ExecutionMode {
    if Text::is(text, "v4emulationengine") || Text::is(text, "jupiter") {
        ExecutionMode::V4
    } else {
        ExecutionMode::V3
    }
}

fn listeners(
    single: Option<Text<'_>>,
    hosts: Option<Vec<VirtualHost<'_>>>,
    servers: Option<Vec<Text<'_>>>,
) -> Result<Vec<ContextPath>, Refusal> {
    let servers = Text::all(servers);
    let hosts = hosts.unwrap_or_else(|| {
        single.map(|path| VirtualHost { host: None, path: Some(path) }).into_iter().collect()
    });
    let mut paths = Vec::with_capacity(hosts.len());
    for (index, virtual_host) in hosts.into_iter().enumerate() {
        paths.push(ContextPath {
            host: host(virtual_host.host),
            path: context_path(&Text::or(virtual_host.path, "/")),
            servers: servers.clone(),
            listener: 0,
            index,
        });
    }
    distinct(paths, &At::root("proxy.virtual_hosts"))
}

fn plans(plans: Vec<PlanJson<'_>>, node: &NodeContext) -> Result<Vec<Plan>, Refusal> {
    let at_plans = At::root("plans");
    let mut served = Vec::with_capacity(plans.len());
    for (index, plan) in plans.into_iter().enumerate() {
        let at = at_plans.element(index);
        let tags = Text::all(plan.tags);
        if !is_served(plan.status.as_ref()) || !node.accepts_plan(&tags) {
            continue;
        }
        let id = Text::filled(plan.id).ok_or_else(|| at.refuse(Reason::Missing("id")))?;
        let at_security = at.member("security");
        let written = Text::or(plan.security_definition, "");
        let configuration = || Configuration::within(&written, &at_security);
        served.push(Plan {
            index,
            id: (*id).into(),
            name: (*Text::or(plan.name, "")).into(),
            tags,
            security: security(plan.security, configuration, &at_security)?,
            selection_rule: Template::filled(plan.selection_rule.map(|Text(rule)| rule)),
            flows: v2_flows(plan.flows, &at.member("flows"))?,
        });
    }
    in_chain_order(served, &at_plans)
}

/// Groups and endpoints share one namespace.
fn distinct_names(groups: &[EndpointGroup]) -> Result<(), Refusal> {
    let mut seen = HashSet::new();
    let groups_first = groups.iter().map(|group| &group.name);
    let names = groups_first
        .chain(groups.iter().flat_map(|group| group.endpoints.iter().map(|endpoint| &endpoint.name)));
    for name in names {
        if !seen.insert(name) {
            return Err(At::root("proxy.groups").refuse(Reason::Duplicate(excerpt(name))));
        }
    }
    Ok(())
}
