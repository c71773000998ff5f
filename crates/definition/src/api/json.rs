//! Members that V2 and V4 definitions write alike.

use serde::Deserialize;

use super::Property;
use crate::json::{Flag, Pair, Pairs, Text};

/// A property; V2 may also write an object of keys and values.
#[derive(Deserialize)]
pub(crate) struct PropertyJson<'a> {
    #[serde(borrow)]
    key: Option<Text<'a>>,
    value: Option<Text<'a>>,
    encrypted: Option<Flag>,
    dynamic: Option<Flag>,
}

impl<'de: 'a, 'a> Pair<'de> for PropertyJson<'a> {
    fn of(key: Text<'de>, value: Option<Text<'de>>) -> Self {
        Self { key: Some(key), value, encrypted: None, dynamic: None }
    }
}

/// Properties; those without a key are ignored.
pub(crate) fn properties(properties: Option<Pairs<PropertyJson<'_>>>) -> Vec<Property> {
    let Pairs(properties) = properties.unwrap_or_default();
    properties
        .into_iter()
        .filter_map(|property| {
            Some(Property {
                key: property.key?.0.into(),
                value: Text::or(property.value, "").into(),
                encrypted: Flag::or(property.encrypted, false),
                dynamic: Flag::or(property.dynamic, false),
            })
        })
        .collect()
}
