//! A management repository in MongoDB (C2): the queries of [`zonegate_repository::port`].
//!
//! Knows the driver and where in documents things lie; how they are read together is in `zonegate-repository`, what
//! records mean in `zonegate-payload`. Only reads: creates no index, writes nothing. Carries its part of S2 (snapshot
//! sessions where there are any), L1 (a field of another type harms nobody, and what is too long is left out) and L3 (no
//! error or `Debug` output holds a secret).
//!
//! The queries are made for the indexes that APIM creates, and say which; none is asked for by its name, since a database
//! may have it under another, and none has to be there. Facts: `management-repository.md`.

mod connect;
mod database;
mod document;
mod events;
mod failure;
mod keys;
mod list;
mod platform;
mod query;
mod session;
mod settings;
mod subscriptions;
mod watch;

pub use database::MongoDatabase;
pub use session::MongoSession;
pub use settings::{
    LEAST_ANSWER_TIME, MongoPlace, MongoServers, MongoSettings, ReadPreference, SettingsError,
};

/// Reads a management repository in MongoDB.
pub type MongoRepository = zonegate_repository::Repository<MongoDatabase>;
