//! A small seeded generator (SplitMix64; Steele, Lea, Flood 2014): for jitter, and for marks that only have to differ.
//! The driver seeds it from the operating system, the simulation from its own seed.

use std::time::Duration;

#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn next_u128(&mut self) -> u128 {
        (u128::from(self.next_u64()) << 64) | u128::from(self.next_u64())
    }

    /// Uniform in `0..=most`.
    pub(crate) fn up_to(&mut self, most: Duration) -> Duration {
        let nanos = most.as_nanos() as u64;
        Duration::from_nanos(if nanos == u64::MAX { self.next_u64() } else { self.next_u64() % (nanos + 1) })
    }
}

/// Growing pauses between attempts: decorrelated jitter, so that gateways that failed together do not come back
/// together.
#[derive(Clone, Debug)]
pub(crate) struct BackOff {
    least: Duration,
    most: Duration,
    last: Duration,
}

impl BackOff {
    pub(crate) fn new(least: Duration, most: Duration) -> Self {
        Self { least, most, last: Duration::ZERO }
    }

    pub(crate) fn reset(&mut self) {
        self.last = Duration::ZERO;
    }

    pub(crate) fn next(&mut self, random: &mut Random) -> Duration {
        let span = (self.last * 3).max(self.least).saturating_sub(self.least);
        self.last = (self.least + random.up_to(span)).min(self.most);
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_stay_within_bounds_and_start_small() {
        let mut random = Random::new(7);
        let (least, most) = (Duration::from_millis(100), Duration::from_secs(5));
        let mut back_off = BackOff::new(least, most);
        assert_eq!(back_off.next(&mut random), least);
        for _ in 0..1000 {
            let pause = back_off.next(&mut random);
            assert!(pause >= least && pause <= most);
        }
        back_off.reset();
        assert_eq!(back_off.next(&mut random), least);
    }
}
