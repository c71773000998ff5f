//! Records of a management repository become rows, or are refused one by one.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside of the functions that clippy knows as tests"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use zonegate_model::{Kind, Row, RowState};
use zonegate_payload::convert::{self, ApiOutcome, NotServed, ProductOutcome, Reason, ServedPlans, Settings};
use zonegate_payload::record::{
    EventRecord, EventText, EventType, KeyRecord, KeySubscription, Place, SubscriptionRecord,
    SubscriptionStatus,
};
use zonegate_payload::{ApiPayload, PropertyCipher, ShardingTags};

fn settings(tags: &[&str]) -> Settings {
    Settings {
        tags: ShardingTags::new(tags.iter().copied()),
        cipher: PropertyCipher::new(&PropertyCipher::DEFAULT_SECRET.into()).unwrap(),
    }
}

fn event(kind: EventType, id: &str, payload: EventText) -> EventRecord {
    EventRecord {
        id: id.into(),
        kind,
        payload,
        properties: BTreeMap::from([
            (kind.property().to_owned(), id.to_owned()),
            ("deployment_number".to_owned(), "3".to_owned()),
        ]),
        created_at: Some(1_767_225_600_000),
    }
}

fn nowhere(_: Option<&Arc<str>>) -> Place {
    Place::default()
}

fn definition() -> Value {
    json!({
        "id": "api-1", "name": "One", "type": "proxy", "definitionVersion": "4.0.0", "tags": [], "failover": null,
        "listeners": [{ "type": "http", "paths": [{ "path": "/one" }] }],
        "properties": [
            { "key": "open", "value": "yes", "encrypted": false, "dynamic": false },
            { "key": "secret", "value": "vLJAXQh8OPSV6zhosZt82Q==", "encrypted": true, "dynamic": false },
            { "key": "odd", "value": "not base64", "encrypted": true, "dynamic": false },
        ],
        "plans": [
            { "id": "free", "status": "published", "security": { "type": "key-less" } },
            { "id": "key", "status": "PUBLISHED", "security": { "type": "API_KEY" }, "tags": [] },
            { "id": "jwt", "status": "deprecated", "security": { "type": "jwt" } },
            { "id": "push", "status": "published", "mode": "push" },
            { "id": "tagged", "status": "published", "security": { "type": "api-key" }, "tags": ["us"] },
            { "id": "old", "status": "closed", "security": { "type": "api-key" } },
            { "id": "new", "status": "staging", "security": { "type": "api-key" } },
            { "id": "none", "security": { "type": "api-key" } },
        ],
    })
}

fn record(definition: &Value) -> Value {
    json!({
        "id": "api-1", "definitionVersion": "4.0.0", "type": "proxy", "lifecycleState": "STARTED",
        "environmentId": "DEFAULT", "definition": definition.to_string(),
    })
}

fn convert_api(record: &Value, tags: &[&str]) -> Result<ApiOutcome, convert::Refusal> {
    let event = event(EventType::StartApi, "api-1", EventText::Text(record.to_string()));
    convert::api(&event, &settings(tags), nowhere)
}

fn text(row: &Row) -> &str {
    match &row.state {
        RowState::Deployed(payload) => payload.as_str(),
        RowState::Removed => panic!("removed: {:?}", row.key),
    }
}

fn served(outcome: Result<ApiOutcome, convert::Refusal>) -> (Value, convert::ServedPlans) {
    let ApiOutcome::Served { row, plans } = outcome.unwrap() else { panic!("not served") };
    let payload: ApiPayload = serde_json::from_str(text(&row)).unwrap();
    assert!(payload.enabled);
    (serde_json::from_str(text(&row)).unwrap(), plans)
}

