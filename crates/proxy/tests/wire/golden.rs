//! Replays exchanges recorded from the original gateway (4.12.12) and compares the answers.
//!
//! Compared are the status, the names of the response's headers and the values that are not made anew each time, and the
//! body; of what the upstream got, everything but `Accept-Encoding` (the original negotiates compression for itself).
//! Left out are categories that are not served yet, and what is deliberately different (see [`is_served`]).

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use zonegate_model::{Kind, Row, RowKey};

use crate::gateway::{Gateway, Response, header_values};
use crate::upstream::{Then, Upstream};

/// The recorded data, if it is there.
fn golden() -> Option<PathBuf> {
    let found = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("shared/golden/4.12.12"))
        .find(|folder| folder.is_dir());
    if found.is_none() {
        #[expect(clippy::print_stderr, reason = "whoever runs the tests has to know")]
        {
            eprintln!("skipped: no recorded data (shared/golden) beside the checkout");
        }
    }
    found
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("readable");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The upstream that the recordings were made with.
fn echo() -> Upstream {
    Upstream::answering(|request, stream| {
        let (method, url) = request.line().split_once(' ').expect("a request line");
        if url.contains("ms=2000") {
            // Never: the gateway is to give up.
            return Then::Keep;
        }
        let (status, kind, body) =
            match url.strip_prefix("/status/").map(|code| code.parse::<u16>().expect("a status")) {
                Some(code) => (code, "text/plain", format!("status {code}")),
                None => (200, "application/json\r\nx-upstream: echo", {
                    let mut headers = BTreeMap::<String, Vec<&str>>::new();
                    for (name, value) in
                        request.head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'))
                    {
                        headers.entry(name.to_ascii_lowercase()).or_default().push(value.trim());
                    }
                    json!({ "method": method, "url": url, "headers": headers, "body": request.body })
                        .to_string()
                }),
            };
        let head =
            format!("HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\nDate: now\r\nKeep-Alive: timeout=5\r\n");
        let _ = stream.write_all(head.as_bytes());
        let _ = if method == "HEAD" || status == 204 {
            stream.write_all(b"\r\n")
        } else {
            write!(stream, "Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
        };
        Then::Keep
    })
}

/// The recorded zone store as rows, pointed at another upstream. Cross-origin settings are taken off: APIs with them
/// are not served yet.
fn rows(folder: &Path, upstream: &Upstream) -> Vec<Row> {
    lines(&folder.join("redis-standalone/keys.jsonl"))
        .iter()
        .filter_map(|line| {
            let row = &line["value"];
            let kind: Kind = row["type"].as_str()?.parse().ok()?;
            let mut payload: Value = serde_json::from_str(row["payload"].as_str()?).ok()?;
            if let Some(listeners) =
                payload.pointer_mut("/definition/listeners").and_then(Value::as_array_mut)
            {
                for listener in listeners {
                    listener.as_object_mut()?.remove("cors");
                }
            }
            let id = row["id"].as_str()?;
            let key = match kind {
                Kind::Subscription | Kind::ApiKey => RowKey::scoped(kind, payload["api"].as_str()?, id),
                _ => RowKey::new(kind, id),
            };
            let text = payload.to_string().replace("127.0.0.1:19000", &upstream.address.to_string());
            Some(Row::deployed(key, text))
        })
        .collect()
}

/// Whether an exchange is of a category that is served, and meant to be answered alike.
fn is_served(name: &str) -> bool {
    let not_yet = ["jwt", "flow", "two plans", "cors"].iter().any(|category| name.starts_with(category));
    let different = [
        // The original sends the method `OTHER` upstream, which is not to be copied.
        "method unknown",
        // 4.12.12 did not answer at all, see the README of the recordings.
        "http/1.0 no host",
        "no host",
    ];
    !not_yet && !different.contains(&name)
}

/// Names and values of headers that can be compared.
fn comparable(head: &str, chunked_matters: bool) -> BTreeSet<(String, String)> {
    head.split("\r\n")
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .filter(|(name, _)| chunked_matters || name != "transfer-encoding")
        .map(|(name, value)| match name.as_str() {
            // Made anew each time.
            "x-gravitee-transaction-id" | "x-gravitee-request-id" if value.len() == 36 => {
                (name, "an id".to_owned())
            }
            "date" => (name, "a date".to_owned()),
            _ => (name, value),
        })
        .collect()
}

/// What an echoed body says, without what differs by nature.
fn echoed(body: &str, upstream: &str) -> Option<Value> {
    let mut echo: Value = serde_json::from_str(body).ok()?;
    let headers = echo.get("headers")?.as_object()?.clone();
    echo.as_object_mut()?.remove("httpVersion");
    let headers: BTreeMap<String, Value> = headers
        .into_iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .filter(|(name, _)| name != "accept-encoding")
        .map(|(name, value)| match name.as_str() {
            "x-gravitee-transaction-id" | "x-gravitee-request-id"
                if value[0].as_str().is_some_and(|id| id.len() == 36) =>
            {
                (name, json!("an id"))
            }
            "host" if value[0] == upstream => (name, json!("the upstream")),
            _ => (name, value),
        })
        .collect();
    echo["headers"] = json!(headers);
    Some(echo)
}

/// Takes the chunked framing off.
fn unchunked(head: &str, body: &str) -> String {
    if header_values(head, "transfer-encoding").is_empty() {
        return body.to_owned();
    }
    let (mut whole, mut rest) = (String::new(), body);
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a chunk size");
        whole.push_str(&after[..size]);
        rest = after.get(size + 2..).unwrap_or_default();
    }
    whole
}

