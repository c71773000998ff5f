//! V4 definitions (`data-plane.md` sections 1.2–1.10).

use serde::Deserialize;
use serde_json::value::RawValue;
use zonegate_payload::ApiPayload;

use crate::analytics::{AnalyticsJson, v4_analytics};
use crate::api::json::{PropertyJson, properties};
use crate::cors::json::{CorsJson, cors};
use crate::failover::{V4Failover, v4_failover};
use crate::flow::json::{V4Flow, flow_mode, v4_flows};
use crate::json::{Flag, Items, Pairs, Text};
use crate::listener::{context_path, distinct, host};
use crate::plan::json::{in_chain_order, is_served, security};
use crate::refusal::{Reason, Refusal, excerpt};
use crate::response_template::{TemplatesJson, response_templates};
use crate::service::{ResourceJson, ServiceJson, resources, service};
use crate::{
    Api, At, Configuration, ContextPath, Cors, DefinitionVersion, Entrypoint, ExecutionMode, NodeContext,
    NotHere, Plan, Read, Template, label,
};

mod groups;

/// A V4 definition as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Definition<'a> {
    #[serde(borrow)]
    pub(crate) gravitee: Option<Text<'a>>,
    #[serde(rename = "definitionVersion")]
    pub(crate) version: Option<Text<'a>>,
    #[serde(rename = "type")]
    pub(crate) kind: Option<Text<'a>>,
    id: Option<Text<'a>>,
    name: Option<Text<'a>>,
    api_version: Option<Text<'a>>,
    tags: Option<Vec<Text<'a>>>,
    listeners: Option<Vec<Listener<'a>>>,
    endpoint_groups: Option<Vec<groups::Group<'a>>>,
    flow_execution: Option<FlowExecution<'a>>,
    flows: Option<Vec<V4Flow<'a>>>,
    plans: Option<Items<PlanJson<'a>>>,
    properties: Option<Pairs<PropertyJson<'a>>>,
    resources: Option<Vec<ResourceJson<'a>>>,
    response_templates: Option<TemplatesJson<'a>>,
    failover: Option<V4Failover<'a>>,
    analytics: Option<AnalyticsJson<'a>>,
    services: Option<Services<'a>>,
    allowed_in_api_products: Option<Flag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listener<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Text<'a>>,
    paths: Option<Vec<PathJson<'a>>>,
    path_mappings: Option<Vec<Text<'a>>>,
    servers: Option<Vec<Text<'a>>>,
    entrypoints: Option<Vec<EntrypointJson<'a>>>,
    cors: Option<CorsJson<'a>>,
    request_validation: Option<RequestValidation>,
}

#[derive(Deserialize)]
struct PathJson<'a> {
    #[serde(borrow)]
    host: Option<Text<'a>>,
    path: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct EntrypointJson<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Text<'a>>,
    configuration: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestValidation {
    reject_null_byte: Option<Flag>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct FlowExecution<'a> {
    #[serde(borrow)]
    mode: Option<Text<'a>>,
    match_required: Option<Flag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Services<'a> {
    #[serde(borrow)]
    dynamic_property: Option<ServiceJson<'a>>,
}

/// A plan of an API or an API product, as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlanJson<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    name: Option<Text<'a>>,
    mode: Option<Text<'a>>,
    status: Option<Text<'a>>,
    tags: Option<Vec<Text<'a>>>,
    security: Option<SecurityJson<'a>>,
    selection_rule: Option<Text<'a>>,
    flows: Option<Vec<V4Flow<'a>>>,
}

#[derive(Deserialize)]
struct SecurityJson<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Text<'a>>,
    configuration: Option<&'a RawValue>,
}

