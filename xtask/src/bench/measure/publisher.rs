//! The primary's side towards the zone store: elected, it writes batches under its grant as the sync core does.

use std::time::Duration;

use zonegate_model::{Digests, Epoch, NodeId, Revision, Row, StoreId, Token, ZoneName};
use zonegate_store_redis::{RedisSettings, RedisStore};
use zonegate_sync::port::{Acquire, AcquireOutcome, Batch, Grant, Manifest, Synced, WriteOutcome, ZoneStore};
use zonegate_testkit::redis::Redis;

use super::failure::MeasureError;

/// The zone's name.
pub(super) const ZONE: &str = "bench";
/// Most rows in a batch: the sync core's default.
const BATCH_ROWS: usize = 512;
/// Most bytes in a batch: the sync core's default.
const BATCH_BYTES: usize = 512 * 1024;
/// Longer than any row takes, so that nothing has to be renewed.
const LEASE: Duration = Duration::from_mins(30);

/// A gateway's connection to the store of the measured zone.
pub(super) fn store(redis: &Redis) -> RedisStore {
    RedisStore::new(RedisSettings::new("127.0.0.1", redis.port()), ZoneName::new(ZONE))
}

/// A primary without a repository.
pub(super) struct Publisher {
    store: RedisStore,
    node: NodeId,
    grant: Grant,
    /// What it wrote last.
    manifest: Option<Manifest>,
}

impl Publisher {
    /// Connects, and takes the lease of an empty store.
    pub(super) async fn elect(redis: &Redis) -> Result<Self, MeasureError> {
        let (store, node) = (store(redis), NodeId::new("publisher"));
        let request = Acquire {
            node: node.clone(),
            token: Token(1),
            above: Epoch(0),
            time_to_live: LEASE,
            from_the_dead: false,
        };
        match store.acquire(request).await? {
            AcquireOutcome::Granted(grant) => Ok(Self { store, node, grant, manifest: None }),
            AcquireOutcome::Held(holder) => {
                Err(MeasureError::Unexpected(format!("the lease of a new store is held by {}", holder.node)))
            }
        }
    }

    /// Fills the store: bounded batches one after the other, whole only at the end (A4). Answers how many batches.
    pub(super) async fn fill(&mut self, rows: impl IntoIterator<Item = Row>) -> Result<usize, MeasureError> {
        let (mut rest, mut batches) = (rows.into_iter().peekable(), 0);
        while rest.peek().is_some() {
            let (mut batch, mut bytes, mut digests) = (Vec::with_capacity(BATCH_ROWS), 0, self.digests());
            while let Some(row) = rest.next_if(|row| {
                batch.is_empty() || (batch.len() < BATCH_ROWS && bytes + row.size() <= BATCH_BYTES)
            }) {
                bytes += row.size();
                if let Some(digest) = row.digest() {
                    digests[row.key.kind].add(digest);
                }
                batch.push(row);
            }
            self.write(batch, &digests, rest.peek().is_none(), false).await?;
            batches += 1;
        }
        Ok(batches)
    }

    /// Writes one changed row to a store that is whole, for everybody to follow.
    pub(super) async fn change(&mut self, before: &Row, after: Row) -> Result<Revision, MeasureError> {
        let mut digests = self.digests();
        if let Some(digest) = before.digest() {
            digests[before.key.kind].subtract(digest);
        }
        if let Some(digest) = after.digest() {
            digests[after.key.kind].add(digest);
        }
        self.write(vec![after], &digests, true, true).await
    }

    fn digests(&self) -> Digests {
        self.manifest.as_ref().map(|manifest| manifest.digests).unwrap_or_default()
    }

    async fn write(
        &mut self,
        rows: Vec<Row>,
        digests: &Digests,
        is_whole: bool,
        log_rows: bool,
    ) -> Result<Revision, MeasureError> {
        let before = self.manifest.as_ref();
        let revision = before.map_or(Revision(0), |manifest| manifest.revision).next();
        let was_whole = before.map_or(Revision(0), |manifest| manifest.whole);
        let manifest = Manifest {
            store: StoreId(1),
            revision,
            whole: if is_whole { revision } else { was_whole },
            epoch: self.grant.epoch,
            digests: *digests,
            synced: Synced { from: -1, to: 0, reads: 1 },
        };
        let batch = Batch {
            node: self.node.clone(),
            grant: self.grant,
            expected: before.map(|manifest| (manifest.store, manifest.revision)),
            manifest: manifest.clone(),
            rows,
            log_rows,
        };
        match self.store.write(batch).await? {
            WriteOutcome::Written => {
                self.manifest = Some(manifest);
                Ok(revision)
            }
            refused => Err(MeasureError::Unexpected(format!("a batch was refused: {refused:?}"))),
        }
    }
}
