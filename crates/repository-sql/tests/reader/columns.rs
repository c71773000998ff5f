//! What only a repository in tables can be like: texts of any length, properties that come later than their event, times
//! without a zone. And how much is read at once.

use std::collections::HashMap;

use chrono::FixedOffset;
use zonegate_management_writer::{ApiSpec, FillSpec, SubscriptionSpec};
use zonegate_model::Kind;

use crate::everything::api_with_key;
use crate::world::{World, on_each_engine, read_index, read_window};

const UPSTREAM: &str = "http://127.0.0.1:1";

on_each_engine!(
    l1_a_payload_beyond_the_limit_is_refused_without_being_read,
    an_event_whose_properties_come_late_is_waited_for,
    times_are_read_in_the_writers_zone,
    windows_are_in_the_writers_zone,
    a_zone_with_summer_time_loses_nothing_when_the_clock_is_set,
);

async fn l1_a_payload_beyond_the_limit_is_refused_without_being_read(world: World) {
    api_with_key(&world.writer, "good").await;
    world.writer.deploy_raw("huge", &"x".repeat(33 * 1024 * 1024)).await.unwrap();
    let read = world.read_all().await;
    assert_eq!(read.state().ids(Kind::Api), ["good"]);
    let [(key, reason)] = &read.refused()[..] else { panic!("{:?}", read.refused()) };
    assert_eq!(key, "API huge");
    assert!(reason.contains("34603008 bytes"), "{reason}");
}

async fn an_event_whose_properties_come_late_is_waited_for(world: World) {
    api_with_key(&world.writer, "api").await;
    let mut events = "DELETE FROM {p}events_latest_properties WHERE event_id = $1";
    world.writer.execute(events, &["api"]).await.unwrap();
    let writer = world.writer.clone();
    let late = tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
        let insert = "INSERT INTO {p}events_latest_properties VALUES ($1, 'deployment_number', '7')";
        writer.execute(insert, &["api"]).await.unwrap();
    });
    let read = world.read_all().await;
    late.await.unwrap();
    assert_eq!(read.state().payload(Kind::Api, "api")["revision"], "7");
    let settled = read.stamps()["event/api"];

    // Where they never come, the event counts all the same, but as a version that is to be read again.
    events = "DELETE FROM {p}events_latest_properties";
    world.writer.execute(events, &[]).await.unwrap();
    let read = world.read_all().await;
    assert_eq!(read.state().ids(Kind::Api), ["api"]);
    assert_eq!(read.stamps()["event/api"], settled - 1);
}

async fn times_are_read_in_the_writers_zone(mut world: World) {
    let zone = FixedOffset::east_opt(5 * 3600 + 1800).unwrap();
    let writer = world.writer.clone().in_zone(zone).at(1_767_225_600_123);
    writer.deploy_api(&ApiSpec::v4("api", "/api", UPSTREAM).api_key()).await.unwrap();
    let subscription = SubscriptionSpec {
        starting_at: Some(1_767_000_000_000),
        ..SubscriptionSpec::new("s", "api", "api-api-key")
    };
    writer.create_subscription(&subscription).await.unwrap();
    world.settings.zone = Some("+05:30".parse().unwrap());
    let read = world.read_all().await;
    assert_eq!(read.stamps()["event/api"], 1_767_225_600_123);
    let state = read.state();
    assert_eq!(state.payload(Kind::Api, "api")["deployedAt"], 1_767_225_600_123_i64);
    assert_eq!(state.payload(Kind::Subscription, "s")["startingAt"], 1_767_000_000_000_i64);
}

async fn windows_are_in_the_writers_zone(mut world: World) {
    const NOON: i64 = 1_782_907_200_000;
    for (setting, offset) in [("+05:30", 19_800), ("-03:00", -10_800), ("America/New_York", -14_400)] {
        let zone = FixedOffset::east_opt(offset).unwrap();
        let writer = world.writer.clone().in_zone(zone).at(NOON);
        let api = ApiSpec::v4("api", "/api", UPSTREAM).api_key();
        writer.deploy_api(&api).await.unwrap();
        world.settings.zone = Some(setting.parse().unwrap());
        let reader = world.reader();
        for (from, to, found) in
            [(NOON, NOON, true), (NOON - 60_000, NOON - 1, false), (NOON + 1, NOON + 60_000, false)]
        {
            let read = read_window(&reader, from, to, HashMap::new()).await;
            assert_eq!(!read.state().ids(Kind::Api).is_empty(), found, "{setting} {from}");
        }
        assert_eq!(read_index(&reader).await.rows.values().next().unwrap().0, NOON, "{setting}");
    }
}

async fn a_zone_with_summer_time_loses_nothing_when_the_clock_is_set(mut world: World) {
    // In Paris, 03:00 became 02:00 at 01:00 UTC: what was written before and after looks as if in another order.
    const SET_BACK: i64 = 1_792_890_000_000;
    let summer = FixedOffset::east_opt(7_200).unwrap();
    let winter = FixedOffset::east_opt(3_600).unwrap();
    for (id, at, zone) in [("before", SET_BACK - 600_000, summer), ("after", SET_BACK + 600_000, winter)] {
        let writer = world.writer.clone().in_zone(zone).at(at);
        writer.deploy_api(&ApiSpec::v4(id, format!("/{id}"), UPSTREAM).keyless()).await.unwrap();
    }
    world.settings.zone = Some("Europe/Paris".parse().unwrap());
    let reader = world.reader();
    let read = read_window(&reader, SET_BACK - 1_200_000, SET_BACK + 1_200_000, HashMap::new()).await;
    assert_eq!(read.state().ids(Kind::Api), ["after", "before"]);
    for (from, to) in [(SET_BACK - 700_000, SET_BACK + 1), (SET_BACK - 1, SET_BACK + 700_000)] {
        let read = read_window(&reader, from, to, HashMap::new()).await;
        assert_eq!(read.state().ids(Kind::Api).len(), 2, "wide enough for both readings");
    }
}

#[tokio::test]
async fn l2_many_subscriptions_of_a_few_apis_are_read_api_by_api() {
    let world = World::postgres("l2_many_subscriptions").await;
    let fill = FillSpec {
        apis: 3,
        subscriptions_per_api: 9_000,
        name: "filled".to_owned(),
        target: UPSTREAM.to_owned(),
    };
    world.writer.fill(&fill).await.unwrap();
    let state = world.read_all().await.state();
    assert_eq!(state.ids(Kind::Api).len(), 3);
    assert_eq!(state.ids(Kind::Subscription).len(), 27_000);
    assert_eq!(state.ids(Kind::ApiKey).len(), 27_000);
}