/// Reads a V4 definition of type proxy; of a `member` of a product also without plans and with other tags.
pub(crate) fn read(
    definition: Definition<'_>,
    payload: &ApiPayload,
    node: &NodeContext,
    member: bool,
) -> Result<Read, Refusal> {
    let tags = Text::all(definition.tags);
    if !member && !node.accepts(&tags) {
        return Ok(Read::NotHere(NotHere::Tags));
    }
    let plans = plans(definition.plans.unwrap_or_default().0, node)?;
    if !member && plans.is_empty() {
        return Ok(Read::NotHere(NotHere::NoPlan));
    }
    let id = Text::filled(definition.id).ok_or_else(|| At::WHOLE.refuse(Reason::Missing("id")))?;
    let listening = listening(definition.listeners.unwrap_or_default())?;
    let mut limitations = Vec::new();
    let groups = groups::read(definition.endpoint_groups.unwrap_or_default(), node, &mut limitations)?;
    let execution = definition.flow_execution.unwrap_or_default();
    let dynamic_properties = definition.services.and_then(|services| services.dynamic_property);
    Ok(Read::Serve(Box::new(Api {
        id: (*id).into(),
        name: (*Text::or(definition.name, "")).into(),
        version: (*Text::or(definition.api_version, "")).into(),
        generation: DefinitionVersion::V4,
        execution_mode: ExecutionMode::V4,
        environment: payload.environment_id.clone(),
        organization: payload.organization_id.clone(),
        deployed_at: payload.deployed_at,
        revision: payload.revision.clone(),
        tags,
        listeners: listening.paths,
        entrypoints: listening.entrypoints,
        path_mappings: listening.path_mappings,
        cors: listening.cors,
        reject_null_byte: listening.reject_null_byte,
        plans,
        groups,
        discovery: None,
        failover: v4_failover(definition.failover, &At::root("failover"))?,
        flows: v4_flows(definition.flows, &At::root("flows"))?,
        flow_mode: flow_mode(execution.mode.as_ref()),
        match_required: Flag::or(execution.match_required, false),
        response_templates: response_templates(
            definition.response_templates,
            &At::root("responseTemplates"),
        )?,
        resources: resources(definition.resources, DefinitionVersion::V4, &At::root("resources"))?,
        properties: properties(definition.properties),
        dynamic_properties: service(dynamic_properties, &At::root("services.dynamicProperty"))?,
        analytics: v4_analytics(definition.analytics),
        allowed_in_products: Flag::or(definition.allowed_in_api_products, false),
        limitations,
    })))
}

#[derive(Default)]
struct Listening {
    paths: Vec<ContextPath>,
    entrypoints: Vec<Entrypoint>,
    path_mappings: Vec<String>,
    cors: Option<Cors>,
    reject_null_byte: bool,
}

fn listening(listeners: Vec<Listener<'_>>) -> Result<Listening, Refusal> {
    let at = At::root("listeners");
    let mut all = Listening::default();
    for (listener, json) in listeners.into_iter().enumerate() {
        let at = at.element(listener);
        let kind = Text::or(json.kind, "");
        if !label::is(&kind, "http") {
            return Err(at.refuse(Reason::ListenerType(excerpt(&kind))));
        }
        let at_entrypoints = at.member("entrypoints");
        for (index, json) in json.entrypoints.unwrap_or_default().into_iter().enumerate() {
            let at = at_entrypoints.element(index);
            let kind = Text::or(json.kind, "");
            if !label::is(&kind, "httpproxy") {
                return Err(at.refuse(Reason::EntrypointType(excerpt(&kind))));
            }
            let configuration = Configuration::new(json.configuration.map(RawValue::get));
            all.entrypoints.push(Entrypoint { listener, configuration });
        }
        all.cors = all.cors.or_else(|| cors(json.cors, listener));
        all.reject_null_byte |=
            json.request_validation.is_some_and(|validation| Flag::or(validation.reject_null_byte, false));
        all.path_mappings.extend(Text::all(json.path_mappings));
        let servers = Text::all(json.servers);
        for (index, path) in json.paths.unwrap_or_default().into_iter().enumerate() {
            all.paths.push(ContextPath {
                host: host(path.host),
                path: context_path(&Text::or(path.path, "/")),
                servers: servers.clone(),
                listener,
                index,
            });
        }
    }
    all.paths = distinct(all.paths, &at)?;
    Ok(all)
}

/// The plans that are served on this node, in chain order.
pub(crate) fn plans(plans: Vec<PlanJson<'_>>, node: &NodeContext) -> Result<Vec<Plan>, Refusal> {
    let at_plans = At::root("plans");
    let mut served = Vec::with_capacity(plans.len());
    for (index, plan) in plans.into_iter().enumerate() {
        let at = at_plans.element(index);
        let tags = Text::all(plan.tags);
        let standard = plan.mode.as_ref().is_none_or(|Text(mode)| label::is(mode, "standard"));
        if !is_served(plan.status.as_ref()) || !standard || !node.accepts_plan(&tags) {
            continue;
        }
        let id = Text::filled(plan.id).ok_or_else(|| at.refuse(Reason::Missing("id")))?;
        let (kind, configuration) =
            plan.security.map_or((None, None), |both| (both.kind, both.configuration));
        let at_security = at.member("security");
        let configuration = || Configuration::unwrapped(configuration, &at_security);
        served.push(Plan {
            index,
            id: (*id).into(),
            name: (*Text::or(plan.name, "")).into(),
            tags,
            security: security(kind, configuration, &at_security)?,
            selection_rule: Template::filled(plan.selection_rule.map(|Text(rule)| rule)),
            flows: v4_flows(plan.flows, &at.member("flows"))?,
        });
    }
    in_chain_order(served, &at_plans)
}
