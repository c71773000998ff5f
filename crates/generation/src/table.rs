//! A hash table that generations share: cloning it copies one pointer, changing it copies the path to one small leaf, and
//! what nobody else holds is changed in place.
//!
//! It is a trie over the bits of the hash, four ways at each step, with leaves of up to `LEAF` rows. So the cost of a change
//! does not grow with the table but by a step for four times the rows (P4), and rows are packed with four bytes each
//! beside them (P5). Hashes are made with one random [`Seed`], since keys come from clients and from foreign systems.
//!
//! What a change costs on a large table is memory that no cache holds: whoever copies a node counts up the references of
//! all that it points to. So ways are few, and leaves of rows that are pointers are small; leaves of plain rows are large,
//! since copying them is one move.

use std::array;
use std::hash::BuildHasher;
use std::mem;
use std::sync::Arc;

/// Bits of the hash that one step takes.
const STEP: u32 = 2;
const WAYS: usize = 1 << STEP;
/// Steps after which a leaf grows however long: rows with equal hashes cannot be told apart by more.
const STEPS: u32 = 15;

/// The random seed of all hashes of a builder and its generations.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seed(foldhash::quality::RandomState);

impl Seed {
    /// Hash of some bytes.
    pub(crate) fn hash(&self, bytes: &[u8]) -> u64 {
        self.0.hash_one(bytes)
    }

