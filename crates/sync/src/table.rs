//! The rows of a whole state with their digests kept up to date. What the sync core knows of the state.
//!
//! Ordered maps, so that a history replays step by step from its seed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use zonegate_model::{Digest, Digests, Kind, Payload, RecordedAt, Row, RowKey, RowState};

/// What is kept of an active row.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) digest: Digest,
    pub(crate) payload: Payload,
    pub(crate) recorded: RecordTime,
    /// The pass of [`RowTable::begin_pass`] in which the row was last seen.
    seen_in: u32,
}

/// The time of a row's record, as far as an audit needs it: the low 32 bits of its milliseconds, since it is compared for
/// equality only. Two versions of one record are taken for the same if they lie a multiple of 49.7 days apart to the
/// millisecond, and no window saw the later one. 0 is "not known", which equals nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordTime(u32);

impl RecordTime {
    pub(crate) fn of(at: RecordedAt) -> Self {
        let low = at.0 as u32;
        Self(if at == RecordedAt::UNKNOWN { 0 } else { low.max(1) })
    }

    /// What a row is handed on with. Only good for [`Self::of`].
    pub(crate) fn as_recorded_at(self) -> RecordedAt {
        RecordedAt(i64::from(self.0))
    }

    fn is_same(self, other: Self) -> bool {
        self.0 != 0 && self.0 == other.0
    }
}

/// How a record that an index mentions compares with the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compared {
    /// The row comes from this version of the record.
    Same,
    /// The row comes from another version, or nobody knows from which.
    Differs,
    /// There is no such row.
    Missing,
}

/// Rows of one unit (S2): kind and id, since the scope is the unit.
type Unit = BTreeMap<(Kind, Arc<str>), Entry>;

/// A state: active rows by key, and their digests.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowTable {
    standalone: BTreeMap<RowKey, Entry>,
    units: BTreeMap<Arc<str>, Unit>,
    digests: Digests,
    pass: u32,
}

/// How to take back changes to a table: what each key held before, oldest change first.
#[derive(Debug, Default)]
pub(crate) struct Undo(Vec<(RowKey, Option<Entry>)>);

impl RowTable {
    pub(crate) fn digests(&self) -> &Digests {
        &self.digests
    }

    pub(crate) fn get(&self, key: &RowKey) -> Option<&Entry> {
        match key.unit() {
            Some(unit) => self.units.get(unit)?.get(&(key.kind, Arc::clone(&key.id))),
            None => self.standalone.get(key),
        }
    }

    pub(crate) fn digest(&self, key: &RowKey) -> Option<Digest> {
        self.get(key).map(|entry| entry.digest)
    }

    /// The row as it is to be written: active with its text, or removed where there is none.
    pub(crate) fn row(&self, key: &RowKey) -> Row {
        match self.get(key) {
            Some(entry) => Row {
                key: key.clone(),
                state: RowState::Deployed(entry.payload.clone()),
                recorded_at: entry.recorded.as_recorded_at(),
            },
            None => Row::removed(key.clone()),
        }
    }

    /// Whether the API or API product that scoped rows need is there.
    pub(crate) fn has_owner(&self, scope: &Arc<str>) -> bool {
        self.units.get(scope).is_some_and(|unit| {
            [Kind::Api, Kind::ApiProduct]
                .into_iter()
                .any(|kind| unit.contains_key(&(kind, Arc::clone(scope))))
        })
    }

    /// Compares the row with the version of its record that an index mentions, and marks it as seen.
    pub(crate) fn compare(&mut self, key: &RowKey, at: RecordedAt) -> Compared {
        let pass = self.pass;
        match self.get_mut(key) {
            None => Compared::Missing,
            Some(entry) => {
                entry.seen_in = pass;
                if entry.recorded.is_same(RecordTime::of(at)) { Compared::Same } else { Compared::Differs }
            }
        }
    }

    /// Puts the row in or takes it out. The time of the record is kept even if the text is the same. Answers the digest that was there before, or `Unchanged`.
    pub(crate) fn set(&mut self, row: &Row) -> Change {
        let entry = match &row.state {
            RowState::Deployed(payload) => Some(Entry {
                digest: Digest::of(&row.key, payload),
                payload: payload.clone(),
                recorded: RecordTime::of(row.recorded_at),
                seen_in: self.pass,
            }),
            RowState::Removed => None,
        };
        if let Some(entry) = &entry {
            let pass = self.pass;
            if let Some(old) = self.get_mut(&row.key)
                && old.digest == entry.digest
            {
                old.seen_in = pass;
                old.recorded = entry.recorded;
                return Change::Unchanged;
            }
        }
        let is_removal = entry.is_none();
        match self.replace(&row.key, entry) {
            None if is_removal => Change::Unchanged,
            old => Change::From(old),
        }
    }

