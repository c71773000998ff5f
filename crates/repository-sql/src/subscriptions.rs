//! Subscriptions.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use zonegate_payload::record::{SubscriptionRecord, SubscriptionStatus};
use zonegate_repository::Selection;
use zonegate_repository::port::{Answer, IndexPage, IndexPosition, Listed, Slice, Subscription};

use crate::events::page_of_index;
use crate::session::{SqlSession, environments, slice_arguments};
use crate::times::ColumnZone;
use crate::value::{Argument, Columns, Stored};

const DOING: &str = "reading subscriptions";

impl SqlSession {
    pub(crate) async fn accepted_subscriptions(
        &mut self,
        plans: &[Arc<str>],
        (plan, id): (&str, &str),
        limit: usize,
        selection: Option<&Selection>,
    ) -> Answer<Vec<Subscription<Stored>>> {
        // No database has an id with NUL, and PostgreSQL does not even take a question for one.
        if plans.iter().all(|plan| plan.contains('\0')) {
            return Ok(Vec::new());
        }
        let statements = self.statements(selection);
        // An index of plans leads through one plan in the order of ids, if the statement names one only.
        let (sql, mut arguments) = if let [only] = plans {
            let after = if plan == &**only { id } else { "" };
            let arguments = vec![Argument::text(only), Argument::text(after), Argument::count(limit)];
            (&statements.subscriptions_of_plan, arguments)
        } else {
            let arguments =
                vec![Argument::ids(plans), Argument::text(plan), Argument::text(id), Argument::count(limit)];
            (&statements.subscriptions_of_plans, arguments)
        };
        arguments.extend(environments(selection));
        let zone = self.zone;
        self.connection.fetch(DOING, sql, arguments, |row| subscription(row, zone)).await
    }

    pub(crate) async fn changed_subscriptions(
        &mut self,
        slice: Slice<'_, Stored>,
        selection: Option<&Selection>,
    ) -> Answer<Vec<Subscription<Stored>>> {
        let mut arguments = slice_arguments(slice);
        arguments.extend(environments(selection));
        let zone = self.zone;
        let sql = &self.statements(selection).subscriptions_changed;
        self.connection.fetch(DOING, sql, arguments, |row| subscription(row, zone)).await
    }

    pub(crate) async fn counts_by_plan(
        &mut self,
        plans: &[Arc<str>],
        selection: Option<&Selection>,
    ) -> Answer<HashMap<String, usize>> {
        let mut arguments = vec![Argument::ids(plans)];
        arguments.extend(environments(selection));
        let sql = &self.statements(selection).subscription_counts;
        let counts = self
            .connection
            .fetch("counting subscriptions", sql, arguments, |row| Ok((row.filled(0)?, row.number(1)?)))
            .await?;
        let counts = counts
            .into_iter()
            .map(|(plan, count)| (plan, count.and_then(|count| usize::try_from(count).ok()).unwrap_or(0)));
        Ok(counts.collect())
    }

    pub(crate) async fn metadata_of(
        &mut self,
        subscriptions: &mut [&mut Subscription<Stored>],
    ) -> Answer<()> {
        let statements = self.statements(None);
        let Some(sql) = &statements.metadata else { return Ok(()) };
        let ids = Argument::ids(subscriptions.iter().map(|subscription| &subscription.record.id));
        let entries = self
            .connection
            .fetch("reading metadata of subscriptions", sql, vec![ids], |row| {
                Ok((row.required(0)?, row.filled(1)?, row.filled(2)?))
            })
            .await?;
        let mut metadata: HashMap<String, BTreeMap<String, String>> = HashMap::new();
        for (subscription, key, value) in entries {
            metadata.entry(subscription).or_default().insert(key, value);
        }
        for subscription in subscriptions {
            if let Some(metadata) = metadata.remove(&*subscription.record.id) {
                subscription.record.metadata = metadata;
            }
        }
        Ok(())
    }

    pub(crate) async fn index_of_subscriptions(
        &mut self,
        after: &IndexPosition,
        limit: usize,
        selection: Option<&Selection>,
    ) -> Answer<IndexPage<Stored>> {
        let mut arguments = vec![Argument::text(&after.id), Argument::count(limit)];
        arguments.extend(environments(selection));
        let sql = &self.statements(selection).subscription_index;
        let listed = self.connection.fetch(DOING, sql, arguments, |row| {
            Ok(Listed { id: row.required(0)?.into(), scope: scope(row, 2)?, updated: row.time(1)? })
        });
        Ok(page_of_index(listed.await?))
    }
}

fn subscription(row: &dyn Columns, zone: ColumnZone) -> Result<Subscription<Stored>, sqlx::Error> {
    let id = |index| Ok::<_, sqlx::Error>(row.text(index)?.map(Arc::from));
    let time = |index| Ok::<_, sqlx::Error>(row.time(index)?.map(|time| zone.millis(time.local)));
    let record = SubscriptionRecord {
        id: row.required(0)?.into(),
        api: id(1)?,
        reference_type: row.text(2)?,
        reference_id: id(3)?,
        environment_id: id(4)?,
        plan: row.filled(5)?.into(),
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

/// The API or product of a subscription, from its columns `api`, `reference_type` and `reference_id`.
pub(crate) fn scope(row: &dyn Columns, first: usize) -> Result<Option<Arc<str>>, sqlx::Error> {
    let (api, kind, reference) = (row.text(first)?, row.text(first + 1)?, row.text(first + 2)?);
    let product = kind.as_deref() == Some("API_PRODUCT");
    Ok(if product { reference } else { reference.or(api) }.map(Arc::from))
}
