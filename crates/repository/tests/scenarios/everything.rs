//! Reading everything.

use serde_json::json;
use zonegate_management_writer::{
    ApiProductSpec, ApiSpec, EventRow, EventType, FillSpec, KeySpec, ManagementWriter, PlanSpec,
    SubscriptionSpec, SubscriptionStatus,
};
use zonegate_model::Kind;
use zonegate_payload::ShardingTags;
use zonegate_repository::{Bulk, EnvironmentFilter};
use zonegate_sync::port::{Change, ChangeSink, RepositoryReader, StampedChange, Stopped};

use crate::world::{Read, World, on_each_engine, read_all};

const UPSTREAM: &str = "http://127.0.0.1:1";

pub(crate) async fn api_with_key(writer: &ManagementWriter, id: &str) {
    writer.deploy_api(&ApiSpec::v4(id, format!("/{id}"), UPSTREAM).api_key()).await.unwrap();
    writer
        .create_subscription(&SubscriptionSpec::new(format!("{id}-s"), id, format!("{id}-api-key")))
        .await
        .unwrap();
    writer
        .create_key(&KeySpec::new(format!("{id}-k"), format!("secret-{id}"), format!("{id}-s")))
        .await
        .unwrap();
}

on_each_engine!(
    s1_all_kinds_are_read_in_order_of_effect,
    what_is_not_to_be_served_is_not_mentioned,
    only_accepted_subscriptions_of_served_plans_and_active_keys_are_read,
    s2_an_api_comes_in_one_piece_with_its_subscriptions_and_keys,
    small_pages_find_what_large_ones_find,
    keyset_paging_loses_nothing_while_rows_are_rewritten,
    s3_a_broken_payload_refuses_one_api_only,
    environments_are_filtered_and_an_unknown_one_is_an_error,
    tags_leave_out_apis_and_plans_of_other_gateways,
    a_stopped_receiver_ends_the_read_without_an_error,
    product_subscriptions_belong_to_the_product,
);

async fn s1_all_kinds_are_read_in_order_of_effect(world: World) {
    let writer = &world.writer;
    api_with_key(writer, "api-4").await;
    writer.deploy_api(&ApiSpec::v2("api-2", "/two", UPSTREAM).keyless()).await.unwrap();
    writer.publish_dictionary("dict", Some("rates"), &[("eur", "1.00")]).await.unwrap();
    writer.publish_organization("DEFAULT", json!([])).await.unwrap();
    writer.deploy_shared_policy_group("internal", "cross", "REQUEST", json!([])).await.unwrap();
    let product = ApiProductSpec {
        id: "prod".to_owned(),
        apis: vec!["api-4".to_owned()],
        plans: vec![PlanSpec::api_key("prod-plan")],
    };
    writer.deploy_api_product(&product).await.unwrap();
    writer.create_access_point("ap", "DEFAULT", "api.example.com").await.unwrap();
    writer.set_license("DEFAULT", "bGljZW5jZQ==").await.unwrap();

    let read = world.read_all().await;
    let kinds = read.changes.iter().flat_map(|change| match &change.change {
        Change::Scope { rows, .. } | Change::Rows(rows) => {
            rows.iter().map(|row| row.key.kind).collect::<Vec<_>>()
        }
        Change::Refused { key, reason } => panic!("{key}: {reason}"),
    });
    let kinds: Vec<Kind> = kinds.collect();
    let first = |kind| kinds.iter().position(|other| *other == kind).unwrap();
    let order = [
        Kind::NodeMetadata,
        Kind::License,
        Kind::AccessPoint,
        Kind::Organization,
        Kind::Dictionary,
        Kind::SharedPolicyGroup,
        Kind::ApiProduct,
        Kind::Api,
        Kind::Subscription,
        Kind::ApiKey,
    ];
    assert!(order.map(first).is_sorted(), "{kinds:?}");

    let state = read.state();
    assert_eq!(state.ids(Kind::Api), ["api-2", "api-4"]);
    assert_eq!(state.ids(Kind::Subscription), ["api-4/api-4-s"]);
    assert_eq!(state.ids(Kind::ApiKey), ["api-4/api-4-k"]);
    assert_eq!(state.ids(Kind::SharedPolicyGroup), ["cross"]);
    assert_eq!(state.payload(Kind::Dictionary, "dict")["properties"]["eur"], "1.00");
    assert_eq!(state.payload(Kind::AccessPoint, "ap")["host"], "api.example.com");
    assert!(state.0.iter().any(|(key, text)| key.kind == Kind::License && text == "bGljZW5jZQ=="));
    let api = state.payload(Kind::Api, "api-4");
    assert_eq!((&api["revision"], &api["environmentHrid"]), (&json!("1"), &json!("default")));
    assert_eq!(api["organizationId"], "DEFAULT");
    let key = state.payload(Kind::ApiKey, "api-4-k");
    assert_eq!(
        (&key["key"], &key["active"], &key["subscription"]),
        (&json!("secret-api-4"), &json!(true), &json!("api-4-s"))
    );
}

