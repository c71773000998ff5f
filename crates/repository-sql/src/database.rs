//! The database: its connections, and the statements for the schema that it has.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use zonegate_repository::port::{self, Answer};
use zonegate_sync::port::{RepositoryError, RepositoryFailure};

use crate::connection::Connections;
use crate::schema::Schema;
use crate::session::SqlSession;
use crate::settings::{SettingsError, SqlSettings};
use crate::statements::Prepared;
use crate::times::Written;

/// A management repository's database: PostgreSQL, MariaDB, MySQL or SQLite.
pub struct SqlDatabase {
    settings: SqlSettings,
    written: Written,
    connections: Connections,
    prepared: Mutex<Option<Arc<Prepared>>>,
}

impl SqlDatabase {
    /// Checks the settings. Neither connects nor waits.
    pub fn new(settings: SqlSettings) -> Result<Self, SettingsError> {
        let written = settings.check()?;
        Ok(Self { connections: Connections::new(&settings), written, settings, prepared: Mutex::default() })
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Option<Arc<Prepared>>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for SqlDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.database.fmt(f)
    }
}

impl port::Database for SqlDatabase {
    type Session = SqlSession;

    async fn open(&self, afresh: bool) -> Answer<SqlSession> {
        let mut connection = self.connections.open().await?;
        let known = self.known().clone().filter(|_| !afresh);
        let prepared = if let Some(known) = known {
            known
        } else {
            let (qualifier, prefix) = (self.settings.schema.as_deref(), self.settings.prefix.as_str());
            let database = self.connections.database();
            let schema = Schema::read(database, &mut connection, qualifier, prefix, self.written).await?;
            let prepared = Arc::new(Prepared::new(&schema, qualifier, prefix));
            *self.known() = Some(Arc::clone(&prepared));
            prepared
        };
        Ok(SqlSession { connection, prepared, zone: self.written.zone })
    }

    fn keep(&self, session: SqlSession) {
        self.connections.keep(session.connection);
    }

    /// Forgets the schema if that was the trouble.
    fn failed(&self, error: &RepositoryError) {
        if error.failure == RepositoryFailure::Schema {
            *self.known() = None;
        }
    }
}
