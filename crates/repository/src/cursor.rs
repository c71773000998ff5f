//! Going through a list in the order of time and id, page by page.
//!
//! A record that is rewritten meanwhile moves to the end and comes again. It is left out then, since whoever writes as fast
//! as this reads would keep it from ending; what it says now is in the next window.

use std::collections::HashSet;
use std::sync::Arc;

use crate::port::{AccessPoint, Head, Key, License, Position, Slice, Subscription};

/// Where a list is read on.
#[derive(Debug)]
pub(crate) struct Cursor<T> {
    after: Position<T>,
    before: T,
    limit: usize,
    came: HashSet<Arc<str>>,
}

/// A record of such a list.
pub(crate) trait Placed<T> {
    /// Where it stands. `None` if it has no time, so that it cannot stand in the list.
    fn position(&self) -> Option<Position<T>>;
}

impl<T: Clone> Cursor<T> {
    /// Before the first record from a time on.
    pub(crate) fn new((from, before): &(T, T), limit: usize) -> Self {
        Self {
            after: Position { time: from.clone(), id: "".into() },
            before: before.clone(),
            limit,
            came: HashSet::new(),
        }
    }

    /// The next page.
    pub(crate) fn slice(&self) -> Slice<'_, T> {
        Slice { after: &self.after, before: &self.before, limit: self.limit }
    }

    /// Goes on after a page, and leaves in it what did not come before; `false` at the end.
    pub(crate) fn advance(&mut self, page: &mut Vec<impl Placed<T>>) -> bool {
        let Some(last) = page.iter().rev().find_map(Placed::position) else { return false };
        self.after = last;
        page.retain(|record| record.position().is_some_and(|position| self.came.insert(position.id)));
        true
    }
}

impl<T: Clone> Placed<T> for Head<T> {
    fn position(&self) -> Option<Position<T>> {
        Some(Position { time: self.updated.clone(), id: Arc::clone(&self.id) })
    }
}

impl<T: Clone> Placed<T> for Subscription<T> {
    fn position(&self) -> Option<Position<T>> {
        Some(Position { time: self.updated.clone()?, id: Arc::clone(&self.record.id) })
    }
}

impl<T: Clone> Placed<T> for Key<T> {
    fn position(&self) -> Option<Position<T>> {
        Some(Position { time: self.updated.clone()?, id: Arc::clone(&self.record.id) })
    }
}

impl<T: Clone> Placed<T> for License<T> {
    fn position(&self) -> Option<Position<T>> {
        Some(Position { time: self.updated.clone(), id: Arc::clone(&self.organization) })
    }
}

impl<T: Clone> Placed<T> for AccessPoint<T> {
    fn position(&self) -> Option<Position<T>> {
        Some(Position { time: self.updated.clone(), id: Arc::clone(&self.record.id) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zonegate_payload::record::EventType;

    #[test]
    fn what_is_rewritten_comes_once_and_hides_nothing_that_comes_after_it() {
        let head = |id: &str, updated| Head { id: id.into(), kind: EventType::StartApi, updated, bytes: 0 };
        let mut cursor = Cursor::new(&(0, 100), 1);
        for (page, left) in [(head("a", 1), 1), (head("a", 2), 0), (head("b", 3), 1), (head("a", 4), 0)] {
            let position = Position { time: page.updated, id: Arc::clone(&page.id) };
            let mut page = vec![page];
            assert!(cursor.advance(&mut page));
            assert_eq!((page.len(), cursor.slice().after), (left, &position));
        }
        assert!(!cursor.advance(&mut Vec::<Head<i32>>::new()));
    }
}
