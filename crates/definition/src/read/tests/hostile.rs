//! Hostile and odd definitions: each is read or refused, none panics, and what is read is whole.

use proptest::prelude::*;

use super::*;

/// A JSON value; names and labels are those that the readers know, so that most of them are reached.
fn json_value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec![
            "http",
            "http-proxy",
            "published",
            "key-less",
            "api-key",
            "/a",
            "http://b",
            "{#x}",
            "{}",
            "",
            "condition",
            "jwt",
            "HTTP_2",
            "JKS",
            "http-health-check",
            "shared-policy-group-policy"
        ])
        .prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    scalar.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(prop::sample::select(MEMBERS.to_vec()), inner, 0..4).prop_map(|map| {
                Value::Object(map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
            }),
        ]
    })
}

const MEMBERS: [&str; 30] = [
    "ssl",
    "proxy",
    "trustStore",
    "content",
    "host",
    "port",
    "healthCheck",
    "discovery",
    "steps",
    "policy",
    "condition",
    "logging",
    "mode",
    "cors",
    "type",
    "path",
    "configuration",
    "http",
    "headers",
    "name",
    "value",
    "enabled",
    "security",
    "status",
    "flows",
    "target",
    "request",
    "endpoints",
    "selectors",
    "x",
];

const POINTERS: [&str; 50] = [
    "analytics",
    "analytics/logging",
    "resources",
    "services",
    "services/dynamicProperty",
    "services/health-check",
    "services/discovery",
    "responseTemplates/DEFAULT",
    "response_templates",
    "path_mappings",
    "allowedInApiProducts",
    "proxy/failover",
    "proxy/cors",
    "proxy/logging",
    "proxy/groups/0/endpoints",
    "proxy/groups/0/endpoints/0/healthcheck",
    "proxy/groups/0/endpoints/0/ssl",
    "proxy/groups/0/services",
    "flows/0/pre",
    "listeners/0/entrypoints",
    "endpointGroups/0/services/healthCheck",
    "plans/0/selectionRule",
    "id",
    "name",
    "apiVersion",
    "tags",
    "listeners",
    "listeners/0/paths",
    "listeners/0/paths/0/path",
    "listeners/0/servers",
    "listeners/0/cors",
    "endpointGroups",
    "endpointGroups/0/sharedConfiguration",
    "endpointGroups/0/endpoints",
    "endpointGroups/0/endpoints/0/configuration",
    "endpointGroups/0/endpoints/0/sharedConfigurationOverride",
    "endpointGroups/0/services",
    "plans",
    "plans/0/security",
    "plans/0/flows",
    "flows",
    "flows/0/selectors",
    "flows/0/request/0",
    "properties",
    "responseTemplates",
    "failover",
    "flowExecution",
    "plans/0/status",
    "proxy",
    "proxy/groups",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn l1_any_member_may_be_anything_without_a_panic(
        old in any::<bool>(),
        changes in prop::collection::vec((prop::sample::select(POINTERS.to_vec()), json_value()), 1..4),
    ) {
        let mut definition = if old { v2() } else { v4() };
        for (pointer, value) in changes {
            // A change may have taken away what the next one goes through.
            let parent = pointer.rsplit_once('/').map(|(parent, _)| format!("/{parent}"));
            if parent.is_none_or(|parent| definition.pointer(&parent).is_some_and(Value::is_object)) {
                definition = with(definition, pointer, value);
            }
        }
        if let Ok(Read::Serve(api)) = read(&definition) {
            nothing_is_missing(&definition, &api)?;
        }
    }

    #[test]
    fn l1_any_value_in_any_place_of_a_full_definition_never_yields_half_an_api(
        old in any::<bool>(),
        place in any::<prop::sample::Index>(),
        value in json_value(),
    ) {
        let mut definition = if old { whole::v2() } else { whole::v4() };
        let mut places = Vec::new();
        collect(&definition, String::new(), &mut places);
        let pointer = &places[place.index(places.len())];
        *definition.pointer_mut(pointer).expect("it was collected") = value;
        if let Ok(Read::Serve(api)) = read(&definition) {
            nothing_is_missing(&definition, &api)?;
        }
    }

    #[test]
    fn l1_any_text_as_a_definition_is_read_or_refused(text in prop_oneof![".{0,200}", r#"[\[\]{}":,a-z0-9 ]{0,200}"#]) {
        if let Ok(payload) = serde_json::from_str::<ApiPayload>(&format!(r#"{{"definition":{text},"enabled":true}}"#)) {
            let _ = read_api(&payload, &NodeContext::default());
            let _ = name_of(&payload);
        }
    }
}

/// JSON pointers of everything within a value.
fn collect(value: &Value, at: String, places: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                collect(member, format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), places);
            }
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                collect(element, format!("{at}/{index}"), places);
            }
        }
        _ => {}
    }
    if !at.is_empty() {
        places.push(at);
    }
}

