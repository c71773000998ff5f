//! Reading an index and parts: what an audit takes.

use serde_json::json;
use zonegate_management_writer::{
    ApiProductSpec, ApiSpec, KeySpec, ManagementWriter, Overwrite, PlanSpec, SubscriptionSpec,
    SubscriptionStatus,
};
use zonegate_model::{Kind, RecordedAt};
use zonegate_repository::{Bulk, EnvironmentFilter};
use zonegate_sync::port::{Change, IndexSink, Indexed, RepositoryReader, Stopped};

use crate::world::{World, on_each_engine, read_all, read_index, read_parts};

const UPSTREAM: &str = "http://127.0.0.1:1";

async fn api_with_key(writer: &ManagementWriter, id: &str) {
    writer.deploy_api(&ApiSpec::v4(id, format!("/{id}"), UPSTREAM).api_key()).await.unwrap();
    let plan = format!("{id}-api-key");
    writer.create_subscription(&SubscriptionSpec::new(format!("{id}-s"), id, plan)).await.unwrap();
    writer.create_key(&KeySpec::new(format!("{id}-k"), format!("x-{id}"), format!("{id}-s"))).await.unwrap();
}

async fn product_with_key(writer: &ManagementWriter, id: &str) {
    let product =
        ApiProductSpec { id: id.to_owned(), apis: vec![], plans: vec![PlanSpec::api_key(format!("{id}-p"))] };
    writer.deploy_api_product(&product).await.unwrap();
    let subscription =
        SubscriptionSpec { product: true, ..SubscriptionSpec::new(format!("{id}-s"), id, format!("{id}-p")) };
    writer.create_subscription(&subscription).await.unwrap();
    writer.create_key(&KeySpec::new(format!("{id}-k"), "x", format!("{id}-s"))).await.unwrap();
}

on_each_engine!(
    s5_an_index_has_every_active_row_of_a_unit_with_the_time_of_its_record,
    s5_an_index_in_small_pages_has_what_one_in_large_pages_has,
    an_index_has_a_key_under_each_of_its_scopes_once,
    s5_what_was_deleted_from_the_tables_is_not_in_the_index,
    s5_parts_are_all_that_stands_alone_and_the_units_that_are_named,
    an_index_and_parts_are_of_the_environments_that_are_read,
    an_index_ends_with_its_receiver,
    records_without_a_time_are_known_by_one_that_stays,
);

async fn s5_an_index_has_every_active_row_of_a_unit_with_the_time_of_its_record(world: World) {
    let writer = &world.writer;
    for (number, id) in ["one", "two", "three", "stopped"].into_iter().enumerate() {
        api_with_key(&writer.at(1_000 * (number as i64 + 1)), id).await;
    }
    product_with_key(&writer.at(9_000), "prod").await;
    writer.stop_api("stopped").await.unwrap();
    for (id, status) in [("pending", SubscriptionStatus::Pending), ("paused", SubscriptionStatus::Paused)] {
        let subscription = SubscriptionSpec { status, ..SubscriptionSpec::new(id, "one", "one-api-key") };
        writer.create_subscription(&subscription).await.unwrap();
        writer.create_key(&KeySpec::new(format!("{id}-k"), id, id)).await.unwrap();
    }
    for (id, revoke) in [("revoked", true), ("federated", false)] {
        writer.create_key(&KeySpec { federated: !revoke, ..KeySpec::new(id, id, "one-s") }).await.unwrap();
        if revoke {
            writer.revoke_key(id).await.unwrap();
        }
    }
    let (index, state) = (read_index(&world.reader()).await, world.read_all().await.state());
    index.assert_covers(&state, "");
    assert_eq!(index.ids(Kind::Api), ["one", "three", "two"]);
    assert_eq!(index.ids(Kind::ApiProduct), ["prod"]);
    // Whether the API is deployed is not asked: it is suspicious once.
    let subscriptions = ["one/one-s", "prod/prod-s", "stopped/stopped-s", "three/three-s", "two/two-s"];
    assert_eq!(index.ids(Kind::Subscription), subscriptions);
    assert_eq!(index.ids(Kind::ApiKey), subscriptions.map(|id| id.replace("-s", "-k")));
    let at = |kind| {
        index.rows.iter().find(|(key, _)| key.kind == kind && key.unit().is_some_and(|id| &**id == "two"))
    };
    for kind in [Kind::Api, Kind::Subscription, Kind::ApiKey] {
        assert_eq!(at(kind).unwrap().1, &RecordedAt(2_000), "{kind}");
    }
}

