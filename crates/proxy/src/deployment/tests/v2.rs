//! The table for V2 definitions.

use super::*;

fn base() -> Value {
    json!({
        "id": "old", "name": "Legacy", "gravitee": "2.0.0",
        "proxy": {
            "virtual_hosts": [{ "path": "/legacy" }], "strip_context_path": true, "preserve_host": true,
            "groups": [{ "name": "default-group", "load_balancing": { "type": "ROUND_ROBIN" },
                "endpoints": [{ "name": "default", "target": "http://backend" },
                    { "name": "spare", "target": "http://spare", "backup": true }], "http": { "connectTimeout": 7000 } }]
        },
        "plans": [{ "id": "gone", "security": "OAUTH2", "status": "CLOSED" },
            { "id": "p", "name": "Open", "security": "KEY_LESS", "status": "PUBLISHED" }],
        "flows": [{ "name": "off", "enabled": false, "condition": "#x" }, { "name": "f",
            "path-operator": { "path": "/", "operator": "EQUALS" },
            "pre": [{ "policy": "groovy", "enabled": false }, { "policy": "transform-headers" }], "post": [] }]
    })
}

#[test]
fn r5_every_construct_of_a_v2_definition_is_served_reported_or_refused() {
    let rows = [top_level(), proxy(), endpoints(), flows_and_plans()].concat();
    check(&base(), &rows);
    check_together(&base(), &rows);
}

fn top_level() -> Vec<Row> {
    let step = json!({ "request": { "path": "/health", "method": "GET" } });
    vec![
        ("nothing more", "x", json!(1), Served),
        ("no version", "gravitee", Value::Null, Served),
        ("V1", "gravitee", json!("1.0.0"), Refused("gravitee", "`1.0.0`")),
        ("id", "id", json!(" "), Refused("", "`id` is missing")),
        ("name", "name", Value::Null, Refused("", "`name` is missing")),
        ("proxy", "proxy", Value::Null, Refused("", "`proxy` is missing")),
        ("engine", "execution_mode", json!("jupiter"), Served),
        ("unknown engine", "execution_mode", json!("steam"), Served),
        ("flow mode", "flow_mode", json!("BEST_MATCH"), Served),
        ("tags", "tags", json!(["eu"]), Served),
        ("path mappings", "path_mappings", json!(["/x/:id"]), Served),
        ("properties", "properties", json!([{ "key": "k", "value": 7 }]), Served),
        ("resources", "resources", json!([{ "name": "c", "type": "cache", "configuration": {} }]), Served),
        (
            "two resources of one name",
            "resources",
            json!([{ "name": "c", "type": "cache" }, { "name": "c", "type": "oauth2", "enabled": false }]),
            Refused("resources[1]", "`c` comes twice"),
        ),
        ("no template", "response_templates", json!({}), Served),
        (
            "templates",
            "response_templates",
            json!({ "API_KEY_MISSING": { "*/*": { "status": 403, "body": "" } } }),
            Refused("response_templates", "response templates"),
        ),
        ("discovery off", "services", json!({ "discovery": { "enabled": false } }), Served),
        (
            "discovery",
            "services",
            json!({ "discovery": { "provider": "CONSUL", "configuration": {} } }),
            Refused("services.discovery", "discovery"),
        ),
        (
            "dynamic properties",
            "services",
            json!({ "dynamic-property": { "provider": "HTTP", "schedule": "* * * * * *", "configuration": {} } }),
            Served,
        ),
        ("health check off", "services", json!({ "health-check": { "enabled": false } }), Served),
        (
            "health check",
            "services",
            json!({ "health-check": { "steps": [step] } }),
            Limited("health checks are not run"),
        ),
        (
            "health check that is none",
            "services",
            json!({ "health-check": { "steps": [{}] } }),
            Limited("not understood"),
        ),
        ("health check of another kind", "services", json!({ "health-check": 7 }), Limited("not understood")),
    ]
}

fn proxy() -> Vec<Row> {
    vec![
        ("host", "proxy/virtual_hosts/0/host", json!("api.example.com"), Served),
        (
            "wildcard",
            "proxy/virtual_hosts/0/host",
            json!("*.example.com"),
            Refused("proxy.virtual_hosts[0].host", "wildcard"),
        ),
        ("no host", "proxy/virtual_hosts", json!([]), Refused("proxy.virtual_hosts", "`paths` is missing")),
        (
            "one path",
            "proxy",
            json!({ "context_path": "/x", "endpoints": [{ "name": "e", "target": "http://b" }] }),
            Served,
        ),
        (
            "old endpoints",
            "proxy",
            json!({ "context_path": "/x", "endpoints": [{ "name": "e", "target": "https://b" }] }),
            Refused("proxy.endpoints[0].target", "TLS"),
        ),
        ("failover", "proxy/failover", json!({}), Refused("proxy.failover", "failover")),
        ("no failover", "proxy/failover", Value::Null, Served),
        ("CORS off", "proxy/cors", json!({ "enabled": false }), Served),
        ("CORS", "proxy/cors", json!({ "enabled": true }), Refused("proxy.cors.enabled", "CORS")),
        ("servers", "proxy/servers", json!(["public"]), Served),
        (
            "logging off",
            "proxy/logging",
            json!({ "mode": "NONE", "scope": "REQUEST", "content": "HEADERS" }),
            Served,
        ),
        (
            "logging",
            "proxy/logging",
            json!({ "mode": "CLIENT_PROXY", "scope": "REQUEST", "content": "HEADERS", "condition": "#x" }),
            Limited("not logged"),
        ),
    ]
}

