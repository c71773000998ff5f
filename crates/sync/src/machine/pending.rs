//! Rows in which the store differs from the primary's state, and how they are cut into batches.
//!
//! A batch ends at the end of a unit where it can, so that it leaves the zone whole (S2).

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::sync::Arc;

use zonegate_model::{Digest, Digests, Row, RowKey};

use crate::table::{RowTable, unit_of};

/// Standalone rows first, in order of effect; then unit by unit, its API before its subscriptions and keys.
type Place = (Option<Arc<str>>, RowKey);

/// What has to be written. Rows of the state that the store lacks are marked in the table itself, since they can be all
/// there are; this has the others.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Rows of which the store holds another version than the state, or that are gone from the state: the digest that the
    /// store holds.
    rows: BTreeMap<Place, Digest>,
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
    /// Nothing is known to be pending.
    pub(super) fn fresh(table: &mut RowTable) -> Self {
        table.clear_unwritten();
        Self::default()
    }

    pub(super) fn len(&self, table: &RowTable) -> u64 {
        self.rows.len() as u64 + table.unwritten_count()
    }

    /// Nothing has to be written, neither rows nor the end of a unit.
    pub(super) fn is_empty(&self, table: &RowTable) -> bool {
        self.len(table) == 0 && self.partial.is_none() && !self.unsettled
    }

    /// The state's row `key` has changed; `before` is what state and store had in common until now, unless the row
    /// is pending already.
    pub(super) fn changed(&mut self, key: &RowKey, before: Option<Digest>, table: &mut RowTable) {
        let place = place(key);
        let in_store = self.rows.get(&place).copied().or(before);
        self.settle(place, in_store, table);
    }

    /// Whether the store is known to hold something of a row that the state does not have.
    pub(super) fn knows(&self, key: &RowKey) -> bool {
        self.rows.contains_key(&place(key))
    }

    /// The store is known to hold `in_store` of the row `key`.
    pub(super) fn found(&mut self, key: &RowKey, in_store: Option<Digest>, table: &mut RowTable) {
        self.settle(place(key), in_store, table);
    }

    fn settle(&mut self, place: Place, in_store: Option<Digest>, table: &mut RowTable) {
        table.set_unwritten(&place.1, in_store.is_none());
        match in_store {
            Some(digest) if table.digest(&place.1) != in_store => {
                self.rows.insert(place, digest);
            }
            _ => {
                self.rows.remove(&place);
            }
        }
    }

    /// The store lacks all rows that were not seen in the table's pass.
    pub(super) fn unseen_are_missing(table: &mut RowTable) {
        table.unseen_are_unwritten();
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
        if self.is_empty(table) {
            return None;
        }
        let mut cut =
            Cut { rows: Vec::new(), digests: *stored, whole: !self.unsettled, last: true, partial: None };
        let mut bytes = 0;
        // Where the batch can end without leaving a unit half written.
        let mut boundary: Option<(usize, Digests)> = None;
        let mut current: Option<Option<Arc<str>>> = None;
        for ((unit, key), in_store) in self.in_order(table) {
            if current.as_ref().is_some_and(|current| *current != unit || unit.is_none()) {
                boundary = Some((cut.rows.len(), cut.digests));
            }
            let row = table.row(&key);
            let size = row.size();
            if !cut.rows.is_empty() && (cut.rows.len() >= most_rows || bytes + size > most_bytes) {
                cut.last = false;
                if let Some((rows, digests)) = boundary {
                    cut.rows.truncate(rows);
                    cut.digests = digests;
                } else {
                    cut.whole = false;
                    cut.partial = current.flatten();
                }
                return Some(cut);
            }
            bytes += size;
            if let Some(digest) = in_store {
                cut.digests[key.kind].subtract(digest);
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

    /// Everything pending, the unit that was begun before all others.
    fn in_order<'a>(&'a self, table: &'a RowTable) -> impl Iterator<Item = (Place, Option<Digest>)> + 'a {
        let first = self.partial.as_ref();
        let of_partial = first.into_iter().flat_map(|unit| {
            let from = (Some(Arc::clone(unit)), RowKey::new(zonegate_model::Kind::ALL[0], ""));
            let rows =
                self.rows.range(from..).take_while(move |((other, _), _)| other.as_ref() == Some(unit));
            Merged { rows: rows.peekable(), missing: table.unwritten_keys_of(unit).map(as_place).peekable() }
        });
        let rows = self.rows.iter().peekable();
        let all = Merged { rows, missing: table.unwritten_keys().map(as_place).peekable() };
        of_partial.chain(all.filter(move |((unit, _), _)| first.is_none() || unit.as_ref() != first))
    }

    /// The batch was committed. Rows that changed meanwhile stay pending.
    pub(super) fn written(&mut self, rows: &[Row], partial: Option<Arc<str>>, table: &mut RowTable) {
        for row in rows {
            let place = place(&row.key);
            if table.holds(row) {
                table.set_unwritten(&row.key, false);
                self.rows.remove(&place);
            } else {
                self.settle(place, row.digest(), table);
            }
        }
        table.settle_unwritten();
        self.partial = partial;
        self.unsettled &= self.len(table) > 0;
    }
}

/// Two sources of places, each in order, as one.
struct Merged<R: Iterator, M: Iterator> {
    rows: Peekable<R>,
    missing: Peekable<M>,
}

impl<'a, R, M> Iterator for Merged<R, M>
where
    R: Iterator<Item = (&'a Place, &'a Digest)>,
    M: Iterator<Item = Place>,
{
    type Item = (Place, Option<Digest>);

    fn next(&mut self) -> Option<Self::Item> {
        let row_is_first = match (self.rows.peek(), self.missing.peek()) {
            (Some((row, _)), Some(missing)) => *row < missing,
            (row, _) => row.is_some(),
        };
        if row_is_first {
            self.rows.next().map(|(place, digest)| (place.clone(), Some(*digest)))
        } else {
            self.missing.next().map(|place| (place, None))
        }
    }
}

impl Cut {
    /// The unit that is half written after the batch.
    pub(super) fn partial(&self) -> Option<Arc<str>> {
        self.partial.clone()
    }
}

fn place(key: &RowKey) -> Place {
    as_place(key.clone())
}

fn as_place(key: RowKey) -> Place {
    (unit_of(&key).cloned(), key)
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

    fn all_pending(table: &mut RowTable) -> Pending {
        let pending = Pending::fresh(table);
        table.begin_pass();
        Pending::unseen_are_missing(table);
        pending
    }

    #[test]
    fn s2_a_batch_ends_at_the_end_of_a_unit_where_it_can() {
        let mut table = table(3);
        let pending = all_pending(&mut table);
        let cut = pending.cut(&table, &Digests::default(), 7, usize::MAX).unwrap();
        assert_eq!(cut.rows.len(), 5, "the dictionary and the first unit; the second would be cut");
        assert!(cut.whole && !cut.last);
        assert_eq!(cut.rows[0].key.kind, Kind::Dictionary, "order of effect");
    }

    #[test]
    fn s2_a_unit_larger_than_a_batch_is_whole_only_with_its_last_part() {
        let mut table = table(9);
        let mut pending = all_pending(&mut table);
        let mut stored = Digests::default();
        let mut whole = Vec::new();
        while let Some(cut) = pending.cut(&table, &stored, 4, usize::MAX) {
            stored = cut.digests;
            whole.push(cut.whole);
            pending.written(&cut.rows, cut.partial(), &mut table);
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
        pending.changed(&key, before, &mut table);
        assert_eq!(pending.len(&table), 1);
        let between = table.digest(&key);
        table.set(&Row::deployed(key.clone(), "definition"));
        pending.changed(&key, between, &mut table);
        assert!(pending.is_empty(&table));
    }
}