    /// Hash of a packed text.
    #[inline]
    pub(crate) fn hash_packed(&self, bytes: u128, form: u8) -> u64 {
        self.0.hash_one((bytes, form))
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

/// The table, with leaves of up to `LEAF` rows. Several rows may have the same key.
pub(crate) struct Table<R, const LEAF: usize> {
    root: Node<R>,
    len: usize,
}

enum Node<R> {
    Empty,
    Leaf(Arc<Leaf<R>>),
    Branch(Arc<[Node<R>; WAYS]>),
}

#[derive(Clone)]
struct Leaf<R> {
    /// The upper half of each row's hash, in the order of the rows.
    tags: Vec<u32>,
    rows: Vec<R>,
}

impl<R, const LEAF: usize> Default for Table<R, LEAF> {
    fn default() -> Self {
        Self { root: Node::Empty, len: 0 }
    }
}

impl<R, const LEAF: usize> Clone for Table<R, LEAF> {
    fn clone(&self) -> Self {
        Self { root: self.root.clone(), len: self.len }
    }
}

impl<R> Clone for Node<R> {
    fn clone(&self) -> Self {
        match self {
            Self::Empty => Self::Empty,
            Self::Leaf(leaf) => Self::Leaf(leaf.clone()),
            Self::Branch(branch) => Self::Branch(branch.clone()),
        }
    }
}

const fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

const fn way(hash: u64, step: u32) -> usize {
    (hash >> (step * STEP)) as usize % WAYS
}

impl<R: Row, const LEAF: usize> Table<R, LEAF> {
    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The first row with this hash that fits.
    pub(crate) fn find(&self, hash: u64, fits: impl Fn(&R) -> bool) -> Option<&R> {
        self.find_all(hash, fits).next()
    }

    /// All rows with this hash (or one close to it) that fit.
    pub(crate) fn find_all(&self, hash: u64, fits: impl Fn(&R) -> bool) -> impl Iterator<Item = &R> {
        let leaf = self.leaf(hash);
        let (tags, rows) = leaf.map_or((&[][..], &[][..]), |leaf| (&*leaf.tags, &*leaf.rows));
        let tagged = tags.iter().zip(rows).filter(move |(own, _)| **own == tag(hash)).map(|(_, row)| row);
        tagged.filter(move |row| fits(row))
    }

    /// All rows, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &R> {
        let mut nodes = vec![&self.root];
        let leaves = std::iter::from_fn(move || {
            loop {
                match nodes.pop()? {
                    Node::Empty => {}
                    Node::Leaf(leaf) => return Some(&leaf.rows),
                    Node::Branch(branch) => nodes.extend(branch.iter()),
                }
            }
        });
        leaves.flatten()
    }

    /// Adds a row, whatever is there.
    pub(crate) fn insert(&mut self, row: R, seed: &Seed) {
        let hash = row.hash(seed);
        self.root.insert::<LEAF>(hash, row, 0, seed);
        self.len += 1;
    }

    /// Takes the first fitting row out.
    pub(crate) fn remove(&mut self, hash: u64, fits: impl Fn(&R) -> bool) -> Option<R> {
        // Looked for first, so that a row that is not there copies nothing.
        self.find(hash, &fits)?;
        let leaf = self.root.leaf_mut(hash)?;
        let at = leaf.position(hash, fits)?;
        leaf.tags.swap_remove(at);
        let row = leaf.rows.swap_remove(at);
        self.len -= 1;
        if self.len == 0 {
            self.root = Node::Empty;
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
        let leaf = self.root.leaf_mut(hash)?;
        let at = leaf.position(hash, fits)?;
        leaf.rows.get_mut(at).map(|old| mem::replace(old, row))
    }

    /// A table of these rows, whose leaves take no more memory than they need.
    pub(crate) fn build(rows: &[R], seed: &Seed) -> Self {
        let mut hashed: Vec<_> = rows.iter().map(|row| (row.hash(seed), row)).collect();
        // In the order of the first step, then of the second, and so on.
        hashed.sort_unstable_by_key(|(hash, _)| hash.reverse_bits());
        Self { root: Node::build::<LEAF>(&hashed, 0), len: rows.len() }
    }

    fn leaf(&self, hash: u64) -> Option<&Leaf<R>> {
        let mut node = &self.root;
        for step in 0.. {
            match node {
                Node::Empty => return None,
                Node::Leaf(leaf) => return Some(leaf),
                Node::Branch(branch) => node = &branch[way(hash, step)],
            }
        }
        None
    }
}

impl<R: Row> Node<R> {
    /// The leaf for a hash, ready to be changed: whatever is shared on the way to it is copied.
    fn leaf_mut(&mut self, hash: u64) -> Option<&mut Leaf<R>> {
        let mut node = self;
        for step in 0.. {
            match node {
                Self::Empty => return None,
                Self::Leaf(leaf) => return Some(Arc::make_mut(leaf)),
                Self::Branch(branch) => node = &mut Arc::make_mut(branch)[way(hash, step)],
            }
        }
        None
    }

    fn insert<const LEAF: usize>(&mut self, hash: u64, row: R, step: u32, seed: &Seed) {
        match self {
            Self::Empty => *self = Self::Leaf(Arc::new(Leaf { tags: vec![tag(hash)], rows: vec![row] })),
            Self::Branch(branch) => {
                Arc::make_mut(branch)[way(hash, step)].insert::<LEAF>(hash, row, step + 1, seed);
            }
            Self::Leaf(leaf) if leaf.rows.len() < LEAF || step == STEPS => {
                let leaf = Arc::make_mut(leaf);
                grow(&mut leaf.tags);
                leaf.tags.push(tag(hash));
                grow(&mut leaf.rows);
                leaf.rows.push(row);
            }
            Self::Leaf(leaf) => {
                let rows = match Arc::get_mut(leaf) {
                    Some(leaf) => mem::take(&mut leaf.rows),
                    None => leaf.rows.clone(),
                };
                let mut branch: [Self; WAYS] = array::from_fn(|_| Self::Empty);
                for row in rows.into_iter().chain([row]) {
                    let hash = row.hash(seed);
                    branch[way(hash, step)].insert::<LEAF>(hash, row, step + 1, seed);
                }
                *self = Self::Branch(Arc::new(branch));
            }
        }
    }
}

impl<R: Clone> Node<R> {
    /// Of rows in the order of their ways from this step on.
    fn build<const LEAF: usize>(mut rows: &[(u64, &R)], step: u32) -> Self {
        if rows.is_empty() {
            return Self::Empty;
        }
        if rows.len() <= LEAF || step == STEPS {
            let tags = rows.iter().map(|(hash, _)| tag(*hash)).collect();
            let rows = rows.iter().map(|(_, row)| R::clone(row)).collect();
            return Self::Leaf(Arc::new(Leaf { tags, rows }));
        }
        let mut branch: [Self; WAYS] = array::from_fn(|_| Self::Empty);
        while let Some((hash, _)) = rows.first() {
            let at = way(*hash, step);
            let (those, rest) = rows.split_at(
                rows.partition_point(|(hash, _)| way(*hash, step).reverse_bits() <= at.reverse_bits()),
            );
            branch[at] = Self::build::<LEAF>(those, step + 1);
            rows = rest;
        }
        Self::Branch(Arc::new(branch))
    }
}

/// Makes room by an eighth instead of doubling: memory per row is a headline number (P5).
fn grow<T>(vector: &mut Vec<T>) {
    if vector.len() == vector.capacity() {
        vector.reserve_exact(vector.len() / 8 + 1);
    }
}

impl<R> Leaf<R> {
    fn position(&self, hash: u64, fits: impl Fn(&R) -> bool) -> Option<usize> {
        self.tags.iter().zip(&self.rows).position(|(own, row)| *own == tag(hash) && fits(row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    const LEAF: usize = 8;

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
            let mut table = Table::<Pair, LEAF>::default();
            let mut model = HashMap::new();
            let mut kept: Vec<(Table<Pair, LEAF>, HashMap<u16, u32>)> = Vec::new();
            for step in steps {
                match step {
                    Step::Replace(key, value) => {
                        let old = table.replace(Pair(key, value), |row| row.0 == key, &seed);
                        prop_assert_eq!(old.map(|row| row.1), model.insert(key, value));
                    }
                    Step::Remove(key) => {
                        let old = table.remove(seed.hash(&key.to_le_bytes()), |row: &Pair| row.0 == key);
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

    proptest! {
        #[test]
        fn s2_a_table_that_is_built_at_once_holds_the_same_rows(keys in prop::collection::vec(any::<u16>(), 0..3000)) {
            let seed = Seed::default();
            let rows: Vec<_> = keys.iter().enumerate().map(|(at, key)| Pair(*key, at as u32)).collect();
            let mut table = Table::<Pair, LEAF>::build(&rows, &seed);
            prop_assert_eq!(table.len(), rows.len());
            for row in &rows {
                let found = table.find_all(seed.hash(&row.0.to_le_bytes()), |other| other == row);
                prop_assert_eq!(found.count(), 1);
            }
            for row in &rows {
                prop_assert!(table.remove(seed.hash(&row.0.to_le_bytes()), |other| other == row).is_some());
            }
            prop_assert_eq!(table.len(), 0);
        }
    }

    /// Leaves of both that are not the same.
    fn copied<'a>(one: &'a Node<Pair>, other: &'a Node<Pair>) -> Vec<&'a Leaf<Pair>> {
        match (one, other) {
            (Node::Branch(one), Node::Branch(other)) if Arc::ptr_eq(one, other) => Vec::new(),
            (Node::Branch(one), Node::Branch(other)) => {
                one.iter().zip(other.iter()).flat_map(|(one, other)| copied(one, other)).collect()
            }
            (Node::Leaf(one), Node::Leaf(other)) if Arc::ptr_eq(one, other) => Vec::new(),
            (Node::Leaf(one), _) => vec![one],
            _ => Vec::new(),
        }
    }

    #[test]
    fn p4_a_change_copies_one_leaf_of_bounded_size_whatever_the_number_of_rows() {
        let seed = Seed::default();
        for rows in [1000, 60_000u16] {
            let mut table = Table::<Pair, LEAF>::default();
            (0..rows).for_each(|key| table.insert(Pair(key, 0), &seed));
            let before = table.clone();
            table.replace(Pair(7, 1), |row| row.0 == 7, &seed);
            let copies = copied(&table.root, &before.root);
            assert!(copies.len() == 1 && copies[0].rows.len() <= LEAF);
            let hash = seed.hash(&7u16.to_le_bytes());
            assert_eq!(before.find(hash, |row| row.0 == 7), Some(&Pair(7, 0)));
        }
    }

    #[test]
    fn l1_rows_whose_hashes_are_all_the_same_are_still_kept_apart() {
        #[derive(Clone)]
        struct Same(usize);
        impl Row for Same {
            fn hash(&self, _: &Seed) -> u64 {
                0
            }
        }
        let seed = Seed::default();
        let mut table = Table::<Same, LEAF>::default();
        (0..200).for_each(|number| table.insert(Same(number), &seed));
        assert!((0..200).all(|number| table.remove(0, |row| row.0 == number).is_some()));
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn rows_with_the_same_key_live_side_by_side() {
        let seed = Seed::default();
        let mut table = Table::<Pair, LEAF>::default();
        table.insert(Pair(1, 10), &seed);
        table.insert(Pair(1, 11), &seed);
        let hash = seed.hash(&1u16.to_le_bytes());
        assert_eq!(table.find_all(hash, |row| row.0 == 1).count(), 2);
        table.remove(hash, |row| row.1 == 10);
        assert_eq!(table.find_all(hash, |row| row.0 == 1).map(|row| row.1).collect::<Vec<_>>(), [11]);
    }
}
