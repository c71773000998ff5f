//! Payloads of scoped rows in few bytes, and back. Lossless for every text.
//!
//! Millions of subscriptions and keys differ in ids, keys and times only. A packed text is the number of its skeleton,
//! two bits for each value that say how it is stored, and the values; or 0 and the text as it is. Where the two bits are the
//! skeleton's usual ones, the number says so and they are left out.

use super::ids::{Form, Id, read_number, write_number};
use super::skeletons::{Cut, Hole, Skeletons, Step};
use super::values::Values;

/// How a value is stored.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stored {
    /// 16 bytes.
    Uuid = 0,
    /// A number of [`Values`].
    Kept = 1,
    /// Not at all: it is the skeleton's usual one.
    Usual = 2,
    /// Its form as a byte, then as [`Id`] writes it.
    Other = 3,
}

impl Stored {
    fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::Uuid,
            1 => Self::Kept,
            2 => Self::Usual,
            _ => Self::Other,
        }
    }
}

/// What packed texts refer to.
#[derive(Default)]
pub(super) struct Texts {
    skeletons: Skeletons,
    values: Values,
    cut: Cut,
    /// Buffers of the text being packed.
    forms: Vec<u8>,
    packed: Vec<u8>,
}

impl Texts {
    /// Appends a packed text.
    pub(super) fn pack(&mut self, text: &[u8], id: &[u8], scope: &[u8], out: &mut Vec<u8>) {
        let worth_it = self.cut.open(text, id, scope);
        let Some(number) = worth_it.then(|| self.skeletons.use_skeleton(&self.cut, text)).flatten() else {
            out.push(0);
            out.extend_from_slice(text);
            return;
        };
        self.forms.clear();
        self.forms.resize(self.skeletons.values(number).div_ceil(4), 0);
        self.packed.clear();
        let mut place = 0;
        let mut last = 0;
        for (hole, range) in &self.cut.holes {
            let content = &text[range.clone()];
            if *hole == Hole::Number {
                let number = decimal(content);
                write_number(&mut self.packed, difference(last, number));
                last = number;
                continue;
            }
            let stored = if content == self.skeletons.usual(number, place) {
                Stored::Usual
            } else if let Some(kept) = self.values.use_value(content) {
                write_number(&mut self.packed, u64::from(kept));
                Stored::Kept
            } else {
                let value = Id::of(content);
                let is_uuid = value.form() == Form::Uuid;
                if !is_uuid {
                    self.packed.push(value.form() as u8);
                }
                value.write(&mut self.packed);
                if is_uuid { Stored::Uuid } else { Stored::Other }
            };
            self.forms[place / 4] |= (stored as u8) << (place % 4 * 2);
            place += 1;
        }
        let usual = self.skeletons.are_usual(number, &self.forms);
        write_number(out, u64::from(number) * 2 + 1 + u64::from(usual));
        if !usual {
            out.extend_from_slice(&self.forms);
        }
        out.extend_from_slice(&self.packed);
    }

    /// Begins to read a packed text: the number of its skeleton, and its values. `None` if it is kept as it is.
    fn open<'a>(&'a self, bytes: &mut &'a [u8]) -> Option<(u32, Reading<'a>)> {
        let head = read_number(bytes).checked_sub(1)?;
        let number = (head / 2) as u32;
        let forms = if head % 2 == 1 {
            self.skeletons.usual_forms(number)
        } else {
            let (forms, rest) = bytes.split_at(self.skeletons.values(number).div_ceil(4).min(bytes.len()));
            *bytes = rest;
            forms
        };
        Some((number, Reading { forms, bytes, place: 0, last: 0 }))
    }

    /// Appends the text.
    pub(super) fn unpack(&self, packed: &[u8], id: &[u8], scope: &[u8], out: &mut Vec<u8>) {
        let mut bytes = packed;
        let Some((number, mut reading)) = self.open(&mut bytes) else {
            out.extend_from_slice(bytes);
            return;
        };
        self.skeletons.walk(number, |step| match step {
            Step::Piece(piece) => out.extend_from_slice(piece),
            Step::Hole(Hole::OwnId) => out.extend_from_slice(id),
            Step::Hole(Hole::Scope) => out.extend_from_slice(scope),
            Step::Hole(Hole::Number) => write_decimal(out, reading.number()),
            Step::Hole(Hole::Value) => match reading.value() {
                Value::Usual(place) => out.extend_from_slice(self.skeletons.usual(number, place)),
                Value::Kept(kept) => self.values.get(kept).render(out),
                Value::Here(value) => value.render(out),
            },
        });
    }

    /// A packed text goes: what it refers to has one use less.
    pub(super) fn release(&mut self, packed: &[u8]) {
        let mut bytes = packed;
        let Some((number, mut reading)) = self.open(&mut bytes) else { return };
        let mut kept = Vec::new();
        self.skeletons.walk(number, |step| match step {
            Step::Hole(Hole::Number) => {
                reading.number();
            }
            Step::Hole(Hole::Value) => {
                if let Value::Kept(value) = reading.value() {
                    kept.push(value);
                }
            }
            Step::Piece(_) | Step::Hole(Hole::OwnId | Hole::Scope) => {}
        });
        for value in kept {
            self.values.release(value);
        }
        self.skeletons.release(number);
    }

    /// Skeletons and values that are kept.
    #[cfg(test)]
    pub(super) fn kept(&self) -> (usize, usize) {
        (self.skeletons.len(), self.values.len())
    }
}

