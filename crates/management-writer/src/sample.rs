//! Made-up APIs as large and as various as those of a company, the same at each run, for benches and load tests.
//!
//! Everything in them is served by a gateway without any of its limitations mattering, so that a bench measures the work and
//! not a refusal.

use serde_json::{Value, json};

use crate::{ApiSpec, PlanSpec};

/// Words that descriptions are made of.
const WORDS: [&str; 32] = [
    "accounts",
    "and",
    "answers",
    "batch",
    "before",
    "by",
    "customers",
    "daily",
    "each",
    "for",
    "from",
    "internal",
    "invoices",
    "is",
    "it",
    "ledger",
    "limits",
    "of",
    "only",
    "orders",
    "partners",
    "payments",
    "reads",
    "region",
    "returns",
    "shipping",
    "stock",
    "team",
    "the",
    "to",
    "warehouse",
    "with",
];

/// A stream of numbers that depends on its seed only (splitmix64).
#[derive(Clone, Debug)]
pub(crate) struct Stream(u64);

impl Stream {
    /// Begins one. `number` and `seed` say which.
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        Self(mix(seed) ^ mix(number.wrapping_add(0x9e37_79b9_7f4a_7c15)))
    }

    /// The next number.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// The next number of `from..=to`.
    fn within(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from + 1)
    }

    fn words(&mut self, count: u64) -> String {
        let words: Vec<_> =
            (0..count).filter_map(|_| WORDS.get(self.next() as usize % WORDS.len())).copied().collect();
        words.join(" ")
    }
}

/// Mixes all bits; no two numbers become the same.
fn mix(mut number: u64) -> u64 {
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// A number for a text.
pub(crate) fn seed_of(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// An id that looks like APIM's. Ids with different `(mark, number)` differ for one seed.
pub(crate) fn uuid(seed: u64, mark: &str, number: usize) -> String {
    let high = mix(seed ^ seed_of(mark));
    let low = mix(high.wrapping_add(number as u64));
    let other = mix(low ^ high);
    // Version and variant take six bits of `other`; all bits of `low` are there, so that ids never meet.
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        low >> 32,
        low as u16,
        other & 0xfff,
        0x8000 | (other >> 12) & 0x3fff,
        (other & 0xffff_0000_0000) | ((low >> 16) & 0xffff) << 16 | other >> 48
    )
}

impl ApiSpec {
    /// A V4 API with a definition of 3 to 5 kB: a description, two API-key plans of which the first is `<id>-api-key`, flows with
    /// static headers, two endpoints with settings, properties. `seed` and `number` decide what is in it; it is served under
    /// `/<id>`.
    pub fn sample(seed: u64, number: usize, id: &str, target: &str) -> Self {
        let mut stream = Stream::new(seed, number as u64);
        let name = format!("{} {number}", stream.words(2));
        let description = stream.words(40);
        let mut api = Self::v4(id, format!("/{id}"), target).name(&name).api_key();
        let flow_of_plan = json!([flow(&mut stream, "/")]);
        api.plans.push(PlanSpec { flows: flow_of_plan, ..PlanSpec::api_key(format!("{id}-gold")) });
        for _ in 0..stream.within(2, 6) {
            let (key, value) = (stream.words(2).replace(' ', "."), stream.words(4));
            api = api.property(&key, &value);
        }
        let flows: Vec<_> = (0..stream.within(1, 2))
            .map(|_| {
                let path = format!("/{}", stream.words(2).replace(' ', "/"));
                flow(&mut stream, &path)
            })
            .collect();
        api = api.flows(Value::Array(flows));
        let second = format!("{}/{}", target.trim_end_matches('/'), stream.words(1));
        api.with("description", json!(description))
            .with("endpointGroups", json!([group(&[target, &second])]))
            .with(
                "analytics",
                json!({
                    "enabled": true, "sampling": { "type": "probability", "value": "0.01" },
                    "logging": { "condition": "", "mode": { "endpoint": false, "entrypoint": false } },
                }),
            )
    }
}

fn flow(stream: &mut Stream, path: &str) -> Value {
    let step = |stream: &mut Stream| {
        json!({
            "name": "Transform Headers", "description": stream.words(5), "enabled": true, "policy": "transform-headers",
            "configuration": {
                "addHeaders": [{ "name": format!("x-{}", stream.words(1)), "value": stream.words(3) }],
                "removeHeaders": [format!("x-internal-{}", stream.words(1))],
            },
        })
    };
    json!({
        "id": uuid(stream.next(), "flow", 0), "name": stream.words(3), "enabled": true,
        "selectors": [{ "type": "HTTP", "path": path, "pathOperator": "STARTS_WITH", "methods": ["GET", "POST"] }],
        "request": [step(stream)], "response": [step(stream)], "subscribe": [], "publish": [], "tags": [],
    })
}

fn group(targets: &[&str]) -> Value {
    let endpoint = |(number, target): (usize, &&str)| {
        json!({
            "name": format!("endpoint-{number}"), "type": "http-proxy", "secondary": false, "tenants": [], "weight": 1,
            "inheritConfiguration": true, "configuration": { "target": target }, "services": {},
        })
    };
    json!({
        "name": "Default group", "type": "http-proxy", "loadBalancer": { "type": "round-robin" },
        "sharedConfiguration": {
            "http": {
                "version": "HTTP_1_1", "keepAlive": true, "keepAliveTimeout": 30000, "connectTimeout": 3000,
                "readTimeout": 10000, "idleTimeout": 60000, "maxConcurrentConnections": 20, "pipelining": false,
                "useCompression": true, "propagateClientAcceptEncoding": false, "followRedirects": false,
            },
            "proxy": { "enabled": false, "useSystemProxy": false },
            "ssl": { "hostnameVerifier": true, "trustAll": false },
            "headers": [{ "name": "x-gateway", "value": "zone" }],
        },
        "services": {}, "endpoints": targets.iter().enumerate().map(endpoint).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn samples_are_as_long_as_they_are_said_to_be_and_the_same_again() {
        let text = |number| ApiSpec::sample(7, number, "a", "http://127.0.0.1:1").definition().to_string();
        let lengths: Vec<_> = (0..500).map(|number| text(number).len()).collect();
        let (least, most) = (*lengths.iter().min().unwrap(), *lengths.iter().max().unwrap());
        assert!(least >= 3_000 && most <= 5_500, "{least} to {most}");
        assert_eq!(text(3), text(3));
        assert_ne!(text(3), text(4));
    }

    #[test]
    fn ids_look_like_apims_and_differ() {
        let ids: BTreeSet<_> = (0..100_000).map(|number| uuid(1, "api", number)).collect();
        assert_eq!(ids.len(), 100_000);
        assert!(ids.iter().all(|id| id.len() == 36 && id.as_bytes()[14] == b'4'));
        assert_ne!(uuid(1, "api", 0), uuid(1, "key", 0));
        assert_ne!(uuid(1, "api", 0), uuid(2, "api", 0));
    }
}
