//! What is for this gateway: environments and organizations, sharding tags, authorization.

use std::collections::HashMap;

use serde_json::json;
use zonegate_management_writer::{
    ApiSpec, EventRow, EventType, KeySpec, ManagementWriter, Overwrite, PlanSpec, SubscriptionSpec,
};
use zonegate_model::Kind;
use zonegate_payload::ShardingTags;
use zonegate_repository::EnvironmentFilter;
use zonegate_sync::port::{Change, RepositoryReader, Window};

use crate::world::{
    Index, Read, Reader, World, on_each_engine, read_all, read_changes, read_index, read_parts, read_window,
};

const UPSTREAM: &str = "http://127.0.0.1:1";

async fn api_in(writer: &ManagementWriter, id: &str, environment: &str) {
    let api = ApiSpec::v4(id, format!("/{id}"), UPSTREAM).api_key().environment(environment);
    writer.deploy_api(&api).await.unwrap();
    let subscription = SubscriptionSpec {
        environment: environment.to_owned(),
        ..SubscriptionSpec::new(format!("{id}-s"), id, format!("{id}-api-key"))
    };
    writer.create_subscription(&subscription).await.unwrap();
    let key = KeySpec {
        environment: environment.to_owned(),
        ..KeySpec::new(format!("{id}-k"), format!("x-{id}"), format!("{id}-s"))
    };
    writer.create_key(&key).await.unwrap();
}

fn only(world: &World, organizations: &[&str], environments: &[&str]) -> Reader {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let mut reading = world.reading.clone();
    reading.environments = EnvironmentFilter {
        organizations: owned(organizations),
        environments: owned(environments),
        environments_are_ids: false,
    };
    world.reader_with(reading)
}

on_each_engine!(
    the_first_human_readable_id_is_in_the_rows_and_every_one_selects,
    windows_index_and_parts_are_of_the_selected_environments,
    settings_that_select_nothing_are_an_error_and_never_everything,
    an_api_whose_new_tags_are_excluded_goes,
    authorization_is_read_where_it_is_asked_for_and_in_its_place,
    node_metadata_names_the_organizations_that_are_selected,
);

async fn the_first_human_readable_id_is_in_the_rows_and_every_one_selects(world: World) {
    let writer = &world.writer;
    writer.create_organization("ORG", Some("org-first")).await.unwrap();
    writer.create_environment("E", Some("first"), "ORG").await.unwrap();
    writer.set_hrids("environment", "E", &["first", "a-second", "third"]).await.unwrap();
    writer.set_hrids("organization", "ORG", &["org-first", "a-org"]).await.unwrap();
    writer.create_environment("NAMELESS", None, "ORG").await.unwrap();
    api_in(writer, "api", "E").await;
    api_in(writer, "nameless", "NAMELESS").await;
    api_in(writer, "lost", "NO-SUCH-ENVIRONMENT").await;
    let state = world.read_all().await.state();
    let api = state.payload(Kind::Api, "api");
    assert_eq!((&api["environmentHrid"], &api["organizationHrid"]), (&json!("first"), &json!("org-first")));
    let api = state.payload(Kind::Api, "nameless");
    assert!(api.get("environmentHrid").is_none() && api["organizationHrid"] == "org-first");
    let api = state.payload(Kind::Api, "lost");
    assert!(api["environmentId"] == "NO-SUCH-ENVIRONMENT" && api.get("organizationId").is_none());
    for name in ["first", "a-second", "third"] {
        let state = read_all(&only(&world, &[], &[name])).await.state();
        assert_eq!(state.ids(Kind::Api), ["api"], "{name}");
    }
    for name in ["org-first", "a-org"] {
        let state = read_all(&only(&world, &[name], &[])).await.state();
        assert_eq!(state.ids(Kind::Api), ["api", "nameless"], "{name}");
    }
    let both = read_all(&only(&world, &["default", "a-org"], &["third", "default"])).await.state();
    assert_eq!(both.ids(Kind::Api), ["api"]);
}

