//! Fills a repository with many APIs, subscriptions and keys at once, for benches and load tests: on PostgreSQL by COPY, a
//! million subscriptions with keys in well under a minute.

use std::ops::Range;

use crate::database::{Value, WriteError};
use crate::documents::Documents;
use crate::event::EVENTS;
use crate::sample::{seed_of, uuid};
use crate::subscription::{KEY_COLUMNS, SUBSCRIPTION_COLUMNS};
use crate::{
    ApiSpec, DEFAULT_ENVIRONMENT, DEFAULT_ORGANIZATION, EventRow, EventType, KeySpec, ManagementWriter,
    SubscriptionSpec, documents,
};

/// APIs in one round, so that memory stays small.
const APIS_A_ROUND: usize = 2_000;
/// Subscriptions in one round.
const SUBSCRIPTIONS_A_ROUND: usize = 20_000;

/// How much to write. The same specification gives the same records at each run, but for their times.
#[derive(Clone, Debug)]
pub struct FillSpec {
    /// Number of APIs, each as [`ApiSpec::sample`] makes them.
    pub apis: usize,
    /// Subscriptions of each to its first plan, with one key each.
    pub subscriptions_per_api: usize,
    /// What ids and contents depend on: the seed.
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
    /// Id of API `n`; it is served under `/<id>`.
    pub fn api(&self, n: usize) -> String {
        uuid(seed_of(&self.name), "api", n)
    }

    /// Id of subscription `m` of API `n`.
    pub fn subscription(&self, n: usize, m: usize) -> String {
        uuid(seed_of(&self.name), "subscription", n * self.subscriptions_per_api + m)
    }

    /// Secret of the key of subscription `m` of API `n`.
    pub fn key(&self, n: usize, m: usize) -> String {
        uuid(seed_of(&self.name), "secret", n * self.subscriptions_per_api + m)
    }

    /// Id of that key.
    pub fn key_id(&self, n: usize, m: usize) -> String {
        uuid(seed_of(&self.name), "key", n * self.subscriptions_per_api + m)
    }

    /// Id of the application that has that subscription.
    pub fn application(&self, n: usize, m: usize) -> String {
        uuid(seed_of(&self.name), "application", n * self.subscriptions_per_api + m)
    }

    /// API `n`, to deploy it again.
    pub fn spec(&self, n: usize) -> ApiSpec {
        ApiSpec::sample(seed_of(&self.name), n, &self.api(n), &self.target)
    }

    /// Subscription `number` of all, and its key.
    fn subscription_with_key(&self, number: usize) -> (SubscriptionSpec, KeySpec) {
        let (api, mine) = (number / self.subscriptions_per_api, number % self.subscriptions_per_api);
        let (id, api_id) = (self.subscription(api, mine), self.api(api));
        let application = self.application(api, mine);
        let plan = format!("{api_id}-api-key");
        let subscription =
            SubscriptionSpec { application: application.clone(), ..SubscriptionSpec::new(&id, api_id, plan) };
        let key = KeySpec { application, ..KeySpec::new(self.key_id(api, mine), self.key(api, mine), &id) };
        (subscription, key)
    }
}

impl ManagementWriter {
    /// Writes V4 APIs with API-key plans, deployed, with subscriptions and keys.
    pub async fn fill(&self, spec: &FillSpec) -> Result<Filled, WriteError> {
        self.fill_with_progress(spec, &|_| {}).await
    }

    /// Like [`Self::fill`], telling `progress` how far it is.
    pub async fn fill_with_progress(
        &self,
        spec: &FillSpec,
        progress: &(dyn Fn(&str) + Sync),
    ) -> Result<Filled, WriteError> {
        let total = spec.apis * spec.subscriptions_per_api;
        // Each record a millisecond after the one before, the last one now.
        let begin = self.now() - spec.apis.max(total) as i64;
        for first in (0..spec.apis).step_by(APIS_A_ROUND) {
            progress(&format!("filling: {first} of {} APIs", spec.apis));
            self.fill_apis(spec, first..(first + APIS_A_ROUND).min(spec.apis), begin).await?;
        }
        for first in (0..total).step_by(SUBSCRIPTIONS_A_ROUND) {
            progress(&format!("filling: {first} of {total} subscriptions with keys"));
            self.fill_subscriptions(spec, first..(first + SUBSCRIPTIONS_A_ROUND).min(total), begin).await?;
        }
        // A database that has been in use for a while knows how large its tables are.
        self.database.gather_statistics().await?;
        Ok(Filled { apis: spec.apis, subscriptions: total })
    }