/// Values being read, in order.
struct Reading<'a> {
    forms: &'a [u8],
    bytes: &'a [u8],
    place: usize,
    last: u64,
}

/// A value that was read.
enum Value<'a> {
    Usual(usize),
    Kept(u32),
    Here(Id<'a>),
}

impl<'a> Reading<'a> {
    fn value(&mut self) -> Value<'a> {
        let place = self.place;
        self.place += 1;
        let bits = self.forms.get(place / 4).map_or(0, |byte| byte >> (place % 4 * 2));
        match Stored::from_bits(bits) {
            Stored::Usual => Value::Usual(place),
            Stored::Kept => Value::Kept(read_number(&mut self.bytes) as u32),
            Stored::Uuid => Value::Here(Id::read(Form::Uuid, &mut self.bytes)),
            Stored::Other => {
                let form = self.bytes.split_off_first().copied().unwrap_or_default();
                Value::Here(Id::read(Form::from_bits(form), &mut self.bytes))
            }
        }
    }

    fn number(&mut self) -> u64 {
        self.last = after(self.last, read_number(&mut self.bytes));
        self.last
    }
}

/// Times in one text lie close together: numbers are stored as the difference to the one before, the sign in the lowest
/// bit.
fn difference(last: u64, number: u64) -> u64 {
    let difference = number.wrapping_sub(last) as i64;
    ((difference << 1) ^ (difference >> 63)) as u64
}

fn after(last: u64, difference: u64) -> u64 {
    last.wrapping_add((difference >> 1) ^ (difference & 1).wrapping_neg())
}

/// The number that at most 19 digits stand for.
fn decimal(digits: &[u8]) -> u64 {
    digits.iter().fold(0_u64, |number, digit| number * 10 + u64::from(digit - b'0'))
}

