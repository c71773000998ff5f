//! What all tests need: servers, stores, rows, a primary that keeps count.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use zonegate_model::{
    Digests, Epoch, Kind, NodeId, Revision, Row, RowKey, RowState, StoreId, Token, ZoneName,
};
use zonegate_store_redis::{Layout, RedisSettings, RedisStore};
use zonegate_sync::port::{
    Acquire, AcquireOutcome, Batch, Grant, Manifest, ReadMethod, RowSink, Stopped, StoreError, Synced,
    WriteOutcome, ZoneStore,
};
use zonegate_testkit::redis::{Redis, RedisOptions};

/// Long enough never to run out in a test that does not mean it to.
pub(super) const LONG: Duration = Duration::from_mins(1);
/// How long tests wait for something that must come.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn with_search() -> Redis {
    Redis::start(RedisOptions::default()).unwrap()
}

pub(super) fn plain() -> Redis {
    Redis::start(RedisOptions { search: false, ..RedisOptions::default() }).unwrap()
}

/// Both kinds of server, since all guarantees hold on both (C4).
pub(super) fn both() -> [(&'static str, Redis); 2] {
    [("with RediSearch", with_search()), ("plain", plain())]
}

/// A way in which rows are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// By the list of keys that we keep.
    Listed,
    /// By the index, because the list is not whole.
    Searched,
    /// Key by key.
    Scanned,
}

pub(super) const WAYS: [Way; 3] = [Way::Listed, Way::Searched, Way::Scanned];

impl Way {
    /// The method by which it is asked for, after making the server so that it is taken.
    pub(super) fn on(self, redis: &Redis) -> ReadMethod {
        let (from, to) =
            if self == Self::Searched { ("listed", "listed_in_fact") } else { ("listed_in_fact", "listed") };
        let rename = "for _, key in ipairs(redis.call('KEYS', 'zonegate:*manifest')) do
            local listed = redis.call('HGET', key, ARGV[1])
            if listed then
                redis.call('HDEL', key, ARGV[1])
                redis.call('HSET', key, ARGV[2], listed)
            end
        end";
        redis.cli(&["EVAL", rename, "0", from, to]).unwrap();
        if self == Self::Scanned { ReadMethod::Scan } else { ReadMethod::Index }
    }
}

pub(super) fn settings(redis: &Redis) -> RedisSettings {
    RedisSettings::new("127.0.0.1", redis.port())
}

pub(super) fn store(redis: &Redis, zone: &str) -> RedisStore {
    RedisStore::new(settings(redis), ZoneName::new(zone))
}

/// In the layout of APIM 4.11.
pub(super) fn older(redis: &Redis, zone: &str) -> RedisStore {
    RedisStore::new(RedisSettings { layout: Layout::V4_11, ..settings(redis) }, ZoneName::new(zone))
}

pub(super) fn node(name: &str) -> NodeId {
    NodeId::new(name)
}

/// A token that no other call returns.
pub(super) fn token() -> Token {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Token(u128::from(NEXT.fetch_add(1, Ordering::Relaxed)))
}

pub(super) fn request(name: &str, time_to_live: Duration) -> Acquire {
    Acquire { node: node(name), token: token(), above: Epoch(0), time_to_live, from_the_dead: false }
}

pub(super) async fn lead(store: &RedisStore, name: &str) -> Grant {
    match store.acquire(request(name, LONG)).await.unwrap() {
        AcquireOutcome::Granted(grant) => grant,
        AcquireOutcome::Held(holder) => panic!("{} holds the lease", holder.node),
    }
}

/// Runs `check` again and again until it is true.
pub(super) async fn eventually(what: &str, mut check: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !check().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}: did not happen");
}

pub(super) fn api(id: &str) -> Row {
    Row::deployed(
        RowKey::new(Kind::Api, id),
        format!("{{\"definition\":{{\"id\":\"{}\"}}}}", id.escape_debug()),
    )
}

pub(super) fn key(scope: &str, id: &str) -> Row {
    Row::deployed(RowKey::scoped(Kind::ApiKey, scope, id), format!("{{\"id\":\"{}\"}}", id.escape_debug()))
}

pub(super) fn removed(row: &Row) -> Row {
    Row::removed(row.key.clone())
}

