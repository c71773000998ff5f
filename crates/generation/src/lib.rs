//! What this gateway serves: routes, APIs, plans, subscriptions and keys, built from staged rows and published whole.
//!
//! Relies on `zonegate-definition` for the meaning of a definition and on a [`Compile`] of the data plane for what is
//! executed. Knows no I/O, no clock and no task: its owner calls the [`Builder`], requests read the [`Generation`].
//!
//! Carries S2 (nothing is visible before a commit, and an API changes together with its subscriptions and keys),
//! S3 (what is not understood is refused for itself alone), S4 (rows equal to what is there change nothing), P4 (the
//! cost of a change does not grow with the number of APIs), P5 (compact credentials), L3 (no secret in `Debug`).

mod builder;
mod carried;
mod compile;
mod credentials;
mod generation;
mod published;
mod routes;
mod served;
mod table;
mod text;

pub use builder::{Builder, Committed, Settings, Unreadable};
pub use compile::{Compile, Surroundings};
pub use credentials::{Credentials, KeyMatch};
pub use generation::Generation;
pub use published::{Published, Reader};
pub use routes::Routed;
pub use served::{Products, Refused, Scope, Served, ServedProduct};
pub use text::Text;
