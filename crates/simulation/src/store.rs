//! The zone store in memory, with the semantics of `zonegate_sync::port::ZoneStore`: each method is one atomic step by
//! the store's own clock. What real servers add in trouble (emptied, rolled back, altered by hand) is in
//! `store/trouble.rs`; the streaming read, which is not atomic, in `store/reading.rs`.

mod reading;
mod trouble;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use zonegate_model::{Digest, Digests, Epoch, NodeId, RecordedAt, Revision, Row, RowKey, RowState, StoreId};
use zonegate_sync::port::{
    Acquire, AcquireOutcome, Batch, Grant, Holder, LogEntry, LogItem, Manifest, Member, RenewOutcome, Synced,
    WriteOutcome,
};

use crate::mutant::Mutant;

pub(crate) use reading::Cursor;

/// How long an entry among the members lasts without being refreshed.
const MEMBER_TIME_TO_LIVE: Duration = Duration::from_secs(5);

/// Nobody who renewed within this time counts as dead.
const GRACE: Duration = Duration::from_millis(400);
/// Most log items in one answer.
const MOST_ITEMS: usize = 16;

/// The lease as it lies in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) node: NodeId,
    pub(crate) grant: Grant,
    pub(crate) expires_at: Duration,
    renewed_at: Duration,
    /// The holder has shown its connection, so that it means something if that is gone.
    shown: bool,
}

impl Lease {
    fn holder(&self, now: Duration) -> Holder {
        Holder { node: self.node.clone(), grant: self.grant, remaining: self.expires_at.saturating_sub(now) }
    }
}

/// A row as it lies in the store, with its digest if it is active and when it was written.
#[derive(Clone, Debug)]
struct Stored {
    state: RowState,
    digest: Option<Digest>,
    recorded_at: RecordedAt,
    updated_at: i64,
}

/// Place of an item in the log: revision, and epoch for a release (0 for a batch).
pub(crate) type Place = (u64, u64);

/// Everything that a server would write into its own backup. Cloning it is taking an image.
#[derive(Clone, Default)]
pub(crate) struct Content {
    lease: Option<Lease>,
    epoch: u64,
    manifest: Option<Arc<Manifest>>,
    apim_state: Option<Synced>,
    rows: BTreeMap<RowKey, Stored>,
    /// Digests of what is really there, whatever the manifest says.
    digests: Digests,
    log: VecDeque<(Place, LogItem)>,
    members: BTreeMap<NodeId, (Member, Duration)>,
}

/// The server.
pub(crate) struct Store {
    content: Content,
    /// Nodes whose connection the server sees, with the grant's token whose channel each is subscribed to.
    connected: BTreeMap<NodeId, u128>,
    log_limit: usize,
    /// Counts every change of rows, so that a reader can tell that something happened between two parts.
    changes: u64,
    /// Somebody changed rows behind the protocol's back, and no write has put them right yet.
    tampered: bool,
    mutant: Option<Mutant>,
}

impl Store {
    pub(crate) fn new(log_limit: usize, mutant: Option<Mutant>) -> Self {
        Self {
            content: Content::default(),
            connected: BTreeMap::new(),
            log_limit,
            changes: 0,
            tampered: false,
            mutant,
        }
    }

    /// The lease if it has not run out.
    pub(crate) fn lease(&self, now: Duration) -> Option<&Lease> {
        self.content.lease.as_ref().filter(|lease| lease.expires_at > now)
    }

    fn holder(&self, now: Duration) -> Option<Holder> {
        self.lease(now).map(|lease| lease.holder(now))
    }

    pub(crate) fn manifest(&self) -> Option<&Manifest> {
        self.content.manifest.as_deref()
    }

    /// What APIM's sync state says, unless the zone ever had one of our primaries: then it is ours.
    pub(crate) fn apim_state(&self) -> Option<Synced> {
        self.content.apim_state.filter(|_| self.content.epoch == 0)
    }

    /// Digests of the rows that are really there.
    pub(crate) fn true_digests(&self) -> &Digests {
        &self.content.digests
    }

    pub(crate) fn is_tampered(&self) -> bool {
        self.tampered
    }

