//! `transform-headers`: sets, adds and removes headers of the request or the response (`data-plane.md` section 6.3).
//!
//! Values are static: one that holds an expression is refused until the expression language is there.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use zonegate_definition::has_expression;

use crate::registry::{Step, WrongConfiguration};
use crate::{Policy, RequestView, ResponseView, Verdict};

/// The id that steps name.
pub(crate) const ID: &str = "transform-headers";

#[derive(Debug)]
struct TransformHeaders {
    set: Vec<(HeaderName, HeaderValue)>,
    add: Vec<(HeaderName, HeaderValue)>,
    remove: Vec<HeaderName>,
    /// Not empty: every other header is removed.
    keep: Vec<HeaderName>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Configuration {
    #[serde(rename = "addHeaders")]
    set: Option<Vec<Entry>>,
    #[serde(rename = "appendHeaders")]
    append: Option<Vec<Entry>>,
    #[serde(rename = "removeHeaders")]
    remove: Option<Vec<Option<String>>>,
    #[serde(rename = "whitelistHeaders")]
    keep: Option<Vec<Option<String>>>,
}

#[derive(Deserialize)]
struct Entry {
    name: Option<String>,
    value: Option<String>,
}

/// Builds the policy.
pub(crate) fn build(configuration: &str) -> Result<Step, WrongConfiguration> {
    let configuration: Option<Configuration> = serde_json::from_str(configuration).map_err(|error| {
        WrongConfiguration(format!("not the JSON that belongs here, at column {}", error.column()))
    })?;
    let configuration = configuration.unwrap_or_default();
    Ok(Box::new(TransformHeaders {
        set: entries(configuration.set, "addHeaders")?,
        add: entries(configuration.append, "appendHeaders")?,
        remove: names(configuration.remove),
        keep: names(configuration.keep),
    }))
}

/// Names with their values. Blank names are skipped and a missing value leaves the header alone, as recorded from the
/// original.
fn entries(
    list: Option<Vec<Entry>>,
    member: &str,
) -> Result<Vec<(HeaderName, HeaderValue)>, WrongConfiguration> {
    let mut kept = Vec::new();
    for (index, entry) in list.unwrap_or_default().into_iter().enumerate() {
        let (Some(name), Some(value)) = (entry.name.filter(|name| !name.trim().is_empty()), entry.value)
        else {
            continue;
        };
        if has_expression(&name) || has_expression(&value) {
            return Err(WrongConfiguration(format!(
                "{member}[{index}] holds an expression, which is not served yet"
            )));
        }
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| WrongConfiguration(format!("{member}[{index}].name is not a header name")))?;
        let value = HeaderValue::from_str(&value)
            .map_err(|_| WrongConfiguration(format!("{member}[{index}].value is not a header value")))?;
        kept.push((name, value));
    }
    Ok(kept)
}

/// Header names; what cannot be one matches no header.
fn names(list: Option<Vec<Option<String>>>) -> Vec<HeaderName> {
    list.unwrap_or_default()
        .into_iter()
        .flatten()
        .filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok())
        .collect()
}

impl TransformHeaders {
    fn apply(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.set {
            headers.insert(name.clone(), value.clone());
        }
        for (name, value) in &self.add {
            headers.append(name.clone(), value.clone());
        }
        for name in &self.remove {
            headers.remove(name);
        }
        if !self.keep.is_empty() {
            let gone: Vec<HeaderName> =
                headers.keys().filter(|name| !self.keep.contains(name)).cloned().collect();
            for name in gone {
                headers.remove(name);
            }
        }
    }
}

impl Policy for TransformHeaders {
    fn on_request(&self, request: &mut RequestView<'_>) -> Verdict {
        self.apply(request.headers);
        Verdict::Continue
    }

    fn on_response(&self, response: &mut ResponseView<'_>) -> Verdict {
        self.apply(response.headers);
        Verdict::Continue
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        list.iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    fn transformed(configuration: &str, before: &[(&'static str, &'static str)]) -> HeaderMap {
        let policy = build(configuration).expect("understood");
        let mut headers = headers(before);
        let mut status = StatusCode::OK;
        policy.on_response(&mut ResponseView { status: &mut status, headers: &mut headers });
        headers
    }

    #[test]
    fn headers_are_set_then_added_then_removed() {
        let after = transformed(
            r#"{"addHeaders":[{"name":"X-Set","value":"new"},{"name":" ","value":"x"},{"name":"x-left"}],
                "appendHeaders":[{"name":"X-Set","value":"more"}],"removeHeaders":["X-Gone","X-Left-Not","not a name"]}"#,
            &[("x-set", "old"), ("x-left", "stays"), ("x-gone", "1")],
        );
        let set: Vec<_> = after.get_all("x-set").iter().collect();
        assert_eq!(set, ["new", "more"]);
        assert_eq!(after.get("x-left").map(HeaderValue::as_bytes), Some(&b"stays"[..]));
        assert!(!after.contains_key("x-gone"));
    }

    #[test]
    fn a_list_of_allowed_headers_removes_all_others_also_those_just_set() {
        let after = transformed(
            r#"{"addHeaders":[{"name":"X-New","value":"1"}],"whitelistHeaders":["X-KEPT"]}"#,
            &[("x-kept", "1"), ("x-other", "1")],
        );
        assert_eq!(after.keys().collect::<Vec<_>>(), ["x-kept"]);
    }

    #[test]
    fn s3_an_expression_is_refused_and_json_text_is_not_taken_for_one() {
        for value in ["{#request.id}", "a { #request.id}", "{(1+1)}", "{ T(java.lang.Math).abs(1)}"] {
            let text = serde_json::json!({"addHeaders": [{"name": "X-A", "value": value}]}).to_string();
            assert!(build(&text).is_err(), "{value}");
        }
        for value in ["{\\\"a\\\": 1}", "#x", "{}", "{a}"] {
            assert!(
                build(&format!(r#"{{"addHeaders":[{{"name":"X-A","value":"{value}"}}]}}"#)).is_ok(),
                "{value}"
            );
        }
    }

    #[test]
    fn l3_a_wrong_configuration_is_named_without_its_values() {
        for text in
            [r#"{"addHeaders":"geheim"}"#, r#"{"addHeaders":[{"name":"a b","value":"geheim"}]}"#, "geheim"]
        {
            let error = build(text).expect_err("refused");
            assert!(!error.to_string().contains("geheim"), "{error}");
        }
    }

    #[test]
    fn no_configuration_does_nothing() {
        assert_eq!(transformed("null", &[("x-a", "1")]), headers(&[("x-a", "1")]));
        assert_eq!(transformed("{}", &[("x-a", "1")]), headers(&[("x-a", "1")]));
    }
}
