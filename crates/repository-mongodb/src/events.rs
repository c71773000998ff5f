//! Latest events: found without their payloads, then read whole (`management-repository.md` section 3).
//!
//! An event whose `updatedAt` is not a date is in no window, and for that it does not exist: neither APIM's gateway finds
//! it.

use std::sync::Arc;

use mongodb::bson::{Bson, Document, doc};
use zonegate_payload::record::{EventRecord, EventType};
use zonegate_repository::Selection;
use zonegate_repository::port::{Answer, Event, Head, IndexPage, IndexPosition, Listed, Slice};

use crate::document::Fields;
use crate::list::{Id, List};
use crate::query::{Query, Wanted};
use crate::session::{MongoSession, fields, page_of_index, texts};

const COLLECTION: &str = "events_latest";
const DOING: &str = "reading events";

impl MongoSession {
    /// By `t1u1pai1e1` or `t1u1pdi1e1`: type, then time.
    pub(crate) async fn page_of_events(
        &mut self,
        kinds: &[EventType],
        slice: Slice<'_, i64>,
        selection: Option<&Selection>,
    ) -> Answer<Vec<Head<i64>>> {
        let list = List {
            doing: DOING,
            collection: COLLECTION,
            filter: of_types(kinds, selection),
            projection: head_fields(),
            id: Id::Own,
        };
        self.list(list, slice, |_, fields| head(fields)).await
    }

    /// By `_id`.
    pub(crate) async fn heads_of_events(
        &mut self,
        ids: &[Arc<str>],
        kinds: &[EventType],
        selection: Option<&Selection>,
    ) -> Answer<Vec<Head<i64>>> {
        let mut filter = of_types(kinds, selection);
        filter.insert("_id", doc! { "$in": texts(ids) });
        let mut projection = head_fields();
        projection.insert("updatedAt", 1);
        let wanted = Wanted::Fields { projection, sort: doc! {}, limit: 0 };
        let query = Query { collection: COLLECTION, filter, wanted };
        let heads = self.run(DOING, query, |document| head(&Fields::of(document))).await?;
        Ok(heads.into_iter().flatten().collect())
    }

    /// By `_id`.
    pub(crate) async fn whole_events(&mut self, ids: &[Arc<str>]) -> Answer<Vec<Event<i64>>> {
        let projection = fields(&["type", "payload", "properties", "createdAt", "updatedAt"]);
        let filter = doc! { "_id": { "$in": texts(ids) } };
        let wanted = Wanted::Fields { projection, sort: doc! {}, limit: 0 };
        let query = Query { collection: COLLECTION, filter, wanted };
        let events = self.run(DOING, query, |document| event(&Fields::of(document))).await?;
        Ok(events.into_iter().flatten().collect())
    }

    /// By `_id`: no index has types and ids.
    pub(crate) async fn index_of_events(
        &mut self,
        kinds: &[EventType],
        after: &IndexPosition,
        limit: usize,
        selection: Option<&Selection>,
    ) -> Answer<IndexPage<i64>> {
        let mut filter = of_types(kinds, selection);
        filter.insert("_id", doc! { "$gt": &*after.id });
        filter.insert("updatedAt", doc! { "$type": "date" });
        let wanted = Wanted::Walk { projection: fields(&["updatedAt"]), limit };
        let query = Query { collection: COLLECTION, filter, wanted };
        let listed = self.run("reading an index of events", query, |document| {
            let fields = Fields::of(document);
            Some(Listed { id: fields.id("_id")?, scope: None, updated: fields.date("updatedAt") })
        });
        let listed = listed.await?;
        let full = listed.len() == limit;
        let listed = listed.into_iter().flatten().collect::<Vec<_>>();
        let last = listed.last().map(|last| Arc::clone(&last.id)).filter(|_| full);
        Ok(page_of_index(listed, last))
    }
}

/// Events of some types, and of some environments or of none: absent, null and `[]` mean all
/// (`management-repository.md` section 3.4).
fn of_types(kinds: &[EventType], selection: Option<&Selection>) -> Document {
    let mut filter = doc! { "type": { "$in": texts(kinds.iter().map(|kind| kind.name())) } };
    if let Some(selection) = selection {
        let mut environments = vec![Bson::Null, Bson::Array(Vec::new())];
        environments.extend(selection.environments.iter().map(|id| Bson::String(id.to_string())));
        filter.insert("environments", doc! { "$in": environments });
    }
    filter
}

fn head_fields() -> Document {
    // Of the whole document: a payload is nearly all of it, whatever type it has.
    doc! { "type": 1, "bytes": { "$bsonSize": "$$ROOT" } }
}

fn head(fields: &Fields<'_>) -> Option<Head<i64>> {
    Some(Head {
        id: fields.id("_id")?,
        kind: fields.text("type")?.parse().ok()?,
        updated: fields.date("updatedAt")?,
        bytes: fields.number("bytes"),
    })
}

fn event(fields: &Fields<'_>) -> Option<Event<i64>> {
    let updated = fields.date("updatedAt")?;
    let record = EventRecord {
        id: fields.id("_id")?,
        kind: fields.text("type")?.parse().ok()?,
        payload: fields.payload("payload"),
        properties: fields.map("properties"),
        created_at: fields.time("createdAt"),
    };
    // A document is written at once, so that its properties are always there.
    Some(Event { record, updated, settled: true })
}
