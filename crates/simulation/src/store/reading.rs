//! The streaming read of a store: parts at different times, each showing what is there at its own time.

use std::time::Duration;

use zonegate_model::{Row, RowKey, RowState};
use zonegate_sync::port::ReadMethod;

use super::Store;
use crate::random::Random;

/// Where a streaming read stands.
pub(crate) struct Cursor {
    keys: Vec<RowKey>,
    next: usize,
    method: ReadMethod,
    changes: u64,
    /// Rows written at or after this time, removed ones too; `None` for a read of all active rows.
    since: Option<i64>,
}

impl Store {
    /// Opens a read of all active rows. Keys come in no order, as in a hash table.
    pub(crate) fn open(&self, method: ReadMethod, random: &mut Random) -> Cursor {
        let rows = self.content.rows.iter().filter(|(_, row)| row.digest.is_some());
        let mut keys: Vec<RowKey> = rows.map(|(key, _)| key.clone()).collect();
        for index in (1..keys.len()).rev() {
            keys.swap(index, random.index(index + 1));
        }
        Cursor { keys, next: 0, method, changes: self.changes, since: None }
    }

    /// Opens a read of the rows written since a time.
    pub(crate) fn open_since(&self, from: i64) -> Cursor {
        let rows = self.content.rows.iter().filter(|(_, row)| row.updated_at >= from);
        let keys = rows.map(|(key, _)| key.clone()).collect();
        Cursor { keys, next: 0, method: ReadMethod::Scan, changes: self.changes, since: Some(from) }
    }

    /// The next rows, as they are now. Rows that were written since the read began may come or not; rows that were
    /// there all the time come, except by the index, whose cursor may end early after writes without saying so.
    pub(crate) fn read_part(
        &self,
        cursor: &mut Cursor,
        most: usize,
        random: &mut Random,
    ) -> Option<Vec<Row>> {
        let written_between = cursor.changes != self.changes;
        if cursor.next >= cursor.keys.len() {
            return None;
        }
        if written_between && cursor.method == ReadMethod::Index && random.permille(200) {
            cursor.next = cursor.keys.len();
            return None;
        }
        if written_between && cursor.since.is_none() && random.permille(500) {
            let known: std::collections::BTreeSet<&RowKey> = cursor.keys.iter().collect();
            let new =
                self.content.rows.iter().filter(|(key, row)| row.digest.is_some() && !known.contains(key));
            let new: Vec<RowKey> = new.map(|(key, _)| key.clone()).collect();
            cursor.keys.extend(new);
        }
        cursor.changes = self.changes;
        let end = (cursor.next + most).min(cursor.keys.len());
        let keys = &cursor.keys[cursor.next..end];
        let rows = keys.iter().filter_map(|key| self.row(key, cursor.since.is_some())).collect();
        // A scan may show a row twice when the table behind it grows.
        cursor.next = if written_between && end > 1 && random.permille(50) { end - 1 } else { end };
        Some(rows)
    }

    fn row(&self, key: &RowKey, with_removed: bool) -> Option<Row> {
        let stored = self.content.rows.get(key)?;
        let wanted = with_removed || matches!(stored.state, RowState::Deployed(_));
        wanted.then(|| Row { key: key.clone(), state: stored.state.clone(), recorded_at: stored.recorded_at })
    }

    /// Pause between two parts of a read.
    pub(crate) fn part_pause(random: &mut Random) -> Duration {
        random.duration(Duration::from_micros(200), Duration::from_millis(8))
    }
}
