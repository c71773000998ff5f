//! Reading what changed in a window: events, subscriptions, keys.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use zonegate_model::{Kind, Row};
use zonegate_payload::convert::{self, ApiOutcome, ProductOutcome};
use zonegate_payload::record::{EventType, KeySubscription, Place, SubscriptionStatus};
use zonegate_sync::port::{Change, ChangeSink, RepositoryError, Stamp, StampedChange, Window};

use crate::cursor::Cursor;
use crate::families::{OF_UNITS, Sort, families};
use crate::plan_memory::Plans;
use crate::port::{Database, Event, Key, KeyLink, Session, Subscription};
use crate::portions::portions;
use crate::reader::{ReadEnd, Run, Time};
use crate::stamps::{seen, stamp};

/// What is known of the APIs and products to which changed subscriptions and keys belong.
#[derive(Default)]
struct Surroundings {
    /// By key: its subscriptions, in the order of their ids.
    links: HashMap<Arc<str>, Vec<KeyLink>>,
    /// By API or product. Nothing known: it is not served.
    plans: HashMap<Arc<str>, Plans>,
}

impl<D: Database> Run<'_, D> {
    /// What changed in a window.
    pub(crate) async fn changes(
        &mut self,
        window: &Window,
        sink: &mut impl ChangeSink,
    ) -> Result<(), ReadEnd> {
        let span = self.session.window(window.from, window.to);
        self.licenses(&span, Some(window), sink).await?;
        self.access_points(&span, Some(window), sink).await?;
        self.know_members().await?;
        for family in families(self.repository.settings.authorization) {
            self.latest_events(family.all, &span, Some(window), sink).await?;
            if family.sort == Sort::Unit(Kind::ApiProduct) {
                self.touched_members(sink).await?;
            }
        }
        self.changed_subscriptions(&span, window, sink).await?;
        self.changed_keys(&span, window, sink).await
    }

    /// Changed subscriptions, each with all its keys judged anew: a key that was revoked while the subscription was
    /// paused must not come back with it (`sync-semantics.md` section 7.5).
    async fn changed_subscriptions(
        &mut self,
        span: &(Time<D>, Time<D>),
        window: &Window,
        sink: &mut impl ChangeSink,
    ) -> Result<(), ReadEnd> {
        let limit = self.repository.settings.bulk.subscriptions;
        let mut cursor = Cursor::new(span, limit);
        loop {
            let mut page =
                self.session.subscriptions_changed(cursor.slice(), self.selection.as_deref()).await?;
            if !cursor.advance(&mut page) {
                return Ok(());
            }
            let mut changed = page
                .into_iter()
                .filter_map(|subscription| {
                    let at = self.session.millis(subscription.updated.as_ref()?);
                    let stamp = stamp("subscription", &subscription.record.id, at);
                    (!seen(Some(window), &stamp)).then_some((stamp, subscription))
                })
                .collect::<Vec<_>>();
            if changed.is_empty() {
                continue;
            }
            let ids = changed.iter().map(|(_, subscription)| Arc::clone(&subscription.record.id));
            let mut keys = self.keys_by_subscription(&ids.collect::<Vec<_>>(), false).await?;
            let mut of_keys =
                keys.values().flatten().map(|key| Arc::clone(&key.record.id)).collect::<Vec<_>>();
            of_keys.sort();
            of_keys.dedup();
            let own =
                changed.iter().filter_map(|(_, subscription)| link(subscription, "")).collect::<Vec<_>>();
            let around = self.surroundings(&of_keys, &own).await?;
            let mut accepted = changed
                .iter_mut()
                .map(|(_, subscription)| subscription)
                .filter(|subscription| subscription.record.status == SubscriptionStatus::Accepted)
                .collect::<Vec<_>>();
            for some in accepted.chunks_mut(limit) {
                self.session.add_metadata(some).await?;
            }
            let mut changes = Vec::with_capacity(changed.len());
            for (stamp, subscription) in changed {
                let keys = keys.remove(&subscription.record.id).unwrap_or_default();
                self.subscription_change(&stamp, subscription, &keys, &around, &mut changes);
            }
            sink.push(changes).await?;
        }
    }

    fn subscription_change(
        &self,
        stamp: &Stamp,
        subscription: Subscription<Time<D>>,
        keys: &[Key<Time<D>>],
        around: &Surroundings,
        changes: &mut Vec<StampedChange>,
    ) {
        let Some(own) = link(&subscription, "") else {
            tracing::debug!(id = %subscription.record.id, "a subscription of no API is left out");
            return;
        };
        let Some(scope) = own.scope.clone() else { return };
        let mut rows = vec![self.subscription_row(subscription, &scope, around.serves(&own))];
        for key in keys {
            let mut links = around.links.get(&key.record.id).cloned().unwrap_or_default();
            if !links.iter().any(|link| link.subscription == own.subscription) {
                links.push(KeyLink { key: Arc::clone(&key.record.id), ..own.clone() });
            }
            links.retain(|link| link.scope.as_ref() == Some(&scope));
            rows.extend(self.key_rows(key, &links, around));
        }
        tell(stamp, rows, changes);
    }

    /// Changed keys, for each of their subscriptions.
    async fn changed_keys(
        &mut self,
        span: &(Time<D>, Time<D>),
        window: &Window,
        sink: &mut impl ChangeSink,
    ) -> Result<(), ReadEnd> {
        let mut cursor = Cursor::new(span, self.repository.settings.bulk.keys);
        loop {
            let mut page = self.session.keys_changed(cursor.slice(), self.selection.as_deref()).await?;
            if !cursor.advance(&mut page) {
                return Ok(());
            }
            let changed = page
                .into_iter()
                .filter_map(|key| {
                    let stamp = stamp("key", &key.record.id, self.session.millis(key.updated.as_ref()?));
                    (!seen(Some(window), &stamp)).then_some((stamp, key))
                })
                .collect::<Vec<_>>();
            if changed.is_empty() {
                continue;
            }
            let ids = changed.iter().map(|(_, key)| Arc::clone(&key.record.id)).collect::<Vec<_>>();
            let around = self.surroundings(&ids, &[]).await?;
            let mut changes = Vec::with_capacity(changed.len());
            for (stamp, key) in changed {
                let links = around.links.get(&key.record.id).map_or(&[][..], Vec::as_slice);
                tell(&stamp, self.key_rows(&key, links, &around), &mut changes);
            }
            sink.push(changes).await?;
        }
    }

    /// The rows of a key, one for each API or product of its subscriptions. Where an application subscribed again, a
    /// key has several of the same: the first that is served counts, not the one that changed last.
    fn key_rows(
        &self,
        key: &Key<Time<D>>,
        links: &[KeyLink],
        around: &Surroundings,
    ) -> Vec<Result<Row, Change>> {
        let mut by_scope: BTreeMap<Arc<str>, KeySubscription> = BTreeMap::new();
        for link in links {
            let Some(scope) = &link.scope else { continue };
            let found = KeySubscription {
                id: Arc::clone(&link.subscription),
                scope: Arc::clone(scope),
                plan: Arc::clone(&link.plan),
                served: around.serves_keys(link),
            };
            let known = by_scope.entry(Arc::clone(scope)).or_insert_with(|| found.clone());
            if (!found.served, &found.id) < (!known.served, &known.id) {
                *known = found;
            }
        }
        by_scope.values().map(|subscription| self.key_row(key, subscription)).collect()
    }

    /// All subscriptions of some keys, and the plans of all that these and other subscriptions belong to.
    async fn surroundings(
        &mut self,
        keys: &[Arc<str>],
        others: &[KeyLink],
    ) -> Result<Surroundings, RepositoryError> {
        let bulk = self.repository.settings.bulk;
        let mut around = Surroundings::default();
        for some in keys.chunks(bulk.key_subscriptions) {
            let mut after = (Arc::from(""), Arc::from(""));
            loop {
                let (key, subscription): &(Arc<str>, Arc<str>) = &after;
                let selection = self.selection.as_deref();
                let page = self
                    .session
                    .links_of_keys(some, (key, subscription), bulk.subscriptions, selection)
                    .await?;
                let whole = page.len() >= bulk.subscriptions;
                let Some(last) = page.last() else { break };
                after = (Arc::clone(&last.key), Arc::clone(&last.subscription));
                for link in page {
                    around.links.entry(Arc::clone(&link.key)).or_default().push(link);
                }
                if !whole {
                    break;
                }
            }
        }
        let accepted = around.links.values().flatten().chain(others);
        let mut scopes = accepted
            .filter(|link| link.status == SubscriptionStatus::Accepted)
            .filter_map(|link| link.scope.clone())
            .collect::<Vec<_>>();
        scopes.sort();
        scopes.dedup();
        for some in scopes.chunks(bulk.events.max(100)) {
            self.plans_of(some, &mut around.plans).await?;
        }
        Ok(around)
    }

    /// Which plans are served of some APIs and products: as remembered of the same event, else read.
    async fn plans_of(
        &mut self,
        scopes: &[Arc<str>],
        plans: &mut HashMap<Arc<str>, Plans>,
    ) -> Result<(), RepositoryError> {
        let mut unknown = Vec::new();
        for head in self.session.event_heads(scopes, &OF_UNITS, self.selection.as_deref()).await? {
            match self.repository.plans(|memory| memory.get(&head.id, &head.updated)) {
                Some(known) => {
                    plans.insert(head.id, known);
                }
                None if head.kind.withdraws() => {
                    plans.insert(head.id, Plans::None);
                }
                None => unknown.push(head),
            }
        }
        for portion in portions(unknown) {
            let ids = portion.into_iter().map(|head| head.id).collect::<Vec<_>>();
            for event in self.session.events(&ids).await? {
                let (found, own) = self.plans_in(&event);
                if event.settled {
                    self.remember(&event, found.clone(), own);
                }
                plans.insert(event.record.subject(), found);
            }
        }
        Ok(())
    }

    /// The plans in an event, and whether they count for its own sake.
    fn plans_in(&self, event: &Event<Time<D>>) -> (Plans, bool) {
        let nowhere = |_: Option<&Arc<str>>| Place::default();
        match event.record.kind {
            EventType::DeployApiProduct => {
                let product = convert::api_product(&event.record, &self.repository.convert, nowhere);
                let plans = match product {
                    Ok(ProductOutcome::Served { plans, .. }) => Plans::Served(Arc::new(plans)),
                    Ok(ProductOutcome::NotServed(_)) => Plans::None,
                    Err(_) => Plans::Unknown,
                };
                (plans, true)
            }
            EventType::PublishApi | EventType::StartApi => match self.api(&event.record, nowhere) {
                Ok((ApiOutcome::Served { plans, .. }, own)) => (Plans::Served(Arc::new(plans)), own),
                Ok((ApiOutcome::NotServed(_), own)) => (Plans::None, own),
                Err(_) => (Plans::Unknown, true),
            },
            _ => (Plans::None, true),
        }
    }
}

