//! A repository that a real APIM wrote, and the zone store that its own gateway made of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;
use zonegate_model::Kind;

use crate::world::{Keep, World};

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

/// Members that APIM derives and a writer may leave out.
fn without_derived(mut payload: Value) -> Value {
    if let Some(object) = payload.as_object_mut() {
        object.remove("definitionContext");
    }
    payload
}

/// Plans have no order, and APIM 4.11 still writes an empty `paths` of the V2 plan format, which 4.12 does not.
fn plans_by_id(mut payload: Value) -> Value {
    if let Some(plans) = payload.pointer_mut("/definition/plans").and_then(Value::as_array_mut) {
        for plan in &mut *plans {
            if plan.get("paths").is_some_and(Value::is_object) {
                plan.as_object_mut().map(|plan| plan.remove("paths"));
            }
        }
        plans.sort_by_key(|plan| plan["id"].to_string());
    }
    payload
}

/// (type, id) → payload, as APIM's gateway wrote it.
fn recorded(file: &Path) -> BTreeMap<(String, String), Value> {
    std::fs::read_to_string(file)
        .unwrap()
        .lines()
        .filter_map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            let fields = &line["value"];
            let kind = fields["type"].as_str()?.to_owned();
            if fields["syncAction"] != "DEPLOY" {
                return None;
            }
            let payload = serde_json::from_str(fields["payload"].as_str()?).unwrap();
            Some(((kind, fields["id"].as_str()?.to_owned()), payload))
        })
        .collect()
}

/// APIM 4.11.25's records in a schema of PostgreSQL that APIM of this version made.
async fn recorded_in_postgresql(golden: &Path, schema: &str, name: &str) -> World {
    let world = World::empty_postgres(name).await;
    let Keep::Server(server) = world.keep.clone() else { unreachable!() };
    server.execute_file(&world.name, &golden.join(schema).join("postgresql/schema.sql")).unwrap();
    server.execute_file(&world.name, &golden.join("4.11.25/postgresql/data.sql")).unwrap();
    world
}

/// What is read is what APIM's own gateway made of it.
async fn reads_as_apims_gateway_did(golden: &Path, world: &World) {
    let read = world.read_all().await;
    assert_eq!(read.refused(), []);
    let ours: BTreeMap<(String, String), Value> = read
        .state()
        .0
        .into_iter()
        .map(|(key, text)| {
            ((key.kind.name().to_owned(), key.id.to_string()), serde_json::from_str(&text).unwrap())
        })
        .collect();

    let theirs = recorded(&golden.join("4.11.25/redis-standalone/keys.jsonl"));
    for kind in Kind::ALL.map(Kind::name) {
        let ids = |rows: &BTreeMap<(String, String), Value>| {
            rows.keys().filter(|(of, _)| of == kind).map(|(_, id)| id.clone()).collect::<BTreeSet<_>>()
        };
        if kind == "NODE_METADATA" {
            // APIM's id is a new one at each start.
            assert_eq!(ids(&ours).len(), 1);
            continue;
        }
        assert_eq!(ids(&ours), ids(&theirs), "{kind}");
    }
    for (key, theirs) in &theirs {
        if key.0 == "NODE_METADATA" {
            assert!(ours.values().any(|payload| payload == theirs), "{theirs}");
            continue;
        }
        let payload = |value: &Value| plans_by_id(without_derived(value.clone()));
        assert_eq!(payload(&ours[key]), payload(theirs), "{key:?}");
    }
}

/// Copies the rows of every table that the target has.
async fn copy(from: &World, to: &World) {
    let (Keep::Server(source), Keep::Mariadb(target)) = (&from.keep, &to.keep) else { unreachable!() };
    for table in target.execute(&to.name, "SHOW TABLES").unwrap().lines() {
        to.writer.execute(&format!("DELETE FROM {{p}}{table}"), &[]).await.unwrap();
        let columns = target.execute(
            &to.name,
            &format!("SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = '{table}'"),
        );
        let columns = columns.unwrap();
        let rows = source.execute(&from.name, &format!("SELECT json_agg(t) FROM public.{table} t")).unwrap();
        for row in serde_json::from_str::<Vec<Value>>(&rows).unwrap_or_default() {
            let mut texts = Vec::new();
            let mut values = Vec::new();
            for column in columns.lines() {
                values.push(match &row[column] {
                    Value::String(text) => {
                        texts.push(text.clone());
                        format!("${}", texts.len())
                    }
                    other => other.to_string(),
                });
            }
            let names = columns.lines().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(",");
            let insert = format!("INSERT INTO {{p}}{table} ({names}) VALUES ({})", values.join(","));
            let texts = texts.iter().map(String::as_str).collect::<Vec<_>>();
            to.writer.execute(&insert, &texts).await.unwrap();
        }
    }
}

#[tokio::test]
async fn c2_c3_what_apim_wrote_is_read_into_what_its_gateway_made_of_it() {
    let Some(golden) = golden() else { return };
    let world = recorded_in_postgresql(&golden, "4.11.25", "golden").await;
    reads_as_apims_gateway_did(&golden, &world).await;
}

#[tokio::test]
async fn c2_c3_the_same_rows_in_mariadb_are_read_into_the_same() {
    let Some(golden) = golden() else { return };
    let world = World::mariadb("golden").await;
    copy(&recorded_in_postgresql(&golden, "4.11.25", "golden_source").await, &world).await;
    reads_as_apims_gateway_did(&golden, &world).await;
}

#[tokio::test]
async fn c2_the_schema_of_apim_4_12_is_read_too_empty_and_with_the_records_of_4_11() {
    let Some(golden) = golden() else { return };
    let empty = World::empty_postgres("golden_4_12").await;
    let Keep::Server(server) = empty.keep.clone() else { unreachable!() };
    server.execute_file(&empty.name, &golden.join("4.12.12/postgresql/schema.sql")).unwrap();
    assert!(empty.read_all().await.changes.is_empty());
    assert!(crate::world::read_changes(&empty.reader()).await.changes.is_empty());

    let world = recorded_in_postgresql(&golden, "4.12.12", "golden_4_12_filled").await;
    reads_as_apims_gateway_did(&golden, &world).await;
}