#[test]
fn recorded_exchanges_are_answered_alike() {
    let Some(folder) = golden() else { return };
    let upstream = echo();
    let gateway = Gateway::serving(rows(&folder, &upstream));
    gateway.set_clock(1_795_511_400_000);
    let mut replayed = 0;
    let mut differences = Vec::new();
    for exchange in lines(&folder.join("http.jsonl")) {
        let name = exchange["name"].as_str().expect("a name");
        if !is_served(name) {
            continue;
        }
        replayed += 1;
        let recorded_head = exchange["response_head"].as_str().expect("a head");
        let recorded_body = unchunked(recorded_head, exchange["response_body"].as_str().expect("a body"));
        let mut request = exchange["request"].as_str().expect("a request").to_owned();
        if !request.contains("\r\n\r\n") {
            // Overlong requests were cut short when they were recorded.
            request.push_str(&"a".repeat(20_000));
        }
        let mut client = gateway.connect();
        client.send(&request);
        let mut response = client.receive();
        if response.status == 100 {
            // The original never sends it, which is not to be copied.
            response = client.receive();
        }
        if let Some(difference) = difference(name, &response, recorded_head, &recorded_body, &upstream) {
            differences.push(format!("{name} (accept {}): {difference}", exchange["accept"]));
        }
    }
    assert!(
        differences.is_empty(),
        "{} of {replayed} differ:\n{}",
        differences.len(),
        differences.join("\n")
    );
    assert!(replayed >= 70, "only {replayed} exchanges are replayed");
}

fn difference(
    name: &str,
    response: &Response,
    recorded_head: &str,
    recorded_body: &str,
    upstream: &Upstream,
) -> Option<String> {
    let status = recorded_head.get(9..12).and_then(|code| code.parse::<u16>().ok()).expect("a status");
    if response.status != status {
        return Some(format!("status {} instead of {status}", response.status));
    }
    let mut recorded = comparable(recorded_head, true);
    let mut own = comparable(&response.head, true);
    if matches!(name, "garbage" | "large header" | "long uri") {
        // We say that the connection is closed, the original just closes it.
        own.remove(&("connection".to_owned(), "close".to_owned()));
    }
    if name == "keyless forwards client headers" {
        // The original relays the upstream's `Connection`, which is not to be copied.
        recorded.remove(&("connection".to_owned(), "keep-alive".to_owned()));
        own.remove(&("connection".to_owned(), "close".to_owned()));
    }
    if own != recorded {
        return Some(format!("headers\n  ours     {own:?}\n  recorded {recorded:?}"));
    }
    let own = echoed(&response.body, &upstream.address.to_string());
    let recorded = echoed(recorded_body, "127.0.0.1:19000");
    let same = if recorded.is_some() { own == recorded } else { response.body == recorded_body };
    (!same).then(|| format!("body\n  ours     {}\n  recorded {recorded_body}", response.body))
}
