//! What an APIM 4.11.25 management API wrote into its database becomes the rows that gateways of 4.12.12 and 4.11.25 wrote
//! into the zone store for the same records (C2, C3). Skipped where the recordings are not there.

#![expect(
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a broken recording fails the test; an absent one must show as skipped"
)]

#[path = "golden/dump.rs"]
mod dump;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};
use zonegate_model::{Row, RowState};
use zonegate_payload::convert::{self, ApiOutcome, ServedPlans, Settings};
use zonegate_payload::record::{
    EventRecord, EventText, EventType, KeyRecord, KeySubscription, Place, SubscriptionRecord,
};
use zonegate_payload::{PropertyCipher, ShardingTags};

use dump::Dump;

fn recordings() -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find_map(|folder| {
        let golden = folder.join("shared/golden");
        golden.is_dir().then_some(golden)
    });
    if found.is_none() {
        eprintln!("skipped: no folder `shared/golden` above {}", env!("CARGO_MANIFEST_DIR"));
    }
    found
}

/// Payloads by type and id. Node metadata by type only: its id is random there.
type Payloads = BTreeMap<(String, String), Value>;

/// What the gateway wrote.
fn written(file: &Path) -> Payloads {
    let text = std::fs::read_to_string(file).expect("the recording is readable");
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"));
    let fields = lines.map(|line| line["value"].clone()).filter(|fields| fields["syncAction"] == "DEPLOY");
    fields
        .map(|fields| {
            let (kind, id) =
                (fields["type"].as_str().expect("a type"), fields["id"].as_str().expect("an id"));
            let id = if kind == "NODE_METADATA" { "" } else { id };
            let payload = fields["payload"].as_str().expect("a payload");
            ((kind.to_owned(), id.to_owned()), serde_json::from_str(payload).expect("the payload is JSON"))
        })
        .collect()
}

fn settings() -> Settings {
    Settings {
        tags: ShardingTags::default(),
        cipher: PropertyCipher::new(&PropertyCipher::DEFAULT_SECRET.into()).expect("the default secret"),
    }
}

fn events(dump: &Dump) -> Vec<EventRecord> {
    let mut properties = BTreeMap::<_, BTreeMap<_, _>>::new();
    for row in dump.table("events_latest_properties") {
        let of = properties.entry(row.required("event_id")).or_default();
        of.insert(row.required("property_key"), row.required("property_value"));
    }
    let events = dump.table("events_latest").filter_map(|row| {
        let id = row.required("id");
        Some(EventRecord {
            kind: row.required("type").parse().ok()?,
            payload: row.text("payload").map_or(EventText::Absent, EventText::Text),
            properties: properties.get(&id).cloned().unwrap_or_default(),
            created_at: row.millis("created_at"),
            id: id.into(),
        })
    });
    events.collect()
}

/// The rows of everything in the database.
fn converted(dump: &Dump) -> Vec<Row> {
    let (settings, mut rows, mut plans) = (settings(), Vec::new(), BTreeMap::<Arc<str>, ServedPlans>::new());
    let hrids: BTreeMap<_, _> = dump
        .table("environment_hrids")
        .map(|row| (row.required("environment_id"), row.required("hrid")))
        .collect();
    let organizations: BTreeMap<_, _> =
        dump.table("environments").map(|row| (row.required("id"), row.required("organization_id"))).collect();
    let place = |environment: Option<&Arc<str>>| Place {
        environment_id: environment.cloned(),
        environment_hrid: environment.and_then(|id| hrids.get(&**id)).map(|hrid| hrid.as_str().into()),
        organization_id: environment.and_then(|id| organizations.get(&**id)).map(|id| id.as_str().into()),
        organization_hrid: None,
    };
    for event in events(dump) {
        rows.push(match event.kind {
            EventType::PublishDictionary => convert::dictionary(&event).expect("a dictionary"),
            EventType::DeploySharedPolicyGroup => {
                convert::shared_policy_group(&event, place).expect("a shared policy group")
            }
            EventType::PublishOrganization => {
                convert::organization(&event, &settings).expect("an organization")
            }
            EventType::PublishApi | EventType::StartApi => {
                match convert::api(&event, &settings, place).expect("an API") {
                    ApiOutcome::Served { row, plans: served } => {
                        plans.insert(event.subject(), served);
                        row
                    }
                    ApiOutcome::NotServed(why) => panic!("{}: {why}", event.id),
                }
            }
            other => {
                assert!(other.withdraws(), "{other:?} is not expected in the recording");
                continue;
            }
        });
    }
    let installation = dump.table("installation").next().expect("an installation").required("id");
    rows.push(convert::node_metadata(&installation, Vec::new()).expect("node metadata"));

    let mut subscriptions = BTreeMap::new();
    for row in dump.table("subscriptions") {
        let record = SubscriptionRecord {
            id: row.required("id").into(),
            api: row.text("api").map(Into::into),
            reference_type: row.text("reference_type"),
            reference_id: row.text("reference_id").map(Into::into),
            environment_id: row.text("environment_id").map(Into::into),
            plan: row.required("plan").into(),
            application: row.text("application").map(Into::into),
            application_name: row.text("application_name"),
            client_id: row.text("client_id"),
            client_certificate: row.text("client_certificate"),
            status: row.required("status").as_str().into(),
            consumer_status: row.text("consumer_status"),
            starting_at: row.millis("starting_at"),
            ending_at: row.millis("ending_at"),
            kind: row.text("type"),
            configuration: row.text("configuration"),
            metadata: BTreeMap::new(),
        };
        let scope = record.scope().cloned().expect("a scope");
        let plans = plans.get(&scope);
        let takes_keys = plans.is_some_and(|plans| plans.takes_keys(&record.plan));
        let served = plans.is_some_and(|plans| plans.takes_subscriptions(&record.plan));
        let of = KeySubscription {
            id: Arc::clone(&record.id),
            scope: Arc::clone(&scope),
            plan: Arc::clone(&record.plan),
            served: takes_keys && record.status == "ACCEPTED".into(),
        };
        subscriptions.insert(record.id.to_string(), of);
        rows.push(convert::subscription(record, &scope, served).expect("a subscription"));
    }
    for row in dump.table("keys") {
        let record = KeyRecord {
            id: row.required("id").into(),
            key: row.required("key"),
            application: row.text("application"),
            expire_at: row.millis("expire_at"),
            revoked: row.required("revoked") == "true",
            paused: row.required("paused") == "true",
        };
        let links = dump.table("key_subscriptions").filter(|link| link.required("key_id") == *record.id);
        for link in links {
            let of = &subscriptions[&link.required("subscription_id")];
            rows.push(convert::api_key(&record, of).expect("a key"));
        }
    }
    rows
}