    fn get_mut(&mut self, key: &RowKey) -> Option<&mut Entry> {
        match key.unit() {
            Some(unit) => self.units.get_mut(unit)?.get_mut(&(key.kind, Arc::clone(&key.id))),
            None => self.standalone.get_mut(key),
        }
    }

    fn replace(&mut self, key: &RowKey, entry: Option<Entry>) -> Option<Entry> {
        if let Some(entry) = &entry {
            self.digests[key.kind].add(entry.digest);
        }
        let old = match (key.unit(), entry) {
            (Some(unit), Some(entry)) => {
                self.units.entry(Arc::clone(unit)).or_default().insert((key.kind, Arc::clone(&key.id)), entry)
            }
            (Some(unit), None) => {
                let rows = self.units.get_mut(unit);
                let old = rows.and_then(|rows| rows.remove(&(key.kind, Arc::clone(&key.id))));
                if self.units.get(unit).is_some_and(BTreeMap::is_empty) {
                    self.units.remove(unit);
                }
                old
            }
            (None, Some(entry)) => self.standalone.insert(key.clone(), entry),
            (None, None) => self.standalone.remove(key),
        };
        if let Some(old) = &old {
            self.digests[key.kind].subtract(old.digest);
        }
        old
    }

    /// Applies rows in order.
    pub(crate) fn apply(&mut self, rows: &[Row]) {
        for row in rows {
            self.set(row);
        }
    }

    /// Applies rows in order; [`Self::undo`] can take it back.
    pub(crate) fn try_apply(&mut self, rows: &[Row]) -> Undo {
        let mut undo = Undo::default();
        for row in rows {
            if let Change::From(old) = self.set(row) {
                undo.0.push((row.key.clone(), old));
            }
        }
        undo
    }

    /// What the changes in `undo` came to: the rows that differ from before, as they are now, in the order in which
    /// they first changed (S4).
    pub(crate) fn differing_rows(&self, undo: &Undo) -> Vec<Row> {
        let mut seen = BTreeSet::new();
        let first_changes = undo.0.iter().filter(|(key, _)| seen.insert(key));
        first_changes
            .filter(|(key, before)| self.digest(key) != before.as_ref().map(|entry| entry.digest))
            .map(|(key, _)| self.row(key))
            .collect()
    }

    /// Takes changes back.
    pub(crate) fn undo(&mut self, undo: Undo) {
        for (key, old) in undo.0.into_iter().rev() {
            self.replace(&key, old);
        }
    }

    /// Keys of a unit that are not among `staying`.
    pub(crate) fn unit_keys_except(&self, unit: &Arc<str>, staying: &[Row]) -> Vec<RowKey> {
        let Some(rows) = self.units.get(unit) else { return Vec::new() };
        let staying: BTreeSet<(Kind, &str)> =
            staying.iter().map(|row| (row.key.kind, row.key.id.as_ref())).collect();
        let gone = rows.keys().filter(|(kind, id)| !staying.contains(&(*kind, id.as_ref())));
        gone.map(|(kind, id)| key_in_unit(unit, *kind, id)).collect()
    }

