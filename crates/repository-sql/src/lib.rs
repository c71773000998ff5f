//! Reads an APIM management repository in PostgreSQL or in a SQLite file (C2): everything, or what changed in a
//! window, as rows of the zone store.
//!
//! Implements [`zonegate_sync::port::RepositoryReader`]. Knows SQL and the repository's tables; what records mean is
//! in `zonegate-payload`. Never writes, creates nothing, asks for no lock. Carries S2 (a changed API comes complete),
//! its part of S3 and L1 (a bad record is refused by itself), L2 (everything is read in pages) and L3 (no error or
//! `Debug` output holds a secret).
//!
//! Facts: `management-repository.md`. What is read is a function of the repository alone, never of the time of
//! reading, so that a later audit finds no difference that is none: validity periods of subscriptions and keys are
//! for the request.

mod changes;
mod connection;
mod events;
mod everything;
mod failure;
mod places;
mod plan_memory;
mod platform;
mod reader;
mod schema;
mod settings;
mod statements;
mod subscriptions;
mod times;
mod units;
mod value;

pub use reader::SqlRepository;
pub use settings::{Bulk, Database, EnvironmentFilter, SettingsError, SqlSettings, Timeouts};
pub use times::{ColumnZone, UnknownZone};
