//! A management repository in PostgreSQL, MariaDB, MySQL or a SQLite file (C2): the queries of [`zonegate_repository::port`].
//!
//! Knows SQL and the repository's tables; how they are read together is in `zonegate-repository`, what records mean in
//! `zonegate-payload`. Never writes, creates nothing, asks for no lock. Carries its part of L1 (a bad record ends no
//! page, and what is too long is not fetched) and L3 (no error or `Debug` output holds a secret).
//!
//! Facts: `management-repository.md`.

mod connection;
mod database;
mod dialect;
mod events;
mod failure;
mod keys;
mod mysql;
mod platform;
mod schema;
mod session;
mod settings;
mod statements;
mod subscriptions;
mod times;
mod value;

pub use database::SqlDatabase;
pub use session::SqlSession;
pub use settings::{Database, SettingsError, SqlSettings, Timeouts};
pub use times::{ColumnZone, UnknownZone};
pub use value::Stored;

/// Reads a management repository in an SQL database.
pub type SqlRepository = zonegate_repository::Repository<SqlDatabase>;