#[test]
fn a_v4_event_becomes_a_row_in_the_zone_stores_spelling() {
    let (payload, plans) = served(convert_api(&record(&definition()), &["!us"]));
    assert_eq!(payload["deployedAt"], 1_767_225_600_000_i64);
    assert_eq!(payload["revision"], "3");
    assert_eq!(payload["environmentId"], "DEFAULT");
    let definition = &payload["definition"];
    assert_eq!(definition["listeners"][0]["paths"][0]["path"], "/one");
    assert!(definition.get("failover").is_none(), "null is absent");
    let ids = definition["plans"].as_array().unwrap().iter().map(|plan| plan["id"].as_str().unwrap());
    assert_eq!(ids.collect::<Vec<_>>(), ["free", "key", "jwt", "push"]);
    assert_eq!(plans.subscribable.iter().map(|id| &**id).collect::<Vec<_>>(), ["key", "jwt", "push"]);
    assert_eq!(plans.by_key.iter().map(|id| &**id).collect::<Vec<_>>(), ["key"]);
}

#[test]
fn encrypted_properties_are_clear_in_the_row_and_what_does_not_decrypt_stays() {
    let (payload, _) = served(convert_api(&record(&definition()), &[]));
    let properties = &payload["definition"]["properties"];
    assert_eq!(
        properties[1],
        json!({ "key": "secret", "value": "hello", "encrypted": false, "dynamic": false })
    );
    assert_eq!(
        properties[2],
        json!({ "key": "odd", "value": "not base64", "encrypted": true, "dynamic": false })
    );
}

#[test]
fn an_api_that_is_not_for_this_gateway_is_not_served() {
    let mut stopped = record(&definition());
    stopped["lifecycleState"] = json!("STOPPED");
    assert_eq!(convert_api(&stopped, &[]), Ok(ApiOutcome::NotServed(NotServed::Stopped)));
    assert_eq!(
        convert_api(&record(&definition()), &["eu"]),
        Ok(ApiOutcome::NotServed(NotServed::OtherTags)),
        "untagged, and the gateway includes tags"
    );
    let mut without = definition();
    without["plans"] = json!([{ "id": "old", "status": "closed" }]);
    assert_eq!(convert_api(&record(&without), &[]), Ok(ApiOutcome::NotServed(NotServed::NoPlan)));
}

#[test]
fn a_v2_definition_gets_what_apims_gateway_adds() {
    let definition = json!({
        "id": "api-1", "name": "Old", "version": "1", "gravitee": "2.0.0", "execution_mode": "jupiter",
        "proxy": { "virtual_hosts": [{ "path": "/old" }] }, "properties": { "b": "2", "a": "1" },
        "plans": [
            { "id": "k", "status": "PUBLISHED", "security": "api_key", "paths": {}, "securityDefinition": "{}" },
            { "id": "f", "status": "PUBLISHED", "security": "KEY_LESS" },
            { "id": "c", "status": "CLOSED", "security": "JWT" },
        ],
    });
    let mut record = record(&definition);
    record.as_object_mut().unwrap().remove("definitionVersion");
    let (payload, plans) = served(convert_api(&record, &[]));
    let definition = &payload["definition"];
    assert_eq!(definition["execution_mode"], "v4-emulation-engine");
    assert_eq!(definition["flow_mode"], "DEFAULT");
    assert_eq!(
        definition["plans"][0],
        json!({ "id": "k", "status": "PUBLISHED", "security": "api_key", "securityDefinition": "{}", "api": "api-1" })
    );
    assert_eq!(definition["plans"].as_array().unwrap().len(), 2);
    assert_eq!(
        definition["properties"],
        json!([
            { "key": "a", "value": "1", "encrypted": false }, { "key": "b", "value": "2", "encrypted": false },
        ])
    );
    assert!(plans.takes_keys("k") && !plans.takes_subscriptions("f") && !plans.takes_subscriptions("c"));
}

