//! L1: whatever a table holds, only the record that it is in is lost, by a full read and by a window.

use serde_json::json;
use zonegate_management_writer::{ApiSpec, EventRow, EventType, KeySpec, ManagementWriter, SubscriptionSpec};
use zonegate_model::Kind;
use zonegate_sync::port::RepositoryReader;

use crate::world::{Read, World, on_each_engine, read_changes, read_index, read_parts};

const UPSTREAM: &str = "http://127.0.0.1:1";

async fn api_with_key(writer: &ManagementWriter, id: &str) {
    writer.deploy_api(&ApiSpec::v4(id, format!("/{id}"), UPSTREAM).api_key()).await.unwrap();
    let plan = format!("{id}-api-key");
    writer.create_subscription(&SubscriptionSpec::new(format!("{id}-s"), id, plan)).await.unwrap();
    writer.create_key(&KeySpec::new(format!("{id}-k"), format!("x-{id}"), format!("{id}-s"))).await.unwrap();
}

async fn three_apis(writer: &ManagementWriter) {
    for id in ["one", "bad", "two"] {
        api_with_key(writer, id).await;
    }
}

impl World {
    async fn sql(&self, statement: &str) {
        self.writer.execute(statement, &[]).await.unwrap();
    }

    /// Reads everything, all windows, the index and all parts in small pages, so that a page that ended too early
    /// would be noticed. All must come to the same, and the other APIs be there complete.
    async fn only_bad_is_lost(&self) -> Read {
        let mut reading = self.reading.clone();
        reading.bulk.events = 1;
        reading.bulk.subscriptions = 1;
        reading.bulk.keys = 1;
        let reader = self.reader_with(reading);
        let mut read = Read::default();
        reader.read_all(&mut read).await.unwrap();
        let state = read.state();
        for id in ["one", "two"] {
            assert!(state.ids(Kind::Api).contains(&id.to_owned()), "{:?}", state.ids(Kind::Api));
            assert!(state.ids(Kind::Subscription).contains(&format!("{id}/{id}-s")));
            assert!(state.ids(Kind::ApiKey).contains(&format!("{id}/{id}-k")));
        }
        let mut windows = read_changes(&reader).await.state();
        let index = read_index(&reader).await;
        let units = index.rows.keys().filter_map(|key| key.unit().map(|unit| &**unit)).chain(["bad"]);
        let mut parts = read_parts(&reader, &units.collect::<Vec<_>>()).await.state();
        for other in [&mut windows, &mut parts] {
            other.0.retain(|key, _| key.kind != Kind::NodeMetadata);
            other.1.retain(|key, _| key.kind != Kind::NodeMetadata);
        }
        let mut expected = state.clone();
        expected.0.retain(|key, _| key.kind != Kind::NodeMetadata);
        expected.1.retain(|key, _| key.kind != Kind::NodeMetadata);
        windows.assert_same(&expected, "by a window");
        parts.assert_same(&expected, "by parts");
        index.assert_covers(&state, "");
        read
    }
}

on_each_engine!(
    l1_json_of_wrong_types_is_refused_by_itself,
    l1_deep_nesting_wherever_it_is_is_refused_by_itself,
    l1_nul_in_names_disturbs_nobody,
    l1_records_from_the_future_and_from_before_all_times_disturb_nobody,
    l1_an_event_without_a_time_is_left_out,
    l1_an_event_that_names_another_entity_is_refused,
    l1_a_subscription_that_is_too_long_is_refused_by_itself,
    l1_a_subscription_of_nothing_is_left_out,
);

async fn l1_json_of_wrong_types_is_refused_by_itself(world: World) {
    three_apis(&world.writer).await;
    let record = |definition: serde_json::Value| {
        json!({ "lifecycleState": "STARTED", "definitionVersion": "4.0.0", "type": "proxy",
            "definition": definition.to_string() })
    };
    for payload in [
        json!([]),
        json!("text"),
        json!(7),
        json!({ "lifecycleState": 1 }),
        json!({ "lifecycleState": "STARTED", "definition": {} }),
        json!({ "lifecycleState": "STARTED", "definitionVersion": 4, "definition": "{}" }),
        record(json!([])),
        record(json!({ "id": 7 })),
        record(json!({ "id": "bad", "plans": {} })),
        record(json!({ "id": "bad", "plans": [7] })),
        record(json!({ "id": "bad", "plans": [{ "status": "published", "id": [] }] })),
        record(json!({ "id": "bad", "tags": "eu", "plans": [] })),
        record(json!({ "id": "other", "plans": [] })),
        json!({ "lifecycleState": "STARTED", "definitionVersion": "4.0.0", "type": "unheard-of",
            "definition": "{\"id\":\"bad\"}" }),
    ] {
        world.writer.deploy_raw("bad", &payload.to_string()).await.unwrap();
        let read = world.only_bad_is_lost().await;
        assert_eq!(read.refused().len(), 1, "{payload}: {:?}", read.refused());
        assert_eq!(read.refused()[0].0, "API bad");
    }
    for kind in
        [EventType::PublishDictionary, EventType::DeploySharedPolicyGroup, EventType::PublishOrganization]
    {
        let property = match kind {
            EventType::PublishDictionary => "dictionary_id",
            EventType::PublishOrganization => "organization_id",
            _ => "shared_policy_group_id",
        };
        world
            .writer
            .write_event(&EventRow::new("alone", kind, property, Some("[7]".to_owned())))
            .await
            .unwrap();
        assert_eq!(world.only_bad_is_lost().await.refused().len(), 2, "{kind:?}");
    }
}

