//! Reading what changed in a window: events, subscriptions, keys.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use zonegate_payload::convert::{self, ApiOutcome, ProductOutcome};
use zonegate_payload::record::{EventType, KeySubscription, SubscriptionRecord, SubscriptionStatus};
use zonegate_sync::port::{Change, ChangeSink, RepositoryError, StampedChange, Window};

use crate::events::{Part, portions};
use crate::failure::ReadEnd;
use crate::plan_memory::Plans;
use crate::platform::{seen, stamp};
use crate::reader::Run;
use crate::units::{key_subscription, refused_by, subscription_row};
use crate::value::Stored;

/// Events of one kind of entity, kind after kind in order of effect.
const ALL: [&[EventType]; 5] = [
    &[EventType::PublishOrganization],
    &[EventType::PublishDictionary, EventType::UnpublishDictionary],
    &[EventType::DeploySharedPolicyGroup, EventType::UndeploySharedPolicyGroup],
    &[EventType::DeployApiProduct, EventType::UndeployApiProduct],
    &APIS,
];
const APIS: [EventType; 4] =
    [EventType::PublishApi, EventType::StartApi, EventType::StopApi, EventType::UnpublishApi];
const UNITS: [EventType; 6] = [
    EventType::DeployApiProduct,
    EventType::UndeployApiProduct,
    EventType::PublishApi,
    EventType::StartApi,
    EventType::StopApi,
    EventType::UnpublishApi,
];

