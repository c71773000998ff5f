//! Text → values as Spring and SnakeYAML read them.

use std::fmt;
use std::time::Duration;

use crate::yaml::scalar;

/// A boolean. Unquoted or not, Spring's words count, in any case.
pub(super) fn boolean(text: &str, _plain: bool) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" | "1" => Some(true),
        "false" | "off" | "no" | "0" => Some(false),
        _ => None,
    }
}

/// An integer: YAML 1.1 where unquoted, else Java's decimal or `0x` form.
pub(super) fn integer(text: &str, plain: bool) -> Option<i128> {
    if plain && let Some(value) = scalar::integer(text) {
        return Some(value);
    }
    let (negative, magnitude) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let hexadecimal = ["0x", "0X", "#"]
        .into_iter()
        .find_map(|prefix| magnitude.strip_prefix(prefix))
        .filter(|rest| !rest.is_empty());
    let (magnitude, radix) = hexadecimal.map_or((magnitude, 10), |rest| (rest, 16));
    if magnitude.is_empty() || !magnitude.chars().all(|character| character.is_digit(radix)) {
        return None;
    }
    let value = i128::from_str_radix(magnitude, radix).ok()?;
    Some(if negative { -value } else { value })
}

/// The name of a header.
pub(super) fn header_name(text: &str, _plain: bool) -> Option<String> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (!text.is_empty() && text.len() <= 256 && text.bytes().all(token)).then(|| text.to_owned())
}

/// A constant of Java's `TimeUnit`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Unit {
    Nanoseconds,
    Microseconds,
    #[default]
    Milliseconds,
    Seconds,
    Minutes,
    Hours,
    Days,
}

impl Unit {
    pub(super) const EXPECTED: &'static str =
        "one of NANOSECONDS, MICROSECONDS, MILLISECONDS, SECONDS, MINUTES, HOURS, DAYS";

    const ALL: [Self; 7] = [
        Self::Nanoseconds,
        Self::Microseconds,
        Self::Milliseconds,
        Self::Seconds,
        Self::Minutes,
        Self::Hours,
        Self::Days,
    ];

    pub(super) fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.name().eq_ignore_ascii_case(text))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Nanoseconds => "NANOSECONDS",
            Self::Microseconds => "MICROSECONDS",
            Self::Milliseconds => "MILLISECONDS",
            Self::Seconds => "SECONDS",
            Self::Minutes => "MINUTES",
            Self::Hours => "HOURS",
            Self::Days => "DAYS",
        }
    }

    pub(super) fn duration(self, value: u64) -> Option<Duration> {
        let seconds = |each: u64| value.checked_mul(each).map(Duration::from_secs);
        match self {
            Self::Nanoseconds => Some(Duration::from_nanos(value)),
            Self::Microseconds => Some(Duration::from_micros(value)),
            Self::Milliseconds => Some(Duration::from_millis(value)),
            Self::Seconds => seconds(1),
            Self::Minutes => seconds(60),
            Self::Hours => seconds(3600),
            Self::Days => seconds(24 * 3600),
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c1_quoted_numbers_are_decimal_and_unquoted_ones_yaml() {
        assert_eq!(integer("0777", true), Some(511));
        assert_eq!(integer("0777", false), Some(777));
        assert_eq!(integer("1_000", true), Some(1000));
        assert_eq!(integer("1_000", false), None);
        assert_eq!(integer("08", true), Some(8));
        assert_eq!(integer("0x10", false), Some(16));
        assert_eq!(integer("-5", false), Some(-5));
        assert_eq!(integer("+5", false), Some(5));
        assert_eq!(integer("+-5", false), None);
        assert_eq!(integer("", false), None);
        assert_eq!(integer("9".repeat(60).as_str(), true), None);
    }

    #[test]
    fn c1_units_are_java_s() {
        assert_eq!(Unit::from_text("seconds"), Some(Unit::Seconds));
        assert_eq!(Unit::from_text("SECOND"), None);
        assert_eq!(Unit::Days.duration(2), Some(Duration::from_hours(48)));
        assert_eq!(Unit::Days.duration(u64::MAX), None);
    }
}
