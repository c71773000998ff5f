//! V2 definitions (`data-plane.md` section 1.11).

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::value::RawValue;
use zonegate_payload::ApiPayload;

use crate::api::json::{PropertyJson, Switch, no_templates, properties, refused_cors};
use crate::api::{Api, ContextPath, DefinitionVersion, ExecutionMode, NotHere, Read};
use crate::cors::json::{CorsJson, cors};
use crate::flow::json::{V2Flow, v2_flows};
use crate::json::{self, Items, Pairs, Text};
use crate::limitation::Limitation;
use crate::listener::{context_path, distinct, host};
use crate::node::NodeContext;
use crate::organization::flow_mode;
use crate::plan::json::{in_chain_order, is_served, security};
use crate::refusal::{Reason, Refusal, excerpt};
use crate::{EndpointGroup, Plan, label};

mod groups;

#[derive(Deserialize)]
struct Definition<'a> {
    id: Option<Text>,
    name: Option<Text>,
    version: Option<Text>,
    execution_mode: Option<Text>,
    flow_mode: Option<Text>,
    tags: Option<Vec<Text>>,
    #[serde(borrow)]
    proxy: Option<Proxy<'a>>,
    services: Option<Services>,
    #[serde(borrow)]
    plans: Option<Items<PlanJson<'a>>>,
    #[serde(borrow)]
    flows: Option<Vec<V2Flow<'a>>>,
    properties: Option<Pairs<PropertyJson>>,
    #[serde(borrow)]
    response_templates: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Proxy<'a> {
    context_path: Option<Text>,
    virtual_hosts: Option<Vec<VirtualHost>>,
    groups: Option<Vec<groups::Group>>,
    endpoints: Option<Vec<groups::EndpointJson>>,
    #[serde(borrow)]
    failover: Option<&'a RawValue>,
    cors: Option<CorsJson>,
    servers: Option<Vec<Text>>,
}

#[derive(Deserialize)]
struct VirtualHost {
    host: Option<Text>,
    path: Option<Text>,
}

/// Services of an API or a group.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Services {
    health_check: Option<Switch>,
    discovery: Option<Switch>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PlanJson<'a> {
    id: Option<Text>,
    name: Option<Text>,
    security: Option<Text>,
    security_definition: Option<Text>,
    selection_rule: Option<Text>,
    status: Option<Text>,
    tags: Option<Vec<Text>>,
    #[serde(borrow)]
    flows: Option<Vec<V2Flow<'a>>>,
}

/// Reads a V2 definition.
pub(crate) fn read(payload: &ApiPayload, node: &NodeContext) -> Result<Read, Refusal> {
    let definition: Definition<'_> = json::parse(payload.definition.get(), "")?;
    let tags = Text::all(definition.tags);
    if !node.accepts(&tags) {
        return Ok(Read::NotHere(NotHere::Tags));
    }
    let plans = plans(definition.plans.unwrap_or_default().0, node)?;
    if plans.is_empty() {
        return Ok(Read::NotHere(NotHere::NoPlan));
    }
    no_templates(definition.response_templates, "response_templates")?;
    let missing = |member| move || Refusal::new(Reason::Missing(member), "");
    let id = Text::filled(definition.id).ok_or_else(missing("id"))?;
    let name = Text::filled(definition.name).ok_or_else(missing("name"))?;
    let proxy = definition.proxy.ok_or_else(missing("proxy"))?;
    if proxy.failover.is_some() {
        return Err(Refusal::new(Reason::Failover, "proxy.failover"));
    }
    let cors = cors(proxy.cors).map(|cors| refused_cors(cors, "proxy")).transpose()?;
    let listeners = listeners(proxy.context_path, proxy.virtual_hosts, proxy.servers)?;
    let mut limitations = Vec::new();
    if let Some(services) = definition.services {
        check_services(&services, "services", &mut limitations)?;
    }
    let groups = match proxy.endpoints {
        Some(endpoints) => groups::read(vec![groups::Group::of(endpoints)], "proxy", node, &mut limitations)?,
        None => groups::read(proxy.groups.unwrap_or_default(), "proxy.groups", node, &mut limitations)?,
    };
    distinct_names(&groups)?;
    Ok(Read::Serve(Box::new(Api {
        id: id.into(),
        name: name.into(),
        version: Text::or(definition.version, "undefined").into(),
        generation: DefinitionVersion::V2,
        execution_mode: execution_mode(definition.execution_mode.as_ref()),
        environment: payload.environment_id.clone(),
        organization: payload.organization_id.clone(),
        deployed_at: payload.deployed_at,
        revision: payload.revision.clone(),
        tags,
        listeners,
        plans,
        groups,
        flows: v2_flows(definition.flows, "flows")?,
        flow_mode: flow_mode(definition.flow_mode.as_ref()),
        match_required: false,
        cors,
        reject_null_byte: false,
        properties: properties(definition.properties),
        limitations,
    })))
}

