//! [`RedisStore`]: the zone store's port, put together from scripts, reads and the log.

use std::sync::Arc;
use std::time::Duration;

use rustis::resp::cmd;
use tokio::sync::OnceCell;
use zonegate_model::{Epoch, NodeId, Revision, RowState, StoreId, ZoneName};
use zonegate_sync::port::{
    Acquire, AcquireOutcome, Batch, Grant, LogItem, Manifest, Member, ReadMethod, RenewOutcome, RowSink,
    StoreError, StoreFailure, Synced, WriteOutcome, ZoneStore,
};

use crate::connect::{Link, Purpose};
use crate::failure;
use crate::follow::Follower;
use crate::layout::{
    Action, MANIFEST_FIELDS, MANIFESTS, ZoneKeys, decode_manifest, decode_member, encode_manifest,
    encode_member, encode_recorded_at, encode_rows, list_keys, owner_of_manifest, split_synced,
};
use crate::reply::Reply;
use crate::scan::{self, Ending, Look, Source};
use crate::script::{self, Script};
use crate::search::Search;
use crate::settings::{Layout, RedisSettings};

/// Time since the last renewal below which no holder counts as dead: it may just be connecting again.
const GRACE: Duration = Duration::from_millis(300);

/// The manifest's field with the number of keys in the list of keys.
const LISTED: &str = "listed";

/// A zone's store in Redis.
///
/// Belongs to one zone and one gateway. Opens up to three connections when they are first needed: for short commands and
/// writes, for the log, and one for each read of many rows, so that a renewal of the lease never waits behind megabytes.
/// Dropping the store closes them.
pub struct RedisStore {
    settings: Arc<RedisSettings>,
    keys: ZoneKeys,
    /// Leases, writes, the manifest, members. Its connection is also the one that shows that a primary lives.
    control: Link,
    follower: Follower,
    search: Search,
    /// Whether the server was seen to hold no other zone, where the layout can't tell zones apart.
    alone: OnceCell<()>,
}

impl RedisStore {
    /// A store that connects when first used. Neither blocks nor fails while Redis is down; calls do, quickly, with
    /// [`zonegate_sync::port::StoreFailure::Unreachable`]. Calls must run within a Tokio runtime.
    pub fn new(settings: RedisSettings, zone: ZoneName) -> Self {
        let settings = Arc::new(settings);
        let reached = Arc::default();
        let link = |purpose| Link::new(Arc::clone(&settings), purpose, Arc::clone(&reached));
        Self {
            keys: ZoneKeys::new(zone, settings.layout),
            control: link(Purpose::Control),
            follower: Follower::new(link(Purpose::Follow)),
            search: Search::default(),
            alone: OnceCell::new(),
            settings,
        }
    }

    /// The zone.
    pub fn zone(&self) -> &ZoneName {
        &self.keys.zone
    }

    /// `host:port`, for people.
    pub fn address(&self) -> String {
        self.settings.address()
    }

    async fn run(&self, script: &Script, keys: &[&str], arguments: &[&str]) -> Result<Reply, StoreError> {
        self.is_fit().await?;
        script.run(&self.control, keys, arguments).await
    }

    /// Refuses a server that holds another zone's rows, or this zone's in the other layout, where rows are laid out so that
    /// nobody could tell them apart. Looked at once: it takes a walk through all keys.
    async fn is_fit(&self) -> Result<(), StoreError> {
        if self.keys.layout == Layout::V4_12 {
            return Ok(());
        }
        self.alone.get_or_try_init(|| self.look_for_others()).await.copied()
    }

    async fn look_for_others(&self) -> Result<(), StoreError> {
        let mut cursor = "0".to_owned();
        loop {
            let command = cmd("SCAN").arg(&cursor).arg("MATCH").arg(MANIFESTS).arg("COUNT").arg(1000);
            let reply: Reply = self.control.call("SCAN", command).await?;
            let [next, found] = reply.items() else {
                return Err(failure::malformed(
                    &self.settings,
                    "the answer to SCAN",
                    "not a cursor and keys",
                ));
            };
            let mut others = found.items().iter().filter_map(|key| owner_of_manifest(key.text()?));
            let other =
                others.find(|(zone, layout)| *layout != Layout::V4_11 || zone != self.keys.zone.as_str());
            if let Some((zone, layout)) = other {
                let layout = if layout == Layout::V4_11 { "4.11" } else { "4.12" };
                let reason = format!(
                    "it holds the zone `{zone}` in the layout {layout}, and with `distributed-sync.layout: 4.11` nobody \
                     can tell the rows of two zones apart; use another Redis, or remove that zone's keys \
                     (`distributed_event:*`, `zonegate:*`) if it is no longer in use"
                );
                return Err(failure::unsuitable(&self.settings, &reason));
            }
            next.text().unwrap_or("0").clone_into(&mut cursor);
            if cursor == "0" {
                return Ok(());
            }
        }
    }

