//! Ids and keys in 24 bytes: most are UUIDs, which take 16 bytes instead of a text on the heap (P5).

use std::fmt;

use subtle::ConstantTimeEq;

const INLINE: usize = 22;
/// Length of a UUID in its canonical form.
pub(crate) const UUID_LENGTH: usize = 36;

/// A text in 24 bytes: a UUID in its canonical form, or up to 22 bytes, are held in place. No `Debug`, since it may be
/// a secret (L3).
#[derive(Clone)]
pub struct PackedText(Form);

#[derive(Clone)]
enum Form {
    Uuid([u8; 16]),
    Inline(u8, [u8; INLINE]),
    Heap(Box<str>),
}

/// A text to look for, packed without allocating.
#[derive(Clone, Copy)]
pub(crate) enum Needle<'a> {
    Uuid([u8; 16]),
    Bytes(&'a [u8]),
}

impl<'a> Needle<'a> {
    /// Packs a text. It may be anything, also no UTF-8.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        parse_uuid(bytes).map_or(Self::Bytes(bytes), Self::Uuid)
    }

    /// What to hash.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Uuid(bytes) => bytes,
            Self::Bytes(bytes) => bytes,
        }
    }
}

impl PackedText {
    /// Packs a text.
    pub fn new(text: &str) -> Self {
        let form = match (parse_uuid(text.as_bytes()), text.len()) {
            (Some(bytes), _) => Form::Uuid(bytes),
            (None, length) if length <= INLINE => {
                let mut bytes = [0; INLINE];
                bytes[..length].copy_from_slice(text.as_bytes());
                Form::Inline(length as u8, bytes)
            }
            _ => Form::Heap(text.into()),
        };
        Self(form)
    }

    /// The text. A UUID is spelled out in `buffer`, without allocating.
    pub fn spell<'a>(&'a self, buffer: &'a mut [u8; UUID_LENGTH]) -> &'a [u8] {
        // Positions that are constants: this is on the way of each request with a key.
        const AT: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
        let Form::Uuid(bytes) = &self.0 else { return self.bytes() };
        *buffer = [b'-'; UUID_LENGTH];
        for (byte, at) in bytes.iter().zip(AT) {
            buffer[at] = digit(byte >> 4);
            buffer[at + 1] = digit(byte & 15);
        }
        buffer
    }

    /// What to hash; the same bytes as those of an equal needle.
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.0 {
            Form::Uuid(bytes) => bytes,
            Form::Inline(length, bytes) => &bytes[..usize::from(*length)],
            Form::Heap(text) => text.as_bytes(),
        }
    }

    /// Whether both are the same text, in a time that depends on their lengths only.
    pub(crate) fn is(&self, needle: &Needle<'_>) -> bool {
        let same_form = matches!(self.0, Form::Uuid(_)) == matches!(needle, Needle::Uuid(_));
        same_form & bool::from(self.bytes().ct_eq(needle.bytes()))
    }

    pub(crate) fn needle(&self) -> Needle<'_> {
        match &self.0 {
            Form::Uuid(bytes) => Needle::Uuid(*bytes),
            _ => Needle::Bytes(self.bytes()),
        }
    }
}

impl PartialEq for PackedText {
    fn eq(&self, other: &Self) -> bool {
        self.is(&other.needle())
    }
}

impl Eq for PackedText {}

impl PartialEq<str> for PackedText {
    fn eq(&self, other: &str) -> bool {
        self.is(&Needle::new(other.as_bytes()))
    }
}

impl PartialEq<&str> for PackedText {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl fmt::Display for PackedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.spell(&mut [0; UUID_LENGTH])))
    }
}

const fn digit(value: u8) -> u8 {
    b"0123456789abcdef"[(value & 15) as usize]
}

/// Takes only the form that `Display` writes, so that packing loses nothing.
fn parse_uuid(text: &[u8]) -> Option<[u8; 16]> {
    if text.len() != 36 {
        return None;
    }
    let mut bytes = [0; 16];
    let mut at = 0;
    for (index, byte) in bytes.iter_mut().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            if text[at] != b'-' {
                return None;
            }
            at += 1;
        }
        *byte = value(text[at])? << 4 | value(text[at + 1])?;
        at += 2;
    }
    Some(bytes)
}

const fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn p5_a_packed_text_has_24_bytes() {
        assert_eq!(size_of::<PackedText>(), 24);
    }

    #[test]
    fn s6_only_the_canonical_form_of_a_uuid_is_taken_apart() {
        let canonical = "a186f8fd-7893-4188-86f8-fd7893818882";
        for other in [
            canonical.to_uppercase(),
            canonical.replace('-', "0"),
            format!("{canonical} "),
            canonical.replace("a1", "A1"),
        ] {
            assert!(PackedText::new(canonical) != other.as_str(), "{other}");
        }
        assert!(PackedText::new(canonical) == canonical);
    }

    #[test]
    fn s6_a_text_is_not_the_uuid_whose_bytes_it_has() {
        let (uuid, text) = ("61626364-6566-6768-696a-6b6c6d6e6f70", "abcdefghijklmnop");
        assert!(PackedText::new(uuid).bytes() == PackedText::new(text).bytes());
        assert!(PackedText::new(uuid) != text && PackedText::new(text) != uuid);
    }

    proptest! {
        #[test]
        fn packing_loses_nothing(
            one in "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|.{0,40}|[0-9a-f-]{36}",
            other in "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|.{0,40}",
        ) {
            let packed = PackedText::new(&one);
            prop_assert_eq!(packed.to_string(), one.clone());
            prop_assert!(packed.is(&Needle::new(one.as_bytes())));
            prop_assert!(packed.bytes() == Needle::new(one.as_bytes()).bytes());
            prop_assert_eq!(packed == PackedText::new(&other), one == other);
        }
    }
}
