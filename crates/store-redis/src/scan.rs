//! Reading rows key by key: needs no index and is complete for every row that lies in the store during the whole read.
//! Also what both ways of reading share: how much to ask for at a time, and handing rows over.
//!
//! The list of keys that we keep, or `SCAN`, tells the keys, pipelined `HMGET`s what lies under them. The next keys are
//! asked for before the hashes of the last ones, so the server always has something to do while we take its answers apart.
//! The list is in the order in which rows were created, in which they lie side by side in the server's memory: `HMGET` costs
//! the server half as much then. It may lack rows that APIM wrote; who reads by it has to prove that nothing is missing.

use std::collections::VecDeque;
use std::sync::Arc;

use zonegate_model::{Row, RowKey};
use zonegate_sync::port::{RowSink, Stopped, StoreError};

use crate::bulk::{Bulk, Head};
use crate::failure;
use crate::layout::{
    ALL_FIELDS, Gathered, Hash, KNOWN_FIELDS, ZoneKeys, decode_any, decode_known, listed_keys,
};
use crate::resp::{self, RowValues};
use crate::settings::RedisSettings;

/// Keys that `SCAN` looks at in one call.
const LOOK_AT: &[u8] = b"1000";
/// Entries of the list in one call: of a full batch each has hundreds of keys.
const ENTRIES: &[u8] = b"16";
/// Most keys in an answer to `SCAN`: it may be more than were looked at, but not many times as many.
const MOST_KEYS: usize = 1 << 20;
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

    /// Whether so much is enough to be handed over.
    pub(crate) fn is_enough(&self, gathered: &Gathered) -> bool {
        gathered.rows.len() >= self.most_rows || gathered.bytes >= self.bytes
    }

    /// Looks at the size of rows that came.
    pub(crate) fn learn(&mut self, gathered: &Gathered) {
        let Some(average) = gathered.bytes.checked_div(gathered.rows.len()) else { return };
        self.rows = (self.bytes / average.max(1)).clamp(FEWEST_ROWS, self.most_rows);
    }
}

/// Hands over the rows that were gathered, if there are any.
pub(crate) async fn deliver(sink: &mut impl RowSink, gathered: &mut Gathered) -> Result<(), Stopped> {
    gathered.bytes = 0;
    let next = Vec::with_capacity(gathered.rows.len());
    let rows: Vec<Row> = std::mem::replace(&mut gathered.rows, next);
    if rows.is_empty() { Ok(()) } else { sink.push(rows).await }
}

/// How closely each hash is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Where the key says which row it is, `id` and `type` are not asked for.
    ByKey,
    /// All fields must be as APIM's gateways need them to be.
    Closely,
    /// As before, and rows that were written at this time or later, also the removed ones.
    Since(i64),
}

impl Look {
    fn since(self) -> Option<i64> {
        match self {
            Self::Since(from) => Some(from),
            Self::ByKey | Self::Closely => None,
        }
    }
}

/// What tells the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The server, going through all keys that it has.
    Scan,
    /// The list that we keep.
    List,
}

impl Source {
    /// Where it begins.
    fn start(self) -> Vec<u8> {
        match self {
            Self::Scan => b"0".to_vec(),
            Self::List => b"0-0".to_vec(),
        }
    }

    /// Asks for the next keys.
    fn ask(self, out: &mut Vec<u8>, keys: &ZoneKeys, from: &[u8]) {
        match self {
            Self::Scan => {
                let pattern = keys.rows_pattern.as_bytes();
                resp::command(out, &[b"SCAN", from, b"MATCH", pattern, b"COUNT", LOOK_AT]);
            }
            Self::List => {
                let list = keys.rows.as_bytes();
                resp::command(out, &[b"XREAD", b"COUNT", ENTRIES, b"STREAMS", list, from]);
            }
        }
    }

    /// Takes in the next keys: where to go on, if there is more.
    async fn take(
        self,
        bulk: &mut Bulk,
        keys: &ZoneKeys,
        found: &mut VecDeque<String>,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        match self {
            Self::Scan => scanned(bulk, keys, found).await,
            Self::List => listed(bulk, keys, found).await,
        }
    }
}

/// What was asked for, in the order of the answers.
enum Asked {
    Keys,
    Known(RowKey),
    Any(String),
}

/// Delivers the rows of the zone: all that are deployed, or those that [`Look::Since`] says.
pub(crate) async fn read(
    settings: &Arc<RedisSettings>,
    keys: &ZoneKeys,
    source: Source,
    look: Look,
    sink: &mut impl RowSink,
) -> Result<Ending, StoreError> {
    let mut bulk = Bulk::open(settings).await?;
    let mut pace = Pace::new(settings);
    let mut gathered = Gathered::default();
    // Where to go on for keys unless that is under way, and keys that were found but not asked for.
    let (mut cursor, mut found) = (Some(source.start()), VecDeque::new());
    let (mut asked, mut rows_asked) = (VecDeque::new(), 0);
    loop {
        if found.len() < pace.rows()
            && let Some(from) = cursor.take()
        {
            source.ask(bulk.out(), keys, &from);
            asked.push_back(Asked::Keys);
        }
        if rows_asked <= pace.rows() {
            for _ in 0..pace.rows() {
                let Some(key) = found.pop_front() else { break };
                asked.push_back(ask(bulk.out(), keys, key, look));
                rows_asked += 1;
            }
        }
        bulk.send().await?;
        match asked.pop_front() {
            None => break,
            Some(Asked::Keys) => {
                cursor = source.take(&mut bulk, keys, &mut found).await?;
                continue;
            }
            Some(Asked::Known(key)) => {
                let decoded = bulk.row("HMGET", |values| match values {
                    Some(values) => Ok(decode_known(keys, key, &Hash::of_known(&values))),
                    None => Err(key),
                });
                match decoded.await? {
                    Ok(decoded) => gathered.add(decoded, false, || keys.rows_pattern.clone()),
                    Err(key) => gathered.skipped.add(&keys.row(&key), "it is no hash"),
                }
            }
            Some(Asked::Any(key)) => any(&mut bulk, keys, &key, look, &mut gathered).await?,
        }
        rows_asked -= 1;
        if pace.is_enough(&gathered) || rows_asked == 0 {
            pace.learn(&gathered);
            if deliver(sink, &mut gathered).await.is_err() {
                return Ok(Ending::Stopped);
            }
        }
    }
    gathered.skipped.report(&settings.address());
    let ending = deliver(sink, &mut gathered).await;
    Ok(if ending.is_ok() { Ending::Done } else { Ending::Stopped })
}

