//! Texts that come again and again (plans, applications, names), each kept once and counted.
//!
//! Only what was seen twice is kept: most values of a row (its key, its subscription) are never seen again.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

/// Shorter texts are not worth an entry, longer ones do not repeat.
const WORTH_KEEPING: std::ops::RangeInclusive<usize> = 4..=128;
/// Most bits of the memory of what was seen once: 1 MiB.
const MOST_SEEN_BITS: usize = 8 << 20;

/// Values by number.
#[derive(Default)]
pub(super) struct Values {
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_text: HashTable<u32>,
    hasher: RandomState,
    seen: Seen,
}

/// A value; without rows that use it, a free place.
#[derive(Default)]
struct Slot {
    text: Box<[u8]>,
    /// Rows that use it, counted per use.
    uses: u32,
}

impl Values {
    /// The number of a value for one more use, if it is kept. A value that was seen before is kept from now on.
    pub(super) fn use_value(&mut self, text: &[u8]) -> Option<u32> {
        if !WORTH_KEEPING.contains(&text.len()) {
            return None;
        }
        let hash = self.hasher.hash_one(text);
        let known = self.by_text.find(hash, |slot| *self.slots[*slot as usize].text == *text).copied();
        let number = match known {
            Some(number) => number,
            None if self.seen.before(hash) => self.keep(text, hash),
            None => return None,
        };
        let uses = &mut self.slots[number as usize].uses;
        *uses = uses.saturating_add(1);
        Some(number)
    }

    fn keep(&mut self, text: &[u8], hash: u64) -> u32 {
        let slot = Slot { text: text.into(), uses: 0 };
        let number = if let Some(number) = self.free.pop() {
            self.slots[number as usize] = slot;
            number
        } else {
            self.slots.push(slot);
            (self.slots.len() - 1) as u32
        };
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.by_text.insert_unique(hash, number, |slot| hasher.hash_one(&*slots[*slot as usize].text));
        number
    }

    /// The text of a value in use.
    pub(super) fn text(&self, number: u32) -> &[u8] {
        self.slots.get(number as usize).map_or(&[], |slot| &slot.text)
    }

    /// One use less. A count that reached its limit is not known any more and stays.
    pub(super) fn release(&mut self, number: u32) {
        let Some(slot) = self.slots.get_mut(number as usize) else { return };
        if slot.uses == u32::MAX {
            return;
        }
        slot.uses = slot.uses.saturating_sub(1);
        if slot.uses == 0 {
            let hash = self.hasher.hash_one(&*slot.text);
            slot.text = Box::default();
            if let Ok(entry) = self.by_text.find_entry(hash, |other| *other == number) {
                entry.remove();
            }
            self.free.push(number);
        }
    }

    /// Values that are kept.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_text.len()
    }
}

/// Whether something was seen before, with few false answers and in bounded memory: two bits each, begun anew when a
/// twelfth of the bits was used. Grows with use.
#[derive(Default)]
pub(super) struct Seen {
    bits: Vec<u64>,
    used: usize,
}

impl Seen {
    /// Whether this hash was seen before; from now on it was.
    pub(super) fn before(&mut self, hash: u64) -> bool {
        if self.used * 12 >= self.bits.len() * 64 {
            let bits = (self.bits.len() * 64 * 4).clamp(4096, MOST_SEEN_BITS);
            self.bits.clear();
            self.bits.resize(bits / 64, 0);
            self.used = 0;
        }
        let mask = self.bits.len() * 64 - 1;
        let mut before = true;
        for place in [hash as usize & mask, (hash >> 32) as usize & mask] {
            let bit = 1 << (place % 64);
            before &= self.bits[place / 64] & bit != 0;
            self.bits[place / 64] |= bit;
        }
        self.used += usize::from(!before);
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_kept_from_its_second_use_to_its_last() {
        let mut values = Values::default();
        assert_eq!(values.use_value(b"application"), None);
        let number = values.use_value(b"application").unwrap();
        assert_eq!(values.use_value(b"application"), Some(number));
        assert_eq!(values.text(number), b"application");
        values.release(number);
        assert_eq!(values.len(), 1);
        values.release(number);
        assert_eq!(values.len(), 0, "nobody uses it");
        assert_eq!(values.use_value(b"application"), Some(number), "its place is used again");
    }

    #[test]
    fn what_never_comes_again_is_not_kept() {
        let mut values = Values::default();
        let mut kept = 0;
        for number in 0..100_000 {
            kept += usize::from(values.use_value(format!("value {number}").as_bytes()).is_some());
        }
        assert!(kept < 2_000, "{kept} of 100,000 values were kept after one use");
        assert!(values.seen.bits.len() * 8 <= 1 << 20);
    }
}
