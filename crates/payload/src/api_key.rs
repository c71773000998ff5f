//! API-key rows (`zone-store.md` section 6.2).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::lenient;

/// A key of one subscription. `key` is the secret, so `Debug` leaves it out (L3).
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiKeyPayload {
    /// Id of the key record.
    #[serde(deserialize_with = "lenient::or_default")]
    pub id: String,
    /// The secret that clients send.
    #[serde(deserialize_with = "lenient::or_default")]
    pub key: String,
    /// The scope: API or API product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// The plan of the subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// The subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    /// The application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// Not valid from then on, milliseconds.
    #[serde(deserialize_with = "lenient::millis", skip_serializing_if = "Option::is_none")]
    pub expire_at: Option<i64>,
    /// Revoked for good.
    #[serde(deserialize_with = "lenient::or_default")]
    pub revoked: bool,
    /// Paused with its subscription.
    #[serde(deserialize_with = "lenient::or_default")]
    pub paused: bool,
    /// Neither revoked nor paused, and its subscription is accepted.
    #[serde(deserialize_with = "lenient::or_default")]
    pub active: bool,
}

impl fmt::Debug for ApiKeyPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeyPayload")
            .field("id", &self.id)
            .field("api", &self.api)
            .field("subscription", &self.subscription)
            .field("active", &self.active)
            .finish_non_exhaustive()
    }
}
