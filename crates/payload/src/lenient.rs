//! Reading as APIM's mapper does where it is more forgiving than serde: `null` is absent, a time may be text.

use std::collections::BTreeMap;
use std::fmt;

use chrono::DateTime;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde_json::value::RawValue;

/// A value whose `null` is the same as its absence.
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Texts by name. As in APIM's mapper a number or boolean is its text, and what is `null` is not there.
pub(crate) fn texts<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    let found = Option::<BTreeMap<String, Option<Scalar>>>::deserialize(deserializer)?.unwrap_or_default();
    Ok(found.into_iter().filter_map(|(name, value)| Some((name, value?.0))).collect())
}

/// The text of a JSON value that is neither object nor array.
struct Scalar(String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // As it is written, so that `1.00` stays that.
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        match raw.get().as_bytes().first() {
            Some(b'"') => serde_json::from_str(raw.get()).map(Self).map_err(D::Error::custom),
            Some(b'{' | b'[') | None => Err(D::Error::custom("a text is expected")),
            Some(_) => Ok(Self(raw.get().to_owned())),
        }
    }
}

/// A time in epoch milliseconds: a number, or text in ISO 8601.
pub(crate) fn millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    deserializer.deserialize_any(Millis)
}

struct Millis;

impl<'de> Visitor<'de> for Millis {
    type Value = Option<i64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time, in epoch milliseconds or ISO 8601")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Some(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        i64::try_from(value).map(Some).map_err(|_| E::custom("a time out of range"))
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates, and a fraction of a millisecond is nothing"
    )]
    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Some(value as i64))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        DateTime::parse_from_rfc3339(value)
            .or_else(|_| DateTime::parse_from_str(value, "%Y-%m-%dT%H:%M:%S%.f%z"))
            .map(|time| Some(time.timestamp_millis()))
            .map_err(|_| E::custom("a time that is not ISO 8601"))
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        millis(deserializer)
    }
}
