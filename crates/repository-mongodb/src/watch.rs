//! Waiting for a change: a change stream over the collections that matter, which says that there is something and no more.
//!
//! Between two calls the stream stays open, and its token is kept beside it: where it broke, or where the wait was
//! cancelled, the next call goes on from the token, so that nothing is missed. Servers that have no change streams, and users
//! that may not open one, are told from failures; then windows alone find changes, as everywhere.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mongodb::Database;
use mongodb::bson::{Document, doc};
use mongodb::change_stream::ChangeStream;
use mongodb::change_stream::event::ResumeToken;
use mongodb::error::{Error, ErrorKind};
use tokio::time::timeout;
use zonegate_repository::port::Answer;
use zonegate_sync::port::Watched;

use crate::database::MongoDatabase;
use crate::failure;

/// What a gateway reads and that changes while it runs.
const COLLECTIONS: [&str; 5] = ["events_latest", "subscriptions", "keys", "access_points", "licenses"];

/// How long the server waits for a change before it says that there is none.
const WAIT: Duration = Duration::from_secs(5);
/// What one action of the management API writes comes within this time after its first document.
const SETTLE: Duration = Duration::from_millis(20);
/// So many changes are taken as one.
const TOGETHER: usize = 1000;

type Stream = ChangeStream<Document>;

/// What is kept from one wait to the next.
#[derive(Default)]
pub(crate) struct Watching(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// Taken by a wait, and put back at its end. A wait that is cancelled drops it.
    stream: Option<Stream>,
    token: Option<ResumeToken>,
}

impl Watching {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MongoDatabase {
    /// Waits until there is a change in one of the collections.
    pub(crate) async fn wait_for_change(&self) -> Answer<Watched> {
        const DOING: &str = "waiting for changes";
        let names = &self.checked.names;
        let connected = self.connected(false).await?;
        if !connected.abilities().change_streams {
            return Ok(unsupported(&"the server is no member of a replica set or sharded cluster"));
        }
        let (stream, token) = {
            let mut kept = self.watching.kept();
            (kept.stream.take(), kept.token.clone())
        };
        let limit = self.checked.answer_time;
        let mut stream = if let Some(stream) = stream {
            stream
        } else {
            let resuming = token.is_some();
            let collections = COLLECTIONS.map(|name| names.collection(name));
            let database = connected.client.database(&names.database);
            match timeout(limit, open(&database, &collections, token)).await {
                Ok(Ok(stream)) => stream,
                // The server does not know any more what followed the token.
                Ok(Err(error)) if resuming && is_refused(&error) => return Ok(self.lost(&error)),
                Ok(Err(error)) if is_refused(&error) => return Ok(unsupported(&error)),
                Ok(Err(error)) => return Err(failure::classify(names, DOING, &error)),
                Err(_) => return Err(failure::too_slow(names, DOING, limit)),
            }
        };
        loop {
            self.watching.kept().token = stream.resume_token();
            // If this is cancelled or fails, the stream is dropped, and the next one begins where this one was.
            match timeout(limit + WAIT, stream.next_if_any()).await {
                Ok(Ok(Some(_))) => return Ok(self.changed(stream).await),
                Ok(Ok(None)) if stream.is_alive() => {}
                Ok(Ok(None)) => return Ok(self.lost(&"it was closed, as when the database is dropped")),
                Ok(Err(error)) if is_refused(&error) => return Ok(self.lost(&error)),
                Ok(Err(error)) => return Err(failure::classify(names, DOING, &error)),
                Err(_) => return Err(failure::too_slow(names, DOING, limit + WAIT)),
            }
        }
    }

    /// There is a change: what comes with it is taken together with it. If this wait is cancelled now, the next one begins
    /// before the change.
    async fn changed(&self, mut stream: Stream) -> Watched {
        tokio::time::sleep(SETTLE).await;
        for _ in 0..TOGETHER {
            // Only what is here already. The driver keeps a request that is under way, so that none is lost by this.
            match timeout(Duration::ZERO, stream.next_if_any()).await {
                Ok(Ok(Some(_))) => {}
                Ok(Ok(None)) | Err(_) => break,
                Ok(Err(error)) => {
                    tracing::debug!(%error, "the change stream broke after a change: it is opened again");
                    self.watching.kept().token = stream.resume_token();
                    return Watched::Changed;
                }
            }
        }
        let mut kept = self.watching.kept();
        kept.token = stream.resume_token();
        kept.stream = Some(stream).filter(ChangeStream::is_alive);
        Watched::Changed
    }

    /// Something may have changed that nobody will tell any more.
    fn lost(&self, reason: &impl fmt::Display) -> Watched {
        tracing::debug!(%reason, "the change stream cannot be gone on with: a new one is opened");
        self.watching.kept().token = None;
        Watched::Changed
    }
}

/// Opens a stream, after the change that a token stands for, or from now on.
async fn open(
    database: &Database,
    collections: &[String],
    token: Option<ResumeToken>,
) -> Result<Stream, Error> {
    let pipeline = [
        doc! { "$match": { "ns.coll": { "$in": collections } } },
        // Not the documents: they can be large. The driver needs the rest.
        doc! { "$project": { "_id": 1, "operationType": 1, "ns": 1 } },
    ];
    let watch = database.watch().pipeline(pipeline).max_await_time(WAIT);
    let stream = match token {
        Some(token) => watch.resume_after(token).await?,
        None => watch.await?,
    };
    Ok(stream.with_type())
}

/// Whether the server could answer, and does not want to: it has no change streams, the user may not open one, or it
/// cannot go on where one was.
fn is_refused(error: &Error) -> bool {
    match &*error.kind {
        ErrorKind::Command(answer) => {
            answer.code == failure::UNAUTHORIZED || failure::is_about_the_query(answer.code)
        }
        ErrorKind::MissingResumeToken
        | ErrorKind::InvalidArgument { .. }
        | ErrorKind::IncompatibleServer { .. } => true,
        _ => false,
    }
}

fn unsupported(reason: &impl fmt::Display) -> Watched {
    tracing::debug!(%reason, "no change stream of the management repository: changes are found at the usual intervals");
    Watched::Unsupported
}
