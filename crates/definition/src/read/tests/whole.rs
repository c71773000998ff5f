//! Definitions with everything in them: it is all in the model.

use std::time::Duration;

use zonegate_model::secrecy::ExposeSecret;

use super::{Value, json, served};
use crate::*;

pub(super) fn v4() -> Value {
    json!({
        "id": "api", "name": "Orders", "type": "proxy", "apiVersion": "1", "definitionVersion": "4.0.0",
        "listeners": [{ "type": "http", "paths": [{ "path": "/orders" }, { "host": "*.Example.com", "path": "/" }],
            "pathMappings": ["/orders/:id"], "servers": ["public"],
            "cors": { "enabled": true, "allowOrigin": ["*"], "allowMethods": ["get"], "allowHeaders": ["X-A"],
                "exposeHeaders": ["X-B"], "allowCredentials": true, "maxAge": 600, "runPolicies": true,
                "allowPrivateNetwork": true },
            "entrypoints": [{ "type": "http-proxy", "qos": "auto", "configuration": { "a": 1 } }],
            "requestValidation": { "rejectNullByte": true } }],
        "endpointGroups": [{ "name": "g", "type": "http-proxy", "loadBalancer": { "type": "random" },
            "sharedConfiguration": {
                "http": { "version": "HTTP_2", "followRedirects": true, "pipelining": true, "clearTextUpgrade": false,
                    "http2MultiplexingLimit": 25, "http2ConnectionWindowSize": 1_048_576, "http2StreamWindowSize": -1,
                    "connectTimeout": 3000 },
                "proxy": { "enabled": true, "host": "proxy", "port": 3128, "username": "me", "password": "s3cret",
                    "type": "SOCKS5" },
                "ssl": { "trustAll": true, "hostnameVerifier": false, "alpn": true, "tlsProtocols": ["TLSv1.3"],
                    "tlsCiphers": "A, B", "trustStore": { "type": "JKS", "path": "/t", "password": "s3cret", "alias": "a" },
                    "keyStore": { "type": "PEM", "keyPath": "/k", "certContent": "c" } },
                "headers": [{ "name": "X-Env", "value": "{#properties['env']}" }] },
            "endpoints": [
                { "name": "e", "type": "http-proxy", "inheritConfiguration": true, "weight": 3,
                    "configuration": { "target": "https://{#properties['host']}" } },
                { "name": "f", "type": "http-proxy", "inheritConfiguration": true,
                    "configuration": { "target": "https://f" }, "services": { "healthCheck": { "overrideConfiguration": true,
                        "enabled": false, "type": "http-health-check" } } },
                { "name": "s", "type": "http-proxy", "secondary": true, "configuration": { "target": "https://s" } }],
            "services": { "discovery": { "type": "consul", "configuration": { "x": 1 } },
                "healthCheck": { "enabled": true, "type": "http-health-check", "configuration": { "schedule": "*/5 * * * * *",
                    "method": "head", "target": "/health", "overrideEndpointPath": true, "body": "b", "failureThreshold": 7,
                    "headers": [{ "name": "X-Probe", "value": "1" }], "assertion": "{#response.status == 204}" } } } }],
        "plans": [
            { "id": "open", "status": "published", "security": { "type": "key-less" }, "selectionRule": "#true" },
            { "id": "other", "status": "published", "security": { "type": "Quantum", "configuration": { "q": 1 } } },
            { "id": "oauth2", "status": "deprecated", "security": { "type": "oauth2", "configuration": { "oauthResource": "o" } } },
            { "id": "jwt", "status": "published", "security": { "type": "jwt", "configuration": "{\"signature\":\"HMAC_HS256\"}" },
                "flows": [{ "name": "of a plan" }] },
            { "id": "mtls", "status": "published", "security": { "type": "mtls" } },
            { "id": "key", "status": "published", "security": { "type": "api-key", "configuration": {} } }],
        "flowExecution": { "mode": "best-match", "matchRequired": true },
        "flows": [{ "enabled": false }, { "id": "f1", "name": "f", "selectors": [
                { "type": "condition", "condition": "{#request.id != null}" },
                { "type": "http", "path": "/(a|b)", "pathOperator": "EQUALS", "methods": ["get"] }, { "type": "mcp" }],
            "request": [{ "policy": "off", "enabled": false },
                { "name": "s", "policy": "mock", "condition": "{#true}", "configuration": { "a": 1 } },
                { "policy": "shared-policy-group-policy", "configuration": { "sharedPolicyGroupId": "spg" } }],
            "response": [{ "policy": "mock" }] }],
        "properties": [{ "key": "k", "value": "v", "encrypted": true, "dynamic": true }],
        "resources": [{ "name": "c", "type": "cache", "configuration": { "t": 1 } }, { "name": "off", "enabled": false }],
        "responseTemplates": { "DEFAULT": { "*/*": { "status": 503, "body": "{#error.message}",
            "headers": { "Content-Type": "text/html" }, "propagateErrorKeyToLogs": true }, "text/plain": {} } },
        "failover": { "enabled": true, "maxRetries": 4, "slowCallDuration": 100, "openStateDuration": 200, "maxFailures": 3,
            "perSubscription": false, "failureCondition": "{#response.status == 500}", "forceNextEndpointOnFailure": true },
        "analytics": { "enabled": true, "tracing": { "enabled": true, "verbose": true },
            "messageSampling": { "type": "count", "value": "10" },
            "logging": { "mode": { "entrypoint": true }, "phase": { "response": true }, "content": { "payload": true },
                "condition": "{#true}" } },
        "services": { "dynamicProperty": { "type": "http-dynamic-properties", "configuration": { "url": "x" } } },
        "allowedInApiProducts": true
    })
}

