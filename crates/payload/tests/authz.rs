//! Authorization events become rows as APIM's reader wants them, or are refused by themselves.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use zonegate_model::{Kind, Row, RowKey, RowState};
use zonegate_payload::convert::{self, Reason};
use zonegate_payload::record::{EventRecord, EventText, EventType};
use zonegate_payload::{AuthzEntityKind, AuthzEntityPayload, AuthzPolicyPayload};

fn event(kind: EventType, subject: &str, payload: EventText) -> EventRecord {
    EventRecord {
        id: "opaque".into(),
        kind,
        payload,
        properties: BTreeMap::from([(kind.property().to_owned(), subject.to_owned())]),
        created_at: None,
    }
}

fn entity(payload: &Value) -> Result<Row, convert::Refusal> {
    let text = EventText::Text(payload.to_string());
    convert::authz_entity(&event(EventType::PublishAuthzEntity, "property", text))
}

fn policy(payload: &Value) -> Result<Row, convert::Refusal> {
    let text = EventText::Text(payload.to_string());
    convert::authz_policy(&event(EventType::PublishAuthzPolicy, "property", text))
}

fn text(row: &Row) -> &str {
    match &row.state {
        RowState::Deployed(payload) => payload.as_str(),
        RowState::Removed => panic!("removed: {:?}", row.key),
    }
}

#[test]
fn an_entity_keeps_its_attributes_whatever_they_are() {
    let row = entity(&json!({
        "id": "internal", "source": "apim", "updatedAt": "2026-01-01T00:00:00Z",
        "entityId": "api.bookings", "kind": "resource", "entityType": "Api", "environmentId": "env-1",
        "attributes": { "region": "eu", "depth": { "of": [1, 2.50, null] }, "none": null }, "parents": [],
        "targetPdpIds": ["b", "a", "b"],
    }));
    let row = row.unwrap();
    assert_eq!(row.key, RowKey::new(Kind::AuthzEntity, "api.bookings"));
    assert_eq!(
        serde_json::from_str::<Value>(text(&row)).unwrap(),
        json!({
            "entityId": "api.bookings", "kind": "RESOURCE", "entityType": "Api", "environmentId": "env-1",
            "attributes": { "region": "eu", "depth": { "of": [1, 2.50, null] } }, "parents": [], "targetPdpIds": ["a", "b"],
        })
    );
    let read: AuthzEntityPayload = serde_json::from_str(text(&row)).unwrap();
    assert_eq!(read.kind, AuthzEntityKind::Resource);
    assert!(!format!("{read:?}").contains("eu"), "L3: attributes may describe people");
}

#[test]
fn a_policy_without_a_name_is_called_by_its_id() {
    let row =
        policy(&json!({ "id": "doc-1", "name": " ", "kind": "GLOBAL", "policyText": "permit(p,a,r);" }));
    let row = row.unwrap();
    assert_eq!(row.key, RowKey::new(Kind::AuthzPolicy, "doc-1"));
    assert_eq!(
        serde_json::from_str::<Value>(text(&row)).unwrap(),
        json!({ "id": "doc-1", "name": "doc-1", "kind": "GLOBAL", "policyText": "permit(p,a,r);" })
    );
    let read: AuthzPolicyPayload = serde_json::from_str(text(&row)).unwrap();
    assert!(!format!("{read:?}").contains("permit"), "L3");
}

#[test]
fn s3_what_apims_reader_would_skip_is_refused() {
    let refused = |outcome: Result<Row, convert::Refusal>| {
        let refusal = outcome.unwrap_err();
        assert_eq!(&*refusal.key.id, "property");
        refusal.reason
    };
    assert_eq!(refused(entity(&json!({ "kind": "RESOURCE" }))), Reason::Missing("the entity's id"));
    assert_eq!(refused(entity(&json!({ "entityId": "e" }))), Reason::Missing("the entity's kind"));
    assert!(matches!(
        refused(entity(&json!({ "entityId": "e", "kind": "GHOST" }))),
        Reason::WrongForm { .. }
    ));
    assert!(matches!(
        refused(entity(&json!({ "entityId": "e", "kind": "RESOURCE", "attributes": "hunter2" }))),
        Reason::WrongForm { .. }
    ));
    let whole = json!({ "id": "d", "kind": "RESOURCE", "entityId": "e", "policyText": "t" });
    assert!(policy(&whole).is_ok());
    for (member, missing) in [
        ("id", "the policy's id"),
        ("kind", "the policy's kind"),
        ("entityId", "the resource that the policy is about"),
        ("policyText", "the policy's text"),
    ] {
        let mut part = whole.clone();
        part.as_object_mut().unwrap().remove(member);
        assert_eq!(refused(policy(&part)), Reason::Missing(missing));
        if member != "kind" {
            part[member] = json!(" ");
            assert_eq!(refused(policy(&part)), Reason::Missing(missing), "blank");
        }
    }
    let absent = event(EventType::PublishAuthzPolicy, "property", EventText::Absent);
    assert_eq!(refused(convert::authz_policy(&absent)), Reason::NoPayload);
}

#[test]
fn s5_a_removal_finds_what_it_is_about_with_and_without_a_payload() {
    let of = |kind, payload: &str| event(kind, "property", EventText::Text(payload.to_owned()));
    let entity = |payload| convert::authz_entity(&of(EventType::UnpublishAuthzEntity, payload)).unwrap().key;
    assert_eq!(&*entity(r#"{"entityId":"e","kind":"GHOST"}"#).id, "e");
    assert_eq!(&*entity(r#"{"environmentId":"env"}"#).id, "property");
    assert_eq!(&*entity("garbage").id, "property");
    let policy = |payload| convert::authz_policy(&of(EventType::UnpublishAuthzPolicy, payload)).unwrap();
    assert_eq!(policy(r#"{"id":"d"}"#), Row::removed(RowKey::new(Kind::AuthzPolicy, "d")));
    assert_eq!(policy("{}"), Row::removed(RowKey::new(Kind::AuthzPolicy, "property")));
    let absent = event(EventType::UnpublishAuthzPolicy, "", EventText::Absent);
    assert_eq!(&*convert::authz_policy(&absent).unwrap().key.id, "opaque");
}
