//! Definitions that real APIM servers wrote into a zone store: each is read (C2, C3). Which of them are served is decided,
//! and tested, where they are executed. Skipped where the recordings are not there.

#![expect(
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a broken recording fails the test; an absent one must show as skipped"
)]

use std::path::{Path, PathBuf};

use zonegate_definition::{NodeContext, Phase, Read, read_api, read_organization, read_shared_policy_group};
use zonegate_payload::ApiPayload;

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

/// The payloads of a type in a recording.
fn payloads<T: serde::de::DeserializeOwned>(file: &Path, kind: &str) -> Vec<T> {
    let text = std::fs::read_to_string(file).expect("the recording is readable");
    text.lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a line is JSON"))
        .filter(|line| line["value"]["type"] == kind)
        .map(|line| {
            let payload = line["value"]["payload"].as_str().expect("the row has a payload");
            serde_json::from_str(payload).expect("the payload is readable")
        })
        .collect()
}

fn api_payloads(file: &Path) -> Vec<ApiPayload> {
    payloads(file, "API")
}

#[test]
fn recorded_definitions_are_read() {
    let Some(golden) = recordings() else { return };
    for recording in ["4.12.12/redis-standalone", "4.12.12/redis-hazelcast", "4.11.25/redis-standalone"] {
        let mut outcomes: Vec<String> = api_payloads(&golden.join(recording).join("keys.jsonl"))
            .iter()
            .map(|payload| {
                let name = zonegate_definition::name_of(payload).unwrap_or_default();
                match read_api(payload, &NodeContext::default()) {
                    Ok(Read::Serve(api)) => {
                        assert_eq!(&*api.name, name);
                        assert!(
                            api.environment.is_some() && api.deployed_at.is_some() && api.revision.is_some()
                        );
                        format!("{name}: {} {}", api.generation.name(), api.listeners[0].path)
                    }
                    Ok(Read::NotHere(reason)) => format!("{name}: not here, {reason}"),
                    Err(refusal) => format!("{name}: refused at {}", refusal.at),
                }
            })
            .collect();
        outcomes.sort();
        assert_eq!(
            outcomes,
            [
                "Golden api-key: V4 /apikey/",
                "Golden flows: V4 /flows/",
                "Golden jwt: V4 /jwt/",
                "Golden keyless: V4 /keyless/",
                "Golden two plans: V4 /two/",
                "Golden unknown host: V4 /nohost/",
                "Golden upstream down: V4 /down/",
                "Golden upstream slow: V4 /slow/",
                "Golden v2: V2 /v2/",
            ],
            "{recording}"
        );
    }
}

#[test]
fn recorded_organizations_and_shared_policy_groups_are_read() {
    let Some(golden) = recordings() else { return };
    for recording in ["4.12.12/redis-standalone", "4.12.12/redis-hazelcast", "4.11.25/redis-standalone"] {
        let file = golden.join(recording).join("keys.jsonl");
        for row in payloads(&file, "ORGANIZATION") {
            let organization = read_organization(&row, &NodeContext::default()).expect("understood");
            assert!(!organization.id.is_empty(), "{recording}");
        }
        let groups = payloads(&file, "SHARED_POLICY_GROUP");
        assert!(!groups.is_empty(), "{recording}");
        for row in groups {
            let group = read_shared_policy_group(&row).expect("understood");
            assert_eq!((group.phase, group.steps[0].policy()), (Phase::Request, Some("transform-headers")));
        }
    }
}

#[test]
fn l3_a_recorded_definition_shows_none_of_its_secrets() {
    let Some(golden) = recordings() else { return };
    for payload in api_payloads(&golden.join("4.12.12/redis-standalone/keys.jsonl")) {
        let read = read_api(&payload, &NodeContext::default()).expect("understood");
        let shown = format!("{read:?}");
        assert!(!shown.contains("hmac-secret") && !shown.contains("s3cret"), "{shown}");
    }
}
