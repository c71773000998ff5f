//! An API definition without its secrets (L3).
//!
//! A definition has a known frame and opaque parts: the configuration of plugins, whose members this gateway cannot all
//! know. In the frame, members with a secret's name are masked. In opaque parts every text is masked except under the
//! few names listed here, so that a new plugin's secret is not shown before somebody thinks of it. Property values
//! are masked without exception: once decrypted they cannot be told from plain ones (`zone-store.md` section 6.1).

use serde_json::Value;
use zonegate_telemetry::secret_text::{MASK, is_secret_name, mask_in_urls};

/// Members whose content belongs to a plugin, or carries credentials by its nature.
const OPAQUE: [&str; 10] = [
    "configuration",
    "sharedConfiguration",
    "sharedConfigurationOverride",
    "securityDefinition",
    "headers",
    "ssl",
    "authentication",
    "httpClientSslOptions",
    "httpProxy",
    "proxyOptions",
];

/// Texts that are shown in opaque parts: they say what is called and how, and never are a secret.
const SHOWN: [&str; 15] = [
    "name",
    "type",
    "method",
    "methods",
    "scope",
    "status",
    "target",
    "host",
    "path",
    "paths",
    "operator",
    "version",
    "signature",
    "publicKeyResolver",
    "userClaim",
];

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Frame,
    Opaque,
    Properties,
}

/// Masks every secret in an API's wrapper.
pub(super) fn redact(wrapper: &mut Value) {
    redact_member("", wrapper, Part::Frame);
}

fn redact_member(name: &str, value: &mut Value, part: Part) {
    let part = match name {
        "properties" if part == Part::Frame => Part::Properties,
        _ if part == Part::Frame && OPAQUE.contains(&name) => Part::Opaque,
        _ => part,
    };
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                redact_member(name, value, part);
            }
        }
        Value::Array(elements) => {
            for element in elements {
                redact_member(name, element, part);
            }
        }
        Value::String(text) => redact_text(name, text, part),
        Value::Number(_) if is_secret_name(name) => *value = Value::from(MASK),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn redact_text(name: &str, text: &mut String, part: Part) {
    if text.is_empty() {
        return;
    }
    // A configuration can be a text that holds JSON.
    if OPAQUE.contains(&name)
        && let Ok(mut inner @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text)
    {
        redact_member("", &mut inner, Part::Opaque);
        *text = inner.to_string();
        return;
    }
    let shown = match part {
        Part::Frame => !is_secret_name(name) && !OPAQUE.contains(&name),
        Part::Opaque => SHOWN.contains(&name),
        Part::Properties => name == "key",
    };
    *text = if shown { mask_in_urls(text) } else { MASK.to_owned() };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const SECRET: &str = "planted-7f3a";

    fn redacted(mut value: Value) -> String {
        redact(&mut value);
        value.to_string()
    }

    #[test]
    fn l3_a_secret_is_masked_in_every_place_that_can_hold_one() {
        let places = [
            json!({"properties": [{"key": "p", "value": SECRET, "encrypted": false}]}),
            json!({"properties": {"properties": [{"key": "p", "value": SECRET}]}}),
            json!({"properties": {"p": SECRET}}),
            json!({"resources": [{"type": "oauth2", "configuration": {"clientSecret": SECRET, "x": [SECRET]}}]}),
            json!({"resources": [{"configuration": json!({"clientSecret": SECRET}).to_string()}]}),
            json!({"plans": [{"security": {"type": "jwt", "configuration": {"resolverParameter": SECRET}}}]}),
            json!({"plans": [{"securityDefinition": json!({"resolverParameter": SECRET}).to_string()}]}),
            json!({"plans": [{"securityDefinition": format!("not json {SECRET}")}]}),
            json!({"flows": [{"pre": [{"policy": "x", "configuration": {"value": SECRET}}]}]}),
            json!({"flows": [{"request": [{"configuration": {"addHeaders": [{"name": "A", "value": SECRET}]}}]}]}),
            json!({"proxy": {"groups": [{"headers": [{"name": "A", "value": SECRET}]}]}}),
            json!({"proxy": {"groups": [{"headers": {"Authorization": SECRET}}]}}),
            json!({"proxy": {"groups": [{"ssl": {"keyStore": {"type": "PEM", "content": SECRET}}}]}}),
            json!({"proxy": {"groups": [{"proxy": {"password": SECRET}}]}}),
            json!({"proxy": {"groups": [{"endpoints": [{"target": format!("http://u:{SECRET}@h/")}]}]}}),
            json!({"endpointGroups": [{"sharedConfiguration": {"security": {"sasl": SECRET}}}]}),
            json!({"endpointGroups": [{"endpoints": [{"configuration":
                {"target": format!("https://h/?api_key={SECRET}&x=1")}}]}]}),
            json!({"endpointGroups": [{"endpoints": [{"sharedConfigurationOverride": json!([SECRET]).to_string()}]}]}),
            json!({"services": {"dynamicProperty": {"configuration": {"specification": SECRET}}}}),
            json!({"services": {"health-check": {"steps": [{"request": {"headers":
                [{"name": "X", "value": SECRET}]}}]}}}),
            json!({"anything": {"accessToken": SECRET}}),
        ];
        for place in places {
            let shown = redacted(json!({ "definition": place }));
            assert!(!shown.contains(SECRET) && shown.contains(MASK), "{shown}");
        }
    }

    #[test]
    fn what_is_no_secret_stays_readable() {
        let value = json!({"definition": {
            "name": "Orders", "plans": [{"name": "Keys", "security": {"type": "api-key", "configuration": {"n": 1}}}],
            "properties": [{"key": "region", "value": "", "encrypted": false}],
            "endpointGroups": [{"endpoints": [{"configuration": {"target": "http://orders:8080/v1?x=1"}}]}],
            "proxy": {"virtual_hosts": [{"path": "/orders"}]},
        }, "enabled": true, "deployedAt": 5, "organizationId": "DEFAULT"});
        assert_eq!(redacted(value.clone()), value.to_string());
    }

    proptest! {
        #[test]
        fn l3_a_plugins_text_is_masked_under_any_name_that_is_not_listed(
            name in "[a-zA-Z_-]{1,12}", depth in 0_usize..6, in_array in any::<bool>(),
        ) {
            prop_assume!(!SHOWN.contains(&name.as_str()));
            let mut value = if in_array { json!([SECRET]) } else { json!(SECRET) };
            for _ in 0..=depth {
                value = json!({ name.as_str(): value });
            }
            let shown = redacted(json!({"definition": {"flows": [{"request": [{"configuration": value}]}]}}));
            prop_assert!(!shown.contains(SECRET), "{}", shown);
        }
    }
}
