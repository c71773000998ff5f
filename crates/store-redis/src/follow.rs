//! The log, as it grows (Z5): one blocking read at a time, on a connection of its own so that nothing waits behind it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustis::resp::cmd;
use zonegate_model::Revision;
use zonegate_sync::port::{LogItem, StoreError};

use crate::connect::Link;
use crate::layout::{Entry, LogPosition, ZoneKeys, decode_entries};
use crate::reply::Reply;

/// Most entries in one answer. A batch is about 512 KiB, so an answer stays within some MiB (L2).
const MOST_ENTRIES: usize = 16;
/// The longest that one call blocks.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// Follows the log of a zone.
pub(crate) struct Follower {
    link: Link,
    /// The last entry that was answered, so that a release is answered once although the revision stays the same.
    last: Mutex<LogPosition>,
}

impl Follower {
    pub(crate) fn new(link: Link) -> Self {
        Self { link, last: Mutex::default() }
    }

    /// Items after a revision; see [`zonegate_sync::port::ZoneStore::follow`].
    pub(crate) async fn follow(
        &self,
        keys: &ZoneKeys,
        after: Revision,
        wait: Duration,
    ) -> Result<Vec<LogItem>, StoreError> {
        let session = self.link.session().await?;
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let from = if last.revision == after.0 { last } else { LogPosition::of(after) };
        let wait = wait.min(LONGEST_WAIT);
        let mut command = cmd("XREAD").arg("COUNT").arg(MOST_ENTRIES);
        // 0 would mean for ever.
        if wait.as_millis() > 0 {
            command = command.arg("BLOCK").arg(wait.as_millis() as u64);
        }
        let command = command.arg("STREAMS").key(&keys.log).arg(from.to_string());
        // Left early, the command would still block the connection, and the next one behind it.
        let attempt = self.link.attempt(&session);
        let reply: Reply = self.link.call_on(&session, "XREAD", command, wait).await?;
        attempt.done();
        let entries = decode_entries(&reply);
        if let Some((position, _)) = entries.last() {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = *position;
        }
        let mut items = Vec::with_capacity(entries.len());
        for (position, entry) in entries {
            match entry {
                Entry::Item(item) => items.push(item),
                Entry::Malformed => tracing::warn!(
                    address = self.link.settings().address(),
                    entry = %position,
                    "an entry of the zone's log cannot be read; the store will be read instead"
                ),
            }
        }
        Ok(items)
    }
}