/// `jupiter` is an old name of the new engine; anything unknown is the old one.
fn execution_mode(text: Option<&Text>) -> ExecutionMode {
    match text {
        Some(Text(text)) if label::is(text, "v4emulationengine") || label::is(text, "jupiter") => {
            ExecutionMode::V4
        }
        _ => ExecutionMode::V3,
    }
}

fn listeners(
    single: Option<Text>,
    hosts: Option<Vec<VirtualHost>>,
    servers: Option<Vec<Text>>,
) -> Result<Vec<ContextPath>, Refusal> {
    let servers = Text::all(servers);
    let hosts = hosts.unwrap_or_else(|| {
        single.map(|path| VirtualHost { host: None, path: Some(path) }).into_iter().collect()
    });
    let mut paths = Vec::with_capacity(hosts.len());
    for (index, virtual_host) in hosts.into_iter().enumerate() {
        paths.push(ContextPath {
            host: host(virtual_host.host, &format!("proxy.virtual_hosts[{index}].host"))?,
            path: context_path(&Text::or(virtual_host.path, "/")),
            servers: servers.clone(),
        });
    }
    distinct(paths, "proxy.virtual_hosts")
}

fn plans(plans: Vec<PlanJson<'_>>, node: &NodeContext) -> Result<Vec<Plan>, Refusal> {
    let mut served = Vec::new();
    for (index, plan) in plans.into_iter().enumerate() {
        let at = format!("plans[{index}]");
        let tags = Text::all(plan.tags);
        if !is_served(plan.status.as_ref()) || !node.accepts_plan(&tags) {
            continue;
        }
        if Text::filled(plan.selection_rule).is_some() {
            return Err(Refusal::new(Reason::SelectionRule, format!("{at}.selectionRule")));
        }
        let id = Text::filled(plan.id).ok_or_else(|| Refusal::new(Reason::Missing("id"), at.clone()))?;
        let configuration = Text::filled(plan.security_definition);
        served.push(Plan {
            id: id.into(),
            name: Text::or(plan.name, "").into(),
            tags,
            security: security(plan.security, configuration.as_deref(), &format!("{at}.security"))?,
            flows: v2_flows(plan.flows, &format!("{at}.flows"))?,
        });
    }
    in_chain_order(served, "plans")
}

fn check_services(services: &Services, at: &str, limitations: &mut Vec<Limitation>) -> Result<(), Refusal> {
    if Switch::is_on(services.discovery.as_ref()) {
        return Err(Refusal::new(Reason::ServiceDiscovery, format!("{at}.discovery")));
    }
    if Switch::is_on(services.health_check.as_ref()) {
        limitations.push(Limitation::HealthCheck { at: format!("{at}.health-check") });
    }
    Ok(())
}

/// Groups and endpoints share one namespace.
fn distinct_names(groups: &[EndpointGroup]) -> Result<(), Refusal> {
    let mut seen = HashSet::new();
    let groups_first = groups.iter().map(|group| &group.name);
    let names = groups_first
        .chain(groups.iter().flat_map(|group| group.endpoints.iter().map(|endpoint| &endpoint.name)));
    for name in names {
        if !seen.insert(name) {
            return Err(Refusal::new(Reason::Duplicate(excerpt(name)), "proxy.groups"));
        }
    }
    Ok(())
}
