//! A connection in use: which statement answers which query of the port.

use std::collections::HashMap;
use std::sync::Arc;

use zonegate_payload::record::EventType;
use zonegate_repository::port::{
    self, AccessPoint, Answer, Event, Head, IndexPage, IndexPosition, Key, KeyLink, License, Slice,
    Subscription,
};
use zonegate_repository::{Selection, Tables};

use crate::connection::Session;
use crate::dialect::Dialect;
use crate::statements::{Prepared, Statements};
use crate::times::ColumnZone;
use crate::value::{Argument, Exact, Stored};

/// A connection in use.
pub struct SqlSession {
    pub(crate) connection: Session,
    pub(crate) prepared: Arc<Prepared>,
    pub(crate) zone: ColumnZone,
}

impl SqlSession {
    /// The statements for some environments, or for all.
    pub(crate) fn statements(&self, selection: Option<&Selection>) -> Arc<Statements> {
        self.prepared.statements(selection.is_some())
    }
}

/// The arguments of a list in the order of time and id: where it goes on, where it ends, how much at once.
pub(crate) fn slice_arguments(slice: Slice<'_, Stored>) -> Vec<Argument> {
    vec![
        Argument::Time(slice.after.time.clone()),
        Argument::Text(slice.after.id.to_string()),
        Argument::Time(slice.before.clone()),
        Argument::count(slice.limit),
    ]
}

/// The environments, as a last argument; none where all are read.
pub(crate) fn environments(selection: Option<&Selection>) -> Option<Argument> {
    selection.map(|selection| Argument::ids(&selection.environments))
}

/// Names of event types, for `{in}`.
pub(crate) fn names(kinds: &[EventType]) -> Argument {
    Argument::ids(kinds.iter().map(|kind| kind.name()))
}

impl port::Session for SqlSession {
    type Time = Stored;

    fn window(&self, from: i64, to: i64) -> (Stored, Stored) {
        let (from, before) = self.zone.window(from, to);
        match self.prepared.dialect() {
            Dialect::Mysql { server_zone: true, .. } => {
                (Stored { local: from, exact: Exact::From }, Stored { local: before, exact: Exact::Before })
            }
            _ => (Stored::bound(from), Stored::bound(before)),
        }
    }

    fn millis(&self, time: &Stored) -> i64 {
        self.zone.millis(time.local)
    }

    async fn snapshot(&mut self) -> Answer<()> {
        self.connection.snapshot().await
    }

    async fn end_snapshot(&mut self) -> Answer<bool> {
        self.connection.end_snapshot().await?;
        Ok(true)
    }

    async fn event_page(
        &mut self,
        kinds: &[EventType],
        slice: Slice<'_, Stored>,
        selection: Option<&Selection>,
    ) -> Answer<Vec<Head<Stored>>> {
        self.page_of_events(kinds, slice, selection).await
    }

    async fn event_heads(
        &mut self,
        ids: &[Arc<str>],
        kinds: &[EventType],
        selection: Option<&Selection>,
    ) -> Answer<Vec<Head<Stored>>> {
        self.heads_of_events(ids, kinds, selection).await
    }

    async fn events(&mut self, ids: &[Arc<str>]) -> Answer<Vec<Event<Stored>>> {
        self.whole_events(ids).await
    }

    async fn subscriptions_of_plans(
        &mut self,
        plans: &[Arc<str>],
        after: (&str, &str),
        limit: usize,
        selection: Option<&Selection>,
    ) -> Answer<Vec<Subscription<Stored>>> {
        self.accepted_subscriptions(plans, after, limit, selection).await
    }

    async fn subscription_counts(
        &mut self,
        plans: &[Arc<str>],
        selection: Option<&Selection>,
    ) -> Answer<HashMap<String, usize>> {
        self.counts_by_plan(plans, selection).await
    }

    async fn subscriptions_changed(
        &mut self,
        slice: Slice<'_, Stored>,
        selection: Option<&Selection>,
    ) -> Answer<Vec<Subscription<Stored>>> {
        self.changed_subscriptions(slice, selection).await
    }

    async fn add_metadata(&mut self, subscriptions: &mut [&mut Subscription<Stored>]) -> Answer<()> {
        self.metadata_of(subscriptions).await
    }

    async fn keys_of(
        &mut self,
        subscriptions: &[Arc<str>],
        active: bool,
        after: (&str, &str),
        limit: usize,
    ) -> Answer<Vec<(Key<Stored>, Arc<str>)>> {
        self.keys_of_subscriptions(subscriptions, active, after, limit).await
    }

    async fn keys_changed(
        &mut self,
        slice: Slice<'_, Stored>,
        selection: Option<&Selection>,
    ) -> Answer<Vec<Key<Stored>>> {
        self.changed_keys(slice, selection).await
    }

    async fn links_of_keys(
        &mut self,
        keys: &[Arc<str>],
        after: (&str, &str),
        limit: usize,
        selection: Option<&Selection>,
    ) -> Answer<Vec<KeyLink>> {
        self.subscriptions_of_keys(keys, after, limit, selection).await
    }

    async fn event_index(
        &mut self,
        kinds: &[EventType],
        after: &IndexPosition,
        limit: usize,
        selection: Option<&Selection>,
    ) -> Answer<IndexPage<Stored>> {
        self.index_of_events(kinds, after, limit, selection).await
    }

    async fn subscription_index(
        &mut self,
        after: &IndexPosition,
        limit: usize,
        selection: Option<&Selection>,
    ) -> Answer<IndexPage<Stored>> {
        self.index_of_subscriptions(after, limit, selection).await
    }

    async fn key_index(
        &mut self,
        after: &IndexPosition,
        limit: usize,
        selection: Option<&Selection>,
    ) -> Answer<IndexPage<Stored>> {
        self.index_of_keys(after, limit, selection).await
    }

    async fn places(&mut self) -> Answer<Tables> {
        self.environments_and_organizations().await
    }

    async fn installation(&mut self) -> Answer<Option<String>> {
        self.installation_id().await
    }

    async fn licenses(
        &mut self,
        slice: Slice<'_, Stored>,
        selection: Option<&Selection>,
    ) -> Answer<Vec<License<Stored>>> {
        self.licenses_of_organizations(slice, selection).await
    }

    async fn access_points(
        &mut self,
        slice: Slice<'_, Stored>,
        selection: Option<&Selection>,
    ) -> Answer<Vec<AccessPoint<Stored>>> {
        self.access_points_of_environments(slice, selection).await
    }
}
