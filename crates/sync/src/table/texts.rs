//! Payloads of scoped rows in few bytes, and back. Lossless for every text.
//!
//! Millions of subscriptions and keys differ in ids, keys and times only. A packed text is the number of its skeleton,
//! two bits for each value that say how it is stored, and the values; or 0 and the text as it is.

use super::ids::{Form, Id, read_number, write_number};
use super::skeletons::{Cut, Hole, Skeletons};
use super::values::Values;

/// A value that is kept among [`Values`], as two bits; the others are those of [`Form`].
const KEPT: u8 = 3;

/// What packed texts refer to.
#[derive(Default)]
pub(super) struct Texts {
    skeletons: Skeletons,
    values: Values,
    cut: Cut,
}

impl Texts {
    /// Appends a packed text.
    pub(super) fn pack(&mut self, text: &[u8], id: &[u8], scope: &[u8], out: &mut Vec<u8>) {
        let worth_it = self.cut.open(text, id, scope);
        let Some(number) = worth_it.then(|| self.skeletons.use_skeleton(&self.cut)).flatten() else {
            out.push(0);
            out.extend_from_slice(text);
            return;
        };
        write_number(out, u64::from(number) + 1);
        let forms = out.len();
        out.resize(forms + self.skeletons.values(number).div_ceil(4), 0);
        let mut place = 0;
        let mut last = 0;
        for (hole, range) in &self.cut.holes {
            let content = &text[range.clone()];
            if *hole == Hole::Number {
                let number = decimal(content);
                write_number(out, difference(last, number));
                last = number;
                continue;
            }
            let bits = if let Some(kept) = self.values.use_value(content) {
                write_number(out, u64::from(kept));
                KEPT
            } else {
                let value = Id::of(content);
                value.write(out);
                value.form() as u8
            };
            out[forms + place / 4] |= bits << (place % 4 * 2);
            place += 1;
        }
    }

    /// Appends the text.
    pub(super) fn unpack(&self, packed: &[u8], id: &[u8], scope: &[u8], out: &mut Vec<u8>) {
        let mut bytes = packed;
        let Some(number) = read_number(&mut bytes).checked_sub(1) else {
            out.extend_from_slice(bytes);
            return;
        };
        let number = number as u32;
        let mut reading = Reading::new(bytes, self.skeletons.values(number), out);
        self.skeletons.walk(
            number,
            &mut reading,
            |reading, piece| reading.out.extend_from_slice(piece),
            |reading, hole| match hole {
                Hole::OwnId => reading.out.extend_from_slice(id),
                Hole::Scope => reading.out.extend_from_slice(scope),
                Hole::Number => {
                    let number = reading.number();
                    write_decimal(reading.out, number);
                }
                Hole::Value => match reading.form() {
                    KEPT => {
                        let kept = read_number(&mut reading.bytes) as u32;
                        reading.out.extend_from_slice(self.values.text(kept));
                    }
                    form => Id::read(Form::from_bits(form), &mut reading.bytes).render(reading.out),
                },
            },
        );
    }

    /// A packed text goes: what it refers to has one use less.
    pub(super) fn release(&mut self, packed: &[u8]) {
        let mut bytes = packed;
        let Some(number) = read_number(&mut bytes).checked_sub(1) else { return };
        let number = number as u32;
        let mut nothing = Vec::new();
        let mut reading = Reading::new(bytes, self.skeletons.values(number), &mut nothing);
        let values = &mut self.values;
        self.skeletons.walk(
            number,
            &mut reading,
            |_, _| {},
            |reading, hole| match hole {
                Hole::OwnId | Hole::Scope => {}
                Hole::Number => {
                    reading.number();
                }
                Hole::Value => match reading.form() {
                    KEPT => values.release(read_number(&mut reading.bytes) as u32),
                    form => {
                        Id::read(Form::from_bits(form), &mut reading.bytes);
                    }
                },
            },
        );
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
    out: &'a mut Vec<u8>,
}

impl<'a> Reading<'a> {
    fn new(bytes: &'a [u8], values: usize, out: &'a mut Vec<u8>) -> Self {
        let (forms, bytes) = bytes.split_at(values.div_ceil(4).min(bytes.len()));
        Self { forms, bytes, place: 0, last: 0, out }
    }

    fn form(&mut self) -> u8 {
        let bits = self.forms.get(self.place / 4).map_or(0, |byte| byte >> (self.place % 4 * 2) & 3);
        self.place += 1;
        bits
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
        assert!(packed.len() <= 19, "{} bytes", packed.len());
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