async fn what_is_not_to_be_served_is_not_mentioned(world: World) {
    let writer = &world.writer;
    for id in ["started", "stopped", "undeployed", "deleted", "no-plan"] {
        api_with_key(writer, id).await;
    }
    writer.stop_api("stopped").await.unwrap();
    writer.undeploy_api("undeployed").await.unwrap();
    writer.delete_api("deleted").await.unwrap();
    let closed = ApiSpec::v4("no-plan", "/no-plan", UPSTREAM)
        .plan(PlanSpec::api_key("no-plan-api-key").status("closed"));
    writer.deploy_api(&closed).await.unwrap();
    writer.publish_dictionary("dict", None, &[]).await.unwrap();
    writer.unpublish_dictionary("dict").await.unwrap();
    writer.create_access_point("ap", "DEFAULT", "gone.example.com").await.unwrap();
    writer.delete_access_point("ap").await.unwrap();

    let read = world.read_all().await;
    let state = read.state();
    assert_eq!(state.ids(Kind::Api), ["started"]);
    assert_eq!(state.ids(Kind::ApiKey), ["started/started-k"]);
    assert!(state.ids(Kind::Dictionary).is_empty() && state.ids(Kind::AccessPoint).is_empty());
    let mentioned = read
        .changes
        .iter()
        .any(|change| matches!(&change.change, Change::Scope { id, .. } if &**id != "started"));
    assert!(!mentioned);
}

async fn only_accepted_subscriptions_of_served_plans_and_active_keys_are_read(world: World) {
    let writer = &world.writer;
    api_with_key(writer, "api").await;
    for (id, status) in [
        ("pending", SubscriptionStatus::Pending),
        ("rejected", SubscriptionStatus::Rejected),
        ("closed", SubscriptionStatus::Closed),
        ("paused", SubscriptionStatus::Paused),
    ] {
        let subscription = SubscriptionSpec { status, ..SubscriptionSpec::new(id, "api", "api-api-key") };
        writer.create_subscription(&subscription).await.unwrap();
        writer.create_key(&KeySpec::new(format!("{id}-k"), id, id)).await.unwrap();
    }
    writer.create_subscription(&SubscriptionSpec::new("other-plan", "api", "no-such-plan")).await.unwrap();
    writer.create_key(&KeySpec::new("revoked", "revoked", "api-s")).await.unwrap();
    writer.revoke_key("revoked").await.unwrap();
    writer.create_key(&KeySpec { federated: true, ..KeySpec::new("federated", "f", "api-s") }).await.unwrap();
    let expired = KeySpec { expire_at: Some(1_000), ..KeySpec::new("expired", "e", "api-s") };
    writer.create_key(&expired).await.unwrap();
    let ended = SubscriptionSpec {
        ending_at: Some(2_000),
        client_id: Some("client".to_owned()),
        metadata: vec![("region".to_owned(), "eu".to_owned())],
        ..SubscriptionSpec::new("ended", "api", "api-api-key")
    };
    writer.create_subscription(&ended).await.unwrap();

    let state = world.read_all().await.state();
    assert_eq!(state.ids(Kind::Subscription), ["api/api-s", "api/ended"]);
    assert_eq!(
        state.ids(Kind::ApiKey),
        ["api/api-k", "api/expired"],
        "validity in time is for the request: what is read must not depend on when"
    );
    assert_eq!(state.payload(Kind::ApiKey, "expired")["expireAt"], 1_000);
    let ended = state.payload(Kind::Subscription, "ended");
    assert_eq!((&ended["endingAt"], &ended["clientId"]), (&json!(2_000), &json!("client")));
    assert_eq!(ended["metadata"], json!({ "region": "eu" }));
}

