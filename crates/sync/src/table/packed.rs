//! The subscriptions and keys of one unit, packed: in order, in leaves of some kilobytes. A row costs its bytes and
//! hardly more, a change moves one leaf, and a walk touches memory in order.
//!
//! A row in a leaf: the length of the rest as a number; one byte for kind and form of the id; the id; four bytes for the
//! time of its record; the packed text. Two marks for each row lie in bit masks of the leaf.

use std::cmp::Ordering;

use zonegate_model::Kind;

use super::ids::{Form, Id, read_number, write_number};

/// Most rows of a leaf: bits of a mask.
const MOST_ROWS: u32 = 32;
/// Bytes beyond which a leaf is split; a single larger row has a leaf of its own.
const MOST_BYTES: usize = 8 * 1024;

/// Rows of one unit.
#[derive(Default)]
pub(super) struct PackedRows {
    leaves: Vec<Leaf>,
}

#[derive(Default)]
struct Leaf {
    bytes: Vec<u8>,
    /// Rows that were seen in the pass `pass`; in another pass, none.
    seen: u32,
    /// Rows that the store lacks.
    unwritten: u32,
    pass: u32,
    rows: u32,
}

/// A row, read from its leaf.
#[derive(Clone, Copy)]
pub(super) struct PackedRow<'a> {
    pub(super) kind: Kind,
    pub(super) id: Id<'a>,
    pub(super) recorded: u32,
    pub(super) text: &'a [u8],
}

/// Where a row is, or would be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    leaf: usize,
    offset: usize,
    row: u32,
    pub(super) found: bool,
}

impl<'a> PackedRow<'a> {
    /// Takes a row off the front of `bytes`.
    fn read(bytes: &mut &'a [u8]) -> Self {
        let length = read_number(bytes) as usize;
        let (mut row, rest) = bytes.split_at(length.min(bytes.len()));
        *bytes = rest;
        let (kind, id) = read_key(&mut row);
        let (recorded, text) =
            row.split_first_chunk().map_or((0, row), |(at, text)| (u32::from_le_bytes(*at), text));
        Self { kind, id, recorded, text }
    }

    /// Appends a row.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        write_number(out, (1 + self.id.length() + 4 + self.text.len()) as u64);
        out.push(head(self.kind, &self.id));
        self.id.write(out);
        out.extend_from_slice(&self.recorded.to_le_bytes());
        out.extend_from_slice(self.text);
    }
}

fn read_key<'a>(row: &mut &'a [u8]) -> (Kind, Id<'a>) {
    let head = row.split_off_first().copied().unwrap_or_default();
    let kind = if head & 4 == 0 { Kind::Subscription } else { Kind::ApiKey };
    (kind, Id::read(Form::from_bits(head), row))
}

/// A row that is looked for. Most have an id of 16 bytes and so have those that they are compared with, and a leaf is
/// searched from its front: that way is short.
struct Wanted<'a> {
    kind: Kind,
    id: &'a Id<'a>,
    head: u8,
    number: Option<u128>,
}

impl<'a> Wanted<'a> {
    fn new(kind: Kind, id: &'a Id<'a>) -> Self {
        let number = match id {
            Id::Uuid(bytes) | Id::Hex(bytes) => Some(u128::from_be_bytes(*bytes)),
            Id::Text(_) => None,
        };
        Self { kind, id, head: head(kind, id), number }
    }

    /// The order of rows in a unit: the wanted one against another.
    #[inline]
    fn compare(&self, row: &[u8]) -> Ordering {
        if let Some(number) = self.number
            && let Some((head, rest)) = row.split_first()
            && let Some(bytes) = rest.first_chunk::<16>()
            && *head == self.head
        {
            return number.cmp(&u128::from_be_bytes(*bytes));
        }
        let mut row = row;
        let (kind, id) = read_key(&mut row);
        self.kind.cmp(&kind).then_with(|| self.id.compare(&id))
    }
}

fn head(kind: Kind, id: &Id<'_>) -> u8 {
    u8::from(kind == Kind::ApiKey) << 2 | id.form() as u8
}

/// The mask of a row.
fn bit(row: u32) -> u32 {
    1 << row
}

/// Makes room for a row in a mask.
fn insert_bit(mask: u32, row: u32) -> u32 {
    let below = bit(row) - 1;
    (mask & below) | (mask & !below) << 1
}

/// Takes a row out of a mask.
fn remove_bit(mask: u32, row: u32) -> u32 {
    let below = bit(row) - 1;
    (mask & below) | (mask >> 1 & !below)
}

impl Leaf {
    /// Rows that were seen in a pass.
    fn seen_in(&self, pass: u32) -> u32 {
        if self.pass == pass { self.seen } else { 0 }
    }

    /// Marks a row as seen in a pass. Answers whether it was.
    fn mark(&mut self, row: u32, pass: u32) -> bool {
        let seen = self.seen_in(pass);
        self.pass = pass;
        self.seen = seen | bit(row);
        seen & bit(row) != 0
    }

    /// The mask of all rows.
    fn all(&self) -> u32 {
        if self.rows >= MOST_ROWS { u32::MAX } else { bit(self.rows) - 1 }
    }

