//! V4 definitions (`data-plane.md` sections 1.2–1.8).

use serde::Deserialize;
use serde_json::value::RawValue;
use zonegate_payload::ApiPayload;

use crate::api::json::{PropertyJson, Switch, no_templates, properties, refused_cors};
use crate::api::{Api, ContextPath, DefinitionVersion, ExecutionMode, NotHere, Read};
use crate::cors::json::{CorsJson, cors};
use crate::flow::json::{V4Flow, v4_flows};
use crate::json::{self, Flag, Items, Pairs, Text};
use crate::listener::{context_path, distinct, host};
use crate::node::NodeContext;
use crate::organization::flow_mode;
use crate::plan::json::{in_chain_order, is_served, security, unwrapped};
use crate::refusal::{Reason, Refusal, excerpt};
use crate::{Plan, label};

mod groups;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Definition<'a> {
    id: Option<Text>,
    name: Option<Text>,
    api_version: Option<Text>,
    tags: Option<Vec<Text>>,
    listeners: Option<Vec<Listener>>,
    #[serde(borrow)]
    endpoint_groups: Option<Vec<groups::Group<'a>>>,
    flow_execution: Option<FlowExecution>,
    #[serde(borrow)]
    flows: Option<Vec<V4Flow<'a>>>,
    #[serde(borrow)]
    plans: Option<Items<PlanJson<'a>>>,
    properties: Option<Pairs<PropertyJson>>,
    #[serde(borrow)]
    response_templates: Option<&'a RawValue>,
    failover: Option<Switch>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listener {
    #[serde(rename = "type")]
    kind: Option<Text>,
    paths: Option<Vec<PathJson>>,
    servers: Option<Vec<Text>>,
    entrypoints: Option<Vec<Entrypoint>>,
    cors: Option<CorsJson>,
    request_validation: Option<RequestValidation>,
}

#[derive(Deserialize)]
struct PathJson {
    host: Option<Text>,
    path: Option<Text>,
}

#[derive(Deserialize)]
struct Entrypoint {
    #[serde(rename = "type")]
    kind: Option<Text>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestValidation {
    reject_null_byte: Option<Flag>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct FlowExecution {
    mode: Option<Text>,
    match_required: Option<Flag>,
}

/// A plan of an API or an API product, as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlanJson<'a> {
    id: Option<Text>,
    name: Option<Text>,
    mode: Option<Text>,
    status: Option<Text>,
    tags: Option<Vec<Text>>,
    #[serde(borrow)]
    security: Option<SecurityJson<'a>>,
    selection_rule: Option<Text>,
    #[serde(borrow)]
    flows: Option<Vec<V4Flow<'a>>>,
}

#[derive(Deserialize)]
struct SecurityJson<'a> {
    #[serde(rename = "type")]
    kind: Option<Text>,
    #[serde(borrow)]
    configuration: Option<&'a RawValue>,
}

/// Reads a V4 definition of type proxy; of a `member` of a product also without plans and with other tags.
pub(crate) fn read(payload: &ApiPayload, node: &NodeContext, member: bool) -> Result<Read, Refusal> {
    let definition: Definition<'_> = json::parse(payload.definition.get(), "")?;
    let tags = Text::all(definition.tags);
    if !member && !node.accepts(&tags) {
        return Ok(Read::NotHere(NotHere::Tags));
    }
    let plans = plans(definition.plans.unwrap_or_default().0, node)?;
    if !member && plans.is_empty() {
        return Ok(Read::NotHere(NotHere::NoPlan));
    }
    if Switch::is_on(definition.failover.as_ref()) {
        return Err(Refusal::new(Reason::Failover, "failover.enabled"));
    }
    no_templates(definition.response_templates, "responseTemplates")?;
    let id = Text::filled(definition.id).ok_or_else(|| Refusal::new(Reason::Missing("id"), ""))?;
    let listening = listening(definition.listeners.unwrap_or_default())?;
    let mut limitations = Vec::new();
    let groups = groups::read(definition.endpoint_groups.unwrap_or_default(), node, &mut limitations)?;
    let execution = definition.flow_execution.unwrap_or_default();
    Ok(Read::Serve(Box::new(Api {
        id: id.into(),
        name: Text::or(definition.name, "").into(),
        version: Text::or(definition.api_version, "").into(),
        generation: DefinitionVersion::V4,
        execution_mode: ExecutionMode::V4,
        environment: payload.environment_id.clone(),
        organization: payload.organization_id.clone(),
        deployed_at: payload.deployed_at,
        revision: payload.revision.clone(),
        tags,
        listeners: listening.paths,
        plans,
        groups,
        flows: v4_flows(definition.flows, "flows")?,
        flow_mode: flow_mode(execution.mode.as_ref()),
        match_required: Flag::or(execution.match_required, false),
        cors: listening.cors,
        reject_null_byte: listening.reject_null_byte,
        properties: properties(definition.properties),
        limitations,
    })))
}

