//! Members that V2 and V4 definitions write alike.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Property;
use crate::Cors;
use crate::json::{Flag, Pair, Pairs, Text};
use crate::refusal::{Reason, Refusal};

/// A member of which only `enabled` matters.
#[derive(Deserialize)]
pub(crate) struct Switch {
    pub(crate) enabled: Option<Flag>,
}

impl Switch {
    /// Whether it is there and on.
    pub(crate) fn is_on(switch: Option<&Self>) -> bool {
        switch.is_some_and(|switch| Flag::or(switch.enabled, false))
    }
}

/// A property; V2 may also write an object of keys and values.
#[derive(Deserialize)]
pub(crate) struct PropertyJson {
    key: Option<Text>,
    value: Option<Text>,
    encrypted: Option<Flag>,
}

impl Pair for PropertyJson {
    fn of(name: String, value: Option<String>) -> Self {
        Self { key: Some(Text(name)), value: value.map(Text), encrypted: None }
    }
}

/// Cross-origin settings are refused until the proxy answers preflights.
pub(crate) fn refused_cors(_: Cors, at: &str) -> Result<Cors, Refusal> {
    Err(Refusal::new(Reason::Cors, format!("{at}.cors.enabled")))
}

/// Response templates other than none are refused.
pub(crate) fn no_templates(templates: Option<&RawValue>, at: &str) -> Result<(), Refusal> {
    let Some(text) = templates else { return Ok(()) };
    let inner = text.get().trim_matches(|c: char| c.is_whitespace() || matches!(c, '{' | '}' | '[' | ']'));
    if inner.is_empty() { Ok(()) } else { Err(Refusal::new(Reason::ResponseTemplates, at)) }
}

/// Properties; those without a key are ignored.
pub(crate) fn properties(properties: Option<Pairs<PropertyJson>>) -> Vec<Property> {
    let properties = properties.map(|Pairs(properties)| properties).unwrap_or_default();
    properties
        .into_iter()
        .filter_map(|property| {
            Some(Property {
                key: property.key?.0,
                value: property.value.map(|Text(value)| value).unwrap_or_default(),
                encrypted: Flag::or(property.encrypted, false),
            })
        })
        .collect()
}