    fn rows(&self) -> impl Iterator<Item = PackedRow<'_>> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || (!rest.is_empty()).then(|| PackedRow::read(&mut rest)))
    }

    /// Rows of which the bit is set, with their numbers.
    fn rows_in(&self, mask: u32) -> impl Iterator<Item = PackedRow<'_>> {
        let last = 32 - mask.leading_zeros();
        let rows = self.rows().take(last as usize).enumerate();
        rows.filter(move |(row, _)| mask & bit(*row as u32) != 0).map(|(_, row)| row)
    }

    /// Where a row is, or would be: offset, number, and whether it is there.
    fn find(&self, wanted: &Wanted<'_>) -> (usize, u32, bool) {
        let mut rest = self.bytes.as_slice();
        let mut row = 0;
        while !rest.is_empty() {
            let offset = self.bytes.len() - rest.len();
            let length = read_number(&mut rest) as usize;
            let (here, after) = rest.split_at(length.min(rest.len()));
            match wanted.compare(here) {
                Ordering::Less => return (offset, row, false),
                Ordering::Equal => return (offset, row, true),
                Ordering::Greater => {}
            }
            rest = after;
            row += 1;
        }
        (self.bytes.len(), row, false)
    }

    /// Puts other bytes in the place of some. The buffer has no more room than it needs: there are many, and each is
    /// changed rarely.
    fn splice(&mut self, offset: usize, old: usize, new: &[u8]) {
        let length = self.bytes.len();
        if new.len() > old {
            self.bytes.reserve_exact(new.len() - old);
            self.bytes.resize(length + new.len() - old, 0);
            self.bytes.copy_within(offset + old..length, offset + new.len());
        } else {
            self.bytes.copy_within(offset + old..length, offset + new.len());
            self.bytes.truncate(length + new.len() - old);
        }
        self.bytes[offset..offset + new.len()].copy_from_slice(new);
    }

    /// Cuts a leaf of at least two rows in two, in the middle of its bytes.
    fn split(&mut self) -> Self {
        let mut rest = self.bytes.as_slice();
        let mut rows = 0;
        let mut offset = 0;
        while rows + 1 < self.rows && (rows == 0 || offset < self.bytes.len() / 2) {
            PackedRow::read(&mut rest);
            offset = self.bytes.len() - rest.len();
            rows += 1;
        }
        let right = Self {
            bytes: self.bytes[offset..].to_vec(),
            seen: self.seen >> rows,
            unwritten: self.unwritten >> rows,
            pass: self.pass,
            rows: self.rows - rows,
        };
        self.bytes.truncate(offset);
        self.bytes.shrink_to_fit();
        self.rows = rows;
        self.seen &= self.all();
        self.unwritten &= self.all();
        right
    }
}

impl PackedRows {
    pub(super) fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    pub(super) fn find(&self, kind: Kind, id: &Id<'_>) -> Spot {
        let wanted = Wanted::new(kind, id);
        // The last leaf that begins at or before the row.
        let begins_before = |leaf: &Leaf| {
            let mut first = leaf.bytes.as_slice();
            read_number(&mut first);
            wanted.compare(first) != Ordering::Less
        };
        let leaf = self.leaves.partition_point(begins_before).saturating_sub(1);
        let (offset, row, found) = self.leaves.get(leaf).map_or((0, 0, false), |leaf| leaf.find(&wanted));
        Spot { leaf, offset, row, found }
    }

