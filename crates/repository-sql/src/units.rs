//! APIs and API products with their subscriptions and keys: each goes out complete, in one change (S2).

use std::collections::HashMap;
use std::sync::Arc;

use zonegate_model::{Kind, Row, RowKey};
use zonegate_payload::convert::{self, Refusal, ServedPlans};
use zonegate_payload::record::KeySubscription;
use zonegate_sync::port::{Change, RepositoryError, Stamp, StampedChange};

use crate::events::Head;
use crate::reader::Run;
use crate::subscriptions::Subscription;

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

impl Run<'_> {
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
        let mut subscriptions: Vec<Vec<Subscription>> = units.iter().map(|_| Vec::new()).collect();
        let mut sort = |page: Vec<Subscription>| {
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
        let bulk = self.repository.settings.bulk.subscriptions;
        if let [unit] = &*units {
            for plan in unit.plans.subscribable.clone() {
                let mut after = String::new();
                loop {
                    let page = self.subscriptions_of_plan(&plan, &after).await?;
                    let whole = page.len() == bulk;
                    let Some(last) = page.last() else { break };
                    after = last.record.id.to_string();
                    sort(page);
                    if !whole {
                        break;
                    }
                }
            }
        } else if !of_plan.is_empty() {
            let plans = of_plan.keys().cloned().collect::<Vec<_>>();
            let mut total = 0;
            let mut after = None;
            loop {
                let page = self.subscriptions_of_plans(&plans, after.as_ref()).await?;
                let whole = page.len() == bulk;
                total += page.len();
                if total > TOGETHER {
                    let counts = self.subscription_counts(&plans).await?;
                    return Ok(Err(too_many(&units, &counts)));
                }
                after = page.last().cloned();
                sort(page);
                if !whole {
                    break;
                }
            }
        }

        let mut changes = Vec::with_capacity(units.len());
        // Metadata and keys of several units are asked for together; each unit then takes its own.
        let mut all = subscriptions.iter_mut().flatten().collect::<Vec<_>>();
        self.add_metadata(&mut all).await?;
        let mut by_key = Vec::new();
        for (unit, list) in units.iter().zip(&subscriptions) {
            let with_keys =
                list.iter().filter(|subscription| unit.plans.takes_keys(&subscription.record.plan));
            by_key.extend(with_keys.map(|subscription| Arc::clone(&subscription.record.id)));
        }
        let mut keys = self.keys_of(&by_key, true).await?;
        for (unit, list) in units.into_iter().zip(subscriptions) {
            let id = Arc::clone(&unit.row.key.id);
            let mut rows = Vec::with_capacity(1 + 2 * list.len());
            let mut key_rows = Vec::new();
            let mut refused = Vec::new();
            rows.push(unit.row);
            for subscription in list {
                let of_key = key_subscription(&subscription, &id, true);
                let own = keys.remove(&subscription.record.id).unwrap_or_default();
                match subscription_row(subscription, &id, true) {
                    Ok(row) => rows.push(row),
                    Err(reason) => {
                        refused.push(reason);
                        continue;
                    }
                }
                for key in own {
                    match convert::api_key(&key.record, &of_key) {
                        Ok(row) => key_rows.push(row),
                        Err(refusal) => refused.push(refused_by(&refusal)),
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
}

fn too_many(units: &[Unit], of_plans: &HashMap<String, usize>) -> TooMany {
    let count = |unit: &Unit| unit.plans.subscribable.iter().filter_map(|plan| of_plans.get(&**plan)).sum();
    TooMany(units.iter().map(|unit| (Arc::clone(&unit.event), count(unit))).collect())
}

/// Cuts a portion so that each part has few enough subscriptions, or is of one event only. Always into more than one
/// part, whatever the counts say.
pub(crate) fn parts(heads: Vec<Head>, too_many: &TooMany) -> Vec<Vec<Head>> {
    let most = heads.len() - usize::from(heads.len() > 1);
    let mut parts: Vec<Vec<Head>> = Vec::new();
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

/// The row of a subscription, or the refusal of it.
pub(crate) fn subscription_row(
    subscription: Subscription,
    scope: &Arc<str>,
    plan_served: bool,
) -> Result<Row, Change> {
    if subscription.too_long {
        return Err(Change::Refused {
            key: RowKey::scoped(Kind::Subscription, Arc::clone(scope), subscription.record.id),
            reason: "its client certificate or configuration is longer than what is read".to_owned(),
        });
    }
    convert::subscription(subscription.record, scope, plan_served).map_err(|refusal| refused_by(&refusal))
}

/// What a key's row has to know of its subscription.
pub(crate) fn key_subscription(
    subscription: &Subscription,
    scope: &Arc<str>,
    served: bool,
) -> KeySubscription {
    KeySubscription {
        id: Arc::clone(&subscription.record.id),
        scope: Arc::clone(scope),
        plan: Arc::clone(&subscription.record.plan),
        served,
    }
}

/// A refusal as a change.
pub(crate) fn refused_by(refusal: &Refusal) -> Change {
    Change::Refused { key: refusal.key.clone(), reason: refusal.reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::times::EARLIEST;
    use crate::value::Stored;
    use zonegate_payload::record::EventType;

    #[test]
    fn l2_units_are_parted_by_their_subscriptions_and_always_parted() {
        let sizes = |counts: &[usize]| {
            let ids =
                (0..counts.len()).map(|number| Arc::from(number.to_string())).collect::<Vec<Arc<str>>>();
            let heads = ids.iter().map(|id| Head {
                id: Arc::clone(id),
                kind: EventType::StartApi,
                updated: Stored::bound(EARLIEST),
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
