//! Fills a repository with many APIs, subscriptions and keys at once, for benches and load tests.

use crate::database::{Value, WriteError};
use crate::subscription::{KEY_COLUMNS, SUBSCRIPTION_COLUMNS};
use crate::{
    ApiSpec, DEFAULT_ENVIRONMENT, DEFAULT_ORGANIZATION, EventType, KeySpec, ManagementWriter,
    SubscriptionSpec,
};

/// APIs in one round, so that memory stays small.
const APIS_A_ROUND: usize = 500;
/// Subscriptions in one round.
const SUBSCRIPTIONS_A_ROUND: usize = 50_000;

/// How much to write.
#[derive(Clone, Debug)]
pub struct FillSpec {
    /// Number of APIs. API `n` is `<name>-<n>`, served under `/<name>-<n>`, with a plan `<name>-<n>-api-key`.
    pub apis: usize,
    /// Subscriptions of each, with one key each. Subscription `m` of API `n` is `<name>-<n>-s<m>`, its key
    /// `<name>-<n>-k<m>`.
    pub subscriptions_per_api: usize,
    /// First part of all names.
    pub name: String,
    /// Upstream of all of them.
    pub target: String,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filled {
    /// APIs.
    pub apis: usize,
    /// Subscriptions, and as many keys.
    pub subscriptions: usize,
}

impl FillSpec {
    /// Id of API `n`.
    pub fn api(&self, n: usize) -> String {
        format!("{}-{n}", self.name)
    }

    /// Secret of the key of subscription `m` of API `n`.
    pub fn key(&self, n: usize, m: usize) -> String {
        format!("{}-{n}-k{m}", self.name)
    }
}

impl ManagementWriter {
    /// Writes V4 APIs with an API-key plan, deployed, with subscriptions and keys.
    pub async fn fill(&self, spec: &FillSpec) -> Result<Filled, WriteError> {
        for first in (0..spec.apis).step_by(APIS_A_ROUND) {
            self.fill_apis(spec, first..(first + APIS_A_ROUND).min(spec.apis)).await?;
        }
        let total = spec.apis * spec.subscriptions_per_api;
        for first in (0..total).step_by(SUBSCRIPTIONS_A_ROUND) {
            self.fill_subscriptions(spec, first..(first + SUBSCRIPTIONS_A_ROUND).min(total)).await?;
        }
        Ok(Filled { apis: spec.apis, subscriptions: total })
    }

    async fn fill_apis(&self, spec: &FillSpec, numbers: std::ops::Range<usize>) -> Result<(), WriteError> {
        let now = self.now();
        let mut events = Vec::with_capacity(numbers.len());
        let mut properties = Vec::new();
        let mut environments = Vec::new();
        let mut organizations = Vec::new();
        for number in numbers {
            let id = spec.api(number);
            let api = ApiSpec::v4(&id, format!("/{id}"), &spec.target).api_key();
            let record = api.record("STARTED", now).to_string();
            events.push(vec![
                Value::text(&id),
                Value::text(EventType::PublishApi.name()),
                Value::text(record),
                Value::Time(Some(now)),
                Value::Time(Some(now)),
            ]);
            for (key, value) in [("id", id.as_str()), ("api_id", id.as_str()), ("deployment_number", "1")] {
                properties.push(vec![Value::text(&id), Value::text(key), Value::text(value)]);
            }
            environments.push(vec![Value::text(&id), Value::text(DEFAULT_ENVIRONMENT)]);
            organizations.push(vec![Value::text(&id), Value::text(DEFAULT_ORGANIZATION)]);
        }
        let columns = ["id", "type", "payload", "created_at", "updated_at"];
        self.database.bulk(&self.sql("{p}events_latest"), &columns, events).await?;
        let columns = ["event_id", "property_key", "property_value"];
        self.database.bulk(&self.sql("{p}events_latest_properties"), &columns, properties).await?;
        let columns = ["event_id", "environment_id"];
        self.database.bulk(&self.sql("{p}events_latest_environments"), &columns, environments).await?;
        let columns = ["event_id", "organization_id"];
        self.database.bulk(&self.sql("{p}events_latest_organizations"), &columns, organizations).await
    }

    async fn fill_subscriptions(
        &self,
        spec: &FillSpec,
        numbers: std::ops::Range<usize>,
    ) -> Result<(), WriteError> {
        let now = self.now();
        let mut subscriptions = Vec::with_capacity(numbers.len());
        let mut keys = Vec::with_capacity(numbers.len());
        let mut links = Vec::with_capacity(numbers.len());
        for number in numbers {
            let (api, mine) = (number / spec.subscriptions_per_api, number % spec.subscriptions_per_api);
            let id = format!("{}-s{mine}", spec.api(api));
            let plan = format!("{}-api-key", spec.api(api));
            subscriptions.push(SubscriptionSpec::new(&id, spec.api(api), plan).row(now));
            let key = KeySpec::new(format!("{id}-key"), spec.key(api, mine), &id);
            keys.push(key.row(now));
            links.push(vec![Value::text(key.id), Value::text(id)]);
        }
        self.database.bulk(&self.sql("{p}subscriptions"), &SUBSCRIPTION_COLUMNS, subscriptions).await?;
        self.database.bulk(&self.sql("{p}keys"), &KEY_COLUMNS, keys).await?;
        let columns = ["key_id", "subscription_id"];
        self.database.bulk(&self.sql("{p}key_subscriptions"), &columns, links).await
    }
}