fn endpoints() -> Vec<Row> {
    const OWN: &str = "proxy/groups/0/endpoints/0";
    let endpoint = |member: &str, value: Value| {
        with(json!({ "name": "default", "target": "http://backend" }), member, value)
    };
    let mut rows = vec![
        (
            "names",
            "proxy/groups/0/endpoints/0/name",
            json!("default-group"),
            Refused("proxy.groups", "`default-group` comes twice"),
        ),
        (
            "type",
            OWN,
            endpoint("type", json!("grpc")),
            Refused("proxy.groups[0].endpoints[0].type", "`grpc`"),
        ),
        (
            "target missing",
            OWN,
            json!({ "name": "x" }),
            Refused("proxy.groups[0].endpoints[0]", "`target` is missing"),
        ),
        ("no URL", OWN, endpoint("target", json!("nowhere")), Served),
        (
            "strategy",
            "proxy/groups/0/load_balancing",
            json!({ "type": "STICKY" }),
            Refused("proxy.groups[0].load_balancing", "`STICKY`"),
        ),
        (
            "discovery of a group",
            "proxy/groups/0/services",
            json!({ "discovery": { "enabled": true } }),
            Refused("proxy.groups[0].services.discovery", "discovery"),
        ),
        ("old health check", OWN, endpoint("healthcheck", json!(true)), Served),
        ("inherited health check", OWN, endpoint("healthcheck", json!({ "inherit": true })), Served),
        (
            "own health check",
            OWN,
            endpoint("healthcheck", json!({ "inherit": false, "request": { "uri": "/", "method": "GET" } })),
            Limited("health checks are not run"),
        ),
        ("unused settings of the group", "proxy/groups/0/http", json!({ "version": "HTTP_2" }), Served),
        (
            "inherited settings",
            "proxy/groups/0",
            json!({ "name": "g", "http": { "version": "HTTP_2" },
                "endpoints": [{ "name": "e", "target": "http://b", "inherit": true }] }),
            Refused("proxy.groups[0].http.version", "`HTTP_2`"),
        ),
        ("headers as an object", OWN, endpoint("headers", json!({ "X-A": "b" })), Served),
        ("host header", OWN, endpoint("hostHeader", json!("b")), Served),
        (
            "host header that is none",
            OWN,
            endpoint("hostHeader", json!("a\u{7f}")),
            Refused("proxy.groups[0].endpoints[0].hostHeader", "header"),
        ),
        (
            "TLS settings on a clear target",
            OWN,
            endpoint("ssl", json!({ "trustAll": true, "pem": "x" })),
            Served,
        ),
    ];
    for (member, value, at, says) in [
        ("target", json!("https://b"), "target", "TLS (`https`)"),
        ("target", json!("ws://b"), "target", "scheme `ws`"),
        ("target", json!("http://{#x}"), "target", "expressions"),
        ("http", json!({ "followRedirects": true }), "http.followRedirects", "redirects"),
        ("http", json!({ "version": "HTTP_2" }), "http.version", "`HTTP_2`"),
        ("proxy", json!({ "enabled": true, "useSystemProxy": true }), "proxy.enabled", "proxy"),
        ("ssl", json!({ "keyStore": { "type": "LUNCH" } }), "ssl.keyStore.type", "`LUNCH`"),
        ("headers", json!({ "X": "{#api.id}" }), "headers[0]", "expressions"),
    ] {
        let at = format!("proxy.groups[0].endpoints[0].{at}");
        rows.push(("endpoint", OWN, endpoint(member, value), Refused(at.leak(), says)));
    }
    rows
}

fn flows_and_plans() -> Vec<Row> {
    let mut rows = vec![
        ("consumers", "flows/1/consumers", json!([{ "consumerType": "TAG", "consumerId": "x" }]), Served),
        ("methods", "flows/1/methods", json!(["GET"]), Served),
        (
            "condition",
            "flows/1/condition",
            json!("#request.method == 'GET'"),
            Refused("flows[1].condition", "conditions"),
        ),
        (
            "regular expression",
            "flows/1/path-operator/path",
            json!("/a*"),
            Refused("flows[1]", "regular expression"),
        ),
        (
            "step condition",
            "flows/1/pre/1/condition",
            json!("{#true}"),
            Refused("flows[1].pre[1].condition", "conditions"),
        ),
        ("policy", "flows/1/pre/1/policy", json!("groovy"), Refused("flows[1].pre[1]", "`groovy`")),
        (
            "policy in response",
            "flows/1/post",
            json!([{ "policy": "x" }]),
            Refused("flows[1].post[0]", "`x`"),
        ),
        (
            "shared policy group",
            "flows/1/pre/1",
            json!({ "policy": "shared-policy-group-policy", "configuration": { "sharedPolicyGroupId": "g" } }),
            Refused("flows[1].pre[1]", "`shared-policy-group-policy`"),
        ),
        ("API key", "plans/1/security", json!("API_KEY"), Served),
        ("nonsense beside no security", "plans/1/securityDefinition", json!("{"), Served),
        ("staging", "plans/1/status", json!("STAGING"), NotHere),
        (
            "selection rule",
            "plans/1/selectionRule",
            json!("#true"),
            Refused("plans[1].selectionRule", "selection rule"),
        ),
        (
            "nonsense",
            "plans/1",
            json!({ "id": "p", "status": "PUBLISHED", "security": "JWT", "securityDefinition": "{" }),
            Refused("plans[1].security", "not the JSON"),
        ),
        (
            "plan flow",
            "plans/1/flows",
            json!([{ "pre": [{ "policy": "x" }] }]),
            Refused("plans[1].flows[0].pre[0]", "`x`"),
        ),
    ];
    for (kind, label) in [("JWT", "jwt"), ("OAUTH2", "oauth2"), ("MTLS", "mtls"), ("QUANTUM", "QUANTUM")] {
        rows.push(("security", "plans/1/security", json!(kind), Refused("plans[1].security", label)));
    }
    rows
}
