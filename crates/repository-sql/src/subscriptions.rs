//! Subscriptions and keys, in pages by keyset.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use zonegate_payload::record::{KeyRecord, SubscriptionRecord, SubscriptionStatus};
use zonegate_sync::port::RepositoryError;

use crate::reader::Run;
use crate::times::ColumnZone;
use crate::value::{Argument, Columns, Stored};

/// A subscription with what is needed to read on.
#[derive(Clone, Debug)]
pub(crate) struct Subscription {
    pub(crate) record: SubscriptionRecord,
    /// Absent where it has none, so that it is in no window.
    pub(crate) updated: Option<Stored>,
    /// Whether its certificate or configuration is longer than is read.
    pub(crate) too_long: bool,
}

/// A key for one of its subscriptions.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) record: Arc<KeyRecord>,
    pub(crate) updated: Option<Stored>,
}

/// Columns of a statement that begin with those of a subscription.
const AFTER_SUBSCRIPTION: usize = 18;
/// The same for a key.
const AFTER_KEY: usize = 7;

impl Run<'_> {
    /// A page of the accepted subscriptions of some plans, after a position in the order (plan, id).
    pub(crate) async fn subscriptions_of_plans(
        &mut self,
        plans: &[Arc<str>],
        after: Option<&Subscription>,
    ) -> Result<Vec<Subscription>, RepositoryError> {
        let (plan, id) = after
            .map_or_else(Default::default, |last| (last.record.plan.to_string(), last.record.id.to_string()));
        let arguments = vec![
            Argument::ids(plans),
            Argument::Text(plan),
            Argument::Text(id),
            self.subscriptions_at_once(),
        ];
        let sql = Arc::clone(&self.statements.subscriptions_of_plans);
        self.subscriptions(&sql, arguments).await
    }

    /// A page of the accepted subscriptions of one plan, after an id.
    pub(crate) async fn subscriptions_of_plan(
        &mut self,
        plan: &str,
        after: &str,
    ) -> Result<Vec<Subscription>, RepositoryError> {
        let arguments = vec![
            Argument::Text(plan.to_owned()),
            Argument::Text(after.to_owned()),
            self.subscriptions_at_once(),
        ];
        let sql = Arc::clone(&self.statements.subscriptions_of_plan);
        self.subscriptions(&sql, arguments).await
    }

    /// A page of the subscriptions that changed, after a position in the order (time, id).
    pub(crate) async fn subscriptions_changed(
        &mut self,
        after: (Stored, String),
        before: Stored,
    ) -> Result<Vec<Subscription>, RepositoryError> {
        let arguments = vec![
            Argument::Time(after.0),
            Argument::Text(after.1),
            Argument::Time(before),
            self.subscriptions_at_once(),
        ];
        let sql = Arc::clone(&self.statements.subscriptions_changed);
        self.subscriptions(&sql, arguments).await
    }

    /// How many accepted subscriptions each of some plans has.
    pub(crate) async fn subscription_counts(
        &mut self,
        plans: &[Arc<str>],
    ) -> Result<HashMap<String, usize>, RepositoryError> {
        let mut arguments = vec![Argument::ids(plans)];
        arguments.extend(self.environments());
        let sql = Arc::clone(&self.statements.subscription_counts);
        let counts = self
            .session
            .fetch("counting subscriptions", &sql, arguments, |row| Ok((row.required(0)?, row.number(1)?)))
            .await?;
        Ok(counts
            .into_iter()
            .map(|(plan, count)| (plan, count.and_then(|count| usize::try_from(count).ok()).unwrap_or(0)))
            .collect())
    }

    fn subscriptions_at_once(&self) -> Argument {
        Argument::Number(self.repository.settings.bulk.subscriptions as i64)
    }

    async fn subscriptions(
        &mut self,
        sql: &Arc<str>,
        mut arguments: Vec<Argument>,
    ) -> Result<Vec<Subscription>, RepositoryError> {
        arguments.extend(self.environments());
        let zone = self.repository.settings.zone;
        self.session.fetch("reading subscriptions", sql, arguments, |row| subscription(row, zone)).await
    }

    /// Adds their metadata to subscriptions.
    pub(crate) async fn add_metadata(
        &mut self,
        subscriptions: &mut [&mut Subscription],
    ) -> Result<(), RepositoryError> {
        let Some(sql) = self.statements.metadata.clone() else { return Ok(()) };
        for some in subscriptions.chunks_mut(self.repository.settings.bulk.subscriptions) {
            let ids = Argument::ids(some.iter().map(|subscription| &subscription.record.id));
            let entries = self
                .session
                .fetch("reading metadata of subscriptions", &sql, vec![ids], |row| {
                    Ok((row.required(0)?, row.required(1)?, row.required(2)?))
                })
                .await?;
            let mut metadata: HashMap<String, BTreeMap<String, String>> = HashMap::new();
            for (subscription, key, value) in entries {
                metadata.entry(subscription).or_default().insert(key, value);
            }
            for subscription in some {
                if let Some(metadata) = metadata.remove(&*subscription.record.id) {
                    subscription.record.metadata = metadata;
                }
            }
        }
        Ok(())
    }

    /// Keys of some subscriptions, by subscription. Active ones only, or all.
    pub(crate) async fn keys_of(
        &mut self,
        subscriptions: &[Arc<str>],
        active: bool,
    ) -> Result<HashMap<Arc<str>, Vec<Key>>, RepositoryError> {
        let statements = Arc::clone(&self.statements);
        let sql = if active { &statements.active_keys } else { &statements.all_keys };
        let bulk = self.repository.settings.bulk;
        let zone = self.repository.settings.zone;
        let mut found: HashMap<Arc<str>, Vec<Key>> = HashMap::new();
        for some in subscriptions.chunks(bulk.key_subscriptions) {
            let mut after = (String::new(), String::new());
            loop {
                let arguments = vec![
                    Argument::ids(some),
                    Argument::Text(after.0),
                    Argument::Text(after.1),
                    Argument::Number(bulk.keys as i64),
                ];
                let page = self
                    .session
                    .fetch("reading API keys", sql, arguments, |row| {
                        Ok((key(row, zone)?, row.required(AFTER_KEY)?))
                    })
                    .await?;
                let whole = page.len() == bulk.keys;
                after = match page.last() {
                    Some((key, subscription)) => (key.record.id.to_string(), subscription.clone()),
                    None => break,
                };
                for (key, subscription) in page {
                    found.entry(subscription.into()).or_default().push(key);
                }
                if !whole {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// A page of the keys that changed, after a position in the order (time, id).
    pub(crate) async fn keys_changed(
        &mut self,
        after: (Stored, String),
        before: Stored,
    ) -> Result<Vec<Key>, RepositoryError> {
        let mut arguments = vec![
            Argument::Time(after.0),
            Argument::Text(after.1),
            Argument::Time(before),
            Argument::Number(self.repository.settings.bulk.keys as i64),
        ];
        arguments.extend(self.environments());
        let zone = self.repository.settings.zone;
        let sql = Arc::clone(&self.statements.keys_changed);
        self.session.fetch("reading API keys", &sql, arguments, |row| key(row, zone)).await
    }

    /// The subscriptions of some keys, by key.
    pub(crate) async fn subscriptions_of_keys(
        &mut self,
        keys: &[Arc<str>],
    ) -> Result<HashMap<String, Vec<SubscriptionRecord>>, RepositoryError> {
        let mut arguments = vec![Argument::ids(keys)];
        arguments.extend(self.environments());
        let zone = self.repository.settings.zone;
        let sql = Arc::clone(&self.statements.subscriptions_of_keys);
        let pairs = self
            .session
            .fetch("reading subscriptions of API keys", &sql, arguments, |row| {
                Ok((row.required(AFTER_SUBSCRIPTION)?, subscription(row, zone)?.record))
            })
            .await?;
        let mut found: HashMap<String, Vec<SubscriptionRecord>> = HashMap::new();
        for (key, subscription) in pairs {
            found.entry(key).or_default().push(subscription);
        }
        Ok(found)
    }
}

fn subscription(row: &dyn Columns, zone: ColumnZone) -> Result<Subscription, sqlx::Error> {
    let id = |index| Ok::<_, sqlx::Error>(row.text(index)?.map(Arc::from));
    let time = |index| Ok::<_, sqlx::Error>(row.time(index)?.map(|time| zone.millis(time.local)));
    let record = SubscriptionRecord {
        id: row.required(0)?.into(),
        api: id(1)?,
        reference_type: row.text(2)?,
        reference_id: id(3)?,
        environment_id: id(4)?,
        plan: row.required(5)?.into(),
        application: id(6)?,
        application_name: row.text(7)?,
        client_id: row.text(8)?,
        client_certificate: row.text(9)?,
        status: SubscriptionStatus::from(row.text(10)?.as_deref().unwrap_or_default()),
        consumer_status: row.text(11)?,
        starting_at: time(12)?,
        ending_at: time(13)?,
        kind: row.text(14)?,
        configuration: row.text(15)?,
        metadata: BTreeMap::new(),
    };
    Ok(Subscription { record, updated: row.time(16)?, too_long: row.flag(17)? })
}

fn key(row: &dyn Columns, zone: ColumnZone) -> Result<Key, sqlx::Error> {
    let record = KeyRecord {
        id: row.required(0)?.into(),
        key: row.required(1)?,
        application: row.text(2)?,
        expire_at: row.time(3)?.map(|time| zone.millis(time.local)),
        revoked: row.flag(4)?,
        paused: row.flag(5)?,
    };
    Ok(Key { record: Arc::new(record), updated: row.time(6)? })
}
