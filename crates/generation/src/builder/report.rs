//! What a commit did, for the log, the technical API and the metrics.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use zonegate_definition::NotHere;
use zonegate_model::{Kind, RowKey};

use super::staging::UnreadableRows;
use super::{Builder, Slot};
use crate::compile::Compile;
use crate::served::{Refused, Served};

/// What a commit did. Ids are in no order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Number of the generation, one up at each commit.
    pub number: u64,
    /// APIs that were not served before.
    pub added: Vec<Arc<str>>,
    /// APIs that are served in another version, or within another organization.
    pub updated: Vec<Arc<str>>,
    /// APIs that are served as before, under other plans of API products.
    pub members: Vec<Arc<str>>,
    /// APIs that are no longer served.
    pub removed: Vec<Arc<str>>,
    /// API products that are served newly, in another version, or no longer.
    pub products: Vec<Arc<str>>,
    /// APIs and API products that are served, and of which only subscriptions or keys changed.
    pub credentials: Vec<Arc<str>>,
    /// What this commit refused.
    pub refused: Vec<Arc<Refused>>,
    /// APIs and API products whose rows changed and that are well understood and not for this gateway.
    pub not_here: Vec<(RowKey, NotHere)>,
    /// Rows besides APIs and API products that could not be read, the first hundred.
    pub unreadable: Vec<Unreadable>,
    /// How many rows besides APIs and API products could not be read.
    pub unreadable_count: usize,
}

/// A row that could not be read. A subscription or key counts as absent, so that nobody gets in by it; of anything
/// else the earlier state stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Which row.
    pub key: RowKey,
    /// Why, without any of its values.
    pub problem: String,
}

/// Collects what a commit does.
pub(super) struct Report<C: Compile> {
    /// What was served of each API that was looked at, before the commit.
    before: HashMap<Arc<str>, Option<Arc<Served<C>>>>,
    /// Scopes with other credentials.
    pub(super) credentials: HashSet<Arc<str>>,
    pub(super) products: HashSet<Arc<str>>,
    pub(super) refused: Vec<Arc<str>>,
    pub(super) refused_products: Vec<Arc<Refused>>,
    pub(super) not_here: Vec<(RowKey, NotHere)>,
    unreadable: UnreadableRows,
}

impl<C: Compile> Report<C> {
    pub(super) fn new(unreadable: UnreadableRows) -> Self {
        Self {
            before: HashMap::new(),
            credentials: HashSet::new(),
            products: HashSet::new(),
            refused: Vec::new(),
            refused_products: Vec::new(),
            not_here: Vec::new(),
            unreadable,
        }
    }

    pub(super) fn before(&mut self, id: &Arc<str>, slot: &Slot<C>) {
        self.before.entry(id.clone()).or_insert_with(|| slot.served.clone());
    }

    pub(super) fn unreadable(&mut self, kind: Kind, id: &Arc<str>, problem: String) {
        self.unreadable.note(RowKey::new(kind, id.clone()), problem);
    }

    pub(super) fn committed(mut self, builder: &Builder<C>) -> Committed {
        let mut committed = Committed {
            number: builder.number,
            not_here: self.not_here,
            unreadable: self.unreadable.named,
            unreadable_count: self.unreadable.count,
            ..Committed::default()
        };
        for (id, before) in self.before {
            let now = builder.slots.get(&id).and_then(|slot| slot.served.as_ref());
            let changed = match (before, now) {
                (None, None) => continue,
                (Some(before), Some(now)) if Arc::ptr_eq(&before, now) => continue,
                (None, Some(_)) => &mut committed.added,
                (Some(_), None) => &mut committed.removed,
                (Some(before), Some(now)) if Arc::ptr_eq(&before.compiled, &now.compiled) => {
                    &mut committed.members
                }
                (Some(_), Some(_)) => &mut committed.updated,
            };
            self.credentials.remove(&id);
            changed.push(id);
        }
        for id in self.products {
            self.credentials.remove(&id);
            committed.products.push(id);
        }
        let is_served = |id: &Arc<str>| {
            builder.slots.get(id).is_some_and(|slot| slot.served.is_some())
                || builder.served_products.contains_key(id)
        };
        committed.credentials = self.credentials.into_iter().filter(is_served).collect();
        let refused = self.refused.iter().filter_map(|id| builder.slots.get(id)?.refused.clone());
        committed.refused = refused.chain(self.refused_products).collect();
        committed
    }
}
