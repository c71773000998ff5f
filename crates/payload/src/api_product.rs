//! API-product rows (`zone-store.md` section 6.10).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::lenient;

/// Several APIs behind common plans.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiProductPayload {
    /// Id.
    #[serde(deserialize_with = "lenient::or_default")]
    pub id: String,
    /// Member APIs.
    #[serde(deserialize_with = "lenient::or_default")]
    pub api_ids: Vec<String>,
    /// Sharding tags.
    #[serde(deserialize_with = "lenient::or_default", skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// V4 plans, kept as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plans: Option<Box<RawValue>>,
    /// Environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment_id: Option<Arc<str>>,
    /// First human-readable id of the environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment_hrid: Option<Arc<str>>,
    /// Organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<Arc<str>>,
    /// First human-readable id of the organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_hrid: Option<Arc<str>>,
    /// When it was deployed, milliseconds.
    #[serde(deserialize_with = "lenient::millis", skip_serializing_if = "Option::is_none")]
    pub deployed_at: Option<i64>,
    /// Name, description, version, analytics and whatever else there is.
    #[serde(flatten)]
    pub rest: BTreeMap<String, serde_json::Value>,
}