    fn unknown_answer(&self, script: &Script) -> StoreError {
        failure::malformed(&self.settings, script.name, "an unknown answer")
    }

    fn read_manifest(&self, fields: &Reply) -> Result<Option<Manifest>, StoreError> {
        decode_manifest(fields).map_err(|field| {
            let key = &self.keys.manifest;
            let reason = format!("field `{field}` is missing or wrong; remove the key if nothing else can");
            failure::malformed(&self.settings, &format!("the zone's manifest in `{key}`"), &reason)
        })
    }

    async fn renew_once(
        &self,
        node: &NodeId,
        grant: Grant,
        time_to_live: Duration,
    ) -> Result<RenewOutcome, StoreError> {
        let [epoch, token] = grant_texts(grant);
        let present = if self.control.is_present(&self.keys.alive(grant.token)) { "1" } else { "0" };
        let arguments = [node.as_str(), &epoch, &token, &millis(time_to_live), present];
        let reply = self.run(&script::RENEW, &[&self.keys.lease], &arguments).await?;
        match script::answer(&reply) {
            ("renewed", _) => Ok(RenewOutcome::Renewed),
            ("lost", rest) => {
                self.control.end_presence();
                Ok(RenewOutcome::Lost(script::holder(&self.control, rest)?))
            }
            _ => Err(self.unknown_answer(&script::RENEW)),
        }
    }

    /// Whether the list of keys has enough of them for all rows that the manifest counts. Rows that we did not create
    /// ourselves are missing in it, and so the list is of no use where APIM filled the store.
    async fn is_listed(&self) -> Result<bool, StoreError> {
        let fields: Reply = self.control.call("HGETALL", cmd("HGETALL").key(&self.keys.manifest)).await?;
        let listed = fields.field(LISTED).and_then(Reply::integer).unwrap_or(0);
        let Some(manifest) = self.read_manifest(&fields)? else { return Ok(false) };
        let rows: u64 = manifest.digests.iter().map(|(_, sum)| sum.count).sum();
        Ok(u64::try_from(listed).is_ok_and(|listed| listed > 0 && listed >= rows))
    }

    /// Reads the answer of the two scripts that write.
    fn write_outcome(&self, script: &Script, reply: &Reply) -> Result<WriteOutcome, StoreError> {
        match script::answer(reply) {
            ("written", _) => Ok(WriteOutcome::Written),
            ("fenced", rest) => {
                self.control.end_presence();
                Ok(WriteOutcome::Fenced(script::holder(&self.control, rest)?))
            }
            ("unexpected", [manifest]) => {
                self.search.doubt();
                Ok(WriteOutcome::Unexpected(self.read_manifest(manifest)?))
            }
            _ => Err(self.unknown_answer(script)),
        }
    }
}

impl ZoneStore for RedisStore {
    async fn acquire(&self, request: Acquire) -> Result<AcquireOutcome, StoreError> {
        let (token, above) = (request.token.to_string(), request.above.to_string());
        let (time_to_live, grace) = (millis(request.time_to_live), millis(GRACE));
        let from_the_dead = if request.from_the_dead { "1" } else { "0" };
        let arguments =
            [request.node.as_str(), &token, &above, &time_to_live, from_the_dead, &self.keys.alive, &grace];
        let reply = self.run(&script::ACQUIRE, &[&self.keys.lease, &self.keys.epoch], &arguments).await?;
        let epoch = match script::answer(&reply) {
            ("granted", [epoch]) => epoch.text().and_then(|epoch| epoch.parse().ok()),
            ("held", rest) => {
                return match script::holder(&self.control, rest)? {
                    Some(holder) => Ok(AcquireOutcome::Held(holder)),
                    None => Err(self.unknown_answer(&script::ACQUIRE)),
                };
            }
            _ => None,
        };
        let Some(epoch) = epoch else { return Err(self.unknown_answer(&script::ACQUIRE)) };
        let grant = Grant { epoch: Epoch(epoch), token: request.token };
        // Only from the moment that the lease says so does the absence of a subscriber mean anything.
        if self.control.show_presence(&self.keys.alive(request.token)).await
            && let Ok(RenewOutcome::Lost(holder)) =
                self.renew_once(&request.node, grant, request.time_to_live).await
            && let Some(holder) = holder
        {
            return Ok(AcquireOutcome::Held(holder));
        }
        Ok(AcquireOutcome::Granted(grant))
    }

