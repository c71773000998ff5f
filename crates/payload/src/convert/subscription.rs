//! Subscriptions and API keys (`management-repository.md` section 8) → their rows (`zone-store.md` 6.2 and 6.3).

use std::sync::Arc;

use serde_json::value::RawValue;
use zonegate_model::{Kind, Row, RowKey};

use super::{Reason, Refusal, deployed, json};
use crate::record::{KeyRecord, KeySubscription, SubscriptionRecord, SubscriptionStatus};
use crate::{ApiKeyPayload, SubscriptionPayload, nesting};

/// Converts a subscription under its scope. `plan_served`: whether its plan is among the served ones; without that,
/// or if it is not accepted, the row is removed.
///
/// The row says `forceDispatch` always, not only when it is read with its API: a row must not depend on how it was
/// found. APIM's gateways dispatch again in both cases.
pub fn subscription(record: SubscriptionRecord, scope: &Arc<str>, plan_served: bool) -> Result<Row, Refusal> {
    let key = RowKey::scoped(Kind::Subscription, Arc::clone(scope), Arc::clone(&record.id));
    if record.status != SubscriptionStatus::Accepted || !plan_served {
        return Ok(Row::removed(key));
    }
    let configuration = match record.configuration.as_deref().map(configuration).transpose() {
        Ok(configuration) => configuration.flatten(),
        Err(reason) => return Err(Refusal { key, reason }),
    };
    let product = record.is_product();
    let payload = SubscriptionPayload {
        id: record.id.to_string(),
        api: (!product).then(|| scope.to_string()),
        api_product_id: product.then(|| scope.to_string()),
        plan: Some(record.plan.to_string()),
        application: record.application.map(|id| id.to_string()),
        application_name: record.application_name,
        client_id: record.client_id,
        client_certificate: record.client_certificate,
        status: Some("ACCEPTED".to_owned()),
        consumer_status: record.consumer_status,
        starting_at: record.starting_at,
        ending_at: record.ending_at,
        configuration,
        metadata: record.metadata,
        kind: Some(record.kind.unwrap_or_else(|| "STANDARD".to_owned())),
        force_dispatch: true,
        environment_id: record.environment_id.map(|id| id.to_string()),
    };
    deployed(key, &payload)
}

/// A push configuration is JSON within a text.
fn configuration(text: &str) -> Result<Option<Box<RawValue>>, Reason> {
    const WHAT: &str = "the subscription's configuration";
    if text.trim().is_empty() {
        return Ok(None);
    }
    if !nesting::is_bounded(text) {
        return Err(Reason::TooDeep(WHAT));
    }
    json::read(WHAT, text)
}

/// Converts a key for one of its subscriptions. It is active if it is neither revoked nor paused and the subscription
/// is served; otherwise the row is removed. Expiry is not looked at: that is for the request, by the clock of then.
pub fn api_key(record: &KeyRecord, subscription: &KeySubscription) -> Result<Row, Refusal> {
    let key = RowKey::scoped(Kind::ApiKey, Arc::clone(&subscription.scope), Arc::clone(&record.id));
    if record.revoked || record.paused || !subscription.served {
        return Ok(Row::removed(key));
    }
    let payload = ApiKeyPayload {
        id: record.id.to_string(),
        key: record.key.clone(),
        api: Some(subscription.scope.to_string()),
        plan: Some(subscription.plan.to_string()),
        subscription: Some(subscription.id.to_string()),
        application: record.application.clone(),
        expire_at: record.expire_at,
        revoked: false,
        paused: false,
        active: true,
    };
    deployed(key, &payload)
}
