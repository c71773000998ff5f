//! Rows as APIM's hashes (`zone-store.md` section 4.1), decoded where they lie in the reply, because there are millions.
//!
//! Carries C3, and L1: whatever lies in a hash, the decoder answers a row, "not ours", or why not.

use zonegate_model::{Kind, RecordedAt, Row, RowKey, RowState};

use super::keys::ZoneKeys;
use crate::resp::{RowValues, Value};

/// Our own field beside APIM's, which APIM ignores: [`Row::recorded_at`], decimal. Absent when that is not known.
pub(crate) const RECORDED_AT: &str = "zonegateRecordedAt";

/// What is asked of a hash whose key says which row it is; [`Hash::of_known`] reads it.
pub(crate) const KNOWN_FIELDS: [&str; 4] = ["clusterId", "syncAction", "payload", RECORDED_AT];

/// What is asked of any other hash; [`Hash::of_any`] reads it.
pub(crate) const ALL_FIELDS: [&str; 7] =
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Field<'a> {
    #[default]
    Absent,
    Text(&'a str),
    NotText,
    TooLong,
}

impl<'a> From<Value<'a>> for Field<'a> {
    fn from(value: Value<'a>) -> Self {
        match value {
            Value::Nil => Self::Absent,
            Value::Bytes(bytes) => std::str::from_utf8(bytes).map_or(Self::NotText, Self::Text),
            Value::Oversized => Self::TooLong,
        }
    }
}

impl<'a> Field<'a> {
    fn text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Absent | Self::NotText | Self::TooLong => None,
        }
    }

    fn number(self) -> Option<i64> {
        self.text()?.parse().ok()
    }
}

/// The fields of one hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hash<'a> {
    zone: Field<'a>,
    id: Field<'a>,
    kind: Field<'a>,
    action: Field<'a>,
    updated_at: Field<'a>,
    payload: Field<'a>,
    recorded_at: Field<'a>,
}

impl<'a> Hash<'a> {
    /// From the answer to [`KNOWN_FIELDS`].
    pub(crate) fn of_known(values: &RowValues<'a>) -> Self {
        Self {
            zone: values[0].into(),
            action: values[1].into(),
            payload: values[2].into(),
            recorded_at: values[3].into(),
            ..Self::default()
        }
    }

    /// From the answer to [`ALL_FIELDS`].
    pub(crate) fn of_any(values: &RowValues<'a>) -> Self {
        Self {
            zone: values[0].into(),
            id: values[1].into(),
            kind: values[2].into(),
            action: values[3].into(),
            updated_at: values[4].into(),
            payload: values[5].into(),
            recorded_at: values[6].into(),
        }
    }

    /// From a row of a search: names and values in turn, among them the key of the hash, which is empty where the server
    /// left it out.
    pub(crate) fn of_pairs(values: &RowValues<'a>) -> (&'a str, Self) {
        let (mut key, mut hash) = ("", Self::default());
        for [name, value] in values.as_chunks::<2>().0 {
            let (Value::Bytes(name), field) = (*name, Field::from(*value)) else { continue };
            match name {
                b"__key" => key = field.text().unwrap_or_default(),
                b"clusterId" => hash.zone = field,
                b"id" => hash.id = field,
                b"type" => hash.kind = field,
                b"syncAction" => hash.action = field,
                b"updatedAt" => hash.updated_at = field,
                b"payload" => hash.payload = field,
                name if name == RECORDED_AT.as_bytes() => hash.recorded_at = field,
                _ => {}
            }
        }
        (key, hash)
    }

    /// Whether the row was written at or after `from`. A time that cannot be read counts as new.
    pub(crate) fn is_since(&self, from: i64) -> bool {
        self.updated_at.number().is_none_or(|at| at >= from)
    }

