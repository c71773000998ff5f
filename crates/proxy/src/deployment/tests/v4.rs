//! The table for V4 definitions.

use super::*;

pub(super) fn base() -> Value {
    json!({
        "id": "api", "name": "Orders", "type": "proxy", "apiVersion": "1", "definitionVersion": "4.0.0",
        "listeners": [{ "type": "http", "paths": [{ "path": "/orders" }], "entrypoints": [{ "type": "http-proxy" }] }],
        "endpointGroups": [
            { "name": "g", "type": "http-proxy", "endpoints": [
                { "name": "e", "type": "http-proxy", "configuration": { "target": "http://backend:8080/base" } },
                { "name": "s", "type": "http-proxy", "secondary": true, "configuration": { "target": "http://spare" } } ] },
            { "name": "other", "type": "http-proxy", "endpoints": [
                { "name": "o", "type": "http-proxy", "configuration": { "target": "http://other" } } ] }
        ],
        "plans": [
            { "id": "closed", "status": "closed", "security": { "type": "jwt" } },
            { "id": "p", "name": "Open", "status": "published", "security": { "type": "key-less" }, "flows": [] }
        ],
        "flows": [
            { "name": "off", "enabled": false },
            { "name": "f", "selectors": [{ "type": "http", "path": "/" }],
              "request": [{ "policy": "groovy", "enabled": false }, { "policy": "transform-headers", "configuration": {} }] }
        ]
    })
}

#[test]
fn r5_every_construct_of_a_v4_definition_is_served_reported_or_refused() {
    let rows = [top_level(), listeners(), endpoints(), connections(), flows(), plans()].concat();
    check(&base(), &rows);
    check_together(&base(), &rows);
}

fn top_level() -> Vec<Row> {
    let mut rows = vec![
        ("nothing more", "x", json!(1), Served),
        ("version", "definitionVersion", json!("4.1.0"), Refused("definitionVersion", "`4.1.0`")),
        ("type missing", "type", Value::Null, Refused("", "`type` is missing")),
        ("id missing", "id", Value::Null, Refused("", "`id` is missing")),
        ("flow mode", "flowExecution", json!({ "mode": "best-match", "matchRequired": true }), Served),
        ("unknown flow mode", "flowExecution", json!({ "mode": "lunch" }), Served),
        (
            "properties",
            "properties",
            json!([{ "key": "k", "value": "{{other}}", "encrypted": true, "dynamic": true }]),
            Served,
        ),
        ("properties as an object", "properties", json!({ "k": "v" }), Served),
        (
            "resources",
            "resources",
            json!([{ "name": "c", "type": "cache", "configuration": { "x": 1 } }]),
            Served,
        ),
        ("resources that are none", "resources", json!([7]), Refused("resources[0]", "expected")),
        ("no response template", "responseTemplates", json!({}), Served),
        (
            "response templates",
            "responseTemplates",
            json!({ "DEFAULT": { "*/*": { "status": 503, "body": "{#error.message}", "headers": { "X-A": "b" } } } }),
            Refused("responseTemplates", "response templates"),
        ),
        (
            "a key without templates",
            "responseTemplates",
            json!({ "DEFAULT": {} }),
            Refused("responseTemplates", ""),
        ),
        (
            "impossible status",
            "responseTemplates",
            json!({ "K": { "*/*": { "status": 42 } } }),
            Refused("responseTemplates.K.*/*", "`status` is out of range"),
        ),
        ("failover off", "failover", json!({ "enabled": false, "maxRetries": 2 }), Served),
        ("failover", "failover", json!({ "enabled": true }), Refused("failover.enabled", "failover")),
        (
            "failover out of range",
            "failover",
            json!({ "enabled": true, "maxRetries": -1 }),
            Refused("failover", "`maxRetries` is out of range"),
        ),
        (
            "analytics",
            "analytics",
            json!({ "enabled": true, "messageSampling": { "type": "count", "value": "1" } }),
            Served,
        ),
        (
            "logging",
            "analytics",
            json!({ "logging": { "mode": { "endpoint": true }, "phase": { "request": true }, "content": { "headers": true } } }),
            Limited("not logged"),
        ),
        (
            "logging of nothing",
            "analytics",
            json!({ "logging": { "mode": { "endpoint": true }, "condition": "{#true}" } }),
            Served,
        ),
        (
            "logging without analytics",
            "analytics",
            json!({ "enabled": false, "tracing": { "enabled": true }, "logging": { "mode": { "endpoint": true },
                "phase": { "request": true }, "content": { "headers": true } } }),
            Served,
        ),
        (
            "tracing",
            "analytics",
            json!({ "tracing": { "enabled": true, "verbose": true } }),
            Limited("not traced"),
        ),
        (
            "dynamic properties",
            "services",
            json!({ "dynamicProperty": { "type": "http-dynamic-properties", "configuration": {} } }),
            Served,
        ),
        ("API products", "allowedInApiProducts", json!(true), Served),
    ];
    for kind in ["message", "native", "llm-proxy", "mcp-proxy", "a2a-proxy", "edge", "authz", "quantum"] {
        rows.push(("type", "type", json!(kind), Refused("type", kind)));
    }
    rows
}

