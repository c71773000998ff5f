//! What Redis answers, and what others wrote into it: replies in the wire format, hashes, keys, entries of the list of keys
//! and of the log, entries of members. The first byte chooses which; nothing may panic whatever they say.

use zonegate_store_redis::fuzzing;

pub(super) fn run(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let text = super::text(rest);
    match first % 6 {
        0 => {
            let items = fuzzing::reply(rest);
            assert!(items.is_none_or(|items| items <= rest.len()), "an item takes a byte at least");
        }
        1 => fuzzing::hash(rest),
        2 => fuzzing::key(&text),
        3 => assert!(fuzzing::list(rest) <= rest.len(), "a key takes a byte at least"),
        4 => {
            let rows = fuzzing::log_rows(&text);
            assert!(rows.is_none_or(|rows| rows <= text.len()), "a row takes a byte at least");
        }
        _ => {
            fuzzing::member(&text);
        }
    }
}