#[test]
fn s3_what_cannot_be_understood_is_refused_with_a_reason_that_repeats_nothing_of_it() {
    let reason = |record: &Value| convert_api(record, &[]).unwrap_err().reason;
    let with = |member: &str, value: Value| {
        let mut record = record(&definition());
        record[member] = value;
        record
    };
    assert_eq!(
        reason(&with("type", json!("carrier-pigeon"))),
        Reason::UnknownApiType("carrier-pigeon".to_owned())
    );
    assert_eq!(reason(&with("definitionVersion", json!("1.0.0"))), Reason::DefinitionV1);
    assert_eq!(reason(&with("definition", Value::Null)), Reason::Missing("the definition"));
    assert!(matches!(reason(&with("definition", json!("{\"id\": "))), Reason::NotJson { .. }));
    let mut other = definition();
    other["id"] = json!("api-2");
    assert!(matches!(reason(&record(&other)), Reason::OtherSubject { .. }), "or its removal would miss it");

    let mut secret = definition();
    secret["properties"] = json!("hunter2");
    let refusal = convert_api(&record(&secret), &[]).unwrap_err();
    assert!(matches!(refusal.reason, Reason::WrongForm { .. }));
    assert!(!refusal.to_string().contains("hunter2"), "L3: {refusal}");

    for (payload, expected) in [
        (EventText::Absent, Reason::NoPayload),
        (EventText::NotText, Reason::NotText),
        (EventText::TooLong(100_000_000), Reason::TooLong(100_000_000)),
        (EventText::Text("[".repeat(100_000)), Reason::TooDeep("the payload")),
    ] {
        let event = event(EventType::PublishApi, "api-1", payload);
        assert_eq!(convert::api(&event, &settings(&[]), nowhere).unwrap_err().reason, expected);
    }
}