fn listeners() -> Vec<Row> {
    vec![
        ("no listener", "listeners", json!([]), Refused("listeners", "`paths` is missing")),
        ("tcp", "listeners/0/type", json!("tcp"), Refused("listeners[0]", "`tcp`")),
        ("host", "listeners/0/paths/0/host", json!("api.example.com:81"), Served),
        ("access", "listeners/0/paths/0/overrideAccess", json!(true), Served),
        (
            "wildcard",
            "listeners/0/paths/0/host",
            json!("*.example.com"),
            Refused("listeners[0].paths[0].host", "wildcard"),
        ),
        ("path mappings", "listeners/0/pathMappings", json!(["/orders/:id"]), Served),
        ("CORS off", "listeners/0/cors", json!({ "enabled": false, "allowOrigin": ["*"] }), Served),
        (
            "CORS",
            "listeners/0/cors",
            json!({ "enabled": true, "allowOrigin": ["*"] }),
            Refused("listeners[0].cors.enabled", "CORS"),
        ),
        ("servers", "listeners/0/servers", json!(["public"]), Served),
        (
            "entrypoint",
            "listeners/0/entrypoints/0/type",
            json!("webhook"),
            Refused("listeners[0].entrypoints[0]", "`webhook`"),
        ),
        ("entrypoint settings", "listeners/0/entrypoints/0/configuration", json!({ "x": "{#y}" }), Served),
        ("NUL bytes", "listeners/0/requestValidation", json!({ "rejectNullByte": true }), Served),
    ]
}

fn endpoints() -> Vec<Row> {
    let check = json!({ "enabled": true, "type": "http-health-check", "configuration": { "schedule": "* * * * * *" } });
    let mut rows = vec![
        ("no group", "endpointGroups", json!([]), Served),
        ("group type", "endpointGroups/1/type", json!("kafka"), Refused("endpointGroups[1].type", "`kafka`")),
        (
            "endpoint type",
            "endpointGroups/0/endpoints/1/type",
            json!("mock"),
            Refused("endpointGroups[0].endpoints[1].type", "`mock`"),
        ),
        (
            "strategy",
            "endpointGroups/0/loadBalancer",
            json!({ "type": "sticky" }),
            Refused("endpointGroups[0].loadBalancer", "`sticky`"),
        ),
        ("weight", "endpointGroups/0/endpoints/0/weight", json!(-3), Served),
        ("tenants", "endpointGroups/0/endpoints/0/tenants", json!(["east"]), Served),
        ("no target", "endpointGroups/0/endpoints/0/configuration", json!({}), Limited("no target")),
        ("no URL", "endpointGroups/0/endpoints/0/configuration/target", json!("nowhere"), Served),
        (
            "target of a spare endpoint",
            "endpointGroups/0/endpoints/1/configuration/target",
            json!("https://spare"),
            Refused("endpointGroups[0].endpoints[1].configuration.target", "TLS (`https`)"),
        ),
        (
            "target in another group",
            "endpointGroups/1/endpoints/0/configuration/target",
            json!("{#properties['x']}"),
            Refused("endpointGroups[1].endpoints[0].configuration.target", "expressions"),
        ),
        (
            "discovery",
            "endpointGroups/1/services",
            json!({ "discovery": { "type": "consul", "configuration": {} } }),
            Refused("endpointGroups[1].services.discovery", "discovery"),
        ),
        (
            "discovery of an endpoint",
            "endpointGroups/0/endpoints/1/services",
            json!({ "discovery": { "enabled": true } }),
            Refused("endpointGroups[0].endpoints[1].services.discovery", "discovery"),
        ),
        ("discovery off", "endpointGroups/0/services", json!({ "discovery": { "enabled": false } }), Served),
        (
            "health check",
            "endpointGroups/0/services",
            json!({ "healthCheck": check }),
            Limited("health checks are not run"),
        ),
        (
            "health check off",
            "endpointGroups/0/services",
            json!({ "healthCheck": { "enabled": false } }),
            Served,
        ),
        (
            "health check of an endpoint",
            "endpointGroups/0/endpoints/0/services",
            json!({ "healthCheck": with(check, "overrideConfiguration", json!(true)) }),
            Limited("health checks are not run"),
        ),
        (
            "health check that is none",
            "endpointGroups/0/services",
            json!({ "healthCheck": { "type": "http-health-check", "configuration": { "headers": 7 } } }),
            Limited("not understood"),
        ),
    ];
    for (target, says) in [
        ("https://b", "TLS (`https`)"),
        ("wss://b", "TLS (`wss`)"),
        ("grpcs://b", "TLS (`grpcs`)"),
        ("ws://b", "scheme `ws`"),
        ("grpc://b", "scheme `grpc`"),
        ("http://{#api.id}", "expressions"),
        ("http://{ (1+1)}", "expressions"),
    ] {
        let at = "endpointGroups[0].endpoints[0].configuration.target";
        rows.push((
            "target",
            "endpointGroups/0/endpoints/0/configuration/target",
            json!(target),
            Refused(at, says),
        ));
    }
    rows
}

