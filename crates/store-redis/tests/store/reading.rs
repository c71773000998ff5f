//! Reading rows through the index and key by key (C3, C4, L1).

use zonegate_model::{Kind, RecordedAt, Revision, Row, RowKey};
use zonegate_sync::port::{LogItem, ReadMethod, RowSink, Stopped, ZoneStore};

use super::support::*;

fn one_of_each_kind() -> Vec<Row> {
    let rows = Kind::ALL.map(|kind| {
        let key = if kind.is_scoped() { RowKey::scoped(kind, "api-1", "x") } else { RowKey::new(kind, "x") };
        Row::deployed(key, format!("{{\"kind\":\"{kind}\"}}"))
    });
    rows.into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_rows_of_every_kind_come_back_and_removed_ones_do_not() {
    for (which, redis) in both() {
        for (layout, store) in [("4.12", store(&redis, "z")), ("4.11", older(&redis, "z"))] {
            redis.cli(&["FLUSHALL"]).unwrap();
            let mut primary = Primary::new(&store, "n").await;
            let rows = one_of_each_kind();
            primary.write(rows.clone()).await;
            for way in WAYS {
                let found = read(&store, way.on(&redis)).await;
                assert_eq!(found, rows, "{which}, {layout}, {way:?}");
                let manifest = store.manifest().await.unwrap().unwrap();
                assert_eq!(digests(found.iter()), manifest.digests, "{which}, {layout}, {way:?}: Z7");
            }
            let gone: Vec<Row> = rows.iter().skip(6).map(removed).collect();
            primary.write(gone).await;
            for way in WAYS {
                assert_eq!(read(&store, way.on(&redis)).await, rows[..6], "{which}, {layout}, {way:?}");
            }
            primary.write(rows.clone()).await;
            for way in WAYS {
                let found = read(&store, way.on(&redis)).await;
                assert_eq!(found, rows, "{which}, {layout}, {way:?}: deployed again");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z6_the_list_of_keys_has_each_row_once_whatever_a_batch_mixes() {
    let redis = plain();
    let store = store(&redis, "z");
    let mut primary = Primary::new(&store, "n").await;
    let at = RecordedAt(7);
    primary.write(vec![api("a"), removed(&api("gone"))]).await;
    // New and old ones, with a time and without, a first tombstone, and one that comes back.
    let mixed =
        [api("a").recorded(at), api("b"), key("a:%", "k").recorded(at), removed(&api("c")), api("gone")];
    primary.write(mixed.to_vec()).await;
    primary.write(mixed.to_vec()).await;
    let listed = redis.cli(&["HGET", "zonegate:z:manifest", "listed"]).unwrap();
    assert_eq!(listed.text().as_deref(), Some("5"), "a, gone, b, k, c");
    let entries = redis.cli(&["XRANGE", "zonegate:z:rows", "-", "+"]).unwrap();
    let keys: Vec<_> = entries.items().iter().map(|entry| entry.items()[1].texts()[1].clone()).collect();
    assert_eq!(keys, ["7:z:API:a10:z:API:gone", "7:z:API:b23:z:API:a%3A%25:API_KEY:k7:z:API:c"]);
    let rows: Vec<Row> = primary.rows.values().cloned().collect();
    assert_eq!(rows.len(), 4);
    for way in WAYS {
        assert_eq!(read(&store, way.on(&redis)).await, rows, "{way:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c3_rows_lie_as_apim_writes_them_and_a_removed_one_keeps_its_payload() {
    let redis = with_search();
    let store = store(&redis, "z");
    let mut primary = Primary::new(&store, "n").await;
    let at = |fields: &[&str]| {
        let words = [&["HMGET", "distributed_event:z:API:api-1:API_KEY:k"], fields].concat();
        redis.cli(&words).unwrap().texts()
    };
    let before: i64 = redis.cli(&["TIME"]).unwrap().texts()[0].parse::<i64>().unwrap() * 1000;
    primary.write(vec![key("api-1", "k")]).await;
    let plain = ["clusterId", "id", "type", "syncAction", "payload"];
    assert_eq!(at(&plain), ["z", "k", "API_KEY", "DEPLOY", "{\"id\":\"k\"}"]);
    let updated_at: i64 = at(&["updatedAt"])[0].parse().unwrap();
    assert!(updated_at >= before && updated_at < before + 120_000, "{updated_at}");
    primary.write(vec![removed(&key("api-1", "k"))]).await;
    assert_eq!(at(&plain), ["z", "k", "API_KEY", "UNDEPLOY", "{\"id\":\"k\"}"]);
    // What never was there is told all the same: a reader of APIM learns of it by the row only.
    primary.write(vec![removed(&api("never"))]).await;
    let tombstone = redis.cli(&["HMGET", "distributed_event:z:API:never", "syncAction", "payload"]).unwrap();
    assert_eq!(tombstone.texts(), ["UNDEPLOY"]);

    // And as APIM queries it.
    indexed(&redis).await;
    let query = "@clusterId:{z}@type:{API_KEY}@syncAction:{UNDEPLOY}@updatedAt:[1 +inf]";
    let words = [
        "FT.AGGREGATE",
        "distributed-event-search-idx-v2",
        query,
        "LOAD",
        "2",
        "@id",
        "@payload",
        "WITHCURSOR",
    ];
    let found = redis.cli(&words).unwrap();
    assert_eq!(found.items()[0].items()[1].texts(), ["id", "k", "payload", "{\"id\":\"k\"}"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s5_the_time_of_a_record_comes_back_in_every_way_and_is_never_that_of_an_older_version() {
    for (which, redis) in both() {
        let store = store(&redis, "z");
        let mut primary = Primary::new(&store, "n").await;
        let at = |millis| RecordedAt(millis);
        let fields =
            || redis.cli(&["HGET", "distributed_event:z:API:a", "zonegateRecordedAt"]).unwrap().text();
        let rows = [api("a").recorded(at(1_767_225_600_123)), key("a", "k").recorded(at(-5)), api("b")];
        primary.write(rows.to_vec()).await;
        for way in WAYS {
            let method = way.on(&redis);
            let mut found = read(&store, method).await;
            found.sort_by_key(|row| row.recorded_at == RecordedAt::UNKNOWN);
            assert_eq!(found, rows, "{which}, {way:?}");
        }
        let items = store.follow(Revision(0), PATIENCE).await.unwrap();
        let [LogItem::Committed(entry)] = items.as_slice() else { panic!("{which}: {items:?}") };
        assert_eq!(entry.rows.as_deref(), Some(rows.as_slice()), "{which}");
        assert_eq!(fields().as_deref(), Some("1767225600123"), "{which}");

        // Two versions of the row that do not know, and two removals.
        for (row, left) in [
            (api("a"), None),
            (api("a").recorded(at(7)), Some("7")),
            (removed(&api("a")), None),
            (removed(&api("a")).recorded(at(8)), Some("8")),
        ] {
            primary.write(vec![row.clone()]).await;
            assert_eq!(fields().as_deref(), left, "{which}, {row:?}");
            let since = read_since(&store, 1).await;
            assert_eq!(since.iter().find(|found| found.key == row.key), Some(&row), "{which}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_since_a_time_include_the_removed() {
    for (which, redis) in both() {
        let store = store(&redis, "z");
        let mut primary = Primary::new(&store, "n").await;
        primary.write(vec![api("a"), api("b"), key("a", "k")]).await;
        primary.write(vec![removed(&key("a", "k"))]).await;
        for (id, at) in [("API:a", "1000"), ("API:b", "2000"), ("API:a:API_KEY:k", "3000")] {
            redis.cli(&["HSET", &format!("distributed_event:z:{id}"), "updatedAt", at]).unwrap();
        }
        assert_eq!(read_since(&store, 2000).await, [api("b"), removed(&key("a", "k"))], "{which}");
        assert_eq!(read_since(&store, 3001).await, [], "{which}");
        assert_eq!(read_since(&store, -1).await.len(), 3, "{which}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c4_without_the_index_everything_is_read_all_the_same_and_it_is_made_again() {
    let redis = with_search();
    let writer = store(&redis, "z");
    let mut primary = Primary::new(&writer, "n").await;
    let rows = one_of_each_kind();
    primary.write(rows.clone()).await;
    redis.cli(&["FT.DROPINDEX", "distributed-event-search-idx-v2"]).unwrap();
    let reader = store(&redis, "z");
    assert_eq!(read(&reader, ReadMethod::Index).await, rows);
    indexed(&redis).await;
    assert_eq!(read(&reader, ReadMethod::Index).await, rows);

    // A flush takes the index with it; the first write of the new filling brings it back.
    redis.cli(&["FLUSHALL"]).unwrap();
    primary.grant = lead(&writer, "n").await;
    (primary.manifest, primary.rows) = (None, std::collections::BTreeMap::new());
    primary.write(vec![api("a")]).await;
    indexed(&redis).await;
    assert_eq!(read(&reader, ReadMethod::Index).await, [api("a")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z6_an_index_that_is_being_built_is_not_trusted() {
    let redis = with_search();
    let mut connection = redis.connect().unwrap();
    let fields = ["clusterId", "z", "type", "API", "syncAction", "DEPLOY", "updatedAt", "1", "payload", "{}"];
    for number in 0..20_000 {
        let (key, id) = (format!("distributed_event:z:API:{number}"), number.to_string());
        let words = [&["HSET", key.as_str(), "id", id.as_str()], &fields[..]].concat();
        connection.command(&words).unwrap();
    }
    let store = store(&redis, "z");
    assert_eq!(read(&store, ReadMethod::Index).await.len(), 20_000, "no index");
    assert_eq!(read(&store, ReadMethod::Index).await.len(), 20_000, "just created");
    indexed(&redis).await;
    assert_eq!(read(&store, ReadMethod::Index).await.len(), 20_000, "built");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l2_large_rows_come_in_smaller_parts() {
    for (which, redis) in both() {
        let settings = zonegate_store_redis::RedisSettings { read_bytes: 1_000_000, ..settings(&redis) };
        let store = zonegate_store_redis::RedisStore::new(settings, zonegate_model::ZoneName::new("z"));
        let mut primary = Primary::new(&store, "n").await;
        let payload = "x".repeat(50_000);
        let rows: Vec<Row> = (0..400)
            .map(|id| Row::deployed(RowKey::new(Kind::Api, id.to_string()), payload.as_str()))
            .collect();
        for part in rows.chunks(50) {
            primary.write(part.to_vec()).await;
        }
        for way in WAYS {
            let method = way.on(&redis);
            let mut sink = Collect::default();
            store.read(method, &mut sink).await.unwrap();
            assert_eq!(sink.rows.len(), 400, "{which}, {way:?}");
            assert!(sink.deliveries >= 15, "{which}, {way:?}: in {} parts", sink.deliveries);
        }
        let huge = Row::deployed(RowKey::new(Kind::Api, "huge"), "y".repeat(20_000_000));
        primary.write(vec![huge.clone()]).await;
        for way in WAYS {
            let method = way.on(&redis);
            assert!(read(&store, method).await.contains(&huge), "{which}, {way:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_goes_ends_the_read_without_an_error() {
    struct Leaves;
    impl RowSink for Leaves {
        async fn push(&mut self, _: Vec<Row>) -> Result<(), Stopped> {
            Err(Stopped)
        }
    }
    for (which, redis) in both() {
        let store = store(&redis, "z");
        let mut primary = Primary::new(&store, "n").await;
        primary.write((0..500).map(|id| api(&id.to_string())).collect()).await;
        for way in WAYS {
            let method = way.on(&redis);
            assert_eq!(store.read(method, &mut Leaves).await, Ok(()), "{which}, {way:?}");
        }
    }
}
