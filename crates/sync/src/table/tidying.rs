//! Packing rows anew after a whole state was loaded, a few at a time, so that the core goes on answering.

use std::ops::Bound::{Excluded, Included, Unbounded};
use std::sync::Arc;

use super::RowTable;

/// Leaves that are packed anew together.
const LEAVES: usize = 256;

/// Where tidying goes on: before all units, or in one of them, from a leaf on.
pub(super) enum Tidying {
    Begin,
    At(Arc<str>, usize),
}

impl RowTable {
    /// A whole state was loaded: its rows are to be packed as densely as they go.
    pub(crate) fn begin_tidying(&mut self) {
        self.tidying = Some(Tidying::Begin);
    }

    /// Packs some more leaves, if there are any left to pack. Nothing but their place in memory changes.
    pub(crate) fn tidy(&mut self) {
        let mut budget = LEAVES;
        while budget > 0 {
            let (from, leaf) = match self.tidying.take() {
                None => return,
                Some(Tidying::Begin) => (Unbounded, 0),
                Some(Tidying::At(unit, 0)) => (Excluded(unit), 0),
                Some(Tidying::At(unit, leaf)) => (Included(unit), leaf),
            };
            let Some((id, unit)) = self.units.range_mut::<Arc<str>, _>((from, Unbounded)).next() else {
                return;
            };
            // Rows may have come and gone since the last time.
            let from = leaf.min(unit.rows.leaves());
            let to = (from + budget).min(unit.rows.leaves());
            let next = from + unit.rows.tidy(from..to);
            let at_end = next >= unit.rows.leaves();
            self.tidying = Some(Tidying::At(Arc::clone(id), if at_end { 0 } else { next }));
            budget = budget.saturating_sub((to - from).max(1));
        }
    }
}
