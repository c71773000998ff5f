//! API keys, and the subscriptions that they are for.

use std::sync::Arc;

use zonegate_payload::record::{KeyRecord, SubscriptionStatus};
use zonegate_repository::Selection;
use zonegate_repository::port::{Answer, IndexPage, IndexPosition, Key, KeyLink, Listed, Slice};

use crate::session::{SqlSession, environments, slice_arguments};
use crate::subscriptions::scope;
use crate::times::ColumnZone;
use crate::value::{Argument, Columns, Stored};

const DOING: &str = "reading API keys";

/// Columns of a statement that begin with those of a key.
const AFTER_KEY: usize = 7;

impl SqlSession {
    pub(crate) async fn keys_of_subscriptions(
        &mut self,
        subscriptions: &[Arc<str>],
        active: bool,
        (key_id, subscription): (&str, &str),
        limit: usize,
    ) -> Answer<Vec<(Key<Stored>, Arc<str>)>> {
        let arguments = vec![
            Argument::ids(subscriptions),
            Argument::Text(key_id.to_owned()),
            Argument::Text(subscription.to_owned()),
            Argument::count(limit),
        ];
        let statements = self.statements(None);
        let sql = if active { &statements.active_keys } else { &statements.all_keys };
        let zone = self.zone;
        let found = self
            .connection
            .fetch(DOING, sql, arguments, |row| Ok((key(row, zone)?, row.required(AFTER_KEY)?.into())));
        found.await
    }

    pub(crate) async fn changed_keys(
        &mut self,
        slice: Slice<'_, Stored>,
        selection: Option<&Selection>,
    ) -> Answer<Vec<Key<Stored>>> {
        let mut arguments = slice_arguments(slice);
        arguments.extend(environments(selection));
        let zone = self.zone;
        let sql = &self.statements(selection).keys_changed;
        self.connection.fetch(DOING, sql, arguments, |row| key(row, zone)).await
    }

    pub(crate) async fn subscriptions_of_keys(
        &mut self,
        keys: &[Arc<str>],
        (key, subscription): (&str, &str),
        limit: usize,
        selection: Option<&Selection>,
    ) -> Answer<Vec<KeyLink>> {
        let mut arguments = vec![
            Argument::ids(keys),
            Argument::Text(key.to_owned()),
            Argument::Text(subscription.to_owned()),
            Argument::count(limit),
        ];
        arguments.extend(environments(selection));
        let statements = self.statements(selection);
        let (doing, sql) = ("reading subscriptions of API keys", &statements.links_of_keys);
        let found = self.connection.fetch(doing, sql, arguments, |row| {
            Ok(KeyLink {
                key: row.required(0)?.into(),
                subscription: row.required(1)?.into(),
                scope: scope(row, 2)?,
                plan: row.filled(5)?.into(),
                status: SubscriptionStatus::from(row.text(6)?.as_deref().unwrap_or_default()),
            })
        });
        found.await
    }

    pub(crate) async fn index_of_keys(
        &mut self,
        after: &IndexPosition,
        limit: usize,
        selection: Option<&Selection>,
    ) -> Answer<IndexPage<Stored>> {
        let mut arguments = vec![
            Argument::Text(after.id.to_string()),
            Argument::Text(after.subscription.to_string()),
            Argument::count(limit),
        ];
        arguments.extend(environments(selection));
        let found = self
            .connection
            .fetch(DOING, &self.statements(selection).key_index, arguments, |row| {
                let subscription = Arc::<str>::from(row.required(1)?);
                let listed =
                    Listed { id: row.required(0)?.into(), scope: scope(row, 3)?, updated: row.time(2)? };
                Ok((listed, subscription))
            })
            .await?;
        let next = found.last().map(|(last, subscription)| IndexPosition {
            id: Arc::clone(&last.id),
            subscription: Arc::clone(subscription),
        });
        Ok(IndexPage { listed: found.into_iter().map(|(listed, _)| listed).collect(), next })
    }
}

fn key(row: &dyn Columns, zone: ColumnZone) -> Result<Key<Stored>, sqlx::Error> {
    let secret = row.text(1)?;
    let record = KeyRecord {
        id: row.required(0)?.into(),
        application: row.text(2)?,
        expire_at: row.time(3)?.map(|time| zone.millis(time.local)),
        // One without a secret must match nothing.
        revoked: row.flag(4)? || secret.as_deref().is_none_or(str::is_empty),
        paused: row.flag(5)?,
        key: secret.unwrap_or_default(),
    };
    Ok(Key { record: Arc::new(record), updated: row.time(6)? })
}
