//! What a gateway may answer at a moment.
//!
//! A right answer is one that was right at some time between the sending of the request and the arrival of the answer.
//! While a change is under way both the old and the new answer are right, until the gateway has given the new one once;
//! from then on only the new one is. So a gateway that falls back is found.

use std::sync::atomic::{AtomicU32, Ordering};

use super::question::Question;

/// The answers that are right at a moment: two statuses, the same where nothing is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expected {
    old: u16,
    new: u16,
}

impl Expected {
    /// Whether a status is right for a request that was sent when `self` held and answered when `later` did.
    pub(crate) fn allows(self, later: Self, status: u16) -> bool {
        [self.old, self.new, later.old, later.new].contains(&status)
    }

    /// For people.
    pub(crate) fn text(self) -> String {
        if self.old == self.new { self.new.to_string() } else { format!("{} or {}", self.old, self.new) }
    }

    fn pack(self) -> u32 {
        u32::from(self.old) << 16 | u32::from(self.new)
    }

    fn unpack(packed: u32) -> Self {
        Self { old: (packed >> 16) as u16, new: packed as u16 }
    }
}

/// What one gateway may answer to each question.
#[derive(Debug)]
pub(crate) struct Expectations {
    cells: Vec<AtomicU32>,
}

impl Expectations {
    /// Right answers, one a question in the order of [`Question::ALL`].
    pub(crate) fn new(statuses: &[u16]) -> Self {
        let settled = |status: &u16| AtomicU32::new(Expected { old: *status, new: *status }.pack());
        Self { cells: statuses.iter().map(settled).collect() }
    }

    /// What may be answered now.
    pub(crate) fn of(&self, question: Question) -> Expected {
        self.cells
            .get(question as usize)
            .map_or(Expected { old: 0, new: 0 }, |cell| Expected::unpack(cell.load(Ordering::SeqCst)))
    }

    /// From now on the answer may be the one from before, or `new`.
    pub(crate) fn change(&self, question: Question, new: u16) {
        let old = self.of(question).new;
        self.put(question, Expected { old, new });
    }

    /// From now on the answer is `status`.
    pub(crate) fn settle(&self, question: Question, status: u16) {
        self.put(question, Expected { old: status, new: status });
    }

    fn put(&self, question: Question, expected: Expected) {
        if let Some(cell) = self.cells.get(question as usize) {
            cell.store(expected.pack(), Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_answers_are_right_while_a_change_is_under_way_and_only_the_new_one_after() {
        let statuses: Vec<u16> = Question::ALL.iter().map(|question| question.first_status()).collect();
        let expectations = Expectations::new(&statuses);
        let before = expectations.of(Question::Orders);
        assert!(before.allows(before, 200) && !before.allows(before, 404));
        expectations.change(Question::Orders, 404);
        let under_way = expectations.of(Question::Orders);
        assert!(before.allows(under_way, 404) && under_way.allows(under_way, 200));
        expectations.settle(Question::Orders, 404);
        let after = expectations.of(Question::Orders);
        assert!(under_way.allows(after, 200), "sent before it followed");
        assert!(!after.allows(after, 200) && after.allows(after, 404));
    }
}