    /// Whether the hash is of the zone, as far as it says so itself. One that is gone is of none.
    fn is_of(&self, keys: &ZoneKeys) -> Result<bool, &'static str> {
        match self.zone {
            Field::Absent => Ok(*self != Self::default() && keys.owns(None)),
            Field::Text(zone) => Ok(keys.owns(Some(zone))),
            Field::NotText | Field::TooLong => Err("`clusterId` is not text"),
        }
    }

    /// One that cannot be read is as good as none: it only says whether an audit has to look at the record.
    fn recorded_at(&self) -> RecordedAt {
        self.recorded_at.number().map_or(RecordedAt::UNKNOWN, RecordedAt)
    }

    fn action(&self) -> Result<Action, &'static str> {
        match self.action {
            Field::Text("DEPLOY") => Ok(Action::Deploy),
            Field::Text("UNDEPLOY") => Ok(Action::Undeploy),
            _ => Err("`syncAction` is neither DEPLOY nor UNDEPLOY"),
        }
    }

    fn row(&self, key: RowKey, action: Action) -> Result<Row, &'static str> {
        let row = match (action, self.payload) {
            (Action::Undeploy, _) => Row::removed(key),
            (Action::Deploy, Field::Text(payload)) => Row::deployed(key, payload),
            (Action::Deploy, Field::Absent) => return Err("`payload` is missing"),
            (Action::Deploy, Field::NotText) => return Err("`payload` is not UTF-8"),
            (Action::Deploy, Field::TooLong) => return Err("`payload` is longer than 64 MiB"),
        };
        Ok(row.recorded(self.recorded_at()))
    }
}

/// The kind of a name, letter for letter: a search finds others too, because its tags know no letter case.
pub(super) fn kind_of(name: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.name() == name)
}

/// What a hash turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decoded {
    /// A row of the zone.
    Row(Row),
    /// Of another zone, or of the other layout.
    Foreign,
    /// Of the zone, but not a row; why.
    Malformed(&'static str),
}

impl From<Result<Row, &'static str>> for Decoded {
    fn from(decoded: Result<Row, &'static str>) -> Self {
        match decoded {
            Ok(row) => Self::Row(row),
            Err(reason) => Self::Malformed(reason),
        }
    }
}

/// Makes a row of a hash and its key.
pub(crate) fn decode_any(keys: &ZoneKeys, key: &str, hash: &Hash<'_>) -> Decoded {
    match hash.is_of(keys) {
        Ok(true) => {}
        Ok(false) => return Decoded::Foreign,
        Err(reason) => return Decoded::Malformed(reason),
    }
    let decode = || {
        let id = hash.id.text().ok_or("`id` is missing or not text")?;
        let kind = hash.kind.text().and_then(kind_of).ok_or("`type` is none of the twelve kinds")?;
        let action = hash.action()?;
        let scope = if kind.is_scoped() {
            let scope = keys.scope_of(key, kind, id);
            Some(scope.ok_or("the key does not name the API or API product")?.into())
        } else {
            keys.is_at(key, kind, id).then_some(()).ok_or("the key is not that of its `type` and `id`")?;
            None
        };
        hash.row(RowKey { kind, scope, id: id.into() }, action)
    };
    decode().into()
}

/// Makes a row of a hash whose key says which one it is.
pub(crate) fn decode_known(keys: &ZoneKeys, key: RowKey, hash: &Hash<'_>) -> Decoded {
    match hash.is_of(keys) {
        Ok(true) => hash.action().and_then(|action| hash.row(key, action)).into(),
        Ok(false) => Decoded::Foreign,
        Err(reason) => Decoded::Malformed(reason),
    }
}

/// Makes a row of a hash that was found by a search for the deployed rows of one kind. `None`: its key does not say which
/// row it is, so it has to be looked at as a whole.
pub(crate) fn decode_found(keys: &ZoneKeys, kind: Kind, key: &str, hash: &Hash<'_>) -> Option<Decoded> {
    match hash.is_of(keys) {
        Ok(true) => {}
        Ok(false) | Err(_) => return Some(Decoded::Foreign),
    }
    let key = keys.identify(key).filter(|key| key.kind == kind)?;
    Some(hash.row(key, Action::Deploy).into())
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

/// Takes in what a read decoded: rows that it is about, and what it leaves out.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// The rows.
    pub(crate) rows: Vec<Row>,
    /// Their bytes.
    pub(crate) bytes: usize,
    /// What was left out.
    pub(crate) skipped: Skipped,
}

impl Gathered {
    /// Takes one in. Removed rows only where `with_removed`; `key` is asked for where something is wrong with it.
    pub(crate) fn add(&mut self, decoded: Decoded, with_removed: bool, key: impl FnOnce() -> String) {
        match decoded {
            Decoded::Row(row) if with_removed || row.state != RowState::Removed => {
                self.bytes += row.size();
                self.rows.push(row);
            }
            Decoded::Row(_) | Decoded::Foreign => {}
            Decoded::Malformed(reason) => self.skipped.add(&key(), reason),
        }
    }
}

#[cfg(test)]
mod tests;
