//! The index that APIM's gateways read by (`zone-store.md` section 5): kept alive for them, and read through where that is
//! safe.
//!
//! A cursor without a clause on `updatedAt` loses nothing (`cursor-truncation.md`). Everything else that an index gets
//! wrong (being built, other letter case, names it cannot hold) is found before, or by comparing rows exactly; what is
//! still missing then, the caller finds by counts and digests and reads by [`crate::scan`].

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use rustis::resp::{CommandBuilder, cmd};
use zonegate_model::{Kind, Row, ZoneName};
use zonegate_sync::port::{RowSink, StoreError};

use crate::connect::{Link, Session};
use crate::failure::CallError;
use crate::layout::{
    Action, AggregateReply, Decoded, NamedRow, RECORDED_AT, Skipped, ZoneKeys, decode_found, decode_row, tag,
};
use crate::reply::Reply;
use crate::scan::{self, Ending, Pace, deliver};

/// APIM's index of layout v2.
const INDEX: &str = "distributed-event-search-idx-v2";

/// What is known of the index on a server.
#[derive(Default)]
pub(crate) struct Search {
    /// The generation of the control connection on which the index was last made sure of.
    ensured: AtomicU64,
    /// Whether its absence was already logged.
    told: AtomicBool,
}

impl Search {
    /// Creates the index unless this was seen to on the same connection. Never fails: without it zone and guarantees are
    /// the same, only slower, and APIM's gateways see nothing.
    pub(crate) async fn ensure(&self, link: &Link) {
        let Ok(session) = link.session().await else { return };
        if self.ensured.load(Ordering::Relaxed) == session.generation {
            return;
        }
        if self.create(link, &session).await {
            self.ensured.store(session.generation, Ordering::Relaxed);
        }
    }

    /// The store lost its content, and so perhaps its index.
    pub(crate) fn doubt(&self) {
        self.ensured.store(0, Ordering::Relaxed);
    }

    /// Whether there is nothing more to be done about the index on this connection.
    async fn create(&self, link: &Link, session: &Session) -> bool {
        match link.call_on::<Reply>(session, "FT.CREATE", create(), Duration::ZERO).await {
            Ok(_) => {
                tracing::info!(
                    address = link.settings().address(),
                    index = INDEX,
                    "created the search index"
                );
                true
            }
            Err(error) if error.says("Index already exists") => true,
            Err(error) if error.is_unreachable() => false,
            Err(error) => {
                self.tell(&error.error);
                true
            }
        }
    }

    fn tell(&self, error: &StoreError) {
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::info!(
                "no search index, so rows are read key by key, with the same guarantees; APIM gateways can't read this \
                 store. {error}"
            );
        }
    }

    /// Whether the index is there, built, and can hold the zone's name. Creates it where it is absent.
    async fn is_usable(&self, link: &Link, session: &Session, zone: &ZoneName) -> Result<bool, StoreError> {
        // A comma parts tags and blanks are cut off, so such a name finds nothing.
        if zone.as_str().contains(',') || zone.as_str().trim() != zone.as_str() {
            return Ok(false);
        }
        let info = cmd("FT.INFO").arg(INDEX);
        match link.call_on::<Reply>(session, "FT.INFO", info, Duration::ZERO).await {
            Ok(info) => {
                let is_built =
                    info.field("indexing").and_then(number).is_some_and(|indexing| indexing == 0.0);
                if !is_built {
                    tracing::info!("the search index is being built; reading key by key");
                }
                Ok(is_built)
            }
            Err(error) if error.is_unreachable() => Err(error.into()),
            Err(error) if is_no_index(&error) => {
                self.create(link, session).await;
                Ok(false)
            }
            Err(error) => {
                self.tell(&error.error);
                Ok(false)
            }
        }
    }

    /// Delivers the rows that the index has: all that are deployed, or with `since` all that were written then or later.
    pub(crate) async fn read(
        &self,
        link: &Link,
        keys: &ZoneKeys,
        since: Option<i64>,
        sink: &mut impl RowSink,
    ) -> Result<Ending, StoreError> {
        let session = link.session().await?;
        if !self.is_usable(link, &session, &keys.zone).await? {
            return Ok(Ending::Unusable);
        }
        let zone = format!("@clusterId:{{{}}}", tag(keys.zone.as_str()));
        let mut skipped = Skipped::default();
        let outcome = if let Some(from) = since {
            let query = format!("{zone}@updatedAt:[{from} +inf]");
            self.query(link, &session, keys, (query, None), &mut skipped, sink).await
        } else {
            let mut outcome = Ok(Ending::Done);
            for kind in Kind::ALL {
                let query = format!("{zone}@type:{{{kind}}}@syncAction:{{{}}}", Action::Deploy.name());
                outcome = self.query(link, &session, keys, (query, Some(kind)), &mut skipped, sink).await;
                if !matches!(outcome, Ok(Ending::Done)) {
                    break;
                }
            }
            outcome
        };
        skipped.report(&link.settings().address());
        outcome
    }

    async fn query(
        &self,
        link: &Link,
        session: &Session,
        keys: &ZoneKeys,
        (query, kind): (String, Option<Kind>),
        skipped: &mut Skipped,
        sink: &mut impl RowSink,
    ) -> Result<Ending, StoreError> {
        let mut pace = Pace::new(link.settings());
        let read = async |command, is_ahead| {
            let limit = Duration::ZERO;
            (is_ahead, link.call_on::<AggregateReply>(session, "FT.AGGREGATE", command, limit).await)
        };
        // One answer is asked for ahead, so that the server works while we do. `FT.CURSOR READ` at the end of a cursor
        // fails, so an ahead one may; so it does where the server reads a cursor in the background and finds it busy.
        let (mut answers, mut ahead, mut cursor) = (FuturesOrdered::new(), 1, 0);
        answers.push_back(read(aggregate(&query, kind, pace.rows()), false));
        while let Some((is_ahead, answer)) = answers.next().await {
            let reply = match answer {
                Ok(reply) => reply,
                Err(error) if error.is_unreachable() => return Err(error.into()),
                Err(error) if is_ahead && error.says("cursor") => {
                    ahead = 0;
                    if answers.is_empty() {
                        answers.push_back(read(next(cursor, pace.rows()), false));
                    }
                    continue;
                }
                Err(error) => {
                    tracing::warn!("the search index failed, reading key by key: {}", error.error);
                    if is_no_index(&error) {
                        self.doubt();
                    }
                    return Ok(Ending::Unusable);
                }
            };
            let is_last = reply.cursor == 0;
            let (mut rows, doubtful) = decode(keys, kind, reply.rows, skipped);
            if !doubtful.is_empty() {
                rows.extend(scan::decode(keys, None, scan::fetch(link, session, doubtful).await?, skipped));
            }
            pace.learn(&rows);
            if !is_last {
                cursor = reply.cursor;
                while answers.len() <= ahead {
                    let is_ahead = !answers.is_empty();
                    answers.push_back(read(next(cursor, pace.rows()), is_ahead));
                }
            }
            if deliver(sink, rows).await.is_err() {
                if !is_last {
                    let close = cmd("FT.CURSOR").arg("DEL").arg(INDEX).arg(cursor);
                    // The server forgets it after a while by itself.
                    let _ = link.call_on::<Reply>(session, "FT.CURSOR DEL", close, Duration::ZERO).await;
                }
                return Ok(Ending::Stopped);
            }
            if is_last {
                break;
            }
        }
        Ok(Ending::Done)
    }
}

