//! Reading what changed in a window.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::json;
use zonegate_management_writer::{
    ApiProductSpec, ApiSpec, KeySpec, ManagementWriter, Overwrite, PlanSpec, SubscriptionSpec,
    SubscriptionStatus,
};
use zonegate_model::{Kind, RowState};
use zonegate_sync::port::Change;

use crate::world::{Read, World, on_each_engine, read_all, read_changes, read_window};

const UPSTREAM: &str = "http://127.0.0.1:1";
/// The first time that MariaDB can tell is a second later than that of other databases.
const SOME_TIME: i64 = 1_000_000_000_000;

/// An API with a subscription and a key, and what a reader knows after having read it.
async fn prepared(world: &World) -> Read {
    let writer = &world.writer;
    writer.deploy_api(&ApiSpec::v4("api", "/api", UPSTREAM).api_key()).await.unwrap();
    writer.create_subscription(&SubscriptionSpec::new("s", "api", "api-api-key")).await.unwrap();
    writer.create_key(&KeySpec::new("k", "secret", "s")).await.unwrap();
    read_all(&world.reader()).await
}

on_each_engine!(
    a_window_has_what_was_updated_in_it_and_both_bounds_belong_to_it,
    s4_what_was_seen_with_the_same_time_is_skipped,
    a_deployed_api_comes_complete_and_a_withdrawn_one_goes,
    a_revoked_key_goes_with_each_of_its_subscriptions,
    a_paused_revoked_resumed_key_does_not_come_back,
    a_subscription_of_a_plan_that_is_not_served_is_removed,
    the_other_kinds_come_and_go,
    a_products_subscriptions_follow_the_product,
    rewritten_definitions_change_which_plans_count,
);

async fn a_window_has_what_was_updated_in_it_and_both_bounds_belong_to_it(world: World) {
    let deploy = |at: i64| {
        let writer = world.writer.at(at);
        async move {
            let id = format!("api-{at}");
            writer.deploy_api(&ApiSpec::v4(&id, format!("/{id}"), UPSTREAM).api_key()).await.unwrap();
            let plan = format!("{id}-api-key");
            writer.create_subscription(&SubscriptionSpec::new(format!("s-{at}"), &id, plan)).await.unwrap();
            writer.create_key(&KeySpec::new(format!("k-{at}"), "x", format!("s-{at}"))).await.unwrap();
        }
    };
    for at in [999, 1_000, 1_500, 2_000, 2_001] {
        deploy(SOME_TIME + at).await;
    }
    let (from, to) = (SOME_TIME + 1_000, SOME_TIME + 2_000);
    let read = read_window(&world.reader(), from, to, HashMap::new()).await;
    let mut stamps = read.stamps().into_iter().collect::<Vec<_>>();
    stamps.sort();
    let expected = ["event/api", "key/k", "subscription/s"]
        .into_iter()
        .flat_map(|record| [from, SOME_TIME + 1_500, to].map(|at| (Arc::from(format!("{record}-{at}")), at)));
    assert_eq!(stamps, expected.collect::<Vec<(Arc<str>, i64)>>());
    let nothing = read_window(&world.reader(), to + 2, i64::MAX, HashMap::new()).await;
    // Only what the fresh installation wrote.
    assert!(nothing.changes.is_empty(), "{:?}", nothing.changes);
}

async fn s4_what_was_seen_with_the_same_time_is_skipped(world: World) {
    prepared(&world).await;
    world.writer.create_access_point("ap", "DEFAULT", "x.example.com").await.unwrap();
    world.writer.set_license("DEFAULT", "licence").await.unwrap();
    let reader = world.reader();
    let first = read_changes(&reader).await;
    assert!(
        ["event/api", "subscription/s", "key/k", "access-point/ap", "license/DEFAULT"]
            .iter()
            .all(|record| first.stamps().contains_key(*record))
    );
    let second = read_window(&reader, 0, i64::MAX, first.stamps()).await;
    assert!(second.changes.is_empty(), "{:?}", second.changes);
    world.writer.revoke_key("k").await.unwrap();
    let third = read_window(&reader, 0, i64::MAX, first.stamps()).await;
    assert_eq!(third.stamps().into_keys().collect::<Vec<_>>(), [Arc::from("key/k")]);
}

