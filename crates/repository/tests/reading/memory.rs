//! A database in memory, without snapshots unless it is asked for them, in which something can happen at each query.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex};

use serde_json::json;
use zonegate_payload::record::{
    EventRecord, EventText, EventType, KeyRecord, SubscriptionRecord, SubscriptionStatus,
};
use zonegate_repository::port::{
    AccessPoint, Answer, Database, Event, Head, IndexPage, IndexPosition, Key, KeyLink, KeyOf, License,
    Session, Slice, Subscription,
};
use zonegate_repository::{Repository, Selection, Settings, Tables};
use zonegate_sync::port::{Change, ChangeSink, RepositoryError, RepositoryFailure, StampedChange, Stopped};

/// What is in it.
#[derive(Default)]
pub(crate) struct Content {
    pub(crate) events: BTreeMap<Arc<str>, (EventRecord, i64)>,
    pub(crate) subscriptions: BTreeMap<Arc<str>, (SubscriptionRecord, i64)>,
    pub(crate) keys: BTreeMap<Arc<str>, (KeyRecord, Vec<Arc<str>>)>,
    pub(crate) snapshots: bool,
    pub(crate) failing: Option<&'static str>,
    /// Names of the queries so far.
    pub(crate) queries: Vec<&'static str>,
    pub(crate) kept: usize,
    pub(crate) failures: usize,
    clock: i64,
}