/// A primary that writes as the core would: it keeps the manifest and the rows that should be there.
pub(super) struct Primary<'a> {
    pub(super) store: &'a RedisStore,
    pub(super) node: NodeId,
    pub(super) grant: Grant,
    pub(super) manifest: Option<Manifest>,
    pub(super) rows: std::collections::BTreeMap<RowKey, Row>,
}

impl<'a> Primary<'a> {
    pub(super) async fn new(store: &'a RedisStore, name: &str) -> Self {
        let grant = lead(store, name).await;
        Self { store, node: node(name), grant, manifest: None, rows: std::collections::BTreeMap::new() }
    }

    /// The batch that would write `rows` next.
    pub(super) fn batch(&self, rows: Vec<Row>, log_rows: bool) -> Batch {
        let before = self.manifest.clone().unwrap_or(Manifest {
            store: StoreId(token().0),
            revision: Revision(0),
            whole: Revision(0),
            epoch: Epoch(0),
            digests: Digests::default(),
            synced: Synced { from: -1, to: 1000, reads: 1 },
        });
        let mut after = self.rows.clone();
        apply(&mut after, &rows);
        let revision = before.revision.next();
        let manifest = Manifest {
            revision,
            whole: revision,
            epoch: self.grant.epoch,
            digests: digests(after.values()),
            ..before
        };
        let expected = self.manifest.as_ref().map(|manifest| (manifest.store, manifest.revision));
        Batch { node: self.node.clone(), grant: self.grant, expected, manifest, rows, log_rows }
    }

    pub(super) async fn try_write(&mut self, rows: Vec<Row>) -> Result<WriteOutcome, StoreError> {
        let batch = self.batch(rows, true);
        let outcome = self.store.write(batch.clone()).await?;
        if outcome == WriteOutcome::Written {
            apply(&mut self.rows, &batch.rows);
            self.manifest = Some(batch.manifest);
        }
        Ok(outcome)
    }

    pub(super) async fn write(&mut self, rows: Vec<Row>) {
        assert_eq!(self.try_write(rows).await.unwrap(), WriteOutcome::Written);
    }
}

pub(super) fn apply(rows: &mut std::collections::BTreeMap<RowKey, Row>, changes: &[Row]) {
    for row in changes {
        match row.state {
            RowState::Deployed(_) => rows.insert(row.key.clone(), row.clone()),
            RowState::Removed => rows.remove(&row.key),
        };
    }
}

pub(super) fn digests<'a>(rows: impl Iterator<Item = &'a Row>) -> Digests {
    let mut digests = Digests::default();
    for row in rows {
        if let Some(digest) = row.digest() {
            digests[row.key.kind].add(digest);
        }
    }
    digests
}

/// Collects what a read delivers.
#[derive(Default)]
pub(super) struct Collect {
    pub(super) rows: std::collections::BTreeMap<RowKey, Row>,
    /// The largest number of rows in one delivery.
    pub(super) largest: usize,
    pub(super) deliveries: usize,
}

impl RowSink for Collect {
    async fn push(&mut self, rows: Vec<Row>) -> Result<(), Stopped> {
        self.largest = self.largest.max(rows.len());
        self.deliveries += 1;
        self.rows.extend(rows.into_iter().map(|row| (row.key.clone(), row)));
        Ok(())
    }
}

pub(super) async fn read(store: &RedisStore, method: ReadMethod) -> Vec<Row> {
    let mut sink = Collect::default();
    store.read(method, &mut sink).await.unwrap();
    sink.rows.into_values().collect()
}

pub(super) async fn read_since(store: &RedisStore, from: i64) -> Vec<Row> {
    let mut sink = Collect::default();
    store.read_since(from, &mut sink).await.unwrap();
    sink.rows.into_values().collect()
}

/// Waits until the index has caught up with what was written before it was made.
pub(super) async fn indexed(redis: &Redis) {
    indexed_as(redis, "distributed-event-search-idx-v2").await;
}

/// As [`indexed`], for the index of this name.
pub(super) async fn indexed_as(redis: &Redis, index: &str) {
    eventually("the index is built", async || {
        let Ok(info) = redis.cli(&["FT.INFO", index]) else { return false };
        let texts: Vec<_> = info.items().iter().map(zonegate_testkit::redis::Value::text).collect();
        let place = texts.iter().position(|text| text.as_deref() == Some("indexing"));
        place.and_then(|place| texts.get(place + 1).cloned().flatten()).as_deref() == Some("0")
    })
    .await;
}
