//! Shared policy groups: steps that flows of many APIs refer to (`zone-store.md` section 6.9, `data-plane.md`
//! section 4.5).

use std::sync::Arc;

use serde::Deserialize;
use zonegate_payload::SharedPolicyGroupPayload;

use crate::flow::json::{StepJson, steps};
use crate::json::{self, Text};
use crate::read::check_size;
use crate::refusal::{Reason, Refusal, excerpt};
use crate::{At, Step, label};

/// A shared policy group.
#[derive(Clone, Debug)]
pub struct SharedPolicyGroup {
    /// The id by which steps name it.
    pub id: Arc<str>,
    /// Name for people.
    pub name: Option<String>,
    /// Id of the environment: only its APIs see the group.
    pub environment: Option<Arc<str>>,
    /// When it was deployed, milliseconds since 1970.
    pub deployed_at: Option<i64>,
    /// The phase that its steps are for.
    pub phase: Phase,
    /// Its steps, in order. One that names a shared policy group itself is ignored by the original.
    pub steps: Vec<Step>,
}

/// The phase that a shared policy group is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Requests.
    Request,
    /// Responses.
    Response,
    /// Messages on their way in; not for HTTP proxies.
    Publish,
    /// Messages on their way out; not for HTTP proxies.
    Subscribe,
}

#[derive(Deserialize)]
struct GroupJson<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    phase: Option<Text<'a>>,
    policies: Option<Vec<StepJson<'a>>>,
}

/// Reads the row of a shared policy group.
pub fn read_shared_policy_group(payload: &SharedPolicyGroupPayload) -> Result<SharedPolicyGroup, Refusal> {
    const PHASES: [(&str, Phase); 6] = [
        ("request", Phase::Request),
        ("response", Phase::Response),
        ("publish", Phase::Publish),
        ("subscribe", Phase::Subscribe),
        ("messagerequest", Phase::Publish),
        ("messageresponse", Phase::Subscribe),
    ];
    if payload.id.trim().is_empty() {
        return Err(At::WHOLE.refuse(Reason::Missing("id")));
    }
    let text = payload.definition.get();
    check_size(text)?;
    let json: GroupJson<'_> = json::parse(text, &At::WHOLE)?;
    let phase = Text::filled(json.phase).ok_or_else(|| At::WHOLE.refuse(Reason::Missing("phase")))?;
    Ok(SharedPolicyGroup {
        id: payload.id.as_str().into(),
        name: payload.name.clone().or_else(|| Text::filled(json.name).map(Into::into)),
        environment: payload.environment_id.clone(),
        deployed_at: payload.deployed_at,
        phase: label::find(&phase, &PHASES)
            .ok_or_else(|| At::root("phase").refuse(Reason::Phase(excerpt(&phase))))?,
        steps: steps(json.policies, &At::root("policies"))?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::Action;

    fn read(definition: &Value) -> Result<SharedPolicyGroup, Refusal> {
        let row = json!({ "id": "group", "name": "Group", "environmentId": "E", "deployedAt": 7, "definition": definition });
        let payload = serde_json::from_str(&row.to_string()).expect("the row is JSON");
        read_shared_policy_group(&payload)
    }

    #[test]
    fn a_group_has_its_phase_and_the_steps_that_are_on() {
        let group = read(&json!({ "phase": "MESSAGE_RESPONSE", "policies": [
            { "policy": "a", "enabled": false }, { "policy": "b", "condition": "{#true}", "configuration": { "x": 1 } } ] }))
        .expect("understood");
        assert_eq!(
            (&*group.id, group.environment.as_deref(), group.deployed_at),
            ("group", Some("E"), Some(7))
        );
        assert_eq!((group.phase, group.steps.len(), group.steps[0].index), (Phase::Subscribe, 1, 1));
        assert!(group.steps[0].condition.is_some());
        let Action::Policy { id, configuration } = &group.steps[0].action else { panic!("a policy") };
        assert_eq!((&**id, configuration.as_str()), ("b", r#"{"x":1}"#));
    }

    #[test]
    fn s3_a_group_that_is_not_understood_is_refused_with_the_place() {
        for (definition, at) in [
            (json!({ "policies": [] }), ""),
            (json!({ "phase": "LUNCH" }), "phase"),
            (json!({ "phase": "REQUEST", "policies": [{ "policy": "" }] }), "policies[0]"),
            (json!({ "phase": "REQUEST", "policies": 7 }), "policies"),
            (
                json!({ "phase": "REQUEST", "policies": [{ "policy": "shared-policy-group-policy" }] }),
                "policies[0].configuration",
            ),
        ] {
            assert_eq!(read(&definition).expect_err("refused").at, at);
        }
    }
}