/// Whatever takes part in serving is in the model, counted in the JSON by rules written a second time.
fn nothing_is_missing(definition: &Value, api: &Api) -> Result<(), TestCaseError> {
    prop_assert!(!api.listeners.is_empty() && !api.plans.is_empty() && !api.id.is_empty());
    for path in &api.listeners {
        let normal = path.path.starts_with('/') && path.path.ends_with('/') && !path.path.contains("//");
        prop_assert!(normal, "{}", path.path);
    }
    let is_old = api.generation == DefinitionVersion::V2;
    let plans = elements(&definition["plans"])
        .into_iter()
        .filter(|plan| {
            let status = plan["status"].as_str().unwrap_or_default().trim().to_lowercase();
            let mode = plan["mode"].as_str().map(|mode| mode.trim().to_lowercase());
            let standard = is_old || plan["mode"].is_null() || mode.as_deref() == Some("standard");
            ["published", "deprecated"].contains(&status.as_str()) && standard
        })
        .collect::<Vec<_>>();
    prop_assert_eq!(plans.len(), api.plans.len());
    let rules = plans.iter().filter(|plan| says_something(&plan["selectionRule"])).count();
    prop_assert_eq!(rules, api.plans.iter().filter(|plan| plan.selection_rule.is_some()).count());

    let members = if is_old { ["pre", "post"] } else { ["request", "response"] };
    let mut written: Vec<&Value> = elements(&definition["flows"]);
    written.extend(plans.iter().flat_map(|plan| elements(&plan["flows"])));
    written.retain(|flow| is_on(flow));
    let read: Vec<&Flow> = api.flows.iter().chain(api.plans.iter().flat_map(|plan| &plan.flows)).collect();
    prop_assert_eq!(written.len(), read.len());
    let steps = written.iter().flat_map(|flow| members.map(|member| elements(&flow[member]))).flatten();
    let steps: Vec<&Value> = steps.filter(|step| is_on(step)).collect();
    let read_steps: Vec<&Step> =
        read.iter().flat_map(|flow| flow.request.iter().chain(&flow.response)).collect();
    prop_assert_eq!(steps.len(), read_steps.len());
    prop_assert_eq!(
        steps.iter().filter(|step| says_something(&step["condition"])).count(),
        read_steps.iter().filter(|step| step.condition.is_some()).count()
    );
    let endpoints: usize = api.groups.iter().map(|group| group.endpoints.len()).sum();
    let left_out = api
        .limitations
        .iter()
        .filter(|limitation| matches!(limitation, Limitation::EndpointLeftOut { .. }))
        .count();
    let groups = if is_old { &definition["proxy"]["groups"] } else { &definition["endpointGroups"] };
    let written: usize = elements(groups).iter().map(|group| elements(&group["endpoints"]).len()).sum();
    let legacy = is_old && !definition["proxy"]["endpoints"].is_null();
    prop_assert!(legacy || written == endpoints + left_out);
    Ok(())
}

fn elements(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(elements) => elements.iter().collect(),
        Value::Object(members) => members.values().collect(),
        _ => Vec::new(),
    }
}

fn is_on(value: &Value) -> bool {
    match &value["enabled"] {
        Value::Bool(on) => *on,
        Value::String(text) => text.trim() == "true",
        _ => true,
    }
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        _ => true,
    }
}
