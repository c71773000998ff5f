//! API keys, and the subscriptions that they are for (`management-repository.md` section 8.2). Federated keys are not read.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use mongodb::bson::{Document, doc};
use zonegate_payload::record::KeyRecord;
use zonegate_repository::Selection;
use zonegate_repository::port::{Answer, IndexPage, IndexPosition, Key, KeyLink, Listed, Slice};

use crate::document::Fields;
use crate::list::{Id, List};
use crate::query::{Query, Wanted};
use crate::session::{MongoSession, fields, of_environments, page_of_index, texts};
use crate::subscriptions::{self, scope, status};

const COLLECTION: &str = "keys";
const DOING: &str = "reading API keys";

/// All that is read of a key, but for its subscriptions.
const FIELDS: [&str; 6] = ["key", "application", "expireAt", "revoked", "paused", "updatedAt"];

/// Subscriptions that are looked up at once.
const AT_ONCE: usize = 1000;

impl MongoSession {
    /// By `s1`: subscriptions. All pairs of a key come together, so that a position is a key.
    pub(crate) async fn keys_of_subscriptions(
        &mut self,
        subscriptions: &[Arc<str>],
        active: bool,
        after: &str,
        limit: usize,
    ) -> Answer<Vec<(Key<i64>, Arc<str>)>> {
        let mut filter = not_federated();
        if active {
            filter.extend(only_active());
        }
        filter.insert("subscriptions", doc! { "$in": texts(subscriptions) });
        filter.insert("_id", doc! { "$gt": after });
        let wanted_ones: HashSet<&str> = subscriptions.iter().map(|id| &**id).collect();
        let mut projection = fields(&FIELDS);
        projection.insert("subscriptions", 1);
        let wanted = Wanted::Fields { projection, sort: doc! { "_id": 1 }, limit };
        let query = Query { collection: COLLECTION, filter, wanted };
        let found = self.run(DOING, query, |document| {
            let fields = Fields::of(document);
            let mut of = fields.ids("subscriptions");
            of.retain(|id| wanted_ones.contains(&**id));
            of.sort();
            of.dedup();
            Some((key(&fields)?, of))
        });
        let pairs = found.await?.into_iter().flatten();
        Ok(pairs.flat_map(|(key, of)| of.into_iter().map(move |id| (key.clone(), id))).collect())
    }

    /// By `e1ua1i1` (environment, time, id) for some environments, else by `u1` (time).
    pub(crate) async fn changed_keys(
        &mut self,
        slice: Slice<'_, i64>,
        selection: Option<&Selection>,
    ) -> Answer<Vec<Key<i64>>> {
        let mut filter = not_federated();
        if let Some(selection) = selection {
            let mut environments = vec![mongodb::bson::Bson::Null];
            environments.extend(selection.environments.iter().map(|id| id.to_string().into()));
            filter.insert("environmentId", doc! { "$in": environments });
        }
        let projection = fields(&FIELDS);
        let list = List { doing: DOING, collection: COLLECTION, filter, projection, id: Id::Own };
        self.list(list, slice, |_, fields| key(fields)).await
    }

    /// By `_id`, of keys and then of subscriptions. All subscriptions of a key come together, so that a position is a key.
    pub(crate) async fn subscriptions_of_keys(
        &mut self,
        keys: &[Arc<str>],
        after: &str,
        limit: usize,
        selection: Option<&Selection>,
    ) -> Answer<Vec<KeyLink>> {
        let ids = texts(keys.iter().filter(|id| &***id > after));
        let filter = doc! { "_id": { "$in": ids } };
        let wanted =
            Wanted::Fields { projection: fields(&["subscriptions"]), sort: doc! { "_id": 1 }, limit: 0 };
        let query = Query { collection: COLLECTION, filter, wanted };
        let keys = self.run(DOING, query, key_with_subscriptions).await?;
        let mut links = Vec::new();
        let mut keys = keys.into_iter().flatten().peekable();
        while links.len() < limit && keys.peek().is_some() {
            let mut some = Vec::new();
            let mut count = 0;
            while count < AT_ONCE
                && let Some((key, _, of)) = keys.next()
            {
                count += of.len();
                some.push((key, of));
            }
            let found = self.links(some.iter().flat_map(|(_, of)| of), false, selection).await?;
            for (key, of) in some {
                let of_key = of.iter().filter_map(|id| found.get(id));
                links.extend(of_key.map(|link| KeyLink { key: Arc::clone(&key), ..link.clone() }));
            }
        }
        Ok(links)
    }

