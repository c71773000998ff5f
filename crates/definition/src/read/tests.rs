//! What definitions become: the model, the defaults, the refusals.

use serde_json::{Value, json};
use zonegate_payload::ApiPayload;

use super::{MAX_DEFINITION_BYTES, read_api};
use crate::*;

mod hostile;
mod whole;

fn payload(definition: &str) -> ApiPayload {
    serde_json::from_str(&format!(
        r#"{{"definition":{definition},"enabled":true,"deployedAt":7,"revision":"3","environmentId":"E","organizationId":"O"}}"#
    ))
    .expect("the wrapper is JSON")
}

fn v4() -> Value {
    json!({
        "id": "api", "name": "Orders", "type": "proxy", "apiVersion": "1", "definitionVersion": "4.0.0",
        "listeners": [{ "type": "http", "paths": [{ "path": "/orders" }], "entrypoints": [{ "type": "http-proxy" }] }],
        "endpointGroups": [{ "name": "g", "type": "http-proxy", "endpoints": [
            { "name": "e", "type": "http-proxy", "configuration": { "target": "http://backend:8080/base" } } ] }],
        "plans": [{ "id": "p", "name": "Open", "mode": "standard", "status": "published", "security": { "type": "key-less" } }],
        "flows": [{ "name": "f", "selectors": [{ "type": "http", "path": "/", "pathOperator": "STARTS_WITH" }],
            "request": [{ "name": "s", "policy": "mock", "configuration": { "a": 1 } }], "response": [] }]
    })
}

fn v2() -> Value {
    json!({
        "id": "old", "name": "Legacy", "gravitee": "2.0.0",
        "proxy": {
            "virtual_hosts": [{ "path": "/legacy" }],
            "groups": [{ "name": "default-group", "load_balancing": { "type": "ROUND_ROBIN" },
                "endpoints": [{ "name": "default", "target": "http://backend" }], "http": { "connectTimeout": 7000 } }]
        },
        "plans": [{ "id": "p", "name": "Open", "security": "KEY_LESS", "status": "PUBLISHED" }],
        "flows": [{ "name": "f", "path-operator": { "path": "/", "operator": "EQUALS" }, "pre": [], "post": [] }]
    })
}

fn read(definition: &Value) -> Result<Read, Refusal> {
    read_api(&payload(&definition.to_string()), &NodeContext::default())
}

fn served(definition: &Value) -> Api {
    match read(definition) {
        Ok(Read::Serve(api)) => *api,
        other => panic!("{other:?}"),
    }
}

/// The definition with the member at a JSON pointer set; parents are made where they are not there.
fn with(mut definition: Value, pointer: &str, value: Value) -> Value {
    let mut place = &mut definition;
    for step in pointer.split('/') {
        place = match step.parse::<usize>() {
            Ok(index) => place.get_mut(index).expect("the element is there"),
            Err(_) => &mut place[step],
        };
    }
    *place = value;
    definition
}