async fn s2_an_api_comes_in_one_piece_with_its_subscriptions_and_keys(world: World) {
    for number in 0..7 {
        api_with_key(&world.writer, &format!("api-{number}")).await;
    }
    let read = world.read_all().await;
    let mut scopes = 0;
    for change in &read.changes {
        let Change::Scope { id, rows } = &change.change else { continue };
        scopes += 1;
        let kinds = rows.iter().map(|row| row.key.kind).collect::<Vec<_>>();
        assert_eq!(kinds, [Kind::Api, Kind::Subscription, Kind::ApiKey]);
        assert!(rows.iter().all(|row| row.key.unit() == Some(id)));
        assert_eq!(*change.stamp.record, *format!("event/{id}"));
    }
    assert_eq!(scopes, 7);
}

async fn small_pages_find_what_large_ones_find(world: World) {
    let fill = FillSpec {
        apis: 13,
        subscriptions_per_api: 7,
        name: "filled".to_owned(),
        target: UPSTREAM.to_owned(),
    };
    world.writer.fill(&fill).await.unwrap();
    let large = world.read_all().await.state();
    assert_eq!(large.ids(Kind::Api).len(), 13);
    assert_eq!(large.ids(Kind::ApiKey).len(), 91);
    for size in [1, 2, 5, 13] {
        let mut reading = world.reading.clone();
        reading.bulk = Bulk { events: size, subscriptions: size, keys: size, key_subscriptions: size };
        let small = read_all(&world.reader_with(reading)).await.state();
        assert_eq!(small, large, "pages of {size}");
    }
}

/// Deploys an API anew at each push, so that rows move to the end while they are paged over.
struct Rewriting<'a> {
    read: Read,
    writer: &'a ManagementWriter,
    pushes: usize,
}

impl ChangeSink for Rewriting<'_> {
    async fn push(&mut self, changes: Vec<StampedChange>) -> Result<(), Stopped> {
        if self.pushes < 20 {
            for number in 0..3 {
                let id = format!("api-{:02}", (self.pushes * 3 + number) % 30);
                self.writer
                    .deploy_api(&ApiSpec::v4(&id, format!("/{id}"), UPSTREAM).keyless())
                    .await
                    .unwrap();
            }
        }
        self.pushes += 1;
        self.read.push(changes).await
    }
}

async fn keyset_paging_loses_nothing_while_rows_are_rewritten(mut world: World) {
    for number in 0..30 {
        let id = format!("api-{number:02}");
        world.writer.deploy_api(&ApiSpec::v4(&id, format!("/{id}"), UPSTREAM).keyless()).await.unwrap();
    }
    world.reading.bulk.events = 4;
    let mut sink = Rewriting { read: Read::default(), writer: &world.writer, pushes: 0 };
    world.reader().read_all(&mut sink).await.unwrap();
    assert!(sink.pushes > 8);
    assert_eq!(sink.read.state().ids(Kind::Api).len(), 30, "an offset would have skipped some");
}

