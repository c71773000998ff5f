//! Texts that come again and again (plans, applications, names), each kept once and counted.
//!
//! Only what was seen twice is kept: most values of a row (its key, its subscription) are never seen again.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::ids::Id;

/// Shorter texts are not worth an entry, longer ones do not repeat.
const WORTH_KEEPING: std::ops::RangeInclusive<usize> = 4..=128;
/// Most bits of the memory of what was seen once: 1 MiB.
const MOST_SEEN_BITS: usize = 8 << 20;

/// Values by number: about 28 bytes for one that is a UUID.
#[derive(Default)]
pub(super) struct Values {
    kept: Vec<Value>,
    /// Rows that use the value of the same number, counted per use; 0 for a free number.
    uses: Vec<u32>,
    free: Vec<u32>,
    /// Values that are no UUIDs.
    texts: Vec<Box<[u8]>>,
    free_texts: Vec<u32>,
    by_text: HashTable<u32>,
    hasher: RandomState,
    seen: Seen,
}

#[derive(Clone, Copy)]
enum Value {
    Uuid([u8; 16]),
    /// The number of a text, in bytes so that a value needs no alignment.
    Text([u8; 4]),
}

impl Values {
    /// The number of a value for one more use, if it is kept. A value that was seen before is kept from now on.
    pub(super) fn use_value(&mut self, text: &[u8]) -> Option<u32> {
        if !WORTH_KEEPING.contains(&text.len()) {
            return None;
        }
        let id = Id::of(text);
        let hash = hash_of(&self.hasher, &id);
        let known = self.by_text.find(hash, |number| self.get(*number) == id).copied();
        let number = match known {
            Some(number) => number,
            None if self.seen.before(hash) => self.keep(&id, hash),
            None => return None,
        };
        let uses = &mut self.uses[number as usize];
        *uses = uses.saturating_add(1);
        Some(number)
    }

    fn keep(&mut self, id: &Id<'_>, hash: u64) -> u32 {
        let value = match id {
            Id::Uuid(bytes) => Value::Uuid(*bytes),
            Id::Hex(_) | Id::Text(_) => {
                let mut text = Vec::new();
                id.render(&mut text);
                Value::Text(place(&mut self.texts, &mut self.free_texts, text.into()).to_le_bytes())
            }
        };
        let number = place(&mut self.kept, &mut self.free, value);
        self.uses.resize(self.kept.len(), 0);
        let Self { kept, texts, hasher, by_text, .. } = self;
        by_text.insert_unique(hash, number, |number| {
            hash_of(hasher, &kept.get(*number as usize).map_or(Id::Text(&[]), |value| value.id(texts)))
        });
        number
    }

    /// A value in use.
    pub(super) fn get(&self, number: u32) -> Id<'_> {
        self.kept.get(number as usize).map_or(Id::Text(&[]), |value| value.id(&self.texts))
    }

    /// One use less. A count that reached its limit is not known any more and stays.
    pub(super) fn release(&mut self, number: u32) {
        let Some(uses) = self.uses.get_mut(number as usize).filter(|uses| !matches!(**uses, 0 | u32::MAX))
        else {
            return;
        };
        *uses -= 1;
        if *uses > 0 {
            return;
        }
        let hash = hash_of(&self.hasher, &self.get(number));
        if let Ok(entry) = self.by_text.find_entry(hash, |other| *other == number) {
            entry.remove();
        }
        if let Value::Text(text) = self.kept[number as usize] {
            let text = u32::from_le_bytes(text);
            self.texts[text as usize] = Box::default();
            self.free_texts.push(text);
        }
        self.free.push(number);
    }

    /// Values that are kept.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_text.len()
    }
}

impl Value {
    fn id<'a>(&self, texts: &'a [Box<[u8]>]) -> Id<'a> {
        match self {
            Self::Uuid(bytes) => Id::Uuid(*bytes),
            Self::Text(text) => {
                Id::of(texts.get(u32::from_le_bytes(*text) as usize).map_or(&[], |text| &**text))
            }
        }
    }
}

/// Puts something into a free place, or a new one.
pub(super) fn place<T>(places: &mut Vec<T>, free: &mut Vec<u32>, value: T) -> u32 {
    if let Some(number) = free.pop() {
        places[number as usize] = value;
        return number;
    }
    places.push(value);
    (places.len() - 1) as u32
}

fn hash_of(hasher: &RandomState, id: &Id<'_>) -> u64 {
    match id {
        Id::Uuid(bytes) | Id::Hex(bytes) => hasher.hash_one(bytes),
        Id::Text(text) => hasher.hash_one(text),
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
        assert_eq!(values.get(number), Id::Text(b"application"));
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
