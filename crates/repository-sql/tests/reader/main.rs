//! The reader against real databases: PostgreSQL, MariaDB, and a SQLite file.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside of the functions that clippy knows as tests"
)]

mod audit;
mod bad_input;
mod changes;
mod everything;
mod failures;
mod golden;
mod ids;
mod mariadb;
mod members;
mod random;
mod scope;
mod transitions;
mod world;
