//! C3: what real APIM gateways wrote is read. The recordings lie outside of the project; without them this says so and
//! passes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use zonegate_model::{Kind, Row, RowKey};
use zonegate_sync::port::{ReadMethod, Synced, ZoneStore};
use zonegate_testkit::redis::Redis;

use super::support::*;

fn recording(name: &str) -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = Path::new("shared/golden").join(name);
    here.ancestors().map(|folder| folder.join(&path)).find(|path| path.exists())
}

/// Loads a recording into the server; its hashes by key.
fn load(redis: &Redis, path: &Path) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut hashes = BTreeMap::new();
    let mut connection = redis.connect().unwrap();
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        let key = entry["key"].as_str().unwrap().to_owned();
        let fields: BTreeMap<String, String> = serde_json::from_value(entry["value"].clone()).unwrap();
        let mut words = vec!["HSET", &key];
        words.extend(fields.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]));
        connection.command(&words).unwrap();
        hashes.insert(key, fields);
    }
    hashes
}

/// What the hashes of a zone mean, or in the older layout those without one, worked out from fields and payloads alone.
fn expected(hashes: &BTreeMap<String, BTreeMap<String, String>>, zone: Option<&str>) -> Vec<Row> {
    let mut rows = Vec::new();
    for fields in hashes.values().filter(|fields| fields.contains_key("type")) {
        if fields.get("clusterId").map(String::as_str) != zone {
            continue;
        }
        let kind: Kind = fields["type"].parse().unwrap();
        let id = fields["id"].as_str();
        let key = if kind.is_scoped() {
            let payload: serde_json::Value = serde_json::from_str(&fields["payload"]).unwrap();
            let scope = payload["apiProductId"].as_str().or(payload["api"].as_str()).unwrap();
            RowKey::scoped(kind, scope, id)
        } else {
            RowKey::new(kind, id)
        };
        rows.push(match fields["syncAction"].as_str() {
            "DEPLOY" => Row::deployed(key, fields["payload"].as_str()),
            _ => Row::removed(key),
        });
    }
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c3_what_apim_4_12_wrote_is_read_in_every_way() {
    for (name, zone) in [("standalone", "standalone"), ("hazelcast", "gio-apim-gateway-cluster-manager-hz57")]
    {
        let Some(path) = recording(&format!("4.12.12/redis-{name}/keys.jsonl")) else {
            eprintln!(
                "skipped: no recording of APIM 4.12.12 with {name} in a folder `shared` above this one"
            );
            continue;
        };
        for (which, redis) in both() {
            let hashes = load(&redis, &path);
            let all = expected(&hashes, Some(zone));
            let active: Vec<Row> = all.iter().filter(|row| row.digest().is_some()).cloned().collect();
            assert!(active.len() >= 10, "the recording has {} rows", active.len());
            let store = store(&redis, zone);
            assert_eq!(store.manifest().await.unwrap(), None);
            assert_eq!(read(&store, ReadMethod::Index).await, active, "{which}: while there is no index");
            if which != "plain" {
                indexed(&redis).await;
            }
            for way in WAYS {
                let method = way.on(&redis);
                assert_eq!(read(&store, method).await, active, "{which}, {way:?}");
            }
            assert_eq!(read_since(&store, 1).await, all, "{which}");
            let state = &hashes[&format!("distributed_sync_state:{zone}")];
            let bounds =
                Synced { from: state["from"].parse().unwrap(), to: state["to"].parse().unwrap(), reads: 0 };
            assert_eq!(store.apim_state().await.unwrap(), Some(bounds), "{which}");
            // Rewritten in place by us, nothing is doubled.
            let mut primary = Primary::new(&store, "n").await;
            primary.write(active.clone()).await;
            for way in WAYS {
                let method = way.on(&redis);
                assert_eq!(read(&store, method).await, active, "{which}, {way:?}: after our write");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c3_what_apim_4_11_wrote_in_the_older_layout_belongs_to_no_zone() {
    let Some(path) = recording("4.11.25/redis-standalone/keys.jsonl") else {
        eprintln!("skipped: no recording of APIM 4.11.25 in a folder `shared` above this one");
        return;
    };
    for (which, redis) in both() {
        load(&redis, &path);
        let store = store(&redis, "standalone");
        for way in WAYS {
            let method = way.on(&redis);
            assert_eq!(read(&store, method).await, [], "{which}, {way:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c3_what_apim_4_11_wrote_is_read_in_every_way_where_the_older_layout_is_asked_for() {
    for name in ["standalone", "hazelcast"] {
        let Some(path) = recording(&format!("4.11.25/redis-{name}/keys.jsonl")) else {
            eprintln!(
                "skipped: no recording of APIM 4.11.25 with {name} in a folder `shared` above this one"
            );
            continue;
        };
        for (which, redis) in both() {
            let hashes = load(&redis, &path);
            let zone = hashes.keys().find_map(|key| key.strip_prefix("distributed_sync_state:")).unwrap();
            let all = expected(&hashes, None);
            let active: Vec<Row> = all.iter().filter(|row| row.digest().is_some()).cloned().collect();
            assert!(active.len() >= 10, "the recording has {} rows", active.len());
            let store = older(&redis, zone);
            assert_eq!(store.manifest().await.unwrap(), None);
            assert_eq!(read(&store, ReadMethod::Index).await, active, "{which}: while there is no index");
            if which != "plain" {
                indexed_as(&redis, "distributed-event-search-idx").await;
            }
            for way in WAYS {
                assert_eq!(read(&store, way.on(&redis)).await, active, "{which}, {way:?}");
            }
            assert_eq!(read_since(&store, 1).await, all, "{which}");
            let state = &hashes[&format!("distributed_sync_state:{zone}")];
            let bounds =
                Synced { from: state["from"].parse().unwrap(), to: state["to"].parse().unwrap(), reads: 0 };
            assert_eq!(store.apim_state().await.unwrap(), Some(bounds), "{which}");
            // Rewritten in place by us, nothing is doubled.
            let mut primary = Primary::new(&store, "n").await;
            primary.write(active.clone()).await;
            for way in WAYS {
                assert_eq!(read(&store, way.on(&redis)).await, active, "{which}, {way:?}: after our write");
            }
            // And whoever reads the newer layout finds nothing of it.
            assert_eq!(read(&super::support::store(&redis, zone), ReadMethod::Scan).await, [], "{which}");
        }
    }
}
