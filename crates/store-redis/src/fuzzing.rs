//! Entrances for fuzz targets to everything here that takes foreign bytes apart. No part of the crate's interface.
//!
//! None of these may panic, hang, or take memory beyond a small multiple of its input, whatever that is (L1, L2).

use zonegate_model::{Kind, RowKey, ZoneName};

use crate::layout::{
    Hash, ZoneKeys, decode_any, decode_found, decode_known, decode_member, decode_rows, listed_keys,
    owner_of_manifest,
};
use crate::resp::{self, Items, Taken, Values};
use crate::settings::Layout;

fn both_layouts() -> [ZoneKeys; 2] {
    [Layout::V4_12, Layout::V4_11].map(|layout| ZoneKeys::new(ZoneName::new("z"), layout))
}

/// A reply of the server: how many items it has, if it is one.
pub fn reply(bytes: &[u8]) -> Option<usize> {
    let (mut items, mut count) = (Items::new(bytes), 0);
    while items.take().ok()?.is_some() {
        count += 1;
    }
    Some(count)
}

/// The answer to a request for a hash, read in each way in which a hash is read.
pub fn hash(bytes: &[u8]) {
    if let Ok(Taken::All(Values::Row(row), _)) = resp::values(bytes) {
        for keys in both_layouts() {
            let (key, named) = Hash::of_pairs(&row);
            for kind in Kind::ALL {
                let _ = decode_found(&keys, kind, key, &named);
            }
            let _ = decode_any(&keys, key, &named);
            let _ = decode_any(&keys, "distributed_event:z:API:k", &Hash::of_any(&row));
            let _ = decode_known(&keys, RowKey::new(Kind::Api, "k"), &Hash::of_known(&row));
        }
    }
}

/// The key of a hash.
pub fn key(text: &str) {
    let _ = owner_of_manifest(text);
    for keys in both_layouts() {
        let _ = keys.may_hold(text);
        if let Some(key) = keys.identify(text) {
            // Beyond doubt means that there is no other row that would lie there.
            assert_eq!(keys.row(&key), text, "a key was taken for another row's");
        }
        let _ = keys.scope_of(text, Kind::ApiKey, "k");
    }
}

/// An entry of the list of keys: how many it has.
pub fn list(bytes: &[u8]) -> usize {
    listed_keys(bytes).count()
}

/// The rows of an entry of the log: how many there are, if they are rows.
pub fn log_rows(text: &str) -> Option<usize> {
    decode_rows(text).map(|rows| rows.len())
}

/// What another gateway says of itself.
pub fn member(text: &str) -> bool {
    decode_member("n", text).is_some()
}