#[test]
fn l1_nesting_within_the_text_of_the_definition_is_bounded_too() {
    let nested = format!("{{\"id\":\"api-1\",\"flows\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let mut record = record(&definition());
    record["definition"] = json!(nested);
    assert_eq!(convert_api(&record, &[]).unwrap_err().reason, Reason::TooDeep("the definition"));
}

#[test]
fn organization_flows_are_reduced_to_this_gateways_tags() {
    let flow = |id: &str, consumers: Value| json!({ "id": id, "consumers": consumers });
    let payload = json!({
        "id": "ORG", "hrids": ["org"], "flowMode": "DEFAULT", "cockpitId": "x", "description": null,
        "flows": [
            flow("all", json!([])),
            flow("eu", json!([{ "consumerType": "TAG", "consumerId": "eu" }])),
            flow("us", json!([{ "consumerType": "TAG", "consumerId": "us" }])),
        ],
    });
    let event = event(EventType::PublishOrganization, "ORG", EventText::Text(payload.to_string()));
    let flows = |tags: &[&str]| {
        let row = convert::organization(&event, &settings(tags)).unwrap();
        let value: Value = serde_json::from_str(text(&row)).unwrap();
        assert!(
            value["definition"].get("cockpitId").is_none()
                && value["definition"].get("description").is_none()
        );
        let flows = value["definition"]["flows"].as_array().unwrap().clone();
        flows.iter().map(|flow| flow["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(flows(&[]), ["all", "eu", "us"]);
    assert_eq!(flows(&["eu"]), ["all", "eu"]);
    assert_eq!(flows(&["!eu"]), ["all", "us"]);
}

#[test]
fn a_shared_policy_group_has_its_cross_id_also_when_it_goes() {
    let payload =
        json!({ "id": "cross", "environmentId": "E", "phase": "REQUEST", "policies": [], "deployedAt": 5 });
    let mut deploy = event(EventType::DeploySharedPolicyGroup, "cross", EventText::Text(payload.to_string()));
    deploy.id = "internal".into();
    let place = |id: Option<&Arc<str>>| Place { environment_id: id.cloned(), ..Place::default() };
    let row = convert::shared_policy_group(&deploy, place).unwrap();
    assert_eq!(&*row.key.id, "cross");
    let value: Value = serde_json::from_str(text(&row)).unwrap();
    assert_eq!(value["definition"]["phase"], "REQUEST");
    assert_eq!((&value["deployedAt"], &value["environmentId"]), (&json!(5), &json!("E")));

    let undeploy =
        EventRecord { kind: EventType::UndeploySharedPolicyGroup, payload: EventText::Absent, ..deploy };
    assert_eq!(convert::shared_policy_group(&undeploy, nowhere), Ok(Row::removed(row.key)));
}

#[test]
fn a_dictionary_keeps_its_entries_and_reads_times_as_text_too() {
    let payload =
        r#"{"id":"d","key":null,"deployedAt":"2026-01-01T00:00:00.000+0000","properties":{"a":"1"}}"#;
    let publish = event(EventType::PublishDictionary, "d", EventText::Text(payload.to_owned()));
    let row = convert::dictionary(&publish).unwrap();
    let value: Value = serde_json::from_str(text(&row)).unwrap();
    assert_eq!(value, json!({ "id": "d", "deployedAt": 1_767_225_600_000_i64, "properties": { "a": "1" } }));
    let unpublish = EventRecord { kind: EventType::UnpublishDictionary, ..publish };
    assert_eq!(convert::dictionary(&unpublish).unwrap().state, RowState::Removed);
}

#[test]
fn a_dictionarys_entries_are_texts_as_apims_mapper_reads_them() {
    let dictionary = |properties: &str| {
        let payload = format!(r#"{{"id":"d","properties":{properties}}}"#);
        convert::dictionary(&event(EventType::PublishDictionary, "d", EventText::Text(payload)))
    };
    let row = dictionary(r#"{"number":1.00,"flag":true,"none":null,"text":"é\n"}"#).unwrap();
    let value: Value = serde_json::from_str(text(&row)).unwrap();
    assert_eq!(value["properties"], json!({ "number": "1.00", "flag": "true", "text": "é\n" }));
    assert_eq!(text(&dictionary("null").unwrap()), r#"{"id":"d","properties":{}}"#);
    assert!(matches!(dictionary(r#"{"a":{}}"#).unwrap_err().reason, Reason::WrongForm { .. }));
}

#[test]
fn a_member_of_a_product_is_served_without_plans_of_its_own_and_whatever_its_tags() {
    let record = |version: &str, plans: Value| {
        let definition = json!({ "id": "a", "gravitee": "2.0.0", "tags": ["west"], "plans": plans });
        let payload = json!({ "lifecycleState": "STARTED", "definitionVersion": version, "type": "proxy",
            "definition": definition.to_string() });
        event(EventType::PublishApi, "a", EventText::Text(payload.to_string()))
    };
    let here = settings(&["east"]);
    let without = record("4.0.0", json!([{ "id": "c", "status": "closed" }]));
    assert_eq!(convert::api(&without, &here, nowhere), Ok(ApiOutcome::NotServed(NotServed::OtherTags)));
    let Ok(ApiOutcome::Served { row, plans }) = convert::member_api(&without, &here, nowhere) else {
        panic!("a member is served");
    };
    let value: Value = serde_json::from_str(text(&row)).unwrap();
    assert_eq!(value["definition"]["plans"], json!([]));
    assert_eq!(plans, ServedPlans::default());
    let own =
        record("4.0.0", json!([{ "id": "p", "status": "published", "security": { "type": "api-key" } }]));
    let Ok(ApiOutcome::Served { plans, .. }) = convert::member_api(&own, &here, nowhere) else {
        panic!("with its own plans");
    };
    assert!(plans.takes_keys("p"));
    let v2 = convert::member_api(&record("2.0.0", json!([])), &here, nowhere);
    assert_eq!(v2, Ok(ApiOutcome::NotServed(NotServed::OtherTags)), "V2 APIs are no members");
}

#[test]
fn a_product_keeps_its_served_plans_and_what_is_not_known_here() {
    let payload = json!({
        "id": "p", "name": "Bundle", "apiIds": ["api-1"], "analytics": { "enabled": true },
        "plans": [
            { "id": "k", "status": "published", "security": { "type": "api-key" } },
            { "id": "c", "status": "closed", "security": { "type": "api-key" } },
        ],
    });
    let event = event(EventType::DeployApiProduct, "p", EventText::Text(payload.to_string()));
    let ProductOutcome::Served { row, plans, members } =
        convert::api_product(&event, &settings(&[]), nowhere).unwrap()
    else {
        panic!("not served");
    };
    let value: Value = serde_json::from_str(text(&row)).unwrap();
    assert_eq!(value["analytics"]["enabled"], true);
    assert_eq!(value["plans"].as_array().unwrap().len(), 1);
    assert!(plans.takes_keys("k") && !plans.takes_keys("c"));
    assert_eq!(members, ["api-1".into()]);
    let other = convert::api_product(&event, &settings(&["eu"]), nowhere);
    assert_eq!(other, Ok(ProductOutcome::NotServed(NotServed::OtherTags)));
}

fn subscription(status: SubscriptionStatus) -> SubscriptionRecord {
    SubscriptionRecord {
        id: "s".into(),
        api: Some("legacy".into()),
        reference_type: Some("API".to_owned()),
        reference_id: Some("api-1".into()),
        environment_id: Some("DEFAULT".into()),
        plan: "key".into(),
        application: Some("app".into()),
        application_name: None,
        client_id: None,
        client_certificate: None,
        status,
        consumer_status: Some("STARTED".to_owned()),
        starting_at: Some(1),
        ending_at: None,
        kind: None,
        configuration: None,
        metadata: BTreeMap::new(),
    }
}

#[test]
fn only_an_accepted_subscription_of_a_served_plan_is_deployed() {
    let scope: Arc<str> = "api-1".into();
    let convert = |status, plan| convert::subscription(subscription(status), &scope, plan).unwrap();
    let row = convert(SubscriptionStatus::Accepted, true);
    let value: Value = serde_json::from_str(text(&row)).unwrap();
    assert_eq!(
        value,
        json!({
            "id": "s", "api": "api-1", "plan": "key", "application": "app", "status": "ACCEPTED",
            "consumerStatus": "STARTED", "startingAt": 1, "metadata": {}, "type": "STANDARD", "forceDispatch": true,
            "environmentId": "DEFAULT",
        })
    );
    assert_eq!(convert(SubscriptionStatus::Accepted, false).state, RowState::Removed);
    for status in [
        SubscriptionStatus::Closed,
        SubscriptionStatus::Paused,
        SubscriptionStatus::Pending,
        SubscriptionStatus::Rejected,
        SubscriptionStatus::Other,
    ] {
        assert_eq!(convert(status, true).state, RowState::Removed, "{status:?}");
    }
}

#[test]
fn a_subscription_belongs_to_its_product_or_api_or_to_the_older_column() {
    let mut record = subscription(SubscriptionStatus::Accepted);
    assert_eq!(record.scope().map(|id| &**id), Some("api-1"));
    record.reference_id = None;
    record.reference_type = None;
    assert_eq!(record.scope().map(|id| &**id), Some("legacy"));
    record.reference_type = Some("API_PRODUCT".to_owned());
    assert_eq!(record.scope(), None, "a product subscription without a product belongs nowhere");
    record.reference_id = Some("prod".into());
    let scope = record.scope().cloned().unwrap();
    let row = convert::subscription(record, &scope, true).unwrap();
    let value: Value = serde_json::from_str(text(&row)).unwrap();
    assert_eq!(value["apiProductId"], "prod");
    assert!(value.get("api").is_none());
}

#[test]
fn a_key_is_deployed_only_while_it_and_its_subscription_are_active() {
    let record = |revoked, paused| KeyRecord {
        id: "k".into(),
        key: "secret".to_owned(),
        application: Some("app".to_owned()),
        expire_at: Some(5),
        revoked,
        paused,
    };
    let of = |served| KeySubscription { id: "s".into(), scope: "api-1".into(), plan: "key".into(), served };
    let row = convert::api_key(&record(false, false), &of(true)).unwrap();
    assert_eq!((row.key.kind, row.key.scope.as_deref()), (Kind::ApiKey, Some("api-1")));
    let value: Value = serde_json::from_str(text(&row)).unwrap();
    assert_eq!(
        value,
        json!({
            "id": "k", "key": "secret", "api": "api-1", "plan": "key", "subscription": "s", "application": "app",
            "expireAt": 5, "revoked": false, "paused": false, "active": true,
        })
    );
    for (key, subscription) in
        [(record(true, false), of(true)), (record(false, true), of(true)), (record(false, false), of(false))]
    {
        assert_eq!(convert::api_key(&key, &subscription).unwrap().state, RowState::Removed);
    }
    assert!(!format!("{:?}", record(false, false)).contains("secret"), "L3");
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!("STARTED")),
        Just(json!("api-1")),
        Just(json!("2.0.0")),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let name = prop_oneof![
            "[a-z]{0,6}".prop_map(|name| name),
            Just("id".to_owned()),
            Just("plans".to_owned()),
            Just("properties".to_owned()),
            Just("status".to_owned()),
            Just("security".to_owned()),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..6).prop_map(Value::from_iter),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_is_converted_or_refused(text in ".{0,200}") {
        for kind in EventType::ALL {
            let event = event(kind, "api-1", EventText::Text(text.clone()));
            let _ = convert::api(&event, &settings(&["a"]), nowhere);
            let _ = convert::api_product(&event, &settings(&["a"]), nowhere);
            let _ = convert::organization(&event, &settings(&["a"]));
            let _ = convert::dictionary(&event);
            let _ = convert::shared_policy_group(&event, nowhere);
            let _ = convert::authz_entity(&event);
            let _ = convert::authz_policy(&event);
        }
    }

    #[test]
    fn any_json_in_place_of_a_member_is_converted_or_refused(
        member in prop::sample::select(vec!["plans", "properties", "tags", "id", "type", "gravitee", "flow_mode"]),
        value in json_value(),
        v2 in any::<bool>(),
    ) {
        let mut definition = definition();
        definition[member] = value;
        let mut record = record(&definition);
        if v2 {
            definition["gravitee"] = json!("2.0.0");
            record["definition"] = json!(definition.to_string());
            record["definitionVersion"] = Value::Null;
        }
        if let Ok(ApiOutcome::Served { row, .. }) = convert_api(&record, &[]) {
            prop_assert!(serde_json::from_str::<ApiPayload>(text(&row)).is_ok(), "what is written can be read");
        }
    }

    #[test]
    fn what_is_not_touched_is_passed_on_as_it_is(value in json_value()) {
        prop_assume!(!value.is_null());
        let mut definition = definition();
        definition["flows"] = value.clone();
        // Text of the definition → row: floats and all.
        let before: Value = serde_json::from_str(&definition.to_string()).unwrap();
        let (payload, _) = served(convert_api(&record(&definition), &[]));
        prop_assert_eq!(&payload["definition"]["flows"], &before["flows"]);
    }

    #[test]
    fn nothing_but_the_right_secret_decrypts(value in ".{0,60}") {
        let _ = settings(&[]).cipher.decrypt(&value);
    }

    #[test]
    fn tags_never_fail(entries in prop::collection::vec(".{0,10}", 0..4), tags in prop::collection::vec(".{0,10}", 0..4)) {
        let sharding = ShardingTags::new(entries.iter().map(String::as_str));
        let tags = tags.iter().map(String::as_str).collect::<Vec<_>>();
        prop_assert!(!sharding.is_empty() || sharding.accept(tags.iter().copied()));
        let _ = sharding.accept_plan(tags);
    }
}
