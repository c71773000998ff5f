//! What is still to happen, by virtual time; of two things at the same time, the one that was put in first.
//!
//! Half of the time of a history is spent here, so the heap holds small keys only and the events lie beside it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Events in order of their time.
pub(crate) struct Queue<T> {
    /// Nanoseconds, sequence number, and where the event lies.
    heap: BinaryHeap<Reverse<(u64, u64, u32)>>,
    events: Vec<Option<T>>,
    free: Vec<u32>,
    sequence: u64,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        Self { heap: BinaryHeap::with_capacity(256), events: Vec::new(), free: Vec::new(), sequence: 0 }
    }

    /// Puts in something that happens at `at`.
    pub(crate) fn push(&mut self, at: Duration, what: T) {
        self.sequence += 1;
        let place = if let Some(place) = self.free.pop() {
            self.events[place as usize] = Some(what);
            place
        } else {
            self.events.push(Some(what));
            (self.events.len() - 1) as u32
        };
        self.heap.push(Reverse((at.as_nanos() as u64, self.sequence, place)));
    }

    /// Takes out the next event.
    pub(crate) fn pop(&mut self) -> Option<(Duration, T)> {
        let Reverse((nanos, _, place)) = self.heap.pop()?;
        let event = self.events[place as usize].take()?;
        self.free.push(place);
        Some((Duration::from_nanos(nanos), event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_and_then_in_the_order_they_were_put_in() {
        let mut queue = Queue::new();
        for (at, name) in [(2, "c"), (1, "a"), (1, "b"), (0, "first")] {
            queue.push(Duration::from_secs(at), name);
        }
        assert_eq!(queue.pop(), Some((Duration::ZERO, "first")));
        queue.push(Duration::from_secs(1), "late");
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).map(|(_, name)| name).collect();
        assert_eq!(order, ["a", "b", "late", "c"]);
    }
}
