//! Subscriptions and API keys (`management-repository.md` section 8).

use crate::database::{Value, WriteError};
use crate::{DEFAULT_ENVIRONMENT, ManagementWriter};

/// State of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "APIM's constants, which say it themselves")]
pub enum SubscriptionStatus {
    Pending,
    Rejected,
    Accepted,
    Closed,
    Paused,
}

impl SubscriptionStatus {
    /// APIM's constant.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Rejected => "REJECTED",
            Self::Accepted => "ACCEPTED",
            Self::Closed => "CLOSED",
            Self::Paused => "PAUSED",
        }
    }
}

/// A subscription to write.
#[derive(Clone, Debug)]
pub struct SubscriptionSpec {
    /// Id.
    pub id: String,
    /// The API, or the API product if [`Self::product`].
    pub reference: String,
    /// Whether it is a subscription to an API product.
    pub product: bool,
    /// Plan.
    pub plan: String,
    /// Application.
    pub application: String,
    /// State.
    pub status: SubscriptionStatus,
    /// OAuth client.
    pub client_id: Option<String>,
    /// Valid from, epoch milliseconds.
    pub starting_at: Option<i64>,
    /// Valid until, epoch milliseconds.
    pub ending_at: Option<i64>,
    /// Metadata.
    pub metadata: Vec<(String, String)>,
    /// Environment.
    pub environment: String,
}

impl SubscriptionSpec {
    /// An accepted subscription of application `app-<id>` to a plan of an API.
    pub fn new(id: impl Into<String>, api: impl Into<String>, plan: impl Into<String>) -> Self {
        let id = id.into();
        Self {
            application: format!("app-{id}"),
            id,
            reference: api.into(),
            product: false,
            plan: plan.into(),
            status: SubscriptionStatus::Accepted,
            client_id: None,
            starting_at: None,
            ending_at: None,
            metadata: Vec::new(),
            environment: DEFAULT_ENVIRONMENT.to_owned(),
        }
    }

    /// The row, for `COLUMNS`.
    pub(crate) fn row(&self, now: i64) -> Vec<Value> {
        let reference_type = if self.product { "API_PRODUCT" } else { "API" };
        vec![
            Value::text(&self.id),
            Value::Text((!self.product).then(|| self.reference.clone())),
            Value::text(reference_type),
            Value::text(&self.reference),
            Value::text(&self.plan),
            Value::text(&self.application),
            Value::text(format!("Application {}", self.application)),
            Value::text(self.status.name()),
            Value::Text(self.client_id.clone()),
            Value::Time(Some(self.starting_at.unwrap_or(now))),
            Value::Time(self.ending_at),
            Value::Time(Some(now)),
            Value::Time(Some(now)),
            Value::text("STANDARD"),
            Value::text("STARTED"),
            Value::text(&self.environment),
        ]
    }
}

/// Columns of [`SubscriptionSpec::row`].
pub(crate) const SUBSCRIPTION_COLUMNS: [&str; 16] = [
    "id",
    "api",
    "reference_type",
    "reference_id",
    "plan",
    "application",
    "application_name",
    "status",
    "client_id",
    "starting_at",
    "ending_at",
    "created_at",
    "updated_at",
    "type",
    "consumer_status",
    "environment_id",
];

/// An API key to write.
#[derive(Clone, Debug)]
pub struct KeySpec {
    /// Id of the record.
    pub id: String,
    /// The secret.
    pub key: String,
    /// Subscriptions that it is for.
    pub subscriptions: Vec<String>,
    /// Application.
    pub application: String,
    /// Valid until, epoch milliseconds.
    pub expire_at: Option<i64>,
    /// Managed by another system, never synchronised.
    pub federated: bool,
    /// Environment.
    pub environment: String,
}

impl KeySpec {
    /// A key of one subscription.
    pub fn new(id: impl Into<String>, key: impl Into<String>, subscription: impl Into<String>) -> Self {
        let subscription = subscription.into();
        Self {
            id: id.into(),
            key: key.into(),
            application: format!("app-{subscription}"),
            subscriptions: vec![subscription],
            expire_at: None,
            federated: false,
            environment: DEFAULT_ENVIRONMENT.to_owned(),
        }
    }

