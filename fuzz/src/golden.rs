//! Seeds from what real servers wrote, read where it lies beside the checkout. Nothing of it is copied into the project.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use zonegate_model::Kind;
use zonegate_payload::record::EventType;

/// The folder of recorded data above this crate, if it is there.
pub fn golden() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().map(|folder| folder.join("shared/golden")).find(|folder| folder.is_dir())
}

/// Inputs by target.
pub fn golden_seeds(golden: &Path) -> Vec<(&'static str, Vec<u8>)> {
    let mut seeds = Vec::new();
    for store in ["4.12.12/redis-hazelcast", "4.12.12/redis-standalone", "4.11.25/redis-hazelcast"] {
        let mut lines = String::new();
        for entry in json_lines(&golden.join(store).join("keys.jsonl")) {
            let field = |name: &str| entry["value"][name].as_str();
            let (Some(kind), Some(id)) = (field("type"), field("id")) else { continue };
            let Some(number) = Kind::ALL.iter().position(|known| known.name() == kind) else { continue };
            let payload = field("payload").unwrap_or_default();
            let scope = serde_json::from_str::<Value>(payload).ok();
            let scope = scope.as_ref().and_then(|payload| payload["api"].as_str()).unwrap_or_default();
            let _ = writeln!(lines, "{number}\t{id}\t{scope}\t{payload}");
            if matches!(kind, "API" | "ORGANIZATION") {
                seeds.push(("definition", payload.as_bytes().to_vec()));
            }
        }
        seeds.push(("rows", lines.into_bytes()));
    }
    for event in json_lines(&golden.join("4.11.25/mongodb/events_latest.jsonl")) {
        let kind = event["type"].as_str().and_then(|kind| kind.parse::<EventType>().ok());
        let Some(number) = kind.and_then(|kind| EventType::ALL.iter().position(|known| *known == kind))
        else {
            continue;
        };
        let mut seed = vec![u8::try_from(number).unwrap_or_default()];
        // The target's events are about `subject`.
        let payload = event["payload"].as_str().unwrap_or_default();
        let id = serde_json::from_str::<Value>(payload)
            .ok()
            .and_then(|payload| Some(payload["id"].as_str()?.to_owned()));
        seed.extend(payload.replace(id.as_deref().unwrap_or("\0"), "subject").bytes());
        seeds.push(("event", seed));
    }
    for version in ["4.11.25", "4.12.12"] {
        for exchange in json_lines(&golden.join(version).join("http.jsonl")) {
            for part in ["request", "response_head", "response_body"] {
                if let Some(text) = exchange[part].as_str().filter(|text| !text.is_empty()) {
                    let end = if part == "response_head" { "\r\n\r\n" } else { "" };
                    seeds.push(("http", format!("{text}{end}").into_bytes()));
                }
            }
        }
    }
    seeds
}

fn json_lines(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}
