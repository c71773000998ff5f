//! What a reader's changes add up to, and the reads that make them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value;
use zonegate_model::{Kind, RecordedAt, Row, RowKey, RowState};
use zonegate_sync::port::{
    Change, ChangeSink, IndexSink, Indexed, RepositoryReader, StampedChange, Stopped, Window,
};

/// The changes of a read, in order.
#[derive(Default)]
pub(crate) struct Read {
    pub(crate) changes: Vec<StampedChange>,
}

impl ChangeSink for Read {
    async fn push(&mut self, changes: Vec<StampedChange>) -> Result<(), Stopped> {
        self.changes.extend(changes);
        Ok(())
    }
}

pub(crate) async fn read_all(reader: &impl RepositoryReader) -> Read {
    let mut read = Read::default();
    reader.read_all(&mut read).await.unwrap();
    read
}

pub(crate) async fn read_window(
    reader: &impl RepositoryReader,
    from: i64,
    to: i64,
    seen: HashMap<Arc<str>, i64>,
) -> Read {
    let mut read = Read::default();
    reader.read_changes(Window { from, to, seen: Arc::new(seen) }, &mut read).await.unwrap();
    read
}

/// Reads all that ever changed.
pub(crate) async fn read_changes(reader: &impl RepositoryReader) -> Read {
    read_window(reader, 0, i64::MAX, HashMap::new()).await
}

/// An index, with the sizes in which it came.
#[derive(Default)]
pub(crate) struct Index {
    pub(crate) rows: BTreeMap<RowKey, RecordedAt>,
    pub(crate) pushes: Vec<usize>,
}

impl IndexSink for Index {
    async fn push(&mut self, indexed: Vec<Indexed>) -> Result<(), Stopped> {
        self.pushes.push(indexed.len());
        self.rows.extend(indexed.into_iter().map(|one| (one.key, one.recorded_at)));
        Ok(())
    }
}

pub(crate) async fn read_index(reader: &impl RepositoryReader) -> Index {
    let mut index = Index::default();
    reader.read_index(&mut index).await.unwrap();
    index
}

pub(crate) async fn read_parts(reader: &impl RepositoryReader, units: &[&str]) -> Read {
    let mut read = Read::default();
    reader.read_parts(units.iter().map(|&id| id.into()).collect(), &mut read).await.unwrap();
    read
}

impl Index {
    /// Rows of units that are in one and not in the other, or with another time. What the index mentions beside the
    /// state is not looked at: it may not be served.
    pub(crate) fn assert_covers(&self, state: &State, after: &str) {
        for (key, at) in state.1.iter().filter(|(key, _)| key.unit().is_some()) {
            assert_ne!(*at, RecordedAt::UNKNOWN, "{key}");
            assert_eq!(self.rows.get(key), Some(at), "{key}; {after}");
        }
    }

    /// Ids of a kind, those with a scope as `scope/id`.
    pub(crate) fn ids(&self, kind: Kind) -> Vec<String> {
        let of_kind = self.rows.keys().filter(|key| key.kind == kind);
        of_kind
            .map(|key| match &key.scope {
                Some(scope) => format!("{scope}/{}", key.id),
                None => key.id.to_string(),
            })
            .collect()
    }
}

impl Read {
    pub(crate) fn state(&self) -> State {
        let mut state = State::default();
        state.apply(&self.changes);
        state
    }

    /// Refused rows with the reasons.
    pub(crate) fn refused(&self) -> Vec<(String, String)> {
        self.changes
            .iter()
            .filter_map(|change| match &change.change {
                Change::Refused { key, reason } => Some((key.to_string(), reason.clone())),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn stamps(&self) -> HashMap<Arc<str>, i64> {
        self.changes.iter().map(|change| (Arc::clone(&change.stamp.record), change.stamp.at)).collect()
    }

    /// The rows of every change about one record.
    pub(crate) fn rows_of(&self, record: &str) -> Vec<Row> {
        let of_it = self.changes.iter().filter(|change| &*change.stamp.record == record);
        of_it
            .flat_map(|change| match &change.change {
                Change::Scope { rows, .. } | Change::Rows(rows) => rows.clone(),
                Change::Refused { .. } => Vec::new(),
            })
            .collect()
    }
}

/// What the core makes of changes: active rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State(pub(crate) BTreeMap<RowKey, String>, pub(crate) BTreeMap<RowKey, RecordedAt>);

impl State {
    pub(crate) fn apply(&mut self, changes: &[StampedChange]) {
        for change in changes {
            match &change.change {
                Change::Scope { id, rows } => {
                    // A product and an API can have the same id; their subscriptions are told apart by nothing.
                    self.0.retain(|key, _| key.unit() != Some(id));
                    self.1.retain(|key, _| key.unit() != Some(id));
                    for row in rows {
                        self.put(row);
                    }
                }
                Change::Rows(rows) => {
                    for row in rows {
                        if row.key.scope.as_ref().is_none_or(|scope| self.has_unit(scope)) {
                            self.put(row);
                        }
                    }
                }
                Change::Refused { .. } => {}
            }
        }
    }

    /// Both are the same; says in which rows they are not.
    pub(crate) fn assert_same(&self, fresh: &Self, after: &str) {
        let mut differing =
            self.0.keys().chain(fresh.0.keys()).filter(|key| self.0.get(*key) != fresh.0.get(*key));
        if let Some(key) = differing.next() {
            panic!("{key}: {:?}, but a fresh read finds {:?}; {after}", self.0.get(key), fresh.0.get(key));
        }
        for (key, at) in &self.1 {
            assert_eq!(Some(at), fresh.1.get(key), "the time of {key}; {after}");
        }
    }

    fn has_unit(&self, scope: &Arc<str>) -> bool {
        [Kind::Api, Kind::ApiProduct]
            .into_iter()
            .any(|kind| self.0.contains_key(&RowKey::new(kind, Arc::clone(scope))))
    }

    fn put(&mut self, row: &Row) {
        match &row.state {
            RowState::Deployed(payload) => {
                self.0.insert(row.key.clone(), payload.as_str().to_owned());
                self.1.insert(row.key.clone(), row.recorded_at);
            }
            RowState::Removed => {
                self.0.remove(&row.key);
                self.1.remove(&row.key);
            }
        }
    }

    /// Ids of a kind, those with a scope as `scope/id`.
    pub(crate) fn ids(&self, kind: Kind) -> Vec<String> {
        self.0
            .keys()
            .filter(|key| key.kind == kind)
            .map(|key| match &key.scope {
                Some(scope) => format!("{scope}/{}", key.id),
                None => key.id.to_string(),
            })
            .collect()
    }

    pub(crate) fn payload(&self, kind: Kind, id: &str) -> Value {
        let found = self.0.iter().find(|(key, _)| key.kind == kind && *key.id == *id);
        serde_json::from_str(found.unwrap().1).unwrap()
    }
}
