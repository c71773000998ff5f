//! Lists in the order of time and id, by keyset.
//!
//! No index of APIM's has both in this order for all lists, and a sort by both makes the server look at all that is left of
//! a list for each page of it. So a page is put together: first what is left at the time of the position, then later times
//! in the order of an index on the time, whose last time is read again in the order of ids if the page may have been cut
//! within it.

use std::sync::Arc;

use mongodb::bson::{DateTime, Document, RawDocument, doc};
use zonegate_repository::port::{Answer, Position, Slice};

use crate::document::Fields;
use crate::query::{Query, Wanted};
use crate::session::MongoSession;

/// A list.
pub(crate) struct List {
    /// What is being read, for errors.
    pub(crate) doing: &'static str,
    /// The collection, without prefix.
    pub(crate) collection: &'static str,
    /// Which documents, without a condition on times.
    pub(crate) filter: Document,
    /// Which fields are read besides time and id.
    pub(crate) projection: Document,
    /// Where the id is.
    pub(crate) id: Id,
}

/// Where a document's id is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Id {
    /// In `_id`.
    Own,
    /// In `_id.referenceId`.
    Reference,
}

impl Id {
    const fn path(self) -> &'static str {
        match self {
            Self::Own => "_id",
            Self::Reference => "_id.referenceId",
        }
    }

    fn of(self, fields: &Fields<'_>) -> Option<Arc<str>> {
        match self {
            Self::Own => fields.id("_id"),
            Self::Reference => fields.inner("_id")?.id("referenceId"),
        }
    }
}

/// An entry with its place; without what it says if that could not be read.
type Entry<T> = (Position<i64>, Option<T>);

impl MongoSession {
    /// A page of a list. Empty only at its end.
    pub(crate) async fn list<T: Send>(
        &mut self,
        list: List,
        slice: Slice<'_, i64>,
        map: impl Fn(Position<i64>, &Fields<'_>) -> Option<T> + Send + Sync,
    ) -> Answer<Vec<T>> {
        let mut after = slice.after.clone();
        loop {
            let page = self.page(&list, &Slice { after: &after, ..slice }, &map).await?;
            let Some((last, _)) = page.last() else { return Ok(Vec::new()) };
            after = last.clone();
            let read = page.into_iter().filter_map(|(_, read)| read).collect::<Vec<_>>();
            // What cannot be read must not look like the end.
            if !read.is_empty() {
                return Ok(read);
            }
        }
    }

    async fn page<T: Send>(
        &mut self,
        list: &List,
        slice: &Slice<'_, i64>,
        map: &(impl Fn(Position<i64>, &Fields<'_>) -> Option<T> + Send + Sync),
    ) -> Answer<Vec<Entry<T>>> {
        let Position { time, id } = slice.after;
        let before = DateTime::from_millis(*slice.before);
        let time = DateTime::from_millis(*time);
        let mut page = Vec::new();
        let mut later = doc! { "$gte": time, "$lt": before };
        if !id.is_empty() {
            if time < before {
                page = self.at_one_time(list, time, id, slice.limit, map).await?;
            }
            later = doc! { "$gt": time, "$lt": before };
        }
        let left = slice.limit.saturating_sub(page.len());
        if left == 0 {
            return Ok(page);
        }
        let by_time = doc! { "updatedAt": 1 };
        let mut found = self.entries(list, doc! { "updatedAt": later }, by_time, left, map).await?;
        found.sort_by(|(one, _), (other, _)| (one.time, &one.id).cmp(&(other.time, &other.id)));
        if found.len() >= left
            && let Some((last, _)) = found.last()
        {
            let last = last.time;
            let whole = found.partition_point(|(position, _)| position.time < last);
            let rest = self.at_one_time(list, DateTime::from_millis(last), "", left - whole, map).await?;
            // If all that had the last time were changed in between, they stand later in the list, and what was found of
            // them is as good an end of the page.
            if !rest.is_empty() {
                found.truncate(whole);
                found.extend(rest);
            }
        }
        page.extend(found);
        Ok(page)
    }

    async fn at_one_time<T: Send>(
        &mut self,
        list: &List,
        time: DateTime,
        after: &str,
        limit: usize,
        map: &(impl Fn(Position<i64>, &Fields<'_>) -> Option<T> + Send + Sync),
    ) -> Answer<Vec<Entry<T>>> {
        let path = list.id.path();
        let condition = doc! { "updatedAt": time, path: { "$gt": after } };
        self.entries(list, condition, doc! { path: 1 }, limit, map).await
    }

    async fn entries<T: Send>(
        &mut self,
        list: &List,
        condition: Document,
        sort: Document,
        limit: usize,
        map: &(impl Fn(Position<i64>, &Fields<'_>) -> Option<T> + Send + Sync),
    ) -> Answer<Vec<Entry<T>>> {
        let path = list.id.path();
        // Ids are texts. The order of texts here is the server's, byte by byte.
        let texts = doc! { path: { "$type": "string" } };
        let filter = doc! { "$and": [list.filter.clone(), condition, texts] };
        let mut projection = list.projection.clone();
        projection.insert("updatedAt", 1);
        let wanted = Wanted::Fields { projection, sort, limit };
        let query = Query { collection: list.collection, filter, wanted };
        let id = list.id;
        let entry = move |document: &RawDocument| {
            let fields = Fields::of(document);
            let position = Position { time: fields.date("updatedAt")?, id: id.of(&fields)? };
            let read = map(position.clone(), &fields);
            Some((position, read))
        };
        Ok(self.run(list.doing, query, entry).await?.into_iter().flatten().collect())
    }
}
