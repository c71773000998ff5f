//! A session: which query answers which question of the port.

use std::collections::HashMap;
use std::sync::Arc;

use mongodb::bson::{Document, doc};
use mongodb::{ClientSession, Database};
use zonegate_payload::record::EventType;
use zonegate_repository::port::{
    self, AccessPoint, Answer, Event, Head, IndexPage, IndexPosition, Key, KeyLink, License, Slice,
    Subscription,
};
use zonegate_repository::{Selection, Tables};

use crate::database::Connected;
use crate::query::{Query, Wanted};
use crate::settings::Checked;

/// The first moment of the year 1 and the last of the year 9999, in epoch milliseconds: the times that anybody's clock
/// says, and that all servers take.
const TIMES: (i64, i64) = (-62_135_596_800_000, 253_402_300_799_999);

/// One read's queries.
pub struct MongoSession {
    pub(crate) checked: Arc<Checked>,
    pub(crate) connected: Arc<Connected>,
    pub(crate) database: Database,
    pub(crate) plain: ClientSession,
    pub(crate) snapshot: Snapshot,
}

/// Reading one moment.
pub(crate) enum Snapshot {
    /// Not asked for, or not to be had.
    None,
    /// The queries of this session are.
    Held(Box<ClientSession>),
    /// Some were, then it was refused.
    Lost,
}

impl MongoSession {
    /// Whether a collection has no document.
    pub(crate) async fn is_empty(&mut self, collection: &'static str) -> Answer<bool> {
        let wanted = Wanted::Fields { projection: doc! { "_id": 1 }, sort: doc! {}, limit: 1 };
        let query = Query { collection, filter: doc! {}, wanted };
        let doing = format!("looking for `{}`", self.checked.names.collection(collection));
        Ok(self.run(&doing, query, |_| ()).await?.is_empty())
    }
}

/// Texts, for `$in`.
pub(crate) fn texts<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Vec<String> {
    texts.into_iter().map(|text| text.as_ref().to_owned()).collect()
}

/// Only documents of some environments, by a field that names one.
pub(crate) fn of_environments(filter: &mut Document, field: &str, selection: Option<&Selection>) {
    if let Some(selection) = selection {
        filter.insert(field, doc! { "$in": texts(&selection.environments) });
    }
}

/// Fields to read.
pub(crate) fn fields(names: &[&str]) -> Document {
    names.iter().map(|name| ((*name).to_owned(), 1.into())).collect()
}

/// A page of an index in the order of ids: the next begins after the last of it, if it was full.
pub(crate) fn page_of_index<T>(listed: Vec<port::Listed<T>>, last: Option<Arc<str>>) -> IndexPage<T> {
    let next = last.map(|id| IndexPosition { id, subscription: "".into() });
    IndexPage { listed, next }
}

impl port::Session for MongoSession {
    /// Epoch milliseconds: MongoDB's own precision.
    type Time = i64;

    fn window(&self, from: i64, to: i64) -> (i64, i64) {
        let (first, last) = TIMES;
        (from.clamp(first, last), to.saturating_add(1).clamp(first, last))
    }

    fn millis(&self, time: &i64) -> i64 {
        *time
    }

    async fn snapshot(&mut self) -> Answer<()> {
        self.snapshot = Snapshot::None;
        if self.connected.abilities().snapshots {
            match self.connected.client.start_session().snapshot(true).await {
                Ok(session) => self.snapshot = Snapshot::Held(Box::new(session)),
                Err(error) => {
                    tracing::debug!(%error, "the driver makes no snapshot session: units are looked at again instead");
                    self.connected.never_snapshots();
                }
            }
        }
        Ok(())
    }

    async fn end_snapshot(&mut self) -> Answer<bool> {
        Ok(matches!(std::mem::replace(&mut self.snapshot, Snapshot::None), Snapshot::Held(_)))
    }

    async fn event_page(
        &mut self,
        kinds: &[EventType],
        slice: Slice<'_, i64>,
        selection: Option<&Selection>,
    ) -> Answer<Vec<Head<i64>>> {
        self.page_of_events(kinds, slice, selection).await
    }

    async fn event_heads(
        &mut self,
        ids: &[Arc<str>],
        kinds: &[EventType],
        selection: Option<&Selection>,
    ) -> Answer<Vec<Head<i64>>> {
        self.heads_of_events(ids, kinds, selection).await
    }

    async fn events(&mut self, ids: &[Arc<str>]) -> Answer<Vec<Event<i64>>> {
        self.whole_events(ids).await
    }

    async fn subscriptions_of_plans(
        &mut self,
        plans: &[Arc<str>],
        after: (&str, &str),
        limit: usize,
        selection: Option<&Selection>,
    ) -> Answer<Vec<Subscription<i64>>> {
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
        slice: Slice<'_, i64>,
        selection: Option<&Selection>,
    ) -> Answer<Vec<Subscription<i64>>> {
        self.changed_subscriptions(slice, selection).await
    }

    async fn keys_of(
        &mut self,
        subscriptions: &[Arc<str>],
        active: bool,
        after: (&str, &str),
        limit: usize,
    ) -> Answer<Vec<(Key<i64>, Arc<str>)>> {
        self.keys_of_subscriptions(subscriptions, active, after.0, limit).await
    }

    async fn keys_changed(
        &mut self,
        slice: Slice<'_, i64>,
        selection: Option<&Selection>,
    ) -> Answer<Vec<Key<i64>>> {
        self.changed_keys(slice, selection).await
    }

    async fn links_of_keys(
        &mut self,
        keys: &[Arc<str>],
        after: (&str, &str),
        limit: usize,
        selection: Option<&Selection>,
    ) -> Answer<Vec<KeyLink>> {
        self.subscriptions_of_keys(keys, after.0, limit, selection).await
    }

    async fn event_index(
        &mut self,
        kinds: &[EventType],
        after: &IndexPosition,
        limit: usize,
        selection: Option<&Selection>,
    ) -> Answer<IndexPage<i64>> {
        self.index_of_events(kinds, after, limit, selection).await
    }

    async fn subscription_index(
        &mut self,
        after: &IndexPosition,
        limit: usize,
        selection: Option<&Selection>,
    ) -> Answer<IndexPage<i64>> {
        self.index_of_subscriptions(after, limit, selection).await
    }

    async fn key_index(
        &mut self,
        after: &IndexPosition,
        limit: usize,
        selection: Option<&Selection>,
    ) -> Answer<IndexPage<i64>> {
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
        slice: Slice<'_, i64>,
        selection: Option<&Selection>,
    ) -> Answer<Vec<License<i64>>> {
        self.licenses_of_organizations(slice, selection).await
    }

    async fn access_points(
        &mut self,
        slice: Slice<'_, i64>,
        selection: Option<&Selection>,
    ) -> Answer<Vec<AccessPoint<i64>>> {
        self.access_points_of_environments(slice, selection).await
    }
}
