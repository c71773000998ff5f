//! Secrets planted wherever the technical API could meet one, and looked for in every answer (L3).

use std::collections::BTreeMap;

use serde_json::json;

use crate::client::{basic, get, get_with};
use crate::gateway::Gateway;

const ENDPOINTS: [&str; 14] = [
    "/_node",
    "/_node/health",
    "/_node/health?probes=sync-process,cpu,memory,nope",
    "/_node/monitor",
    "/_node/apis",
    "/_node/apis/api-1",
    "/_node/apis/broken",
    "/_node/apis/none",
    "/_node/sync",
    "/_node/cluster",
    "/_node/configuration",
    "/_node/license",
    "/_node/logging",
    "/_node/metrics/prometheus",
];

/// A gateway whose own masking of settings failed, and whose API holds secrets in frame, plan, flow and property.
fn gateway() -> Gateway {
    let row = json!({
        "definition": {
            "id": "api-1", "name": "Orders",
            "properties": [{"key": "k", "value": "planted-1", "encrypted": false}],
            "plans": [{"security": {"type": "jwt", "configuration": {"resolverParameter": "planted-2"}}}],
            "flows": [{"request": [{"configuration": {"password": "planted-3"}}]}],
            "endpointGroups": [{"endpoints": [{"configuration": {"target": "http://u:planted-4@h/"}}]}],
            "resources": [{"configuration": "{\"redis\":{\"password\":\"planted-5\"}}"}],
        },
        "enabled": true,
    });
    let mut gateway = Gateway { metrics: Some("zonegate_ready 1".to_owned()), ..Gateway::default() };
    gateway.rows.insert("api-1".to_owned(), row.to_string());
    gateway.configuration = BTreeMap::from(
        [
            ("management.jdbc.password", "planted-6"),
            ("management_jdbc_password", "planted-7"),
            ("services.core.http.authentication.users.ops", "planted-8"),
            ("management.mongodb.uri", "mongodb://a:planted-9@h/g"),
            ("management.jdbc.url", "jdbc:postgresql://h/g?user=a&password=planted-10"),
            ("api.properties.encryption.secret", "planted-11"),
            ("services.sync.delay", "5000"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned())),
    );
    gateway
}

#[tokio::test]
async fn l3_no_answer_holds_a_planted_secret() {
    let api = gateway().start(|_| {}).await;
    for path in ENDPOINTS {
        for headers in [basic("admin:adminadmin"), basic("admin:planted-wrong"), String::new()] {
            let answer = get_with(api.address(), path, &headers).await;
            let whole = format!("{}{}", answer.head, answer.body);
            assert!(!whole.contains("planted") && !whole.contains("adminadmin"), "{path}: {whole}");
        }
    }
    let shown = get(api.address(), "/_node/configuration").await.json();
    assert_eq!(shown["services.sync.delay"], "5000");
    assert_eq!(shown["management.jdbc.url"], "jdbc:postgresql://h/g?user=a&password=********");
}

#[tokio::test]
async fn apims_clear_text_is_there_for_whoever_asks_for_it() {
    let api = gateway().start(|settings| settings.clear_text = true).await;
    let one = get(api.address(), "/_node/apis/api-1").await;
    let configuration = get(api.address(), "/_node/configuration").await;
    for number in 1..=5 {
        assert!(one.body.contains(&format!("planted-{number}")), "{}", one.body);
    }
    assert_eq!(configuration.json()["management.jdbc.password"], "planted-6");
}
