//! What a table keeps of one API or API product, and of what stands alone.

use std::sync::Arc;

use zonegate_model::{Digest, Kind, Payload, RowKey};

use super::RecordTime;
use super::packed::{PackedRow, PackedRows};

/// An API, an API product, or something that stands alone.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) digest: Digest,
    pub(super) payload: Payload,
    pub(super) recorded: RecordTime,
    /// The pass of `RowTable::begin_pass` in which the row was last seen.
    pub(super) seen_in: u32,
    /// The store lacks the row.
    pub(super) unwritten: bool,
}

/// An API or API product with its subscriptions and keys (S2). One id can be both.
#[derive(Default)]
pub(super) struct Unit {
    product: Option<Box<Entry>>,
    api: Option<Entry>,
    pub(super) rows: PackedRows,
    /// Rows that are marked as unwritten.
    pub(super) unwritten: u32,
}

impl Unit {
    pub(super) fn owner(&self, kind: Kind) -> Option<&Entry> {
        if kind == Kind::ApiProduct { self.product.as_deref() } else { self.api.as_ref() }
    }

    pub(super) fn owner_mut(&mut self, kind: Kind) -> Option<&mut Entry> {
        if kind == Kind::ApiProduct { self.product.as_deref_mut() } else { self.api.as_mut() }
    }

    pub(super) fn set_owner(&mut self, kind: Kind, entry: Entry) {
        if kind == Kind::ApiProduct {
            self.product = Some(Box::new(entry));
        } else {
            self.api = Some(entry);
        }
    }

    pub(super) fn take_owner(&mut self, kind: Kind) -> Option<Digest> {
        if kind == Kind::ApiProduct {
            self.product.take().map(|entry| entry.digest)
        } else {
            self.api.take().map(|entry| entry.digest)
        }
    }

    pub(super) fn has_owner(&self) -> bool {
        self.product.is_some() || self.api.is_some()
    }

    pub(super) fn owners(&self) -> impl Iterator<Item = (Kind, &Entry)> {
        let product = self.product.as_deref().map(|entry| (Kind::ApiProduct, entry));
        product.into_iter().chain(self.api.as_ref().map(|entry| (Kind::Api, entry)))
    }

    pub(super) fn owners_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.product.as_deref_mut().into_iter().chain(self.api.as_mut())
    }

    /// Keys of its owners that are wanted, then of these rows.
    pub(super) fn keys<'a>(
        &'a self,
        id: &'a Arc<str>,
        wanted: impl Fn(&Entry) -> bool + 'a,
        rows: impl Iterator<Item = PackedRow<'a>> + 'a,
    ) -> impl Iterator<Item = RowKey> + 'a {
        let owners = self.owners().filter(move |(_, entry)| wanted(entry));
        let owners = owners.map(move |(kind, _)| RowKey::new(kind, Arc::clone(id)));
        owners.chain(rows.map(move |row| row.key(id)))
    }
}

impl PackedRow<'_> {
    pub(super) fn key(&self, unit: &Arc<str>) -> RowKey {
        let mut id = Vec::with_capacity(36);
        self.id.render(&mut id);
        RowKey::scoped(self.kind, Arc::clone(unit), String::from_utf8_lossy(&id).as_ref())
    }
}
