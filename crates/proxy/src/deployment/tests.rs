//! R5: what becomes of each construct of a definition (`data-plane.md` section 1), from the row to what requests meet.
//!
//! A row of the tables names the construct, the place that is changed, and the outcome. Whoever teaches the data plane
//! something changes the row.

use serde_json::{Value, json};
use zonegate_definition::{NodeContext, Read, read_api};
use zonegate_generation::Surroundings;

use super::*;

mod golden;
mod v2;
mod v4;

/// What becomes of an API.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    Served,
    /// Served, and the log says what is missing.
    Limited(&'static str),
    /// Refused at a place, with a reason that says this.
    Refused(&'static str, &'static str),
    NotHere,
}

use Outcome::{Limited, NotHere, Refused, Served};

/// A construct, the JSON pointer that is set, the value, and the outcome.
type Row = (&'static str, &'static str, Value, Outcome);

fn check(base: &Value, rows: &[Row]) {
    for (construct, pointer, value, expected) in rows {
        let came = deploy(&with(base.clone(), pointer, value.clone()));
        let kept = match (&came, expected) {
            (Ok(Some(limitations)), Served) => limitations.is_empty(),
            (Ok(Some(limitations)), Limited(says)) => limitations.len() == 1 && limitations[0].contains(says),
            (Ok(None), NotHere) => true,
            (Err(refusal), Refused(at, says)) => refusal.at == *at && refusal.to_string().contains(says),
            _ => false,
        };
        assert!(kept, "{construct} ({pointer}): expected {expected:?}, came {came:?}");
    }
}

/// What is refused stays refused beside everything that is served, as far as the places do not overlap. Changes that
/// leave the endpoint out do not count: what is wrong with it is gone then.
fn check_together(base: &Value, rows: &[Row]) {
    let within = |one: &str, other: &str| {
        other.strip_prefix(one).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let serves = |row: &&Row| match deploy(&with(base.clone(), row.1, row.2.clone())) {
        Ok(Some(limitations)) => {
            !limitations.iter().any(|limitation| limitation.contains("left out because"))
        }
        _ => false,
    };
    let others: Vec<&Row> = rows.iter().filter(serves).collect();
    for (construct, pointer, value, _) in rows.iter().filter(|row| matches!(row.3, Refused(..))) {
        let mut definition = with(base.clone(), pointer, value.clone());
        let mut changed = vec![*pointer];
        for (_, pointer, value, _) in &others {
            if !changed.iter().any(|other| within(pointer, other) || within(other, pointer)) {
                definition = with(definition, pointer, value.clone());
                changed.push(pointer);
            }
        }
        assert!(changed.len() > 10, "{construct} stands beside much");
        assert!(deploy(&definition).is_err(), "{construct} ({pointer}) is served beside {changed:?}");
    }
}

/// The limitations of an API that is served, `None` if it is not for this gateway.
fn deploy(definition: &Value) -> Result<Option<Vec<String>>, Refusal> {
    let row = json!({ "definition": definition, "enabled": true, "organizationId": "O" });
    let payload = serde_json::from_str(&row.to_string()).expect("the row is JSON");
    match read_api(&payload, &NodeContext::default())? {
        Read::NotHere(_) => Ok(None),
        Read::Serve(api) => {
            let api: Arc<Api> = Arc::from(api);
            compiler().compile(&api, &Surroundings { organization: None })?;
            Ok(Some(unserved::limitations(&api).iter().map(ToString::to_string).collect()))
        }
    }
}

fn compiler() -> Compiler {
    Compiler::new(Registry::builtin(), Arc::default(), Arc::default())
}

/// The definition with the member at a pointer set; members on the way are made where they are not there.
fn with(mut definition: Value, pointer: &str, value: Value) -> Value {
    let mut place = &mut definition;
    for step in pointer.split('/') {
        place = match step.parse::<usize>() {
            Ok(index) => &mut place[index],
            Err(_) => &mut place[step],
        };
    }
    *place = value;
    definition
}

#[test]
fn s3_an_organization_whose_flows_cannot_be_run_refuses_its_apis() {
    let organization = |flow: Value| {
        let row = json!({ "enabled": true, "definition": { "id": "O", "flows": [{ "name": "off", "enabled": false }, flow] } });
        let payload = serde_json::from_str(&row.to_string()).expect("the row is JSON");
        Arc::new(
            zonegate_definition::read_organization(&payload, &NodeContext::default()).expect("understood"),
        )
    };
    let row = json!({ "definition": v4::base(), "enabled": true });
    let payload = serde_json::from_str(&row.to_string()).expect("the row is JSON");
    let Ok(Read::Serve(api)) = read_api(&payload, &NodeContext::default()) else { panic!("it is read") };
    let api: Arc<Api> = Arc::from(api);
    let compile = |flow| {
        let organization = organization(flow);
        compiler().compile(&api, &Surroundings { organization: Some(&organization) })
    };
    compile(json!({ "pre": [{ "policy": "transform-headers" }] })).expect("served");
    for (flow, at) in [
        (json!({ "condition": "{#true}" }), "organization O.flows[1].condition"),
        (json!({ "pre": [{ "policy": "groovy" }] }), "organization O.flows[1].pre[0]"),
        (
            json!({ "post": [{ "policy": "mock", "condition": "x" }] }),
            "organization O.flows[1].post[0].condition",
        ),
        (json!({ "path-operator": { "path": "/(a)" } }), "organization O.flows[1]"),
    ] {
        assert_eq!(compile(flow).expect_err("refused").at, at);
    }
}