async fn windows_index_and_parts_are_of_the_selected_environments(world: World) {
    let writer = &world.writer;
    writer.create_environment("PROD", Some("prod"), "DEFAULT").await.unwrap();
    api_in(writer, "dev", "DEFAULT").await;
    api_in(writer, "prod", "PROD").await;
    // Of a key without an environment its subscriptions decide.
    writer.overwrite("keys", None, "environment_id", Overwrite::Nothing).await.unwrap();
    let reader = only(&world, &[], &["prod"]);
    let whole = read_all(&reader).await;
    let (mut state, mut seen) = (whole.state(), whole.stamps());
    assert_eq!(state.ids(Kind::ApiKey), ["prod/prod-k"]);
    let read = read_changes(&reader).await;
    assert!(!read.stamps().keys().any(|record| record.contains("dev") && !record.starts_with("key/")));
    seen.extend(read.stamps());
    for (id, environment) in [("dev", "DEFAULT"), ("prod", "PROD")] {
        writer.revoke_key(&format!("{id}-k")).await.unwrap();
        api_in(writer, &format!("{id}-2"), environment).await;
    }
    let read = read_window(&reader, 0, i64::MAX, seen).await;
    state.apply(&read.changes);
    assert_eq!(state.ids(Kind::Api), ["prod", "prod-2"]);
    assert_eq!(state.ids(Kind::ApiKey), ["prod-2/prod-2-k"]);
    state.assert_same(&read_all(&reader).await.state(), "");
    let index = read_index(&reader).await;
    index.assert_covers(&state, "");
    assert!(index.rows.keys().all(|key| !key.to_string().contains("dev")));
    let parts = read_parts(&reader, &["dev", "dev-2", "prod", "prod-2"]).await.state();
    parts.assert_same(&state, "");
}

async fn settings_that_select_nothing_are_an_error_and_never_everything(world: World) {
    api_in(&world.writer, "api", "DEFAULT").await;
    for (organizations, environments) in
        [(&["no-such"][..], &[][..]), (&[], &["no-such"]), (&["default"], &["no-such"]), (&[], &[" default"])]
    {
        let reader = only(&world, organizations, environments);
        let (mut read, mut index) = (Read::default(), Index::default());
        let window = Window { from: 0, to: i64::MAX, seen: HashMap::new().into() };
        for error in [
            reader.read_all(&mut read).await,
            reader.read_changes(window, &mut read).await,
            reader.read_index(&mut index).await,
            reader.read_parts(vec!["api".into()], &mut read).await,
        ] {
            let message = error.unwrap_err().message;
            assert!(message.contains("`environments`") && message.contains("`organizations`"), "{message}");
        }
        assert!(read.changes.is_empty() && index.rows.is_empty());
    }
}

async fn an_api_whose_new_tags_are_excluded_goes(mut world: World) {
    world.reading.tags = ShardingTags::new(["eu", "!test"]);
    let writer = world.writer.clone();
    let api = |tags: &[&str]| {
        let api = ApiSpec::v4("api", "/api", UPSTREAM).api_key();
        tags.iter().fold(api, |api, tag| api.tag(tag))
    };
    let reader = world.reader();
    let mut seen = HashMap::new();
    for (tags, served) in [
        (&["EU"][..], true),
        (&["eu", "Test"], false),
        (&["eu", "us"], true),
        (&["us"], false),
        (&[], false),
        (&["eu"], true),
    ] {
        writer.deploy_api(&api(tags)).await.unwrap();
        let read = read_window(&reader, 0, i64::MAX, seen.clone()).await;
        seen.extend(read.stamps());
        let told = read.changes.iter().any(|change| match &change.change {
            Change::Scope { id, rows } => &**id == "api" && rows.is_empty() != served,
            _ => false,
        });
        assert!(told, "{tags:?}: {:?}", read.changes);
        assert_eq!(!world.read_all().await.state().ids(Kind::Api).is_empty(), served, "{tags:?}");
    }
    // Of its plans, only those count that are for this gateway.
    let plans = api(&["eu"])
        .plan(PlanSpec::api_key("test-plan").tag("test"))
        .plan(PlanSpec::api_key("us-plan").tag("us"))
        .plan(PlanSpec::api_key("eu-plan").tag("eu"));
    writer.deploy_api(&plans).await.unwrap();
    for plan in ["test-plan", "us-plan", "eu-plan"] {
        writer.create_subscription(&SubscriptionSpec::new(plan, "api", plan)).await.unwrap();
    }
    let read = read_window(&reader, 0, i64::MAX, seen).await;
    assert_eq!(read.state().ids(Kind::Subscription), ["api/eu-plan"]);
    read.state().assert_same(
        &{
            let mut fresh = world.read_all().await.state();
            fresh.0.retain(|key, _| key.kind != Kind::NodeMetadata);
            fresh.1.retain(|key, _| key.kind != Kind::NodeMetadata);
            fresh
        },
        "",
    );
}

