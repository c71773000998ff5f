//! The layout of APIM 4.0 to 4.11 (C3), which holds one zone only.

use zonegate_model::{Kind, Revision, Row, RowKey};
use zonegate_sync::port::{ReadMethod, ZoneStore};

use super::support::*;

fn some_rows() -> Vec<Row> {
    vec![
        api("api-1"),
        key("api-1", "k"),
        key("a:b%c", "1:2%3"),
        api("a:b%c"),
        Row::deployed(RowKey::new(Kind::License, "DEFAULT"), "not JSON"),
    ]
}

fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c3_rows_lie_as_apim_4_11_writes_them_and_are_read_back() {
    for (which, redis) in both() {
        let store = older(&redis, "z");
        let mut primary = Primary::new(&store, "n").await;
        primary.write(some_rows()).await;
        let at =
            |key: &str| redis.cli(&["HMGET", key, "clusterId", "id", "type", "syncAction"]).unwrap().texts();
        assert_eq!(at("distributed_event::API:api-1"), ["api-1", "API", "DEPLOY"], "{which}: no clusterId");
        assert_eq!(at("distributed_event:API:api-1:API_KEY:k"), ["k", "API_KEY", "DEPLOY"], "{which}");
        assert_eq!(at("distributed_event::LICENSE:DEFAULT"), ["DEFAULT", "LICENSE", "DEPLOY"], "{which}");
        let state = redis.cli(&["HGET", "distributed_sync_state:z", "clusterId"]).unwrap();
        assert_eq!(state.text().as_deref(), Some("z"), "{which}: the state has it in every version");
        for way in WAYS {
            assert_eq!(read(&store, way.on(&redis)).await, sorted(some_rows()), "{which}, {way:?}");
        }
        let items = store.follow(Revision(0), PATIENCE).await.unwrap();
        assert_eq!(items.len(), 1, "{which}");

        primary.write(vec![removed(&key("api-1", "k"))]).await;
        assert_eq!(at("distributed_event:API:api-1:API_KEY:k"), ["k", "API_KEY", "UNDEPLOY"], "{which}");
        assert!(read_since(&store, 1).await.contains(&removed(&key("api-1", "k"))), "{which}");
        for way in WAYS {
            assert_eq!(read(&store, way.on(&redis)).await.len(), 4, "{which}, {way:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c3_a_query_of_apim_4_11_finds_the_rows() {
    let redis = with_search();
    let store = older(&redis, "z");
    Primary::new(&store, "n").await.write(some_rows()).await;
    indexed_as(&redis, "distributed-event-search-idx").await;
    let words = [
        "FT.SEARCH",
        "distributed-event-search-idx",
        "@type:{API_KEY}@syncAction:{DEPLOY}@updatedAt:[-inf 9999999999999]",
        "SORTBY",
        "updatedAt",
        "ASC",
        "LIMIT",
        "0",
        "100",
    ];
    assert_eq!(redis.cli(&words).unwrap().items()[0].integer(), Some(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_apis_own_key_and_those_of_its_credentials_are_told_apart() {
    // `distributed_event::API:…` against `distributed_event:API:…`, with ids that look like the other.
    let redis = plain();
    let store = older(&redis, "z");
    let rows = vec![
        api("API"),
        api("API:api-1:API_KEY:k"),
        key("api-1", "k"),
        key("API", "API"),
        key("", "API_KEY"),
        key("x:API_KEY:y", "k"),
    ];
    Primary::new(&store, "n").await.write(rows.clone()).await;
    for way in WAYS {
        assert_eq!(read(&store, way.on(&redis)).await, sorted(rows.clone()), "{way:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_holds_another_zone_is_refused_by_its_name() {
    let redis = plain();
    Primary::new(&older(&redis, "first: one"), "n").await.write(vec![api("a")]).await;
    let second = older(&redis, "second");
    let errors = [
        second.acquire(request("m", LONG)).await.unwrap_err(),
        second.manifest().await.unwrap_err(),
        second.read(ReadMethod::Scan, &mut Collect::default()).await.unwrap_err(),
    ];
    for error in errors {
        for told in ["`first: one`", "distributed-sync.layout", "another Redis"] {
            assert!(error.message.contains(told), "{error}");
        }
    }
    assert!(older(&redis, "first: one").manifest().await.unwrap().is_some(), "its own it takes");
    redis.cli(&["FLUSHALL"]).unwrap();
    assert_eq!(second.manifest().await, Ok(None), "looked at again as long as it is refused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_holds_a_zone_in_the_newer_layout_is_refused_also_if_it_is_the_same_zone() {
    for zone in ["z", "4.11"] {
        let redis = plain();
        Primary::new(&store(&redis, zone), "n").await.write(vec![api("a")]).await;
        let error = older(&redis, zone).manifest().await.unwrap_err();
        assert!(error.message.contains(&format!("`{zone}` in the layout 4.12")), "{error}");
    }
}
