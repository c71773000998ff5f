//! The reader: settings, connections, and what is kept from one read to the next.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use zonegate_payload::PropertyCipher;
use zonegate_payload::convert;
use zonegate_sync::port::{
    ChangeSink, IndexSink, RepositoryError, RepositoryFailure, RepositoryReader, Watched, Window,
};

use crate::connection::{Connections, Session};
use crate::failure::ReadEnd;
use crate::places::Places;
use crate::plan_memory::PlanMemory;
use crate::schema::Schema;
use crate::settings::{SettingsError, SqlSettings};
use crate::statements::Statements;

/// Reads a management repository in PostgreSQL or SQLite.
///
/// Holds no connection until the first read. A read uses one connection, statement after statement; two reads at the
/// same time use two. Cancelling a read closes its connection.
pub struct SqlRepository {
    pub(crate) settings: SqlSettings,
    pub(crate) convert: convert::Settings,
    pub(crate) plans: Mutex<PlanMemory>,
    connections: Connections,
    statements: Mutex<Option<Arc<Statements>>>,
}

impl fmt::Debug for SqlRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqlRepository({})", self.settings.database)
    }
}

/// A read under way.
pub(crate) struct Run<'a> {
    pub(crate) repository: &'a SqlRepository,
    pub(crate) session: Session,
    pub(crate) statements: Arc<Statements>,
    pub(crate) places: Places,
}

impl SqlRepository {
    /// Checks the settings. Neither connects nor waits, so it cannot fail because the database is down.
    pub fn new(settings: SqlSettings) -> Result<Self, SettingsError> {
        settings.check()?;
        let cipher = PropertyCipher::new(&settings.encryption_secret)?;
        Ok(Self {
            convert: convert::Settings { tags: settings.tags.clone(), cipher },
            connections: Connections::new(&settings),
            settings,
            plans: Mutex::default(),
            statements: Mutex::default(),
        })
    }

    /// Whether the database answers and has the tables. For a health probe.
    pub async fn check(&self) -> Result<(), RepositoryError> {
        let mut session = self.connections.open().await?;
        self.prepare(&mut session, false).await?;
        self.connections.keep(session);
        Ok(())
    }

    /// Connects, learns the schema (afresh, or if it is not known), and resolves the environments.
    async fn start(&self, afresh: bool) -> Result<Run<'_>, RepositoryError> {
        let mut session = self.connections.open().await?;
        let statements = self.prepare(&mut session, afresh).await?;
        let places = Places::read(&mut session, &statements, &self.settings.environments).await?;
        Ok(Run { repository: self, session, statements, places })
    }

    async fn prepare(&self, session: &mut Session, afresh: bool) -> Result<Arc<Statements>, RepositoryError> {
        let known = self.statements.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.filter(|_| !afresh) {
            return Ok(known);
        }
        let (qualifier, prefix) = (self.settings.schema.as_deref(), self.settings.prefix.as_str());
        let schema = Schema::read(&self.connections, session, qualifier, prefix).await?;
        let filtered = !self.settings.environments.is_empty();
        let statements =
            Arc::new(Statements::new(&schema, qualifier, prefix, self.connections.is_postgres(), filtered));
        *self.statements.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&statements));
        Ok(statements)
    }

    /// Keeps the connection of a read that ended well, and forgets the schema if that was the trouble.
    fn finish(&self, ended: Result<Run<'_>, ReadEnd>) -> Result<(), RepositoryError> {
        match ended {
            Ok(run) => {
                self.connections.keep(run.session);
                Ok(())
            }
            Err(ReadEnd::Stopped) => Ok(()),
            Err(ReadEnd::Failed(error)) => {
                if error.failure == RepositoryFailure::Schema {
                    *self.statements.lock().unwrap_or_else(PoisonError::into_inner) = None;
                }
                Err(error)
            }
        }
    }
}

impl RepositoryReader for SqlRepository {
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

    async fn read_index(&self, _sink: &mut impl IndexSink) -> Result<(), RepositoryError> {
        Err(crate::failure::settings("an index is not read yet".to_owned()))
    }

    async fn read_parts(
        &self,
        _units: Vec<Arc<str>>,
        _sink: &mut impl ChangeSink,
    ) -> Result<(), RepositoryError> {
        Err(crate::failure::settings("parts are not read yet".to_owned()))
    }

    async fn watch(&self) -> Result<Watched, RepositoryError> {
        Ok(Watched::Unsupported)
    }
}