/// Rows, and the keys of those that have to be looked at as a whole. `kind` is what the query asked for.
fn decode(
    keys: &ZoneKeys,
    kind: Option<Kind>,
    found: Vec<NamedRow>,
    skipped: &mut Skipped,
) -> (Vec<Row>, Vec<Box<str>>) {
    let (mut rows, mut doubtful) = (Vec::with_capacity(found.len()), Vec::new());
    for (key, fields) in found.into_iter().map(NamedRow::into_parts) {
        let decoded = match kind {
            Some(kind) => decode_found(keys, kind, &key, fields),
            None => Some(decode_row(keys, &key, fields)),
        };
        match decoded {
            Some(Decoded::Row(row)) => rows.push(row),
            Some(Decoded::Foreign) => {}
            Some(Decoded::Malformed(reason)) => skipped.add(&key, reason),
            None => doubtful.push(key),
        }
    }
    (rows, doubtful)
}

fn create() -> CommandBuilder {
    let words = [
        INDEX,
        "ON",
        "HASH",
        "PREFIX",
        "1",
        "distributed_event:",
        "SCHEMA",
        "clusterId",
        "TAG",
        "type",
        "TAG",
        "syncAction",
        "TAG",
        "updatedAt",
        "NUMERIC",
        "SORTABLE",
    ];
    words.into_iter().fold(cmd("FT.CREATE"), CommandBuilder::arg)
}

fn aggregate(query: &str, kind: Option<Kind>, rows: usize) -> CommandBuilder {
    // What the query and the key say already is not loaded: loading is what the server spends its time on.
    let fields: &[&str] = match kind {
        Some(_) => &["__key", "clusterId", "payload", RECORDED_AT],
        None => &["__key", "clusterId", "payload", RECORDED_AT, "id", "type", "syncAction"],
    };
    let command = cmd("FT.AGGREGATE").arg(INDEX).arg(query).arg("LOAD").arg(fields.len());
    let command = fields.iter().fold(command, |command, field| command.arg(format!("@{field}")));
    command.arg("WITHCURSOR").arg("COUNT").arg(rows)
}

fn next(cursor: i64, rows: usize) -> CommandBuilder {
    cmd("FT.CURSOR").arg("READ").arg(INDEX).arg(cursor).arg("COUNT").arg(rows)
}

fn number(reply: &Reply) -> Option<f64> {
    match reply {
        Reply::Integer(number) => Some(if *number == 0 { 0.0 } else { 1.0 }),
        Reply::Double(number) => Some(*number),
        _ => reply.text()?.parse().ok(),
    }
}

/// Two versions' words for it.
fn is_no_index(error: &CallError) -> bool {
    error.says("no such index") || error.says("unknown index name")
}
