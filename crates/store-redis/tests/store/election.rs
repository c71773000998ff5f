//! The lease: who gets it, for how long, and how it passes on (Z3, P8).

use std::time::Duration;

use zonegate_model::Epoch;
use zonegate_sync::port::{Acquire, AcquireOutcome, LogItem, RenewOutcome, ZoneStore};

use super::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z1_one_node_gets_the_lease_and_the_others_learn_who() {
    for (which, redis) in both() {
        let (a, b) = (store(&redis, "z"), store(&redis, "z"));
        let grant = lead(&a, "a").await;
        let AcquireOutcome::Held(holder) = b.acquire(request("b", LONG)).await.unwrap() else {
            panic!("{which}: two nodes hold the lease");
        };
        assert_eq!((holder.node, holder.grant), (node("a"), grant), "{which}");
        a.release(node("a"), grant).await.unwrap();
        assert_eq!(lead(&b, "b").await.epoch, grant.epoch.next(), "{which}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn z1_of_many_that_ask_at_once_one_gets_it() {
    let redis = plain();
    let asked = (0..16).map(|number| {
        let store = store(&redis, "z");
        tokio::spawn(async move { store.acquire(request(&format!("n{number}"), LONG)).await.unwrap() })
    });
    let mut granted = 0;
    for asked in asked.collect::<Vec<_>>() {
        granted += usize::from(matches!(asked.await.unwrap(), AcquireOutcome::Granted(_)));
    }
    assert_eq!(granted, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn epochs_rise_over_an_emptied_store_and_over_garbage() {
    let redis = plain();
    let store = store(&redis, "z");
    let asked = Acquire { above: Epoch(41), ..request("a", LONG) };
    let AcquireOutcome::Granted(grant) = store.acquire(asked).await.unwrap() else { panic!("held") };
    assert_eq!(grant.epoch, Epoch(42));
    redis.cli(&["FLUSHALL"]).unwrap();
    for garbage in ["1e300", "-5", "nan", "0x10", "", "9007199254740992", "3.5"] {
        redis.cli(&["DEL", "zonegate:z:lease"]).unwrap();
        redis.cli(&["SET", "zonegate:z:epoch", garbage]).unwrap();
        let asked = Acquire { above: Epoch(41), ..request("a", LONG) };
        let AcquireOutcome::Granted(grant) = store.acquire(asked).await.unwrap() else { panic!("held") };
        assert_eq!(grant.epoch, Epoch(42), "over {garbage}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_runs_out_by_the_servers_clock_unless_it_is_renewed() {
    let redis = plain();
    let (a, b) = (store(&redis, "z"), store(&redis, "z"));
    let grant = lead(&a, "a").await;
    for _ in 0..3 {
        redis.cli(&["PEXPIRE", "zonegate:z:lease", "30000"]).unwrap();
        assert_eq!(a.renew(node("a"), grant, LONG).await.unwrap(), RenewOutcome::Renewed);
        let ttl = redis.cli(&["PTTL", "zonegate:z:lease"]).unwrap().integer().unwrap();
        assert!(ttl > 30_000 && ttl <= 60_000, "{ttl}");
    }
    assert_eq!(a.renew(node("a"), grant, Duration::from_millis(400)).await.unwrap(), RenewOutcome::Renewed);
    eventually("the lease passed on", async || {
        matches!(b.acquire(request("b", LONG)).await.unwrap(), AcquireOutcome::Granted(_))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_lost_the_answer_gets_the_lease_again_with_a_new_grant() {
    let redis = plain();
    let store = store(&redis, "z");
    let first = lead(&store, "a").await;
    let second = lead(&store, "a").await;
    assert!(second.epoch > first.epoch);
    assert!(matches!(store.renew(node("a"), first, LONG).await.unwrap(), RenewOutcome::Lost(Some(_))));
    assert_eq!(store.renew(node("a"), second, LONG).await.unwrap(), RenewOutcome::Renewed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z3_a_release_frees_the_lease_at_once_and_shows_in_the_log() {
    let redis = plain();
    let (a, b) = (store(&redis, "z"), store(&redis, "z"));
    let mut primary = Primary::new(&a, "a").await;
    primary.write(vec![api("x")]).await;
    let revision = primary.manifest.as_ref().unwrap().revision;
    let (follower, grant) = (store(&redis, "z"), primary.grant);
    let following = tokio::spawn(async move { follower.follow(revision, PATIENCE).await.unwrap() });
    tokio::time::sleep(Duration::from_millis(50)).await;
    a.release(node("a"), grant).await.unwrap();
    assert_eq!(following.await.unwrap(), vec![LogItem::Released(grant.epoch)]);
    let _ = lead(&b, "b").await;
}

/// Asks for the lease as a follower does that thinks the primary may be dead.
async fn take_from_the_dead(store: &zonegate_store_redis::RedisStore) -> AcquireOutcome {
    store.acquire(Acquire { from_the_dead: true, ..request("b", LONG) }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p8_a_killed_primarys_lease_is_taken_before_it_runs_out_and_a_living_ones_is_not() {
    for (which, redis) in both() {
        let (a, b) = (store(&redis, "z"), store(&redis, "z"));
        let grant = lead(&a, "a").await;
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert!(
            matches!(take_from_the_dead(&b).await, AcquireOutcome::Held(_)),
            "{which}: taken from the living"
        );
        assert_eq!(a.renew(node("a"), grant, LONG).await.unwrap(), RenewOutcome::Renewed, "{which}");

        drop(a);
        eventually("the dead primary's lease is taken", async || {
            matches!(take_from_the_dead(&b).await, AcquireOutcome::Granted(taken) if taken.epoch == grant.epoch.next())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p8_a_primary_that_connects_again_shows_presence_again() {
    let redis = plain();
    let (a, b) = (store(&redis, "z"), store(&redis, "z"));
    let grant = lead(&a, "a").await;
    let channel = format!("zonegate:z:alive:{}", grant.token);
    let subscribers = || {
        redis
            .cli(&["PUBSUB", "NUMSUB", &channel])
            .unwrap()
            .items()
            .get(1)
            .and_then(zonegate_testkit::redis::Value::integer)
    };
    assert_eq!(subscribers(), Some(1));
    redis.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]).unwrap();
    eventually("subscribed again", async || subscribers() == Some(1)).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(matches!(take_from_the_dead(&b).await, AcquireOutcome::Held(_)));

    a.release(node("a"), grant).await.unwrap();
    eventually("unsubscribed", async || subscribers() == Some(0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p8_a_lease_just_renewed_is_not_taken_even_without_presence() {
    let redis = plain();
    let (a, b) = (store(&redis, "z"), store(&redis, "z"));
    let grant = lead(&a, "a").await;
    // As if the connection had broken a moment ago and the next one were not subscribed yet.
    redis.cli(&["HSET", "zonegate:z:lease", "token", &token().to_string()]).unwrap();
    redis.cli(&["PEXPIRE", "zonegate:z:lease", "60000"]).unwrap();
    assert!(matches!(take_from_the_dead(&b).await, AcquireOutcome::Held(_)));
    redis.cli(&["PEXPIRE", "zonegate:z:lease", "59000"]).unwrap();
    let AcquireOutcome::Granted(taken) = take_from_the_dead(&b).await else { panic!("not taken") };
    assert_eq!(taken.epoch, grant.epoch.next());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p8_a_holder_that_could_not_show_presence_is_not_taken_for_dead() {
    let user = zonegate_testkit::redis::AclUser {
        name: "gateway".into(),
        password: "s3cret".into(),
        rules: "~* resetchannels +@all".into(),
    };
    let options =
        zonegate_testkit::redis::RedisOptions { search: false, user: Some(user), ..Default::default() };
    let redis = zonegate_testkit::redis::Redis::start(options).unwrap();
    let login = || zonegate_store_redis::RedisSettings {
        username: Some("gateway".into()),
        password: Some("s3cret".into()),
        ..settings(&redis)
    };
    let [a, b] =
        [(); 2].map(|()| zonegate_store_redis::RedisStore::new(login(), zonegate_model::ZoneName::new("z")));
    let grant = lead(&a, "a").await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(matches!(take_from_the_dead(&b).await, AcquireOutcome::Held(_)));
    assert_eq!(a.renew(node("a"), grant, LONG).await.unwrap(), RenewOutcome::Renewed);
}
