//! Subscription rows (`zone-store.md` section 6.3).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::lenient;

/// A subscription of an application to a plan.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubscriptionPayload {
    /// Id of the subscription.
    #[serde(deserialize_with = "lenient::or_default")]
    pub id: String,
    /// The API; absent for a product subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// The API product, for a product subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_product_id: Option<String>,
    /// The plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// The application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// The application's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_name: Option<String>,
    /// OAuth client id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// PEM or PKCS#7 bundle, base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<String>,
    /// ACCEPTED, CLOSED, PAUSED, PENDING.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// STARTED, STOPPED, FAILURE.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer_status: Option<String>,
    /// Not valid before, milliseconds.
    #[serde(deserialize_with = "lenient::millis", skip_serializing_if = "Option::is_none")]
    pub starting_at: Option<i64>,
    /// Not valid after, milliseconds.
    #[serde(deserialize_with = "lenient::millis", skip_serializing_if = "Option::is_none")]
    pub ending_at: Option<i64>,
    /// For push subscriptions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Box<RawValue>>,
    /// Free metadata.
    #[serde(deserialize_with = "lenient::texts")]
    pub metadata: BTreeMap<String, String>,
    /// STANDARD, PUSH.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// True when loaded together with its API.
    #[serde(deserialize_with = "lenient::or_default")]
    pub force_dispatch: bool,
    /// Environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment_id: Option<String>,
}
