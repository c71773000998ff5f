//! Documents as APIM writes them, and as it never would (L1).

use mongodb::bson::{Binary, Bson, Document, doc, spec::BinarySubtype};
use serde_json::json;
use zonegate_management_writer::{ApiSpec, KeySpec, SubscriptionSpec};
use zonegate_model::Kind;
use zonegate_repository::EnvironmentFilter;
use zonegate_sync::port::RepositoryReader;

use crate::everything::api_with_key;
use crate::world::{Read, World, on_each_engine, read_all, read_changes, read_index};

const UPSTREAM: &str = "http://127.0.0.1:1";

on_each_engine!(
    l1_an_event_of_fifteen_megabytes_is_read,
    l1_events_with_fields_of_other_types_harm_nobody,
    l1_subscriptions_and_keys_with_fields_of_other_types_harm_nobody,
    l1_what_is_too_long_is_refused_and_not_kept,
    events_without_environments_are_for_all,
    nothing_is_written_and_no_index_is_created,
);

async fn set(world: &World, collection: &str, id: &str, fields: Document) {
    let collection = world.collection(collection);
    let changed = collection.update_one(doc! { "_id": id }, doc! { "$set": fields }).await.unwrap();
    assert_eq!(changed.matched_count, 1, "{id}");
}

async fn l1_an_event_of_fifteen_megabytes_is_read(world: World) {
    api_with_key(&world.writer, "small").await;
    let big = ApiSpec::v4("big", "/big", UPSTREAM).keyless().property("p", &"x".repeat(15 << 20));
    world.writer.deploy_api(&big).await.unwrap();
    let read = world.read_all().await;
    assert_eq!(read.state().ids(Kind::Api), ["big", "small"]);
    let text = read.state().payload(Kind::Api, "big").to_string();
    assert!(text.len() > 15 << 20);
}

async fn l1_events_with_fields_of_other_types_harm_nobody(world: World) {
    let ids = ["good", "document", "number", "binary", "texts", "no-type", "no-time", "text-time", "null"];
    for id in ids {
        api_with_key(&world.writer, id).await;
    }
    let binary = Binary { subtype: BinarySubtype::Generic, bytes: vec![0xff, 0xfe] };
    set(&world, "events_latest", "document", doc! { "payload": { "definition": "{}" } }).await;
    set(&world, "events_latest", "number", doc! { "payload": 17 }).await;
    set(&world, "events_latest", "binary", doc! { "payload": binary }).await;
    let odd = doc! { "createdAt": "2026-01-02T03:04:05.678Z", "environments": "DEFAULT", "organizations": 3,
    "properties": { "api_id": "texts", "deployment_number": 42_i64, "user": [1, 2], "id": Bson::Null } };
    set(&world, "events_latest", "texts", odd).await;
    set(&world, "events_latest", "no-type", doc! { "type": Bson::Null }).await;
    set(&world, "events_latest", "no-time", doc! { "updatedAt": Bson::Null }).await;
    // APIM's own query does not find it either: a date is compared with dates only.
    set(&world, "events_latest", "text-time", doc! { "updatedAt": "2026-01-02T03:04:05.678Z" }).await;
    set(&world, "events_latest", "null", doc! { "payload": Bson::Null, "properties": "none" }).await;

    let read = world.read_all().await;
    let state = read.state();
    assert_eq!(state.ids(Kind::Api), ["good", "texts"]);
    let texts = state.payload(Kind::Api, "texts");
    assert_eq!((&texts["revision"], &texts["deployedAt"]), (&json!("42"), &json!(1_767_323_045_678_i64)));
    let refused = read.refused();
    let refused = refused.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>();
    assert_eq!(refused, ["API document", "API number", "API binary", "API null"]);
    read_index(&world.reader()).await.assert_covers(&state, "");
    assert_eq!(read_changes(&world.reader()).await.state().ids(Kind::Api), ["good", "texts"]);
}

async fn l1_subscriptions_and_keys_with_fields_of_other_types_harm_nobody(world: World) {
    let ids = ["good", "odd", "no-plan", "no-status", "no-key", "many"];
    for id in ids {
        api_with_key(&world.writer, id).await;
    }
    let odd = doc! { "startingAt": "2026-01-02T03:04:05.678Z", "endingAt": 5_000_000_000_000_i64, "clientId": 12,
    "metadata": { "text": "t", "number": 1, "list": [], "nothing": Bson::Null }, "configuration": { "a": 1 },
    "clientCertificate": true, "updatedAt": "yesterday" };
    set(&world, "subscriptions", "odd-s", odd).await;
    set(
        &world,
        "keys",
        "odd-k",
        doc! { "expireAt": 9.0, "revoked": Bson::Null, "paused": 0, "application": [] },
    )
    .await;
    set(&world, "subscriptions", "no-plan-s", doc! { "plan": Bson::Null }).await;
    set(&world, "subscriptions", "no-status-s", doc! { "status": ["ACCEPTED"] }).await;
    set(&world, "keys", "no-key-k", doc! { "key": Bson::Null }).await;
    set(&world, "keys", "many-k", doc! { "subscriptions": ["many-s", 3, Bson::Null, "many-s", "nobody"] })
        .await;

    for read in [world.read_all().await, read_changes(&world.reader()).await] {
        let state = read.state();
        assert_eq!(read.refused(), []);
        let subscriptions = ["good/good-s", "many/many-s", "no-key/no-key-s", "odd/odd-s"];
        assert_eq!(state.ids(Kind::Subscription), subscriptions);
        assert_eq!(state.ids(Kind::ApiKey), ["good/good-k", "many/many-k", "odd/odd-k"]);
        let odd = state.payload(Kind::Subscription, "odd-s");
        assert_eq!((&odd["startingAt"], &odd["clientId"]), (&json!(1_767_323_045_678_i64), &json!("12")));
        assert_eq!(odd["metadata"], json!({ "text": "t", "number": "1" }));
        assert_eq!(state.payload(Kind::ApiKey, "odd-k")["expireAt"], 9);
    }
}

