//! Definitions that real APIM servers wrote into a zone store: each is served, or refused for the expected reason (C2,
//! C3, S3). Skipped where the recordings are not there.

use std::path::Path;

use super::*;

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped must say so")]
fn s3_recorded_definitions_are_served_or_refused_for_the_expected_reason() {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join("shared/golden"));
    let Some(golden) = found.into_iter().find(|golden| golden.is_dir()) else {
        eprintln!("skipped: no folder `shared/golden` above {}", env!("CARGO_MANIFEST_DIR"));
        return;
    };
    for recording in ["4.12.12/redis-standalone", "4.12.12/redis-hazelcast", "4.11.25/redis-standalone"] {
        let text = std::fs::read_to_string(golden.join(recording).join("keys.jsonl")).expect("readable");
        let mut outcomes: Vec<String> = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"))
            .filter(|line| line["value"]["type"] == "API")
            .map(|line| {
                let payload = line["value"]["payload"].as_str().expect("an API row has a payload");
                let row: Value = serde_json::from_str(payload).expect("the payload is JSON");
                let name = row["definition"]["name"].as_str().expect("a name").to_owned();
                match deploy(&row["definition"]) {
                    Ok(Some(limitations)) => format!("{name}: served {limitations:?}"),
                    Ok(None) => format!("{name}: not here"),
                    Err(refusal) => format!("{name}: {refusal}"),
                }
            })
            .collect();
        outcomes.sort();
        assert_eq!(
            outcomes,
            [
                "Golden api-key: served []",
                "Golden flows: flows[0].request[0]: policy `transform-headers`: addHeaders[0] holds an expression, \
                 which is not served yet",
                "Golden jwt: plans[0].security: plans with security `jwt` are not served (key-less and api-key are)",
                "Golden keyless: listeners[0].cors.enabled: cross-origin settings (CORS) are not served",
                "Golden two plans: plans[0].selectionRule: plans with a selection rule are not served",
                "Golden unknown host: served []",
                "Golden upstream down: served []",
                "Golden upstream slow: served []",
                "Golden v2: served []",
            ],
            "{recording}"
        );
    }
}
