//! One gateway as the demo's clients and its screen see it: where it is, whether it is asked, what it may answer, and
//! what came of it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::expectation::Expectations;
use super::sight::Sight;

/// From how many of the last answers the 99th percentile is taken.
const REMEMBERED: usize = 1000;

/// One gateway's lane.
#[derive(Debug)]
pub(crate) struct Lane {
    /// Which gateway of the demo it is.
    pub(crate) index: usize,
    /// Its name.
    pub(crate) name: String,
    /// Where it takes traffic.
    pub(crate) address: SocketAddr,
    /// Where its technical API is.
    pub(crate) technical: SocketAddr,
    /// What it may answer.
    pub(crate) expected: Expectations,
    open: AtomicBool,
    served: AtomicU64,
    failed: AtomicU64,
    cut_off: AtomicU64,
    latencies: Mutex<VecDeque<Duration>>,
    sight: Mutex<Option<Sight>>,
}

impl Lane {
    /// A gateway that is not asked yet.
    pub(crate) fn new(
        index: usize,
        name: &str,
        address: SocketAddr,
        technical: SocketAddr,
        expected: Expectations,
    ) -> Self {
        Self {
            index,
            name: name.to_owned(),
            address,
            technical,
            expected,
            open: AtomicBool::new(false),
            served: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            cut_off: AtomicU64::new(0),
            latencies: Mutex::default(),
            sight: Mutex::default(),
        }
    }

    /// Whether it is asked.
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::SeqCst)
    }

    /// From now on it is asked, and must answer.
    pub(crate) fn open(&self) {
        self.open.store(true, Ordering::SeqCst);
    }

    /// From now on it is not asked, and a request that is under way may be lost.
    pub(crate) fn close(&self) {
        self.open.store(false, Ordering::SeqCst);
        *self.sight.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Takes note of a right answer.
    pub(crate) fn count_served(&self, latency: Duration) {
        self.served.fetch_add(1, Ordering::Relaxed);
        let mut latencies = self.latencies.lock().unwrap_or_else(PoisonError::into_inner);
        if latencies.len() == REMEMBERED {
            latencies.pop_front();
        }
        latencies.push_back(latency);
    }

    /// Takes note of a wrong answer, or of none.
    pub(crate) fn count_failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes note of a request that was under way in the gateway when it was killed.
    pub(crate) fn count_cut_off(&self) {
        self.cut_off.fetch_add(1, Ordering::Relaxed);
    }

    /// Right answers.
    pub(crate) fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// Wrong answers, and requests without one.
    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Requests that were lost with the process.
    pub(crate) fn cut_off(&self) -> u64 {
        self.cut_off.load(Ordering::Relaxed)
    }

    /// The time that 99 of 100 of the last answers took at most.
    pub(crate) fn p99(&self) -> Option<Duration> {
        let mut latencies: Vec<Duration> = {
            let latencies = self.latencies.lock().unwrap_or_else(PoisonError::into_inner);
            latencies.iter().copied().collect()
        };
        latencies.sort_unstable();
        latencies.get((latencies.len() * 99).div_ceil(100).checked_sub(1)?).copied()
    }

    /// The last look at it.
    pub(crate) fn sight(&self) -> Option<Sight> {
        self.sight.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at it, now.
    pub(crate) async fn look(&self) -> Option<Sight> {
        let sight = Sight::take(self.technical).await;
        self.sight.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&sight);
        sight
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_percentile_is_taken_over_the_last_answers() {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
        let lane = Lane::new(0, "a", nowhere, nowhere, Expectations::new(&[]));
        assert_eq!(lane.p99(), None);
        for millis in 1..=100 {
            lane.count_served(Duration::from_millis(millis));
        }
        assert_eq!(lane.p99(), Some(Duration::from_millis(99)));
        for _ in 0..REMEMBERED {
            lane.count_served(Duration::from_millis(3));
        }
        assert_eq!(lane.p99(), Some(Duration::from_millis(3)));
    }
}
