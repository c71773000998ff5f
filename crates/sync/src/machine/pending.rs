//! Rows in which the store differs from the primary's state, and how they are cut into batches.
//!
//! A batch ends at the end of a unit where it can, so that it leaves the zone whole (S2).

use std::collections::BTreeMap;
use std::sync::Arc;

use zonegate_model::{Digest, Digests, Row, RowKey};

use crate::table::RowTable;

/// Standalone rows first, in order of effect; then unit by unit, its API before its subscriptions and keys.
type Place = (Option<Arc<str>>, RowKey);

/// For each row that has to be written: what the store holds of it now (`None`: nothing, or a removed row).
#[derive(Debug, Default)]
pub(super) struct Pending {
    rows: BTreeMap<Place, Option<Digest>>,
    /// A unit of which a part was written: it is finished before anything else.
    partial: Option<Arc<str>>,
    /// The store holds something that is no whole state of anybody, in units that are not known: nothing that is written
    /// makes it whole before everything is.
    unsettled: bool,
}

/// Rows of the next batch.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) rows: Vec<Row>,
    /// Digests of the store's content after the batch.
    pub(super) digests: Digests,
    /// Whether no unit is left half written.
    pub(super) whole: bool,
    /// Whether nothing is pending after the batch.
    pub(super) last: bool,
    partial: Option<Arc<str>>,
}

impl Pending {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Nothing has to be written, neither rows nor the end of a unit.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.partial.is_none() && !self.unsettled
    }

    /// The state's row `key` has changed; `before` is what state and store had in common until now, unless the row
    /// is pending already.
    pub(super) fn changed(&mut self, key: &RowKey, before: Option<Digest>, table: &RowTable) {
        let place = place(key);
        let in_store = self.rows.get(&place).copied().unwrap_or(before);
        self.settle(place, in_store, table);
    }

    /// Whether the row is pending.
    pub(super) fn knows(&self, key: &RowKey) -> bool {
        self.rows.contains_key(&place(key))
    }

    /// The store is known to hold `in_store` of the row `key`.
    pub(super) fn found(&mut self, key: &RowKey, in_store: Option<Digest>, table: &RowTable) {
        self.settle(place(key), in_store, table);
    }

    fn settle(&mut self, place: Place, in_store: Option<Digest>, table: &RowTable) {
        if table.digest(&place.1) == in_store {
            self.rows.remove(&place);
        } else {
            self.rows.insert(place, in_store);
        }
    }

    /// The store is not whole, or holds what nobody wrote. With no row pending, an empty batch settles it.
    pub(super) fn mark_unsettled(&mut self) {
        self.unsettled = true;
    }

    /// The next batch, or `None` if there is nothing to write.
    pub(super) fn cut(
        &self,
        table: &RowTable,
        stored: &Digests,
        most_rows: usize,
        most_bytes: usize,
    ) -> Option<Cut> {
        if self.is_empty() {
            return None;
        }
        let first = self.partial.as_ref().map(|unit| Some(Arc::clone(unit)));
        let of_partial = self.rows.iter().filter(|((unit, _), _)| first.as_ref() == Some(unit));
        let others = self.rows.iter().filter(|((unit, _), _)| first.as_ref() != Some(unit));
        let mut cut =
            Cut { rows: Vec::new(), digests: *stored, whole: !self.unsettled, last: true, partial: None };
        let mut bytes = 0;
        // Where the batch can end without leaving a unit half written.
        let mut boundary: Option<(usize, Digests)> = None;
        let mut current: Option<&Option<Arc<str>>> = None;
        for ((unit, key), in_store) in of_partial.chain(others) {
            if current.is_some_and(|current| current != unit || unit.is_none()) {
                boundary = Some((cut.rows.len(), cut.digests));
            }
            let row = table.row(key);
            let size = row.size();
            if !cut.rows.is_empty() && (cut.rows.len() >= most_rows || bytes + size > most_bytes) {
                cut.last = false;
                if let Some((rows, digests)) = boundary {
                    cut.rows.truncate(rows);
                    cut.digests = digests;
                } else {
                    cut.whole = false;
                    cut.partial.clone_from(current.unwrap_or(&None));
                }
                return Some(cut);
            }
            bytes += size;
            if let Some(digest) = in_store {
                cut.digests[key.kind].subtract(*digest);
            }
            if let Some(digest) = row.digest() {
                cut.digests[key.kind].add(digest);
            }
            cut.rows.push(row);
            current = Some(unit);
        }
        cut.whole = true;
        Some(cut)
    }

    /// The batch was committed. Rows that changed meanwhile stay pending.
    pub(super) fn written(&mut self, rows: &[Row], partial: Option<Arc<str>>, table: &RowTable) {
        for row in rows {
            self.settle(place(&row.key), row.digest(), table);
        }
        self.partial = partial;
        self.unsettled &= !self.rows.is_empty();
    }
}

impl Cut {
    /// The unit that is half written after the batch.
    pub(super) fn partial(&self) -> Option<Arc<str>> {
        self.partial.clone()
    }
}

fn place(key: &RowKey) -> Place {
    (key.unit().cloned(), key.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use zonegate_model::Kind;

    fn table(keys: usize) -> RowTable {
        let mut table = RowTable::default();
        for api in ["a", "b"] {
            table.set(&Row::deployed(RowKey::new(Kind::Api, api), "definition"));
            for key in 0..keys {
                table.set(&Row::deployed(RowKey::scoped(Kind::ApiKey, api, format!("k{key}")), "key"));
            }
        }
        table.set(&Row::deployed(RowKey::new(Kind::Dictionary, "d"), "dictionary"));
        table
    }

    fn all_pending(table: &RowTable) -> Pending {
        let mut pending = Pending::default();
        for key in table.keys() {
            pending.found(&key, None, table);
        }
        pending
    }

    #[test]
    fn s2_a_batch_ends_at_the_end_of_a_unit_where_it_can() {
        let table = table(3);
        let pending = all_pending(&table);
        let cut = pending.cut(&table, &Digests::default(), 7, usize::MAX).unwrap();
        assert_eq!(cut.rows.len(), 5, "the dictionary and the first unit; the second would be cut");
        assert!(cut.whole && !cut.last);
        assert_eq!(cut.rows[0].key.kind, Kind::Dictionary, "order of effect");
    }

    #[test]
    fn s2_a_unit_larger_than_a_batch_is_whole_only_with_its_last_part() {
        let table = table(9);
        let mut pending = all_pending(&table);
        let mut stored = Digests::default();
        let mut whole = Vec::new();
        while let Some(cut) = pending.cut(&table, &stored, 4, usize::MAX) {
            stored = cut.digests;
            whole.push(cut.whole);
            pending.written(&cut.rows, cut.partial(), &table);
        }
        assert_eq!(stored, *table.digests());
        assert_eq!(whole, [true, false, false, true, false, false, true]);
    }

    #[test]
    fn a_row_that_goes_back_to_what_the_store_has_is_no_longer_pending() {
        let mut table = table(0);
        let mut pending = Pending::default();
        let key = RowKey::new(Kind::Api, "a");
        let before = table.digest(&key);
        table.set(&Row::deployed(key.clone(), "other"));
        pending.changed(&key, before, &table);
        assert_eq!(pending.len(), 1);
        let between = table.digest(&key);
        table.set(&Row::deployed(key.clone(), "definition"));
        pending.changed(&key, between, &table);
        assert!(pending.is_empty());
    }
}
