//! Lists in pages, where nothing but ids tells records apart, and where all of a page cannot be read.

use mongodb::bson::{DateTime, Document, doc, oid::ObjectId};
use zonegate_management_writer::{ApiSpec, KeySpec, SubscriptionSpec};
use zonegate_model::Kind;
use zonegate_repository::Bulk;

use crate::world::{World, on_each_engine, read_changes, read_index};

const UPSTREAM: &str = "http://127.0.0.1:1";

on_each_engine!(
    many_records_of_one_moment_are_all_found,
    what_cannot_be_read_does_not_end_a_list,
    licences_are_paged_by_the_organization_in_their_id,
);

async fn many_records_of_one_moment_are_all_found(mut world: World) {
    for (at, count) in [(1_000, 3), (2_000, 11), (3_000, 1)] {
        let writer = world.writer.at(at);
        for number in 0..count {
            let id = format!("{at}-{number}");
            writer.deploy_api(&ApiSpec::v4(&id, format!("/{id}"), UPSTREAM).api_key()).await.unwrap();
            let plan = format!("{id}-api-key");
            writer.create_subscription(&SubscriptionSpec::new(format!("s-{id}"), &id, plan)).await.unwrap();
            writer.create_key(&KeySpec::new(format!("k-{id}"), &id, format!("s-{id}"))).await.unwrap();
        }
    }
    for size in [1, 2, 4, 11, 100] {
        world.reading.bulk = Bulk { events: size, subscriptions: size, keys: size, key_subscriptions: size };
        let state = world.read_all().await.state();
        for kind in [Kind::Api, Kind::Subscription, Kind::ApiKey] {
            assert_eq!(state.ids(kind).len(), 15, "{kind:?} in pages of {size}");
        }
        let changes = read_changes(&world.reader()).await;
        assert_eq!(changes.state().ids(Kind::ApiKey).len(), 15);
        assert_eq!(changes.stamps().len(), 45, "pages of {size}");
        read_index(&world.reader()).await.assert_covers(&state, "");
    }
}

async fn what_cannot_be_read_does_not_end_a_list(mut world: World) {
    world.reading.bulk.events = 2;
    let points = world.collection("access_points");
    let time = |millis| DateTime::from_millis(millis);
    // A page of 500, and none of them has a host.
    let without_host = (0..520).map(|number| {
        doc! { "_id": format!("{number:04}"), "referenceType": "ENVIRONMENT", "referenceId": "DEFAULT",
        "target": "GATEWAY", "status": "CREATED", "updatedAt": time(1) }
    });
    points.insert_many(without_host).await.unwrap();
    world.writer.create_access_point("last", "DEFAULT", "x.example.com").await.unwrap();
    let events = world.collection("events_latest");
    // Ids that are no texts stand before and after those that are, and are nobody's.
    let odd: [Document; 3] = [
        doc! { "_id": 5, "type": "PUBLISH_API", "updatedAt": time(1) },
        doc! { "_id": ObjectId::new(), "type": "PUBLISH_API", "updatedAt": time(1) },
        doc! { "_id": true, "type": "PUBLISH_API", "updatedAt": time(1) },
    ];
    events.insert_many(odd).await.unwrap();
    world.writer.deploy_api(&ApiSpec::v4("api", "/api", UPSTREAM).keyless()).await.unwrap();

    let read = world.read_all().await;
    assert_eq!(read.state().ids(Kind::AccessPoint), ["last"]);
    assert_eq!(read.state().ids(Kind::Api), ["api"]);
    assert_eq!(read.refused(), []);
}

async fn licences_are_paged_by_the_organization_in_their_id(world: World) {
    let licences = (0..1_100).map(|number| {
        doc! { "_id": { "referenceId": format!("org-{number:04}"), "referenceType": "ORGANIZATION" },
            "license": "bGljZW5jZQ==", "createdAt": DateTime::from_millis(7), "updatedAt": DateTime::from_millis(7) }
    });
    world.collection("licenses").insert_many(licences).await.unwrap();
    world.writer.set_license("DEFAULT", "one").await.unwrap();
    world.writer.set_license("DEFAULT", "two").await.unwrap();
    let other = doc! { "_id": { "referenceId": "p", "referenceType": "PLATFORM" }, "license": "x",
    "updatedAt": DateTime::from_millis(7) };
    world.collection("licenses").insert_one(other).await.unwrap();
    let state = world.read_all().await.state();
    assert_eq!(state.ids(Kind::License).len(), 1_101);
    assert!(state.0.iter().any(|(key, text)| *key.id == *"DEFAULT" && text == "two"));
}
