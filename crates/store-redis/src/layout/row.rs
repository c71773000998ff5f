//! Rows as APIM's hashes (`zone-store.md` section 4.1), decoded straight out of the reply, because there are millions.
//!
//! Carries C3, and L1: whatever lies in a hash, the decoder answers a row, "not ours", or why not.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zonegate_model::{Kind, Payload, RecordedAt, Row, RowKey};

use super::keys::ZoneKeys;
use crate::reply::Tolerant;

/// Our own field beside APIM's, which APIM ignores: [`Row::recorded_at`], decimal. Absent when that is not known.
pub(crate) const RECORDED_AT: &str = "zonegateRecordedAt";

/// The fields that [`RowFields`] expects of `HMGET`, in order.
pub(crate) const HMGET_FIELDS: [&str; 7] =
    ["clusterId", "id", "type", "syncAction", "updatedAt", "payload", RECORDED_AT];

/// `syncAction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The entity is to be active.
    Deploy,
    /// It is not; the payload is what it was last.
    Undeploy,
}

impl Action {
    /// The constant in the hash.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Deploy => "DEPLOY",
            Self::Undeploy => "UNDEPLOY",
        }
    }
}

/// The text of [`RECORDED_AT`]; empty where the field is to be absent.
pub(crate) fn encode_recorded_at(at: RecordedAt) -> String {
    if at == RecordedAt::UNKNOWN { String::new() } else { at.0.to_string() }
}

/// One field of a hash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Field<T> {
    #[default]
    Absent,
    Valid(T),
    /// Not UTF-8, not text at all, or none of the values that the field may have.
    Invalid,
}

/// Makes a field's value of its text.
trait FromText: Sized {
    fn from_text(text: &str) -> Option<Self>;
}

impl FromText for Box<str> {
    fn from_text(text: &str) -> Option<Self> {
        Some(text.into())
    }
}

impl FromText for Arc<str> {
    fn from_text(text: &str) -> Option<Self> {
        Some(text.into())
    }
}

impl FromText for Payload {
    fn from_text(text: &str) -> Option<Self> {
        Some(text.into())
    }
}

impl FromText for Kind {
    fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == text)
    }
}

impl FromText for Action {
    fn from_text(text: &str) -> Option<Self> {
        [Self::Deploy, Self::Undeploy].into_iter().find(|action| action.name() == text)
    }
}

impl FromText for i64 {
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl<'de, T: FromText> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor(PhantomData))
    }
}

struct FieldVisitor<T>(PhantomData<T>);

impl<'de, T: FromText> Visitor<'de> for FieldVisitor<T> {
    type Value = Field<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field of a hash")
    }

    fn visit_none<E>(self) -> Result<Field<T>, E> {
        Ok(Field::Absent)
    }

    fn visit_str<E>(self, text: &str) -> Result<Field<T>, E> {
        Ok(T::from_text(text).map_or(Field::Invalid, Field::Valid))
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Field<T>, E> {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.visit_str(text),
            Err(_) => Ok(Field::Invalid),
        }
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Field<T>, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Field<T>, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Field<T>, E> {
        Ok(Field::Invalid)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Field<T>, A::Error> {
        Ok(Field::Invalid)
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Field<T>, A::Error> {
        Ok(Field::Invalid)
    }
}

/// The fields of one hash, as `HMGET` with [`HMGET_FIELDS`] answers them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RowFields {
    zone: Field<Box<str>>,
    id: Field<Arc<str>>,
    kind: Field<Kind>,
    action: Field<Action>,
    updated_at: Field<i64>,
    payload: Field<Payload>,
    recorded_at: Field<i64>,
}

impl RowFields {
    /// Whether the row was written at or after `from`. A time that cannot be read counts as new.
    pub(crate) fn is_since(&self, from: i64) -> bool {
        !matches!(self.updated_at, Field::Valid(at) if at < from)
    }

    /// One that cannot be read is as good as none: it only says whether an audit has to look at the record.
    fn recorded_at(&self) -> RecordedAt {
        match self.recorded_at {
            Field::Valid(at) => RecordedAt(at),
            Field::Absent | Field::Invalid => RecordedAt::UNKNOWN,
        }
    }
}

impl<'de> Deserialize<'de> for RowFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(RowFieldsVisitor)
    }
}

