//! Organization events (`management-repository.md` section 7.5) → organization rows (`zone-store.md` section 6.5).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use zonegate_model::{Kind, Row, RowKey};

use super::{Reason, Refusal, Settings, deployed, json, payload_of};
use crate::record::EventRecord;
use crate::{OrganizationPayload, ShardingTags, lenient};

/// What APIM's gateway keeps of the entity.
const MEMBERS: [&str; 8] =
    ["id", "hrids", "name", "description", "domainRestrictions", "flowMode", "flows", "updatedAt"];

#[derive(Deserialize)]
struct Flow {
    #[serde(default, deserialize_with = "lenient::or_default")]
    consumers: Vec<Consumer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Consumer {
    consumer_id: Option<String>,
    consumer_type: Option<String>,
}

/// Converts a `PUBLISH_ORGANIZATION`.
pub fn organization(event: &EventRecord, settings: &Settings) -> Result<Row, Refusal> {
    let key = RowKey::new(Kind::Organization, event.subject());
    match convert(event, &key.id, &settings.tags) {
        Ok(payload) => deployed(key, &payload),
        Err(reason) => Err(Refusal { key, reason }),
    }
}

fn convert(event: &EventRecord, id: &str, tags: &ShardingTags) -> Result<OrganizationPayload, Reason> {
    const WHAT: &str = "the payload";
    let mut members: BTreeMap<String, Box<RawValue>> = json::read(WHAT, payload_of(event)?)?;
    let subject: Option<String> = match members.get("id") {
        Some(id) => json::read(WHAT, id.get())?,
        None => None,
    };
    match subject {
        Some(subject) if subject == id => {}
        Some(subject) => return Err(Reason::other_subject(id, &subject)),
        None => return Err(Reason::Missing("the organization's id")),
    }
    members.retain(|name, value| MEMBERS.contains(&name.as_str()) && value.get() != "null");
    if let Some(flows) = members.get("flows").filter(|_| !tags.is_empty()) {
        let flows = flows_for(flows, tags)?;
        members.insert("flows".to_owned(), flows);
    }
    Ok(OrganizationPayload {
        definition: to_raw_value(&members).map_err(|error| json::reason(WHAT, &error))?,
        enabled: true,
        deployed_at: event.created_at,
    })
}

/// Flows for consumers of other tags are left out; a flow without consumers is for everybody.
fn flows_for(flows: &RawValue, tags: &ShardingTags) -> Result<Box<RawValue>, Reason> {
    const WHAT: &str = "the organization's flows";
    let mut kept = Vec::new();
    for flow in json::read::<Vec<&RawValue>>(WHAT, flows.get())? {
        let head: Flow = json::read(WHAT, flow.get())?;
        let consumers = head.consumers.iter();
        let wanted = consumers
            .filter(|consumer| {
                consumer.consumer_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("TAG"))
            })
            .filter_map(|consumer| consumer.consumer_id.as_deref());
        if head.consumers.is_empty() || tags.accept(wanted) {
            kept.push(flow);
        }
    }
    to_raw_value(&kept).map_err(|error| json::reason(WHAT, &error))
}
