//! Versions of records: the stamp by which a window skips what was seen (S4), and the time that a row carries for
//! audits (S5).

use zonegate_model::RecordedAt;
use zonegate_sync::port::{Stamp, Window};

/// The stamp of a record.
pub(crate) fn stamp(kind: &str, id: &str, at: i64) -> Stamp {
    Stamp { record: format!("{kind}/{id}").into(), at }
}

/// Whether a window has this version of a record already.
pub(crate) fn seen(window: Option<&Window>, stamp: &Stamp) -> bool {
    window.is_some_and(|window| window.seen.get(&stamp.record) == Some(&stamp.at))
}

/// The time that a row carries: that of its record. A record without one, or with one from before all times, gets a
/// time that is none of a record, but known, so that audits find such a row to be as it was.
pub(crate) fn recorded_at(millis: Option<i64>) -> RecordedAt {
    match millis {
        Some(millis) if millis > 0 => RecordedAt(millis),
        _ => RecordedAt(-1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_has_a_time_that_is_known() {
        assert_eq!(recorded_at(Some(5)), RecordedAt(5));
        for millis in [None, Some(0), Some(-9)] {
            assert_ne!(recorded_at(millis), RecordedAt::UNKNOWN);
            assert_eq!(recorded_at(millis), recorded_at(None));
        }
    }
}