async fn s3_a_broken_payload_refuses_one_api_only(world: World) {
    let writer = &world.writer;
    api_with_key(writer, "good-1").await;
    writer.deploy_raw("broken", "{\"definition\": \"hunter2").await.unwrap();
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    writer.deploy_raw("deep", &deep).await.unwrap();
    let odd = json!({ "lifecycleState": "STARTED", "definitionVersion": "4.0.0", "type": "proxy",
        "definition": json!({ "id": "nul", "plans": [{ "id": "a\0b", "status": "published",
            "security": { "type": "api-key" } }] }).to_string() });
    writer.deploy_raw("nul", &odd.to_string()).await.unwrap();
    writer.write_event(&EventRow::new("empty", EventType::PublishApi, "api_id", None)).await.unwrap();
    api_with_key(writer, "good-2").await;

    let read = world.read_all().await;
    let state = read.state();
    assert_eq!(state.ids(Kind::Api), ["good-1", "good-2", "nul"], "an id with NUL disturbs no query");
    assert_eq!(state.ids(Kind::ApiKey).len(), 2);
    let refused = read.refused();
    let keys = refused.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>();
    assert_eq!(keys, ["API broken", "API deep", "API empty"]);
    assert!(refused.iter().all(|(_, reason)| !reason.contains("hunter2")), "L3: {refused:?}");
}

async fn environments_are_filtered_and_an_unknown_one_is_an_error(world: World) {
    let writer = &world.writer;
    writer.create_organization("ORG", Some("org")).await.unwrap();
    writer.create_environment("PROD", Some("prod"), "ORG").await.unwrap();
    api_with_key(writer, "dev-api").await;
    writer
        .deploy_api(&ApiSpec::v4("prod-api", "/prod", UPSTREAM).api_key().environment("PROD"))
        .await
        .unwrap();
    let subscription = SubscriptionSpec {
        environment: "PROD".to_owned(),
        ..SubscriptionSpec::new("prod-s", "prod-api", "prod-api-api-key")
    };
    writer.create_subscription(&subscription).await.unwrap();
    let everywhere = EventRow {
        environments: Vec::new(),
        ..EventRow::new(
            "all",
            EventType::PublishDictionary,
            "dictionary_id",
            Some(json!({ "id": "all" }).to_string()),
        )
    };
    writer.write_event(&everywhere).await.unwrap();
    // As it is for a moment while the management API writes.
    writer.forget_environments("dev-api").await.unwrap();
    writer.create_access_point("dev-ap", "DEFAULT", "dev.example.com").await.unwrap();
    writer.create_access_point("prod-ap", "PROD", "prod.example.com").await.unwrap();
    writer.set_license("DEFAULT", "one").await.unwrap();
    writer.set_license("ORG", "two").await.unwrap();

    let with = |organizations: &[&str], environments: &[&str], ids| {
        let mut reading = world.reading.clone();
        reading.environments = EnvironmentFilter {
            organizations: organizations.iter().map(|&name| name.to_owned()).collect(),
            environments: environments.iter().map(|&name| name.to_owned()).collect(),
            environments_are_ids: ids,
        };
        world.reader_with(reading)
    };
    for reader in [with(&[], &["prod"], false), with(&["org"], &[], false), with(&[], &["PROD"], true)] {
        let state = read_all(&reader).await.state();
        assert_eq!(state.ids(Kind::Api), ["prod-api"]);
        assert_eq!(state.ids(Kind::Subscription), ["prod-api/prod-s"]);
        assert_eq!(state.ids(Kind::Dictionary), ["all"]);
        assert_eq!(state.ids(Kind::AccessPoint), ["prod-ap"]);
        assert_eq!(state.ids(Kind::License), ["ORG"]);
        let metadata = state.0.iter().find(|(key, _)| key.kind == Kind::NodeMetadata).unwrap().1;
        assert!(metadata.contains("[\"ORG\"]"), "{metadata}");
    }
    let mut read = Read::default();
    let error = with(&[], &["nowhere"], false).read_all(&mut read).await.unwrap_err();
    assert!(error.message.contains("`environments` (nowhere)"), "{error}");
    assert!(read.changes.is_empty(), "and nothing of other environments was read");
    assert_eq!(world.read_all().await.state().ids(Kind::Api), ["dev-api", "prod-api"]);
}

