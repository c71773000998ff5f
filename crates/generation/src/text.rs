//! Ids and keys in 17 bytes, whatever they are: most are UUIDs, which take 16 bytes instead of a text on the heap (P5).

use std::fmt;
use std::sync::Arc;

use subtle::ConstantTimeEq;

use crate::table::{Row, Seed, Table};

/// Length of a UUID in its canonical form.
pub(crate) const UUID_LENGTH: usize = 36;
/// Bytes that are held in place.
const PLACE: usize = 16;
/// The bytes are a UUID's.
const UUID: u8 = 0xff;
/// The bytes are the handle of a text in [`LongTexts`].
const LONG: u8 = 0xfe;

/// A text of some [`Credentials`](crate::Credentials). No `Debug`, since it may be a secret (L3).
#[derive(Clone, Copy)]
pub struct Text<'a> {
    packed: Packed,
    long: &'a str,
}

impl<'a> Text<'a> {
    /// The text. A UUID is spelled out in `buffer`; nothing is allocated.
    pub fn spell<'b>(&'b self, buffer: &'b mut [u8; UUID_LENGTH]) -> &'b [u8] {
        match self.packed.form {
            UUID => {
                spell_uuid(self.packed.bytes, buffer);
                buffer
            }
            LONG => self.long.as_bytes(),
            length => &self.packed.bytes[..usize::from(length)],
        }
    }

    /// The packed text, and what [`LongTexts`] has of it.
    pub(crate) fn new(packed: Packed, long: &'a LongTexts) -> Self {
        Self { packed, long: if packed.is_long() { long.get(packed) } else { "" } }
    }
}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        self.spell(&mut [0; UUID_LENGTH]) == other.as_bytes()
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.spell(&mut [0; UUID_LENGTH])))
    }
}

/// A UUID in its canonical form, a text of up to 16 bytes, or the handle of a longer one.
#[derive(Clone, Copy)]
pub(crate) struct Packed {
    bytes: [u8; PLACE],
    form: u8,
}

impl Packed {
    /// Packs a text of any bytes, unless it is a long one.
    #[inline]
    pub(crate) fn new(text: &[u8]) -> Option<Self> {
        if let Some(bytes) = parse_uuid(text) {
            return Some(Self { bytes, form: UUID });
        }
        let mut bytes = [0; PLACE];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self { bytes, form: text.len() as u8 })
    }

    fn handle(hash: u64, number: u32) -> Self {
        let mut bytes = [0; PLACE];
        bytes[..8].copy_from_slice(&hash.to_le_bytes());
        bytes[8..12].copy_from_slice(&number.to_le_bytes());
        Self { bytes, form: LONG }
    }

    /// Whether both are the same text, in a time that does not depend on them.
    #[inline]
    pub(crate) fn is(&self, other: &Self) -> bool {
        let [own, other_bytes] = [self.bytes, other.bytes].map(u128::from_le_bytes);
        bool::from(own.ct_eq(&other_bytes) & self.form.ct_eq(&other.form))
    }

    #[inline]
    pub(crate) fn hash(&self, seed: &Seed) -> u64 {
        seed.hash_packed(u128::from_le_bytes(self.bytes), self.form)
    }

    fn is_long(self) -> bool {
        self.form == LONG
    }
}

impl PartialEq for Packed {
    fn eq(&self, other: &Self) -> bool {
        self.is(other)
    }
}

/// Texts that do not fit in place, each once, with the number of places where it is used.
#[derive(Clone, Default)]
pub(crate) struct LongTexts(Table<LongText, 16>);

#[derive(Clone)]
struct LongText {
    text: Arc<str>,
    handle: Packed,
    uses: u32,
}

impl Row for LongText {
    fn hash(&self, _: &Seed) -> u64 {
        self.handle.long_hash()
    }
}

impl Packed {
    fn long_hash(self) -> u64 {
        let [hash, ..] = self.bytes.as_chunks().0 else { return 0 };
        u64::from_le_bytes(*hash)
    }
}

impl LongTexts {
    /// A text, if it is in use.
    pub(crate) fn find(&self, text: &[u8], seed: &Seed) -> Option<Packed> {
        let is = |row: &LongText| bool::from(row.text.as_bytes().ct_eq(text));
        self.0.find(seed.hash(text), is).map(|row| row.handle)
    }

    fn get(&self, handle: Packed) -> &str {
        self.0.find(handle.long_hash(), |row| row.handle == handle).map_or("", |row| &row.text)
    }

    /// Packs a text that a row is going to hold.
    pub(crate) fn hold(&mut self, text: &str, seed: &Seed) -> Packed {
        if let Some(packed) = Packed::new(text.as_bytes()) {
            return packed;
        }
        let hash = seed.hash(text.as_bytes());
        let known = self.0.find(hash, |row| *row.text == *text).cloned();
        let row = known.map_or_else(
            || LongText { text: text.into(), handle: self.free_handle(hash), uses: 1 },
            |row| LongText { uses: row.uses + 1, ..row },
        );
        let handle = row.handle;
        self.0.replace(row, |other| other.handle == handle, seed);
        handle
    }

    /// Two texts with one hash are told apart by a number.
    fn free_handle(&self, hash: u64) -> Packed {
        let mut number = 0;
        while self.0.find(hash, |row| row.handle == Packed::handle(hash, number)).is_some() {
            number += 1;
        }
        Packed::handle(hash, number)
    }

    /// A row holds these texts no longer.
    pub(crate) fn release_all(&mut self, texts: impl IntoIterator<Item = Packed>, seed: &Seed) {
        texts.into_iter().filter(|text| text.is_long()).for_each(|text| self.release(text, seed));
    }

