//! Reading rows key by key: needs no index and is complete for every row that lies in the store during the whole read.
//! Also what both ways of reading share: how much to ask for at a time, and handing rows over.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use rustis::resp::{CommandBuilder, cmd};
use zonegate_model::{Row, RowState};
use zonegate_sync::port::{RowSink, Stopped, StoreError};

use crate::connect::{Link, Session};
use crate::failure;
use crate::layout::{Decoded, HMGET_FIELDS, RowFields, Skipped, ZoneKeys, decode_row};
use crate::reply::{Reply, Tolerant};
use crate::settings::RedisSettings;

/// Keys that `SCAN` looks at in one call.
const LOOK_AT: usize = 1000;
/// Rows to ask for before it is known how large they are.
const FIRST_ROWS: usize = 32;
/// However large rows are, so many at a time.
const FEWEST_ROWS: usize = 8;

/// How a read ended, if it did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Everything was delivered.
    Done,
    /// The receiver has gone.
    Stopped,
    /// What was delivered is right, but there is more, which this way of reading can't get.
    Unusable,
}

/// How many rows to ask for, so that answers stay near a number of bytes (L2).
pub(crate) struct Pace {
    most_rows: usize,
    bytes: usize,
    rows: usize,
}

impl Pace {
    pub(crate) fn new(settings: &RedisSettings) -> Self {
        let most_rows = settings.read_rows.max(FEWEST_ROWS);
        Self { most_rows, bytes: settings.read_bytes, rows: FIRST_ROWS.min(most_rows) }
    }

    /// How many rows to ask for now.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Looks at the size of rows that came.
    pub(crate) fn learn(&mut self, rows: &[Row]) {
        let Some(average) = rows.iter().map(Row::size).sum::<usize>().checked_div(rows.len()) else { return };
        self.rows = (self.bytes / average.max(1)).clamp(FEWEST_ROWS, self.most_rows);
    }
}

/// Hands rows over, if there are any.
pub(crate) async fn deliver(sink: &mut impl RowSink, rows: Vec<Row>) -> Result<(), Stopped> {
    if rows.is_empty() { Ok(()) } else { sink.push(rows).await }
}

/// Delivers the rows of the zone: all that are deployed, or with `since` all that were written then or later.
pub(crate) async fn read(
    link: &Link,
    keys: &ZoneKeys,
    since: Option<i64>,
    sink: &mut impl RowSink,
) -> Result<Ending, StoreError> {
    let session = link.session().await?;
    let mut pace = Pace::new(link.settings());
    let mut skipped = Skipped::default();
    // Where to scan on, and keys that were found but not asked for.
    let (mut cursor, mut found) = (Some("0".to_owned()), Vec::new());
    // One part is asked for ahead, so that the server works while we do.
    let mut parts = FuturesOrdered::new();
    loop {
        while parts.len() < 2 {
            if found.len() < pace.rows()
                && let Some(from) = cursor.take()
            {
                let (next, keys) = scan(link, &session, keys, &from).await?;
                found.extend(keys);
                cursor = (next != "0").then_some(next);
            } else if found.is_empty() {
                break;
            } else {
                let part: Vec<Box<str>> = found.drain(..pace.rows().min(found.len())).collect();
                parts.push_back(fetch(link, &session, part));
            }
        }
        let Some(part) = parts.next().await else {
            skipped.report(&link.settings().address());
            return Ok(Ending::Done);
        };
        let rows = decode(keys, since, part?, &mut skipped);
        pace.learn(&rows);
        if deliver(sink, rows).await.is_err() {
            return Ok(Ending::Stopped);
        }
    }
}

/// A key and what was found under it.
type Found = (Box<str>, Tolerant<RowFields>);

/// Makes rows of what was found.
pub(crate) fn decode(
    keys: &ZoneKeys,
    since: Option<i64>,
    part: Vec<Found>,
    skipped: &mut Skipped,
) -> Vec<Row> {
    let mut rows = Vec::with_capacity(part.len());
    for (key, Tolerant(fields)) in part {
        let decoded = match fields {
            Ok(fields) if since.is_some_and(|from| !fields.is_since(from)) => continue,
            Ok(fields) => decode_row(keys, &key, fields),
            Err(_) => Decoded::Malformed("it is no hash"),
        };
        match decoded {
            Decoded::Row(row) if since.is_some() || row.state != RowState::Removed => rows.push(row),
            Decoded::Row(_) | Decoded::Foreign => {}
            Decoded::Malformed(reason) => skipped.add(&key, reason),
        }
    }
    rows
}

/// Reads the hashes of some keys.
pub(crate) async fn fetch(
    link: &Link,
    session: &Session,
    keys: Vec<Box<str>>,
) -> Result<Vec<Found>, StoreError> {
    let command = |key: &str| HMGET_FIELDS.into_iter().fold(cmd("HMGET").key(key), CommandBuilder::arg);
    let values = link.call_all(session, "HMGET", keys.iter().map(|key| command(key))).await?;
    Ok(keys.into_iter().zip(values).collect())
}

/// One step of a scan: where to go on, `0` at the end, and keys.
async fn scan(
    link: &Link,
    session: &Session,
    keys: &ZoneKeys,
    cursor: &str,
) -> Result<(String, Vec<Box<str>>), StoreError> {
    let command = cmd("SCAN").arg(cursor).arg("MATCH").arg(&keys.rows_pattern).arg("COUNT").arg(LOOK_AT);
    let reply: Reply = link.call_on(session, "SCAN", command, Duration::ZERO).await?;
    let [next, found] = reply.items() else {
        return Err(failure::malformed(link.settings(), "the answer to SCAN", "not a cursor and keys"));
    };
    let Some(next) = next.text() else {
        return Err(failure::malformed(link.settings(), "the answer to SCAN", "the cursor is not text"));
    };
    let found = found.items().iter().filter_map(Reply::text).map(Into::into).collect();
    Ok((next.to_owned(), found))
}