pub(super) fn v2() -> Value {
    json!({
        "id": "old", "name": "Legacy", "version": "2", "gravitee": "2.0.0", "flow_mode": "BEST_MATCH",
        "proxy": {
            "virtual_hosts": [{ "host": "a.example.com", "path": "/legacy" }], "servers": ["s"],
            "cors": { "enabled": true, "allowMethods": ["GET"] },
            "failover": { "maxAttempts": 3, "retryTimeout": 50, "cases": ["TIMEOUT"] },
            "logging": { "mode": "PROXY", "scope": "REQUEST_RESPONSE", "content": "HEADERS_PAYLOADS", "condition": "#x" },
            "groups": [{ "name": "group", "load_balancing": { "type": "WEIGHTED_RANDOM" },
                "endpoints": [{ "name": "e", "target": "https://backend", "inherit": true },
                    { "name": "own", "target": "http://b", "http": { "readTimeout": 1 }, "hostHeader": "h",
                        "healthcheck": { "inherit": false, "schedule": "s", "request": { "uri": "/up", "method": "get" },
                            "expectation": { "assertions": ["#response.status == 299"] } } },
                    { "name": "off", "target": "http://b", "healthcheck": { "enabled": false } }],
                "http": { "connectTimeout": 7000 }, "ssl": { "pem": "CERT" }, "headers": { "X-A": "b" },
                "services": { "discovery": { "provider": "CONSUL", "configuration": {} } } }]
        },
        "services": { "discovery": { "provider": "CONSUL", "configuration": {} },
            "dynamic-property": { "provider": "HTTP", "configuration": {} },
            "health-check": { "schedule": "* * * * * *", "steps": [{ "request": { "path": "/health", "method": "GET",
                "fromRoot": true }, "response": { "assertions": ["#response.status == 200", "#true"] } }] } },
        "plans": [{ "id": "p", "name": "Token", "security": "JWT", "status": "PUBLISHED", "selectionRule": "#true",
            "securityDefinition": "{\"signature\":\"RSA_RS256\"}", "flows": [{ "name": "of a plan", "pre": [{ "policy": "x" }] }] }],
        "flows": [{ "name": "f", "path-operator": { "path": "/", "operator": "EQUALS" }, "condition": "#x",
            "pre": [{ "policy": "a" }, { "policy": "b", "enabled": false }], "post": [{ "policy": "c", "condition": "#y" }] }],
        "properties": { "k": "v" }, "resources": [{ "name": "r", "type": "oauth2", "configuration": {} }],
        "path_mappings": ["/x"], "response_templates": { "K": { "*/*": { "status": "404" } } }
    })
}