fn write_decimal(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn there_and_back(texts: &mut Texts, text: &str, id: &str, scope: &str) -> (Vec<u8>, String) {
        let mut packed = Vec::new();
        texts.pack(text.as_bytes(), id.as_bytes(), scope.as_bytes(), &mut packed);
        let mut unpacked = Vec::new();
        texts.unpack(&packed, id.as_bytes(), scope.as_bytes(), &mut unpacked);
        (packed, String::from_utf8(unpacked).unwrap())
    }

    /// Texts that are nearly JSON, of few different pieces, so that skeletons and values repeat.
    fn nearly_json() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("{".to_owned()),
            Just("\"id\":".to_owned()),
            Just("\"plan\": ".to_owned()),
            Just("\"".to_owned()),
            Just("\\\"".to_owned()),
            Just("\\".to_owned()),
            Just(",".to_owned()),
            Just("\"ACCEPTED\"".to_owned()),
            Just("\"me\"".to_owned()),
            Just("\"the-api\"".to_owned()),
            Just("\"0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9\"".to_owned()),
            Just("0".to_owned()),
            Just("007".to_owned()),
            Just("-1.5e3".to_owned()),
            Just("18446744073709551615".to_owned()),
            Just("9999999999999999999".to_owned()),
            Just("\u{e9}\u{1f511}".to_owned()),
            any::<u64>().prop_map(|number| number.to_string()),
            "[0-9a-f]{32}".prop_map(|text| format!("\"{text}\"")),
            ".{0,6}",
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn every_text_comes_back_byte_for_byte(
            packed in prop::collection::vec((nearly_json(), prop_oneof!["me", "", "[a-c]{1,3}"]), 1..12),
        ) {
            let mut texts = Texts::default();
            let mut all = Vec::new();
            for _ in 0..3 {
                for (text, id) in &packed {
                    let (bytes, unpacked) = there_and_back(&mut texts, text, id, "the-api");
                    prop_assert_eq!(&unpacked, text);
                    all.push((bytes, text, id));
                }
            }
            // Also after others came and went.
            for (index, (bytes, ..)) in all.iter().enumerate() {
                if index % 2 == 0 {
                    texts.release(bytes);
                }
            }
            for (bytes, text, id) in all.iter().skip(1).step_by(2) {
                let mut unpacked = Vec::new();
                texts.unpack(bytes, id.as_bytes(), b"the-api", &mut unpacked);
                prop_assert_eq!(&String::from_utf8(unpacked).unwrap(), *text);
            }
            for (bytes, ..) in all.iter().skip(1).step_by(2) {
                texts.release(bytes);
            }
            prop_assert_eq!(texts.kept(), (0, 0), "what nobody uses is not kept");
        }

        #[test]
        fn any_bytes_are_unpacked_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut texts = Texts::default();
            for _ in 0..2 {
                there_and_back(&mut texts, r#"{"id":"me","a":"some value","n":5}"#, "me", "");
            }
            texts.unpack(&bytes, b"me", b"", &mut Vec::new());
            texts.release(&bytes);
        }
    }

    #[test]
    fn a_text_whose_skeleton_is_known_takes_little_more_than_what_differs() {
        let text = |key: &str| {
            format!(
                r#"{{"id":"me","key":"{key}","api":"the-api","plan":"plan-of-all","revoked":false,"active":true}}"#
            )
        };
        let mut texts = Texts::default();
        for number in 0..10 {
            there_and_back(
                &mut texts,
                &text(&format!("1a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f{number}")),
                "me",
                "the-api",
            );
        }
        let (packed, _) =
            there_and_back(&mut texts, &text("0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"), "me", "the-api");
        assert!(packed.len() <= 18, "{} bytes", packed.len());
    }

    #[test]
    fn texts_come_back_from_before_and_after_the_forms_of_their_skeleton_are_settled() {
        let mut texts = Texts::default();
        let text = |number: usize| match number % 7 {
            0 => format!(r#"{{"key":"0a1b2c3d-4e5f-6071-8293-a4b5c6d7{number:04x}","n":{number}}}"#),
            1 => format!(r#"{{"key":"of another form {number}","n":{number}}}"#),
            _ => format!(r#"{{"key":"common","n":{number}}}"#),
        };
        let packed: Vec<Vec<u8>> =
            (0..3_000).map(|number| there_and_back(&mut texts, &text(number), "me", "the-api").0).collect();
        assert!(packed.iter().any(|packed| packed[0] == 2) && packed.iter().any(|packed| packed[0] == 1));
        for (number, packed) in packed.iter().enumerate() {
            let mut unpacked = Vec::new();
            texts.unpack(packed, b"me", b"the-api", &mut unpacked);
            assert_eq!(String::from_utf8(unpacked).unwrap(), text(number));
        }
        for packed in &packed {
            texts.release(packed);
        }
        assert_eq!(texts.kept(), (0, 0));
    }

    #[test]
    fn l2_hostile_texts_do_not_fill_the_skeletons_and_cost_no_more_than_their_length() {
        let mut texts = Texts::default();
        let mut longest = 0;
        for number in 0..20_000 {
            // Each comes twice, so each would be kept.
            for _ in 0..2 {
                let text = format!(r#"{{"member-{number:x}-a":"v{number}","b":{number}}}"#);
                let (packed, unpacked) = there_and_back(&mut texts, &text, "me", "the-api");
                assert_eq!(unpacked, text);
                longest = longest.max(packed.len().saturating_sub(text.len()));
            }
        }
        let (skeletons, _) = texts.kept();
        assert!(skeletons <= 8_192, "{skeletons} skeletons");
        assert!(longest <= 1);
    }
}
