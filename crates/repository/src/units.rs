//! APIs and API products with their subscriptions and keys: each goes out complete, in one change (S2).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use zonegate_model::{Kind, Row, RowKey};
use zonegate_payload::convert::{self, Refusal, ServedPlans};
use zonegate_payload::record::{KeySubscription, SubscriptionStatus};
use zonegate_sync::port::{Change, RepositoryError, Stamp, StampedChange};

use crate::port::{Database, Head, Key, Session, Subscription};
use crate::reader::{Run, Time};
use crate::stamps::recorded_at;

/// Subscriptions that are kept in memory for several units together. A unit that has more is read by itself.
const TOGETHER: usize = 20_000;

/// An API or product whose subscriptions and keys are still to be read.
#[derive(Clone, Debug)]
pub(crate) struct Unit {
    /// Id of the event that it comes from.
    pub(crate) event: Arc<str>,
    pub(crate) stamp: Stamp,
    pub(crate) row: Row,
    pub(crate) plans: Arc<ServedPlans>,
}

/// Too much for one go: the subscriptions of each unit, by the id of its event.
pub(crate) struct TooMany(pub(crate) HashMap<Arc<str>, usize>);

impl<D: Database> Run<'_, D> {
    /// Reads what belongs to the units, and answers a change for each, in their order.
    pub(crate) async fn complete(
        &mut self,
        units: Vec<Unit>,
    ) -> Result<Result<Vec<StampedChange>, TooMany>, RepositoryError> {
        // A plan belongs to one unit. Should two claim it, the subscription itself says whose it is.
        let mut of_plan: HashMap<Arc<str>, Vec<usize>> = HashMap::new();
        for (index, unit) in units.iter().enumerate() {
            for plan in &unit.plans.subscribable {
                of_plan.entry(Arc::clone(plan)).or_default().push(index);
            }
        }
        let mut subscriptions: Vec<Vec<Subscription<Time<D>>>> = units.iter().map(|_| Vec::new()).collect();
        let mut sort = |page: Vec<Subscription<Time<D>>>| {
            for subscription in page {
                let Some(scope) = subscription.record.scope() else { continue };
                let mut owners = of_plan.get(&subscription.record.plan).into_iter().flatten().copied();
                let product = subscription.record.is_product();
                if let Some(owner) =
                    owners.find(|index| units.get(*index).is_some_and(|unit| owns(unit, scope, product)))
                    && let Some(list) = subscriptions.get_mut(owner)
                {
                    list.push(subscription);
                }
            }
        };
        let limit = self.repository.settings.bulk.subscriptions;
        let together = units.len() > 1;
        let all = of_plan.keys().cloned().collect::<Vec<_>>();
        // Of a unit that is read by itself plan by plan: an index leads through each in order.
        for plans in all.chunks(if together { all.len().max(1) } else { 1 }) {
            let mut total = 0;
            let mut after = (Arc::from(""), Arc::from(""));
            loop {
                let (plan, id): &(Arc<str>, Arc<str>) = &after;
                let selection = self.selection.as_deref();
                let page = self.session.subscriptions_of_plans(plans, (plan, id), limit, selection).await?;
                let whole = page.len() >= limit;
                total += page.len();
                if together && total > TOGETHER {
                    let counts = self.session.subscription_counts(plans, selection).await?;
                    return Ok(Err(too_many(&units, &counts)));
                }
                let Some(last) = page.last() else { break };
                after = (Arc::clone(&last.record.plan), Arc::clone(&last.record.id));
                sort(page);
                if !whole {
                    break;
                }
            }
        }

        let mut changes = Vec::with_capacity(units.len());
        // Metadata and keys of several units are asked for together; each unit then takes its own.
        let mut all = subscriptions.iter_mut().flatten().collect::<Vec<_>>();
        for some in all.chunks_mut(limit) {
            self.session.add_metadata(some).await?;
        }
        let mut by_key = Vec::new();
        for (unit, list) in units.iter().zip(&subscriptions) {
            let with_keys =
                list.iter().filter(|subscription| unit.plans.takes_keys(&subscription.record.plan));
            by_key.extend(with_keys.map(|subscription| Arc::clone(&subscription.record.id)));
        }
        let mut keys = self.keys_by_subscription(&by_key, true).await?;
        for (unit, mut list) in units.into_iter().zip(subscriptions) {
            let id = Arc::clone(&unit.row.key.id);
            // Of several subscriptions that have a key in common the first counts: see `key_rows`.
            list.sort_by(|one, other| one.record.id.cmp(&other.record.id));
            let mut rows = Vec::with_capacity(1 + 2 * list.len());
            let mut key_rows = Vec::new();
            let mut told = HashSet::new();
            let mut refused = Vec::new();
            rows.push(unit.row);
            for subscription in list {
                let of_key = KeySubscription {
                    id: Arc::clone(&subscription.record.id),
                    scope: Arc::clone(&id),
                    plan: Arc::clone(&subscription.record.plan),
                    served: true,
                };
                let own = keys.remove(&subscription.record.id).unwrap_or_default();
                match self.subscription_row(subscription, &id, true) {
                    Ok(row) => rows.push(row),
                    Err(reason) => refused.push(reason),
                }
                for key in own {
                    if told.insert(Arc::clone(&key.record.id)) {
                        match self.key_row(&key, &of_key) {
                            Ok(row) => key_rows.push(row),
                            Err(change) => refused.push(change),
                        }
                    }
                }
            }
            rows.append(&mut key_rows);
            changes.push(StampedChange { stamp: unit.stamp.clone(), change: Change::Scope { id, rows } });
            changes.extend(
                refused.into_iter().map(|change| StampedChange { stamp: unit.stamp.clone(), change }),
            );
        }
        Ok(Ok(changes))
    }

    /// Keys of some subscriptions, by subscription. Active ones only, or all.
    pub(crate) async fn keys_by_subscription(
        &mut self,
        subscriptions: &[Arc<str>],
        active: bool,
    ) -> Result<HashMap<Arc<str>, Vec<Key<Time<D>>>>, RepositoryError> {
        let bulk = self.repository.settings.bulk;
        let mut found: HashMap<Arc<str>, Vec<Key<Time<D>>>> = HashMap::new();
        for some in subscriptions.chunks(bulk.key_subscriptions) {
            let mut after = (Arc::from(""), Arc::from(""));
            loop {
                let (key, subscription): &(Arc<str>, Arc<str>) = &after;
                let page = self.session.keys_of(some, active, (key, subscription), bulk.keys).await?;
                let whole = page.len() >= bulk.keys;
                let Some((key, subscription)) = page.last() else { break };
                after = (Arc::clone(&key.record.id), Arc::clone(subscription));
                for (key, subscription) in page {
                    found.entry(subscription).or_default().push(key);
                }
                if !whole {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// The row of a subscription, or the refusal of it.
    pub(crate) fn subscription_row(
        &self,
        subscription: Subscription<Time<D>>,
        scope: &Arc<str>,
        plan_served: bool,
    ) -> Result<Row, Change> {
        if subscription.too_long {
            return Err(Change::Refused {
                key: RowKey::scoped(Kind::Subscription, Arc::clone(scope), subscription.record.id),
                reason: "its client certificate or configuration is longer than what is read".to_owned(),
            });
        }
        let at = subscription.updated.as_ref().map(|time| self.session.millis(time));
        let push = subscription.record.kind.as_deref() == Some("PUSH");
        if push && plan_served && subscription.record.status == SubscriptionStatus::Accepted {
            self.pushing.set(self.pushing.get() + 1);
        }
        convert::subscription(subscription.record, scope, plan_served)
            .map(|row| row.recorded(recorded_at(at)))
            .map_err(|refusal| refused_by(&refusal))
    }

    /// The row of a key for one of its subscriptions, or the refusal of it.
    pub(crate) fn key_row(&self, key: &Key<Time<D>>, subscription: &KeySubscription) -> Result<Row, Change> {
        let at = key.updated.as_ref().map(|time| self.session.millis(time));
        convert::api_key(&key.record, subscription)
            .map(|row| row.recorded(recorded_at(at)))
            .map_err(|refusal| refused_by(&refusal))
    }
}

fn too_many(units: &[Unit], of_plans: &HashMap<String, usize>) -> TooMany {
    let count = |unit: &Unit| unit.plans.subscribable.iter().filter_map(|plan| of_plans.get(&**plan)).sum();
    TooMany(units.iter().map(|unit| (Arc::clone(&unit.event), count(unit))).collect())
}

/// Cuts a portion so that each part has few enough subscriptions, or is of one event only. Always into more than one
/// part, whatever the counts say.
pub(crate) fn parts<T>(heads: Vec<Head<T>>, too_many: &TooMany) -> Vec<Vec<Head<T>>> {
    let most = heads.len() - usize::from(heads.len() > 1);
    let mut parts: Vec<Vec<Head<T>>> = Vec::new();
    let mut total = 0;
    for head in heads {
        let count = too_many.0.get(&head.id).copied().unwrap_or(0);
        total += count;
        match parts.last_mut() {
            Some(part) if total <= TOGETHER && part.len() < most => part.push(head),
            _ => {
                total = count;
                parts.push(vec![head]);
            }
        }
    }
    parts
}

fn owns(unit: &Unit, scope: &str, product: bool) -> bool {
    *unit.row.key.id == *scope && (unit.row.key.kind == Kind::ApiProduct) == product
}

/// A refusal as a change.
pub(crate) fn refused_by(refusal: &Refusal) -> Change {
    Change::Refused { key: refusal.key.clone(), reason: refusal.reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zonegate_payload::record::EventType;

    #[test]
    fn l2_units_are_parted_by_their_subscriptions_and_always_parted() {
        let sizes = |counts: &[usize]| {
            let ids =
                (0..counts.len()).map(|number| Arc::from(number.to_string())).collect::<Vec<Arc<str>>>();
            let heads = ids.iter().map(|id| Head {
                id: Arc::clone(id),
                kind: EventType::StartApi,
                updated: 0,
                bytes: 1,
            });
            let heads = heads.collect();
            let counts = TooMany(ids.into_iter().zip(counts.iter().copied()).collect());
            parts(heads, &counts).iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(sizes(&[1, 2, TOGETHER, 3, TOGETHER * 9, 1, 1]), [2, 1, 1, 1, 2]);
        assert_eq!(
            sizes(&[0, 0, 0]),
            [2, 1],
            "subscriptions that went meanwhile must not make it run in circles"
        );
        assert_eq!(sizes(&[TOGETHER * 2]), [1]);
    }
}