impl Run<'_> {
    /// What changed in a window.
    pub(crate) async fn changes(
        &mut self,
        window: &Window,
        sink: &mut impl ChangeSink,
    ) -> Result<(), ReadEnd> {
        let (from, before) = self.repository.settings.zone.window(window.from, window.to);
        let (from, before) = (Stored::bound(from), Stored::bound(before));
        self.licenses(&from, &before, Some(window), sink).await?;
        self.access_points(&from, &before, Some(window), sink).await?;
        for kinds in ALL {
            let part = Part { kinds, from: from.clone(), before: before.clone() };
            self.part(&part, Some(window), sink).await?;
        }
        self.changed_subscriptions(&from, &before, window, sink).await?;
        self.changed_keys(&from, &before, window, sink).await
    }

    /// Changed subscriptions, each with all its keys judged anew: a key that was revoked while the subscription was
    /// paused must not come back with it (`sync-semantics.md` section 7.5).
    async fn changed_subscriptions(
        &mut self,
        from: &Stored,
        before: &Stored,
        window: &Window,
        sink: &mut impl ChangeSink,
    ) -> Result<(), ReadEnd> {
        let mut after = (from.clone(), String::new());
        loop {
            let page = self.subscriptions_changed(after, before.clone()).await?;
            let Some((updated, id)) =
                page.last().and_then(|last| Some((last.updated.clone()?, &last.record.id)))
            else {
                return Ok(());
            };
            after = (updated, id.to_string());
            let mut changed = page
                .into_iter()
                .filter_map(|subscription| {
                    let at = self.millis(subscription.updated.as_ref()?);
                    let stamp = stamp("subscription", &subscription.record.id, at);
                    let scope = subscription.record.scope().cloned()?;
                    (!seen(Some(window), &stamp)).then_some((stamp, scope, subscription))
                })
                .collect::<Vec<_>>();
            if changed.is_empty() {
                continue;
            }
            let plans =
                self.plans_of(changed.iter().map(|(_, _, subscription)| &subscription.record)).await?;
            let ids = changed.iter().map(|(_, _, subscription)| Arc::clone(&subscription.record.id));
            let mut keys = self.keys_of(&ids.collect::<Vec<_>>(), false).await?;
            let accepted = changed.iter_mut().map(|(_, _, subscription)| subscription);
            let accepted =
                accepted.filter(|subscription| subscription.record.status == SubscriptionStatus::Accepted);
            self.add_metadata(&mut accepted.collect::<Vec<_>>()).await?;
            let mut changes = Vec::with_capacity(changed.len());
            for (stamp, scope, subscription) in changed {
                let (plan_served, keys_served) = served(&subscription.record, &plans);
                let of_key = key_subscription(&subscription, &scope, keys_served);
                let own = keys.remove(&subscription.record.id).unwrap_or_default();
                let mut rows = Vec::with_capacity(1 + own.len());
                let mut refused = Vec::new();
                match subscription_row(subscription, &scope, plan_served) {
                    Ok(row) => rows.push(row),
                    Err(change) => refused.push(change),
                }
                for key in own {
                    match convert::api_key(&key.record, &of_key) {
                        Ok(row) => rows.push(row),
                        Err(refusal) => refused.push(refused_by(&refusal)),
                    }
                }
                changes.push(StampedChange { stamp: stamp.clone(), change: Change::Rows(rows) });
                changes
                    .extend(refused.into_iter().map(|change| StampedChange { stamp: stamp.clone(), change }));
            }
            sink.push(changes).await?;
        }
    }

    /// Changed keys, for each of their subscriptions.
    async fn changed_keys(
        &mut self,
        from: &Stored,
        before: &Stored,
        window: &Window,
        sink: &mut impl ChangeSink,
    ) -> Result<(), ReadEnd> {
        let mut after = (from.clone(), String::new());
        loop {
            let page = self.keys_changed(after, before.clone()).await?;
            let Some((updated, id)) =
                page.last().and_then(|last| Some((last.updated.clone()?, &last.record.id)))
            else {
                return Ok(());
            };
            after = (updated, id.to_string());
            let changed = page
                .into_iter()
                .filter_map(|key| {
                    let stamp = stamp("key", &key.record.id, self.millis(key.updated.as_ref()?));
                    (!seen(Some(window), &stamp)).then_some((stamp, key))
                })
                .collect::<Vec<_>>();
            if changed.is_empty() {
                continue;
            }
            let ids = changed.iter().map(|(_, key)| Arc::clone(&key.record.id)).collect::<Vec<_>>();
            let subscriptions = self.subscriptions_of_keys(&ids).await?;
            let plans = self.plans_of(subscriptions.values().flatten()).await?;
            let mut changes = Vec::with_capacity(changed.len());
            for (stamp, key) in changed {
                let mut rows = Vec::new();
                for subscription in subscriptions.get(&*key.record.id).into_iter().flatten() {
                    let Some(scope) = subscription.scope() else { continue };
                    let of_key = KeySubscription {
                        id: Arc::clone(&subscription.id),
                        scope: Arc::clone(scope),
                        plan: Arc::clone(&subscription.plan),
                        served: served(subscription, &plans).1,
                    };
                    match convert::api_key(&key.record, &of_key) {
                        Ok(row) => rows.push(row),
                        Err(refusal) => {
                            changes
                                .push(StampedChange { stamp: stamp.clone(), change: refused_by(&refusal) });
                        }
                    }
                }
                changes.push(StampedChange { stamp, change: Change::Rows(rows) });
            }
            sink.push(changes).await?;
        }
    }

    /// Which plans are served of the APIs and products that these accepted subscriptions belong to.
    async fn plans_of(
        &mut self,
        subscriptions: impl Iterator<Item = &SubscriptionRecord>,
    ) -> Result<HashMap<Arc<str>, Plans>, RepositoryError> {
        let accepted =
            subscriptions.filter(|subscription| subscription.status == SubscriptionStatus::Accepted);
        let mut scopes =
            accepted.filter_map(|subscription| subscription.scope().cloned()).collect::<Vec<_>>();
        scopes.sort();
        scopes.dedup();
        let mut plans = HashMap::new();
        for some in scopes.chunks(self.repository.settings.bulk.events.max(100)) {
            let heads = self.event_heads(some, &UNITS).await?;
            let mut unknown = Vec::new();
            for head in heads {
                let known = {
                    let memory = self.repository.plans.lock().unwrap_or_else(PoisonError::into_inner);
                    memory.get(&head.id, &head.updated)
                };
                match known {
                    Some(known) => {
                        plans.insert(Arc::clone(&head.id), known);
                    }
                    None if head.kind.withdraws() => {
                        plans.insert(Arc::clone(&head.id), Plans::None);
                    }
                    None => unknown.push(head),
                }
            }
            for portion in portions(unknown) {
                for event in self.events(&portion).await? {
                    let settings = &self.repository.convert;
                    let nowhere = |_: Option<&Arc<str>>| zonegate_payload::record::Place::default();
                    let found = match event.record.kind {
                        EventType::DeployApiProduct => {
                            match convert::api_product(&event.record, settings, nowhere) {
                                Ok(ProductOutcome::Served { plans, .. }) => Plans::Served(Arc::new(plans)),
                                Ok(ProductOutcome::NotServed(_)) => Plans::None,
                                Err(_) => Plans::Unknown,
                            }
                        }
                        EventType::PublishApi | EventType::StartApi => {
                            match convert::api(&event.record, settings, nowhere) {
                                Ok(ApiOutcome::Served { plans, .. }) => Plans::Served(Arc::new(plans)),
                                Ok(ApiOutcome::NotServed(_)) => Plans::None,
                                Err(_) => Plans::Unknown,
                            }
                        }
                        _ => Plans::None,
                    };
                    if event.settled {
                        self.remember(&event, found.clone());
                    }
                    plans.insert(event.record.subject(), found);
                }
            }
        }
        Ok(plans)
    }
}

/// Whether a subscription is served, and whether its keys are.
fn served(subscription: &SubscriptionRecord, plans: &HashMap<Arc<str>, Plans>) -> (bool, bool) {
    let plans = subscription.scope().and_then(|scope| plans.get(scope));
    match plans {
        Some(plans) if subscription.status == SubscriptionStatus::Accepted => {
            (plans.takes_subscriptions(&subscription.plan), plans.takes_keys(&subscription.plan))
        }
        _ => (false, false),
    }
}
