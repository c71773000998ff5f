//! The zone store in Redis: [`RedisStore`] is `zonegate_sync`'s port [`zonegate_sync::port::ZoneStore`].
//!
//! Relies on Redis 7.0 or later, and on nothing else: with RediSearch it keeps APIM's index and can read through it,
//! without it the guarantees are the same. Carries Z1 and Z8 by its scripts and keys, Z5 by the log, C3 by its two layouts,
//! C4 in part (TLS and Sentinel are to come); what a read is worth, the core proves by counts and digests (Z6, Z7).
//!
//! A full read goes by the list of keys that our primaries keep, in the order in which rows came to be; where that cannot
//! be whole (APIM filled the store) by the index; else, and whenever a proof failed, by `SCAN`. [`Layout::V4_11`] holds one
//! zone only, so a server that holds another one is refused there.
//!
//! A read may deliver a row more than once, and a row that changed meanwhile in its old or its new form; consumers go
//! by key. No type of the driver shows in here.
//!
//! Bounds (L2): the log keeps at most `log_length` batches and `log_bytes` bytes of rows (512 and 64 MiB), the newest
//! batch always; a follower that is further behind reads the store. A read has at most two parts under way, of `read_rows`
//! rows (1000) or fewer where rows are large, and hands over at most `read_rows` rows or `read_bytes` bytes (8 MiB) and one
//! row at a time, without asking for more until they are taken. A row with a value above 64 MiB is passed over without
//! being kept. Keys that are known and not yet asked for: those of 16 entries of the list, or of one `SCAN`.

mod bulk;
mod connect;
mod failure;
mod follow;
#[doc(hidden)]
pub mod fuzzing;
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