    async fn renew(
        &self,
        node: NodeId,
        grant: Grant,
        time_to_live: Duration,
    ) -> Result<RenewOutcome, StoreError> {
        self.renew_once(&node, grant, time_to_live).await
    }

    async fn release(&self, node: NodeId, grant: Grant) -> Result<(), StoreError> {
        self.control.end_presence();
        let [epoch, token] = grant_texts(grant);
        let keys = [self.keys.lease.as_str(), &self.keys.manifest, &self.keys.log];
        let length = self.settings.log_length.to_string();
        self.run(&script::RELEASE, &keys, &[node.as_str(), &epoch, &token, &length]).await?;
        Ok(())
    }

    async fn write(&self, batch: Batch) -> Result<WriteOutcome, StoreError> {
        if batch.expected.is_none() {
            self.search.doubt();
        }
        self.search.ensure(&self.control, self.keys.layout).await;

        let row_keys: Vec<String> = batch.rows.iter().map(|row| self.keys.row(&row.key)).collect();
        let mut keys = Vec::with_capacity(6 + row_keys.len());
        let own = &self.keys;
        keys.extend([own.lease.as_str(), &own.manifest, &own.log, &own.logged, &own.sync_state, &own.rows]);
        keys.extend(row_keys.iter().map(String::as_str));

        let manifest = &batch.manifest;
        let [epoch, token] = grant_texts(batch.grant);
        let (expected_store, expected_revision) = match batch.expected {
            Some((store, revision)) => (store.to_string(), revision.to_string()),
            None => (String::new(), String::new()),
        };
        let (store, revision) = (manifest.store.to_string(), manifest.revision.to_string());
        let (length, bytes) = (self.settings.log_length.to_string(), self.settings.log_bytes.to_string());
        let logged = if batch.log_rows { encode_rows(&batch.rows) } else { String::new() };
        let [from, to, _] = split_synced(manifest.synced);
        let fields = encode_manifest(manifest);
        let count = MANIFEST_FIELDS.to_string();

        let recorded: Vec<String> =
            batch.rows.iter().map(|row| encode_recorded_at(row.recorded_at)).collect();

        let mut arguments = Vec::with_capacity(19 + 2 * fields.len() + 5 * batch.rows.len());
        arguments.extend([
            batch.node.as_str(),
            &epoch,
            &token,
            &expected_store,
            &expected_revision,
            &store,
            &revision,
        ]);
        arguments.extend([length.as_str(), &bytes, flag(batch.log_rows), &logged, self.keys.zone.as_str()]);
        let is_whole = manifest.whole == manifest.revision;
        arguments.extend([flag(is_whole), &self.settings.node_version, &from, &to, &count]);
        let listed = list_keys(&row_keys);
        arguments.extend([flag(self.keys.layout == Layout::V4_11), &listed]);
        arguments.extend(fields.iter().flat_map(|(name, value)| [*name, value]));
        for (row, recorded) in batch.rows.iter().zip(&recorded) {
            let (action, payload) = match &row.state {
                RowState::Deployed(payload) => (Action::Deploy, payload.as_str()),
                RowState::Removed => (Action::Undeploy, ""),
            };
            arguments.extend([&row.key.id, row.key.kind.name(), action.name(), payload, recorded]);
        }
        let reply = self.run(&script::WRITE, &keys, &arguments).await?;
        self.write_outcome(&script::WRITE, &reply)
    }

    async fn record_synced(
        &self,
        node: NodeId,
        grant: Grant,
        expected: (StoreId, Revision),
        synced: Synced,
    ) -> Result<WriteOutcome, StoreError> {
        let [epoch, token] = grant_texts(grant);
        let [from, to, reads] = split_synced(synced);
        let keys = [self.keys.lease.as_str(), &self.keys.manifest, &self.keys.sync_state];
        let (zone, version) = (self.keys.zone.as_str(), &self.settings.node_version);
        let (store, revision) = (expected.0.to_string(), expected.1.to_string());
        let arguments = [node.as_str(), &epoch, &token, zone, version, &from, &to, &reads, &store, &revision];
        let reply = self.run(&script::RECORD_SYNCED, &keys, &arguments).await?;
        self.write_outcome(&script::RECORD_SYNCED, &reply)
    }

