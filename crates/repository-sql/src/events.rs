//! Latest events: found in pages without their payloads, then read in portions of bounded size.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use zonegate_payload::record::{EventRecord, EventType};
use zonegate_sync::port::RepositoryError;

use crate::reader::Run;
use crate::value::{Argument, Columns, Stored};

/// Payload bytes that are read at once, unless one event alone has more.
const PORTION: i64 = 8 * 1024 * 1024;

/// An event without its payload.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) id: Arc<str>,
    pub(crate) kind: EventType,
    pub(crate) updated: Stored,
    pub(crate) bytes: i64,
}

/// An event with its payload and properties.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) record: EventRecord,
    pub(crate) updated: Stored,
    /// Whether its properties were there. The management API writes them after the event itself, not always in one
    /// transaction, so that they can be missing for a moment.
    pub(crate) settled: bool,
}

/// What part of the events to look at.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// Types.
    pub(crate) kinds: &'static [EventType],
    /// At or after.
    pub(crate) from: Stored,
    /// Before.
    pub(crate) before: Stored,
}

impl Run<'_> {
    /// The next page after a position; `None` for the first.
    pub(crate) async fn event_page(
        &mut self,
        part: &Part,
        after: Option<&Head>,
    ) -> Result<Vec<Head>, RepositoryError> {
        let (time, id) = match after {
            Some(head) => (head.updated.clone(), head.id.to_string()),
            None => (part.from.clone(), String::new()),
        };
        let mut arguments = vec![
            Argument::ids(part.kinds.iter().map(|kind| kind.name())),
            Argument::Time(time),
            Argument::Text(id),
            Argument::Time(part.before.clone()),
            Argument::Number(self.repository.settings.bulk.events as i64),
        ];
        arguments.extend(self.environments());
        let sql = Arc::clone(&self.statements.event_page);
        let heads = self.session.fetch("reading events", &sql, arguments, head).await?;
        Ok(heads.into_iter().flatten().collect())
    }

    /// What there is of these events.
    pub(crate) async fn event_heads(
        &mut self,
        ids: &[Arc<str>],
        kinds: &[EventType],
    ) -> Result<Vec<Head>, RepositoryError> {
        let arguments = vec![Argument::ids(ids), Argument::ids(kinds.iter().map(|kind| kind.name()))];
        let sql = Arc::clone(&self.statements.event_heads);
        let heads = self.session.fetch("reading events", &sql, arguments, head).await?;
        Ok(heads.into_iter().flatten().collect())
    }

    /// The events themselves, as they are now: an event can have been written again since its head was read, or be
    /// gone. In the order of the heads.
    pub(crate) async fn events(&mut self, heads: &[Head]) -> Result<Vec<Event>, RepositoryError> {
        let ids = || vec![Argument::ids(heads.iter().map(|head| &head.id))];
        let doing = "reading events";
        let sql = Arc::clone(&self.statements.event_records);
        let read = self
            .session
            .fetch(doing, &sql, ids(), |row| {
                let Ok(kind) = row.required(1)?.parse::<EventType>() else { return Ok(None) };
                let Some(updated) = row.time(3)? else { return Ok(None) };
                let created = row.time(2)?;
                Ok(Some((row.required(0)?, kind, created, updated, row.payload(4, 5)?)))
            })
            .await?;
        let sql = Arc::clone(&self.statements.event_properties);
        let pairs = self
            .session
            .fetch(doing, &sql, ids(), |row| {
                Ok((row.required(0)?, row.required(1)?, row.text(2)?.unwrap_or_default()))
            })
            .await?;
        let mut properties: HashMap<String, BTreeMap<String, String>> = HashMap::new();
        for (event, key, value) in pairs {
            properties.entry(event).or_default().insert(key, value);
        }
        let zone = self.repository.settings.zone;
        let mut events: HashMap<String, Event> = read
            .into_iter()
            .flatten()
            .map(|(id, kind, created, updated, payload)| {
                let properties = properties.remove(&id).unwrap_or_default();
                let settled = !properties.is_empty();
                let record = EventRecord {
                    id: Arc::from(id.as_str()),
                    kind,
                    payload,
                    properties,
                    created_at: created.map(|created| zone.millis(created.local)),
                };
                (id, Event { record, updated, settled })
            })
            .collect();
        Ok(heads.iter().filter_map(|head| events.remove(&*head.id)).collect())
    }

    /// Ids of the environments that are read, as a last argument; none where all are.
    pub(crate) fn environments(&self) -> Option<Argument> {
        self.places.filter().map(|filter| Argument::ids(&filter.environments))
    }

    /// Epoch milliseconds of a time in the database.
    pub(crate) fn millis(&self, time: &Stored) -> i64 {
        self.repository.settings.zone.millis(time.local)
    }
}

fn head(row: &dyn Columns) -> Result<Option<Head>, sqlx::Error> {
    let (Ok(kind), Some(updated)) = (row.required(1)?.parse(), row.time(2)?) else { return Ok(None) };
    Ok(Some(Head { id: row.required(0)?.into(), kind, updated, bytes: row.number(3)?.unwrap_or(0) }))
}

/// Cuts a page into portions of bounded size.
pub(crate) fn portions(heads: Vec<Head>) -> Vec<Vec<Head>> {
    let mut portions: Vec<Vec<Head>> = Vec::new();
    let mut bytes = 0;
    for head in heads {
        bytes += head.bytes;
        match portions.last_mut() {
            Some(portion) if bytes <= PORTION => portion.push(head),
            _ => {
                bytes = head.bytes;
                portions.push(vec![head]);
            }
        }
    }
    portions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l2_large_events_are_read_one_by_one_and_small_ones_together() {
        let head = |bytes| Head {
            id: "x".into(),
            kind: EventType::StartApi,
            updated: Stored::bound(crate::times::EARLIEST),
            bytes,
        };
        let sizes = [1, 2, PORTION, 3, PORTION - 3, 1, PORTION * 4].map(head).to_vec();
        let cut = portions(sizes)
            .into_iter()
            .map(|portion| portion.iter().map(|head| head.bytes).collect::<Vec<_>>());
        let expected: Vec<Vec<i64>> =
            vec![vec![1, 2], vec![PORTION], vec![3, PORTION - 3], vec![1], vec![PORTION * 4]];
        assert_eq!(cut.collect::<Vec<_>>(), expected);
        assert!(portions(Vec::new()).is_empty());
    }
}
