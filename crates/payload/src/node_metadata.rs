//! Node-metadata rows (`zone-store.md` section 6.8).

use serde::{Deserialize, Serialize};

use crate::lenient;

/// Which installation, and which organizations, the zone belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeMetadataPayload {
    /// Organizations that the gateway is configured for; absent when it takes all.
    #[serde(deserialize_with = "lenient::or_default", skip_serializing_if = "Vec::is_empty")]
    pub organization_ids: Vec<String>,
    /// The installation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installation_id: Option<String>,
}
