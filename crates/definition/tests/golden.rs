//! Definitions that real APIM servers wrote into a zone store: each is served, or refused for the expected reason (C2,
//! C3, S3). Skipped where the recordings are not there.

#![expect(
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a broken recording fails the test; an absent one must show as skipped"
)]

use std::path::{Path, PathBuf};

use zonegate_definition::{NodeContext, Read, Reason, read_api};
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

fn api_payloads(file: &Path) -> Vec<ApiPayload> {
    let text = std::fs::read_to_string(file).expect("the recording is readable");
    text.lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a line is JSON"))
        .filter(|line| line["value"]["type"] == "API")
        .map(|line| {
            let payload = line["value"]["payload"].as_str().expect("an API row has a payload");
            serde_json::from_str(payload).expect("the payload is readable")
        })
        .collect()
}

#[test]
fn s3_recorded_definitions_are_served_or_refused_for_the_expected_reason() {
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
                "Golden flows: refused at flows[1].request[0].condition",
                "Golden jwt: refused at plans[0].security",
                "Golden keyless: refused at listeners[0].cors.enabled",
                "Golden two plans: refused at plans[0].selectionRule",
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
fn l3_a_refused_definition_shows_none_of_its_secrets() {
    let Some(golden) = recordings() else { return };
    for payload in api_payloads(&golden.join("4.12.12/redis-standalone/keys.jsonl")) {
        if let Err(refusal) = read_api(&payload, &NodeContext::default()) {
            let shown = format!("{refusal} {refusal:?}");
            assert!(!shown.contains("hmac-secret") && !shown.contains("s3cret"), "{shown}");
            assert!(!matches!(refusal.reason, Reason::Malformed(_)), "{shown}");
        }
    }
}