    pub(super) fn get(&self, spot: Spot) -> Option<PackedRow<'_>> {
        let leaf = self.leaves.get(spot.leaf).filter(|_| spot.found)?;
        Some(PackedRow::read(&mut &leaf.bytes[spot.offset..]))
    }

    /// Puts a packed row in, in the place of what is there, and marks it as seen. The other mark of a row that was there
    /// stays.
    pub(super) fn put(&mut self, spot: Spot, row: &[u8], pass: u32) {
        if spot.found {
            if let Some(leaf) = self.leaves.get_mut(spot.leaf) {
                let old = length_at(&leaf.bytes[spot.offset..]);
                leaf.splice(spot.offset, old, row);
                leaf.mark(spot.row, pass);
            }
            return;
        }
        let alone = || Leaf { bytes: row.to_vec(), rows: 1, seen: 1, unwritten: 0, pass };
        let Some(leaf) = self.leaves.get_mut(spot.leaf) else {
            // Most units have one leaf.
            self.leaves.reserve_exact(1);
            self.leaves.push(alone());
            return;
        };
        if leaf.rows < MOST_ROWS && leaf.bytes.len() + row.len() <= MOST_BYTES {
            leaf.seen = insert_bit(leaf.seen, spot.row);
            leaf.unwritten = insert_bit(leaf.unwritten, spot.row);
            leaf.rows += 1;
            leaf.splice(spot.offset, 0, row);
            leaf.mark(spot.row, pass);
        } else if spot.row == leaf.rows {
            // What grows at its end leaves full leaves behind.
            self.leaves.insert(spot.leaf + 1, alone());
        } else if spot.row == 0 {
            self.leaves.insert(spot.leaf, alone());
        } else {
            let right = leaf.split();
            self.leaves.insert(spot.leaf + 1, right);
            let key = PackedRow::read(&mut &*row);
            self.put(self.find(key.kind, &key.id), row, pass);
        }
    }

    /// Takes a row out.
    pub(super) fn remove(&mut self, spot: Spot) {
        let Some(leaf) = self.leaves.get_mut(spot.leaf).filter(|_| spot.found) else { return };
        let length = length_at(&leaf.bytes[spot.offset..]);
        leaf.splice(spot.offset, length, &[]);
        leaf.bytes.shrink_to_fit();
        leaf.seen = remove_bit(leaf.seen, spot.row);
        leaf.unwritten = remove_bit(leaf.unwritten, spot.row);
        leaf.rows -= 1;
        if leaf.rows == 0 {
            self.leaves.remove(spot.leaf);
        } else {
            self.join(spot.leaf);
        }
    }

    /// Joins a leaf that has become small with the next one, if they fit into one.
    fn join(&mut self, leaf: usize) {
        let [left, right, ..] = &mut self.leaves[leaf..] else { return };
        if left.rows + right.rows > MOST_ROWS / 2 || left.bytes.len() + right.bytes.len() > MOST_BYTES / 2 {
            return;
        }
        let pass = left.pass.max(right.pass);
        left.seen = left.seen_in(pass) | right.seen_in(pass) << left.rows;
        left.unwritten |= right.unwritten << left.rows;
        left.pass = pass;
        left.rows += right.rows;
        left.bytes.reserve_exact(right.bytes.len());
        left.bytes.extend_from_slice(&right.bytes);
        self.leaves.remove(leaf + 1);
    }

    /// Changes the time of a row's record.
    pub(super) fn set_recorded(&mut self, spot: Spot, recorded: u32) {
        let Some(leaf) = self.leaves.get_mut(spot.leaf).filter(|_| spot.found) else { return };
        let row = &leaf.bytes[spot.offset..];
        let mut rest = row;
        read_number(&mut rest);
        read_key(&mut rest);
        let at = spot.offset + row.len() - rest.len();
        if let Some(place) = leaf.bytes.get_mut(at..at + 4) {
            place.copy_from_slice(&recorded.to_le_bytes());
        }
    }

    /// Marks a row as seen in a pass. Answers whether it was.
    pub(super) fn mark(&mut self, spot: Spot, pass: u32) -> bool {
        self.leaves.get_mut(spot.leaf).is_some_and(|leaf| leaf.mark(spot.row, pass))
    }

    pub(super) fn mark_all(&mut self, pass: u32) {
        for leaf in &mut self.leaves {
            leaf.pass = pass;
            leaf.seen = leaf.all();
        }
    }

    /// Whether some row was not seen in a pass.
    pub(super) fn has_unseen(&self, pass: u32) -> bool {
        self.leaves.iter().any(|leaf| leaf.seen_in(pass) != leaf.all())
    }

    pub(super) fn is_unwritten(&self, spot: Spot) -> bool {
        self.leaves.get(spot.leaf).is_some_and(|leaf| spot.found && leaf.unwritten & bit(spot.row) != 0)
    }

    /// Sets or clears the mark that the store lacks the row. Answers whether it was set.
    pub(super) fn set_unwritten(&mut self, spot: Spot, unwritten: bool) -> bool {
        let Some(leaf) = self.leaves.get_mut(spot.leaf).filter(|_| spot.found) else { return false };
        let before = leaf.unwritten & bit(spot.row) != 0;
        if unwritten {
            leaf.unwritten |= bit(spot.row);
        } else {
            leaf.unwritten &= !bit(spot.row);
        }
        before
    }

    /// The store lacks exactly the rows that were not seen in a pass. Answers how many.
    pub(super) fn unseen_are_unwritten(&mut self, pass: u32) -> u32 {
        let mut count = 0;
        for leaf in &mut self.leaves {
            leaf.unwritten = leaf.all() & !leaf.seen_in(pass);
            count += leaf.unwritten.count_ones();
        }
        count
    }

    pub(super) fn clear_unwritten(&mut self) {
        for leaf in &mut self.leaves {
            leaf.unwritten = 0;
        }
    }

    /// All rows, in order.
    pub(super) fn rows(&self) -> impl Iterator<Item = PackedRow<'_>> {
        self.leaves.iter().flat_map(Leaf::rows)
    }

    /// Rows that were not seen in a pass, in order.
    pub(super) fn unseen(&self, pass: u32) -> impl Iterator<Item = PackedRow<'_>> {
        self.leaves.iter().flat_map(move |leaf| leaf.rows_in(leaf.all() & !leaf.seen_in(pass)))
    }

    /// Rows that the store lacks, in order.
    pub(super) fn unwritten(&self) -> impl Iterator<Item = PackedRow<'_>> {
        self.leaves.iter().flat_map(|leaf| leaf.rows_in(leaf.unwritten))
    }
}

/// Bytes of the row at the front, with its length.
fn length_at(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    let length = read_number(&mut rest) as usize;
    bytes.len() - rest.len() + length
}
