//! The index that APIM's gateways read by (`zone-store.md` section 5): kept alive for them, and read through where that is
//! safe.
//!
//! A cursor without a clause on `updatedAt` loses nothing (`cursor-truncation.md`). Everything else that an index gets
//! wrong (being built, other letter case, names it cannot hold) is found before, or by comparing rows exactly; what is
//! still missing then, the caller finds by counts and digests and reads by [`crate::scan`].

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rustis::resp::{CommandBuilder, cmd};
use zonegate_model::Kind;
use zonegate_sync::port::{RowSink, StoreError};

use crate::bulk::{Bulk, Head};
use crate::connect::{Link, Session};
use crate::failure::{self, CallError};
use crate::layout::{Action, Gathered, Hash, RECORDED_AT, ZoneKeys, decode_any, decode_found, tag};
use crate::reply::Reply;
use crate::resp::{self, RowValues};
use crate::scan::{self, Ending, Pace, deliver};
use crate::settings::Layout;

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
    pub(crate) async fn ensure(&self, link: &Link, layout: Layout) {
        let Ok(session) = link.session().await else { return };
        if self.ensured.load(Ordering::Relaxed) == session.generation {
            return;
        }
        if self.create(link, &session, layout).await {
            self.ensured.store(session.generation, Ordering::Relaxed);
        }
    }

    /// The store lost its content, and so perhaps its index.
    pub(crate) fn doubt(&self) {
        self.ensured.store(0, Ordering::Relaxed);
    }

    /// Whether there is nothing more to be done about the index on this connection.
    async fn create(&self, link: &Link, session: &Session, layout: Layout) -> bool {
        match link.call_on::<Reply>(session, "FT.CREATE", create(layout), Duration::ZERO).await {
            Ok(_) => {
                tracing::info!(
                    address = link.settings().address(),
                    index = index(layout),
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
    pub(crate) async fn is_usable(&self, link: &Link, keys: &ZoneKeys) -> Result<bool, StoreError> {
        let session = &link.session().await?;
        // A comma parts tags and blanks are cut off, so such a name finds nothing.
        let (zone, layout) = (&keys.zone, keys.layout);
        if layout == Layout::V4_12 && (zone.as_str().contains(',') || zone.as_str().trim() != zone.as_str()) {
            return Ok(false);
        }
        let info = cmd("FT.INFO").arg(index(layout));
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
                self.create(link, session, layout).await;
                Ok(false)
            }
            Err(error) => {
                self.tell(&error.error);
                Ok(false)
            }
        }
    }

    /// Delivers the rows that the index has, which [`Self::is_usable`] said to be so: all that are deployed, or with `since` all that were written then or later.
    pub(crate) async fn read(
        &self,
        link: &Link,
        keys: &ZoneKeys,
        since: Option<i64>,
        sink: &mut impl RowSink,
    ) -> Result<Ending, StoreError> {
        let zone = match keys.layout {
            Layout::V4_12 => format!("@clusterId:{{{}}}", tag(keys.zone.as_str())),
            Layout::V4_11 => String::new(),
        };
        let mut reading = Reading {
            keys,
            bulk: Bulk::open(link.shared_settings()).await?,
            gathered: Gathered::default(),
            sink,
        };
        let outcome = if let Some(from) = since {
            reading.query(&format!("{zone}@updatedAt:[{from} +inf]"), None).await
        } else {
            let mut outcome = Ok(Ending::Done);
            for kind in Kind::ALL {
                let query = format!("{zone}@type:{{{kind}}}@syncAction:{{{}}}", Action::Deploy.name());
                outcome = reading.query(&query, Some(kind)).await;
                if !matches!(outcome, Ok(Ending::Done)) {
                    break;
                }
            }
            outcome
        };
        reading.gathered.skipped.report(&link.settings().address());
        match outcome {
            Ok(ending) => Ok(ending),
            Err(error) if error.is_unreachable() => Err(error.into()),
            Err(error) => {
                tracing::warn!("the search index failed, reading key by key: {}", error.error);
                if is_no_index(&error) {
                    self.doubt();
                }
                Ok(Ending::Unusable)
            }
        }
    }
}

/// A read by the index that is under way.
struct Reading<'a, S> {
    keys: &'a ZoneKeys,
    bulk: Bulk,
    gathered: Gathered,
    sink: &'a mut S,
}

