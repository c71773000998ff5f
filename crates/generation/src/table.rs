//! A hash table that is shared between generations: cloning it copies a list of pointers, changing it copies the one
//! shard that the row is in, unless nobody else holds that shard.
//!
//! Shards stay small whatever the number of rows, so that the cost of a change does not grow with the table (P4).
//! Rows are packed in vectors with an index of four bytes a row beside them (P5). The caller gives the hash of each
//! key, made with one [`Seed`], since keys come from clients and from foreign systems.

use std::hash::BuildHasher;
use std::mem;
use std::sync::Arc;

use hashbrown::HashTable;

/// Rows in a shard before the number of shards doubles.
const SHARD_ROWS: usize = 256;

/// The random seed of all hashes of a builder and its generations.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seed(foldhash::quality::RandomState);

impl Seed {
    /// Hash of some bytes.
    pub(crate) fn hash(&self, bytes: &[u8]) -> u64 {
        self.0.hash_one(bytes)
    }

    /// Hash of two texts, told apart.
    pub(crate) fn hash_pair(&self, one: &[u8], other: &[u8]) -> u64 {
        self.0.hash_one((one, other))
    }
}

/// A row that knows the hash of its key.
pub(crate) trait Row: Clone {
    /// Hash of the key, always made with the table's seed.
    fn hash(&self, seed: &Seed) -> u64;
}

/// The table. Several rows may have the same key.
#[derive(Clone)]
pub(crate) struct Table<R> {
    /// None, or a power of two.
    shards: Vec<Arc<Shard<R>>>,
    len: usize,
}

#[derive(Clone)]
struct Shard<R> {
    rows: Vec<R>,
    index: HashTable<u32>,
}

impl<R> Default for Table<R> {
    fn default() -> Self {
        Self { shards: Vec::new(), len: 0 }
    }
}

impl<R: Row> Table<R> {
    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The first row with this hash that fits.
    pub(crate) fn find(&self, hash: u64, fits: impl Fn(&R) -> bool) -> Option<&R> {
        self.shard(hash)?.find(hash, fits)
    }

    /// All rows with this hash (or one close to it) that fit.
    pub(crate) fn find_all(&self, hash: u64, fits: impl Fn(&R) -> bool) -> impl Iterator<Item = &R> {
        self.shard(hash)
            .into_iter()
            .flat_map(move |shard| shard.index.iter_hash(hash).map(|at| &shard.rows[*at as usize]))
            .filter(move |row| fits(row))
    }

    /// All rows, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &R> {
        self.shards.iter().flat_map(|shard| &shard.rows)
    }

    /// Adds a row, whatever is there.
    pub(crate) fn insert(&mut self, row: R, seed: &Seed) {
        if self.len >= self.shards.len() * SHARD_ROWS {
            self.grow(seed);
        }
        let hash = row.hash(seed);
        let at = self.place(hash);
        Arc::make_mut(&mut self.shards[at]).insert(hash, row, seed);
        self.len += 1;
    }

    /// Takes the first fitting row out.
    pub(crate) fn remove(&mut self, hash: u64, fits: impl Fn(&R) -> bool, seed: &Seed) -> Option<R> {
        // Looked for first, so that a row that is not there copies nothing.
        self.find(hash, &fits)?;
        let at = self.place(hash);
        let row = Arc::make_mut(&mut self.shards[at]).remove(hash, fits, seed)?;
        self.len -= 1;
        if self.len == 0 {
            self.shards = Vec::new();
        }
        Some(row)
    }

    /// Puts a row in the place of the first fitting one, or adds it.
    pub(crate) fn replace(&mut self, row: R, fits: impl Fn(&R) -> bool, seed: &Seed) -> Option<R> {
        let hash = row.hash(seed);
        if self.find(hash, &fits).is_none() {
            self.insert(row, seed);
            return None;
        }
        let at = self.place(hash);
        let old = Arc::make_mut(&mut self.shards[at]).find_mut(hash, fits)?;
        Some(mem::replace(old, row))
    }

    /// Gives back what vectors hold in reserve. For after a large load.
    pub(crate) fn shrink(&mut self, seed: &Seed) {
        for shard in &mut self.shards {
            if let Some(shard) = Arc::get_mut(shard) {
                shard.shrink(seed);
            }
        }
    }

    fn shard(&self, hash: u64) -> Option<&Shard<R>> {
        if self.shards.is_empty() { None } else { Some(&self.shards[self.place(hash)]) }
    }

    /// From the middle of the hash: the index within a shard uses both ends.
    fn place(&self, hash: u64) -> usize {
        (hash >> 24) as usize & (self.shards.len() - 1)
    }

    fn grow(&mut self, seed: &Seed) {
        let old = mem::take(&mut self.shards);
        let count = (old.len() * 2).max(1);
        self.shards =
            (0..count).map(|_| Arc::new(Shard { rows: Vec::new(), index: HashTable::new() })).collect();
        for shard in old {
            let rows = Arc::try_unwrap(shard).map_or_else(|shared| shared.rows.clone(), |own| own.rows);
            for row in rows {
                let hash = row.hash(seed);
                let at = self.place(hash);
                Arc::make_mut(&mut self.shards[at]).insert(hash, row, seed);
            }
        }
    }
}

