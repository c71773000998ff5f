//! Z1: the store itself refuses every write but the current primary's, and every write to a store that is not what the
//! writer thinks.

use std::time::Duration;

use zonegate_model::{Revision, StoreId};
use zonegate_sync::port::{Grant, ReadMethod, RenewOutcome, Synced, WriteOutcome, ZoneStore};

use super::support::*;

/// Where a primary believes the store to be.
fn place(primary: &Primary<'_>) -> (StoreId, Revision) {
    primary
        .manifest
        .as_ref()
        .map_or((StoreId(0), Revision(0)), |manifest| (manifest.store, manifest.revision))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z1_a_deposed_primary_cannot_write() {
    for (which, redis) in both() {
        let (old, new) = (store(&redis, "z"), store(&redis, "z"));
        let mut deposed = Primary::new(&old, "old").await;
        deposed.write(vec![api("a")]).await;
        redis.cli(&["DEL", "zonegate:z:lease"]).unwrap();
        let mut current = Primary::new(&new, "new").await;
        assert_eq!(current.grant.epoch, deposed.grant.epoch.next(), "{which}");
        (current.manifest, current.rows) = (deposed.manifest.clone(), deposed.rows.clone());

        let WriteOutcome::Fenced(Some(holder)) = deposed.try_write(vec![api("b")]).await.unwrap() else {
            panic!("{which}: the deposed primary wrote");
        };
        assert_eq!((holder.node, holder.grant), (current.node.clone(), current.grant), "{which}");
        assert!(holder.remaining > Duration::from_secs(1) && holder.remaining <= LONG, "{which}");
        let synced = Synced { from: 1, to: 2, reads: 9 };
        let recorded =
            old.record_synced(deposed.node.clone(), deposed.grant, place(&deposed), synced).await.unwrap();
        assert!(matches!(recorded, WriteOutcome::Fenced(Some(_))), "{which}");
        old.release(deposed.node.clone(), deposed.grant).await.unwrap();
        let renewed = old.renew(deposed.node.clone(), deposed.grant, LONG).await.unwrap();
        assert!(matches!(renewed, RenewOutcome::Lost(Some(_))), "{which}");

        assert_eq!(new.manifest().await.unwrap(), current.manifest, "{which}");
        assert_eq!(read(&new, ReadMethod::Scan).await, vec![api("a")], "{which}");
        current.write(vec![api("c")]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z1_each_part_of_the_grant_counts() {
    let redis = plain();
    let store = store(&redis, "z");
    let mut primary = Primary::new(&store, "n").await;
    primary.write(vec![api("a")]).await;
    let good = primary.batch(vec![api("b")], true);

    let mut other_token = good.clone();
    other_token.grant.token = token();
    let mut other_epoch = good.clone();
    other_epoch.grant = Grant { epoch: good.grant.epoch.next(), token: good.grant.token };
    let mut other_node = good.clone();
    other_node.node = node("m");
    for (what, batch) in [("token", other_token), ("epoch", other_epoch), ("node", other_node)] {
        let outcome = store.write(batch).await.unwrap();
        assert!(matches!(outcome, WriteOutcome::Fenced(Some(_))), "another {what} was let in");
    }
    assert_eq!(store.write(good).await.unwrap(), WriteOutcome::Written);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z1_a_lease_that_ran_out_is_nobodys() {
    let redis = plain();
    let store = store(&redis, "z");
    let mut primary = Primary::new(&store, "n").await;
    primary.write(vec![api("a")]).await;
    redis.cli(&["PEXPIRE", "zonegate:z:lease", "1"]).unwrap();
    eventually("the lease ran out", async || {
        redis.cli(&["EXISTS", "zonegate:z:lease"]).unwrap().integer() == Some(0)
    })
    .await;
    assert_eq!(primary.try_write(vec![api("b")]).await.unwrap(), WriteOutcome::Fenced(None));
    let renewed = store.renew(primary.node.clone(), primary.grant, LONG).await.unwrap();
    assert_eq!(renewed, RenewOutcome::Lost(None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z6_an_emptied_store_takes_no_difference() {
    for (which, redis) in both() {
        let store = store(&redis, "z");
        let mut primary = Primary::new(&store, "n").await;
        primary.write(vec![api("a")]).await;
        redis.cli(&["FLUSHALL"]).unwrap();
        assert_eq!(primary.try_write(vec![api("b")]).await.unwrap(), WriteOutcome::Fenced(None), "{which}");

        primary.grant = lead(&store, "n").await;
        assert_eq!(
            primary.try_write(vec![api("b")]).await.unwrap(),
            WriteOutcome::Unexpected(None),
            "{which}"
        );
        let synced = Synced { from: 1, to: 2, reads: 3 };
        let recorded =
            store.record_synced(primary.node.clone(), primary.grant, place(&primary), synced).await.unwrap();
        assert_eq!(recorded, WriteOutcome::Unexpected(None), "{which}");
        assert_eq!(read(&store, ReadMethod::Scan).await, vec![], "{which}");

        (primary.manifest, primary.rows) = (None, std::collections::BTreeMap::new());
        primary.write(vec![api("a"), api("b")]).await;
        assert_eq!(read(&store, ReadMethod::Index).await, vec![api("a"), api("b")], "{which}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z6_a_rolled_back_or_foreign_store_is_told_from_the_expected_one() {
    let redis = plain();
    let store = store(&redis, "z");
    let mut primary = Primary::new(&store, "n").await;
    primary.write(vec![api("a")]).await;
    let earlier = primary.manifest.clone();
    primary.write(vec![api("b")]).await;
    let later = primary.manifest.clone();

    primary.manifest.clone_from(&earlier);
    assert_eq!(primary.try_write(vec![api("c")]).await.unwrap(), WriteOutcome::Unexpected(later.clone()));
    primary.manifest = None;
    assert_eq!(primary.try_write(vec![api("c")]).await.unwrap(), WriteOutcome::Unexpected(later.clone()));

    redis.cli(&["HSET", "zonegate:z:manifest", "revision", "1"]).unwrap();
    primary.manifest.clone_from(&later);
    let outcome = primary.try_write(vec![api("c")]).await.unwrap();
    assert!(matches!(outcome, WriteOutcome::Unexpected(Some(found)) if found.revision.0 == 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z1_a_full_store_refuses_a_batch_as_a_whole_and_keeps_its_primary() {
    let redis = plain();
    let store = store(&redis, "z");
    let mut primary = Primary::new(&store, "n").await;
    primary.write(vec![api("a")]).await;
    redis.cli(&["CONFIG", "SET", "maxmemory", "1mb"]).unwrap();
    redis.cli(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]).unwrap();
    let error = primary.try_write(vec![api("b"), api("c")]).await.unwrap_err();
    assert_eq!(error.failure, zonegate_sync::port::StoreFailure::Full, "{error}");
    assert_eq!(store.manifest().await.unwrap(), primary.manifest);
    assert_eq!(read(&store, ReadMethod::Scan).await, vec![api("a")]);
    let renewed = store.renew(primary.node.clone(), primary.grant, LONG).await.unwrap();
    assert_eq!(renewed, RenewOutcome::Renewed);
    redis.cli(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    primary.write(vec![api("b"), api("c")]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l1_keys_of_the_wrong_type_are_written_over() {
    let redis = with_search();
    let store = store(&redis, "z");
    let mut primary = Primary::new(&store, "n").await;
    for spoiled in [
        "zonegate:z:manifest",
        "zonegate:z:log",
        "zonegate:z:epoch",
        "distributed_sync_state:z",
        "distributed_event:z:API:a",
    ] {
        redis.cli(&["DEL", spoiled]).unwrap();
        let kind = if spoiled.ends_with("epoch") { ["RPUSH", spoiled, "x"] } else { ["SET", spoiled, "x"] };
        redis.cli(&kind).unwrap();
    }
    primary.write(vec![api("a")]).await;
    redis.cli(&["DEL", "zonegate:z:lease"]).unwrap();
    redis.cli(&["SET", "zonegate:z:lease", "x"]).unwrap();
    primary.grant = lead(&store, "n").await;
    primary.write(vec![api("b")]).await;
    assert_eq!(read(&store, ReadMethod::Scan).await, vec![api("a"), api("b")]);
    assert_eq!(store.manifest().await.unwrap(), primary.manifest);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_are_given_again_to_a_server_that_forgot_them() {
    let redis = plain();
    let store = store(&redis, "z");
    let mut primary = Primary::new(&store, "n").await;
    primary.write(vec![api("a")]).await;
    redis.cli(&["SCRIPT", "FLUSH"]).unwrap();
    primary.write(vec![api("b")]).await;
    assert_eq!(store.renew(primary.node.clone(), primary.grant, LONG).await.unwrap(), RenewOutcome::Renewed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_synced_is_recorded_for_us_and_for_apim() {
    let redis = plain();
    let store = store(&redis, "z");
    let mut primary = Primary::new(&store, "n").await;
    assert_eq!(store.apim_state().await.unwrap(), None);
    primary.write(vec![api("a")]).await;
    let synced = Synced { from: 5000, to: 6000, reads: 7 };
    let recorded =
        store.record_synced(primary.node.clone(), primary.grant, place(&primary), synced).await.unwrap();
    assert_eq!(recorded, WriteOutcome::Written);
    assert_eq!(store.manifest().await.unwrap().unwrap().synced, synced);
    let state = || {
        let words = ["HMGET", "distributed_sync_state:z", "clusterId", "nodeId", "from", "to"];
        redis.cli(&words).unwrap().texts()
    };
    assert_eq!(state(), ["z", "n", "5000", "6000"]);
    assert_eq!(store.apim_state().await.unwrap(), None, "our own record was taken for APIM's");
    redis.cli(&["DEL", "zonegate:z:epoch"]).unwrap();
    assert_eq!(store.apim_state().await.unwrap(), Some(Synced { reads: 0, ..synced }));

    // Another filling, or another revision, is not what was read up to then.
    let (id, revision) = place(&primary);
    for elsewhere in [(StoreId(id.0 ^ 1), revision), (id, revision.next())] {
        let later = Synced { from: 6000, to: 7000, reads: 8 };
        let recorded =
            store.record_synced(primary.node.clone(), primary.grant, elsewhere, later).await.unwrap();
        assert!(matches!(recorded, WriteOutcome::Unexpected(Some(_))), "recorded for {elsewhere:?}");
    }
    assert_eq!(store.manifest().await.unwrap().unwrap().synced, synced);

    // Between two batches of one change the zone is not whole, and APIM's state must not say it was.
    let mut partial = primary.batch(vec![api("b")], true);
    partial.manifest.whole = primary.manifest.as_ref().unwrap().whole;
    partial.manifest.synced = Synced { from: 6000, to: 7000, reads: 8 };
    assert_eq!(store.write(partial).await.unwrap(), WriteOutcome::Written);
    assert_eq!(state(), ["z", "n", "5000", "6000"]);
}
