//! Many measurements of one thing: the one in the middle, and those at the end.

use std::time::Duration;

/// Measurements, sorted.
#[derive(Debug, Clone)]
pub(super) struct Spread(Vec<f64>);

impl Spread {
    /// Of numbers in any unit.
    pub(super) fn new(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// Of times, in milliseconds.
    pub(super) fn millis(times: impl IntoIterator<Item = Duration>) -> Self {
        Self::new(times.into_iter().map(|time| time.as_secs_f64() * 1e3).collect())
    }

    /// The smallest value that at least this share of all do not exceed. Not a number if there are none.
    pub(super) fn quantile(&self, share: f64) -> f64 {
        let place = (share * self.0.len() as f64).ceil() as usize;
        self.0.get(place.max(1) - 1).copied().unwrap_or(f64::NAN)
    }

    /// The one in the middle.
    pub(super) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The largest.
    pub(super) fn worst(&self) -> f64 {
        self.quantile(1.0)
    }

    /// The smallest.
    pub(super) fn least(&self) -> f64 {
        self.quantile(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let spread = Spread::new((1..=200).rev().map(f64::from).collect());
        let found = [spread.least(), spread.median(), spread.quantile(0.99), spread.worst()];
        assert_eq!(found.map(|value| value as u32), [1, 100, 198, 200]);
        assert_eq!(Spread::new(vec![3.0, 1.0, 2.0]).median() as u32, 2);
        assert!(Spread::new(Vec::new()).median().is_nan());
    }
}