impl<R: Row> Shard<R> {
    fn find(&self, hash: u64, fits: impl Fn(&R) -> bool) -> Option<&R> {
        self.index.find(hash, |at| fits(&self.rows[*at as usize])).map(|at| &self.rows[*at as usize])
    }

    fn find_mut(&mut self, hash: u64, fits: impl Fn(&R) -> bool) -> Option<&mut R> {
        let at = *self.index.find(hash, |at| fits(&self.rows[*at as usize]))?;
        self.rows.get_mut(at as usize)
    }

    fn insert(&mut self, hash: u64, row: R, seed: &Seed) {
        let Self { rows, index } = self;
        let at = rows.len() as u32;
        if rows.len() == rows.capacity() {
            // Grows by an eighth instead of doubling: memory per row is a headline number (P5).
            rows.reserve_exact((rows.len() / 8).max(4));
        }
        rows.push(row);
        index.insert_unique(hash, at, |at| rows[*at as usize].hash(seed));
    }

    fn remove(&mut self, hash: u64, fits: impl Fn(&R) -> bool, seed: &Seed) -> Option<R> {
        let Self { rows, index } = self;
        let at = index.find_entry(hash, |at| fits(&rows[*at as usize])).ok()?.remove().0;
        let last = rows.len() as u32 - 1;
        if at != last
            && let Some(moved) = index.find_mut(rows[last as usize].hash(seed), |other| *other == last)
        {
            *moved = at;
        }
        Some(rows.swap_remove(at as usize))
    }

    fn shrink(&mut self, seed: &Seed) {
        let Self { rows, index } = self;
        rows.shrink_to_fit();
        index.shrink_to_fit(|at| rows[*at as usize].hash(seed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[derive(Clone, Debug, PartialEq)]
    struct Pair(u16, u32);

    impl Row for Pair {
        fn hash(&self, seed: &Seed) -> u64 {
            seed.hash(&self.0.to_le_bytes())
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Replace(u16, u32),
        Remove(u16),
        Keep,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (0..600u16, any::<u32>()).prop_map(|(key, value)| Step::Replace(key, value)),
            2 => (0..600u16).prop_map(Step::Remove),
            1 => Just(Step::Keep),
        ]
    }

    proptest! {
        #[test]
        fn s2_a_table_behaves_like_a_map_and_a_clone_never_changes(steps in prop::collection::vec(step(), 0..900)) {
            let seed = Seed::default();
            let mut table = Table::default();
            let mut model = HashMap::new();
            let mut kept: Vec<(Table<Pair>, HashMap<u16, u32>)> = Vec::new();
            for step in steps {
                match step {
                    Step::Replace(key, value) => {
                        let old = table.replace(Pair(key, value), |row| row.0 == key, &seed);
                        prop_assert_eq!(old.map(|row| row.1), model.insert(key, value));
                    }
                    Step::Remove(key) => {
                        let old = table.remove(seed.hash(&key.to_le_bytes()), |row: &Pair| row.0 == key, &seed);
                        prop_assert_eq!(old.map(|row| row.1), model.remove(&key));
                    }
                    Step::Keep => kept.push((table.clone(), model.clone())),
                }
            }
            kept.push((table, model));
            for (table, model) in kept.iter().rev().take(20) {
                prop_assert_eq!(table.len(), model.len());
                prop_assert_eq!(table.iter().count(), model.len());
                for (key, value) in model {
                    let found = table.find(seed.hash(&key.to_le_bytes()), |row| row.0 == *key);
                    prop_assert_eq!(found, Some(&Pair(*key, *value)));
                }
            }
        }
    }

    #[test]
    fn p4_a_change_copies_one_shard_of_bounded_size_whatever_the_number_of_rows() {
        let seed = Seed::default();
        let mut table = Table::default();
        for key in 0..20_000u16 {
            table.insert(Pair(key, 0), &seed);
        }
        let before = table.clone();
        table.replace(Pair(7, 1), |row| row.0 == 7, &seed);
        let copied: Vec<_> =
            table.shards.iter().zip(&before.shards).filter(|(one, other)| !Arc::ptr_eq(one, other)).collect();
        assert_eq!(copied.len(), 1);
        assert!(table.shards.iter().all(|shard| shard.rows.len() < 2 * SHARD_ROWS));
    }

    #[test]
    fn rows_with_the_same_key_live_side_by_side() {
        let seed = Seed::default();
        let mut table = Table::default();
        table.insert(Pair(1, 10), &seed);
        table.insert(Pair(1, 11), &seed);
        let hash = seed.hash(&1u16.to_le_bytes());
        assert_eq!(table.find_all(hash, |row| row.0 == 1).count(), 2);
        table.remove(hash, |row| row.1 == 10, &seed);
        assert_eq!(table.find_all(hash, |row| row.0 == 1).map(|row| row.1).collect::<Vec<_>>(), [11]);
    }
}
