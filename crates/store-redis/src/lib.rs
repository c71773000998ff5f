//! The zone store in Redis: [`RedisStore`] is `zonegate_sync`'s port [`zonegate_sync::port::ZoneStore`].
//!
//! Relies on Redis 7.0 or later, and on nothing else: with RediSearch it keeps APIM's index and reads through it, without
//! it the guarantees are the same. Carries Z1 and Z8 by its scripts and keys, Z5 by the log, C3 by its layout, C4 in part
//! (TLS and Sentinel are to come); what a read is worth, the core proves by counts and digests (Z6, Z7).
//!
//! A read may deliver a row more than once, and a row that changed meanwhile in its old or its new form; consumers go
//! by key. No type of the driver shows in here.
//!
//! Bounds (L2): the log keeps at most `log_length` batches and `log_bytes` bytes of rows (512 and 64 MiB), the newest
//! batch always; a follower that is further behind reads the store.

mod bulk;
mod connect;
mod failure;
mod follow;
mod layout;
mod reply;
mod resp;
mod scan;
mod script;
mod search;
mod settings;
mod store;

pub use settings::{Layout, RedisSettings};
pub use store::RedisStore;
