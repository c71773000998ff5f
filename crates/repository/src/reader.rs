//! The reader: settings, the database, and what is kept from one read to the next.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use zonegate_payload::PropertyCipher;
use zonegate_payload::convert;
use zonegate_sync::port::{
    ChangeSink, IndexSink, RepositoryError, RepositoryReader, Stopped, Watched, Window,
};

use crate::members::Members;
use crate::places::{Places, Selection};
use crate::plan_memory::PlanMemory;
use crate::port::{Database, Session};
use crate::settings::{Settings, SettingsError};

/// Times as a database has them.
pub(crate) type Time<D> = <<D as Database>::Session as Session>::Time;

/// Reads a management repository.
///
/// Holds no connection until the first read. A read uses one connection, query after query; two reads at the same time
/// use two. Cancelling a read closes its connection.
pub struct Repository<D: Database> {
    pub(crate) database: D,
    pub(crate) settings: Settings,
    pub(crate) convert: convert::Settings,
    plans: Mutex<PlanMemory<Time<D>>>,
    members: Mutex<Members>,
    /// Whether it was said that push subscriptions are not served.
    push_reported: AtomicBool,
}

impl<D: Database> fmt::Debug for Repository<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Repository({})", self.database)
    }
}

/// A read under way.
pub(crate) struct Run<'a, D: Database> {
    pub(crate) repository: &'a Repository<D>,
    pub(crate) session: D::Session,
    pub(crate) places: Places,
    pub(crate) selection: Option<Arc<Selection>>,
    /// APIs whose membership in a product may have changed in this read.
    pub(crate) touched: RefCell<BTreeSet<Arc<str>>>,
    /// Push subscriptions that were read.
    pub(crate) pushing: Cell<usize>,
}

/// How a read ends early.
#[derive(Debug)]
pub(crate) enum ReadEnd {
    /// Nobody listens any more, which is no failure.
    Stopped,
    /// It failed.
    Failed(RepositoryError),
}

impl From<Stopped> for ReadEnd {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

impl From<RepositoryError> for ReadEnd {
    fn from(error: RepositoryError) -> Self {
        Self::Failed(error)
    }
}

impl<D: Database> Repository<D> {
    /// Checks the settings. Neither connects nor waits, so it cannot fail because the database is away.
    pub fn new(database: D, settings: Settings) -> Result<Self, SettingsError> {
        settings.bulk.check()?;
        let cipher = PropertyCipher::new(&settings.encryption_secret)?;
        let convert = convert::Settings { tags: settings.tags.clone(), cipher };
        Ok(Self {
            database,
            settings,
            convert,
            plans: Mutex::default(),
            members: Mutex::default(),
            push_reported: AtomicBool::new(false),
        })
    }

    /// Whether the database answers and has what is read. For a health probe.
    pub async fn check(&self) -> Result<(), RepositoryError> {
        let session = self.database.open(false).await.inspect_err(|error| self.database.failed(error))?;
        self.database.keep(session);
        Ok(())
    }

    /// What is known of plans. Held for a moment, never across a wait.
    pub(crate) fn plans<R>(&self, with: impl FnOnce(&mut PlanMemory<Time<D>>) -> R) -> R {
        with(&mut self.plans.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The same of members of products.
    pub(crate) fn members<R>(&self, with: impl FnOnce(&mut Members) -> R) -> R {
        with(&mut self.members.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Connects, and resolves the environments.
    async fn start(&self, afresh: bool) -> Result<Run<'_, D>, RepositoryError> {
        let mut session = self.database.open(afresh).await?;
        let places = Places::resolve(&session.places().await?, &self.settings.environments)?;
        let selection = places.selection().cloned();
        Ok(Run {
            repository: self,
            session,
            places,
            selection,
            touched: RefCell::default(),
            pushing: Cell::new(0),
        })
    }

    /// Says once that there are push subscriptions. They are carried for APIM's gateways in the zone.
    fn report_push(&self, subscriptions: usize) {
        if subscriptions > 0 && !self.push_reported.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                subscriptions,
                "there are push subscriptions; they are kept in the zone, but this gateway pushes no messages to \
                 subscribers"
            );
        }
    }

    /// Keeps the connection of a read that ended well.
    fn finish(&self, ended: Result<Run<'_, D>, ReadEnd>) -> Result<(), RepositoryError> {
        match ended {
            Ok(run) => {
                self.report_push(run.pushing.get());
                self.database.keep(run.session);
                Ok(())
            }
            Err(ReadEnd::Stopped) => Ok(()),
            Err(ReadEnd::Failed(error)) => {
                self.database.failed(&error);
                Err(error)
            }
        }
    }
}

impl<D: Database> RepositoryReader for Repository<D> {
    async fn read_all(&self, sink: &mut impl ChangeSink) -> Result<(), RepositoryError> {
        let read = async {
            let mut run = self.start(true).await?;
            run.everything(sink).await?;
            Ok(run)
        };
        self.finish(read.await)
    }

    async fn read_changes(&self, window: Window, sink: &mut impl ChangeSink) -> Result<(), RepositoryError> {
        let read = async {
            let mut run = self.start(false).await?;
            run.changes(&window, sink).await?;
            Ok(run)
        };
        self.finish(read.await)
    }

    async fn read_index(&self, sink: &mut impl IndexSink) -> Result<(), RepositoryError> {
        let read = async {
            let mut run = self.start(true).await?;
            run.index(sink).await?;
            Ok(run)
        };
        self.finish(read.await)
    }

    async fn read_parts(
        &self,
        units: Vec<Arc<str>>,
        sink: &mut impl ChangeSink,
    ) -> Result<(), RepositoryError> {
        let read = async {
            let mut run = self.start(false).await?;
            run.parts(&units, sink).await?;
            Ok(run)
        };
        self.finish(read.await)
    }

    async fn watch(&self) -> Result<Watched, RepositoryError> {
        self.database.watch().await
    }
}
