//! A repository that a real APIM wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use mongodb::bson::Document;
use serde_json::Value;
use zonegate_model::Kind;

use crate::world::{World, read_changes, read_index};

/// The recorded data, beside the checkout; says so where there is none.
fn golden() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = here.ancestors().map(|folder| folder.join("shared/golden")).find(|folder| folder.is_dir());
    if found.is_none() {
        let mut stderr = std::io::stderr();
        writeln!(stderr, "skipped: no recorded data (shared/golden) beside the checkout").unwrap();
    }
    found
}

fn lines(folder: &Path, collection: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join(format!("{collection}.jsonl"))).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Ids of documents that have these values.
fn ids(documents: &[Value], with: &[(&str, &[&str])]) -> BTreeSet<String> {
    let has = |document: &&Value| {
        with.iter().all(|(field, values)| {
            let found = document[*field].to_string();
            values.iter().any(|value| found.trim_matches('"') == *value)
        })
    };
    documents.iter().filter(has).map(|document| document["_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn c2_what_apim_wrote_is_read_whole() {
    let Some(golden) = golden() else { return };
    let folder = golden.join("4.11.25/mongodb");
    let world = World::empty("golden").await;
    let collections = [
        "access_points",
        "environments",
        "events_latest",
        "installation",
        "keys",
        "licenses",
        "organizations",
        "subscriptions",
    ];
    let mut all = BTreeMap::new();
    for collection in collections {
        let documents = lines(&folder, collection);
        if !documents.is_empty() {
            let bson = documents.iter().map(|document| {
                // Extended JSON: dates are `{"$date": …}`.
                serde_json::from_value::<Document>(document.clone()).unwrap()
            });
            world.collection(collection).insert_many(bson.collect::<Vec<_>>()).await.unwrap();
        }
        all.insert(collection, documents);
    }

    let read = world.read_all().await;
    let state = read.state();
    assert_eq!(read.refused(), []);
    let without_scope = |kind| {
        state.0.keys().filter(|key| key.kind == kind).map(|key| key.id.to_string()).collect::<BTreeSet<_>>()
    };
    let events = |types: &[&str]| ids(&all["events_latest"], &[("type", types)]);
    let of_keys = |document: &Value| document["subscriptions"].as_array().cloned().unwrap_or_default();
    // A plan that was made after the last deployment is not in the definition, and its subscriptions are not served.
    let deployed = all["events_latest"].iter().filter_map(|event| {
        let record: Value = serde_json::from_str(event["payload"].as_str()?).unwrap();
        serde_json::from_str::<Value>(record["definition"].as_str()?).ok()
    });
    let plans: BTreeSet<String> = deployed
        .flat_map(|definition| definition["plans"].as_array().cloned().unwrap_or_default())
        .map(|plan| plan["id"].as_str().unwrap().to_owned())
        .collect();
    let accepted = ids(&all["subscriptions"], &[("status", &["ACCEPTED"])]);
    let mut served = all["subscriptions"].clone();
    served.retain(|subscription| plans.contains(subscription["plan"].as_str().unwrap()));
    let accepted = accepted.intersection(&ids(&served, &[])).cloned().collect::<BTreeSet<_>>();
    let active = ids(
        &all["keys"],
        &[("revoked", &["false"]), ("paused", &["false", "null"]), ("federated", &["false", "null"])],
    );
    let active = all["keys"].iter().filter(|key| {
        active.contains(key["_id"].as_str().unwrap())
            && of_keys(key).iter().any(|id| accepted.contains(id.as_str().unwrap()))
    });
    let groups = all["events_latest"].iter().filter(|event| event["type"] == "DEPLOY_SHARED_POLICY_GROUP");
    let groups =
        groups.map(|event| event["properties"]["shared_policy_group_id"].as_str().unwrap().to_owned());
    let expected = [
        (Kind::NodeMetadata, BTreeSet::from(["node".to_owned()])),
        (Kind::Organization, events(&["PUBLISH_ORGANIZATION"])),
        (Kind::Dictionary, events(&["PUBLISH_DICTIONARY"])),
        (Kind::SharedPolicyGroup, groups.collect()),
        (Kind::Api, events(&["PUBLISH_API", "START_API"])),
        (Kind::Subscription, accepted.clone()),
        (Kind::ApiKey, active.map(|key| key["_id"].as_str().unwrap().to_owned()).collect()),
        (Kind::License, BTreeSet::new()),
        (Kind::AccessPoint, BTreeSet::new()),
        (Kind::ApiProduct, BTreeSet::new()),
    ];
    let mut table = format!("\n{:<24}{:>10}{:>10}{:>10}\n", "MongoDB 4.11.25", "in", "active", "refused");
    for (kind, expected) in &expected {
        let active = without_scope(*kind);
        let line = format!("{:<24}{:>10}{:>10}{:>10}\n", kind.name(), expected.len(), active.len(), 0);
        table.push_str(&line);
        if *kind == Kind::NodeMetadata {
            assert_eq!(active.len(), 1);
        } else {
            assert_eq!(active, *expected, "{kind:?}");
        }
    }
    std::io::stderr().write_all(table.as_bytes()).unwrap();
    assert!(without_scope(Kind::Api).len() >= 5 && !without_scope(Kind::ApiKey).is_empty(), "{table}");

    read_index(&world.reader()).await.assert_covers(&state, "");
    // A window over all time tells the same, but for the installation.
    let mut changes = read_changes(&world.reader()).await.state();
    let installation = state.0.iter().filter(|(key, _)| key.kind == Kind::NodeMetadata);
    changes.0.extend(installation.map(|(key, text)| (key.clone(), text.clone())));
    assert_eq!(changes.0, state.0);
}
