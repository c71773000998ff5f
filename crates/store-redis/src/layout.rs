//! What lies in Redis and how it is spelled: APIM's two layouts for rows (C3, `zone-store.md` sections 3, 4 and 11) and
//! ours beside them (`ARCHITECTURE.md`, "What lies in the store").
//!
//! Pure text in, pure text out; no connection. Everything that is read may have been written by anybody: decoders skip
//! or refuse, they never panic (L1). Names are compared exactly and never parsed as patterns (S6, Z8).

mod escape;
mod keys;
mod log;
mod manifest;
mod member;
mod row;

pub(crate) use escape::tag;
pub(crate) use keys::{MANIFESTS, ZoneKeys, list_keys, listed_keys, owner_of_manifest};
pub(crate) use log::{Entry, LogPosition, decode_entries, decode_rows, encode_rows};
pub(crate) use manifest::{MANIFEST_FIELDS, decode_manifest, encode_manifest, split_synced};
pub(crate) use member::{decode_member, encode_member};
pub(crate) use row::{
    ALL_FIELDS, Action, Gathered, Hash, KNOWN_FIELDS, RECORDED_AT, decode_any, decode_found, decode_known,
    encode_recorded_at,
};
