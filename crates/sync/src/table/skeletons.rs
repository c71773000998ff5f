//! Texts cut into a skeleton, which many rows share, and the values that differ.
//!
//! The cut knows where JSON has strings and numbers, but nothing depends on the text being JSON: put together again, the
//! pieces are the text, byte for byte. A skeleton is kept once it was seen twice, as long as rows use it, and there is a
//! limit to how many there are, so that hostile texts cost no more than their own length.

use std::hash::BuildHasher;
use std::ops::Range;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::values::{Seen, place};

/// Longer texts are kept as they are.
const MOST_TEXT: usize = 64 * 1024;
/// Texts with more values are kept as they are.
const MOST_HOLES: usize = 96;
/// Longer skeletons are not kept.
const MOST_SKELETON: usize = 4 * 1024;
/// Uses after which a skeleton's usual forms are settled.
const SETTLED: u32 = 1_000;
/// Most skeletons.
const MOST_SKELETONS: usize = 8_192;

/// What stands in a hole of a skeleton. The numbers are bytes that no UTF-8 text contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hole {
    /// A string: its text without quotes, escapes as they are.
    Value = 0xff,
    /// Decimal digits.
    Number = 0xfe,
    /// The row's own id.
    OwnId = 0xfd,
    /// The row's scope.
    Scope = 0xfc,
}

impl Hole {
    fn of(byte: u8) -> Option<Self> {
        match byte {
            0xff => Some(Self::Value),
            0xfe => Some(Self::Number),
            0xfd => Some(Self::OwnId),
            0xfc => Some(Self::Scope),
            _ => None,
        }
    }
}

/// A part of a skeleton.
pub(super) enum Step<'a> {
    /// Text that stands as it is.
    Piece(&'a [u8]),
    /// Something else stands there.
    Hole(Hole),
}

/// A text cut open. Kept between uses for its buffers.
#[derive(Default)]
pub(super) struct Cut {
    skeleton: Vec<u8>,
    /// Values and numbers, in order.
    pub(super) holes: Vec<(Hole, Range<usize>)>,
}

impl Cut {
    /// Cuts a text. Answers whether it is worth it.
    pub(super) fn open(&mut self, text: &[u8], id: &[u8], scope: &[u8]) -> bool {
        self.skeleton.clear();
        self.holes.clear();
        if text.len() > MOST_TEXT {
            return false;
        }
        let mut at = 0;
        // What lies between here and `at` belongs to the skeleton.
        let mut copied = 0;
        while at < text.len() {
            let byte = text[at];
            let (hole, range) = if byte == b'"' {
                let Some(end) = end_of_string(text, at + 1) else { break };
                let range = at + 1..end;
                at = end + 1;
                // Names of members belong to the skeleton, and so does what is empty.
                if text.get(at) == Some(&b':') || range.is_empty() {
                    continue;
                }
                let content = &text[range.clone()];
                let hole = match content {
                    _ if content == id => Hole::OwnId,
                    _ if content == scope => Hole::Scope,
                    _ => Hole::Value,
                };
                (hole, range)
            } else if byte.is_ascii_digit() {
                let digits = text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                let range = at..at + digits;
                at += digits;
                // A number that would be written otherwise if it were read stays as it is.
                if digits > 19 || digits > 1 && byte == b'0' {
                    continue;
                }
                (Hole::Number, range)
            } else {
                at += 1;
                continue;
            };
            self.skeleton.extend_from_slice(&text[copied..range.start]);
            self.skeleton.push(hole as u8);
            copied = range.end;
            if matches!(hole, Hole::Value | Hole::Number) {
                self.holes.push((hole, range));
            }
        }
        self.skeleton.extend_from_slice(&text[copied..]);
        self.holes.len() <= MOST_HOLES && self.skeleton.len() <= MOST_SKELETON
    }
}

/// Where a string ends that begins at `at`, without its quotes.
fn end_of_string(text: &[u8], at: usize) -> Option<usize> {
    let mut escaped = false;
    let length = text[at..].iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    length.map(|length| at + length)
}

/// A skeleton in use.
#[derive(Default)]
struct Skeleton {
    bytes: Box<[u8]>,
    /// What stood in the place of each of its values, without numbers, when it was first kept.
    usual: Vec<Box<[u8]>>,
    /// How the values of most rows are stored, as [`super::texts`] writes it; not known at first.
    usual_forms: Option<Box<[u8]>>,
    last_forms: Vec<u8>,
    uses: u32,
}

