//! Authorization events (`management-repository.md` section 7.9) → their rows (`zone-store.md` sections 6.11 and 6.12).
//!
//! The row's id is the one that the payload states, as in APIM: the id of the event's record is set by another module and
//! means nothing. Two environments that use the same id share a row, as they do in APIM's zone store.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use zonegate_model::{Kind, Row, RowKey};

use super::{Reason, Refusal, deployed, json, payload_of};
use crate::record::EventRecord;
use crate::{AuthzEntityKind, AuthzEntityPayload, AuthzPolicyKind, AuthzPolicyPayload};

const PAYLOAD: &str = "the payload";

/// What the management side says of an entity. All of it may be missing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EntityRecord<'a> {
    entity_id: Option<String>,
    kind: Option<AuthzEntityKind>,
    entity_type: Option<String>,
    #[serde(borrow)]
    attributes: Option<BTreeMap<String, &'a RawValue>>,
    parents: Option<Vec<String>>,
    environment_id: Option<String>,
    target_pdp_ids: Option<Vec<String>>,
}

/// Converts a `PUBLISH_AUTHZ_ENTITY` or `UNPUBLISH_AUTHZ_ENTITY`.
pub fn authz_entity(event: &EventRecord) -> Result<Row, Refusal> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Head {
        entity_id: Option<String>,
    }
    if event.kind.withdraws() {
        let named = payload_of(event).and_then(|text| json::read::<Head>(PAYLOAD, text));
        return Ok(removed(Kind::AuthzEntity, event, named.ok().and_then(|head| head.entity_id)));
    }
    let read = || {
        let entity: EntityRecord<'_> = json::read(PAYLOAD, payload_of(event)?)?;
        let entity_id = entity.entity_id.filter(is_told).ok_or(Reason::Missing("the entity's id"))?;
        let attributes = entity.attributes.map(|mut attributes| {
            attributes.retain(|_, value| value.get() != "null");
            to_raw_value(&attributes).map_err(|error| json::reason(PAYLOAD, &error))
        });
        Ok(AuthzEntityPayload {
            entity_id,
            kind: entity.kind.ok_or(Reason::Missing("the entity's kind"))?,
            entity_type: entity.entity_type,
            attributes: attributes.transpose()?,
            parents: entity.parents,
            environment_id: entity.environment_id,
            target_pdp_ids: sorted(entity.target_pdp_ids),
        })
    };
    match read() {
        Ok(payload) => deployed(RowKey::new(Kind::AuthzEntity, payload.entity_id.as_str()), &payload),
        Err(reason) => Err(Refusal { key: RowKey::new(Kind::AuthzEntity, event.subject()), reason }),
    }
}

/// What the management side says of a policy. All of it may be missing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PolicyRecord {
    id: Option<String>,
    name: Option<String>,
    kind: Option<AuthzPolicyKind>,
    entity_id: Option<String>,
    policy_text: Option<String>,
    environment_id: Option<String>,
    target_pdp_ids: Option<Vec<String>>,
}

/// Converts a `PUBLISH_AUTHZ_POLICY` or `UNPUBLISH_AUTHZ_POLICY`.
pub fn authz_policy(event: &EventRecord) -> Result<Row, Refusal> {
    #[derive(Deserialize)]
    struct Head {
        id: Option<String>,
    }
    if event.kind.withdraws() {
        let named = payload_of(event).and_then(|text| json::read::<Head>(PAYLOAD, text));
        return Ok(removed(Kind::AuthzPolicy, event, named.ok().and_then(|head| head.id)));
    }
    let read = || {
        let policy: PolicyRecord = json::read(PAYLOAD, payload_of(event)?)?;
        let id = policy.id.filter(is_told).ok_or(Reason::Missing("the policy's id"))?;
        let kind = policy.kind.ok_or(Reason::Missing("the policy's kind"))?;
        if kind == AuthzPolicyKind::Resource && !policy.entity_id.as_ref().is_some_and(is_told) {
            return Err(Reason::Missing("the resource that the policy is about"));
        }
        Ok(AuthzPolicyPayload {
            name: Some(policy.name.filter(is_told).unwrap_or_else(|| id.clone())),
            id,
            kind,
            entity_id: policy.entity_id,
            policy_text: policy.policy_text.filter(is_told).ok_or(Reason::Missing("the policy's text"))?,
            environment_id: policy.environment_id,
            target_pdp_ids: sorted(policy.target_pdp_ids),
        })
    };
    match read() {
        Ok(payload) => deployed(RowKey::new(Kind::AuthzPolicy, payload.id.as_str()), &payload),
        Err(reason) => Err(Refusal { key: RowKey::new(Kind::AuthzPolicy, event.subject()), reason }),
    }
}

/// The removal of what the payload names, or the event where it names nothing: a tombstone may have no payload.
fn removed(kind: Kind, event: &EventRecord, named: Option<String>) -> Row {
    let id = named.filter(is_told).map_or_else(|| event.subject(), Arc::from);
    Row::removed(RowKey::new(kind, id))
}

#[expect(clippy::ptr_arg, reason = "passed to `filter` of an `Option<String>`")]
fn is_told(text: &String) -> bool {
    !text.trim().is_empty()
}

/// APIM has a set, whose order means nothing and must not make a difference.
fn sorted(ids: Option<Vec<String>>) -> Option<Vec<String>> {
    ids.map(|mut ids| {
        ids.sort();
        ids.dedup();
        ids
    })
}