impl Surroundings {
    /// Whether a subscription is served.
    fn serves(&self, link: &KeyLink) -> bool {
        self.plans(link).is_some_and(|plans| plans.takes_subscriptions(&link.plan))
    }

    /// Whether its keys are.
    fn serves_keys(&self, link: &KeyLink) -> bool {
        self.plans(link).is_some_and(|plans| plans.takes_keys(&link.plan))
    }

    fn plans(&self, link: &KeyLink) -> Option<&Plans> {
        let accepted = link.status == SubscriptionStatus::Accepted;
        link.scope.as_ref().filter(|_| accepted).and_then(|scope| self.plans.get(scope))
    }
}

/// A subscription as a link to a key. `None` if it belongs to nothing.
fn link<T>(subscription: &Subscription<T>, key: &str) -> Option<KeyLink> {
    let record = &subscription.record;
    Some(KeyLink {
        key: Arc::from(key),
        subscription: Arc::clone(&record.id),
        scope: Some(Arc::clone(record.scope()?)),
        plan: Arc::clone(&record.plan),
        status: record.status,
    })
}

/// Rows that become active together, and beside them what was refused.
fn tell(stamp: &Stamp, rows: Vec<Result<Row, Change>>, changes: &mut Vec<StampedChange>) {
    let mut together = Vec::with_capacity(rows.len());
    let mut refused = Vec::new();
    for row in rows {
        match row {
            Ok(row) => together.push(row),
            Err(change) => refused.push(change),
        }
    }
    let changed = std::iter::once(Change::Rows(together)).chain(refused);
    changes.extend(changed.map(|change| StampedChange { stamp: stamp.clone(), change }));
}