async fn l1_what_is_too_long_is_refused_and_not_kept(world: World) {
    for id in ["good", "certificate", "metadata"] {
        api_with_key(&world.writer, id).await;
    }
    let long = "x".repeat(300 * 1024);
    set(&world, "subscriptions", "certificate-s", doc! { "clientCertificate": &long }).await;
    set(&world, "subscriptions", "metadata-s", doc! { "metadata": { "a": &long } }).await;
    let read = world.read_all().await;
    assert_eq!(read.state().ids(Kind::Subscription), ["good/good-s"]);
    let refused = read.refused();
    assert_eq!(refused.len(), 2, "{:?}", refused.iter().map(|(key, _)| key).collect::<Vec<_>>());
    assert!(refused.iter().all(|(_, reason)| reason.len() < 500));
}

async fn events_without_environments_are_for_all(mut world: World) {
    world.writer.create_environment("PROD", Some("prod"), "DEFAULT").await.unwrap();
    for id in ["absent", "null", "empty", "prod", "both", "default"] {
        let event = zonegate_management_writer::EventRow {
            environments: match id {
                "prod" => vec!["PROD".to_owned()],
                "both" => vec!["DEFAULT".to_owned(), "PROD".to_owned()],
                "default" => vec!["DEFAULT".to_owned()],
                _ => Vec::new(),
            },
            ..zonegate_management_writer::EventRow::new(
                id,
                zonegate_management_writer::EventType::PublishDictionary,
                "dictionary_id",
                Some(json!({ "id": id }).to_string()),
            )
        };
        world.writer.write_event(&event).await.unwrap();
    }
    world.writer.forget_environments("absent").await.unwrap();
    set(&world, "events_latest", "null", doc! { "environments": Bson::Null }).await;
    world.reading.environments =
        EnvironmentFilter { environments: vec!["prod".to_owned()], ..EnvironmentFilter::default() };
    let expected = ["absent", "both", "empty", "null", "prod"];
    assert_eq!(world.read_all().await.state().ids(Kind::Dictionary), expected);
    assert_eq!(read_changes(&world.reader()).await.state().ids(Kind::Dictionary), expected);
}

async fn nothing_is_written_and_no_index_is_created(world: World) {
    // A new installation in whose collections nothing was ever written.
    for collection in ["access_points", "licenses", "keys", "subscriptions"] {
        world.collection(collection).drop().await.unwrap();
    }
    api_with_key(&world.writer, "api").await;
    let database = world.writer.mongodb().unwrap();
    let look = || async {
        let mut found = Vec::new();
        for name in database.list_collection_names().await.unwrap() {
            let collection = world.collection(&name);
            let indexes = collection.list_index_names().await.unwrap();
            found.push((name, indexes, collection.count_documents(doc! {}).await.unwrap()));
        }
        found.sort();
        found
    };
    let before = look().await;
    let reader = world.reader();
    read_all(&reader).await;
    read_changes(&reader).await;
    read_index(&reader).await;
    reader.read_parts(vec!["api".into()], &mut Read::default()).await.unwrap();
    assert_eq!(look().await, before);
}

#[tokio::test]
async fn an_older_installation_is_read_without_what_it_lacks() {
    let world = World::replica_set("older").await;
    let api = ApiSpec::v4("api", "/api", UPSTREAM).api_key();
    world.writer.deploy_api(&api).await.unwrap();
    world.writer.create_subscription(&SubscriptionSpec::new("s", "api", "api-api-key")).await.unwrap();
    world.writer.create_key(&KeySpec::new("k", "secret", "s")).await.unwrap();
    for collection in ["access_points", "licenses", "installation", "organizations"] {
        world.collection(collection).drop().await.unwrap();
    }
    let gone = doc! { "referenceType": "", "referenceId": "", "applicationName": "", "environmentId": "",
    "federated": "", "metadata": "" };
    for collection in ["subscriptions", "keys"] {
        world.collection(collection).update_many(doc! {}, doc! { "$unset": gone.clone() }).await.unwrap();
    }
    world
        .collection("events_latest")
        .update_many(doc! {}, doc! { "$unset": { "organizations": "" } })
        .await
        .unwrap();
    let state = world.read_all().await.state();
    assert_eq!(state.ids(Kind::ApiKey), ["api/k"]);
    assert_eq!(state.ids(Kind::Subscription), ["api/s"]);
    assert_eq!(read_changes(&world.reader()).await.state(), state);
}
