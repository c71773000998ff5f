//! Ids are opaque (S6), whatever the columns take for equal: MariaDB's ignore case, accents and trailing blanks.

use std::collections::HashMap;

use zonegate_management_writer::{ApiSpec, KeySpec, PlanSpec, SubscriptionSpec, SubscriptionStatus};
use zonegate_model::Kind;
use zonegate_repository::{Bulk, EnvironmentFilter, Settings};

use crate::world::{State, World, on_each_engine, read_all, read_changes, read_index, read_window};

const UPSTREAM: &str = "http://127.0.0.1:1";

on_each_engine!(
    s6_what_belongs_to_a_similar_id_belongs_to_nobody,
    s6_a_record_of_a_similar_environment_is_not_selected,
    s6_pages_in_an_order_without_case_and_accents_lose_nothing,
    s6_an_id_that_no_column_can_hold_takes_nothing_else_along,
    a_window_ends_where_it_should_whatever_the_ids_are,
);

/// What has no time of its own is in no window.
fn timed(mut state: State) -> State {
    state.0.retain(|key, _| key.kind != Kind::NodeMetadata);
    state.1.retain(|key, _| key.kind != Kind::NodeMetadata);
    state
}

async fn s6_what_belongs_to_a_similar_id_belongs_to_nobody(world: World) {
    let writer = &world.writer;
    let plans = ["plan", "other"].map(PlanSpec::api_key);
    let api = plans.into_iter().fold(ApiSpec::v4("api", "/api", UPSTREAM), ApiSpec::plan);
    writer.deploy_api(&api).await.unwrap();
    writer.create_subscription(&SubscriptionSpec::new("s", "api", "plan")).await.unwrap();
    for (number, plan) in ["PLAN", "plan ", "plàn"].into_iter().enumerate() {
        let id = format!("plan-{number}");
        writer.create_subscription(&SubscriptionSpec::new(&id, "api", plan)).await.unwrap();
        writer.create_key(&KeySpec::new(format!("of-{id}"), &id, &id)).await.unwrap();
    }
    for (number, scope) in ["API", "api ", "ápi"].into_iter().enumerate() {
        let id = format!("scope-{number}");
        writer.create_subscription(&SubscriptionSpec::new(&id, scope, "plan")).await.unwrap();
    }
    for (number, subscription) in ["S", "s ", "š"].into_iter().enumerate() {
        let id = format!("key-{number}");
        writer.create_key(&KeySpec::new(&id, &id, subscription)).await.unwrap();
    }
    writer.create_key(&KeySpec::new("key", "key", "s")).await.unwrap();
    writer
        .execute("UPDATE {p}key_subscriptions SET key_id = $1 WHERE key_id = $2", &["KEY-0", "key-0"])
        .await
        .unwrap();
    // A word that is none of APIM's.
    let almost = SubscriptionSpec {
        status: SubscriptionStatus::Accepted,
        ..SubscriptionSpec::new("almost", "api", "plan")
    };
    writer.create_subscription(&almost).await.unwrap();
    writer.execute("UPDATE {p}subscriptions SET status = 'accepted' WHERE id = 'almost'", &[]).await.unwrap();

    let state = timed(world.read_all().await.state());
    assert_eq!(
        (state.ids(Kind::Subscription), state.ids(Kind::ApiKey)),
        (vec!["api/s".to_owned()], vec!["api/key".to_owned()])
    );
    assert_eq!(read_changes(&world.reader()).await.state(), state);
    let keys = read_index(&world.reader()).await.ids(Kind::ApiKey);
    assert!(keys.contains(&"api/key".to_owned()) && !keys.iter().any(|id| id.contains("/key-")), "{keys:?}");
}

async fn s6_a_record_of_a_similar_environment_is_not_selected(mut world: World) {
    let writer = &world.writer;
    for id in ["mine", "other"] {
        writer.deploy_api(&ApiSpec::v4(id, format!("/{id}"), UPSTREAM).api_key()).await.unwrap();
        let plan = format!("{id}-api-key");
        writer.create_subscription(&SubscriptionSpec::new(format!("{id}-s"), id, plan)).await.unwrap();
        writer.create_key(&KeySpec::new(format!("{id}-k"), id, format!("{id}-s"))).await.unwrap();
    }
    writer.create_subscription(&SubscriptionSpec::new("similar", "mine", "mine-api-key")).await.unwrap();
    for (table, column, id) in
        [("events_latest_environments", "event_id", "other"), ("subscriptions", "id", "similar")]
    {
        let sql = format!("UPDATE {{p}}{table} SET environment_id = 'Default' WHERE {column} = $1");
        writer.execute(&sql, &[id]).await.unwrap();
    }
    world.reading.environments = EnvironmentFilter {
        environments: vec!["DEFAULT".to_owned()],
        environments_are_ids: true,
        ..EnvironmentFilter::default()
    };
    let state = timed(world.read_all().await.state());
    assert_eq!(
        (state.ids(Kind::Api), state.ids(Kind::Subscription)),
        (vec!["mine".to_owned()], vec!["mine/mine-s".to_owned()])
    );
    assert_eq!(read_changes(&world.reader()).await.state(), state);
    assert_eq!(read_index(&world.reader()).await.ids(Kind::Api), ["mine"]);
}