/// Leaves out what says nothing (`zone-store.md` section 6.1): the context of a definition, and the paths of a V2 plan,
/// which 4.12 gave up.
fn without_constants(mut payload: Value) -> Value {
    if let Some(members) = payload.as_object_mut() {
        members.remove("definitionContext");
    }
    let plans = payload.pointer_mut("/definition/plans").and_then(Value::as_array_mut);
    for plan in plans.into_iter().flatten().filter_map(Value::as_object_mut) {
        if plan.get("paths") == Some(&Value::Object(Map::new())) {
            plan.remove("paths");
        }
    }
    payload
}

/// The database was dumped before this API was stopped and started again, which made it a later deployment.
fn restarted(golden: &Path) -> ((String, String), Value) {
    let text = std::fs::read_to_string(golden.join("4.11.25/live-changes.json")).expect("the recording");
    let steps: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let fields = &steps.iter().find(|step| step["step"] == "start API").expect("the step")["hash"];
    let payload: Value = serde_json::from_str(fields["payload"].as_str().expect("a payload")).expect("JSON");
    let id = fields["id"].as_str().expect("an id").to_owned();
    (("API".to_owned(), id), payload["deployedAt"].clone())
}

fn compare(golden: &Path, recording: &str, after_the_restart: bool) {
    let dump = std::fs::read_to_string(golden.join("4.11.25/postgresql/data.sql")).expect("the dump");
    let theirs = written(&golden.join(recording).join("keys.jsonl"));
    let mut ours: Payloads = converted(&Dump::read(&dump))
        .into_iter()
        .filter_map(|row| {
            let RowState::Deployed(payload) = row.state else { return None };
            let kind = row.key.kind.name();
            let id = if kind == "NODE_METADATA" { "" } else { &row.key.id };
            Some(((kind.to_owned(), id.to_owned()), serde_json::from_str(payload.as_str()).expect("JSON")))
        })
        .collect();
    if after_the_restart {
        let (key, deployed_at) = restarted(golden);
        ours.get_mut(&key).expect("the API")["deployedAt"] = deployed_at;
    }
    let keys = |payloads: &Payloads| payloads.keys().cloned().collect::<BTreeSet<_>>();
    let differences: Vec<String> = keys(&ours)
        .symmetric_difference(&keys(&theirs))
        .map(|key| format!("{key:?} is only in {}", if ours.contains_key(key) { "ours" } else { "theirs" }))
        .chain(theirs.iter().filter_map(|(key, theirs)| {
            let (ours, theirs) =
                (without_constants(ours.get(key)?.clone()), without_constants(theirs.clone()));
            (ours != theirs).then(|| format!("{key:?}\n  ours   {ours}\n  theirs {theirs}"))
        }))
        .collect();
    assert!(differences.is_empty(), "{recording}:\n{}", differences.join("\n"));
    let mut counts = Map::new();
    for (kind, _) in theirs.keys() {
        let count = counts.entry(kind).or_insert(Value::from(0));
        *count = Value::from(count.as_i64().unwrap_or(0) + 1);
    }
    eprintln!("{recording}: the same rows as APIM's gateway: {}", Value::from(counts));
}

#[test]
fn c3_the_rows_are_those_of_a_gateway_4_12() {
    let Some(golden) = recordings() else { return };
    compare(&golden, "4.12.12/redis-standalone", true);
    compare(&golden, "4.12.12/redis-hazelcast", true);
}

#[test]
fn c3_the_rows_are_those_of_a_gateway_4_11() {
    let Some(golden) = recordings() else { return };
    compare(&golden, "4.11.25/redis-standalone", false);
    compare(&golden, "4.11.25/redis-hazelcast", false);
}
