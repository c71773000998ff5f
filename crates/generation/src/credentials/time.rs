//! Bounds of a validity in six bytes (P5).

const BYTES: usize = 6;
const NONE: [u8; BYTES] = [0xff; BYTES];
/// The latest time that is told apart, in the year 10889.
const LATEST: i64 = (1 << (8 * BYTES)) - 2;

/// Milliseconds since 1970, or none. A time before 1970 or after [`LATEST`] is taken as that: no clock is beyond them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Time([u8; BYTES]);

impl Time {
    pub(super) fn new(millis: Option<i64>) -> Self {
        let Some(millis) = millis else { return Self(NONE) };
        let mut bytes = [0; BYTES];
        bytes.copy_from_slice(&millis.clamp(0, LATEST).to_le_bytes()[..BYTES]);
        Self(bytes)
    }

    pub(super) fn millis(self) -> Option<i64> {
        let mut bytes = [0; 8];
        bytes[..BYTES].copy_from_slice(&self.0);
        (self.0 != NONE).then_some(i64::from_le_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_time_that_a_clock_can_show_comes_back_as_it_is(millis in prop::option::of(0..=LATEST)) {
            prop_assert_eq!(Time::new(millis).millis(), millis);
        }

        #[test]
        fn l1_any_other_time_is_the_nearest_one_and_never_none(millis in any::<i64>()) {
            prop_assert_eq!(Time::new(Some(millis)).millis(), Some(millis.clamp(0, LATEST)));
        }
    }
}
