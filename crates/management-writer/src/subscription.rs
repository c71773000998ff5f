//! Subscriptions and API keys (`management-repository.md` section 8).

use mongodb::bson::{Document, doc};

use crate::database::{Value, WriteError};
use crate::{DEFAULT_ENVIRONMENT, ManagementWriter, documents};

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

    /// The row as a document.
    pub(crate) fn document(&self, row: Vec<Value>) -> Document {
        let mut document = documents::document("Subscription", &SUBSCRIPTION_COLUMNS, row);
        document.insert("metadata", documents::map(&self.metadata));
        document
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

    /// The row as a document.
    pub(crate) fn document(&self, row: Vec<Value>) -> Document {
        let mut document = documents::document("ApiKey", &KEY_COLUMNS, row);
        document.insert("subscriptions", self.subscriptions.clone());
        document
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
        let row = subscription.row(self.now());
        if let Some(documents) = self.database.documents() {
            let document = subscription.document(row);
            return documents.insert(&self.sql("{p}subscriptions"), vec![document]).await;
        }
        let mut change = self.database.begin().await?;
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
        let row = key.row(self.now());
        if let Some(documents) = self.database.documents() {
            return documents.insert(&self.sql("{p}keys"), vec![key.document(row)]).await;
        }
        let mut change = self.database.begin().await?;
        change.insert(&self.sql("{p}keys"), &KEY_COLUMNS, &[row]).await?;
        let links = key.subscriptions.iter();
        let links = links.map(|subscription| vec![Value::text(&key.id), Value::text(subscription)]);
        let links = links.collect::<Vec<_>>();
        change.insert(&self.sql("{p}key_subscriptions"), &["key_id", "subscription_id"], &links).await?;
        change.commit().await
    }

    /// Revokes a key, for good.
    pub async fn revoke_key(&self, id: &str) -> Result<(), WriteError> {
        let columns = [("revoked", Value::Flag(true)), ("revoked_at", Value::Time(Some(self.now())))];
        self.update("keys", "key", id, &columns).await
    }

    /// Pauses a subscription and its keys.
    pub async fn pause_subscription(&self, id: &str) -> Result<(), WriteError> {
        self.set_status(id, SubscriptionStatus::Paused).await?;
        self.touch_keys(id, &[("paused", Value::Flag(true))]).await
    }

    /// Accepts a paused subscription again, with those of its keys that were not revoked meanwhile.
    pub async fn resume_subscription(&self, id: &str) -> Result<(), WriteError> {
        self.set_status(id, SubscriptionStatus::Accepted).await?;
        self.touch_keys(id, &[("paused", Value::Flag(false))]).await
    }

    /// Closes a subscription for good and revokes its keys.
    pub async fn close_subscription(&self, id: &str) -> Result<(), WriteError> {
        self.set_status(id, SubscriptionStatus::Closed).await?;
        let columns = [("revoked", Value::Flag(true)), ("revoked_at", Value::Time(Some(self.now())))];
        self.touch_keys(id, &columns).await
    }

    /// Sets the state of a subscription and nothing else.
    pub async fn set_status(&self, id: &str, status: SubscriptionStatus) -> Result<(), WriteError> {
        self.update("subscriptions", "subscription", id, &[("status", Value::text(status.name()))]).await
    }

    /// Sets columns of those keys of a subscription that are not revoked.
    async fn touch_keys(&self, subscription: &str, columns: &[(&str, Value)]) -> Result<(), WriteError> {
        let mut columns = columns.to_vec();
        columns.push(("updated_at", Value::Time(Some(self.now()))));
        if let Some(documents) = self.database.documents() {
            let filter = doc! { "subscriptions": subscription, "revoked": false };
            return documents.set(&self.sql("{p}keys"), filter, &columns).await.map(drop);
        }
        let sql = self.sql(&format!(
            "UPDATE {{p}}keys SET {} WHERE revoked = false
                AND id IN (SELECT key_id FROM {{p}}key_subscriptions WHERE subscription_id = $1)",
            assignments(&columns)
        ));
        let mut change = self.database.begin().await?;
        change.execute(&sql, &values(subscription, columns)).await?;
        change.commit().await
    }

    /// Sets columns of one record, and its time.
    pub(crate) async fn update(
        &self,
        table: &str,
        what: &str,
        id: &str,
        columns: &[(&str, Value)],
    ) -> Result<(), WriteError> {
        let mut columns = columns.to_vec();
        columns.push(("updated_at", Value::Time(Some(self.now()))));
        let changed = if let Some(documents) = self.database.documents() {
            documents.set(&self.sql(&format!("{{p}}{table}")), doc! { "_id": id }, &columns).await?
        } else {
            let sql = format!("UPDATE {{p}}{table} SET {} WHERE id = $1", assignments(&columns));
            let mut change = self.database.begin().await?;
            let changed = change.execute(&self.sql(&sql), &values(id, columns)).await?;
            change.commit().await?;
            changed
        };
        if changed == 0 { Err(WriteError::Missing(format!("{what} `{id}`"))) } else { Ok(()) }
    }
}

/// `column = $2, …`.
fn assignments(columns: &[(&str, Value)]) -> String {
    let assignments = columns.iter().enumerate().map(|(index, (name, _))| format!("{name} = ${}", index + 2));
    assignments.collect::<Vec<_>>().join(", ")
}

/// `$1`, `$2`, ….
fn values(id: &str, columns: Vec<(&str, Value)>) -> Vec<Value> {
    std::iter::once(Value::text(id)).chain(columns.into_iter().map(|(_, value)| value)).collect()
}