    /// The row, for `COLUMNS`.
    pub(crate) fn row(&self, now: i64) -> Vec<Value> {
        vec![
            Value::text(&self.id),
            Value::text(&self.key),
            Value::text(&self.application),
            Value::Flag(false),
            Value::Flag(false),
            Value::Flag(self.federated),
            Value::Time(self.expire_at),
            Value::Time(Some(now)),
            Value::Time(Some(now)),
            Value::text(&self.environment),
        ]
    }
}

/// Columns of [`KeySpec::row`].
pub(crate) const KEY_COLUMNS: [&str; 10] = [
    "id",
    "key",
    "application",
    "revoked",
    "paused",
    "federated",
    "expire_at",
    "created_at",
    "updated_at",
    "environment_id",
];

impl ManagementWriter {
    /// Writes a subscription.
    pub async fn create_subscription(&self, subscription: &SubscriptionSpec) -> Result<(), WriteError> {
        let mut change = self.database.begin().await?;
        let row = subscription.row(self.now());
        change.insert(&self.sql("{p}subscriptions"), &SUBSCRIPTION_COLUMNS, &[row]).await?;
        let metadata = subscription.metadata.iter();
        let metadata = metadata
            .map(|(key, value)| vec![Value::text(&subscription.id), Value::text(key), Value::text(value)])
            .collect::<Vec<_>>();
        let columns = ["subscription_id", "k", "v"];
        change.insert(&self.sql("{p}subscriptions_metadata"), &columns, &metadata).await?;
        change.commit().await
    }

    /// Writes an API key.
    pub async fn create_key(&self, key: &KeySpec) -> Result<(), WriteError> {
        let mut change = self.database.begin().await?;
        change.insert(&self.sql("{p}keys"), &KEY_COLUMNS, &[key.row(self.now())]).await?;
        let links = key.subscriptions.iter();
        let links = links.map(|subscription| vec![Value::text(&key.id), Value::text(subscription)]);
        let links = links.collect::<Vec<_>>();
        change.insert(&self.sql("{p}key_subscriptions"), &["key_id", "subscription_id"], &links).await?;
        change.commit().await
    }

    /// Revokes a key, for good.
    pub async fn revoke_key(&self, id: &str) -> Result<(), WriteError> {
        let sql = "UPDATE {p}keys SET revoked = true, revoked_at = $2, updated_at = $2 WHERE id = $1";
        self.update(sql, "key", id).await
    }

    /// Pauses a subscription and its keys.
    pub async fn pause_subscription(&self, id: &str) -> Result<(), WriteError> {
        self.set_status(id, SubscriptionStatus::Paused).await?;
        self.touch_keys("SET paused = true, updated_at = $2", id).await
    }

    /// Accepts a paused subscription again, with those of its keys that were not revoked meanwhile.
    pub async fn resume_subscription(&self, id: &str) -> Result<(), WriteError> {
        self.set_status(id, SubscriptionStatus::Accepted).await?;
        self.touch_keys("SET paused = false, updated_at = $2", id).await
    }

    /// Closes a subscription for good and revokes its keys.
    pub async fn close_subscription(&self, id: &str) -> Result<(), WriteError> {
        self.set_status(id, SubscriptionStatus::Closed).await?;
        self.touch_keys("SET revoked = true, revoked_at = $2, updated_at = $2", id).await
    }

    /// Sets the state of a subscription and nothing else.
    pub async fn set_status(&self, id: &str, status: SubscriptionStatus) -> Result<(), WriteError> {
        let sql = format!(
            "UPDATE {{p}}subscriptions SET status = '{}', updated_at = $2 WHERE id = $1",
            status.name()
        );
        self.update(&sql, "subscription", id).await
    }

    async fn touch_keys(&self, set: &str, subscription: &str) -> Result<(), WriteError> {
        let sql = self.sql(&format!(
            "UPDATE {{p}}keys {set} WHERE revoked = false
                AND id IN (SELECT key_id FROM {{p}}key_subscriptions WHERE subscription_id = $1)"
        ));
        let mut change = self.database.begin().await?;
        change.execute(&sql, &[Value::text(subscription), Value::Time(Some(self.now()))]).await?;
        change.commit().await
    }

    async fn update(&self, sql: &str, what: &str, id: &str) -> Result<(), WriteError> {
        let mut change = self.database.begin().await?;
        let values = [Value::text(id), Value::Time(Some(self.now()))];
        if change.execute(&self.sql(sql), &values).await? == 0 {
            return Err(WriteError::Missing(format!("{what} `{id}`")));
        }
        change.commit().await
    }
}
