//! Entries of the log stream (`ARCHITECTURE.md`): a committed batch under the id `<revision>-0`, the release of a lease
//! under `<revision>-<epoch>`. Carries Z5.
//!
//! The rows of a batch are one field, each row a header line `<kind> <D|U> <scope length or -> <id length> <text length>`,
//! with the time of its record as a sixth word if that is known, and then scope, id and text without separators, so that
//! they are read without a parser and hold any character.

use std::fmt::Write;
use std::str::FromStr;

use zonegate_model::{Epoch, Kind, RecordedAt, Revision, Row, RowKey, RowState};
use zonegate_sync::port::{LogEntry, LogItem};

use super::manifest::decode_manifest;
use crate::reply::Reply;

/// Place in the stream: an entry's id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LogPosition {
    /// Revision.
    pub(crate) revision: u64,
    /// Zero for a batch, the epoch for a release.
    pub(crate) sequence: u64,
}

impl std::fmt::Display for LogPosition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.revision, self.sequence)
    }
}

impl FromStr for LogPosition {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (revision, sequence) = text.split_once('-').ok_or(())?;
        Ok(Self { revision: revision.parse().map_err(drop)?, sequence: sequence.parse().map_err(drop)? })
    }
}

/// The field `rows` of an entry.
pub(crate) fn encode_rows(rows: &[Row]) -> String {
    let mut text = String::with_capacity(rows.iter().map(|row| row.size() + 32).sum());
    for row in rows {
        let (mark, payload) = match &row.state {
            RowState::Deployed(payload) => ('D', payload.as_str()),
            RowState::Removed => ('U', ""),
        };
        let scope = row.key.scope.as_deref();
        let scope_length = scope.map_or_else(|| "-".to_owned(), |scope| scope.len().to_string());
        let (kind, id) = (row.key.kind.name(), &row.key.id);
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{kind} {mark} {scope_length} {} {}", id.len(), payload.len());
        if row.recorded_at != RecordedAt::UNKNOWN {
            let _ = write!(text, " {}", row.recorded_at.0);
        }
        text.push('\n');
        text.push_str(scope.unwrap_or_default());
        text.push_str(id);
        text.push_str(payload);
    }
    text
}

/// Reads rows back; `None` if the text is not of [`encode_rows`].
pub(crate) fn decode_rows(text: &str) -> Option<Vec<Row>> {
    let (mut rest, mut rows) = (text, Vec::new());
    while !rest.is_empty() {
        let (header, after) = rest.split_once('\n')?;
        rest = after;
        let mut words = header.split(' ');
        let kind = words.next()?.parse::<Kind>().ok()?;
        let deployed = match words.next()? {
            "D" => true,
            "U" => false,
            _ => return None,
        };
        let scope_length = match words.next()? {
            "-" => None,
            length => Some(length.parse::<usize>().ok()?),
        };
        let id_length = words.next()?.parse().ok()?;
        let payload_length = words.next()?.parse().ok()?;
        let recorded_at = match words.next() {
            Some(at) => RecordedAt(at.parse().ok()?),
            None => RecordedAt::UNKNOWN,
        };
        if words.next().is_some() || scope_length.is_some() != kind.is_scoped() {
            return None;
        }
        // Checked against what is left, so no length makes us allocate more than we were sent.
        let mut take = |length: usize| {
            let (taken, left) = rest.split_at_checked(length)?;
            rest = left;
            Some(taken)
        };
        let scope = match scope_length {
            Some(length) => Some(take(length)?.into()),
            None => None,
        };
        let key = RowKey { kind, scope, id: take(id_length)?.into() };
        let payload = take(payload_length)?;
        let row = if deployed { Row::deployed(key, payload) } else { Row::removed(key) };
        rows.push(row.recorded(recorded_at));
    }
    Some(rows)
}

/// An entry of the stream, or what is left of one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Entry {
    /// Understood.
    Item(LogItem),
    /// Not understood. A follower sees a gap in the revisions and reads the store.
    Malformed,
}

