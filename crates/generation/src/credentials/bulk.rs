//! Credentials of a scope that come all at once: rows lie one after the other until all are there, then the tables are
//! built with exact sizes. Growing the tables row by row leaves holes all over the heap (P5), and takes longer (P2, P7).

use hashbrown::HashTable;
use zonegate_payload::{ApiKeyPayload, SubscriptionPayload};

use super::Credentials;
use super::row::{Accepted, Identified, Key, Push, Record, Subscription};
use crate::table::{Seed, Table};
use crate::text::{LongTexts, Packed};

/// Subscriptions and keys of a scope, as far as they have come.
pub(crate) struct Bulk {
    seed: Seed,
    long: LongTexts,
    subscriptions: Flat<Subscription>,
    push: Flat<Push>,
    keys: Flat<Key>,
}

impl Bulk {
    pub(crate) fn new(seed: Seed) -> Self {
        let long = LongTexts::default();
        Self { seed, long, subscriptions: Flat::default(), push: Flat::default(), keys: Flat::default() }
    }

    /// Puts a subscription in, or takes it out if it is not accepted.
    pub(crate) fn put_subscription(&mut self, id: &str, payload: &SubscriptionPayload) {
        let accepted = Accepted::new(id, payload, &mut self.long, &self.seed);
        self.remove_subscription(id);
        match accepted {
            Some(Accepted::Served(row)) => self.subscriptions.insert(row, &self.seed),
            Some(Accepted::Push(row)) => self.push.insert(row, &self.seed),
            None => {}
        }
    }

    /// Takes a subscription out.
    pub(crate) fn remove_subscription(&mut self, id: &str) {
        let Some(id) = self.packed(id) else { return };
        if let Some(row) = self.subscriptions.remove(id, &self.seed) {
            self.long.release_all(row.texts(), &self.seed);
        }
        if let Some(Push(id)) = self.push.remove(id, &self.seed) {
            self.long.release_all([id], &self.seed);
        }
    }

    /// Puts a key in, or takes it out if it is not active.
    pub(crate) fn put_key(&mut self, id: &str, payload: &ApiKeyPayload) {
        let key = Key::new(id, payload, &mut self.long, &self.seed);
        self.remove_key(id);
        if let Some(row) = key {
            self.keys.insert(row, &self.seed);
        }
    }

    /// Takes the key of a record out.
    pub(crate) fn remove_key(&mut self, id: &str) {
        let Some(id) = self.packed(id) else { return };
        if let Some(row) = self.keys.remove(id, &self.seed) {
            self.long.release_all(row.texts(), &self.seed);
        }
    }

    /// All that has come. One kind of rows after the other, so that little is there twice.
    pub(crate) fn build(self) -> Credentials {
        let Self { seed, long, subscriptions, push, keys } = self;
        let subscriptions = Table::build(&subscriptions.into_rows(), &seed);
        let push = Table::build(&push.into_rows(), &seed);
        let keys = keys.into_rows();
        let records: Vec<Record> = keys.iter().map(|key| Record::new(key, &seed)).collect();
        let records = Table::build(&records, &seed);
        let keys = Table::build(&keys, &seed);
        Credentials { seed, long, subscriptions, keys, records, push }
    }

    fn packed(&self, text: &str) -> Option<Packed> {
        Packed::new(text.as_bytes()).or_else(|| self.long.find(text.as_bytes(), &self.seed))
    }
}

/// Rows one after the other, each found by its id.
struct Flat<R> {
    rows: Vec<R>,
    index: HashTable<u32>,
}

impl<R> Default for Flat<R> {
    fn default() -> Self {
        Self { rows: Vec::new(), index: HashTable::new() }
    }
}

impl<R: Identified> Flat<R> {
    /// Adds a row whose id is not there.
    fn insert(&mut self, row: R, seed: &Seed) {
        let Self { rows, index } = self;
        if rows.len() == rows.capacity() {
            rows.reserve_exact(rows.len() / 4 + 4);
        }
        let at = rows.len() as u32;
        rows.push(row);
        index.insert_unique(row.id().hash(seed), at, |at| rows[*at as usize].id().hash(seed));
    }

    fn remove(&mut self, id: Packed, seed: &Seed) -> Option<R> {
        let Self { rows, index } = self;
        let found = index.find_entry(id.hash(seed), |at| rows[*at as usize].id() == id).ok()?;
        let (at, _) = found.remove();
        let row = rows.swap_remove(at as usize);
        // The last row is now where that one was.
        if let Some(moved) = rows.get(at as usize) {
            let last = rows.len() as u32;
            if let Some(place) = index.find_mut(moved.id().hash(seed), |other| *other == last) {
                *place = at;
            }
        }
        Some(row)
    }

    fn into_rows(self) -> Vec<R> {
        self.rows
    }
}