async fn s5_an_index_in_small_pages_has_what_one_in_large_pages_has(world: World) {
    for id in 0..7 {
        api_with_key(&world.writer, &format!("api-{id}")).await;
    }
    let large = read_index(&world.reader()).await;
    assert_eq!((large.rows.len(), &large.pushes[..]), (21, &[7, 7, 7][..]));
    for size in [1, 2, 3, 7] {
        let mut reading = world.reading.clone();
        reading.bulk = Bulk { events: size, subscriptions: size, keys: size, key_subscriptions: size };
        let small = read_index(&world.reader_with(reading)).await;
        assert_eq!(small.rows, large.rows, "pages of {size}");
        assert!(small.pushes.iter().all(|pushed| *pushed <= size), "L2: {:?}", small.pushes);
    }
}

async fn an_index_has_a_key_under_each_of_its_scopes_once(world: World) {
    let writer = &world.writer;
    api_with_key(writer, "one").await;
    api_with_key(writer, "two").await;
    writer.create_subscription(&SubscriptionSpec::new("again", "one", "one-api-key")).await.unwrap();
    let closed = SubscriptionSpec {
        status: SubscriptionStatus::Closed,
        ..SubscriptionSpec::new("closed", "two", "two-api-key")
    };
    writer.create_subscription(&closed).await.unwrap();
    let subscriptions = ["one-s", "two-s", "again", "closed"].map(str::to_owned).to_vec();
    writer.create_key(&KeySpec { subscriptions, ..KeySpec::new("shared", "x", "one-s") }).await.unwrap();
    let index = read_index(&world.reader()).await;
    assert_eq!(index.ids(Kind::ApiKey), ["one/one-k", "one/shared", "two/shared", "two/two-k"]);
    assert_eq!(index.pushes.iter().sum::<usize>(), index.rows.len(), "each once");
    index.assert_covers(&world.read_all().await.state(), "");
}

async fn s5_what_was_deleted_from_the_tables_is_not_in_the_index(world: World) {
    let writer = &world.writer;
    for id in ["api", "subscription", "key", "link", "untouched"] {
        api_with_key(writer, id).await;
    }
    let before = read_index(&world.reader()).await;
    for (table, id) in [("events_latest", "api"), ("subscriptions", "subscription-s"), ("keys", "key-k")] {
        writer.remove(table, id).await.unwrap();
    }
    writer.link_key("link-k", &[]).await.unwrap();
    let index = read_index(&world.reader()).await;
    let missing = before.rows.keys().filter(|key| !index.rows.contains_key(key)).map(ToString::to_string);
    let expected = [
        "API api",
        "SUBSCRIPTION subscription-s of subscription",
        "API_KEY key-k of key",
        "API_KEY link-k of link",
        "API_KEY subscription-k of subscription",
    ];
    assert_eq!(missing.collect::<Vec<_>>(), expected);

    let suspicious = ["api", "subscription", "key", "link"];
    let parts = read_parts(&world.reader(), &suspicious).await;
    let mut state = world.read_all().await.state();
    let fresh = state.clone();
    state.apply(&parts.changes);
    state.assert_same(&fresh, "");
    assert_eq!(fresh.ids(Kind::ApiKey), ["untouched/untouched-k"]);
    assert_eq!(fresh.ids(Kind::Api), ["key", "link", "subscription", "untouched"]);
}

