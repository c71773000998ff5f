//! Ids and other short texts in few bytes: a canonical UUID, or 32 hexadecimal digits, as 16 bytes, anything else as it
//! is. Lossless for every text, and nothing is concluded from the form but how it is stored (S6).

use std::cmp::Ordering;

/// Length of a canonical UUID.
const UUID_LENGTH: usize = 36;
/// Where its dashes are.
const DASHES: [usize; 4] = [8, 13, 18, 23];

/// A text, as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Id<'a> {
    /// 8-4-4-4-12 lower-case hexadecimal digits.
    Uuid([u8; 16]),
    /// 32 lower-case hexadecimal digits.
    Hex([u8; 16]),
    /// Any other.
    Text(&'a [u8]),
}

/// How a text is stored, as two bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Uuid = 0,
    Hex = 1,
    Text = 2,
}

impl<'a> Id<'a> {
    pub(super) fn of(text: &'a [u8]) -> Self {
        match text.len() {
            UUID_LENGTH => uuid(text).map_or(Self::Text(text), Self::Uuid),
            32 => hexadecimal(text).map_or(Self::Text(text), Self::Hex),
            _ => Self::Text(text),
        }
    }

    pub(super) fn form(&self) -> Form {
        match self {
            Self::Uuid(_) => Form::Uuid,
            Self::Hex(_) => Form::Hex,
            Self::Text(_) => Form::Text,
        }
    }

    /// Appends the stored bytes: 16 of them, or length and text.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Uuid(bytes) | Self::Hex(bytes) => out.extend_from_slice(bytes),
            Self::Text(text) => {
                write_number(out, text.len() as u64);
                out.extend_from_slice(text);
            }
        }
    }

    /// How many bytes [`Self::write`] appends.
    pub(super) fn length(&self) -> usize {
        match self {
            Self::Uuid(_) | Self::Hex(_) => 16,
            Self::Text(text) => text.len() + (70 - (text.len() as u64 | 1).leading_zeros() as usize) / 7,
        }
    }

    /// Takes a text of a form off the front of `bytes`.
    pub(super) fn read(form: Form, bytes: &mut &'a [u8]) -> Self {
        match form {
            Form::Text => {
                let length = read_number(bytes) as usize;
                Self::Text(take(bytes, length))
            }
            Form::Uuid => Self::Uuid(array(take(bytes, 16))),
            Form::Hex => Self::Hex(array(take(bytes, 16))),
        }
    }

    /// Appends the text.
    pub(super) fn render(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => out.extend_from_slice(text),
            Self::Uuid(bytes) => {
                let mut text = [b'-'; UUID_LENGTH];
                let mut at = 0;
                for byte in bytes {
                    if DASHES.contains(&at) {
                        at += 1;
                    }
                    text[at..at + 2].copy_from_slice(&digits(*byte));
                    at += 2;
                }
                out.extend_from_slice(&text);
            }
            Self::Hex(bytes) => {
                let mut text = [0; 32];
                for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
                    pair.copy_from_slice(&digits(*byte));
                }
                out.extend_from_slice(&text);
            }
        }
    }

    /// The order of the texts.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Uuid(left), Self::Uuid(right)) | (Self::Hex(left), Self::Hex(right)) => left.cmp(right),
            (Self::Text(left), Self::Text(right)) => left.cmp(right),
            _ => {
                let (mut left, mut right) = (Vec::new(), Vec::new());
                self.render(&mut left);
                other.render(&mut right);
                left.cmp(&right)
            }
        }
    }
}

impl Form {
    pub(super) fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::Uuid,
            1 => Self::Hex,
            _ => Self::Text,
        }
    }
}

/// Takes `length` bytes off the front; fewer if there are not so many, which does not happen in what was written here.
fn take<'a>(bytes: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (front, rest) = bytes.split_at(length.min(bytes.len()));
    *bytes = rest;
    front
}

fn array(bytes: &[u8]) -> [u8; 16] {
    bytes.try_into().unwrap_or_default()
}

/// Seven bits a byte, the lowest first.
pub(super) fn write_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(super) fn read_number(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    let mut shift = 0;
    while let [byte, rest @ ..] = *bytes {
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < &0x80 || shift > 63 {
            break;
        }
    }
    number
}

fn digits(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

/// The value of a lower-case hexadecimal digit; 0xff for anything else.
const VALUES: [u8; 256] = {
    let mut values = [0xff; 256];
    let mut digit = 0;
    while digit < 16 {
        let text = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
        values[text as usize] = digit;
        digit += 1;
    }
    values
};

fn uuid(text: &[u8]) -> Option<[u8; 16]> {
    if DASHES.iter().any(|at| text[*at] != b'-') {
        return None;
    }
    let mut bytes = [0; 16];
    let mut at = 0;
    let mut wrong = 0;
    for byte in &mut bytes {
        if DASHES.contains(&at) {
            at += 1;
        }
        let (high, low) = (VALUES[usize::from(text[at])], VALUES[usize::from(text[at + 1])]);
        wrong |= high | low;
        *byte = high << 4 | (low & 15);
        at += 2;
    }
    (wrong < 16).then_some(bytes)
}

fn hexadecimal(text: &[u8]) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    let mut wrong = 0;
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let (high, low) = (VALUES[usize::from(pair[0])], VALUES[usize::from(pair[1])]);
        wrong |= high | low;
        *byte = high << 4 | (low & 15);
    }
    (wrong < 16).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Texts that look like the forms, and those that nearly do.
    fn tricky() -> impl Strategy<Value = String> {
        prop_oneof![
            "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            "[0-9a-fA-F]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-fg]{12}",
            "[0-9a-f-]{36}",
            "[0-9a-f]{32}",
            "[0-9a-fA-Fx]{32}",
            ".{0,40}",
        ]
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text in tricky()) {
            let id = Id::of(text.as_bytes());
            let mut stored = Vec::new();
            id.write(&mut stored);
            prop_assert_eq!(stored.len(), id.length());
            let mut rest = stored.as_slice();
            let read = Id::read(Form::from_bits(id.form() as u8), &mut rest);
            let mut rendered = Vec::new();
            read.render(&mut rendered);
            prop_assert_eq!(rendered, text.as_bytes());
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn the_order_is_that_of_the_texts(left in tricky(), right in tricky()) {
            let order = Id::of(left.as_bytes()).compare(&Id::of(right.as_bytes()));
            prop_assert_eq!(order, left.as_bytes().cmp(right.as_bytes()));
        }

        #[test]
        fn every_number_comes_back(number in any::<u64>()) {
            let mut stored = Vec::new();
            write_number(&mut stored, number);
            prop_assert_eq!(read_number(&mut stored.as_slice()), number);
        }
    }

    #[test]
    fn a_uuid_takes_16_bytes() {
        let mut stored = Vec::new();
        Id::of(b"0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9").write(&mut stored);
        assert_eq!(stored.len(), 16);
    }
}