async fn a_deployed_api_comes_complete_and_a_withdrawn_one_goes(world: World) {
    let writer = &world.writer;
    let known = prepared(&world).await;
    let reader = world.reader();
    let mut seen = read_changes(&reader).await.stamps();
    let state = known.state();

    writer.deploy_api(&ApiSpec::v4("api", "/moved", UPSTREAM).api_key()).await.unwrap();
    let read = read_window(&reader, 0, i64::MAX, seen.clone()).await;
    let kinds = read.rows_of("event/api").into_iter().map(|row| row.key.kind).collect::<Vec<_>>();
    assert_eq!(kinds, [Kind::Api, Kind::Subscription, Kind::ApiKey]);
    seen.extend(read.stamps());

    for withdraw in ["stop", "undeploy", "delete"] {
        let api = ApiSpec::v4("api", "/api", UPSTREAM).api_key();
        writer.start_api(&api).await.unwrap();
        let read = read_window(&reader, 0, i64::MAX, seen.clone()).await;
        seen.extend(read.stamps());
        let mut after = state.clone();
        after.apply(&read.changes);
        assert_eq!(after.ids(Kind::Api), ["api"]);
        match withdraw {
            "stop" => writer.stop_api("api").await.unwrap(),
            "undeploy" => writer.undeploy_api("api").await.unwrap(),
            _ => writer.delete_api("api").await.unwrap(),
        }
        let read = read_window(&reader, 0, i64::MAX, seen.clone()).await;
        seen.extend(read.stamps());
        assert!(
            read.changes.iter().any(|change| matches!(&change.change, Change::Scope { id, rows } if &**id == "api" && rows.is_empty())),
            "{withdraw}: {:?}", read.changes
        );
        after.apply(&read.changes);
        assert!(after.ids(Kind::Api).is_empty() && after.ids(Kind::ApiKey).is_empty(), "{withdraw}");
    }
}

async fn a_revoked_key_goes_with_each_of_its_subscriptions(world: World) {
    let writer = &world.writer;
    prepared(&world).await;
    writer.deploy_api(&ApiSpec::v2("other", "/other", UPSTREAM).api_key()).await.unwrap();
    writer.create_subscription(&SubscriptionSpec::new("s2", "other", "other-api-key")).await.unwrap();
    let shared =
        KeySpec { subscriptions: vec!["s".to_owned(), "s2".to_owned()], ..KeySpec::new("shared", "x", "s") };
    writer.create_key(&shared).await.unwrap();
    let reader = world.reader();
    let first = read_all(&reader).await;
    let mut state = first.state();
    assert_eq!(state.ids(Kind::ApiKey), ["api/k", "api/shared", "other/shared"]);

    let seen = read_changes(&reader).await.stamps();
    writer.revoke_key("shared").await.unwrap();
    let read = read_window(&reader, 0, i64::MAX, seen).await;
    let rows = read.rows_of("key/shared");
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row.state == RowState::Removed));
    state.apply(&read.changes);
    assert_eq!(state.ids(Kind::ApiKey), ["api/k"]);
    state.assert_same(&world.read_all().await.state(), "");
}

async fn a_paused_revoked_resumed_key_does_not_come_back(world: World) {
    let writer = &world.writer;
    prepared(&world).await;
    writer.create_key(&KeySpec::new("k2", "other", "s")).await.unwrap();
    let reader = world.reader();
    let first = read_all(&reader).await;
    let (mut seen, mut state) = (read_changes(&reader).await.stamps(), first.state());
    assert_eq!(state.ids(Kind::ApiKey), ["api/k", "api/k2"]);

    writer.pause_subscription("s").await.unwrap();
    let read = read_window(&reader, 0, i64::MAX, seen.clone()).await;
    seen.extend(read.stamps());
    state.apply(&read.changes);
    assert!(state.ids(Kind::Subscription).is_empty() && state.ids(Kind::ApiKey).is_empty());

    writer.revoke_key("k").await.unwrap();
    let revoked = read_window(&reader, 0, i64::MAX, seen.clone()).await;
    seen.extend(revoked.stamps());
    state.apply(&revoked.changes);

    // Only the subscription is touched: its keys must be judged with it.
    writer.overwrite("keys", None, "paused", Overwrite::Flag(false)).await.unwrap();
    writer.set_status("s", SubscriptionStatus::Accepted).await.unwrap();
    let resumed = read_window(&reader, 0, i64::MAX, seen.clone()).await;
    state.apply(&resumed.changes);
    assert_eq!(resumed.stamps().into_keys().collect::<Vec<_>>(), [Arc::from("subscription/s")]);
    assert_eq!(state.ids(Kind::Subscription), ["api/s"]);
    assert_eq!(state.ids(Kind::ApiKey), ["api/k2"], "the revoked one stays away, the other is back");
    state.assert_same(&world.read_all().await.state(), "");
}