type Happening = Box<dyn FnMut(&mut Content, &'static str) + Send>;

/// The database, and what happens in it before each query.
#[derive(Clone)]
pub(crate) struct Memory {
    pub(crate) content: Arc<Mutex<Content>>,
    happening: Arc<Mutex<Happening>>,
}

impl Content {
    fn now(&mut self) -> i64 {
        self.clock += 1;
        self.clock
    }

    /// Deploys an API with plans for keys.
    pub(crate) fn deploy(&mut self, id: &str, plans: &[&str]) {
        let plans = plans
            .iter()
            .map(|plan| json!({ "id": plan, "status": "published", "security": { "type": "api-key" } }));
        let definition = json!({ "id": id, "plans": plans.collect::<Vec<_>>() });
        let payload = json!({ "lifecycleState": "STARTED", "definitionVersion": "4.0.0", "type": "proxy",
            "definition": definition.to_string() });
        self.event(id, EventType::PublishApi, EventText::Text(payload.to_string()));
    }

    pub(crate) fn event(&mut self, id: &str, kind: EventType, payload: EventText) {
        let at = self.now();
        let properties = BTreeMap::from([(kind.property().to_owned(), id.to_owned())]);
        let record = EventRecord { id: id.into(), kind, payload, properties, created_at: Some(at) };
        self.events.insert(id.into(), (record, at));
    }

    /// Subscribes, with a key of the same id.
    pub(crate) fn subscribe(&mut self, id: &str, api: &str, plan: &str, kind: &str) {
        let at = self.now();
        let record = SubscriptionRecord {
            id: id.into(),
            api: None,
            reference_type: Some("API".to_owned()),
            reference_id: Some(api.into()),
            environment_id: None,
            plan: plan.into(),
            application: None,
            application_name: None,
            client_id: None,
            client_certificate: None,
            status: SubscriptionStatus::Accepted,
            consumer_status: None,
            starting_at: None,
            ending_at: None,
            kind: Some(kind.to_owned()),
            configuration: None,
            metadata: BTreeMap::new(),
        };
        self.subscriptions.insert(id.into(), (record, at));
        let key = KeyRecord {
            id: id.into(),
            key: format!("secret-{id}"),
            application: None,
            expire_at: None,
            revoked: false,
            paused: false,
        };
        self.keys.insert(id.into(), (key, vec![id.into()]));
    }

    fn subscription(&self, id: &str) -> Option<Subscription<i64>> {
        let (record, at) = self.subscriptions.get(id)?;
        Some(Subscription { record: record.clone(), updated: Some(*at), too_long: false })
    }
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self { content: Arc::default(), happening: Arc::new(Mutex::new(Box::new(|_, _| ()))) }
    }

    pub(crate) fn with(&self, change: impl FnOnce(&mut Content)) {
        change(&mut self.content.lock().unwrap());
    }

    /// From now on this happens before each query.
    pub(crate) fn happens(&self, what: impl FnMut(&mut Content, &'static str) + Send + 'static) {
        *self.happening.lock().unwrap() = Box::new(what);
    }

    pub(crate) fn repository(&self, settings: Settings) -> Repository<Self> {
        Repository::new(self.clone(), settings).unwrap()
    }

    pub(crate) fn count(&self, query: &str) -> usize {
        self.content.lock().unwrap().queries.iter().filter(|made| **made == query).count()
    }

    fn query<R>(&self, name: &'static str, answer: impl FnOnce(&mut Content) -> R) -> Answer<R> {
        let mut content = self.content.lock().unwrap();
        (self.happening.lock().unwrap())(&mut content, name);
        content.queries.push(name);
        if content.failing == Some(name) {
            let message = format!("{name} fails");
            return Err(RepositoryError { failure: RepositoryFailure::Unreachable, message });
        }
        Ok(answer(&mut content))
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("memory")
    }
}

impl Database for Memory {
    type Session = Self;

    async fn open(&self, _: bool) -> Answer<Self> {
        self.query("open", |_| self.clone())
    }

    fn keep(&self, _: Self) {
        self.with(|content| content.kept += 1);
    }

    fn failed(&self, _: &RepositoryError) {
        self.with(|content| content.failures += 1);
    }
}

/// Those after a position, in order, at most so many.
fn slice<R>(mut all: Vec<(i64, Arc<str>, R)>, slice: Slice<'_, i64>) -> Vec<R> {
    all.retain(|(at, id, _)| (*at, id) > (slice.after.time, &slice.after.id) && at < slice.before);
    all.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
    all.into_iter().take(slice.limit).map(|(_, _, record)| record).collect()
}

impl Session for Memory {
    type Time = i64;

    fn window(&self, from: i64, to: i64) -> (i64, i64) {
        (from, to.saturating_add(1))
    }

    fn millis(&self, time: &i64) -> i64 {
        *time
    }

    async fn end_snapshot(&mut self) -> Answer<bool> {
        self.query("end_snapshot", |content| content.snapshots)
    }

    async fn event_page(
        &mut self,
        kinds: &[EventType],
        part: Slice<'_, i64>,
        _: Option<&Selection>,
    ) -> Answer<Vec<Head<i64>>> {
        self.query("event_page", |content| {
            let of_kinds = content.events.values().filter(|(record, _)| kinds.contains(&record.kind));
            slice(of_kinds.map(|event| (event.1, Arc::clone(&event.0.id), head(event))).collect(), part)
        })
    }

    async fn event_heads(
        &mut self,
        ids: &[Arc<str>],
        kinds: &[EventType],
        _: Option<&Selection>,
    ) -> Answer<Vec<Head<i64>>> {
        self.query("event_heads", |content| {
            let found = ids.iter().filter_map(|id| content.events.get(id));
            found.filter(|(record, _)| kinds.contains(&record.kind)).map(head).collect()
        })
    }

    async fn events(&mut self, ids: &[Arc<str>]) -> Answer<Vec<Event<i64>>> {
        self.query("events", |content| {
            let found = ids.iter().filter_map(|id| content.events.get(id));
            found.map(|(record, at)| Event { record: record.clone(), updated: *at, settled: true }).collect()
        })
    }

    async fn subscriptions_of_plans(
        &mut self,
        plans: &[Arc<str>],
        after: (&str, &str),
        limit: usize,
        _: Option<&Selection>,
    ) -> Answer<Vec<Subscription<i64>>> {
        self.query("subscriptions_of_plans", |content| {
            let mut found = content
                .subscriptions
                .values()
                .filter(|(record, _)| plans.contains(&record.plan))
                .filter(|(record, _)| record.status == SubscriptionStatus::Accepted)
                .filter(|(record, _)| (&*record.plan, &*record.id) > after)
                .filter_map(|(record, _)| content.subscription(&record.id))
                .collect::<Vec<_>>();
            found.sort_by(|one, other| {
                (&one.record.plan, &one.record.id).cmp(&(&other.record.plan, &other.record.id))
            });
            found.truncate(limit);
            found
        })
    }

    async fn subscription_counts(
        &mut self,
        _: &[Arc<str>],
        _: Option<&Selection>,
    ) -> Answer<HashMap<String, usize>> {
        self.query("subscription_counts", |_| HashMap::new())
    }

    async fn subscriptions_changed(
        &mut self,
        part: Slice<'_, i64>,
        _: Option<&Selection>,
    ) -> Answer<Vec<Subscription<i64>>> {
        self.query("subscriptions_changed", |content| {
            let all = content.subscriptions.iter();
            let all = all.filter_map(|(id, (_, at))| Some((*at, Arc::clone(id), content.subscription(id)?)));
            slice(all.collect(), part)
        })
    }

    async fn keys_of(
        &mut self,
        subscriptions: &[Arc<str>],
        active: bool,
        after: (&str, &str),
        limit: usize,
    ) -> Answer<Vec<KeyOf<i64>>> {
        self.query("keys_of", |content| {
            let mut found = Vec::new();
            for (record, of) in content.keys.values().filter(|(record, _)| !active || !record.revoked) {
                for subscription in of.iter().filter(|id| subscriptions.contains(id)) {
                    if (&*record.id, &**subscription) > after {
                        let key = Key { record: Arc::new(record.clone()), updated: Some(1) };
                        found.push((key, Arc::clone(subscription)));
                    }
                }
            }
            found.truncate(limit);
            found
        })
    }

    async fn keys_changed(&mut self, _: Slice<'_, i64>, _: Option<&Selection>) -> Answer<Vec<Key<i64>>> {
        self.query("keys_changed", |_| Vec::new())
    }

    async fn links_of_keys(
        &mut self,
        keys: &[Arc<str>],
        after: (&str, &str),
        limit: usize,
        _: Option<&Selection>,
    ) -> Answer<Vec<KeyLink>> {
        self.query("links_of_keys", |content| {
            let mut found = Vec::new();
            for (record, of) in keys.iter().filter_map(|id| content.keys.get(id)) {
                for subscription in of.iter().filter_map(|id| content.subscription(id)) {
                    if (&*record.id, &*subscription.record.id) > after {
                        found.push(KeyLink {
                            key: Arc::clone(&record.id),
                            scope: subscription.record.scope().cloned(),
                            plan: subscription.record.plan,
                            status: subscription.record.status,
                            subscription: subscription.record.id,
                        });
                    }
                }
            }
            found.truncate(limit);
            found
        })
    }

    async fn event_index(
        &mut self,
        _: &[EventType],
        _: &IndexPosition,
        _: usize,
        _: Option<&Selection>,
    ) -> Answer<IndexPage<i64>> {
        self.query("event_index", |_| IndexPage { listed: Vec::new(), next: None })
    }

    async fn subscription_index(
        &mut self,
        _: &IndexPosition,
        _: usize,
        _: Option<&Selection>,
    ) -> Answer<IndexPage<i64>> {
        self.query("subscription_index", |_| IndexPage { listed: Vec::new(), next: None })
    }

    async fn key_index(
        &mut self,
        _: &IndexPosition,
        _: usize,
        _: Option<&Selection>,
    ) -> Answer<IndexPage<i64>> {
        self.query("key_index", |_| IndexPage { listed: Vec::new(), next: None })
    }

    async fn places(&mut self) -> Answer<Tables> {
        self.query("places", |_| Tables::default())
    }

    async fn installation(&mut self) -> Answer<Option<String>> {
        self.query("installation", |_| None)
    }

    async fn licenses(&mut self, _: Slice<'_, i64>, _: Option<&Selection>) -> Answer<Vec<License<i64>>> {
        self.query("licenses", |_| Vec::new())
    }

    async fn access_points(
        &mut self,
        _: Slice<'_, i64>,
        _: Option<&Selection>,
    ) -> Answer<Vec<AccessPoint<i64>>> {
        self.query("access_points", |_| Vec::new())
    }
}

fn head((record, at): &(EventRecord, i64)) -> Head<i64> {
    Head { id: Arc::clone(&record.id), kind: record.kind, updated: *at, bytes: 1 }
}

/// What a read says.
#[derive(Default)]
pub(crate) struct Read(pub(crate) Vec<StampedChange>);

impl ChangeSink for Read {
    async fn push(&mut self, changes: Vec<StampedChange>) -> Result<(), Stopped> {
        self.0.extend(changes);
        Ok(())
    }
}

impl Read {
    /// The rows of the last change of a unit, as `KIND id`. `None` if there is no such change.
    pub(crate) fn unit(&self, id: &str) -> Option<Vec<String>> {
        self.0.iter().rev().find_map(|change| match &change.change {
            Change::Scope { id: of, rows } if &**of == id => {
                Some(rows.iter().map(|row| format!("{} {}", row.key.kind, row.key.id)).collect())
            }
            _ => None,
        })
    }
}
