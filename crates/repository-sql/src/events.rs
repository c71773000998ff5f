//! Latest events: found without their payloads, then read whole.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use zonegate_payload::record::{EventRecord, EventType};
use zonegate_repository::Selection;
use zonegate_repository::port::{Answer, Event, Head, IndexPage, IndexPosition, Listed, Slice};

use crate::session::{SqlSession, environments, names, slice_arguments};
use crate::value::{Argument, Columns, Stored};

const DOING: &str = "reading events";

impl SqlSession {
    pub(crate) async fn page_of_events(
        &mut self,
        kinds: &[EventType],
        slice: Slice<'_, Stored>,
        selection: Option<&Selection>,
    ) -> Answer<Vec<Head<Stored>>> {
        let mut arguments = vec![names(kinds)];
        arguments.extend(slice_arguments(slice));
        arguments.extend(environments(selection));
        let statements = self.statements(selection);
        let heads = self.connection.fetch(DOING, &statements.event_page, arguments, head);
        Ok(heads.await?.into_iter().flatten().collect())
    }

    pub(crate) async fn heads_of_events(
        &mut self,
        ids: &[Arc<str>],
        kinds: &[EventType],
        selection: Option<&Selection>,
    ) -> Answer<Vec<Head<Stored>>> {
        let mut arguments = vec![Argument::ids(ids), names(kinds)];
        arguments.extend(environments(selection));
        let statements = self.statements(selection);
        let heads = self.connection.fetch(DOING, &statements.event_heads, arguments, head);
        Ok(heads.await?.into_iter().flatten().collect())
    }

    pub(crate) async fn whole_events(&mut self, ids: &[Arc<str>]) -> Answer<Vec<Event<Stored>>> {
        let statements = self.statements(None);
        let read = self
            .connection
            .fetch(DOING, &statements.event_records, vec![Argument::ids(ids)], |row| {
                let Ok(kind) = row.filled(1)?.parse::<EventType>() else { return Ok(None) };
                let Some(updated) = row.time(3)? else { return Ok(None) };
                let created = row.time(2)?;
                Ok(Some((row.required(0)?, kind, created, updated, row.payload(4, 5)?)))
            })
            .await?;
        let pairs = self
            .connection
            .fetch(DOING, &statements.event_properties, vec![Argument::ids(ids)], |row| {
                Ok((row.required(0)?, row.filled(1)?, row.filled(2)?))
            })
            .await?;
        let mut properties: HashMap<String, BTreeMap<String, String>> = HashMap::new();
        for (event, key, value) in pairs {
            properties.entry(event).or_default().insert(key, value);
        }
        let events = read.into_iter().flatten().map(|(id, kind, created, updated, payload)| {
            let properties = properties.remove(&id).unwrap_or_default();
            let settled = !properties.is_empty();
            let created_at = created.map(|created| self.zone.millis(created.local));
            let record = EventRecord { id: id.into(), kind, payload, properties, created_at };
            Event { record, updated, settled }
        });
        Ok(events.collect())
    }

    pub(crate) async fn index_of_events(
        &mut self,
        kinds: &[EventType],
        after: &IndexPosition,
        limit: usize,
        selection: Option<&Selection>,
    ) -> Answer<IndexPage<Stored>> {
        let mut arguments = vec![names(kinds), Argument::Text(after.id.to_string()), Argument::count(limit)];
        arguments.extend(environments(selection));
        let listed = self
            .connection
            .fetch(DOING, &self.statements(selection).event_index, arguments, |row| {
                Ok(Listed { id: row.required(0)?.into(), scope: None, updated: row.time(1)? })
            })
            .await?;
        Ok(page_of_index(listed))
    }
}

/// A page of an index in the order of ids: the next begins after the last of it.
pub(crate) fn page_of_index(listed: Vec<Listed<Stored>>) -> IndexPage<Stored> {
    let next = listed.last().map(|last| IndexPosition { id: Arc::clone(&last.id), subscription: "".into() });
    IndexPage { listed, next }
}

fn head(row: &dyn Columns) -> Result<Option<Head<Stored>>, sqlx::Error> {
    let (Ok(kind), Some(updated)) = (row.filled(1)?.parse(), row.time(2)?) else { return Ok(None) };
    let bytes = row.number(3)?.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0);
    Ok(Some(Head { id: row.required(0)?.into(), kind, updated, bytes }))
}