/// Settings of a connection: the endpoint's own, those of the group where they are inherited, nobody's where not.
fn connections() -> Vec<Row> {
    const OWN: &str = "endpointGroups/0/endpoints/0/sharedConfigurationOverride";
    let mut rows = vec![
        ("settings in a string", OWN, json!("{\"http\":{}}"), Limited("configuration")),
        ("a blank string", OWN, json!(""), Served),
        (
            "unused settings of the group",
            "endpointGroups/0/sharedConfiguration",
            json!({ "http": { "version": "HTTP_2" } }),
            Served,
        ),
        (
            "inherited settings",
            "endpointGroups/0",
            json!({ "name": "g", "type": "http-proxy", "sharedConfiguration": { "http": { "version": "HTTP_2" } },
                "endpoints": [{ "name": "e", "type": "http-proxy", "inheritConfiguration": true,
                    "configuration": { "target": "http://b" } }] }),
            Refused("endpointGroups[0].sharedConfiguration.http.version", "`HTTP_2`"),
        ),
        (
            "HTTP/2 tuning without HTTP/2",
            OWN,
            json!({ "http": { "http2MultiplexingLimit": 25, "http2MaxFrameSize": 16384, "clearTextUpgrade": false,
                "pipelining": false, "version": "HTTP_1_1" } }),
            Served,
        ),
        ("proxy off", OWN, json!({ "proxy": { "enabled": false, "port": "", "type": "LUNCH" } }), Served),
        (
            "TLS settings on a clear target",
            OWN,
            json!({ "ssl": { "trustAll": true, "hostnameVerifier": false, "trustStore": { "type": "PEM", "content": "x" },
                "keyStore": { "type": "" } } }),
            Served,
        ),
        ("headers", OWN, json!({ "headers": [{ "name": "X-Env", "value": "{production}" }] }), Served),
    ];
    for (settings, member, says) in [
        (json!({ "http": { "followRedirects": true } }), "http.followRedirects", "redirects"),
        (json!({ "http": { "version": "HTTP_2" } }), "http.version", "`HTTP_2`"),
        (json!({ "http": { "version": "SPDY" } }), "http.version", "`SPDY`"),
        (json!({ "http": { "maxConcurrentConnections": 0 } }), "http", "maxConcurrentConnections"),
        (json!({ "proxy": { "enabled": true, "useSystemProxy": true } }), "proxy.enabled", "proxy"),
        (json!({ "proxy": { "enabled": true, "host": "p", "port": 3128 } }), "proxy.enabled", "proxy"),
        (json!({ "proxy": { "enabled": true } }), "proxy", "`host` is missing"),
        (json!({ "ssl": { "trustStore": { "type": "LUNCH" } } }), "ssl.trustStore.type", "`LUNCH`"),
        (
            json!({ "headers": [{ "name": "A", "value": "b" }, { "name": "X", "value": "{#api.id}" }] }),
            "headers[1]",
            "expressions",
        ),
        (json!({ "headers": [{ "name": "{#x}", "value": "b" }] }), "headers[0]", "expressions"),
        (json!({ "headers": [{ "name": "X Y", "value": "v" }] }), "headers[0]", "header"),
        (json!({ "headers": [{ "name": "X", "value": "a\r\nEvil: 1" }] }), "headers[0]", "header"),
    ] {
        let at = format!("endpointGroups[0].endpoints[0].sharedConfigurationOverride.{member}");
        rows.push(("settings", OWN, settings, Refused(at.leak(), says)));
    }
    rows
}