#[test]
fn a_v4_definition_becomes_an_api_with_the_documented_defaults() {
    let api = served(&v4());
    assert_eq!(
        (&*api.id, &*api.name, &*api.version, api.generation),
        ("api", "Orders", "1", DefinitionVersion::V4)
    );
    assert_eq!((api.environment.as_deref(), api.organization.as_deref()), (Some("E"), Some("O")));
    assert_eq!((api.deployed_at, api.revision.as_deref()), (Some(7), Some("3")));
    let path = ContextPath { host: None, path: "/orders/".into(), servers: vec![], listener: 0, index: 0 };
    assert_eq!(api.listeners, [path]);
    let endpoint = &api.groups[0].endpoints[0];
    assert_eq!(endpoint.connection.http, HttpSettings::V4);
    assert_eq!(endpoint.weight, 1);
    let EndpointTarget::Url(target) = &endpoint.target else { panic!("{:?}", endpoint.target) };
    assert_eq!((target.port, target.path.as_str()), (8080, "/base"));
    assert_eq!(api.flow_mode, FlowMode::Default);
    let Action::Policy { id, configuration } = &api.flows[0].request[0].action else { panic!("a policy") };
    assert_eq!((&**id, configuration.as_str()), ("mock", r#"{"a":1}"#));
    assert!(!api.match_required && !api.reject_null_byte && api.limitations.is_empty());
}

#[test]
fn a_v2_definition_becomes_the_same_model() {
    let api = served(&v2());
    assert_eq!((&*api.id, &*api.version, api.generation), ("old", "undefined", DefinitionVersion::V2));
    assert_eq!(api.execution_mode, ExecutionMode::V3);
    assert_eq!(api.listeners[0].path, "/legacy/");
    assert_eq!(
        api.groups[0].endpoints[0].connection.http,
        HttpSettings::V2,
        "without `inherit` the group's settings do not hold"
    );
    assert_eq!(api.flows[0].http_selector().map(|selector| selector.operator), Some(PathOperator::Equals));

    let inheriting = served(&with(v2(), "proxy/groups/0/endpoints/0/inherit", json!(true)));
    let expected =
        HttpSettings { connect_timeout: Some(std::time::Duration::from_secs(7)), ..HttpSettings::V2 };
    assert_eq!(inheriting.groups[0].endpoints[0].connection.http, expected);

    let emulated = served(&with(v2(), "execution_mode", json!("v4-emulation-engine")));
    assert_eq!(emulated.execution_mode, ExecutionMode::V4);

    let mut old = with(v2(), "proxy/context_path", json!("//a//b"));
    old["proxy"].as_object_mut().expect("an object").remove("virtual_hosts");
    old["proxy"].as_object_mut().expect("an object").remove("groups");
    old["proxy"]["endpoints"] = json!([{ "name": "e", "target": "http://b", "weight": "3", "backup": true }]);
    let api = served(&old);
    assert_eq!((api.listeners[0].path.as_str(), api.groups[0].name.as_str()), ("/a/b/", "default-group"));
    assert_eq!((api.groups[0].endpoints[0].weight, api.groups[0].endpoints[0].secondary), (3, true));
}

#[test]
fn s3_what_is_not_understood_is_refused_with_the_place() {
    let endpoint = "endpointGroups/0/endpoints/0";
    let own = |settings: Value| with(v4(), &format!("{endpoint}/sharedConfigurationOverride"), settings);
    let cases = [
        (with(v4(), "definitionVersion", json!("5.0.0")), "definitionVersion", "version `5.0.0`"),
        (with(v2(), "gravitee", json!("1.0.0")), "gravitee", "version `1.0.0`"),
        (with(v4(), "type", json!("message")), "type", "type `message`"),
        (with(v4(), "type", json!("llm-proxy")), "type", "type `llm-proxy`"),
        (with(v4(), "type", Value::Null), "", "`type` is missing"),
        (with(v4(), "id", json!("")), "", "`id` is missing"),
        (with(v4(), "listeners", json!([])), "listeners", "`paths` is missing"),
        (with(v4(), "listeners/0/type", json!("tcp")), "listeners[0]", "type `tcp`"),
        (with(v4(), "listeners/0/paths", json!([7])), "listeners[0].paths[0]", "expected"),
        (with(v4(), "plans/0/security", Value::Null), "plans[0].security", "`security` is missing"),
        (with(v4(), "plans", json!([v4()["plans"][0], v4()["plans"][0]])), "plans", "`p` comes twice"),
        (
            with(v4(), "failover", json!({ "enabled": true, "maxFailures": -5 })),
            "failover",
            "`maxFailures` is out",
        ),
        (with(v4(), "responseTemplates", json!([])), "responseTemplates", "expected an object"),
        (with(v4(), "endpointGroups/0/type", json!("kafka")), "endpointGroups[0].type", "type `kafka`"),
        (
            with(v4(), &format!("{endpoint}/type"), json!("grpc")),
            "endpointGroups[0].endpoints[0].type",
            "`grpc`",
        ),
        (
            with(v4(), &format!("{endpoint}/name"), json!(" ")),
            "endpointGroups[0].endpoints[0]",
            "`name` is missing",
        ),
        (
            own(json!({ "http": { "maxConcurrentConnections": 0 } })),
            "endpointGroups[0].endpoints[0].sharedConfigurationOverride.http",
            "out of range",
        ),
        (
            own(json!({ "headers": [{ "name": "X Y" }] })),
            "endpointGroups[0].endpoints[0].sharedConfigurationOverride.headers[0]",
            "header",
        ),
        (
            with(v4(), "endpointGroups/0/loadBalancer", json!({ "type": "sticky" })),
            "endpointGroups[0].loadBalancer",
            "`sticky`",
        ),
        (with(v4(), "flows/0/request/0/policy", json!(" ")), "flows[0].request[0]", "`policy` is missing"),
        (with(v4(), "flows/0/selectors", json!([{}])), "flows[0].selectors[0]", "`type` is missing"),
        (with(v4(), "flows", json!({ "a": 1 })), "flows", "expected a sequence"),
        (with(v4(), "resources", json!([{ "type": "cache" }])), "resources[0]", "`name` is missing"),
        (with(v2(), "name", Value::Null), "", "`name` is missing"),
        (with(v2(), "proxy", Value::Null), "", "`proxy` is missing"),
        (with(v2(), "proxy/failover", json!(true)), "proxy.failover", "not the JSON"),
        (with(v2(), "proxy/virtual_hosts", json!([])), "proxy.virtual_hosts", "`paths` is missing"),
        (
            with(v2(), "proxy/groups/0/endpoints/0/name", json!("default-group")),
            "proxy.groups",
            "`default-group` comes twice",
        ),
        (
            with(v2(), "proxy/groups/0/endpoints/0/target", Value::Null),
            "proxy.groups[0].endpoints[0]",
            "`target` is missing",
        ),
    ];
    for (definition, at, says) in cases {
        let refusal = match read(&definition) {
            Err(refusal) => refusal,
            other => panic!("expected a refusal at `{at}` that says {says}, got {other:?}"),
        };
        assert_eq!(refusal.at, at, "{refusal}");
        assert!(refusal.to_string().contains(says), "{refusal} does not say {says}");
    }
}

#[test]
fn an_unusable_endpoint_is_left_out_and_reported_as_the_original_does() {
    for (pointer, value, because) in [
        ("configuration", json!({}), LeftOut::NoTarget),
        ("configuration", json!("{\"target\":\"http://b\"}"), LeftOut::Configuration),
        ("sharedConfigurationOverride", json!("{\"http\":{}}"), LeftOut::Configuration),
    ] {
        let api = served(&with(v4(), &format!("endpointGroups/0/endpoints/0/{pointer}"), value));
        assert!(api.groups[0].endpoints.is_empty());
        let at = "endpointGroups[0].endpoints[0]".to_owned();
        assert_eq!(api.limitations, [Limitation::EndpointLeftOut { at, because }]);
    }
    let api = served(&with(v4(), "endpointGroups/0/endpoints/0/configuration/target", json!("no url")));
    let target = &api.groups[0].endpoints[0].target;
    assert!(matches!(target, EndpointTarget::NotAUrl(_)), "it deploys, and requests get 502");
}

#[test]
fn only_published_plans_count_and_api_keys_come_before_no_security() {
    let plan = |id: &str, kind: &str, status: &str| json!({ "id": id, "status": status, "security": { "type": kind } });
    let plans = json!([
        plan("open", "KEY_LESS", "PUBLISHED"), plan("first", "api-key", "published"), plan("gone", "jwt", "closed"),
        plan("draft", "oauth2", "staging"), plan("second", "API_KEY", "deprecated"),
        { "id": "push", "mode": "push", "status": "published" }, { "id": "none", "security": { "type": "jwt" } }
    ]);
    let api = served(&with(v4(), "plans", plans.clone()));
    assert_eq!(api.plans.iter().map(|plan| &*plan.id).collect::<Vec<_>>(), ["first", "second", "open"]);
    let keyed: serde_json::Map<_, _> = plans
        .as_array()
        .expect("an array")
        .iter()
        .map(|plan| (plan["id"].to_string(), plan.clone()))
        .collect();
    assert_eq!(served(&with(v4(), "plans", Value::Object(keyed))).plans.len(), 3);

    for plans in [json!([]), json!([plan("draft", "jwt", "staging")]), Value::Null] {
        assert!(matches!(read(&with(v4(), "plans", plans)), Ok(Read::NotHere(NotHere::NoPlan))));
    }
}

#[test]
fn api_key_security_is_read_from_an_object_or_a_string() {
    let expected = ApiKeySecurity {
        header: Some("x-my-key".into()),
        source: ApiKeySource::QueryParameter,
        propagate: true,
    };
    let configuration = json!({ "propagateApiKey": true, "source": "QUERY_PARAMETER",
        "enableCustomApiKeyHeader": true, "apiKeyHeader": "X-My-Key" });
    for form in [configuration.clone(), json!(configuration.to_string())] {
        let api =
            served(&with(v4(), "plans/0/security", json!({ "type": "api-key", "configuration": form })));
        assert_eq!(api.plans[0].security, Security::ApiKey(expected.clone()));
    }
    let mut old = with(v2(), "plans/0/security", json!("API_KEY"));
    old["plans"][0]["securityDefinition"] = json!(configuration.to_string());
    assert_eq!(served(&old).plans[0].security, Security::ApiKey(expected));

    for form in [Value::Null, json!({}), json!(""), json!("{}"), json!({ "apiKeyHeader": "X-Unused" })] {
        let api =
            served(&with(v4(), "plans/0/security", json!({ "type": "api-key", "configuration": form })));
        assert_eq!(api.plans[0].security, Security::ApiKey(ApiKeySecurity::default()));
    }
    for wrong in [
        json!({ "source": "COOKIE" }),
        json!([1]),
        json!({ "enableCustomApiKeyHeader": true, "apiKeyHeader": "a b" }),
    ] {
        read(&with(v4(), "plans/0/security", json!({ "type": "api-key", "configuration": wrong })))
            .expect_err("refused");
    }
}

#[test]
fn what_is_switched_off_or_meant_for_others_takes_no_part() {
    let node = NodeContext { tags: zonegate_payload::ShardingTags::new(["eu"]), tenant: Some("east".into()) };
    let read_at = |definition: &Value| read_api(&payload(&definition.to_string()), &node);
    assert!(matches!(read_at(&v4()), Ok(Read::NotHere(NotHere::Tags))), "an API without tags, as recorded");
    let tagged = with(v4(), "tags", json!(["EU"]));
    assert!(matches!(read_at(&tagged), Ok(Read::Serve(_))));
    assert!(matches!(
        read_at(&with(tagged.clone(), "plans/0/tags", json!(["us"]))),
        Ok(Read::NotHere(NotHere::NoPlan))
    ));
    let Ok(Read::Serve(api)) =
        read_at(&with(tagged, "endpointGroups/0/endpoints/0/tenants", json!(["west"])))
    else {
        panic!("it is served without that endpoint")
    };
    assert!(api.groups[0].endpoints.is_empty());

    let mut disabled = payload(&v4().to_string());
    disabled.enabled = false;
    assert!(matches!(read_api(&disabled, &NodeContext::default()), Ok(Read::NotHere(NotHere::Disabled))));

    let off = with(v4(), "flows/0/enabled", json!(false));
    assert!(served(&with(off, "flows/0/request/0/condition", json!("{#x}"))).flows.is_empty());
    let step_off = with(v4(), "flows/0/request/0/enabled", json!("false"));
    assert!(
        served(&with(step_off, "flows/0/request/0/condition", json!("{#x}"))).flows[0].request.is_empty()
    );
}

#[test]
fn a_member_of_a_product_is_served_without_plans_and_with_other_tags() {
    let node = NodeContext { tags: zonegate_payload::ShardingTags::new(["east"]), ..NodeContext::default() };
    let read = |definition: &Value| read_member_api(&payload(&definition.to_string()), &node);
    let Ok(Read::Serve(api)) = read(&with(v4(), "plans", json!([]))) else { panic!("it is served") };
    assert!(api.plans.is_empty());
    assert!(matches!(read(&with(v4(), "tags", json!(["west"]))), Ok(Read::Serve(_))));
    assert!(matches!(read(&with(v2(), "plans", json!([]))), Ok(Read::NotHere(_))), "V2 APIs are no members");
}

#[test]
fn unknown_members_are_ignored_and_labels_are_read_in_any_spelling() {
    let mut definition = with(v4(), "future", json!({ "deep": [1] }));
    definition["flows"][0]["selectors"][0]["pathOperator"] = json!("START_WITH");
    definition["flowExecution"] = json!({ "mode": "BEST_MATCH", "matchRequired": true });
    definition["endpointGroups"][0]["loadBalancer"] = json!({ "type": "WEIGHTED_ROUND_ROBIN" });
    definition["listeners"][0]["requestValidation"] = json!({ "rejectNullByte": true });
    definition["definitionVersion"] = json!("V4");
    let api = served(&definition);
    assert_eq!(api.flow_mode, FlowMode::BestMatch);
    assert_eq!(api.groups[0].load_balancing, LoadBalancing::WeightedRoundRobin);
    assert!(api.match_required && api.reject_null_byte);
    assert_eq!(
        api.flows[0].http_selector().map(|selector| selector.operator),
        Some(PathOperator::StartsWith)
    );
}

#[test]
fn l3_debug_output_and_messages_hold_no_secret() {
    let mut definition = with(v4(), "properties", json!([{ "key": "k", "value": "s3cret" }]));
    definition["flows"][0]["request"][0]["configuration"] = json!({ "password": "s3cret" });
    definition["flows"][0]["request"][0]["condition"] = json!("{#request.headers['x'][0] == 's3cret'}");
    definition["flows"][0]["selectors"][0] = json!({ "type": "condition", "condition": "s3cret" });
    definition["plans"][0]["security"] =
        json!({ "type": "jwt", "configuration": { "resolverParameter": "s3cret" } });
    definition["plans"][0]["selectionRule"] = json!("s3cret");
    definition["resources"] =
        json!([{ "name": "r", "type": "oauth2", "configuration": { "clientSecret": "s3cret" } }]);
    definition["services"] = json!({ "dynamicProperty": { "configuration": { "headers": "s3cret" } } });
    definition["responseTemplates"] =
        json!({ "K": { "*/*": { "headers": { "X-A": "s3cret" }, "body": "s3cret" } } });
    definition["failover"] = json!({ "enabled": true, "failureCondition": "s3cret" });
    definition["analytics"] = json!({ "logging": { "mode": { "endpoint": true }, "phase": { "request": true },
        "content": { "headers": true }, "condition": "s3cret" } });
    definition["listeners"][0]["entrypoints"][0]["configuration"] = json!("s3cret");
    definition["endpointGroups"][0]["services"] = json!({ "healthCheck": { "type": "http-health-check", "configuration":
        { "target": "/", "headers": [{ "name": "A", "value": "s3cret" }], "body": "s3cret", "assertion": "s3cret" } } });
    let endpoint = &mut definition["endpointGroups"][0]["endpoints"][0];
    let key_store =
        json!({ "type": "JKS", "content": "s3cret", "password": "s3cret", "keyPassword": "s3cret" });
    endpoint["sharedConfigurationOverride"] = json!({ "headers": [{ "name": "Authorization", "value": "s3cret" }],
        "ssl": { "keyStore": key_store, "trustStore": { "type": "PEM", "content": "s3cret" } },
        "proxy": { "enabled": true, "host": "p", "port": 1, "username": "u", "password": "s3cret" } });
    endpoint["configuration"]["target"] = json!("http://me:s3cret@host/?key=s3cret");
    let shown = format!("{:?}", served(&definition));
    assert!(!shown.contains("s3cret"), "{shown}");
    definition["endpointGroups"][0]["endpoints"][0]["configuration"]["target"] =
        json!("http://me:s3cret@host:x/");
    assert!(!format!("{:?}", served(&definition)).contains("s3cret"));
    for wrong in
        [json!("s3cret"), json!("s3cret, expected s3cret"), json!({ "s3cret": 1 }), json!(["s3cret"])]
    {
        for pointer in [
            "flows",
            "plans/0/flows/0",
            "listeners/0/paths/0",
            "properties",
            "endpointGroups/0/name",
            "tags",
            "failover",
            "resources",
            "analytics",
            "services",
            "plans/0/security",
        ] {
            let mut definition = definition.clone();
            definition["plans"][0]["flows"] = json!([{}]);
            if let Err(refusal) = read(&with(definition, pointer, wrong.clone())) {
                assert!(!format!("{refusal} {refusal:?}").contains("s3cret"), "{refusal}");
            }
        }
    }
}

#[test]
fn l1_a_refusal_is_short_whatever_names_the_definition_has() {
    let long = "n\u{7}".repeat(5_000);
    for definition in [
        with(v4(), "responseTemplates", json!({ &long: { &long: { "status": 1 } } })),
        with(v4(), "responseTemplates", json!({ &long: { &long: 1 } })),
        with(v4(), "plans", json!({ &long: 1 })),
        with(v4(), "type", json!(long)),
        with(v4(), "resources", json!([{ "name": long, "enabled": true }])),
        with(v2(), "proxy/groups/0/endpoints/0/type", json!(long)),
    ] {
        let refusal = read(&definition).expect_err("refused").to_string();
        assert!(refusal.len() < 1_000 && !refusal.contains(char::is_control), "{refusal}");
    }
}

#[test]
fn l1_a_huge_or_deep_definition_is_refused() {
    let padded = |length: usize| {
        let bare = with(v4(), "future", json!("")).to_string().len();
        payload(&with(v4(), "future", json!("x".repeat(length - bare))).to_string())
    };
    let largest = padded(MAX_DEFINITION_BYTES);
    assert_eq!(largest.definition.get().len(), MAX_DEFINITION_BYTES);
    assert!(matches!(read_api(&largest, &NodeContext::default()), Ok(Read::Serve(_))));
    let refusal =
        read_api(&padded(MAX_DEFINITION_BYTES + 1), &NodeContext::default()).expect_err("too large");
    let (size, limit) = (MAX_DEFINITION_BYTES + 1, MAX_DEFINITION_BYTES);
    assert_eq!(refusal.reason, Reason::TooLarge { size, limit });
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let text = v4().to_string().replacen(r#""flows":["#, &format!(r#""flows":[{deep},"#), 1);
    if let Ok(payload) = serde_json::from_str(&format!(r#"{{"definition":{text},"enabled":true}}"#)) {
        read_api(&payload, &NodeContext::default()).expect_err("too deep");
    }
}