/// The entries in a reply to `XREAD` on one stream, in order. Entries without a readable id are left out.
pub(crate) fn decode_entries(reply: &Reply) -> Vec<(LogPosition, Entry)> {
    // RESP3: {stream: entries}; RESP2: [[stream, entries]]; nothing: nil.
    let entries = match reply {
        Reply::Map(streams) => streams.first().map(|(_, entries)| entries),
        _ => reply.items().first().and_then(|stream| stream.items().get(1)),
    };
    let decode = |entry: &Reply| {
        let [id, fields] = entry.items() else { return None };
        Some((id.text()?.parse::<LogPosition>().ok()?, decode_entry(fields)))
    };
    entries.map_or(&[][..], Reply::items).iter().filter_map(decode).collect()
}

fn decode_entry(fields: &Reply) -> Entry {
    if let Some(epoch) = fields.field("released") {
        let epoch = epoch.text().and_then(|text| text.parse::<u64>().ok());
        return epoch.map_or(Entry::Malformed, |epoch| Entry::Item(LogItem::Released(Epoch(epoch))));
    }
    let Ok(Some(manifest)) = decode_manifest(fields) else { return Entry::Malformed };
    let rows = fields.field("rows").and_then(Reply::text).and_then(decode_rows);
    Entry::Item(LogItem::Committed(Box::new(LogEntry { manifest, rows })))
}

impl LogPosition {
    /// Just after the batch of a revision, before any release that followed it.
    pub(crate) fn of(revision: Revision) -> Self {
        Self { revision: revision.0, sequence: 0 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::manifest::encode_manifest;
    use super::super::manifest::tests::{any_manifest, as_reply};
    use super::*;
    use crate::reply::bytes;

    fn any_row() -> impl Strategy<Value = Row> {
        let text = "(?s).{0,12}|[\n 0-9DU-]{0,8}";
        let recorded_at = prop_oneof![Just(0), any::<i64>()];
        (0..Kind::ALL.len(), text, text, prop::option::of(text), recorded_at).prop_map(
            |(kind, scope, id, payload, at)| {
                let kind = Kind::ALL[kind];
                let key = RowKey { kind, scope: kind.is_scoped().then(|| scope.into()), id: id.into() };
                let row = match payload {
                    Some(payload) => Row::deployed(key, payload),
                    None => Row::removed(key),
                };
                row.recorded(RecordedAt(at))
            },
        )
    }

    fn stream(entries: Vec<(&str, Reply)>) -> Reply {
        let entries = entries.into_iter().map(|(id, fields)| Reply::List(vec![bytes(id), fields])).collect();
        Reply::Map(vec![(bytes("zonegate:z:log"), Reply::List(entries))])
    }

    #[test]
    fn a_release_and_a_spoiled_entry_are_told_apart() {
        let released = as_reply(&[("released", "7".into())]);
        let reply =
            stream(vec![("3-7", released), ("4-0", as_reply(&[("store", "x".into())])), ("x", Reply::Nil)]);
        let expected = vec![
            (LogPosition { revision: 3, sequence: 7 }, Entry::Item(LogItem::Released(Epoch(7)))),
            (LogPosition { revision: 4, sequence: 0 }, Entry::Malformed),
        ];
        assert_eq!(decode_entries(&reply), expected);
        assert_eq!(decode_entries(&Reply::Nil), Vec::new());
    }

    proptest! {
        #[test]
        fn rows_go_there_and_back(rows in prop::collection::vec(any_row(), 0..8)) {
            prop_assert_eq!(decode_rows(&encode_rows(&rows)), Some(rows));
        }

        #[test]
        fn an_entry_goes_there_and_back(
            manifest in any_manifest(),
            rows in prop::option::of(prop::collection::vec(any_row(), 0..4)),
        ) {
            let mut fields = encode_manifest(&manifest);
            if let Some(rows) = &rows {
                fields.push(("rows", encode_rows(rows)));
            }
            let decoded = decode_entries(&stream(vec![("9-0", as_reply(&fields))]));
            let entry = Entry::Item(LogItem::Committed(Box::new(LogEntry { manifest, rows })));
            prop_assert_eq!(decoded, vec![(LogPosition { revision: 9, sequence: 0 }, entry)]);
        }

        #[test]
        fn l1_any_text_is_rows_or_none(
            text in "(?s).{0,60}|((API|API_KEY) [DU] (-|[0-9]{1,20}) [0-9]{1,20} [0-9]{1,20}( -?[0-9]{1,20})?\n.{0,9}){0,3}"
        ) {
            let _ = decode_rows(&text);
        }
    }
}