async fn l1_deep_nesting_wherever_it_is_is_refused_by_itself(world: World) {
    three_apis(&world.writer).await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    world.writer.deploy_raw("bad", &deep).await.unwrap();
    assert_eq!(world.only_bad_is_lost().await.refused().len(), 1);
    let within = json!({ "lifecycleState": "STARTED", "definitionVersion": "4.0.0", "type": "proxy",
        "definition": format!(r#"{{"id":"bad","x":{deep}}}"#) });
    world.writer.deploy_raw("bad", &within.to_string()).await.unwrap();
    assert_eq!(world.only_bad_is_lost().await.refused().len(), 1);
    world.writer.deploy_api(&ApiSpec::v4("bad", "/bad", UPSTREAM).api_key()).await.unwrap();
    let configuration = "UPDATE {p}subscriptions SET configuration = $1 WHERE id = 'bad-s'";
    world.writer.execute(configuration, &[&deep]).await.unwrap();
    let read = world.only_bad_is_lost().await;
    assert_eq!(read.refused().len(), 1);
    assert!(read.refused()[0].0.contains("bad-s"), "{:?}", read.refused());
}

async fn l1_nul_in_names_disturbs_nobody(world: World) {
    three_apis(&world.writer).await;
    let definition = json!({ "id": "bad", "name": "a\0b", "plans": [
        { "id": "a\0b", "status": "published", "security": { "type": "api-key" } },
        { "id": "bad-api-key", "status": "published", "security": { "type": "api-key" } },
    ] });
    let record = json!({ "lifecycleState": "STARTED", "definitionVersion": "4.0.0", "type": "proxy",
        "definition": definition.to_string() });
    world.writer.deploy_raw("bad", &record.to_string()).await.unwrap();
    let read = world.only_bad_is_lost().await;
    assert_eq!(read.refused(), []);
    assert_eq!(read.state().ids(Kind::ApiKey).len(), 3, "nor its own other plan");
}

async fn l1_records_from_the_future_and_from_before_all_times_disturb_nobody(world: World) {
    // What a TIMESTAMP of MariaDB can still hold.
    for (id, at) in [("future", 2_145_916_800_000), ("ancient", 2_000)] {
        api_with_key(&world.writer.at(at), id).await;
    }
    three_apis(&world.writer).await;
    let read = world.only_bad_is_lost().await;
    assert_eq!(
        read.state().ids(Kind::ApiKey).len(),
        5,
        "by their order nothing is lost, and they are there too"
    );
    assert_eq!(read.stamps()["event/future"], 2_145_916_800_000);
}

async fn l1_an_event_without_a_time_is_left_out(world: World) {
    three_apis(&world.writer).await;
    world.sql("UPDATE {p}events_latest SET updated_at = NULL WHERE id = 'bad'").await;
    let read = world.only_bad_is_lost().await;
    assert_eq!(read.state().ids(Kind::Api), ["one", "two"]);
}

async fn l1_an_event_that_names_another_entity_is_refused(world: World) {
    three_apis(&world.writer).await;
    world
        .sql("UPDATE {p}events_latest_properties SET property_value = 'one' WHERE event_id = 'bad' AND property_key = 'api_id'")
        .await;
    let read = world.only_bad_is_lost().await;
    let [(key, reason)] = &read.refused()[..] else { panic!("{:?}", read.refused()) };
    assert!(key == "API bad" && reason.contains("`api_id`"), "{reason}");
    // Nor does its end take away the other.
    world.sql("UPDATE {p}events_latest SET type = 'STOP_API' WHERE id = 'bad'").await;
    world.only_bad_is_lost().await;
}

async fn l1_a_subscription_that_is_too_long_is_refused_by_itself(world: World) {
    three_apis(&world.writer).await;
    let long = "x".repeat(300 * 1024);
    world
        .writer
        .execute("UPDATE {p}subscriptions SET client_certificate = $1 WHERE id = 'bad-s'", &[&long])
        .await
        .unwrap();
    let read = world.only_bad_is_lost().await;
    let [(key, reason)] = &read.refused()[..] else { panic!("{:?}", read.refused()) };
    assert!(key.contains("bad-s") && reason.contains("longer than what is read"), "{key}: {reason}");
    assert_eq!(read.state().ids(Kind::Api).len(), 3, "its API is served");
}

async fn l1_a_subscription_of_nothing_is_left_out(world: World) {
    three_apis(&world.writer).await;
    world.sql("UPDATE {p}subscriptions SET api = NULL, reference_id = NULL WHERE id = 'bad-s'").await;
    let read = world.only_bad_is_lost().await;
    assert_eq!(read.state().ids(Kind::Subscription).len(), 2);
    world.sql("UPDATE {p}subscriptions SET reference_type = 'API_PRODUCT' WHERE id = 'bad-s'").await;
    world.only_bad_is_lost().await;
}

/// A payload of 100 MB, made by the database itself.
async fn a_huge_payload(world: World, repeat: &str) {
    three_apis(&world.writer).await;
    world.sql(&format!("UPDATE {{p}}events_latest SET payload = {repeat} WHERE id = 'bad'")).await;
    let read = world.only_bad_is_lost().await;
    let [(key, reason)] = &read.refused()[..] else { panic!("{:?}", read.refused()) };
    assert!(key == "API bad" && reason.contains("100000000 bytes"), "{key}: {reason}");
}

#[tokio::test]
async fn l1_a_payload_of_100_mb_is_refused_on_postgresql() {
    a_huge_payload(World::postgres("payload_of_100_mb").await, "repeat('x', 100000000)").await;
}

#[tokio::test]
async fn l1_a_payload_of_100_mb_is_refused_on_sqlite() {
    a_huge_payload(World::sqlite("payload-of-100-mb").await, "hex(zeroblob(50000000))").await;
}

#[tokio::test]
async fn l1_text_that_is_not_utf_8_is_refused_or_replaced() {
    let world = World::sqlite("not-utf-8").await;
    three_apis(&world.writer).await;
    world.sql("UPDATE {p}events_latest SET payload = CAST(x'7bff7d' AS TEXT) WHERE id = 'bad'").await;
    let read = world.only_bad_is_lost().await;
    let [(key, reason)] = &read.refused()[..] else { panic!("{:?}", read.refused()) };
    assert!(key == "API bad" && reason.contains("UTF-8"), "{key}: {reason}");
    world.sql("UPDATE {p}subscriptions SET client_id = CAST(x'61ff62' AS TEXT) WHERE id = 'one-s'").await;
    let state = world.only_bad_is_lost().await.state();
    assert_eq!(state.payload(Kind::Subscription, "one-s")["clientId"], "a\u{fffd}b");
}

#[tokio::test]
async fn l1_columns_of_wrong_types_lose_only_their_row() {
    // SQLite's columns take anything.
    let world = World::sqlite("wrong-types").await;
    three_apis(&world.writer).await;
    api_with_key(&world.writer, "more").await;
    for statement in [
        "UPDATE {p}events_latest SET payload = x'00ff' WHERE id = 'bad'",
        "UPDATE {p}events_latest SET payload = 7 WHERE id = 'bad'",
        "UPDATE {p}events_latest SET created_at = 'yesterday' WHERE id = 'bad'",
        "UPDATE {p}subscriptions SET updated_at = '2026-99-99 noon', ending_at = x'00' WHERE id = 'bad-s'",
        "UPDATE {p}keys SET updated_at = '2026-99-99 noon', expire_at = 'never' WHERE id = 'bad-k'",
    ] {
        world.sql(statement).await;
        let state = world.only_bad_is_lost().await.state();
        assert!(state.ids(Kind::ApiKey).contains(&"more/more-k".to_owned()), "{statement}");
    }
    for (statement, keys) in [
        ("UPDATE {p}keys SET revoked = 'perhaps' WHERE id = 'more-k'", 0),
        ("UPDATE {p}keys SET revoked = 0, paused = NULL WHERE id = 'more-k'", 1),
        ("UPDATE {p}keys SET paused = 'perhaps' WHERE id = 'more-k'", 0),
    ] {
        world.sql(statement).await;
        let state = world.only_bad_is_lost().await.state();
        let of_more = state.ids(Kind::ApiKey).into_iter().filter(|id| id == "more/more-k");
        assert_eq!(of_more.count(), keys, "{statement}: what is no yes or no revokes");
    }
}