async fn tags_leave_out_apis_and_plans_of_other_gateways(mut world: World) {
    let writer = &world.writer;
    let tagged = |id: &str, tag: &str| ApiSpec::v4(id, format!("/{id}"), UPSTREAM).keyless().tag(tag);
    let both = tagged("eu-api", "EU").plan(PlanSpec::api_key("us-plan").tag("us"));
    writer.deploy_api(&both).await.unwrap();
    writer.create_subscription(&SubscriptionSpec::new("us-s", "eu-api", "us-plan")).await.unwrap();
    writer.deploy_api(&tagged("us-api", "us")).await.unwrap();
    writer.deploy_api(&ApiSpec::v4("untagged", "/untagged", UPSTREAM).keyless()).await.unwrap();

    assert_eq!(world.read_all().await.state().ids(Kind::Api).len(), 3);
    world.reading.tags = ShardingTags::new(["eu"]);
    let state = world.read_all().await.state();
    assert_eq!(state.ids(Kind::Api), ["eu-api"]);
    assert!(state.ids(Kind::Subscription).is_empty());
    assert_eq!(state.payload(Kind::Api, "eu-api")["definition"]["plans"].as_array().unwrap().len(), 1);
    world.reading.tags = ShardingTags::new(["!us"]);
    assert_eq!(world.read_all().await.state().ids(Kind::Api), ["eu-api", "untagged"]);
}

struct Stopping(usize);

impl ChangeSink for Stopping {
    async fn push(&mut self, _: Vec<StampedChange>) -> Result<(), Stopped> {
        self.0 += 1;
        Err(Stopped)
    }
}

async fn a_stopped_receiver_ends_the_read_without_an_error(world: World) {
    api_with_key(&world.writer, "api").await;
    let reader = world.reader();
    let mut sink = Stopping(0);
    assert_eq!(reader.read_all(&mut sink).await, Ok(()));
    assert_eq!(sink.0, 1);
    assert_eq!(read_all(&reader).await.state().ids(Kind::Api), ["api"], "and the reader can be used again");
}

async fn product_subscriptions_belong_to_the_product(world: World) {
    let writer = &world.writer;
    api_with_key(writer, "api").await;
    let product = ApiProductSpec {
        id: "prod".to_owned(),
        apis: vec!["api".to_owned()],
        plans: vec![PlanSpec::api_key("prod-plan")],
    };
    writer.deploy_api_product(&product).await.unwrap();
    let subscription = SubscriptionSpec { product: true, ..SubscriptionSpec::new("ps", "prod", "prod-plan") };
    writer.create_subscription(&subscription).await.unwrap();
    writer.create_key(&KeySpec::new("pk", "product-secret", "ps")).await.unwrap();
    // Shared with a subscription of the API itself.
    let shared = KeySpec {
        subscriptions: vec!["ps".to_owned(), "api-s".to_owned()],
        ..KeySpec::new("shared", "x", "ps")
    };
    writer.create_key(&shared).await.unwrap();

    let state = world.read_all().await.state();
    assert_eq!(state.ids(Kind::Subscription), ["api/api-s", "prod/ps"]);
    assert_eq!(state.ids(Kind::ApiKey), ["api/api-k", "api/shared", "prod/pk", "prod/shared"]);
    let subscription = state.payload(Kind::Subscription, "ps");
    assert_eq!(subscription["apiProductId"], "prod");
    assert!(subscription.get("api").is_none());
}