/// Ids that stand in another order by bytes than without case and accents.
const MIXED: [&str; 12] = ["a1", "A2", "b", "B-", "Z", "z-1", "Ä3", "ä4", "é", "e-", "_", "ß"];

async fn s6_pages_in_an_order_without_case_and_accents_lose_nothing(world: World) {
    // All at the same time, so that pages are parted by ids alone.
    let writer = world.writer.at(1_700_000_000_000);
    for id in MIXED {
        writer.deploy_api(&ApiSpec::v4(id, format!("/{id}"), UPSTREAM).api_key()).await.unwrap();
        let plan = format!("{id}-api-key");
        writer.create_subscription(&SubscriptionSpec::new(id, id, plan)).await.unwrap();
        writer.create_key(&KeySpec::new(id, format!("x-{id}"), id)).await.unwrap();
        // Another one whose keys are read with those of the first API.
        writer
            .create_subscription(&SubscriptionSpec::new(format!("{id}-of-b"), "b", "b-api-key"))
            .await
            .unwrap();
        writer.create_key(&KeySpec::new(format!("{id}-of-b"), "x", format!("{id}-of-b"))).await.unwrap();
    }
    let state = timed(world.read_all().await.state());
    assert_eq!(state.ids(Kind::Api).len(), MIXED.len());
    assert_eq!(state.ids(Kind::ApiKey).len(), 2 * MIXED.len());
    for size in [1, 3] {
        let bulk = Bulk { events: size, subscriptions: size, keys: size, key_subscriptions: size + 1 };
        let reader = world.reader_with(Settings { bulk, ..Settings::default() });
        assert_eq!(timed(read_all(&reader).await.state()), state, "{size}");
        assert_eq!(read_changes(&reader).await.state(), state, "{size}");
        read_index(&reader).await.assert_covers(&state, &size.to_string());
    }
}

async fn s6_an_id_that_no_column_can_hold_takes_nothing_else_along(world: World) {
    let writer = &world.writer;
    for id in ["one", "two"] {
        let api = ApiSpec::v4(id, format!("/{id}"), UPSTREAM).api_key();
        writer.deploy_api(&api.plan(PlanSpec::api_key(format!("{id}-\u{1f600}")))).await.unwrap();
        let plan = format!("{id}-api-key");
        writer.create_subscription(&SubscriptionSpec::new(format!("{id}-s"), id, plan)).await.unwrap();
    }
    let only = ApiSpec::v4("only", "/only", UPSTREAM).plan(PlanSpec::api_key("\u{1f600}"));
    writer.deploy_api(&only).await.unwrap();
    for events in [1, 100] {
        let bulk = Bulk { events, ..Bulk::default() };
        let read = read_all(&world.reader_with(Settings { bulk, ..Settings::default() })).await;
        assert_eq!(read.refused(), []);
        assert_eq!(read.state().ids(Kind::Api), ["one", "only", "two"]);
        assert_eq!(read.state().ids(Kind::Subscription), ["one/one-s", "two/two-s"]);
    }
}

async fn a_window_ends_where_it_should_whatever_the_ids_are(world: World) {
    for (at, id) in (1_700_000_000_000..).zip(MIXED) {
        let writer = world.writer.at(at);
        writer.deploy_api(&ApiSpec::v4(id, format!("/{id}"), UPSTREAM).keyless()).await.unwrap();
    }
    let bulk = Bulk { events: 2, ..Bulk::default() };
    let reader = world.reader_with(Settings { bulk, ..Settings::default() });
    let read = read_window(&reader, 1_700_000_000_003, 1_700_000_000_007, HashMap::new()).await;
    let mut expected = MIXED[3..=7].iter().map(|id| format!("event/{id}")).collect::<Vec<_>>();
    expected.sort();
    let mut found = read.stamps().into_keys().map(|id| id.to_string()).collect::<Vec<_>>();
    found.sort();
    assert_eq!(found, expected);
}