async fn a_subscription_of_a_plan_that_is_not_served_is_removed(world: World) {
    let writer = &world.writer;
    prepared(&world).await;
    let reader = world.reader();
    let first = read_changes(&reader).await;
    for (id, api, plan) in [("x1", "api", "no-such-plan"), ("x2", "no-such-api", "plan")] {
        writer.create_subscription(&SubscriptionSpec::new(id, api, plan)).await.unwrap();
        writer.create_key(&KeySpec::new(format!("{id}-k"), id, id)).await.unwrap();
    }
    let read = read_window(&reader, 0, i64::MAX, first.stamps()).await;
    for record in ["subscription/x1", "subscription/x2", "key/x1-k", "key/x2-k"] {
        let rows = read.rows_of(record);
        assert!(
            !rows.is_empty() && rows.iter().all(|row| row.state == RowState::Removed),
            "{record}: {rows:?}"
        );
    }
    // Of an API that is not understood nobody knows the plans; what was served stays, and so may this.
    writer.deploy_raw("broken", "{").await.unwrap();
    writer.create_subscription(&SubscriptionSpec::new("x3", "broken", "plan")).await.unwrap();
    let read = read_window(&reader, 0, i64::MAX, first.stamps()).await;
    assert!(matches!(read.rows_of("subscription/x3")[0].state, RowState::Deployed(_)));
    assert_eq!(read.refused().len(), 1);
}

async fn the_other_kinds_come_and_go(world: World) {
    let writer = &world.writer;
    let reader = world.reader();
    writer.publish_dictionary("dict", None, &[("a", "1")]).await.unwrap();
    writer.deploy_shared_policy_group("internal", "cross", "REQUEST", json!([])).await.unwrap();
    writer.publish_organization("DEFAULT", json!([])).await.unwrap();
    writer.create_access_point("ap", "DEFAULT", "x.example.com").await.unwrap();
    writer.set_license("DEFAULT", "one").await.unwrap();
    let first = read_changes(&reader).await;
    let mut state = first.state();
    assert_eq!(state.0.len(), 5);
    let order = first.changes.iter().filter_map(|change| match &change.change {
        Change::Rows(rows) => rows.first().map(|row| row.key.kind),
        _ => None,
    });
    assert!(order.collect::<Vec<_>>().is_sorted());

    writer.unpublish_dictionary("dict").await.unwrap();
    writer.undeploy_shared_policy_group("internal", "cross").await.unwrap();
    writer.delete_access_point("ap").await.unwrap();
    writer.set_license("DEFAULT", "two").await.unwrap();
    let read = read_window(&reader, 0, i64::MAX, first.stamps()).await;
    state.apply(&read.changes);
    assert_eq!(state.0.keys().map(|key| key.kind).collect::<Vec<_>>(), [Kind::License, Kind::Organization]);
    assert!(state.0.values().any(|text| text == "two"));
}

async fn a_products_subscriptions_follow_the_product(world: World) {
    let writer = &world.writer;
    let reader = world.reader();
    let product =
        ApiProductSpec { id: "prod".to_owned(), apis: vec![], plans: vec![PlanSpec::api_key("pp")] };
    writer.deploy_api_product(&product).await.unwrap();
    let first = read_changes(&reader).await;
    let mut state = first.state();
    let subscription = SubscriptionSpec { product: true, ..SubscriptionSpec::new("ps", "prod", "pp") };
    writer.create_subscription(&subscription).await.unwrap();
    writer.create_key(&KeySpec::new("pk", "x", "ps")).await.unwrap();
    let second = read_window(&reader, 0, i64::MAX, first.stamps()).await;
    state.apply(&second.changes);
    assert_eq!(state.ids(Kind::ApiKey), ["prod/pk"]);
    assert_eq!(state.ids(Kind::Subscription), ["prod/ps"]);
    writer.undeploy_api_product("prod").await.unwrap();
    let mut seen = first.stamps();
    seen.extend(second.stamps());
    state.apply(&read_window(&reader, 0, i64::MAX, seen).await.changes);
    assert!(state.0.is_empty(), "{state:?}");
}

async fn rewritten_definitions_change_which_plans_count(world: World) {
    let writer = &world.writer;
    prepared(&world).await;
    let reader = world.reader();
    let mut seen = read_changes(&reader).await.stamps();
    let touch = |writer: ManagementWriter| async move {
        writer.set_status("s", SubscriptionStatus::Accepted).await.unwrap();
    };
    let closed = ApiSpec::v4("api", "/api", UPSTREAM)
        .keyless()
        .plan(PlanSpec::api_key("api-api-key").status("closed"));
    for (api, served) in [(closed, false), (ApiSpec::v4("api", "/api", UPSTREAM).api_key(), true)] {
        let warm = world.reader();
        read_all(&warm).await;
        writer.deploy_api(&api).await.unwrap();
        touch(writer.clone()).await;
        let read = read_window(&reader, 0, i64::MAX, seen.clone()).await;
        seen.extend(read.stamps());
        // Two more learn of the event only by the subscription, since their window begins after it: one that knows
        // the former definition, and one that knows none.
        let at = read.stamps()["subscription/s"];
        let warm = read_window(&warm, at, i64::MAX, HashMap::new()).await;
        let cold = read_window(&world.reader(), at, i64::MAX, HashMap::new()).await;
        for read in [&read, &warm, &cold] {
            let rows = read.rows_of("subscription/s");
            assert_eq!(rows.len(), 2, "with its key");
            assert!(rows.iter().all(|row| (row.state != RowState::Removed) == served), "{rows:?}");
        }
    }
}
