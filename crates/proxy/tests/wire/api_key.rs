//! The security chain with API keys: acceptance cases S2 to S6, S12, S13, S19, S22.

use serde_json::{Value, json};
use zonegate_model::{Kind, Row, RowKey};

use crate::gateway::{Gateway, api, definition};
use crate::upstream::Upstream;

/// A V4 API with plans of these securities, in this order.
pub(crate) fn with_plans(id: &str, target: &str, securities: &[Value]) -> Value {
    let mut definition = definition(id, &format!("/{id}"), target);
    definition["plans"] = securities
        .iter()
        .enumerate()
        .map(|(index, security)| {
            json!({ "id": format!("plan-{index}"), "name": "p", "mode": "standard", "status": "published",
                    "security": security })
        })
        .collect();
    definition
}

pub(crate) fn key_security(configuration: Value) -> Value {
    json!({ "type": "api-key", "configuration": configuration })
}

pub(crate) fn subscription(api: &str, id: &str, plan: &str, more: Value) -> Row {
    let mut payload =
        json!({ "id": id, "api": api, "plan": plan, "application": "app", "status": "ACCEPTED" });
    if let (Some(payload), Value::Object(more)) = (payload.as_object_mut(), more) {
        payload.extend(more);
    }
    Row::deployed(RowKey::scoped(Kind::Subscription, api, id), payload.to_string())
}

pub(crate) fn key(api: &str, subscription: &str, text: &str, more: Value) -> Row {
    let id = format!("id of {text}");
    let mut payload = json!({ "id": id, "key": text, "api": api, "plan": "plan-0", "subscription": subscription,
                              "application": "app", "active": true });
    if let (Some(payload), Value::Object(more)) = (payload.as_object_mut(), more) {
        payload.extend(more);
    }
    Row::deployed(RowKey::scoped(Kind::ApiKey, api, id.as_str()), payload.to_string())
}

pub(crate) const SUBSCRIPTION: &str = "c0371a77-1aea-4792-b71a-771aeac79217";

fn one_api(upstream: &Upstream, configuration: Value) -> Gateway {
    Gateway::serving(vec![
        api(&with_plans("keyed", &upstream.target(""), &[key_security(configuration)])),
        subscription("keyed", SUBSCRIPTION, "plan-0", Value::Null),
        key("keyed", SUBSCRIPTION, "good", Value::Null),
    ])
}

#[test]
fn s2_s19_a_good_key_opens_and_does_not_go_upstream() {
    let upstream = Upstream::ok();
    let gateway = one_api(&upstream, Value::Null);
    let response = gateway.get("/keyed/x?a=1", "X-Gravitee-Api-Key: good\r\n");
    assert_eq!(response.status, 200);
    assert_eq!(response.headers("x-gravitee-client-identifier"), [SUBSCRIPTION]);
    assert!(!upstream.last().head.contains("good"));
    assert_eq!(upstream.last().line(), "GET /x?a=1");
}

#[test]
fn s4_a_key_in_the_query_opens_and_does_not_go_upstream() {
    let upstream = Upstream::ok();
    let gateway = one_api(&upstream, Value::Null);
    assert_eq!(gateway.get("/keyed/x?api-key=good", "").status, 200);
    assert_eq!(upstream.last().line(), "GET /x");
    assert_eq!(gateway.get("/keyed/x?a=1&api-key=good&b=2", "").status, 200);
    assert_eq!(upstream.last().line(), "GET /x?a=1&b=2");
    gateway.get("/keyed/x?api-key=good", "X-Gravitee-Api-Key: good\r\n");
    assert!(!upstream.last().head.contains("good"), "neither of two goes on");
    assert_eq!(gateway.get("/keyed/x?api-key=g%6Fod", "").status, 401, "the query is not decoded");
}

