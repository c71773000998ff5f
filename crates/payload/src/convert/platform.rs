//! The other events and tables: dictionaries, shared policy groups, API products, access points, licences, node
//! metadata (`management-repository.md` sections 5 and 7) → their rows (`zone-store.md` section 6).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use zonegate_model::{Kind, Row, RowKey};

use super::api::NotServed;
use super::plan::{self, Format, ServedPlans};
use super::{Reason, Refusal, Settings, deployed, json, payload_of};
use crate::record::{AccessPointRecord, EventRecord, Place};
use crate::{
    AccessPointPayload, ApiProductPayload, DictionaryPayload, NodeMetadataPayload, SharedPolicyGroupPayload,
    lenient,
};

const PAYLOAD: &str = "the payload";

/// Converts a dictionary event; an `UNPUBLISH_DICTIONARY` removes the row.
pub fn dictionary(event: &EventRecord) -> Result<Row, Refusal> {
    let key = RowKey::new(Kind::Dictionary, event.subject());
    if event.kind.withdraws() {
        return Ok(Row::removed(key));
    }
    let payload = payload_of(event).and_then(|text| json::read::<DictionaryPayload>(PAYLOAD, text));
    match payload.and_then(|payload| same(&key.id, &payload.id).map(|()| payload)) {
        Ok(payload) => deployed(key, &payload),
        Err(reason) => Err(Refusal { key, reason }),
    }
}

/// A group as the repository has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    id: String,
    name: Option<String>,
    environment_id: Option<Arc<str>>,
    #[serde(default, deserialize_with = "lenient::millis")]
    deployed_at: Option<i64>,
}

/// Converts a shared-policy-group event. The row's id is the group's cross id, by which flows refer to it.
pub fn shared_policy_group(
    event: &EventRecord,
    place: impl FnOnce(Option<&Arc<str>>) -> Place,
) -> Result<Row, Refusal> {
    let key = RowKey::new(Kind::SharedPolicyGroup, event.subject());
    if event.kind.withdraws() {
        return Ok(Row::removed(key));
    }
    let read = || {
        let text = payload_of(event)?;
        let group: Group = json::read(PAYLOAD, text)?;
        same(&key.id, &group.id)?;
        let mut definition: BTreeMap<String, &RawValue> = json::read(PAYLOAD, text)?;
        definition.retain(|_, value| value.get() != "null");
        let place = place(group.environment_id.as_ref());
        Ok(SharedPolicyGroupPayload {
            id: group.id,
            name: group.name,
            environment_id: place.environment_id.or(group.environment_id),
            environment_hrid: place.environment_hrid,
            organization_id: place.organization_id,
            organization_hrid: place.organization_hrid,
            deployed_at: group.deployed_at,
            definition: to_raw_value(&definition).map_err(|error| json::reason(PAYLOAD, &error))?,
        })
    };
    match read() {
        Ok(payload) => deployed(key, &payload),
        Err(reason) => Err(Refusal { key, reason }),
    }
}

/// What a deploying event of an API product comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProductOutcome {
    /// It is served.
    Served {
        /// Its row.
        row: Row,
        /// Plans whose subscriptions and keys belong to it.
        plans: ServedPlans,
        /// The APIs that are served because it is: its members, if it has a plan that is served.
        members: Vec<Arc<str>>,
    },
    /// It is not for this gateway.
    NotServed(NotServed),
}

/// Converts a `DEPLOY_API_PRODUCT`.
pub fn api_product(
    event: &EventRecord,
    settings: &Settings,
    place: impl FnOnce(Option<&Arc<str>>) -> Place,
) -> Result<ProductOutcome, Refusal> {
    let key = RowKey::new(Kind::ApiProduct, event.subject());
    let read = || {
        let mut product: ApiProductPayload = json::read(PAYLOAD, payload_of(event)?)?;
        same(&key.id, &product.id)?;
        if !settings.tags.accept(product.tags.iter().map(String::as_str)) {
            return Ok(None);
        }
        let (plans, served) = plan::served(Format::V4, &key.id, product.plans.as_deref(), &settings.tags)?;
        let members = match &plans {
            Some(_) => product.api_ids.iter().map(|id| Arc::from(id.as_str())).collect(),
            None => Vec::new(),
        };
        let none = || RawValue::from_string("[]".to_owned()).map_err(|error| json::reason(PAYLOAD, &error));
        product.plans = Some(plans.map_or_else(none, Ok)?);
        let place = place(product.environment_id.as_ref());
        product.environment_id = place.environment_id.or(product.environment_id);
        product.environment_hrid = place.environment_hrid;
        product.organization_id = place.organization_id;
        product.organization_hrid = place.organization_hrid;
        product.deployed_at = event.created_at;
        product.rest.retain(|_, value| !value.is_null());
        Ok(Some((product, served, members)))
    };
    match read() {
        Ok(Some((product, plans, members))) => {
            Ok(ProductOutcome::Served { row: deployed(key, &product)?, plans, members })
        }
        Ok(None) => Ok(ProductOutcome::NotServed(NotServed::OtherTags)),
        Err(reason) => Err(Refusal { key, reason }),
    }
}

/// Converts an access point; a deleted one removes the row.
pub fn access_point(record: AccessPointRecord) -> Result<Row, Refusal> {
    let key = RowKey::new(Kind::AccessPoint, Arc::clone(&record.id));
    if !record.created {
        return Ok(Row::removed(key));
    }
    let payload = AccessPointPayload {
        id: record.id.to_string(),
        environment_id: Some(record.environment_id),
        host: Some(record.host),
        target: Some(record.target),
    };
    deployed(key, &payload)
}

/// An organization's licence, whose row is the licence text itself.
pub fn license(organization: &str, text: String) -> Row {
    Row::deployed(RowKey::new(Kind::License, organization), text)
}

/// The node metadata. Its row has the installation's id, so that it is written once and not at each start.
pub fn node_metadata(installation: &str, mut organizations: Vec<String>) -> Result<Row, Refusal> {
    organizations.sort();
    let payload = NodeMetadataPayload {
        organization_ids: organizations,
        installation_id: Some(installation.to_owned()),
    };
    deployed(RowKey::new(Kind::NodeMetadata, installation), &payload)
}

/// An event whose payload is about something else would put a row where its removal does not look for it.
fn same(event: &str, payload: &str) -> Result<(), Reason> {
    if event == payload {
        return Ok(());
    }
    if payload.is_empty() {
        return Err(Reason::Missing("the payload's id"));
    }
    Err(Reason::other_subject(event, payload))
}