struct RowFieldsVisitor;

impl<'de> Visitor<'de> for RowFieldsVisitor {
    type Value = RowFields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the values of a hash")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<RowFields, A::Error> {
        Ok(RowFields {
            zone: access.next_element()?.unwrap_or_default(),
            id: access.next_element()?.unwrap_or_default(),
            kind: access.next_element()?.unwrap_or_default(),
            action: access.next_element()?.unwrap_or_default(),
            updated_at: access.next_element()?.unwrap_or_default(),
            payload: access.next_element()?.unwrap_or_default(),
            recorded_at: access.next_element()?.unwrap_or_default(),
        })
    }
}

/// A row in the reply of an aggregation, in either shape (`zone-store.md` section 5.5), with the key of its hash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NamedRow {
    key: Field<Box<str>>,
    fields: RowFields,
}

impl NamedRow {
    /// The key of the hash and its fields. The key is empty if the server left it out; it is missed where it is needed.
    pub(crate) fn into_parts(self) -> (Box<str>, RowFields) {
        match self.key {
            Field::Valid(key) => (key, self.fields),
            Field::Absent | Field::Invalid => ("".into(), self.fields),
        }
    }
}

impl<'de> Deserialize<'de> for NamedRow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NamedRowVisitor)
    }
}

struct NamedRowVisitor;

enum Name {
    Key,
    Zone,
    Id,
    Kind,
    Action,
    UpdatedAt,
    Payload,
    RecordedAt,
    Nested,
    Other,
}

impl FromText for Name {
    fn from_text(text: &str) -> Option<Self> {
        Some(match text {
            "__key" => Self::Key,
            "clusterId" => Self::Zone,
            "id" => Self::Id,
            "type" => Self::Kind,
            "syncAction" => Self::Action,
            "updatedAt" => Self::UpdatedAt,
            "payload" => Self::Payload,
            RECORDED_AT => Self::RecordedAt,
            "extra_attributes" => Self::Nested,
            _ => Self::Other,
        })
    }
}

impl<'de> Visitor<'de> for NamedRowVisitor {
    type Value = NamedRow;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row of a search result")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<NamedRow, A::Error> {
        let mut row = NamedRow::default();
        while let Some(name) = access.next_key::<Field<Name>>()? {
            let Field::Valid(name) = name else {
                access.next_value::<IgnoredAny>()?;
                continue;
            };
            match name {
                Name::Key => row.key = access.next_value()?,
                Name::Zone => row.fields.zone = access.next_value()?,
                Name::Id => row.fields.id = access.next_value()?,
                Name::Kind => row.fields.kind = access.next_value()?,
                Name::Action => row.fields.action = access.next_value()?,
                Name::UpdatedAt => row.fields.updated_at = access.next_value()?,
                Name::Payload => row.fields.payload = access.next_value()?,
                Name::RecordedAt => row.fields.recorded_at = access.next_value()?,
                Name::Nested => row = access.next_value()?,
                Name::Other => {
                    access.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(row)
    }
}

/// The reply to `FT.AGGREGATE … WITHCURSOR` and `FT.CURSOR READ`.
#[derive(Debug, Default)]
pub(crate) struct AggregateReply {
    /// The rows; those that the server could not send are left out.
    pub(crate) rows: Vec<NamedRow>,
    /// Where to go on; 0 at the end.
    pub(crate) cursor: i64,
}

impl<'de> Deserialize<'de> for AggregateReply {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (Results(rows), cursor) = Deserialize::deserialize(deserializer)?;
        Ok(Self { rows, cursor })
    }
}

struct Results(Vec<NamedRow>);

impl<'de> Deserialize<'de> for Results {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ResultsVisitor)
    }
}

struct ResultsVisitor;

