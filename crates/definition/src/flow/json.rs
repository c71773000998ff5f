//! Flows in JSON, V4 and V2 form, to [`Flow`].

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Action, Flow, FlowMode, HttpSelector, PathOperator, SHARED_POLICY_GROUP, Selector, Step};
use crate::json::{self, Flag, Text};
use crate::refusal::{Reason, Refusal, excerpt};
use crate::{At, Configuration, NodeContext, Template, label};

/// A step; V2 and V4 write it alike.
#[derive(Deserialize)]
pub(crate) struct StepJson<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    enabled: Option<Flag>,
    policy: Option<Text<'a>>,
    configuration: Option<&'a RawValue>,
    condition: Option<Text<'a>>,
}

/// A V4 flow.
#[derive(Deserialize)]
pub(crate) struct V4Flow<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    name: Option<Text<'a>>,
    enabled: Option<Flag>,
    selectors: Option<Vec<V4Selector<'a>>>,
    request: Option<Vec<StepJson<'a>>>,
    response: Option<Vec<StepJson<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct V4Selector<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Text<'a>>,
    path: Option<Text<'a>>,
    path_operator: Option<Text<'a>>,
    methods: Option<Vec<Text<'a>>>,
    condition: Option<Text<'a>>,
}

/// A V2 flow, which organizations use too.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct V2Flow<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    name: Option<Text<'a>>,
    enabled: Option<Flag>,
    path_operator: Option<V2PathOperator<'a>>,
    methods: Option<Vec<Text<'a>>>,
    condition: Option<Text<'a>>,
    consumers: Option<Vec<Consumer<'a>>>,
    pre: Option<Vec<StepJson<'a>>>,
    post: Option<Vec<StepJson<'a>>>,
}

#[derive(Deserialize)]
struct V2PathOperator<'a> {
    #[serde(borrow)]
    path: Option<Text<'a>>,
    operator: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Consumer<'a> {
    #[serde(borrow)]
    consumer_type: Option<Text<'a>>,
    consumer_id: Option<Text<'a>>,
}

/// What a step's configuration says of a shared policy group.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupReference<'a> {
    #[serde(borrow)]
    shared_policy_group_id: Option<Text<'a>>,
}

/// The mode by its label; anything unknown is the default, as in the original.
pub(crate) fn flow_mode(text: Option<&Text<'_>>) -> FlowMode {
    if Text::is(text, "bestmatch") { FlowMode::BestMatch } else { FlowMode::Default }
}

/// Flows of one level of a V4 definition.
pub(crate) fn v4_flows(flows: Option<Vec<V4Flow<'_>>>, at: &At<'_>) -> Result<Vec<Flow>, Refusal> {
    let flows = flows.unwrap_or_default();
    let mut kept = Vec::with_capacity(flows.len());
    for (index, flow) in flows.into_iter().enumerate() {
        if !Flag::or(flow.enabled, true) {
            continue;
        }
        let at = at.element(index);
        kept.push(Flow {
            index,
            id: Text::filled(flow.id).map(Into::into),
            name: Text::filled(flow.name).map(Into::into),
            selectors: v4_selectors(flow.selectors, &at.member("selectors"))?,
            request: steps(flow.request, &at.member("request"))?,
            response: steps(flow.response, &at.member("response"))?,
        });
    }
    Ok(kept)
}

fn v4_selectors(selectors: Option<Vec<V4Selector<'_>>>, at: &At<'_>) -> Result<Vec<Selector>, Refusal> {
    let selectors = selectors.unwrap_or_default();
    let mut kept = Vec::with_capacity(selectors.len());
    for (index, json) in selectors.into_iter().enumerate() {
        let at = at.element(index);
        let kind = Text::filled(json.kind).ok_or_else(|| at.refuse(Reason::Missing("type")))?;
        if label::is(&kind, "condition") {
            kept.extend(condition(json.condition).map(Selector::Condition));
        } else if !label::is(&kind, "http") {
            kept.push(Selector::Other(excerpt(&kind)));
        } else if kept.iter().any(|other| matches!(other, Selector::Http(_))) {
            return Err(at.refuse(Reason::Duplicate("http".to_owned())));
        } else {
            kept.push(Selector::Http(http_selector(json.path, json.path_operator.as_ref(), json.methods)));
        }
    }
    Ok(kept)
}

