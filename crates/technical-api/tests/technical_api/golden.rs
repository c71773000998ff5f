//! Answers recorded from APIM gateways 4.11.25 and 4.12.12: ours have the same status, headers and members with values
//! of the same types (C5).

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::client::{Answer, get, get_with};
use crate::gateway::Gateway;

/// The recorded answers, or `None` where the shared reference material is not beside the checkout.
fn recordings() -> Option<Vec<PathBuf>> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("shared/golden"))
        .find(|folder| folder.is_dir())?;
    let mut files = Vec::new();
    for version in ["4.11.25", "4.12.12"] {
        for name in ["node", "node-primary", "node-secondary"] {
            files.push(shared.join(version).join("technical-api").join(format!("{name}.jsonl")));
        }
    }
    Some(files)
}

/// Every member of `theirs` is in `ours`, with a value of the same type; an empty list is any list, and `null` (the
/// `license` of 4.11, gone in 4.12) may be absent.
fn assert_same_shape(path: &str, theirs: &Value, ours: &Value) {
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => {
            for (name, value) in theirs.iter().filter(|(_, value)| !value.is_null()) {
                let ours = ours.get(name).unwrap_or_else(|| panic!("{path} has no member `{name}`"));
                assert_same_shape(&format!("{path}.{name}"), value, ours);
            }
        }
        (Value::Array(theirs), Value::Array(ours)) => {
            if let (Some(theirs), Some(ours)) = (theirs.first(), ours.first()) {
                assert_same_shape(&format!("{path}[0]"), theirs, ours);
            }
        }
        _ => assert_eq!(
            std::mem::discriminant(theirs),
            std::mem::discriminant(ours),
            "{path}: {theirs} and {ours} are not of one type"
        ),
    }
}

fn assert_same_headers(request: &str, recorded: &Value, answer: &Answer) {
    for (name, value) in recorded["headers"].as_object().unwrap() {
        // How a body is framed is the server's own business, and pretty printing differs in blanks.
        if !["connection", "content-length", "transfer-encoding"]
            .contains(&name.to_ascii_lowercase().as_str())
        {
            assert_eq!(answer.header(name), value.as_str(), "{request}: {name}");
        }
    }
}

#[tokio::test]
async fn c5_recorded_answers_of_apim_have_the_same_status_headers_and_shape() {
    let Some(files) = recordings() else {
        #[expect(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("SKIPPED: no recorded answers, since ../shared/golden is not there");
        }
        return;
    };
    let mut compared = 0;
    for file in files {
        let recorded: Vec<Value> = std::fs::read_to_string(&file)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let mut gateway = Gateway::default();
        gateway.rows.clear();
        for exchange in &recorded {
            // The gateway holds what the recorded one held.
            if let Some(id) = exchange["request"].as_str().unwrap().strip_prefix("GET /_node/apis/")
                && exchange["status"] == 200
            {
                gateway.rows.insert(id.to_owned(), exchange["body"].as_str().unwrap().to_owned());
            }
        }
        let api = gateway.start(|settings| settings.clear_text = true).await;
        for exchange in &recorded {
            let request = exchange["request"].as_str().unwrap();
            let path = request.strip_prefix("GET ").unwrap();
            let answer = match path.split_once(" (") {
                Some((path, _wrong_credentials)) => get_with(api.address(), path, "").await,
                None => get(api.address(), path).await,
            };
            assert_eq!(Value::from(answer.status), exchange["status"], "{request} in {}", file.display());
            assert_same_headers(request, exchange, &answer);
            let body = exchange["body"].as_str().unwrap_or_default();
            match serde_json::from_str::<Value>(body) {
                // Keys of settings differ from installation to installation.
                Ok(theirs) if path == "/_node/configuration" => {
                    assert!(theirs.as_object().unwrap().values().all(Value::is_string));
                    assert!(answer.json().as_object().unwrap().values().all(Value::is_string));
                }
                Ok(theirs) if path.starts_with("/_node/apis/") => {
                    assert_eq!(answer.json(), theirs, "{request}");
                }
                Ok(theirs) => assert_same_shape(request, &theirs, &answer.json()),
                Err(_) => assert_eq!(answer.body, body, "{request}"),
            }
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared} answers were compared");
}
