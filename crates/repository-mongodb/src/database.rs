//! The database: the driver's client, and what its servers can do.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mongodb::Client;
use mongodb::error::Error;
use tokio::time::timeout;
use zonegate_repository::port::{self, Answer};
use zonegate_sync::port::Watched;

use crate::connect::{self, Abilities};
use crate::failure;
use crate::session::{MongoSession, Snapshot};
use crate::settings::{Checked, MongoSettings, Names, SettingsError};
use crate::watch::Watching;

/// A management repository's MongoDB database.
///
/// The driver keeps connections by itself, so that a session is cheap: it is the right to ask.
pub struct MongoDatabase {
    pub(crate) checked: Arc<Checked>,
    connected: Mutex<Option<Arc<Connected>>>,
    pub(crate) watching: Watching,
}

/// The driver's client, and what its servers were found to be able to do.
pub(crate) struct Connected {
    pub(crate) client: Client,
    abilities: Mutex<Option<Abilities>>,
    /// Whether snapshot sessions were refused for a reason that stays, so that none is tried again.
    no_snapshots: AtomicBool,
}

impl Connected {
    /// What the servers can do; nothing as long as they were not asked.
    pub(crate) fn abilities(&self) -> Abilities {
        let known = *self.abilities.lock().unwrap_or_else(PoisonError::into_inner);
        let mut abilities = known.unwrap_or_default();
        abilities.snapshots &= !self.no_snapshots.load(Ordering::Relaxed);
        abilities
    }

    /// Snapshot sessions are not to be tried again.
    pub(crate) fn never_snapshots(&self) {
        self.no_snapshots.store(true, Ordering::Relaxed);
    }
}

impl fmt::Display for MongoDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.checked.names.fmt(f)
    }
}

impl fmt::Debug for MongoDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MongoDatabase({self})")
    }
}

impl MongoDatabase {
    /// Checks the settings. Neither connects nor waits.
    pub fn new(settings: MongoSettings) -> Result<Self, SettingsError> {
        Ok(Self {
            checked: Arc::new(settings.check()?),
            connected: Mutex::default(),
            watching: Watching::default(),
        })
    }

    /// The client, made at the first call; its servers are asked what they can do, then and when `afresh`.
    pub(crate) async fn connected(&self, afresh: bool) -> Answer<Arc<Connected>> {
        const DOING: &str = "connecting";
        let (names, limit) = (&self.checked.names, self.checked.answer_time);
        let known = self.known().clone();
        let connected = if let Some(known) = known {
            known
        } else {
            let client = within(names, DOING, limit, connect::client(&self.checked)).await?;
            let abilities = Mutex::default();
            let made = Arc::new(Connected { client, abilities, no_snapshots: AtomicBool::new(false) });
            Arc::clone(self.known().get_or_insert(made))
        };
        let asked = connected.abilities.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if afresh || !asked {
            let abilities = within(names, DOING, limit, connect::hello(&connected.client)).await?;
            *connected.abilities.lock().unwrap_or_else(PoisonError::into_inner) = Some(abilities);
        }
        Ok(connected)
    }

    async fn session(&self, connected: Arc<Connected>) -> Answer<MongoSession> {
        let (names, limit) = (&self.checked.names, self.checked.answer_time);
        let start = connected.client.start_session().causal_consistency(false);
        let plain = within(names, "starting a session", limit, start.into_future()).await?;
        let database = connected.client.database(&names.database);
        Ok(MongoSession {
            checked: Arc::clone(&self.checked),
            connected,
            database,
            plain,
            snapshot: Snapshot::None,
        })
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Option<Arc<Connected>>> {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for an answer, but not for ever.
async fn within<T>(
    names: &Names,
    doing: &str,
    limit: Duration,
    answer: impl Future<Output = Result<T, Error>>,
) -> Answer<T> {
    match timeout(limit, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(failure::classify(names, doing, &error)),
        Err(_) => Err(failure::too_slow(names, doing, limit)),
    }
}

impl port::Database for MongoDatabase {
    type Session = MongoSession;

    /// A missing collection is an empty one in MongoDB, so that a wrong name would look like a repository from which
    /// everything was removed. Therefore each time something must be there.
    async fn open(&self, afresh: bool) -> Answer<MongoSession> {
        let connected = self.connected(afresh).await?;
        let mut session = self.session(connected).await?;
        if session.is_empty("environments").await? && session.is_empty("events_latest").await? {
            return Err(failure::not_apim(&self.checked.names));
        }
        Ok(session)
    }

    fn keep(&self, _session: MongoSession) {}

    async fn watch(&self) -> Answer<Watched> {
        self.wait_for_change().await
    }
}
