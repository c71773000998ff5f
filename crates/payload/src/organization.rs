//! Organization rows (`zone-store.md` section 6.5).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::lenient;

/// An organization with its platform flows.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrganizationPayload {
    /// `{id, hrids, name, description, flowMode, flows, …}`, kept as text until `zonegate-definition` reads it.
    pub definition: Box<RawValue>,
    /// Always true in practice.
    #[serde(deserialize_with = "lenient::or_default", default)]
    pub enabled: bool,
    /// When it was deployed, milliseconds.
    #[serde(deserialize_with = "lenient::millis", default, skip_serializing_if = "Option::is_none")]
    pub deployed_at: Option<i64>,
}
