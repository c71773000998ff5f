//! Running a query: in a snapshot session while there is one, document by document, each answer of the server within its
//! time.

use std::future::{Future, IntoFuture};
use std::time::Duration;

use mongodb::bson::{Document, RawDocument, RawDocumentBuf, doc};
use mongodb::error::{Error, ErrorKind};
use mongodb::options::{AggregateOptions, FindOptions, Hint};
use mongodb::{ClientSession, Collection, SessionCursor};
use tokio::time::timeout;
use zonegate_repository::port::Answer;
use zonegate_sync::port::RepositoryError;

use crate::failure;
use crate::session::{MongoSession, Snapshot};

/// A query on one collection.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    /// The collection, without prefix.
    pub(crate) collection: &'static str,
    /// Which documents.
    pub(crate) filter: Document,
    /// What is wanted of them.
    pub(crate) wanted: Wanted,
}

/// What is wanted of documents.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    /// Some fields.
    Fields {
        /// Which fields, and what is to be computed.
        projection: Document,
        /// In which order; empty for any.
        sort: Document,
        /// How many documents at most; 0 for all.
        limit: usize,
    },
    /// Some fields of documents found by walking along all `_id`s, whatever other index the server might think of.
    Walk {
        /// Which fields.
        projection: Document,
        /// How many documents at most.
        limit: usize,
    },
    /// How many there are of each value of a field, in the fields `_id` and `count`.
    Counts {
        /// The field.
        of: &'static str,
    },
}

/// How a query ended early.
enum Ended {
    /// The server was too slow.
    Slow,
    /// The driver or the server said so.
    Failed(Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// `SnapshotTooOld`, `SnapshotUnavailable`: so it is now, which does not mean that it always is.
const NO_SNAPSHOT_NOW: [i32; 2] = [239, 246];

impl MongoSession {
    /// Runs a query and maps what it finds. `doing` is for the error: what was being read.
    pub(crate) async fn run<T: Send>(
        &mut self,
        doing: &str,
        query: Query,
        map: impl Fn(&RawDocument) -> T + Send + Sync,
    ) -> Answer<Vec<T>> {
        let limit = self.checked.answer_time;
        let name = self.checked.names.collection(query.collection);
        let collection = self.database.collection::<RawDocumentBuf>(&name);
        loop {
            let (session, snapshot) = match &mut self.snapshot {
                Snapshot::Held(session) => (&mut **session, true),
                Snapshot::None | Snapshot::Lost => (&mut self.plain, false),
            };
            match run_in(session, &collection, query.clone(), limit, &map).await {
                Ok(found) => return Ok(found),
                Err(ended) if snapshot => self.without_snapshot(doing, &ended)?,
                Err(ended) => return Err(self.failure(doing, &ended)),
            }
        }
    }

    /// A query in a snapshot failed. If that may be for the snapshot, it is to be run without one.
    fn without_snapshot(&mut self, doing: &str, ended: &Ended) -> Answer<()> {
        let reason = match ended {
            Ended::Failed(error) => Some(error),
            Ended::Slow => None,
        };
        let for_now = match reason.map(|error| &*error.kind) {
            Some(ErrorKind::Command(answer)) if failure::is_about_the_query(answer.code) => {
                NO_SNAPSHOT_NOW.contains(&answer.code)
            }
            Some(ErrorKind::InvalidArgument { .. } | ErrorKind::IncompatibleServer { .. }) => false,
            _ => return Err(self.failure(doing, ended)),
        };
        if let Some(reason) = reason {
            tracing::debug!(%reason, "no snapshot of the management repository: units are looked at again instead");
        }
        if !for_now {
            self.connected.never_snapshots();
        }
        self.snapshot = Snapshot::Lost;
        Ok(())
    }

    fn failure(&self, doing: &str, ended: &Ended) -> RepositoryError {
        match ended {
            Ended::Slow => failure::too_slow(&self.checked.names, doing, self.checked.answer_time),
            Ended::Failed(error) => failure::classify(&self.checked.names, doing, error),
        }
    }
}

async fn run_in<T: Send>(
    session: &mut ClientSession,
    collection: &Collection<RawDocumentBuf>,
    query: Query,
    limit: Duration,
    map: impl Fn(&RawDocument) -> T + Send + Sync,
) -> Result<Vec<T>, Ended> {
    let mut cursor = open(session, collection, query, limit).await?;
    let mut found = Vec::new();
    // The server cuts its answers at 16 MiB, so that no more than that is here at once beside what is kept of it (L2).
    while within(limit, cursor.advance(session)).await? {
        found.push(map(cursor.current()));
    }
    Ok(found)
}

async fn open(
    session: &mut ClientSession,
    collection: &Collection<RawDocumentBuf>,
    Query { filter, wanted, .. }: Query,
    limit: Duration,
) -> Result<SessionCursor<RawDocumentBuf>, Ended> {
    let mut options = FindOptions::default();
    options.max_time = Some(limit);
    let most = match wanted {
        Wanted::Fields { projection, sort, limit } => {
            options.projection = (!projection.is_empty()).then_some(projection);
            options.sort = (!sort.is_empty()).then_some(sort);
            limit
        }
        Wanted::Walk { projection, limit } => {
            options.projection = Some(projection);
            options.sort = Some(doc! { "_id": 1 });
            options.hint = Some(Hint::Keys(doc! { "_id": 1 }));
            limit
        }
        Wanted::Counts { of } => {
            let count = doc! { "$group": { "_id": format!("${of}"), "count": { "$sum": 1 } } };
            let pipeline = vec![doc! { "$match": filter }, count];
            let options = AggregateOptions::builder().max_time(limit).build();
            let aggregate = collection.aggregate(pipeline).with_options(options).session(session);
            let cursor: SessionCursor<Document> = within(limit, aggregate.into_future()).await?;
            return Ok(cursor.with_type());
        }
    };
    if most > 0 {
        options.limit = i64::try_from(most).ok();
        // One more than there are, so that the first answer can be the whole and the last.
        options.batch_size = u32::try_from(most.saturating_add(1)).ok();
    }
    within(limit, collection.find(filter).with_options(options).session(session).into_future()).await
}

async fn within<T>(limit: Duration, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Ended> {
    match timeout(limit, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Ended::Slow),
    }
}
