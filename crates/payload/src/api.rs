//! API rows (`zone-store.md` section 6.1).

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::lenient;

/// A definition with what the management side says about its deployment.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiPayload {
    /// The V2 or V4 definition, an object, kept as text until `zonegate-definition` reads it.
    pub definition: Box<RawValue>,
    /// False: not to be served.
    #[serde(deserialize_with = "lenient::or_default", default)]
    pub enabled: bool,
    /// When it was deployed: the repository event's `createdAt`, milliseconds.
    #[serde(deserialize_with = "lenient::millis", default, skip_serializing_if = "Option::is_none")]
    pub deployed_at: Option<i64>,
    /// The deployment number, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_id: Option<Arc<str>>,
    /// First human-readable id of the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_hrid: Option<Arc<str>>,
    /// Organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<Arc<str>>,
    /// First human-readable id of the organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization_hrid: Option<Arc<str>>,
}