#[derive(Default)]
struct Listening {
    paths: Vec<ContextPath>,
    cors: Option<crate::Cors>,
    reject_null_byte: bool,
}

fn listening(listeners: Vec<Listener>) -> Result<Listening, Refusal> {
    let mut all = Listening::default();
    for (index, listener) in listeners.into_iter().enumerate() {
        let at = format!("listeners[{index}]");
        let kind = Text::or(listener.kind, "");
        if !label::is(&kind, "http") {
            return Err(Refusal::new(Reason::ListenerType(excerpt(&kind)), at));
        }
        for (index, entrypoint) in listener.entrypoints.unwrap_or_default().into_iter().enumerate() {
            let kind = Text::or(entrypoint.kind, "");
            if !label::is(&kind, "httpproxy") {
                return Err(Refusal::new(
                    Reason::EntrypointType(excerpt(&kind)),
                    format!("{at}.entrypoints[{index}]"),
                ));
            }
        }
        if let Some(cors) = cors(listener.cors) {
            all.cors = Some(refused_cors(cors, &at)?);
        }
        all.reject_null_byte |= listener
            .request_validation
            .is_some_and(|validation| Flag::or(validation.reject_null_byte, false));
        let servers = Text::all(listener.servers);
        for (index, path) in listener.paths.unwrap_or_default().into_iter().enumerate() {
            all.paths.push(ContextPath {
                host: host(path.host, &format!("{at}.paths[{index}].host"))?,
                path: context_path(&Text::or(path.path, "/")),
                servers: servers.clone(),
            });
        }
    }
    all.paths = distinct(all.paths, "listeners")?;
    Ok(all)
}

/// The plans that are served on this node, in chain order.
pub(crate) fn plans(plans: Vec<PlanJson<'_>>, node: &NodeContext) -> Result<Vec<Plan>, Refusal> {
    let mut served = Vec::new();
    for (index, plan) in plans.into_iter().enumerate() {
        let at = format!("plans[{index}]");
        let tags = Text::all(plan.tags);
        let standard = plan.mode.as_ref().is_none_or(|Text(mode)| label::is(mode, "standard"));
        if !is_served(plan.status.as_ref()) || !standard || !node.accepts_plan(&tags) {
            continue;
        }
        if Text::filled(plan.selection_rule).is_some() {
            return Err(Refusal::new(Reason::SelectionRule, format!("{at}.selectionRule")));
        }
        let id = Text::filled(plan.id).ok_or_else(|| Refusal::new(Reason::Missing("id"), at.clone()))?;
        let (kind, configuration) =
            plan.security.map_or((None, None), |both| (both.kind, both.configuration));
        let at_security = format!("{at}.security");
        let configuration = configuration.map(|text| unwrapped(text.get(), &at_security)).transpose()?;
        served.push(Plan {
            id: id.into(),
            name: Text::or(plan.name, "").into(),
            tags,
            security: security(kind, configuration.as_deref(), &at_security)?,
            flows: v4_flows(plan.flows, &format!("{at}.flows"))?,
        });
    }
    in_chain_order(served, "plans")
}
