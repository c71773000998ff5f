//! How a management repository is read, whatever its database (C2): everything, what changed in a window, an index,
//! or named parts, as rows of the zone store.
//!
//! [`Repository`] implements [`zonegate_sync::port::RepositoryReader`] over a [`Database`], the port that an adapter
//! per database implements. What records mean is in `zonegate-payload`; how they lie in a database is the adapter's.
//! Carries S1 (kinds in order of effect), S2 (an API or API product comes complete, in one change), its part of S3 and
//! L1 (a bad record is refused by itself), S4 and S5 (keyset paging, stamps, index), and L2.
//!
//! What is read is a function of the repository alone, never of the time of reading or of what was read before, so
//! that a later audit finds no difference that is none. Validity periods of subscriptions and keys are for the
//! request. Facts: `management-repository.md`.
//!
//! **Memory** (L2). At once there are
//! - one page of heads, licences, access points, subscriptions or keys ([`Bulk`]), and of changed subscriptions or keys
//!   also what they are linked to;
//! - the payloads of one portion of events: 8 MiB in all unless one event alone has more. What is longer than
//!   [`zonegate_payload::convert::MAX_PAYLOAD`] is not fetched;
//! - the subscriptions and keys of the APIs of that portion: 20,000 subscriptions in all unless one API alone has more.
//!   The largest API is thus what counts: it is in memory whole, since it goes out whole;
//! - of an index, one page;
//! - the ids that a list has had so far, about 60 bytes each.
//!
//! Between reads the ids of the served plans of each API are kept, and of the APIs of each product.

mod changes;
mod cursor;
mod everything;
mod families;
mod index;
mod members;
mod parts;
mod places;
mod plan_memory;
mod platform;
pub mod port;
mod portions;
mod reader;
mod settings;
mod stamps;
mod units;

pub use places::{Selection, Tables};
pub use port::{Database, Session};
pub use reader::Repository;
pub use settings::{Bulk, EnvironmentFilter, Settings, SettingsError};
