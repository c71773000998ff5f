//! A histogram of durations without a lock, since every worker of the data plane counts into the same one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds in seconds. The proxy itself takes well under a millisecond, upstreams up to their time-out.
pub(super) const BOUNDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// Buckets, the last one without a bound.
const BUCKETS: usize = BOUNDS.len() + 1;

#[derive(Debug, Default)]
pub(super) struct DurationHistogram {
    buckets: [AtomicU64; BUCKETS],
    sum_nanos: AtomicU64,
}

/// What was counted, bucket by bucket (not cumulated).
#[derive(Debug, PartialEq)]
pub(super) struct Counted {
    pub(super) sum: f64,
    pub(super) count: u64,
    pub(super) buckets: [(f64, u64); BUCKETS],
}

impl DurationHistogram {
    pub(super) fn observe(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.sum_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// The count is taken from the buckets, so that the two agree although others go on counting.
    pub(super) fn read(&self) -> Counted {
        let mut buckets = [(f64::INFINITY, 0); BUCKETS];
        for (index, bucket) in buckets.iter_mut().enumerate() {
            bucket.0 = BOUNDS.get(index).copied().unwrap_or(f64::INFINITY);
            bucket.1 = self.buckets[index].load(Ordering::Relaxed);
        }
        Counted {
            sum: Duration::from_nanos(self.sum_nanos.load(Ordering::Relaxed)).as_secs_f64(),
            count: buckets.iter().map(|(_, count)| count).sum(),
            buckets,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_in_the_first_bucket_whose_bound_it_does_not_exceed() {
        let histogram = DurationHistogram::default();
        histogram.observe(Duration::from_millis(1));
        histogram.observe(Duration::from_micros(1001));
        histogram.observe(Duration::from_secs(31));
        let counted = histogram.read();
        assert_eq!(counted.count, 3);
        assert!((counted.sum - 31.002_001).abs() < 1e-9);
        let hits: Vec<f64> =
            counted.buckets.iter().filter(|(_, n)| *n > 0).map(|(bound, _)| *bound).collect();
        assert_eq!(hits, [0.001, 0.0025, f64::INFINITY]);
        assert!(BOUNDS.is_sorted());
    }
}
