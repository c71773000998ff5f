//! Organizations: flows that run around every API of theirs (`data-plane.md` section 4.2).

use std::sync::Arc;

use serde::Deserialize;
use zonegate_payload::OrganizationPayload;

use crate::flow::json::{V2Flow, organization_flows};
use crate::json::{self, Text};
use crate::read::check_size;
use crate::{Flow, FlowMode, NodeContext, Reason, Refusal, label};

/// An organization with the flows that run on this node.
#[derive(Clone, Debug)]
pub struct Organization {
    /// Id; APIs name it.
    pub id: Arc<str>,
    /// Name for people.
    pub name: Option<String>,
    /// How flows are chosen.
    pub flow_mode: FlowMode,
    /// Flows, those for other sharding tags left out.
    pub flows: Vec<Flow>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrganizationJson<'a> {
    id: Option<Text>,
    name: Option<Text>,
    flow_mode: Option<Text>,
    #[serde(borrow)]
    flows: Option<Vec<V2Flow<'a>>>,
}

/// Reads an organization row. A row that is not enabled has no flows.
pub fn read_organization(payload: &OrganizationPayload, node: &NodeContext) -> Result<Organization, Refusal> {
    let text = payload.definition.get();
    check_size(text)?;
    let json: OrganizationJson<'_> = json::parse(text, "")?;
    let id = Text::filled(json.id).ok_or_else(|| Refusal::new(Reason::Missing("id"), ""))?;
    let flows = if payload.enabled { organization_flows(json.flows, node, "flows")? } else { Vec::new() };
    Ok(Organization {
        id: id.into(),
        name: Text::filled(json.name),
        flow_mode: flow_mode(json.flow_mode.as_ref()),
        flows,
    })
}

/// The mode by its label; anything unknown is the default, as in the original.
pub(crate) fn flow_mode(text: Option<&Text>) -> FlowMode {
    match text {
        Some(Text(text)) if label::is(text, "bestmatch") => FlowMode::BestMatch,
        _ => FlowMode::Default,
    }
}