    /// Grants the lease, or says who has it.
    pub(crate) fn acquire(&mut self, now: Duration, request: &Acquire) -> AcquireOutcome {
        if let Some(lease) = self.lease(now) {
            // A holder that asks has lost the answer to an earlier request, and the token with it.
            let may_have = lease.node == request.node || request.from_the_dead && self.is_dead(now, lease);
            if !may_have {
                return AcquireOutcome::Held(lease.holder(now));
            }
        }
        let epoch = self.content.epoch.max(request.above.0) + 1;
        self.content.epoch = epoch;
        let grant = Grant { epoch: Epoch(epoch), token: request.token };
        let expires_at = now + request.time_to_live;
        self.content.lease =
            Some(Lease { node: request.node.clone(), grant, expires_at, renewed_at: now, shown: false });
        AcquireOutcome::Granted(grant)
    }

    /// Whether the server sees that a holder's connection is gone. It can be wrong: the connection may come back.
    fn is_dead(&self, now: Duration, lease: &Lease) -> bool {
        lease.shown && now > lease.renewed_at + GRACE && !self.sees(&lease.node, lease.grant)
    }

    fn sees(&self, node: &NodeId, grant: Grant) -> bool {
        self.connected.get(node) == Some(&grant.token.0)
    }

    /// Whether a write under this grant passes the fence.
    fn passes(&self, now: Duration, node: &NodeId, grant: Grant) -> bool {
        let exact = self.lease(now).is_some_and(|lease| lease.node == *node && lease.grant == grant);
        match self.mutant {
            Some(Mutant::NoFence) => true,
            Some(Mutant::NoTokenCheck) => {
                self.lease(now).is_some_and(|lease| lease.grant.epoch == grant.epoch)
            }
            Some(Mutant::ExpiredLeaseWrites) => {
                self.content.lease.as_ref().is_some_and(|lease| lease.node == *node && lease.grant == grant)
            }
            _ => exact,
        }
    }

    /// Extends the lease if the grant is the current one.
    pub(crate) fn renew(
        &mut self,
        now: Duration,
        node: &NodeId,
        grant: Grant,
        time_to_live: Duration,
    ) -> RenewOutcome {
        if self.mutant == Some(Mutant::RenewAnyway) {
            let expires_at = now + time_to_live;
            self.content.lease =
                Some(Lease { node: node.clone(), grant, expires_at, renewed_at: now, shown: true });
            return RenewOutcome::Renewed;
        }
        let seen = self.sees(node, grant);
        if self.lease(now).is_some_and(|lease| lease.node == *node && lease.grant == grant)
            && let Some(lease) = &mut self.content.lease
        {
            lease.expires_at = now + time_to_live;
            lease.renewed_at = now;
            lease.shown = seen;
            return RenewOutcome::Renewed;
        }
        RenewOutcome::Lost(self.holder(now))
    }

    /// Ends the lease if the grant is the current one, and tells the followers. Answers whether it did.
    pub(crate) fn release(&mut self, now: Duration, node: &NodeId, grant: Grant) -> bool {
        if self.lease(now).is_none_or(|lease| lease.node != *node || lease.grant != grant) {
            return false;
        }
        self.content.lease = None;
        let revision = self.manifest().map_or(0, |manifest| manifest.revision.0);
        let place = (revision, grant.epoch.0);
        // Only a hint, so it may be left out where the log is ahead.
        if self.content.log.back().is_none_or(|(last, _)| *last < place) {
            self.append(place, LogItem::Released(grant.epoch));
        }
        true
    }

    fn append(&mut self, place: Place, item: LogItem) {
        self.content.log.push_back((place, item));
        while self.content.log.len() > self.log_limit {
            self.content.log.pop_front();
        }
    }

