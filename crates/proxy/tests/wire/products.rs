//! API products: their plans open each member, before its own (`data-plane.md` sections 3.1, 3.8).

use serde_json::{Value, json};
use zonegate_model::{Kind, Row, RowKey};

use crate::api_key::{SUBSCRIPTION, key, key_security, subscription, with_plans};
use crate::gateway::{Gateway, api};
use crate::upstream::Upstream;

/// A product `bundle` of these APIs, with plans of these securities.
fn product(apis: &[&str], securities: &[Value]) -> Value {
    let plans = with_plans("bundle", "", securities)["plans"].clone();
    json!({ "id": "bundle", "name": "Bundle", "apiIds": apis, "environmentId": "E", "plans": plans })
}

fn deployed(product: &Value) -> Row {
    Row::deployed(RowKey::new(Kind::ApiProduct, "bundle"), product.to_string())
}

/// APIs `one` and `other` with own plans for keys, `bare` without a plan; all but `other` in a product.
fn gateway(upstream: &Upstream) -> Gateway {
    let keyed = [key_security(Value::Null)];
    Gateway::serving(vec![
        api(&with_plans("one", &upstream.target(""), &keyed)),
        api(&with_plans("other", &upstream.target(""), &keyed)),
        api(&with_plans("bare", &upstream.target(""), &[])),
        deployed(&product(&["one", "bare"], &keyed)),
        subscription("one", "own", "plan-0", Value::Null),
        key("one", "own", "key of one", Value::Null),
        subscription("bundle", SUBSCRIPTION, "plan-0", Value::Null),
        key("bundle", SUBSCRIPTION, "key of bundle", Value::Null),
    ])
}

fn with_key(key: &str) -> String {
    format!("X-Gravitee-Api-Key: {key}\r\n")
}

#[test]
fn a_key_of_a_product_opens_its_members_and_a_key_of_an_api_that_api() {
    let upstream = Upstream::ok();
    let gateway = gateway(&upstream);
    let status = |api: &str, key: &str| gateway.get(&format!("/{api}"), &with_key(key)).status;
    let statuses = |key| ["one", "bare", "other"].map(|api| status(api, key));
    assert_eq!(statuses("key of bundle"), [200, 200, 401]);
    assert_eq!(statuses("key of one"), [200, 401, 401]);
    assert_eq!(statuses("key of nobody"), [401, 401, 401]);
    let response = gateway.get("/bare/x", &with_key("key of bundle"));
    assert_eq!(response.headers("x-gravitee-client-identifier"), [SUBSCRIPTION]);
    assert!(!upstream.last().head.contains("key of bundle"), "it does not go upstream");
}

#[test]
fn s2_a_revoked_key_of_a_product_opens_no_member_from_the_next_request_on() {
    let upstream = Upstream::ok();
    let mut gateway = gateway(&upstream);
    let revoked = Row::removed(RowKey::scoped(Kind::ApiKey, "bundle", "id of key of bundle"));
    let committed = gateway.apply(vec![revoked]);
    assert_eq!((committed.credentials, committed.members.len()), (vec!["bundle".into()], 0));
    for api in ["/one", "/bare"] {
        assert_eq!(gateway.get(api, &with_key("key of bundle")).status, 401);
    }
    assert_eq!(gateway.get("/one", &with_key("key of one")).status, 200);
}

#[test]
fn keys_and_subscriptions_of_products_are_valid_for_their_time() {
    let upstream = Upstream::ok();
    let mut gateway = gateway(&upstream);
    gateway.apply(vec![
        subscription("bundle", "bounded", "plan-0", json!({ "startingAt": 500, "endingAt": 1500 })),
        key("bundle", "bounded", "bounded", json!({ "expireAt": 1200 })),
    ]);
    for (now, status) in [(499, 401), (500, 200), (1199, 200), (1200, 401)] {
        gateway.set_clock(now);
        assert_eq!(gateway.get("/bare", &with_key("bounded")).status, status, "at {now}");
    }
}

#[test]
fn plans_of_products_are_tried_before_own_ones_and_a_key_that_is_shown_counts_for_both() {
    let upstream = Upstream::ok();
    let own = with_plans("one", &upstream.target(""), &[json!({ "type": "key-less" })]);
    let mut gateway = Gateway::serving(vec![
        api(&own),
        deployed(&product(&["one"], &[key_security(Value::Null)])),
        subscription("bundle", SUBSCRIPTION, "plan-0", Value::Null),
        key("bundle", SUBSCRIPTION, "good", Value::Null),
    ]);
    assert_eq!(gateway.get("/one", "").status, 200, "the API's own plan asks for nothing");
    assert_eq!(gateway.get("/one", &with_key("wrong")).status, 401);
    let keyed = gateway.get("/one", &with_key("good"));
    assert_eq!((keyed.status, keyed.header("x-gravitee-client-identifier")), (200, Some(SUBSCRIPTION)));
    gateway.apply(vec![Row::removed(RowKey::new(Kind::ApiProduct, "bundle"))]);
    assert_eq!(gateway.get("/one", &with_key("good")).status, 200, "nobody asks for the key any more");
    assert!(upstream.last().head.contains("good"), "it is any header now");
}

#[test]
fn flows_of_a_products_plan_run_as_the_member_chooses_flows() {
    let upstream = Upstream::ok();
    let flow = |path: &str| {
        json!({ "enabled": true, "selectors": [{ "type": "http", "path": path, "pathOperator": "STARTS_WITH" }],
                "request": [{ "policy": "transform-headers", "enabled": true,
                    "configuration": { "appendHeaders": [{ "name": "x-flow", "value": path }] } }] })
    };
    let mut bundle = product(&["all", "best"], &[json!({ "type": "key-less" })]);
    bundle["plans"][0]["flows"] = json!([flow("/"), flow("/deep")]);
    let all = with_plans("all", &upstream.target(""), &[]);
    let mut best = with_plans("best", &upstream.target(""), &[]);
    best["flowExecution"] = json!({ "mode": "best-match" });
    let gateway = Gateway::serving(vec![api(&all), api(&best), deployed(&bundle)]);
    assert_eq!(gateway.get("/all/deep", "").status, 200);
    assert_eq!(upstream.last().headers("x-flow"), ["/", "/deep"]);
    assert_eq!(gateway.get("/best/deep", "").status, 200);
    assert_eq!(upstream.last().headers("x-flow"), ["/deep"]);
    assert!(upstream.last().header("x-gravitee-request-id").is_some());
}

#[test]
fn s3_a_product_with_an_unknown_policy_opens_nothing() {
    let upstream = Upstream::ok();
    let mut gateway = Gateway::serving(vec![api(&with_plans("bare", &upstream.target(""), &[]))]);
    let mut bundle = product(&["bare"], &[json!({ "type": "key-less" })]);
    bundle["plans"][0]["flows"] = json!([{ "request": [{ "policy": "quantum", "enabled": true }] }]);
    let committed = gateway.apply(vec![deployed(&bundle)]);
    assert_eq!(committed.refused.iter().map(|refused| refused.kind).collect::<Vec<_>>(), [Kind::ApiProduct]);
    assert_eq!(gateway.get("/bare", "").status, 404);
}