    #[cfg(test)]
    /// All keys: standalone rows in order of effect, then unit by unit.
    pub(crate) fn keys(&self) -> impl Iterator<Item = RowKey> + '_ {
        let units = self
            .units
            .iter()
            .flat_map(|(unit, rows)| rows.keys().map(move |(kind, id)| key_in_unit(unit, *kind, id)));
        self.standalone.keys().cloned().chain(units)
    }

    /// Starts a pass over a source of truth: from now on `set` and `mark` mark rows as seen.
    pub(crate) fn begin_pass(&mut self) {
        self.pass = self.pass.wrapping_add(1);
    }

    /// Marks a row as seen in the current pass without changing it. Answers whether it was seen before in this pass;
    /// `None` if it is not there.
    pub(crate) fn mark(&mut self, key: &RowKey) -> Option<bool> {
        let pass = self.pass;
        let entry = self.get_mut(key)?;
        Some(std::mem::replace(&mut entry.seen_in, pass) == pass)
    }

    /// Marks all rows of a unit as seen.
    pub(crate) fn mark_unit(&mut self, unit: &Arc<str>) {
        let pass = self.pass;
        if let Some(rows) = self.units.get_mut(unit) {
            for entry in rows.values_mut() {
                entry.seen_in = pass;
            }
        }
    }

    /// Keys of rows that stand alone and were not seen in the current pass, in order of effect.
    pub(crate) fn unseen_alone(&self) -> Vec<RowKey> {
        let unseen = self.standalone.iter().filter(|(_, entry)| entry.seen_in != self.pass);
        unseen.map(|(key, _)| key.clone()).collect()
    }

    /// Units of which some row was not seen in the current pass.
    pub(crate) fn unseen_units(&self) -> impl Iterator<Item = &Arc<str>> {
        let unseen = |rows: &Unit| rows.values().any(|entry| entry.seen_in != self.pass);
        self.units.iter().filter(move |(_, rows)| unseen(rows)).map(|(unit, _)| unit)
    }

    /// Keys that were not seen in the current pass, in order of effect.
    pub(crate) fn unseen(&self) -> Vec<RowKey> {
        let standalone = self.standalone.iter().filter(|(_, entry)| entry.seen_in != self.pass);
        let units = self.units.iter().flat_map(|(unit, rows)| {
            let unseen = rows.iter().filter(|(_, entry)| entry.seen_in != self.pass);
            unseen.map(move |((kind, id), _)| key_in_unit(unit, *kind, id))
        });
        standalone.map(|(key, _)| key.clone()).chain(units).collect()
    }
}

fn key_in_unit(unit: &Arc<str>, kind: Kind, id: &Arc<str>) -> RowKey {
    let scope = kind.is_scoped().then(|| Arc::clone(unit));
    RowKey { kind, scope, id: Arc::clone(id) }
}

/// What `set` did.
#[derive(Debug)]
pub(crate) enum Change {
    /// The row was like that already (S4).
    Unchanged,
    /// The row is different now; what was there before, if anything.
    From(Option<Entry>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn arbitrary_row() -> impl Strategy<Value = Row> {
        let key = prop_oneof![
            (0_u8..3).prop_map(|id| RowKey::new(Kind::Dictionary, format!("d{id}"))),
            (0_u8..3).prop_map(|id| RowKey::new(Kind::Api, format!("a{id}"))),
            (0_u8..3, 0_u8..3).prop_map(|(api, id)| RowKey::scoped(
                Kind::ApiKey,
                format!("a{api}"),
                format!("k{id}")
            )),
        ];
        (key, prop::option::of(0_u8..3)).prop_map(|(key, payload)| match payload {
            Some(payload) => Row::deployed(key, format!("p{payload}")),
            None => Row::removed(key),
        })
    }

    fn content(table: &RowTable) -> BTreeMap<RowKey, Digest> {
        table.keys().map(|key| (key.clone(), table.digest(&key).unwrap())).collect()
    }

    proptest! {
        #[test]
        fn digests_follow_the_rows_and_undo_restores_both(
            before in prop::collection::vec(arbitrary_row(), 0..20),
            after in prop::collection::vec(arbitrary_row(), 0..20),
        ) {
            let mut table = RowTable::default();
            table.apply(&before);
            let (rows, digests) = (content(&table), *table.digests());
            let undo = table.try_apply(&after);
            let mut again = RowTable::default();
            for key in table.keys() {
                again.set(&table.row(&key));
            }
            prop_assert_eq!(again.digests(), table.digests());
            table.undo(undo);
            prop_assert_eq!(content(&table), rows);
            prop_assert_eq!(*table.digests(), digests);
        }
    }

    #[test]
    fn s4_setting_an_equal_row_is_no_change_but_counts_as_seen() {
        let mut table = RowTable::default();
        let row = Row::deployed(RowKey::new(Kind::Api, "a"), "x");
        assert!(matches!(table.set(&row), Change::From(None)));
        table.begin_pass();
        assert_eq!(table.unseen().len(), 1);
        assert!(matches!(table.set(&row), Change::Unchanged));
        assert!(table.unseen().is_empty());
        assert!(matches!(table.set(&Row::removed(RowKey::new(Kind::Api, "b"))), Change::Unchanged));
    }
}