    /// Commits a batch, or says which condition failed.
    pub(crate) fn write(&mut self, now: Duration, wall: i64, batch: &Batch) -> WriteOutcome {
        if !self.passes(now, &batch.node, batch.grant) {
            return WriteOutcome::Fenced(self.holder(now));
        }
        let known = self.manifest().map(|manifest| (manifest.store, manifest.revision));
        if known != batch.expected && self.mutant != Some(Mutant::NoExpectedCheck) {
            return WriteOutcome::Unexpected(self.manifest().cloned());
        }
        let torn = self.mutant == Some(Mutant::TornBatch) && batch.rows.len() > 2;
        let rows = if torn { &batch.rows[..batch.rows.len() - 1] } else { &batch.rows };
        for row in rows {
            self.put(row, wall);
        }
        let mut manifest = batch.manifest.clone();
        if self.mutant == Some(Mutant::AlwaysWhole) {
            manifest.whole = manifest.revision;
        }
        let place = (manifest.revision.0, 0);
        let is_other = known.is_none_or(|(store, _)| store != manifest.store);
        if is_other || self.content.log.back().is_some_and(|(last, _)| *last >= place) {
            self.content.log.clear();
        }
        if manifest.whole == manifest.revision {
            self.content.apim_state = Some(manifest.synced);
        }
        if manifest.digests == self.content.digests {
            self.tampered = false;
        }
        let rows = batch.log_rows.then(|| batch.rows.clone());
        let entry = LogEntry { manifest: manifest.clone(), rows };
        self.append(place, LogItem::Committed(Box::new(entry)));
        self.content.manifest = Some(Arc::new(manifest));
        WriteOutcome::Written
    }

    fn put(&mut self, row: &Row, wall: i64) {
        self.changes += 1;
        let kind = row.key.kind;
        let digest = row.digest();
        if let Some(digest) = digest {
            self.content.digests[kind].add(digest);
        }
        let stored =
            Stored { state: row.state.clone(), digest, recorded_at: row.recorded_at, updated_at: wall };
        if let Some(Stored { digest: Some(old), .. }) = self.content.rows.insert(row.key.clone(), stored) {
            self.content.digests[kind].subtract(old);
        }
    }

    /// Records how far the repository was read.
    pub(crate) fn record_synced(
        &mut self,
        now: Duration,
        node: &NodeId,
        grant: Grant,
        expected: (StoreId, Revision),
        synced: Synced,
    ) -> WriteOutcome {
        if !self.passes(now, node, grant) {
            return WriteOutcome::Fenced(self.holder(now));
        }
        let found = self.content.manifest.as_mut();
        let Some(manifest) = found.filter(|found| (found.store, found.revision) == expected) else {
            return WriteOutcome::Unexpected(self.manifest().cloned());
        };
        let manifest = Arc::make_mut(manifest);
        manifest.synced = synced;
        if manifest.whole == manifest.revision {
            self.content.apim_state = Some(synced);
        }
        WriteOutcome::Written
    }

    /// Log items after a place, with the place of the last of them; none means that the follower waits.
    pub(crate) fn items_after(&self, after: Place) -> (Vec<LogItem>, Place) {
        let items = self.content.log.iter().filter(|(place, _)| *place > after).take(MOST_ITEMS);
        let mut last = after;
        let mut items: Vec<LogItem> = items
            .map(|(place, item)| {
                last = *place;
                item.clone()
            })
            .collect();
        if self.mutant == Some(Mutant::HiddenGap) && items.len() > 1 {
            hide_gap(&mut items);
        }
        (items, last)
    }

    /// Enters a member and answers all that are alive.
    pub(crate) fn heartbeat(&mut self, now: Duration, member: Member) -> Vec<Member> {
        self.content.members.insert(member.node.clone(), (member, now + MEMBER_TIME_TO_LIVE));
        self.content.members.retain(|_, (_, expires_at)| *expires_at > now);
        self.content.members.values().map(|(member, _)| member.clone()).collect()
    }

    /// The server sees that a node's connection is gone.
    pub(crate) fn disconnect(&mut self, node: &NodeId) {
        self.connected.remove(node);
    }

    /// A node's connection is there, subscribed to the channel of a token.
    pub(crate) fn connect(&mut self, node: NodeId, token: u128) {
        if let Some(lease) = &mut self.content.lease
            && lease.node == node
            && lease.grant.token.0 == token
        {
            lease.shown = true;
        }
        self.connected.insert(node, token);
    }
}

/// Takes out a batch in the middle and lets the next one pass for it.
fn hide_gap(items: &mut Vec<LogItem>) {
    if let [LogItem::Committed(first), LogItem::Committed(second), ..] = items.as_mut_slice() {
        second.manifest.revision = first.manifest.revision;
        items.remove(0);
    }
}