    async fn fill_apis(&self, spec: &FillSpec, numbers: Range<usize>, begin: i64) -> Result<(), WriteError> {
        if let Some(documents) = self.database.documents() {
            let event = |number| {
                let (id, now) = (spec.api(number), begin + number as i64);
                let record = spec.spec(number).record("STARTED", now).to_string();
                let mut event = EventRow::new(&id, EventType::PublishApi, "api_id", Some(record));
                event.properties.push(("deployment_number".to_owned(), "1".to_owned()));
                documents::event(&event, now)
            };
            return documents.insert(&self.sql(EVENTS), numbers.map(event).collect()).await;
        }
        let mut events = Vec::with_capacity(numbers.len());
        let mut properties = Vec::with_capacity(numbers.len() * 4);
        let mut environments = Vec::with_capacity(numbers.len());
        let mut organizations = Vec::with_capacity(numbers.len());
        for number in numbers {
            let (id, now) = (spec.api(number), begin + number as i64);
            let record = spec.spec(number).record("STARTED", now).to_string();
            let event = uuid(seed_of(&spec.name), "event", number);
            let found = [
                ("id", &*event),
                ("api_id", &*id),
                ("deployment_number", "1"),
                ("user", "management-writer"),
            ];
            for (key, value) in found {
                properties.push(vec![Value::text(&id), Value::text(key), Value::text(value)]);
            }
            environments.push(vec![Value::text(&id), Value::text(DEFAULT_ENVIRONMENT)]);
            organizations.push(vec![Value::text(&id), Value::text(DEFAULT_ORGANIZATION)]);
            events.push(vec![
                Value::text(id),
                Value::text(EventType::PublishApi.name()),
                Value::text(record),
                Value::Time(Some(now)),
                Value::Time(Some(now)),
            ]);
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
        numbers: Range<usize>,
        begin: i64,
    ) -> Result<(), WriteError> {
        if let Some(documents) = self.database.documents() {
            return self.fill_subscription_documents(documents, spec, numbers, begin).await;
        }
        let mut subscriptions = Vec::with_capacity(numbers.len());
        let mut keys = Vec::with_capacity(numbers.len());
        let mut links = Vec::with_capacity(numbers.len());
        for number in numbers {
            let ((subscription, key), now) = (spec.subscription_with_key(number), begin + number as i64);
            subscriptions.push(subscription.row(now));
            keys.push(key.row(now));
            links.push(vec![Value::text(key.id), Value::text(subscription.id)]);
        }
        let [subscription_table, key_table, link_table] =
            ["{p}subscriptions", "{p}keys", "{p}key_subscriptions"].map(|table| self.sql(table));
        let link_columns = ["key_id", "subscription_id"];
        // One after the other on SQLite, which has one connection; at once elsewhere.
        tokio::try_join!(
            self.database.bulk(&subscription_table, &SUBSCRIPTION_COLUMNS, subscriptions),
            self.database.bulk(&key_table, &KEY_COLUMNS, keys),
            self.database.bulk(&link_table, &link_columns, links),
        )?;
        Ok(())
    }

    async fn fill_subscription_documents(
        &self,
        documents: &Documents,
        spec: &FillSpec,
        numbers: Range<usize>,
        begin: i64,
    ) -> Result<(), WriteError> {
        let written = numbers.map(|number| {
            let ((subscription, key), now) = (spec.subscription_with_key(number), begin + number as i64);
            (subscription.document(subscription.row(now)), key.document(key.row(now)))
        });
        let (subscriptions, keys) = written.unzip();
        documents.insert(&self.sql("{p}subscriptions"), subscriptions).await?;
        documents.insert(&self.sql("{p}keys"), keys).await
    }
}
