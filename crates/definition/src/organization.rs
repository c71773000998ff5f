//! Organizations: flows that run around every API of theirs (`data-plane.md` section 4.2).

use std::sync::Arc;

use serde::Deserialize;
use zonegate_payload::OrganizationPayload;

use crate::flow::json::{V2Flow, flow_mode, organization_flows};
use crate::json::{self, Text};
use crate::read::check_size;
use crate::{At, Flow, FlowMode, NodeContext, Reason, Refusal};

/// An organization with the flows that run on this node.
#[derive(Clone, Debug)]
pub struct Organization {
    /// Id; APIs name it.
    pub id: Arc<str>,
    /// Name for people.
    pub name: Option<String>,
    /// How flows are chosen.
    pub flow_mode: FlowMode,
    /// Flows in V2 form, those for other sharding tags left out.
    pub flows: Vec<Flow>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrganizationJson<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    name: Option<Text<'a>>,
    flow_mode: Option<Text<'a>>,
    flows: Option<Vec<V2Flow<'a>>>,
}

/// Reads an organization row. A row that is not enabled has no flows.
pub fn read_organization(payload: &OrganizationPayload, node: &NodeContext) -> Result<Organization, Refusal> {
    let text = payload.definition.get();
    check_size(text)?;
    let json: OrganizationJson<'_> = json::parse(text, &At::WHOLE)?;
    let id = Text::filled(json.id).ok_or_else(|| At::WHOLE.refuse(Reason::Missing("id")))?;
    let flows =
        if payload.enabled { organization_flows(json.flows, node, &At::root("flows"))? } else { Vec::new() };
    Ok(Organization {
        id: (*id).into(),
        name: Text::filled(json.name).map(Into::into),
        flow_mode: flow_mode(json.flow_mode.as_ref()),
        flows,
    })
}
