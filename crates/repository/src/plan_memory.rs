//! What was last read of the plans of APIs and API products, so that a changed subscription or key does not need its
//! API's definition to be read again.

use std::collections::HashMap;
use std::sync::Arc;

use zonegate_payload::convert::ServedPlans;

/// An API with more plans than this is read again each time: memory stays bounded by what is reasonable (L2).
const MAX_PLANS: usize = 1000;

/// What is known of an API's or product's plans.
#[derive(Clone, Debug)]
pub(crate) enum Plans {
    /// These are served.
    Served(Arc<ServedPlans>),
    /// It is not served here.
    None,
    /// Its definition cannot be understood, so that what was served before stays (S3).
    Unknown,
}

impl Plans {
    /// Whether subscriptions of the plan are served. Of an API that is not understood they are, as far as it is
    /// known: the API itself decides.
    pub(crate) fn takes_subscriptions(&self, plan: &str) -> bool {
        match self {
            Self::Served(plans) => plans.takes_subscriptions(plan),
            Self::None => false,
            Self::Unknown => true,
        }
    }

    /// The same for API keys.
    pub(crate) fn takes_keys(&self, plan: &str) -> bool {
        match self {
            Self::Served(plans) => plans.takes_keys(plan),
            Self::None => false,
            Self::Unknown => true,
        }
    }
}

/// Plans by API or product.
#[derive(Debug)]
pub(crate) struct PlanMemory<T>(HashMap<Arc<str>, Known<T>>);

#[derive(Debug)]
struct Known<T> {
    /// The time of the event that this came from.
    event: T,
    plans: Plans,
    /// Whether it is served, and for its own sake, not as a member of a product.
    alone: bool,
}

impl<T> Default for PlanMemory<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: PartialEq> PlanMemory<T> {
    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// What is known, if it is from the event of that time.
    pub(crate) fn get(&self, id: &str, event: &T) -> Option<Plans> {
        self.0.get(id).filter(|known| known.event == *event).map(|known| known.plans.clone())
    }

    /// Whether it is known to be served for its own sake by the event of that time, so that products make no difference.
    pub(crate) fn is_alone(&self, id: &str, event: &T) -> bool {
        self.0.get(id).is_some_and(|known| known.alone && known.event == *event)
    }

    /// Remembers. `own`: what counts of it does not come from a product that it is a member of.
    pub(crate) fn put(&mut self, id: Arc<str>, event: T, plans: Plans, own: bool) {
        if matches!(&plans, Plans::Served(served) if served.subscribable.len() > MAX_PLANS) {
            self.0.remove(&id);
        } else {
            let alone = own && matches!(plans, Plans::Served(_));
            self.0.insert(id, Known { event, plans, alone });
        }
    }
}