async fn s5_parts_are_all_that_stands_alone_and_the_units_that_are_named(world: World) {
    let writer = &world.writer;
    for id in ["one", "two", "stopped", "broken"] {
        api_with_key(writer, id).await;
    }
    product_with_key(writer, "prod").await;
    writer.stop_api("stopped").await.unwrap();
    writer.deploy_raw("broken", "{").await.unwrap();
    writer.publish_dictionary("dict", None, &[]).await.unwrap();
    writer.publish_dictionary("gone", None, &[]).await.unwrap();
    writer.unpublish_dictionary("gone").await.unwrap();
    writer.publish_organization("DEFAULT", json!([])).await.unwrap();
    writer.create_access_point("ap", "DEFAULT", "x.example.com").await.unwrap();
    writer.set_license("DEFAULT", "licence").await.unwrap();

    let parts = read_parts(&world.reader(), &["two", "prod", "stopped", "broken", "never"]).await;
    let scopes = parts.changes.iter().filter_map(|change| match &change.change {
        Change::Scope { id, rows } => Some((id.to_string(), rows.len())),
        _ => None,
    });
    let mut scopes = scopes.collect::<Vec<_>>();
    scopes.sort();
    let expected = [("never", 0), ("prod", 3), ("stopped", 0), ("two", 3)];
    assert_eq!(scopes, expected.map(|(id, rows)| (id.to_owned(), rows)));
    assert_eq!(parts.refused().len(), 1, "S3: {:?}", parts.refused());
    let (state, fresh) = (parts.state(), world.read_all().await.state());
    for (key, text) in fresh.0.iter().filter(|(key, _)| key.unit().is_none_or(|unit| &**unit != "one")) {
        assert_eq!(state.0.get(key), Some(text), "{key}");
    }
    assert_eq!(state.0.len(), fresh.0.len() - 3);
    assert!(state.ids(Kind::Dictionary) == ["dict"] && state.ids(Kind::NodeMetadata).len() == 1);
}

async fn an_index_and_parts_are_of_the_environments_that_are_read(world: World) {
    let writer = &world.writer;
    writer.create_environment("PROD", Some("prod"), "DEFAULT").await.unwrap();
    api_with_key(writer, "dev").await;
    let api = ApiSpec::v4("prod", "/prod", UPSTREAM).api_key().environment("PROD");
    writer.deploy_api(&api).await.unwrap();
    let subscription = SubscriptionSpec {
        environment: "PROD".to_owned(),
        ..SubscriptionSpec::new("prod-s", "prod", "prod-api-key")
    };
    writer.create_subscription(&subscription).await.unwrap();
    writer.create_key(&KeySpec::new("prod-k", "x", "prod-s")).await.unwrap();
    let mut reading = world.reading.clone();
    reading.environments =
        EnvironmentFilter { environments: vec!["prod".to_owned()], ..EnvironmentFilter::default() };
    let reader = world.reader_with(reading);
    let index = read_index(&reader).await;
    assert_eq!(index.ids(Kind::Api), ["prod"]);
    assert_eq!(index.ids(Kind::Subscription), ["prod/prod-s"]);
    assert_eq!(index.ids(Kind::ApiKey), ["prod/prod-k"]);
    let parts = read_parts(&reader, &["dev", "prod"]).await;
    assert_eq!(parts.state().ids(Kind::Api), ["prod"]);
    assert!(parts.changes.iter().any(
        |change| matches!(&change.change, Change::Scope { id, rows } if &**id == "dev" && rows.is_empty())
    ));
    assert_eq!(parts.state(), read_all(&reader).await.state());
}

struct Stopping(usize);

impl IndexSink for Stopping {
    async fn push(&mut self, _: Vec<Indexed>) -> Result<(), Stopped> {
        self.0 += 1;
        Err(Stopped)
    }
}

async fn an_index_ends_with_its_receiver(world: World) {
    api_with_key(&world.writer, "api").await;
    let reader = world.reader();
    let mut sink = Stopping(0);
    assert_eq!(reader.read_index(&mut sink).await, Ok(()));
    assert_eq!(sink.0, 1);
    assert_eq!(read_index(&reader).await.rows.len(), 3);
}

async fn records_without_a_time_are_known_by_one_that_stays(world: World) {
    api_with_key(&world.writer, "api").await;
    for table in ["subscriptions", "keys"] {
        world.writer.overwrite(table, None, "updated_at", Overwrite::Nothing).await.unwrap();
    }
    let (index, state) = (read_index(&world.reader()).await, world.read_all().await.state());
    assert_eq!(state.ids(Kind::ApiKey), ["api/api-k"]);
    index.assert_covers(&state, "");
}
