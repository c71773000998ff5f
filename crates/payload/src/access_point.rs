//! Access-point rows (`zone-store.md` section 6.6).

use serde::{Deserialize, Serialize};

use crate::lenient;

/// A default host of an environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AccessPointPayload {
    /// Id.
    #[serde(deserialize_with = "lenient::or_default")]
    pub id: String,
    /// Environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment_id: Option<String>,
    /// Host name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// `GATEWAY`, `TCP_GATEWAY`, `KAFKA_GATEWAY`; absent before APIM 4.8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}