async fn authorization_is_read_where_it_is_asked_for_and_in_its_place(mut world: World) {
    let writer = world.writer.clone();
    writer.deploy_shared_policy_group("internal", "cross", "REQUEST", json!([])).await.unwrap();
    api_in(&writer, "api", "DEFAULT").await;
    let event = |kind: &str, property: &str, id: &str, payload: Option<serde_json::Value>| EventRow {
        kind: kind.to_owned(),
        ..EventRow::new(
            id,
            EventType::PublishDictionary,
            property,
            payload.map(|payload| payload.to_string()),
        )
    };
    let entity = json!({ "id": "internal-1", "entityId": "api.bookings", "kind": "RESOURCE", "entityType": "Api",
        "environmentId": "DEFAULT", "attributes": {}, "parents": [] });
    let policy = json!({ "id": "policy-1", "name": "p", "kind": "GLOBAL", "environmentId": "DEFAULT",
        "policyText": "permit(principal, action, resource);" });
    for (kind, property, id, payload) in [
        ("PUBLISH_AUTHZ_ENTITY", "authz_entity_id", "e", &entity),
        ("PUBLISH_AUTHZ_POLICY", "authz_policy_id", "p", &policy),
        ("PUBLISH_AUTHZ_PDP", "authz_pdp_id", "d", &policy),
    ] {
        writer.write_event(&event(kind, property, id, Some(payload.clone()))).await.unwrap();
    }
    let authorization = |read: &Read| {
        let state = read.state();
        (state.ids(Kind::AuthzEntity), state.ids(Kind::AuthzPolicy))
    };
    for read in [world.read_all().await, read_changes(&world.reader()).await] {
        assert_eq!(authorization(&read), (vec![], vec![]), "not asked for");
    }
    world.reading.authorization = true;
    let reader = world.reader();
    let mut seen = HashMap::new();
    for read in [
        read_all(&reader).await,
        read_parts(&reader, &[]).await,
        read_window(&reader, 0, i64::MAX, seen.clone()).await,
    ] {
        assert_eq!(read.refused(), []);
        assert_eq!(authorization(&read), (vec!["api.bookings".to_owned()], vec!["policy-1".to_owned()]));
        let kinds = read.changes.iter().filter_map(|change| match &change.change {
            Change::Scope { rows, .. } | Change::Rows(rows) => rows.first().map(|row| row.key.kind),
            Change::Refused { .. } => None,
        });
        assert!(kinds.collect::<Vec<_>>().is_sorted(), "S1");
        seen.extend(read.stamps());
    }
    for (kind, property, id, payload) in [
        ("UNPUBLISH_AUTHZ_ENTITY", "authz_entity_id", "e", &entity),
        ("UNPUBLISH_AUTHZ_POLICY", "authz_policy_id", "p", &policy),
    ] {
        writer.write_event(&event(kind, property, id, Some(payload.clone()))).await.unwrap();
    }
    let mut state = read_all(&world.reader()).await;
    assert_eq!(authorization(&state), (vec![], vec![]));
    state = read_window(&reader, 0, i64::MAX, seen).await;
    let removed =
        state.changes.iter().filter(|change| matches!(&change.change, Change::Rows(rows) if rows.len() == 1));
    assert_eq!(removed.count(), 2, "S5: {:?}", state.changes);
}

async fn node_metadata_names_the_organizations_that_are_selected(world: World) {
    let writer = &world.writer;
    writer.create_organization("ORG", Some("org")).await.unwrap();
    writer.create_environment("E", Some("e"), "ORG").await.unwrap();
    let metadata = |read: &Read| {
        let state = read.state();
        let ids = state.ids(Kind::NodeMetadata);
        assert_eq!(ids.len(), 1);
        (state.payload(Kind::NodeMetadata, &ids[0]), ids[0].clone())
    };
    let (payload, id) = metadata(&world.read_all().await);
    assert_eq!(payload, json!({ "installationId": id }), "absent where none are configured");
    for (organizations, environments, named) in [
        (&["org"][..], &[][..], &["ORG"][..]),
        (&[], &["e"], &["ORG"]),
        (&["org", "default"], &[], &["DEFAULT", "ORG"]),
    ] {
        let reader = only(&world, organizations, environments);
        let (payload, _) = metadata(&read_all(&reader).await);
        assert_eq!(payload, json!({ "installationId": id, "organizationIds": named }));
        assert_eq!(metadata(&read_parts(&reader, &[]).await).0, payload);
    }
}