/// Flows of one level of a V2 definition.
pub(crate) fn v2_flows(flows: Option<Vec<V2Flow<'_>>>, at: &At<'_>) -> Result<Vec<Flow>, Refusal> {
    v2_flows_if(flows, |_| true, at)
}

/// Flows of an organization. A flow whose consumers name tags runs only on a node that accepts one of them.
pub(crate) fn organization_flows(
    flows: Option<Vec<V2Flow<'_>>>,
    node: &NodeContext,
    at: &At<'_>,
) -> Result<Vec<Flow>, Refusal> {
    let is_here = |flow: &V2Flow<'_>| {
        let consumers = flow.consumers.as_deref().unwrap_or_default();
        let tags = consumers
            .iter()
            .filter(|consumer| Text::is(consumer.consumer_type.as_ref(), "tag"))
            .filter_map(|consumer| consumer.consumer_id.as_ref().map(|Text(id)| &**id));
        consumers.is_empty() || node.tags.accept(tags)
    };
    v2_flows_if(flows, is_here, at)
}

fn v2_flows_if(
    flows: Option<Vec<V2Flow<'_>>>,
    is_here: impl Fn(&V2Flow<'_>) -> bool,
    at: &At<'_>,
) -> Result<Vec<Flow>, Refusal> {
    let flows = flows.unwrap_or_default();
    let mut kept = Vec::with_capacity(flows.len());
    for (index, flow) in flows.into_iter().enumerate() {
        if !Flag::or(flow.enabled, true) || !is_here(&flow) {
            continue;
        }
        let at = at.element(index);
        let (path, operator) = flow.path_operator.map_or((None, None), |both| (both.path, both.operator));
        let mut selectors = vec![Selector::Http(http_selector(path, operator.as_ref(), flow.methods))];
        selectors.extend(condition(flow.condition).map(Selector::Condition));
        kept.push(Flow {
            index,
            id: Text::filled(flow.id).map(Into::into),
            name: Text::filled(flow.name).map(Into::into),
            selectors,
            request: steps(flow.pre, &at.member("pre"))?,
            response: steps(flow.post, &at.member("post"))?,
        });
    }
    Ok(kept)
}

fn http_selector(
    path: Option<Text<'_>>,
    operator: Option<&Text<'_>>,
    methods: Option<Vec<Text<'_>>>,
) -> HttpSelector {
    // An unknown operator is STARTS_WITH, as in the original (`data-plane.md` section 1.1).
    let operator = if Text::is(operator, "equals") { PathOperator::Equals } else { PathOperator::StartsWith };
    let methods = methods.unwrap_or_default();
    HttpSelector {
        path: Text::or(path, "/").into(),
        operator,
        methods: methods.into_iter().map(|Text(method)| method.trim().to_ascii_uppercase()).collect(),
    }
}

/// Steps of one phase.
pub(crate) fn steps(steps: Option<Vec<StepJson<'_>>>, at: &At<'_>) -> Result<Vec<Step>, Refusal> {
    let steps = steps.unwrap_or_default();
    let mut kept = Vec::with_capacity(steps.len());
    for (index, json) in steps.into_iter().enumerate() {
        if !Flag::or(json.enabled, true) {
            continue;
        }
        let at = at.element(index);
        let policy = Text::filled(json.policy).ok_or_else(|| at.refuse(Reason::Missing("policy")))?;
        let policy = policy.trim();
        kept.push(Step {
            index,
            name: Text::filled(json.name).map(Into::into),
            condition: condition(json.condition),
            action: if policy == SHARED_POLICY_GROUP {
                shared_policy_group(json.configuration, &at)?
            } else {
                let configuration = Configuration::new(json.configuration.map(RawValue::get));
                Action::Policy { id: policy.into(), configuration }
            },
        });
    }
    Ok(kept)
}

fn shared_policy_group(configuration: Option<&RawValue>, at: &At<'_>) -> Result<Action, Refusal> {
    let at = at.member("configuration");
    let configuration = Configuration::unwrapped(configuration, &at)?;
    let reference: Option<GroupReference<'_>> = json::parse(configuration.as_str(), &at)?;
    let id = Text::filled(reference.and_then(|reference| reference.shared_policy_group_id))
        .ok_or_else(|| at.refuse(Reason::Missing("sharedPolicyGroupId")))?;
    Ok(Action::SharedPolicyGroup { id: id.trim().into() })
}

fn condition(text: Option<Text<'_>>) -> Option<Template> {
    Template::filled(text.map(|Text(text)| text))
}
