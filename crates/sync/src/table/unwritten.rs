//! Marks for what the store lacks, so that a store that is filled for the first time costs a bit for each row.

use std::sync::Arc;

use zonegate_model::RowKey;

use super::ids::Id;
use super::unit::Unit;
use super::{Home, RowTable, home, unit_of};

impl RowTable {
    /// Rows that the store lacks.
    pub(crate) fn unwritten_count(&self) -> u64 {
        self.unwritten
    }

    pub(crate) fn is_unwritten(&self, key: &RowKey) -> bool {
        if let Home::Scoped(unit) = home(key) {
            let Some(unit) = self.units.get(unit) else { return false };
            return unit.rows.is_unwritten(unit.rows.find(key.kind, &Id::of(key.id.as_bytes())));
        }
        self.entry(key).is_some_and(|entry| entry.unwritten)
    }

    /// Notes whether the store lacks a row, if there is such a row.
    pub(crate) fn set_unwritten(&mut self, key: &RowKey, unwritten: bool) {
        let before = if let Home::Scoped(unit) = home(key) {
            let Some(unit) = self.units.get_mut(unit) else { return };
            let spot = unit.rows.find(key.kind, &Id::of(key.id.as_bytes()));
            if !spot.found {
                return;
            }
            unit.rows.set_unwritten(spot, unwritten)
        } else {
            let Some(entry) = self.entry_mut(key) else { return };
            std::mem::replace(&mut entry.unwritten, unwritten)
        };
        if before == unwritten {
            return;
        }
        if let Some(id) = unit_of(key)
            && let Some(unit) = self.units.get_mut(id)
        {
            unit.unwritten = if unwritten { unit.unwritten + 1 } else { unit.unwritten - 1 };
            if unwritten && self.unwritten_from.as_ref().is_some_and(|from| id < from) {
                self.unwritten_from = Some(Arc::clone(id));
            }
        }
        self.unwritten = if unwritten { self.unwritten + 1 } else { self.unwritten - 1 };
    }

    /// The store lacks exactly the rows that were not seen in the current pass.
    pub(crate) fn unseen_are_unwritten(&mut self) {
        let pass = self.pass;
        self.unwritten = 0;
        self.unwritten_from = None;
        for entry in self.standalone.values_mut() {
            entry.unwritten = entry.seen_in != pass;
            self.unwritten += u64::from(entry.unwritten);
        }
        for unit in self.units.values_mut() {
            unit.unwritten = unit.rows.unseen_are_unwritten(pass);
            let mut owners = 0;
            for entry in unit.owners_mut() {
                entry.unwritten = entry.seen_in != pass;
                owners += u32::from(entry.unwritten);
            }
            unit.unwritten += owners;
            self.unwritten += u64::from(unit.unwritten);
        }
    }

    /// Nothing is known of what the store lacks.
    pub(crate) fn clear_unwritten(&mut self) {
        if self.unwritten == 0 {
            return;
        }
        self.standalone.values_mut().for_each(|entry| entry.unwritten = false);
        for unit in self.units.values_mut().filter(|unit| unit.unwritten > 0) {
            unit.owners_mut().for_each(|entry| entry.unwritten = false);
            unit.rows.clear_unwritten();
            unit.unwritten = 0;
        }
        self.unwritten = 0;
        self.unwritten_from = None;
    }

    /// Skips units that have no unwritten rows any more, so that writing all does not begin at the first each time.
    pub(crate) fn settle_unwritten(&mut self) {
        let from = self.unwritten_from.take();
        let next = self.units_from(from.as_ref()).find(|(_, unit)| unit.unwritten > 0);
        self.unwritten_from = next.map(|(id, _)| Arc::clone(id)).or(from);
    }

    fn units_from(&self, from: Option<&Arc<str>>) -> impl Iterator<Item = (&Arc<str>, &Unit)> {
        use std::ops::Bound::{Included, Unbounded};
        let from = from.map_or(Unbounded, Included);
        self.units.range::<Arc<str>, _>((from, Unbounded))
    }

    /// Keys of rows that the store lacks: those that stand alone in order of effect, then unit by unit.
    pub(crate) fn unwritten_keys(&self) -> impl Iterator<Item = RowKey> + '_ {
        let any = self.unwritten > 0;
        let alone = self.standalone.iter().filter(move |(_, entry)| any && entry.unwritten);
        let units = self.units_from(self.unwritten_from.as_ref());
        let units = units.filter(move |(_, unit)| any && unit.unwritten > 0);
        let units =
            units.flat_map(|(id, unit)| unit.keys(id, |entry| entry.unwritten, unit.rows.unwritten()));
        alone.map(|(key, _)| key.clone()).chain(units)
    }

    /// The same of one unit.
    pub(crate) fn unwritten_keys_of(&self, id: &Arc<str>) -> impl Iterator<Item = RowKey> + '_ {
        let unit = self.units.get_key_value(id);
        unit.into_iter().flat_map(|(id, unit)| unit.keys(id, |entry| entry.unwritten, unit.rows.unwritten()))
    }
}