#[test]
fn everything_in_a_v4_definition_is_in_the_model() {
    let api = served(&v4());
    assert!(api.limitations.is_empty(), "{:?}", api.limitations);
    assert_eq!(api.listeners[1].host.as_deref(), Some("*.example.com"));
    assert!(api.listeners[1].has_wildcard() && !api.listeners[0].has_wildcard());
    assert_eq!(api.host_at(&api.listeners[1]), "listeners[0].paths[1].host");
    assert_eq!(
        (&api.path_mappings[..], api.listeners[0].servers[0].as_str()),
        (&["/orders/:id".to_owned()][..], "public")
    );
    assert_eq!(api.entrypoints[0].configuration.as_str(), r#"{"a":1}"#);
    let cors = api.cors.as_ref().expect("CORS is on");
    assert_eq!((cors.allow_methods[0].as_str(), cors.max_age), ("GET", Some(600)));
    assert!(
        cors.run_policies && cors.allow_credentials && cors.allow_private_network && api.reject_null_byte
    );
    assert_eq!(
        (api.flow_mode, api.match_required, api.allowed_in_products),
        (FlowMode::BestMatch, true, true)
    );
    assert!(api.properties[0].encrypted && api.properties[0].dynamic);
    assert_eq!(api.resources.len(), 1);
    assert_eq!(
        (api.resources[0].kind.as_str(), api.resources[0].configuration.as_str()),
        ("cache", r#"{"t":1}"#)
    );
    assert_eq!(
        api.dynamic_properties.as_ref().map(|service| &*service.kind),
        Some("http-dynamic-properties")
    );

    let templates = &api.response_templates[0];
    assert_eq!((templates.key.as_str(), templates.by_media_type.len()), ("DEFAULT", 2));
    let (media_type, template) = &templates.by_media_type[0];
    assert_eq!((media_type.as_str(), template.status, template.logs_key), ("*/*", Some(503), true));
    assert!(template.body.as_ref().is_some_and(Template::is_dynamic) && !template.headers[0].1.is_dynamic());
    assert_eq!(templates.by_media_type[1].1.status, None);

    let failover = api.failover.as_ref().expect("failover is on");
    assert_eq!((failover.max_retries, failover.attempt_timeout), (4, Duration::from_millis(100)));
    assert!(failover.forces_next_endpoint && failover.failure_condition.is_some());
    let breaker = failover.circuit_breaker.expect("V4 has one");
    assert_eq!((breaker.max_failures, breaker.per_subscription), (3, false));

    let logging = api.analytics.logging.as_ref().expect("it records something");
    assert!(
        logging.entrypoint
            && !logging.endpoint
            && logging.response
            && logging.payload
            && logging.condition.is_some()
    );
    assert_eq!(api.analytics.tracing, Some(Tracing { verbose: true }));
    assert_eq!(api.analytics.sampling.as_ref().map(|sampling| &*sampling.value), Some("10"));
}

#[test]
fn plans_and_flows_of_a_v4_definition_are_in_the_model() {
    let api = served(&v4());
    let plans: Vec<(&str, usize, &str)> =
        api.plans.iter().map(|plan| (&*plan.id, plan.index, plan.security.label())).collect();
    assert_eq!(
        plans,
        [
            ("mtls", 4, "mtls"),
            ("jwt", 3, "jwt"),
            ("oauth2", 2, "oauth2"),
            ("key", 5, "api-key"),
            ("open", 0, "key-less"),
            ("other", 1, "Quantum")
        ]
    );
    let Security::Jwt(configuration) = &api.plans[1].security else { panic!("JWT") };
    assert_eq!(configuration.as_str(), r#"{"signature":"HMAC_HS256"}"#, "it was a string that holds JSON");
    assert_eq!(api.plans[1].flows.len(), 1);
    assert_eq!(api.plans[4].selection_rule.as_ref().map(Template::as_str), Some("#true"));

    let flow = &api.flows[0];
    assert_eq!((flow.index, flow.id.as_deref()), (1, Some("f1")));
    let http = flow.http_selector().expect("a path");
    assert_eq!((http.path.as_str(), http.operator), ("/(a|b)", PathOperator::Equals));
    assert_eq!(http.methods, ["GET"]);
    assert!(matches!(&flow.selectors[0], Selector::Condition(condition) if condition.is_dynamic()));
    assert_eq!(flow.selectors[2], Selector::Other("mcp".to_owned()));
    assert_eq!(flow.request.iter().map(|step| step.index).collect::<Vec<_>>(), [1, 2]);
    assert!(flow.request[0].condition.is_some() && flow.response[0].condition.is_none());
    assert!(matches!(&flow.request[1].action, Action::SharedPolicyGroup { id } if &**id == "spg"));
}

#[test]
fn endpoints_of_a_v4_definition_are_in_the_model() {
    let api = served(&v4());
    let group = &api.groups[0];
    assert_eq!((&*group.at, group.load_balancing), ("endpointGroups[0]", LoadBalancing::Random));
    assert_eq!(group.discovery.as_ref().map(|service| &*service.kind), Some("consul"));
    let [first, second, spare] = &group.endpoints[..] else { panic!("three endpoints") };
    assert!(matches!(first.target, EndpointTarget::Dynamic(_)) && first.weight == 3);
    assert!(std::sync::Arc::ptr_eq(&first.connection, &second.connection), "inherited settings are shared");
    assert!(spare.secondary && spare.health_check.is_none() && second.health_check.is_none());
    let check = first.health_check.as_ref().expect("it is the group's");
    assert_eq!(
        (check.schedule.as_deref(), check.success_threshold, check.failure_threshold),
        (Some("*/5 * * * * *"), 2, 7)
    );
    let probe = &check.probes[0];
    assert_eq!(
        (probe.method.as_str(), probe.target.as_str(), probe.overrides_path),
        ("HEAD", "/health", true)
    );
    assert_eq!(probe.assertions[0].as_str(), "{#response.status == 204}");

    let connection = &first.connection;
    assert_eq!(&*connection.at, "endpointGroups[0].sharedConfiguration");
    let http = &connection.http;
    assert!(http.version == HttpVersion::Http2 && http.follow_redirects && http.pipelining);
    assert_eq!((http.http2.multiplexing_limit, http.http2.stream_window), (Some(25), None));
    assert!(!http.http2.clear_text_upgrade && http.http2.max_frame_size == Some(16_384));
    assert!(connection.headers[0].value.is_dynamic());
    let Some(UpstreamProxy::Own { kind, host, port, username, password }) = &connection.proxy else {
        panic!("a proxy")
    };
    assert_eq!(
        (*kind, host.as_str(), *port, username.as_deref()),
        (ProxyKind::Socks5, "proxy", 3128, Some("me"))
    );
    assert_eq!(password.as_ref().map(ExposeSecret::expose_secret), Some("s3cret"));
    let tls = connection.tls.as_ref().expect("TLS settings");
    assert!(tls.trust_all && !tls.verify_host && tls.alpn == Some(true));
    assert_eq!(
        (&tls.protocols[..], &tls.ciphers[..]),
        (&["TLSv1.3".to_owned()][..], &["A".to_owned(), "B".to_owned()][..])
    );
    let Some(TrustStore::Jks(file)) = &tls.trust_store else { panic!("JKS") };
    assert!(
        matches!(&file.material, Material::Path(path) if path == "/t") && file.alias.as_deref() == Some("a")
    );
    assert!(matches!(
        &tls.key_store,
        Some(KeyStore::Pem { key: Material::Path(_), certificate: Material::Content(_) })
    ));
}

#[test]
fn everything_in_a_v2_definition_is_in_the_model() {
    let api = served(&v2());
    assert!(api.limitations.is_empty(), "{:?}", api.limitations);
    assert!(api.cors.is_some() && api.discovery.is_some() && api.dynamic_properties.is_some());
    assert_eq!(api.cors_at(), "proxy.cors.enabled");
    assert_eq!((api.path_mappings.len(), api.resources.len(), api.properties.len()), (1, 1, 1));
    assert_eq!(api.response_templates[0].by_media_type[0].1.status, Some(404));
    let failover = api.failover.as_ref().expect("it is there");
    assert_eq!((failover.max_retries, failover.attempt_timeout), (3, Duration::from_millis(50)));
    assert!(failover.circuit_breaker.is_none());
    let logging = api.analytics.logging.as_ref().expect("it records something");
    assert!(
        !logging.entrypoint && logging.endpoint && logging.request && logging.response && logging.headers
    );
    let Security::Jwt(configuration) = &api.plans[0].security else { panic!("JWT") };
    assert_eq!(configuration.as_str(), r#"{"signature":"RSA_RS256"}"#);
    assert!(api.plans[0].selection_rule.is_some());
    assert!(matches!(api.flows[0].selectors[..], [Selector::Http(_), Selector::Condition(_)]));
    assert_eq!((api.flows[0].request.len(), api.flows[0].response.len()), (1, 1));

    let group = &api.groups[0];
    assert!(group.discovery.is_some() && group.load_balancing == LoadBalancing::WeightedRandom);
    let [inheriting, own, off] = &group.endpoints[..] else { panic!("three endpoints") };
    assert_eq!(inheriting.connection.http.connect_timeout, Some(Duration::from_secs(7)));
    let tls = inheriting.connection.tls.as_ref().expect("TLS settings");
    assert!(matches!(tls.trust_store, Some(TrustStore::Pem(Material::Content(_)))) && !tls.verify_host);
    assert_eq!(api.target_at(group, own), "proxy.groups[0].endpoints[1].target");
    assert_eq!((own.connection.headers.len(), &*own.connection.headers[0].name), (1, "Host"));
    let check = inheriting.health_check.as_ref().expect("it is the API's");
    assert_eq!((check.probes[0].assertions.len(), check.probes[0].overrides_path), (2, true));
    let check = own.health_check.as_ref().expect("it is its own");
    assert_eq!((check.probes[0].target.as_str(), check.probes[0].method.as_str()), ("/up", "GET"));
    assert_eq!(check.probes[0].assertions[0].as_str(), "#response.status == 299");
    assert!(off.health_check.is_none());
}

#[test]
fn what_a_health_check_cannot_mean_is_left_out_and_said() {
    let services = "endpointGroups/0/services/healthCheck";
    for wrong in [
        json!({ "type": "ping" }),
        json!({ "type": "http-health-check", "configuration": { "headers": [{}] } }),
    ] {
        let mut definition = v4();
        *definition.pointer_mut(&format!("/{services}")).expect("it is there") = wrong;
        let api = served(&definition);
        assert!(api.groups[0].endpoints[0].health_check.is_none());
        let at = services.replace("/0/", "[0].").replace('/', ".");
        assert_eq!(api.limitations, [Limitation::HealthCheckLeftOut { at }]);
    }
}
