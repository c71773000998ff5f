//! Flows in JSON, V4 and V2 form, to [`Flow`].

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Configuration, Flow, PathOperator, Selector, Step};
use crate::json::{Flag, Text};
use crate::label;
use crate::node::NodeContext;
use crate::refusal::{Reason, Refusal, excerpt};

/// A step; V2 and V4 write it alike.
#[derive(Deserialize)]
pub(crate) struct StepJson<'a> {
    name: Option<Text>,
    enabled: Option<Flag>,
    policy: Option<Text>,
    #[serde(borrow)]
    configuration: Option<&'a RawValue>,
    condition: Option<Text>,
}

/// A V4 flow.
#[derive(Deserialize)]
pub(crate) struct V4Flow<'a> {
    id: Option<Text>,
    name: Option<Text>,
    enabled: Option<Flag>,
    selectors: Option<Vec<V4Selector>>,
    #[serde(borrow)]
    request: Option<Vec<StepJson<'a>>>,
    #[serde(borrow)]
    response: Option<Vec<StepJson<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct V4Selector {
    #[serde(rename = "type")]
    kind: Option<Text>,
    path: Option<Text>,
    path_operator: Option<Text>,
    methods: Option<Vec<Text>>,
    condition: Option<Text>,
}

/// A V2 flow, which organizations use too.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct V2Flow<'a> {
    id: Option<Text>,
    name: Option<Text>,
    enabled: Option<Flag>,
    path_operator: Option<V2PathOperator>,
    methods: Option<Vec<Text>>,
    condition: Option<Text>,
    consumers: Option<Vec<Consumer>>,
    #[serde(borrow)]
    pre: Option<Vec<StepJson<'a>>>,
    #[serde(borrow)]
    post: Option<Vec<StepJson<'a>>>,
}

