//! Going through a list in the order of time and id, page by page.

use std::sync::Arc;

use crate::port::{AccessPoint, Head, Key, License, Position, Slice, Subscription};

/// Where a list is read on.
#[derive(Debug)]
pub(crate) struct Cursor<T> {
    after: Position<T>,
    before: T,
    limit: usize,
}

/// A record of such a list.
pub(crate) trait Placed<T> {
    /// Where it stands. `None` if it has no time, so that it cannot stand in the list.
    fn position(&self) -> Option<Position<T>>;
}

impl<T: Clone> Cursor<T> {
    /// Before the first record from a time on.
    pub(crate) fn new((from, before): &(T, T), limit: usize) -> Self {
        Self { after: Position { time: from.clone(), id: "".into() }, before: before.clone(), limit }
    }

    /// The next page.
    pub(crate) fn slice(&self) -> Slice<'_, T> {
        Slice { after: &self.after, before: &self.before, limit: self.limit }
    }

    /// Goes on after a page; `false` at the end.
    pub(crate) fn advance(&mut self, page: &[impl Placed<T>]) -> bool {
        match page.iter().rev().find_map(Placed::position) {
            Some(last) => {
                self.after = last;
                true
            }
            None => false,
        }
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
