//! Z8: zones in one Redis do not see each other, whatever their names. S6: ids are opaque.

use zonegate_model::{Kind, Row, RowKey};
use zonegate_sync::port::{AcquireOutcome, LogItem, ReadMethod, ZoneStore};

use super::support::*;

/// Names that meet in case, in separators, in patterns, or in what an index cuts off.
const ZONES: [&str; 14] = [
    "zone",
    "Zone",
    "ZONE",
    "zone,other",
    "other",
    "zo*",
    "zo?e",
    "[z]one",
    "zone:API",
    "zone:*",
    "zone%3AAPI",
    " zone",
    "zöne ü",
    r"zo\*",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z8_zones_whose_names_almost_meet_do_not_see_each_other() {
    for (which, redis) in both() {
        let stores = ZONES.map(|zone| store(&redis, zone));
        for (zone, store) in ZONES.iter().zip(&stores) {
            let mut primary = Primary::new(store, zone).await;
            let rows = vec![api("shared-id"), api(&format!("of {zone}")), key("API", "shared-id")];
            primary.write(rows).await;
        }
        if which != "plain" {
            indexed(&redis).await;
        }
        for (zone, store) in ZONES.iter().zip(&stores) {
            let expected = vec![api(&format!("of {zone}")), api("shared-id"), key("API", "shared-id")];
            for way in WAYS {
                let method = way.on(&redis);
                let mut rows = read(store, method).await;
                rows.sort_by(|a, b| a.key.cmp(&b.key));
                assert_eq!(rows, expected, "{which}: zone `{zone}` by {way:?}");
            }
            let mut since = read_since(store, 1).await;
            since.sort_by(|a, b| a.key.cmp(&b.key));
            assert_eq!(since, expected, "{which}: zone `{zone}` since");
            let AcquireOutcome::Held(holder) = store.acquire(request("x", LONG)).await.unwrap() else {
                panic!("{which}: zone `{zone}` has no lease");
            };
            assert_eq!(holder.node.as_str(), *zone, "{which}");
            let log = store.follow(zonegate_model::Revision(0), std::time::Duration::ZERO).await.unwrap();
            let [LogItem::Committed(entry)] = log.as_slice() else {
                panic!("{which}: zone `{zone}`: {log:?}")
            };
            assert_eq!(
                Some(&entry.manifest),
                store.manifest().await.unwrap().as_ref(),
                "{which}: zone `{zone}`"
            );
            let state = redis.cli(&["HGET", &format!("distributed_sync_state:{zone}"), "nodeId"]).unwrap();
            assert_eq!(state.text().as_deref(), Some(*zone), "{which}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s6_odd_ids_come_back_as_they_are_and_each_is_its_own() {
    let odd = [
        "api-1",
        "api-10",
        "api-*",
        "api-1*",
        "*",
        "?",
        "[a]",
        ":",
        "a:b",
        "%",
        "%3A",
        "%25",
        "a,b",
        "a b",
        " a",
        "a ",
        "",
        "ünïcode",
        "日本",
        "😀",
        "a\nb",
        "\"quoted\"",
        r"back\slash",
        "API",
        "{tag}",
        "A",
        "a",
    ];
    for (which, redis) in both() {
        let store = store(&redis, "z");
        let mut primary = Primary::new(&store, "n").await;
        let mut rows: Vec<Row> = odd.iter().map(|id| api(id)).collect();
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Api) {
            rows.extend(odd.iter().map(|id| {
                let key =
                    if kind.is_scoped() { RowKey::scoped(kind, *id, *id) } else { RowKey::new(kind, *id) };
                Row::deployed(key, format!("{kind} {id}"))
            }));
        }
        rows.push(key("a", "b:API_KEY:c"));
        rows.push(key("a:API_KEY:b", "c"));
        primary.write(rows.clone()).await;
        rows.sort_by(|a, b| a.key.cmp(&b.key));
        if which != "plain" {
            indexed(&redis).await;
        }
        for way in WAYS {
            let method = way.on(&redis);
            assert_eq!(read(&store, method).await, rows, "{which}, {way:?}");
        }
        // The search module cuts such text off; digests then tell, and the keys are read one by one.
        let cut = [api("a\0b"), Row::deployed(RowKey::new(Kind::License, "a\0b"), "a\0b")];
        primary.write(cut.to_vec()).await;
        let scanned = read(&store, ReadMethod::Scan).await;
        assert!(cut.iter().all(|row| scanned.contains(row)), "{which}");
        primary.write(cut.iter().map(removed).collect()).await;
        // Removing one leaves all others alone.
        primary.write(vec![removed(&api("api-1"))]).await;
        primary.write(vec![removed(&api("*"))]).await;
        rows.retain(|row| row.key != api("api-1").key && row.key != api("*").key);
        for way in WAYS {
            let method = way.on(&redis);
            assert_eq!(read(&store, method).await, rows, "{which}, {way:?}");
        }
    }
}