/// Asks for what lies under a key.
fn ask(out: &mut Vec<u8>, keys: &ZoneKeys, key: String, look: Look) -> Asked {
    let known = if look == Look::ByKey { keys.identify(&key) } else { None };
    let fields: &[&str] = if known.is_some() { &KNOWN_FIELDS } else { &ALL_FIELDS };
    resp::begin(out, 2 + fields.len());
    resp::word(out, b"HMGET");
    resp::word(out, key.as_bytes());
    for field in fields {
        resp::word(out, field.as_bytes());
    }
    known.map_or(Asked::Any(key), Asked::Known)
}

/// Takes in the answer for a key that does not say which row it is.
async fn any(
    bulk: &mut Bulk,
    keys: &ZoneKeys,
    key: &str,
    look: Look,
    gathered: &mut Gathered,
) -> Result<(), StoreError> {
    let take = |values: Option<RowValues<'_>>| {
        let Some(values) = values else { return gathered.skipped.add(key, "it is no hash") };
        let hash = Hash::of_any(&values);
        let since = look.since();
        if since.is_none_or(|from| hash.is_since(from)) {
            gathered.add(decode_any(keys, key, &hash), since.is_some(), || key.to_owned());
        }
    };
    Ok(bulk.row("HMGET", take).await?)
}

/// Reads the hashes of some keys, a few, one after the other.
pub(crate) async fn fetch(
    bulk: &mut Bulk,
    keys: &ZoneKeys,
    doubtful: Vec<String>,
    gathered: &mut Gathered,
) -> Result<(), StoreError> {
    let asked: Vec<Asked> =
        doubtful.into_iter().map(|key| ask(bulk.out(), keys, key, Look::Closely)).collect();
    bulk.send().await?;
    for asked in asked {
        if let Asked::Any(key) = asked {
            any(bulk, keys, &key, Look::Closely, gathered).await?;
        }
    }
    Ok(())
}

/// Takes in the answer to `XREAD`.
async fn listed(
    bulk: &mut Bulk,
    keys: &ZoneKeys,
    found: &mut VecDeque<String>,
) -> Result<Option<Vec<u8>>, StoreError> {
    let odd =
        |bulk: &Bulk| failure::malformed(bulk.settings(), "the list of keys", "not entries of a stream");
    match bulk.head("XREAD").await? {
        Head::Nil => return Ok(None),
        Head::List(1) => {}
        _ => return Err(odd(bulk)),
    }
    let (Head::List(2), Head::Text(_)) = (bulk.head("XREAD").await?, bulk.head("XREAD").await?) else {
        return Err(odd(bulk));
    };
    let Head::List(entries) = bulk.head("XREAD").await? else { return Err(odd(bulk)) };
    let mut last = None;
    for _ in 0..entries {
        let (Head::List(2), Head::Text(id)) = (bulk.head("XREAD").await?, bulk.head("XREAD").await?) else {
            return Err(odd(bulk));
        };
        let Head::List(parts) = bulk.head("XREAD").await? else { return Err(odd(bulk)) };
        for part in 0..parts {
            // Names and values in turn.
            if let (Head::Text(entry), 1) = (bulk.head("XREAD").await?, part % 2) {
                found.extend(listed_keys(&entry).filter(|key| keys.may_hold(key)));
            }
        }
        last = Some(id);
    }
    Ok(last)
}

/// Takes in the answer to `SCAN`.
async fn scanned(
    bulk: &mut Bulk,
    keys: &ZoneKeys,
    found: &mut VecDeque<String>,
) -> Result<Option<Vec<u8>>, StoreError> {
    let odd =
        |bulk: &Bulk| failure::malformed(bulk.settings(), "the answer to SCAN", "not a cursor and keys");
    let Head::List(2) = bulk.head("SCAN").await? else { return Err(odd(bulk)) };
    let Head::Text(next) = bulk.head("SCAN").await? else { return Err(odd(bulk)) };
    let Head::List(count @ ..=MOST_KEYS) = bulk.head("SCAN").await? else { return Err(odd(bulk)) };
    for _ in 0..count {
        let Head::Text(key) = bulk.head("SCAN").await? else { return Err(odd(bulk)) };
        // A key that is no text is none of ours.
        found.extend(String::from_utf8(key).ok().filter(|key| keys.may_hold(key)));
    }
    Ok((next != b"0").then_some(next))
}
