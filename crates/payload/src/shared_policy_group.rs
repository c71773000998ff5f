//! Shared-policy-group rows (`zone-store.md` section 6.9).

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::lenient;

/// A group of policy steps that flows refer to by its cross id.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SharedPolicyGroupPayload {
    /// The cross id.
    pub id: String,
    /// Name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
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
    /// When it was deployed, milliseconds.
    #[serde(default, deserialize_with = "lenient::millis", skip_serializing_if = "Option::is_none")]
    pub deployed_at: Option<i64>,
    /// `{id, environmentId, name, version, phase, policies, deployedAt}`, kept as text.
    pub definition: Box<RawValue>,
}