/// Skeletons by number.
#[derive(Default)]
pub(super) struct Skeletons {
    slots: Vec<Skeleton>,
    free: Vec<u32>,
    by_bytes: HashTable<u32>,
    hasher: RandomState,
    seen: Seen,
}

impl Skeletons {
    /// The number of a skeleton for one more use, if it is kept. One that was seen before is kept from now on.
    pub(super) fn use_skeleton(&mut self, cut: &Cut, text: &[u8]) -> Option<u32> {
        let bytes = cut.skeleton.as_slice();
        let hash = self.hasher.hash_one(bytes);
        let known = self.by_bytes.find(hash, |slot| *self.slots[*slot as usize].bytes == *bytes).copied();
        let number = match known {
            Some(number) => number,
            None if self.by_bytes.len() < MOST_SKELETONS && self.seen.before(hash) => {
                self.keep(cut, text, hash)
            }
            None => return None,
        };
        let uses = &mut self.slots[number as usize].uses;
        *uses = uses.saturating_add(1);
        Some(number)
    }

    fn keep(&mut self, cut: &Cut, text: &[u8], hash: u64) -> u32 {
        let values = cut.holes.iter().filter(|(hole, _)| *hole == Hole::Value);
        let usual = values.map(|(_, range)| text[range.clone()].into()).collect();
        let bytes = cut.skeleton.as_slice().into();
        let number = place(&mut self.slots, &mut self.free, Skeleton { bytes, usual, ..Skeleton::default() });
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.by_bytes.insert_unique(hash, number, |slot| hasher.hash_one(&*slots[*slot as usize].bytes));
        number
    }

    /// What usually stands in the place of a value.
    pub(super) fn usual(&self, number: u32, value: usize) -> &[u8] {
        self.slots.get(number as usize).and_then(|slot| slot.usual.get(value)).map_or(&[], |text| text)
    }

    /// How the values of most rows are stored.
    pub(super) fn usual_forms(&self, number: u32) -> &[u8] {
        let slot = self.slots.get(number as usize);
        slot.and_then(|slot| slot.usual_forms.as_deref()).unwrap_or_default()
    }

    /// Whether these are the usual forms. They are settled, for as long as the skeleton is kept, when it was used often
    /// and two texts in a row had the same.
    pub(super) fn are_usual(&mut self, number: u32, forms: &[u8]) -> bool {
        let Some(slot) = self.slots.get_mut(number as usize) else { return false };
        if let Some(usual) = &slot.usual_forms {
            return **usual == *forms;
        }
        if slot.uses >= SETTLED && slot.last_forms == forms {
            slot.usual_forms = Some(forms.into());
            slot.last_forms = Vec::new();
            return true;
        }
        slot.last_forms.clear();
        slot.last_forms.extend_from_slice(forms);
        false
    }

    /// One use less.
    pub(super) fn release(&mut self, number: u32) {
        let Some(slot) = self.slots.get_mut(number as usize) else { return };
        if slot.uses == u32::MAX {
            return;
        }
        slot.uses = slot.uses.saturating_sub(1);
        if slot.uses == 0 {
            let hash = self.hasher.hash_one(&*slot.bytes);
            *slot = Skeleton::default();
            if let Ok(entry) = self.by_bytes.find_entry(hash, |other| *other == number) {
                entry.remove();
            }
            self.free.push(number);
        }
    }

    /// How many values, without numbers, a skeleton has.
    pub(super) fn values(&self, number: u32) -> usize {
        self.slots.get(number as usize).map_or(0, |slot| slot.usual.len())
    }

    /// Walks a skeleton.
    pub(super) fn walk(&self, number: u32, mut step: impl FnMut(Step<'_>)) {
        let Some(slot) = self.slots.get(number as usize) else { return };
        let mut rest: &[u8] = &slot.bytes;
        while let Some(at) = rest.iter().position(|byte| *byte >= Hole::Scope as u8) {
            step(Step::Piece(&rest[..at]));
            if let Some(hole) = Hole::of(rest[at]) {
                step(Step::Hole(hole));
            }
            rest = &rest[at + 1..];
        }
        step(Step::Piece(rest));
    }

    /// Skeletons that are kept.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_bytes.len()
    }
}
