//! Times in columns without a zone: the local time of the management API's process.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, FixedOffset, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// The zone in which the management API's process runs, hence that of all times in the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnZone {
    /// A fixed offset; UTC in the official containers.
    Fixed(FixedOffset),
    /// A named zone, with its summer time.
    Named(Tz),
}

impl Default for ColumnZone {
    fn default() -> Self {
        Self::Fixed(Utc.fix())
    }
}

/// How the times in the database were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// The zone of the local times.
    pub(crate) zone: ColumnZone,
    /// MySQL and MariaDB: whether the server took them for times of its own zone, which lies between them and what it
    /// stores. If not, it stores the local times as they are.
    pub(crate) through_server: bool,
}

/// A text that names no time zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time zone: give `UTC`, an offset like `+02:00`, or a name like `Europe/Paris`")]
pub struct UnknownZone(pub String);

impl FromStr for ColumnZone {
    type Err = UnknownZone;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case("utc") || text == "Z" {
            return Ok(Self::default());
        }
        // Java also writes `GMT+8`, `UTC+08:00`, `+8`.
        let offset = text.strip_prefix("GMT").or_else(|| text.strip_prefix("UTC")).unwrap_or(text);
        let offset = match offset.split_at_checked(1) {
            Some((sign @ ("+" | "-"), hours)) if hours.parse::<u8>().is_ok() => {
                format!("{sign}{hours:0>2}:00")
            }
            _ => offset.to_owned(),
        };
        offset
            .parse::<FixedOffset>()
            .map(Self::Fixed)
            .or_else(|_| text.parse::<Tz>().map(Self::Named))
            .map_err(|_| UnknownZone(text.to_owned()))
    }
}

impl fmt::Display for ColumnZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(offset) => offset.fmt(f),
            Self::Named(zone) => zone.fmt(f),
        }
    }
}

impl ColumnZone {
    /// Epoch milliseconds of a local time. The earlier one where the clock was set back; where it was set forward and
    /// the time never was, as if it had not been yet.
    pub(crate) fn millis(self, local: NaiveDateTime) -> i64 {
        match self {
            Self::Fixed(offset) => {
                (local.and_utc() - TimeDelta::seconds(offset.local_minus_utc().into())).timestamp_millis()
            }
            Self::Named(zone) => {
                let before = || zone.from_local_datetime(&(local - TimeDelta::hours(1))).earliest();
                match zone.from_local_datetime(&local).earliest() {
                    Some(time) => time.timestamp_millis(),
                    None => match before() {
                        Some(time) => (time + TimeDelta::hours(1)).timestamp_millis(),
                        None => local.and_utc().timestamp_millis(),
                    },
                }
            }
        }
    }

    /// The local times between which records of a window lie: at or after the first, before the second. Wider than
    /// the window where the clock was set in between.
    pub(crate) fn window(self, from: i64, to: i64) -> (NaiveDateTime, NaiveDateTime) {
        let (first, first_offset) = self.local(from);
        let (last, last_offset) = self.local(to.saturating_add(1));
        let slack = if first_offset == last_offset { TimeDelta::zero() } else { TimeDelta::hours(3) };
        (
            first.checked_sub_signed(slack).unwrap_or(EARLIEST),
            last.checked_add_signed(slack).unwrap_or(LATEST),
        )
    }

    fn local(self, millis: i64) -> (NaiveDateTime, FixedOffset) {
        let lowest = EARLIEST.and_utc().timestamp_millis();
        let highest = LATEST.and_utc().timestamp_millis();
        let time = DateTime::from_timestamp_millis(millis.clamp(lowest, highest)).unwrap_or_default();
        match self {
            Self::Fixed(offset) => (time.with_timezone(&offset).naive_local(), offset),
            Self::Named(zone) => {
                let time = time.with_timezone(&zone);
                (time.naive_local(), time.offset().fix())
            }
        }
    }
}

/// Before every time that a repository holds, and one that both databases can express.
pub(crate) const EARLIEST: NaiveDateTime = DateTime::UNIX_EPOCH.naive_utc();
/// After every time that a repository holds: the year 9000.
pub(crate) const LATEST: NaiveDateTime = match DateTime::from_timestamp(221_845_392_000, 0) {
    Some(time) => time.naive_utc(),
    None => EARLIEST,
};

#[cfg(test)]
mod tests {
    use super::*;

    fn local(text: &str) -> NaiveDateTime {
        text.parse().unwrap()
    }

    #[test]
    fn a_local_time_is_read_in_the_writers_zone() {
        let at = |zone: &str, time: &str| zone.parse::<ColumnZone>().unwrap().millis(local(time));
        let utc = at("UTC", "2026-07-01T12:00:00.123");
        assert_eq!(utc, 1_782_907_200_123);
        assert_eq!(at("+02:00", "2026-07-01T14:00:00.123"), utc);
        assert_eq!(at("Europe/Paris", "2026-07-01T14:00:00.123"), utc);
        assert_eq!(at("-03:30", "2026-07-01T08:30:00.123"), utc);
        assert_eq!(at("GMT+2", "2026-07-01T14:00:00.123"), utc);
        assert_eq!(at("UTC-03:30", "2026-07-01T08:30:00.123"), utc);
        assert_eq!(at("GMT", "2026-07-01T12:00:00.123"), utc);
        assert_eq!(at("Etc/GMT-2", "2026-07-01T14:00:00.123"), utc);
        for wrong in ["Mars/Olympus", "", "+", "GMT+", "+99", "+8:0:0"] {
            assert!(wrong.parse::<ColumnZone>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_time_that_never_was_is_still_a_time() {
        let paris: ColumnZone = "Europe/Paris".parse().unwrap();
        let utc = ColumnZone::default();
        assert_eq!(paris.millis(local("2026-03-29T02:30:00")), utc.millis(local("2026-03-29T01:30:00")));
    }

    #[test]
    fn a_window_over_a_change_of_the_clock_is_wide_enough_for_both_readings() {
        let paris: ColumnZone = "Europe/Paris".parse().unwrap();
        let utc = ColumnZone::default();
        // 03:00 summer time is 02:00 winter time, at 01:00 UTC.
        let from = utc.millis(local("2026-10-25T00:59:30"));
        let to = utc.millis(local("2026-10-25T01:00:30"));
        let (first, last) = paris.window(from, to);
        assert!(first <= local("2026-10-25T02:00:10") && local("2026-10-25T02:59:40") < last);
        let (first, last) = utc.window(from, to);
        assert_eq!((first, last), (local("2026-10-25T00:59:30"), local("2026-10-25T01:00:30.001")));
    }

    #[test]
    fn bounds_beyond_all_times_are_within_them() {
        let (first, last) = ColumnZone::default().window(i64::MIN, i64::MAX);
        assert_eq!((first, last), (EARLIEST, LATEST));
    }
}
