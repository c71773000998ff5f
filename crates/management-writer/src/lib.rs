//! Plays APIM's management API: creates the part of its schema that a gateway reads, and writes to it what the
//! management API would write when somebody deploys an API, subscribes to it or revokes a key.
//!
//! For development only: the demo, the benches and the tests of repository readers use it; nothing that ships
//! does. Facts are from `management-repository.md` (sections 3 to 8). Works on PostgreSQL, on MariaDB and
//! MySQL, on a SQLite file, and on MongoDB.

mod access_point;
mod api;
mod database;
mod documents;
mod event;
mod fill;
mod overwrite;
mod plan;
mod platform;
mod sample;
mod schema;
mod subscription;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{FixedOffset, Utc};

pub use api::{ApiSpec, DefinitionVersion};
pub use database::WriteError;
pub use event::{EventRow, EventType};
pub use fill::{FillSpec, Filled};
pub use overwrite::Overwrite;
pub use plan::{PlanSecurity, PlanSpec};
pub use platform::ApiProductSpec;
pub use subscription::{KeySpec, SubscriptionSpec, SubscriptionStatus};

use database::{Database, Engine, Value};

/// The environment that a fresh APIM installation has, and that everything belongs to unless it says otherwise.
pub const DEFAULT_ENVIRONMENT: &str = "DEFAULT";
/// The organization of [`DEFAULT_ENVIRONMENT`].
pub const DEFAULT_ORGANIZATION: &str = "DEFAULT";

/// Writes to a management repository. Cheap to clone; clones share the connections.
///
/// Every record that is written gets a strictly later `updated_at` than the one before, so that two changes within
/// one millisecond can be told apart.
#[derive(Clone, Debug)]
pub struct ManagementWriter {
    database: Database,
    prefix: Arc<str>,
    last: Arc<AtomicI64>,
    fixed: Option<i64>,
}

impl ManagementWriter {
    /// Connects to `postgresql://user:password@host:port/database`, `mysql://…` (or `mariadb://…`) or
    /// `sqlite:/path/to/file` (made if missing), with or without a leading `jdbc:`, or to `mongodb://…/database`.
    pub async fn connect(url: &str) -> Result<Self, WriteError> {
        Ok(Self {
            database: Database::connect(url).await?,
            prefix: Arc::from(""),
            last: Arc::new(AtomicI64::new(0)),
            fixed: None,
        })
    }

    /// The same with a prefix before the name of every table or collection (`management.jdbc.prefix`,
    /// `management.mongodb.prefix`): letters, digits, underscores.
    pub fn with_prefix(mut self, prefix: &str) -> Result<Self, WriteError> {
        if !prefix.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(WriteError::Prefix(prefix.to_owned()));
        }
        self.prefix = Arc::from(prefix);
        Ok(self)
    }

    /// The same, writing times as the local time of a management API that runs in this time zone. UTC otherwise.
    #[must_use]
    pub fn in_zone(mut self, zone: FixedOffset) -> Self {
        self.database.zone = zone;
        self
    }

    /// The same, writing as if it were that time (epoch milliseconds) all the while.
    #[must_use]
    pub fn at(&self, millis: i64) -> Self {
        Self { fixed: Some(millis), ..self.clone() }
    }

    /// Closes the connections.
    pub async fn close(&self) {
        self.database.close().await;
    }

    /// Runs a statement as it is, `$1`, `$2`, … standing for texts, and says how many rows it changed. `{p}` in it
    /// stands for the prefix. For what has no method of its own.
    pub async fn execute(&self, sql: &str, arguments: &[&str]) -> Result<u64, WriteError> {
        let arguments = arguments.iter().map(|text| Value::text(*text)).collect::<Vec<_>>();
        let mut change = self.database.begin().await?;
        let changed = change.execute(&self.sql(sql), &arguments).await?;
        change.commit().await?;
        Ok(changed)
    }

    /// The MongoDB database, if it is one. For what has no method of its own.
    pub fn mongodb(&self) -> Option<&mongodb::Database> {
        self.database.documents().map(|documents| &documents.0)
    }

    /// The time to write, strictly later than the last one unless it was fixed by [`Self::at`].
    fn now(&self) -> i64 {
        if let Some(fixed) = self.fixed {
            return fixed;
        }
        let wall = Utc::now().timestamp_millis();
        let later = |last: i64| Some(wall.max(last + 1));
        match self.last.fetch_update(Ordering::SeqCst, Ordering::SeqCst, later) {
            Ok(last) | Err(last) => wall.max(last + 1),
        }
    }

    /// Puts the prefix in, and quotes the name where it may be a reserved word.
    fn sql(&self, template: &str) -> String {
        if self.database.engine() != Engine::Mysql {
            return template.replace("{p}", &self.prefix);
        }
        let mut parts = template.split("{p}");
        let mut sql = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(part.len());
            let (name, rest) = part.split_at(end);
            sql.extend(["\"", &self.prefix, name, "\"", rest]);
        }
        sql
    }
}
