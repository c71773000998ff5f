//! Dictionary rows (`zone-store.md` section 6.4).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::lenient;

/// A dictionary of an environment.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DictionaryPayload {
    /// Id.
    #[serde(deserialize_with = "lenient::or_default")]
    pub id: String,
    /// Name under which expressions find it; the id where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment_id: Option<String>,
    /// Name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it was deployed, milliseconds.
    #[serde(deserialize_with = "lenient::millis", skip_serializing_if = "Option::is_none")]
    pub deployed_at: Option<i64>,
    /// Its entries.
    #[serde(deserialize_with = "lenient::texts")]
    pub properties: BTreeMap<String, String>,
}
