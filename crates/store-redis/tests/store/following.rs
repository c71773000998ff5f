//! The log (Z5).

use std::time::Duration;

use zonegate_model::{Kind, Revision, Row, RowKey, ZoneName};
use zonegate_store_redis::{RedisSettings, RedisStore};
use zonegate_sync::port::{LogItem, ZoneStore};

use super::support::*;

fn committed(items: &[LogItem]) -> Vec<(u64, Option<usize>)> {
    let shown = items.iter().map(|item| match item {
        LogItem::Committed(entry) => (entry.manifest.revision.0, entry.rows.as_ref().map(Vec::len)),
        LogItem::Released(epoch) => (u64::MAX - epoch.0, None),
    });
    shown.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z5_a_commit_is_pushed_with_manifest_and_rows() {
    for (which, redis) in both() {
        let (writer, reader) = (store(&redis, "z"), store(&redis, "z"));
        let mut primary = Primary::new(&writer, "n").await;
        let following = tokio::spawn(async move { reader.follow(Revision(0), PATIENCE).await.unwrap() });
        tokio::time::sleep(Duration::from_millis(50)).await;
        let rows = vec![api("a\n1 2"), key("a:%", "k ü"), removed(&api("gone"))];
        primary.write(rows.clone()).await;
        let items = following.await.unwrap();
        let [LogItem::Committed(entry)] = items.as_slice() else { panic!("{which}: {items:?}") };
        assert_eq!(Some(&entry.manifest), primary.manifest.as_ref(), "{which}");
        assert_eq!(entry.rows.as_ref(), Some(&rows), "{which}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn following_goes_on_where_it_was_and_tells_a_release_once() {
    let redis = plain();
    let (writer, reader) = (store(&redis, "z"), store(&redis, "z"));
    let mut primary = Primary::new(&writer, "n").await;
    for id in ["a", "b", "c"] {
        primary.write(vec![api(id)]).await;
    }
    let soon = Duration::from_millis(20);
    assert_eq!(committed(&reader.follow(Revision(1), soon).await.unwrap()), [(2, Some(1)), (3, Some(1))]);
    assert_eq!(reader.follow(Revision(3), soon).await.unwrap(), []);
    assert_eq!(reader.follow(Revision(3), Duration::ZERO).await.unwrap(), []);
    writer.release(node("n"), primary.grant).await.unwrap();
    assert_eq!(reader.follow(Revision(3), soon).await.unwrap(), [LogItem::Released(primary.grant.epoch)]);
    assert_eq!(reader.follow(Revision(3), soon).await.unwrap(), [], "told once");
    assert_eq!(
        committed(&reader.follow(Revision(2), soon).await.unwrap()).len(),
        2,
        "asked from an earlier place"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_without_rows_says_so_and_a_spoiled_one_is_a_gap() {
    let redis = plain();
    let (writer, reader) = (store(&redis, "z"), store(&redis, "z"));
    let mut primary = Primary::new(&writer, "n").await;
    let batch = primary.batch(vec![api("a")], false);
    writer.write(batch.clone()).await.unwrap();
    (primary.manifest, primary.rows) = (Some(batch.manifest), [(api("a").key, api("a"))].into());
    redis.cli(&["XADD", "zonegate:z:log", "1-9", "garbage", "\u{1}"]).unwrap();
    primary.write(vec![api("b")]).await;
    let items = reader.follow(Revision(0), Duration::from_millis(20)).await.unwrap();
    assert_eq!(committed(&items), [(1, None), (2, Some(1))]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z6_another_filling_of_the_store_starts_another_log() {
    let redis = plain();
    let (writer, reader) = (store(&redis, "z"), store(&redis, "z"));
    let mut primary = Primary::new(&writer, "n").await;
    for id in ["a", "b", "c"] {
        primary.write(vec![api(id)]).await;
    }
    redis.cli(&["DEL", "zonegate:z:manifest"]).unwrap();
    (primary.manifest, primary.rows) = (None, std::collections::BTreeMap::new());
    primary.write(vec![api("a")]).await;
    let items = reader.follow(Revision(0), Duration::from_millis(20)).await.unwrap();
    assert_eq!(committed(&items), [(1, Some(1))]);

    // Also where the revisions go on.
    let mut batch = primary.batch(vec![api("a")], true);
    batch.manifest.store = zonegate_model::StoreId(99);
    batch.manifest.revision = Revision(7);
    writer.write(batch).await.unwrap();
    let items = reader.follow(Revision(0), Duration::from_millis(20)).await.unwrap();
    assert_eq!(committed(&items), [(7, Some(1))]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l2_the_log_is_trimmed() {
    let redis = plain();
    let settings = zonegate_store_redis::RedisSettings { log_length: 10, ..settings(&redis) };
    let store = zonegate_store_redis::RedisStore::new(settings, zonegate_model::ZoneName::new("z"));
    let mut primary = Primary::new(&store, "n").await;
    for _ in 0..400 {
        primary.write(vec![api("a")]).await;
    }
    let length = redis.cli(&["XLEN", "zonegate:z:log"]).unwrap().integer().unwrap();
    assert!((10..300).contains(&length), "{length}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_was_given_up_does_not_block_the_next_one() {
    let redis = plain();
    let (writer, reader) = (store(&redis, "z"), store(&redis, "z"));
    let mut primary = Primary::new(&writer, "n").await;
    // Waits for what never comes, so that no write ends it.
    let given_up =
        tokio::time::timeout(Duration::from_millis(100), reader.follow(Revision(99), PATIENCE)).await;
    assert!(given_up.is_err());
    primary.write(vec![api("a")]).await;
    let mut items = Vec::new();
    let next = tokio::time::timeout(PATIENCE / 2, async {
        while items.is_empty() {
            items = reader.follow(Revision(0), PATIENCE).await.unwrap_or_default();
        }
    });
    assert!(next.await.is_ok(), "blocked behind the call that was given up");
    assert_eq!(committed(&items), [(1, Some(1))]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocked_follower_stalls_no_other_call() {
    let redis = plain();
    let store = std::sync::Arc::new(store(&redis, "z"));
    let follower = std::sync::Arc::clone(&store);
    let following = tokio::spawn(async move { follower.follow(Revision(0), PATIENCE).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut primary = Primary::new(&store, "n").await;
    let calls = tokio::time::timeout(PATIENCE / 2, async {
        store.manifest().await.unwrap();
        primary.write(vec![api("a")]).await;
    });
    assert!(calls.await.is_ok());
    assert_eq!(following.await.unwrap().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l2_the_log_is_bounded_by_bytes_and_keeps_the_newest_entry_whatever_its_size() {
    let redis = plain();
    let settings = RedisSettings { log_bytes: 100_000, ..settings(&redis) };
    let store = RedisStore::new(settings, ZoneName::new("z"));
    let mut primary = Primary::new(&store, "n").await;
    let large = |bytes| Row::deployed(RowKey::new(Kind::Api, "large"), "x".repeat(bytes));
    let revisions = || {
        let entries = redis.cli(&["XRANGE", "zonegate:z:log", "-", "+"]).unwrap();
        let ids = entries.items().iter().map(|entry| entry.items()[0].text().unwrap());
        ids.map(|id| id.split_once('-').unwrap().0.parse().unwrap()).collect::<Vec<u64>>()
    };
    for _ in 0..20 {
        primary.write(vec![large(20_000)]).await;
    }
    assert_eq!(revisions(), [17, 18, 19, 20], "each takes a little more than 20,000 bytes");
    primary.write(vec![large(500_000)]).await;
    assert_eq!(revisions(), [21]);
    primary.write(vec![api("small")]).await;
    assert_eq!(revisions(), [22], "the large one alone is above the bound");
    primary.write(vec![api("small")]).await;
    assert_eq!(revisions(), [22, 23]);
    // Neither a lost nor a spoiled list is in the way of a write.
    for spoil in [vec!["DEL", "zonegate:z:logged"], vec!["SET", "zonegate:z:logged", "x"]] {
        redis.cli(&spoil).unwrap();
        primary.write(vec![api("small")]).await;
    }
    redis.cli(&["ZADD", "zonegate:z:logged", "1e15", "nonsense"]).unwrap();
    primary.write(vec![api("small")]).await;
    assert_eq!(revisions().last(), Some(&26));
    assert_eq!(committed(&store.follow(Revision(25), PATIENCE).await.unwrap()), [(26, Some(1))]);
}
