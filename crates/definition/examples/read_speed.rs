//! How long it takes to read one API row: `cargo run --release -p zonegate-definition --example read_speed`.
//!
//! The row is a V4 definition of about 5 kB, as the management console writes them. What is measured is what the
//! generation does with each row before it compiles it.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement for developers: it reads the clock, prints, and stops when something is wrong"
)]

use std::hint::black_box;
use std::time::Instant;

use zonegate_definition::{NodeContext, Read, read_api};
use zonegate_payload::ApiPayload;

const ROUNDS: u32 = 20_000;

fn main() {
    let row = row();
    let node = NodeContext::default();
    let api = |text: &str| {
        let payload: ApiPayload = serde_json::from_str(text).expect("the row is JSON");
        match read_api(&payload, &node) {
            Ok(Read::Serve(api)) => api,
            other => panic!("not served: {other:?}"),
        }
    };
    println!("row of {} bytes, {} flows", row.len(), api(&row).flows.len());
    for what in ["warm-up", "payload and definition"] {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            black_box(api(black_box(&row)));
        }
        println!("{what}: {:.2} µs a row", start.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS));
    }
    let start = Instant::now();
    for _ in 0..ROUNDS {
        black_box(serde_json::from_str::<ApiPayload>(black_box(&row)).expect("the row is JSON"));
    }
    println!("payload alone: {:.2} µs a row", start.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS));
}

fn row() -> String {
    let step = |name: &str, header: &str| {
        format!(
            r#"{{"name":"{name}","description":"Sets what the backend wants to know","enabled":true,"policy":"transform-headers",
            "configuration":{{"scope":"REQUEST","removeHeaders":["X-Old"],"addHeaders":[{{"name":"{header}","value":"yes"}},
            {{"name":"X-Other","value":"no"}}]}}}}"#
        )
    };
    let flow = |name: &str, path: &str| {
        format!(
            r#"{{"id":"7d7e0ac2-7c6e-4f05-bfa4-0a2f8b8d3c10","name":"{name}","enabled":true,"tags":[],
            "selectors":[{{"type":"http","path":"{path}","pathOperator":"STARTS_WITH","methods":["GET","POST"]}}],
            "request":[{},{}],"response":[{}]}}"#,
            step("Add", "X-A"),
            step("More", "X-B"),
            step("Back", "X-C")
        )
    };
    let settings = r#"{"proxy":{"useSystemProxy":false,"enabled":false},"http":{"keepAliveTimeout":30000,"keepAlive":true,
        "propagateClientHost":false,"followRedirects":false,"readTimeout":10000,"idleTimeout":60000,"connectTimeout":3000,
        "useCompression":true,"maxConcurrentConnections":20,"version":"HTTP_1_1","pipelining":false},
        "ssl":{"keyStore":{"type":""},"hostnameVerifier":true,"trustStore":{"type":""},"trustAll":false},
        "headers":[{"name":"X-Env","value":"production"}]}"#;
    let endpoint = |name: &str| {
        format!(
            r#"{{"name":"{name}","type":"http-proxy","weight":1,"inheritConfiguration":true,
            "configuration":{{"target":"http://{name}.internal.example.com:8080/orders"}},"sharedConfigurationOverride":{{}},"services":{{}},
            "secondary":false,"tenants":[]}}"#
        )
    };
    let plan = |id: &str, kind: &str| {
        format!(
            r#"{{"id":"{id}","name":"Plan {id}","mode":"standard","status":"published","tags":[],
            "security":{{"type":"{kind}","configuration":{{}}}},"flows":[]}}"#
        )
    };
    let definition = format!(
        r#"{{"id":"0e1f6f5c-6a37-4f1c-9f6f-5c6a37cf1c2b","name":"Orders","type":"proxy","apiVersion":"1.0","definitionVersion":"4.0.0","tags":[],
        "listeners":[{{"type":"http","paths":[{{"path":"/orders/","overrideAccess":false}}],"pathMappings":["/orders/:id"],
        "entrypoints":[{{"type":"http-proxy","qos":"auto","configuration":{{}}}}],"cors":{{"enabled":false,"allowOrigin":["*"],
        "allowMethods":["GET"],"allowHeaders":[],"exposeHeaders":[],"maxAge":-1}},"servers":[]}}],
        "endpointGroups":[{{"name":"default-group","type":"http-proxy","loadBalancer":{{"type":"round-robin"}},
        "sharedConfiguration":{settings},"endpoints":[{},{}],"services":{{}}}}],
        "analytics":{{"enabled":true,"logging":{{"mode":{{}},"phase":{{}},"content":{{}}}},"tracing":{{"enabled":false,"verbose":false}}}},
        "failover":{{"enabled":false,"maxRetries":2,"slowCallDuration":2000,"openStateDuration":10000,"maxFailures":5,"perSubscription":true}},
        "properties":[{{"key":"region","value":"eu","encrypted":false,"dynamic":false}}],
        "resources":[{{"name":"cache","type":"cache","enabled":true,"configuration":{{"maxEntriesLocalHeap":1000,"timeToIdleSeconds":60}}}}],
        "flowExecution":{{"mode":"default","matchRequired":false}},"flows":[{},{},{}],"plans":[{},{}],
        "responseTemplates":{{}},"services":{{}}}}"#,
        endpoint("first"),
        endpoint("second"),
        flow("all", "/"),
        flow("orders", "/orders/:id"),
        flow("items", "/orders/:id/items"),
        plan("keyed", "api-key"),
        plan("open", "key-less"),
    );
    let compact: serde_json::Value = serde_json::from_str(&definition).expect("the definition is JSON");
    serde_json::json!({
        "definition": compact, "enabled": true, "deployedAt": 1_767_225_600_000_i64, "revision": "3",
        "environmentId": "DEFAULT", "environmentHrid": "default", "organizationId": "DEFAULT"
    })
    .to_string()
}