#[test]
fn s3_a_plan_may_propagate_the_key() {
    let upstream = Upstream::ok();
    let gateway = one_api(&upstream, json!({ "propagateApiKey": true }));
    gateway.get("/keyed", "X-Gravitee-Api-Key: good\r\n");
    assert_eq!(upstream.last().header("x-gravitee-api-key"), Some("good"));
    gateway.get("/keyed?api-key=good", "");
    assert_eq!(upstream.last().line(), "GET /?api-key=good");
}

#[test]
fn s5_s22_whatever_is_wrong_with_a_key_is_the_same_401() {
    let upstream = Upstream::ok();
    let gateway = one_api(&upstream, Value::Null);
    for headers in
        ["", "X-Gravitee-Api-Key: \r\n", "X-Gravitee-Api-Key: unknown\r\n", "Authorization: Bearer good\r\n"]
    {
        let response = gateway.get("/keyed", headers);
        assert_eq!((response.status, response.body.as_str()), (401, "Unauthorized"), "{headers}");
        assert_eq!(response.header("content-type"), Some("text/plain"));
        assert_eq!(response.header("www-authenticate"), None);
        assert_eq!(response.header("connection"), None);
        assert_eq!(response.header("x-gravitee-client-identifier"), None);
        assert!(response.header("x-gravitee-transaction-id").is_some());
        let response = gateway.get("/keyed", &format!("{headers}Accept: application/json\r\n"));
        assert_eq!(response.body, r#"{"message":"Unauthorized","http_status_code":401}"#);
        assert_eq!(response.header("content-type"), Some("application/json"));
    }
    assert!(upstream.seen().is_empty());
}

#[test]
fn s5_s6_keys_and_subscriptions_are_valid_for_their_api_plan_and_time() {
    let upstream = Upstream::ok();
    let plain = || key_security(Value::Null);
    let gateway = Gateway::serving(vec![
        api(&with_plans("one", &upstream.target(""), &[plain()])),
        api(&with_plans("other", &upstream.target(""), &[plain()])),
        subscription("one", "s", "plan-0", Value::Null),
        key("one", "s", "forever", Value::Null),
        key("one", "s", "expires", json!({ "expireAt": 1000 })),
        key("one", "s", "revoked", json!({ "revoked": true, "active": false })),
        key("one", "nobody", "orphan", Value::Null),
        subscription("one", "bounded", "plan-0", json!({ "startingAt": 500, "endingAt": 1500 })),
        key("one", "bounded", "bounded", Value::Null),
        subscription("one", "paused", "plan-0", json!({ "status": "PAUSED" })),
        key("one", "paused", "paused", Value::Null),
        subscription("one", "elsewhere", "another-plan", Value::Null),
        key("one", "elsewhere", "elsewhere", Value::Null),
    ]);
    let status = |api: &str, key: &str| {
        gateway.get(&format!("/{api}"), &format!("X-Gravitee-Api-Key: {key}\r\n")).status
    };
    for key in ["revoked", "orphan", "paused", "elsewhere"] {
        assert_eq!(status("one", key), 401, "{key}");
    }
    assert_eq!(status("other", "forever"), 401, "a key of another API");
    for (now, expires, bounded) in [
        (499, 200, 401),
        (500, 200, 200),
        (999, 200, 200),
        (1000, 401, 200),
        (1500, 401, 200),
        (1501, 401, 401),
    ] {
        gateway.set_clock(now);
        assert_eq!(status("one", "forever"), 200, "at {now}");
        assert_eq!(status("one", "expires"), expires, "at {now}");
        assert_eq!(status("one", "bounded"), bounded, "at {now}");
    }
}

#[test]
fn s12_s13_a_key_that_is_shown_keeps_a_request_from_being_anonymous() {
    let upstream = Upstream::ok();
    let plans = [json!({ "type": "key-less" }), key_security(Value::Null)];
    let mut definition = with_plans("both", &upstream.target(""), &plans);
    definition["plans"][1]["id"] = json!("keyed");
    let gateway = Gateway::serving(vec![
        api(&definition),
        subscription("both", SUBSCRIPTION, "keyed", Value::Null),
        key("both", SUBSCRIPTION, "good", Value::Null),
    ]);
    assert_eq!(gateway.get("/both", "").status, 200);
    let keyed = gateway.get("/both", "X-Gravitee-Api-Key: good\r\n");
    assert_eq!((keyed.status, keyed.header("x-gravitee-client-identifier")), (200, Some(SUBSCRIPTION)));
    assert_eq!(gateway.get("/both", "X-Gravitee-Api-Key: wrong\r\n").status, 401);
    assert_eq!(gateway.get("/both?api-key=", "").status, 401);
}

#[test]
fn a_plan_says_where_its_key_is() {
    let upstream = Upstream::ok();
    let bearer = one_api(&upstream, json!({ "source": "BEARER" }));
    assert_eq!(bearer.get("/keyed", "Authorization: Bearer good\r\n").status, 200);
    assert_eq!(upstream.last().header("authorization"), None);
    assert_eq!(bearer.get("/keyed", "X-Gravitee-Api-Key: good\r\n").status, 401);
    let custom = one_api(&upstream, json!({ "enableCustomApiKeyHeader": true, "apiKeyHeader": "X-Mine" }));
    assert_eq!(custom.get("/keyed", "X-MINE: good\r\n").status, 200);
    assert_eq!(upstream.last().header("x-mine"), None);
    assert_eq!(custom.get("/keyed", "X-Gravitee-Api-Key: good\r\n").status, 401);
    assert_eq!(custom.get("/keyed?api-key=good", "").status, 200, "the query parameter still works");
    let query = one_api(&upstream, json!({ "source": "QUERY_PARAMETER" }));
    assert_eq!(query.get("/keyed", "X-Gravitee-Api-Key: good\r\n").status, 401);
    assert_eq!(query.get("/keyed?api-key=good", "").status, 200);
}

#[test]
fn s2_a_revoked_key_is_refused_from_the_next_request_on() {
    let upstream = Upstream::ok();
    let mut gateway = one_api(&upstream, Value::Null);
    let mut client = gateway.connect();
    let request = "GET /keyed HTTP/1.1\r\nHost: x\r\nX-Gravitee-Api-Key: good\r\n\r\n";
    client.send(request);
    assert_eq!(client.receive().status, 200);
    let committed = gateway.apply(vec![Row::removed(RowKey::scoped(Kind::ApiKey, "keyed", "id of good"))]);
    assert_eq!(committed.credentials.len(), 1);
    client.send(request);
    assert_eq!(client.receive().status, 401);
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn v2_definitions_with_keys_are_served_alike() {
    let upstream = Upstream::with("HTTP/1.1 200 Custom\r\nContent-Length: 2\r\n\r\nok");
    let v2 = json!({
        "gravitee": "2.0.0", "id": "v2", "name": "V2", "version": "1",
        "proxy": { "virtual_hosts": [{ "path": "/v2" }],
                   "groups": [{ "name": "g", "endpoints": [{ "name": "e", "target": upstream.target("/t"), "type": "http" }] }] },
        "plans": [{ "id": "plan-0", "name": "p", "security": "API_KEY", "status": "PUBLISHED", "flows": [] }]
    });
    let gateway = Gateway::serving(vec![
        api(&v2),
        subscription("v2", SUBSCRIPTION, "plan-0", Value::Null),
        key("v2", SUBSCRIPTION, "good", Value::Null),
    ]);
    let response = gateway.get("/v2/x?q=1", "X-Gravitee-Api-Key: good\r\n");
    assert!(response.head.starts_with("HTTP/1.1 200 Custom"), "r15: the old engine keeps the phrase");
    assert_eq!(upstream.last().line(), "GET /t/x?q=1");
    assert_eq!(gateway.get("/v2", "").status, 401);
}