    fn release(&mut self, handle: Packed, seed: &Seed) {
        let hash = handle.long_hash();
        let Some(row) = self.0.find(hash, |row| row.handle == handle).cloned() else { return };
        if row.uses > 1 {
            self.0.replace(LongText { uses: row.uses - 1, ..row }, |other| other.handle == handle, seed);
        } else {
            self.0.remove(hash, |other| other.handle == handle);
        }
    }

    /// Whether a handle means the same text in both.
    pub(crate) fn agree(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self.0.iter().all(|row| {
                let same = |own: &LongText| own.handle == row.handle && own.text == row.text;
                other.0.find(row.handle.long_hash(), same).is_some()
            })
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Where each byte of a UUID stands in its canonical form.
const AT: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/// The two digits of each byte.
const DIGITS: [[u8; 2]; 256] = {
    let mut digits = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        let hex = b"0123456789abcdef";
        digits[byte] = [hex[byte >> 4], hex[byte & 15]];
        byte += 1;
    }
    digits
};

const NONE: u8 = 0x80;

/// The value of each digit, [`NONE`] for what is none. Lower case only: that is what `spell` writes, so that packing
/// loses nothing.
const VALUES: [u8; 256] = {
    let mut values = [NONE; 256];
    let mut value = 0;
    while value < 16 {
        values[DIGITS[value][1] as usize] = value as u8;
        value += 1;
    }
    values
};

fn spell_uuid(bytes: [u8; 16], buffer: &mut [u8; UUID_LENGTH]) {
    *buffer = [b'-'; UUID_LENGTH];
    for (byte, at) in bytes.into_iter().zip(AT) {
        [buffer[at], buffer[at + 1]] = DIGITS[usize::from(byte)];
    }
}

/// Without a branch for each digit: this is on the way of each request with a key.
#[inline]
fn parse_uuid(text: &[u8]) -> Option<[u8; 16]> {
    let text: &[u8; UUID_LENGTH] = text.try_into().ok()?;
    let mut wrong = 0;
    let bytes = AT.map(|at| {
        let (high, low) = (VALUES[usize::from(text[at])], VALUES[usize::from(text[at + 1])]);
        wrong |= high | low;
        high << 4 | low
    });
    let dashes = [8, 13, 18, 23].map(|at| text[at]);
    (wrong & NONE == 0 && dashes == *b"----").then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CANONICAL: &str = "a186f8fd-7893-4188-86f8-fd7893818882";

    #[test]
    fn p5_a_packed_text_has_17_bytes() {
        assert_eq!(size_of::<Packed>(), 17);
    }

    #[test]
    fn s6_only_the_canonical_form_of_a_uuid_is_taken_apart() {
        assert_eq!(Packed::new(CANONICAL.as_bytes()).map(|packed| packed.form), Some(UUID));
        for other in [
            CANONICAL.to_uppercase(),
            CANONICAL.replace('-', "0"),
            format!("{CANONICAL} "),
            CANONICAL.replace("a1", "A1"),
        ] {
            assert!(Packed::new(other.as_bytes()).is_none(), "{other}");
        }
    }

    #[test]
    fn s6_a_text_is_not_the_uuid_or_the_padded_text_whose_bytes_it_has() {
        let uuid = Packed::new(b"61626364-6566-6768-696a-6b6c6d6e6f70");
        assert!(uuid != Packed::new(b"abcdefghijklmnop"));
        assert!(Packed::new(b"abc") != Packed::new(b"abc\0"));
    }

    #[test]
    fn l2_a_long_text_is_held_once_and_as_long_as_it_is_used() {
        let (seed, mut long) = (Seed::default(), LongTexts::default());
        let text = "longer than sixteen bytes";
        let [one, other] = [long.hold(text, &seed), long.hold(text, &seed)];
        assert!(one == other && long.len() == 1);
        long.release_all([one], &seed);
        assert!(long.find(text.as_bytes(), &seed).is_some());
        long.release_all([other], &seed);
        assert!(long.len() == 0 && long.find(text.as_bytes(), &seed).is_none());
    }

    proptest! {
        #[test]
        fn packing_loses_nothing(
            one in "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|.{0,40}|[0-9a-f-]{36}|[0-9a-zA-F-]{36}",
            other in "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|.{0,40}",
        ) {
            let (seed, mut long) = (Seed::default(), LongTexts::default());
            let [packed, packed_other] = [&one, &other].map(|text| long.hold(text, &seed));
            let text = Text::new(packed, &long);
            prop_assert_eq!(text.to_string(), one.clone());
            prop_assert!(text == *one);
            prop_assert_eq!(text == *other, one == other);
            prop_assert_eq!(packed == packed_other, one == other);
        }

        #[test]
        fn l2_as_many_long_texts_are_held_as_are_in_use(steps in prop::collection::vec((0..4u8, any::<bool>()), 0..60)) {
            let (seed, mut long) = (Seed::default(), LongTexts::default());
            let mut held: [Vec<Packed>; 4] = Default::default();
            for (which, hold) in steps {
                let (text, held) = (format!("a text that is too long {which}"), &mut held[usize::from(which)]);
                if hold {
                    held.push(long.hold(&text, &seed));
                } else if let Some(packed) = held.pop() {
                    long.release_all([packed], &seed);
                }
                prop_assert_eq!(long.find(text.as_bytes(), &seed).is_some(), !held.is_empty());
            }
            prop_assert_eq!(long.len(), held.iter().filter(|held| !held.is_empty()).count());
        }
    }
}