impl<S: RowSink> Reading<'_, S> {
    async fn query(&mut self, query: &str, kind: Option<Kind>) -> Result<Ending, CallError> {
        let mut pace = Pace::new(self.bulk.settings());
        self.aggregate(query, kind, pace.rows());
        self.bulk.send().await?;
        // Answers that are due, whether each was asked for ahead: one is, so that the server works while we do. Asked for
        // after the last part it fails, as it does where the server reads a cursor in the background and finds it busy.
        let (mut due, mut ahead, mut cursor) = (VecDeque::from([false]), 1, 0);
        while let Some(was_ahead) = due.pop_front() {
            let (next, doubtful) = match self.part(kind).await {
                Ok(part) => part,
                Err(error) if was_ahead && error.says("cursor") => {
                    ahead = 0;
                    if due.is_empty() {
                        self.next(cursor, pace.rows());
                        due.push_back(false);
                        self.bulk.send().await?;
                    }
                    continue;
                }
                Err(error) => return Err(error),
            };
            pace.learn(&self.gathered);
            let is_last = next == 0;
            if !is_last {
                cursor = next;
                while due.len() <= ahead {
                    self.next(cursor, pace.rows());
                    due.push_back(!due.is_empty());
                }
                self.bulk.send().await?;
            }
            if !doubtful.is_empty() {
                // On a connection of its own: on this one an answer is due already.
                let mut bulk = Bulk::open(self.bulk.shared_settings()).await?;
                scan::fetch(&mut bulk, self.keys, doubtful, &mut self.gathered).await?;
            }
            if deliver(self.sink, &mut self.gathered).await.is_err() {
                // The server forgets the cursor after a while by itself.
                return Ok(Ending::Stopped);
            }
            if is_last {
                for _ in due {
                    // Asked for ahead, in vain.
                    let _ = self.bulk.head("FT.CURSOR").await;
                }
                break;
            }
        }
        Ok(Ending::Done)
    }

    /// Takes in one answer: where to go on, 0 at the end, and keys that have to be looked at as a whole. `kind` is what the
    /// query asked for. The rows are gathered.
    async fn part(&mut self, kind: Option<Kind>) -> Result<(i64, Vec<String>), CallError> {
        const COMMAND: &str = "FT.AGGREGATE";
        let settings = self.bulk.shared_settings().clone();
        let odd = || failure::malformed(&settings, "the answer to FT.AGGREGATE", "not rows and a cursor");
        let Head::List(2) = self.bulk.head(COMMAND).await? else { return Err(odd().into()) };
        let Head::List(items @ 1..) = self.bulk.head(COMMAND).await? else { return Err(odd().into()) };
        // A number, which counts nothing useful.
        self.bulk.head(COMMAND).await?;
        let (keys, gathered, mut doubtful) = (self.keys, &mut self.gathered, Vec::new());
        for _ in 1..items {
            let take = |values: Option<RowValues<'_>>| {
                let Some(values) = values else { return };
                let (key, hash) = Hash::of_pairs(&values);
                let decoded = match kind {
                    Some(kind) => decode_found(keys, kind, key, &hash),
                    None => Some(decode_any(keys, key, &hash)),
                };
                match decoded {
                    Some(decoded) => gathered.add(decoded, kind.is_none(), || key.to_owned()),
                    None => doubtful.push(key.to_owned()),
                }
            };
            self.bulk.row(COMMAND, take).await?;
        }
        let Head::Integer(cursor) = self.bulk.head(COMMAND).await? else { return Err(odd().into()) };
        Ok((cursor, doubtful))
    }

    fn aggregate(&mut self, query: &str, kind: Option<Kind>, rows: usize) {
        // What the query and the key say already is not loaded: loading is what the server spends its time on.
        let fields: &[&str] = match kind {
            Some(_) => &["__key", "clusterId", "payload", RECORDED_AT],
            None => &["__key", "clusterId", "payload", RECORDED_AT, "id", "type", "syncAction"],
        };
        let fields: Vec<String> = fields.iter().map(|field| format!("@{field}")).collect();
        let (count, rows) = (fields.len().to_string(), rows.to_string());
        let mut words = vec!["FT.AGGREGATE", index(self.keys.layout), query, "LOAD", &count];
        words.extend(fields.iter().map(String::as_str));
        words.extend(["WITHCURSOR", "COUNT", &rows]);
        let words: Vec<&[u8]> = words.into_iter().map(str::as_bytes).collect();
        resp::command(self.bulk.out(), &words);
    }

    fn next(&mut self, cursor: i64, rows: usize) {
        let (cursor, rows) = (cursor.to_string(), rows.to_string());
        let words = ["FT.CURSOR", "READ", index(self.keys.layout), &cursor, "COUNT", &rows];
        resp::command(self.bulk.out(), &words.map(str::as_bytes));
    }
}

fn create(layout: Layout) -> CommandBuilder {
    let command = ["ON", "HASH", "PREFIX", "1", "distributed_event:", "SCHEMA"];
    let zone: &[&str] = match layout {
        Layout::V4_12 => &["clusterId", "TAG"],
        Layout::V4_11 => &[],
    };
    let fields = ["type", "TAG", "syncAction", "TAG", "updatedAt", "NUMERIC", "SORTABLE"];
    let words = command.iter().chain(zone).chain(&fields);
    words.fold(cmd("FT.CREATE").arg(index(layout)), |command, word| command.arg(*word))
}

/// APIM's index.
const fn index(layout: Layout) -> &'static str {
    match layout {
        Layout::V4_12 => "distributed-event-search-idx-v2",
        Layout::V4_11 => "distributed-event-search-idx",
    }
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