    async fn manifest(&self) -> Result<Option<Manifest>, StoreError> {
        self.is_fit().await?;
        let fields: Reply = self.control.call("HGETALL", cmd("HGETALL").key(&self.keys.manifest)).await?;
        self.read_manifest(&fields)
    }

    async fn apim_state(&self) -> Result<Option<Synced>, StoreError> {
        self.is_fit().await?;
        let fields: Reply = self.control.call("HGETALL", cmd("HGETALL").key(&self.keys.sync_state)).await?;
        // A zone that a gateway of ours ever led was not filled by APIM, even where the manifest is missing. Asked
        // second, so that what was read first is not ours if nobody has led until now.
        let led: Reply = self.control.call("EXISTS", cmd("EXISTS").key(&self.keys.epoch)).await?;
        if led.integer() != Some(0) {
            return Ok(None);
        }
        let zone = fields.field("clusterId").and_then(Reply::text);
        let time = |name| fields.field(name).and_then(Reply::integer);
        match (time("from"), time("to")) {
            (Some(from), Some(to)) if zone == Some(self.keys.zone.as_str()) => {
                Ok(Some(Synced { from, to, reads: 0 }))
            }
            _ => Ok(None),
        }
    }

    async fn read(&self, method: ReadMethod, sink: &mut impl RowSink) -> Result<(), StoreError> {
        self.is_fit().await?;
        if method == ReadMethod::Scan {
            scan::read(&self.settings, &self.keys, Source::Scan, Look::Closely, sink).await?;
            return Ok(());
        }
        // Asked in any case: it makes the index again where it is gone.
        let is_usable = self.search.is_usable(&self.control, &self.keys).await?;
        if self.is_listed().await? {
            match scan::read(&self.settings, &self.keys, Source::List, Look::ByKey, sink).await {
                Ok(_) => return Ok(()),
                Err(error) if error.failure == StoreFailure::Malformed => {
                    tracing::warn!("the list of rows cannot be used, reading without it: {error}");
                }
                Err(error) => return Err(error),
            }
        }
        if !is_usable || self.search.read(&self.control, &self.keys, None, sink).await? == Ending::Unusable {
            scan::read(&self.settings, &self.keys, Source::Scan, Look::ByKey, sink).await?;
        }
        Ok(())
    }

    async fn read_since(&self, from: i64, sink: &mut impl RowSink) -> Result<(), StoreError> {
        self.is_fit().await?;
        if !self.search.is_usable(&self.control, &self.keys).await?
            || self.search.read(&self.control, &self.keys, Some(from), sink).await? == Ending::Unusable
        {
            scan::read(&self.settings, &self.keys, Source::Scan, Look::Since(from), sink).await?;
        }
        Ok(())
    }

    async fn follow(&self, after: Revision, wait: Duration) -> Result<Vec<LogItem>, StoreError> {
        self.is_fit().await?;
        self.follower.follow(&self.keys, after, wait).await
    }

    async fn heartbeat(&self, member: Member) -> Result<Vec<Member>, StoreError> {
        let text = encode_member(&member)
            .map_err(|error| failure::malformed(&self.settings, "this member", &error.to_string()))?;
        let expiry = millis(self.settings.member_expiry);
        let keys = [self.keys.members.as_str(), &self.keys.seen];
        let reply = self.run(&script::HEARTBEAT, &keys, &[member.node.as_str(), &text, &expiry]).await?;
        let pairs = reply.pairs();
        let members: Vec<Member> =
            pairs.iter().filter_map(|(node, text)| decode_member(node.text()?, text.text()?)).collect();
        if members.len() < pairs.len() {
            tracing::debug!(
                left_out = pairs.len() - members.len(),
                "entries of the zone's members cannot be read"
            );
        }
        Ok(members)
    }
}

fn grant_texts(grant: Grant) -> [String; 2] {
    [grant.epoch.to_string(), grant.token.to_string()]
}

/// Whole milliseconds, at least one: Redis has nothing finer, and zero would mean at once.
fn millis(duration: Duration) -> String {
    duration.as_millis().max(1).to_string()
}

fn flag(flag: bool) -> &'static str {
    if flag { "1" } else { "0" }
}