    /// By `_id`, of keys and then of subscriptions.
    pub(crate) async fn index_of_keys(
        &mut self,
        after: &IndexPosition,
        limit: usize,
        selection: Option<&Selection>,
    ) -> Answer<IndexPage<i64>> {
        let mut filter = not_federated();
        filter.extend(only_active());
        filter.insert("_id", doc! { "$gt": &*after.id });
        let wanted = Wanted::Walk { projection: fields(&["subscriptions", "updatedAt"]), limit };
        let query = Query { collection: COLLECTION, filter, wanted };
        let keys = self.run("reading an index of API keys", query, key_with_subscriptions).await?;
        let full = keys.len() == limit;
        let keys = keys.into_iter().flatten().collect::<Vec<_>>();
        let links = self.links(keys.iter().flat_map(|(_, _, of)| of), true, selection).await?;
        let mut listed = Vec::with_capacity(keys.len());
        for (id, updated, of) in &keys {
            let of_key = of.iter().filter_map(|subscription| links.get(subscription));
            listed.extend(of_key.map(|link| Listed {
                id: Arc::clone(id),
                scope: link.scope.clone(),
                updated: *updated,
            }));
        }
        let last = keys.last().map(|(id, ..)| Arc::clone(id)).filter(|_| full);
        Ok(page_of_index(listed, last))
    }

    /// What keys have to know of subscriptions, by subscription. `accepted`: only of those that are.
    async fn links(
        &mut self,
        subscriptions: impl Iterator<Item = &Arc<str>>,
        accepted: bool,
        selection: Option<&Selection>,
    ) -> Answer<HashMap<Arc<str>, KeyLink>> {
        let mut ids = subscriptions.cloned().collect::<Vec<_>>();
        ids.sort();
        ids.dedup();
        let mut projection = fields(&subscriptions::SCOPE);
        projection.extend(fields(&["plan", "status"]));
        let mut found = HashMap::with_capacity(ids.len());
        for some in ids.chunks(AT_ONCE) {
            let mut filter = doc! { "_id": { "$in": texts(some) } };
            if accepted {
                filter.insert("status", subscriptions::accepted());
            }
            of_environments(&mut filter, "environmentId", selection);
            let wanted = Wanted::Fields { projection: projection.clone(), sort: doc! {}, limit: 0 };
            let query = Query { collection: subscriptions::COLLECTION, filter, wanted };
            let links = self.run("reading subscriptions of API keys", query, link).await?;
            found.extend(links.into_iter().flatten().map(|link| (Arc::clone(&link.subscription), link)));
        }
        Ok(found)
    }
}

fn not_federated() -> Document {
    doc! { "federated": { "$ne": true } }
}

fn only_active() -> Document {
    doc! { "revoked": { "$ne": true }, "paused": { "$ne": true } }
}

/// `None` only where there is no id.
fn key(fields: &Fields<'_>) -> Option<Key<i64>> {
    let text = fields.text("key").filter(|text| !text.is_empty());
    let record = KeyRecord {
        id: fields.id("_id")?,
        application: fields.text("application"),
        expire_at: fields.time("expireAt"),
        // Nobody may get in by a key that nobody was given.
        revoked: fields.flag("revoked") || text.is_none(),
        paused: fields.flag("paused"),
        key: text.unwrap_or_default(),
    };
    Some(Key { record: Arc::new(record), updated: fields.date("updatedAt") })
}

type KeyWithSubscriptions = (Arc<str>, Option<i64>, Vec<Arc<str>>);

/// A key's id, time, and subscriptions, those in their order and each once.
fn key_with_subscriptions(document: &mongodb::bson::RawDocument) -> Option<KeyWithSubscriptions> {
    let fields = Fields::of(document);
    let mut of = fields.ids("subscriptions");
    of.sort();
    of.dedup();
    Some((fields.id("_id")?, fields.date("updatedAt"), of))
}

/// A link, for a key that is still to be named.
fn link(document: &mongodb::bson::RawDocument) -> Option<KeyLink> {
    let fields = Fields::of(document);
    Some(KeyLink {
        key: "".into(),
        subscription: fields.id("_id")?,
        scope: scope(&fields),
        plan: fields.id("plan").unwrap_or_else(|| "".into()),
        status: status(&fields),
    })
}
