//! API-key rows (`zone-store.md` section 6.2).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A key of one subscription. `key` is the secret, so `Debug` leaves it out (L3).
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiKeyPayload {
    /// Id of the key record.
    pub id: String,
    /// The secret that clients send.
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expire_at: Option<i64>,
    /// Revoked for good.
    pub revoked: bool,
    /// Paused with its subscription.
    pub paused: bool,
    /// Neither revoked nor paused, and its subscription is accepted.
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