#[derive(Deserialize)]
struct V2PathOperator {
    path: Option<Text>,
    operator: Option<Text>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Consumer {
    consumer_type: Option<Text>,
    consumer_id: Option<Text>,
}

/// Flows of one level of a V4 definition.
pub(crate) fn v4_flows(flows: Option<Vec<V4Flow<'_>>>, at: &str) -> Result<Vec<Flow>, Refusal> {
    let mut kept = Vec::new();
    for (index, flow) in flows.unwrap_or_default().into_iter().enumerate() {
        if !Flag::or(flow.enabled, true) {
            continue;
        }
        let at = format!("{at}[{index}]");
        kept.push(Flow {
            id: Text::filled(flow.id),
            name: Text::filled(flow.name),
            selector: v4_selector(flow.selectors, &at)?,
            request: steps(flow.request, &format!("{at}.request"))?,
            response: steps(flow.response, &format!("{at}.response"))?,
        });
    }
    Ok(kept)
}

fn v4_selector(selectors: Option<Vec<V4Selector>>, at: &str) -> Result<Option<Selector>, Refusal> {
    let mut http = None;
    for (index, selector) in selectors.unwrap_or_default().into_iter().enumerate() {
        let at = format!("{at}.selectors[{index}]");
        let kind =
            Text::filled(selector.kind).ok_or_else(|| Refusal::new(Reason::Missing("type"), at.clone()))?;
        if label::is(&kind, "condition") {
            no_condition(selector.condition, &at)?;
        } else if label::is(&kind, "http") {
            if http.is_some() {
                return Err(Refusal::new(Reason::Duplicate("http".to_owned()), at));
            }
            http = Some(build_selector(selector.path, selector.path_operator, selector.methods, &at)?);
        } else {
            return Err(Refusal::new(Reason::SelectorType(excerpt(&kind)), at));
        }
    }
    Ok(http)
}

/// Flows of one level of a V2 definition.
pub(crate) fn v2_flows(flows: Option<Vec<V2Flow<'_>>>, at: &str) -> Result<Vec<Flow>, Refusal> {
    let mut kept = Vec::new();
    for (index, flow) in flows.unwrap_or_default().into_iter().enumerate() {
        if Flag::or(flow.enabled, true) {
            kept.push(v2_flow(flow, &format!("{at}[{index}]"))?);
        }
    }
    Ok(kept)
}

/// Flows of an organization. A flow whose consumers name tags runs only on a node that accepts one of them.
pub(crate) fn organization_flows(
    flows: Option<Vec<V2Flow<'_>>>,
    node: &NodeContext,
    at: &str,
) -> Result<Vec<Flow>, Refusal> {
    let mut kept = Vec::new();
    for (index, flow) in flows.unwrap_or_default().into_iter().enumerate() {
        if Flag::or(flow.enabled, true) && is_for(&flow, node) {
            kept.push(v2_flow(flow, &format!("{at}[{index}]"))?);
        }
    }
    Ok(kept)
}

fn is_for(flow: &V2Flow<'_>, node: &NodeContext) -> bool {
    let consumers = flow.consumers.as_deref().unwrap_or_default();
    let tags = consumers
        .iter()
        .filter(|consumer| consumer.consumer_type.as_ref().is_some_and(|Text(kind)| label::is(kind, "tag")))
        .filter_map(|consumer| consumer.consumer_id.as_ref().map(|Text(id)| id.as_str()));
    consumers.is_empty() || node.tags.accept(tags)
}

fn v2_flow(flow: V2Flow<'_>, at: &str) -> Result<Flow, Refusal> {
    no_condition(flow.condition, at)?;
    let (path, operator) = flow.path_operator.map_or((None, None), |both| (both.path, both.operator));
    Ok(Flow {
        id: Text::filled(flow.id),
        name: Text::filled(flow.name),
        selector: Some(build_selector(path, operator, flow.methods, at)?),
        request: steps(flow.pre, &format!("{at}.pre"))?,
        response: steps(flow.post, &format!("{at}.post"))?,
    })
}

fn build_selector(
    path: Option<Text>,
    operator: Option<Text>,
    methods: Option<Vec<Text>>,
    at: &str,
) -> Result<Selector, Refusal> {
    let path = path.map_or_else(|| "/".to_owned(), |Text(path)| path);
    // The original uses segments as regular expressions. A dot stands for itself here; the rest would not.
    if path.contains(['*', '+', '?', '(', ')', '[', ']', '{', '}', '|', '^', '$', '\\']) {
        return Err(Refusal::new(Reason::FlowPath, at));
    }
    // An unknown operator is STARTS_WITH, as in the original (`data-plane.md` section 1.1).
    let operator = match operator {
        Some(Text(text)) if label::is(&text, "equals") => PathOperator::Equals,
        _ => PathOperator::StartsWith,
    };
    let methods = methods
        .unwrap_or_default()
        .into_iter()
        .map(|Text(method)| method.trim().to_ascii_uppercase())
        .collect();
    Ok(Selector { path, operator, methods })
}

fn steps(steps: Option<Vec<StepJson<'_>>>, at: &str) -> Result<Vec<Step>, Refusal> {
    let mut kept = Vec::new();
    for (index, step) in steps.unwrap_or_default().into_iter().enumerate() {
        if !Flag::or(step.enabled, true) {
            continue;
        }
        let at = || format!("{at}[{index}]");
        no_condition(step.condition, &at())?;
        let policy =
            Text::filled(step.policy).ok_or_else(|| Refusal::new(Reason::Missing("policy"), at()))?;
        kept.push(Step {
            name: Text::filled(step.name),
            policy: policy.trim().into(),
            configuration: Configuration::new(step.configuration.map(RawValue::get)),
        });
    }
    Ok(kept)
}

fn no_condition(condition: Option<Text>, at: &str) -> Result<(), Refusal> {
    match Text::filled(condition) {
        None => Ok(()),
        Some(_) => Err(Refusal::new(Reason::Condition, format!("{at}.condition"))),
    }
}