fn flows() -> Vec<Row> {
    const STEP: &str = "flows[1].request[1]";
    let mut rows = vec![
        ("selectors", "flows/1/selectors", json!([]), Served),
        ("path operator", "flows/1/selectors/0/pathOperator", json!("START_WITH"), Served),
        ("methods", "flows/1/selectors/0/methods", json!(["GET", "LUNCH"]), Served),
        (
            "regular expression",
            "flows/1/selectors/0/path",
            json!("/a(b|c)"),
            Refused("flows[1].selectors[0]", "regular expression"),
        ),
        (
            "two paths",
            "flows/1/selectors",
            json!([{ "type": "http" }, { "type": "HTTP" }]),
            Refused("flows[1].selectors[1]", "`http` comes twice"),
        ),
        (
            "condition",
            "flows/1/selectors",
            json!([{ "type": "http" }, { "type": "condition", "condition": "{#true}" }]),
            Refused("flows[1].selectors[1].condition", "conditions"),
        ),
        ("blank condition", "flows/1/selectors", json!([{ "type": "condition", "condition": " " }]), Served),
        (
            "channel",
            "flows/1/selectors/0",
            json!({ "type": "channel" }),
            Refused("flows[1].selectors[0]", "`channel`"),
        ),
        ("MCP", "flows/1/selectors/0", json!({ "type": "mcp" }), Refused("flows[1].selectors[0]", "`mcp`")),
        ("messages", "flows/1/publish", json!([{ "policy": "unknown" }]), Served),
        ("no policy", "flows/1/request/1/policy", json!(" "), Refused(STEP, "`policy` is missing")),
        (
            "unknown policy",
            "flows/1/request/1/policy",
            json!("quantum"),
            Refused(STEP, "policy `quantum` is not there"),
        ),
        (
            "policy configuration",
            "flows/1/request/1/configuration",
            json!({ "addHeaders": 7 }),
            Refused(STEP, "policy `transform-headers`"),
        ),
        (
            "step condition",
            "flows/1/request/1/condition",
            json!("true"),
            Refused("flows[1].request[1].condition", "conditions"),
        ),
        (
            "shared policy group",
            "flows/1/request/1",
            json!({ "policy": "shared-policy-group-policy", "configuration": { "sharedPolicyGroupId": "g" } }),
            Refused(STEP, "`shared-policy-group-policy`"),
        ),
        (
            "shared policy group without id",
            "flows/1/request/1",
            json!({ "policy": "shared-policy-group-policy" }),
            Refused("flows[1].request[1].configuration", "`sharedPolicyGroupId` is missing"),
        ),
    ];
    for policy in ["mock", "rate-limit", "jwt", "key-less", "interrupt", "ip-filtering"] {
        rows.push(("policy", "flows/1/request/1/policy", json!(policy), Refused(STEP, policy)));
    }
    rows
}

fn plans() -> Vec<Row> {
    let plan = |kind: &str| json!({ "id": "p", "status": "published", "security": { "type": kind, "configuration": {} } });
    let mut rows = vec![
        ("API key", "plans/1", plan("api-key"), Served),
        ("deprecated", "plans/1/status", json!("deprecated"), Served),
        ("staging", "plans/1/status", json!("staging"), NotHere),
        ("push", "plans/1/mode", json!("push"), NotHere),
        (
            "no security",
            "plans/1/security",
            Value::Null,
            Refused("plans[1].security", "`security` is missing"),
        ),
        ("no id", "plans/1/id", Value::Null, Refused("plans[1]", "`id` is missing")),
        (
            "key from elsewhere",
            "plans/1/security",
            json!({ "type": "api-key", "configuration": { "source": "COOKIE" } }),
            Refused("plans[1].security", "api-key from COOKIE"),
        ),
        (
            "selection rule",
            "plans/1/selectionRule",
            json!("#request.method == 'GET'"),
            Refused("plans[1].selectionRule", "selection rule"),
        ),
        (
            "plan flow",
            "plans/1/flows",
            json!([{ "response": [{ "policy": "quantum" }] }]),
            Refused("plans[1].flows[0].response[0]", "`quantum`"),
        ),
    ];
    for kind in ["jwt", "oauth2", "mtls", "quantum"] {
        rows.push(("security", "plans/1", plan(kind), Refused("plans[1].security", kind)));
    }
    rows
}