impl<'de> Visitor<'de> for ResultsVisitor {
    type Value = Results;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("search results")
    }

    /// RESP2 shape: a number, which counts nothing useful, and the rows.
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Results, A::Error> {
        access.next_element::<IgnoredAny>()?;
        let mut rows = Vec::new();
        while let Some(Tolerant(row)) = access.next_element()? {
            rows.extend(row.ok());
        }
        Ok(Results(rows))
    }

    /// RESP3 shape: a map with the rows under `results`.
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Results, A::Error> {
        let mut rows = Vec::new();
        while let Some(name) = access.next_key::<Field<Box<str>>>()? {
            if name == Field::Valid("results".into()) {
                let found: Vec<Tolerant<NamedRow>> = access.next_value()?;
                rows = found.into_iter().filter_map(|Tolerant(row)| row.ok()).collect();
            } else {
                access.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Results(rows))
    }
}

/// What a hash turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decoded {
    /// A row of the zone.
    Row(Row),
    /// Of another zone, or of APIM's older layout, which has no zone.
    Foreign,
    /// Of the zone, but not a row; why.
    Malformed(&'static str),
}

/// Makes a row of a hash's fields and its key.
pub(crate) fn decode_row(keys: &ZoneKeys, key: &str, fields: RowFields) -> Decoded {
    let recorded_at = fields.recorded_at();
    match &fields.zone {
        Field::Valid(zone) if **zone == *keys.zone.as_str() => {}
        Field::Valid(_) | Field::Absent => return Decoded::Foreign,
        Field::Invalid => return Decoded::Malformed("`clusterId` is not text"),
    }
    let Field::Valid(id) = fields.id else { return Decoded::Malformed("`id` is missing or not text") };
    let Field::Valid(kind) = fields.kind else {
        return Decoded::Malformed("`type` is none of the twelve kinds");
    };
    let Field::Valid(action) = fields.action else {
        return Decoded::Malformed("`syncAction` is neither DEPLOY nor UNDEPLOY");
    };
    let scope = if kind.is_scoped() {
        let Some(scope) = keys.scope_of(key, kind, &id) else {
            return Decoded::Malformed("the key does not name the API or API product");
        };
        Some(scope.into())
    } else {
        if !keys.is_at(key, kind, &id) {
            return Decoded::Malformed("the key is not that of its `type` and `id`");
        }
        None
    };
    let key = RowKey { kind, scope, id };
    match (action, fields.payload) {
        (Action::Undeploy, _) => Decoded::Row(Row::removed(key).recorded(recorded_at)),
        (Action::Deploy, Field::Valid(payload)) => {
            Decoded::Row(Row::deployed(key, payload).recorded(recorded_at))
        }
        (Action::Deploy, Field::Absent) => Decoded::Malformed("`payload` is missing"),
        (Action::Deploy, Field::Invalid) => Decoded::Malformed("`payload` is not UTF-8"),
    }
}

/// Makes a row of what a search for the deployed rows of one kind found: key, zone, payload and time. `None`: the hash has to be
/// looked at as a whole.
pub(crate) fn decode_found(keys: &ZoneKeys, kind: Kind, key: &str, fields: RowFields) -> Option<Decoded> {
    match &fields.zone {
        Field::Valid(zone) if **zone == *keys.zone.as_str() => {}
        _ => return Some(Decoded::Foreign),
    }
    let row_key = keys.identify(kind, key)?;
    let recorded_at = fields.recorded_at();
    Some(match fields.payload {
        Field::Valid(payload) => Decoded::Row(Row::deployed(row_key, payload).recorded(recorded_at)),
        Field::Absent => Decoded::Malformed("`payload` is missing"),
        Field::Invalid => Decoded::Malformed("`payload` is not UTF-8"),
    })
}

/// Counts what a read left out, and says so once at its end.
#[derive(Debug, Default)]
pub(crate) struct Skipped {
    count: u64,
    first: Option<(String, String)>,
}

impl Skipped {
    /// Counts one in.
    pub(crate) fn add(&mut self, key: &str, reason: &str) {
        self.count += 1;
        self.first.get_or_insert_with(|| (key.to_owned(), reason.to_owned()));
    }

    /// Logs what was counted, if anything.
    pub(crate) fn report(&self, address: &str) {
        if let Some((key, reason)) = &self.first {
            tracing::warn!(
                address,
                skipped = self.count,
                first_key = key.as_str(),
                first_reason = reason.as_str(),
                "the zone store holds entries that are no rows; they are left out"
            );
        }
    }
}

#[cfg(test)]
mod tests;
