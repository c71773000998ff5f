//! The mutable working state behind the generations. One owner feeds it rows and commits them; each commit publishes a
//! new [`Generation`] that shares everything unchanged with the one before.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use zonegate_definition::{NodeContext, Organization, Refusal};
use zonegate_model::{Digests, Payload, Revision, Row, StoreId};
use zonegate_payload::DictionaryPayload;

use crate::carried::Carried;
use crate::compile::Compile;
use crate::generation::{ApiRow, FEW, Generation, RefusedRow, ScopeRow};
use crate::published::Published;
use crate::routes::{Claim, Place, Routes};
use crate::served::{Refused, Served, ServedProduct};
use crate::table::{Seed, Table};

mod evaluate;
mod products;
mod report;
mod settle;
mod staging;
mod surroundings;

use products::{Memberships, ProductSlot};
use report::Report;
use settle::Dirty;
use staging::{StagedScope, Staging};
use surroundings::AccessPoints;

pub use report::{Committed, Unreadable};

/// How a gateway decides what it serves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The gateway's own tags and tenant.
    pub node: NodeContext,
    /// When a new version of an API is refused, whether the earlier one that is being served stays (S3).
    pub keep_previous: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { node: NodeContext::default(), keep_previous: true }
    }
}

/// Builds generations from rows. Its methods are called in the order of `begin`, any number of `rows`, then `commit`
/// or `abort`; nothing is visible before `commit` (S2).
pub struct Builder<C: Compile> {
    compile: C,
    settings: Settings,
    seed: Seed,
    published: Published<C>,
    /// Generations that somebody may still look at. They are freed here, not by a worker in the middle of a request.
    retired: Vec<Arc<Generation<C>>>,
    staging: Option<Staging>,
    number: u64,

    slots: HashMap<Arc<str>, Slot<C>>,
    products: HashMap<Arc<str>, ProductSlot<C>>,
    memberships: Memberships,
    organizations: HashMap<Arc<str>, OrganizationSlot>,
    access_points: AccessPoints,
    /// APIs that were refused because the place was taken.
    waiting: HashMap<Place, Vec<Arc<str>>>,

    // The parts of the generation, shared with what is published.
    apis: Table<ApiRow, FEW>,
    routes: Arc<Routes<C>>,
    /// By scope: an API, or an API product. Also those of APIs that are not there (yet).
    scopes: Table<ScopeRow, FEW>,
    push_subscriptions: usize,
    served_products: Arc<BTreeMap<Arc<str>, Arc<ServedProduct<C>>>>,
    refused: Table<RefusedRow, FEW>,
    served_organizations: Arc<BTreeMap<Arc<str>, Arc<Organization>>>,
    dictionaries: Arc<BTreeMap<Arc<str>, Arc<DictionaryPayload>>>,
    carried: Arc<Carried>,
}

/// What is known of one API row.
struct Slot<C: Compile> {
    payload: Payload,
    /// The version that is served: the row's, or an earlier one if the row is refused.
    served: Option<Arc<Served<C>>>,
    /// Where `served` is routed.
    claims: Vec<Arc<Claim>>,
    /// The one of them by which it is found by its id.
    listed: Option<Arc<Claim>>,
    refused: Option<Arc<Refused>>,
    /// Places that others hold, for which the row waits.
    waits_for: Vec<Place>,
}

/// What is known of one organization row.
struct OrganizationSlot {
    payload: Payload,
    /// The row as it was read, or an earlier version of it.
    organization: Option<Arc<Organization>>,
    /// Why the row could not be read; its APIs are refused if there is no earlier version.
    refusal: Option<Refusal>,
}

impl<C: Compile> Builder<C> {
    /// Starts with nothing, and publishes an empty generation with number 0.
    pub fn new(compile: C, settings: Settings) -> Self {
        let seed = Seed::default();
        let empty = Arc::new(Generation::empty(seed.clone()));
        Self {
            compile,
            settings,
            seed,
            retired: Vec::new(),
            staging: None,
            number: 0,
            slots: HashMap::new(),
            products: HashMap::new(),
            memberships: Memberships::default(),
            organizations: HashMap::new(),
            access_points: AccessPoints::default(),
            waiting: HashMap::new(),
            apis: empty.apis.clone(),
            routes: empty.routes.clone(),
            scopes: empty.scopes.clone(),
            push_subscriptions: 0,
            served_products: empty.products.clone(),
            refused: empty.refused.clone(),
            served_organizations: empty.organizations.clone(),
            dictionaries: empty.dictionaries.clone(),
            carried: empty.carried.clone(),
            published: Published::new(empty),
        }
    }

    /// Where the generations are published.
    pub fn published(&self) -> Published<C> {
        self.published.clone()
    }

    /// Starts a change. `full`: what does not come before the commit is gone; otherwise it stays. A change that was
    /// begun before and not committed is forgotten.
    pub fn begin(&mut self, full: bool) {
        self.free_retired();
        self.staging = Some(Staging::new(full));
    }

    /// Stages rows to put in or take out. Without `begin` they start a change that is not full.
    pub fn rows(&mut self, rows: Vec<Row>) {
        let staging = self.staging.get_or_insert_with(|| Staging::new(false));
        for row in rows {
            staging.put(row, &self.scopes, &self.seed);
        }
    }

    /// Forgets what was staged since `begin`.
    pub fn abort(&mut self) {
        self.staging = None;
    }

    /// Makes what was staged the current generation. `revision` and `digests` say which state of the zone it is.
    pub fn commit(&mut self, revision: Option<(StoreId, Revision)>, digests: Digests) -> Committed {
        let staging = self.staging.take().unwrap_or_else(|| Staging::new(false));
        let full = staging.full;
        let mut report = Report::new(staging.unreadable);
        let mut dirty = Dirty::default();
        self.apply_organizations(staging.organizations, full, &mut dirty, &mut report);
        self.apply_access_points(staging.access_points, full, &mut dirty, &mut report);
        self.apply_dictionaries(staging.dictionaries, full, &mut report);
        self.apply_carried(staging.carried, full, &mut report);
        self.apply_products(staging.products, full, &mut dirty, &mut report);
        report.credentials = self.apply_scopes(staging.scopes, full);
        let gone = self.apply_api_rows(staging.apis, full, &mut dirty);
        self.settle(gone, dirty, &mut report);
        self.publish(revision, &digests);
        self.free_retired();
        report.committed(self)
    }

    /// Frees generations that nobody looks at any more, and tells how many are left. `begin` and `commit` do it too.
    pub fn free_retired(&mut self) -> usize {
        self.retired.retain(|generation| Arc::strong_count(generation) > 1);
        self.retired.len()
    }

    fn publish(&mut self, revision: Option<(StoreId, Revision)>, digests: &Digests) {
        self.number += 1;
        let generation = Generation {
            seed: self.seed.clone(),
            number: self.number,
            apis: self.apis.clone(),
            routes: self.routes.clone(),
            scopes: self.scopes.clone(),
            push_subscriptions: self.push_subscriptions,
            products: self.served_products.clone(),
            refused: self.refused.clone(),
            organizations: self.served_organizations.clone(),
            dictionaries: self.dictionaries.clone(),
            carried: self.carried.clone(),
            revision,
            digests: *digests,
        };
        self.retired.push(self.published.swap(Arc::new(generation)));
    }

    /// Swaps in the staged credentials, and tells the scopes whose credentials are now others.
    fn apply_scopes(&mut self, staged: HashMap<Arc<str>, StagedScope>, full: bool) -> HashSet<Arc<str>> {
        let mut touched = HashSet::new();
        if full {
            let gone = self.scopes.iter().map(|row| &row.0.0).filter(|scope| !staged.contains_key(*scope));
            touched.extend(gone.cloned());
        }
        let (mut next, mut push) =
            if full { (Table::default(), 0) } else { (self.scopes.clone(), self.push_subscriptions) };
        for (scope, staged) in staged {
            let hash = self.seed.hash(scope.as_bytes());
            let known = self.scopes.find(hash, |row| row.is(&scope));
            if !full {
                push -= known.map_or(0, |row| row.credentials().push_subscriptions());
            }
            let (credentials, same) = match staged {
                StagedScope::Whole(bulk) => {
                    let credentials = bulk.build();
                    let same = match known {
                        Some(known) => known.credentials().same(&credentials),
                        None => credentials.is_empty(),
                    };
                    (credentials, same)
                }
                StagedScope::Changed(credentials, changed) => (credentials, !changed),
            };
            push += credentials.push_subscriptions();
            if same {
                if let (true, Some(known)) = (full, known) {
                    next.insert(known.clone(), &self.seed);
                }
                continue;
            }
            if credentials.is_empty() {
                next.remove(hash, |row| row.is(&scope));
            } else {
                let row = ScopeRow(Arc::new((scope.clone(), credentials)));
                next.replace(row, |row| row.is(&scope), &self.seed);
            }
            touched.insert(scope);
        }
        (self.scopes, self.push_subscriptions) = (next, push);
        touched
    }

    /// Takes in the staged API rows, and tells which APIs are gone.
    fn apply_api_rows(
        &mut self,
        staged: HashMap<Arc<str>, Option<Payload>>,
        full: bool,
        dirty: &mut Dirty,
    ) -> Vec<Arc<str>> {
        let mut gone: Vec<Arc<str>> = Vec::new();
        if full {
            gone.extend(self.slots.keys().filter(|id| !staged.contains_key(*id)).cloned());
        }
        for (id, payload) in staged {
            match (payload, self.slots.get_mut(&id)) {
                (None, Some(_)) => gone.push(id),
                (None, None) => {}
                // Equal to what is there: nothing happens (S4).
                (Some(payload), Some(slot)) if slot.payload == payload => {}
                (Some(payload), Some(slot)) => {
                    slot.payload = payload;
                    dirty.row(id);
                }
                (Some(payload), None) => {
                    let slot = Slot {
                        payload,
                        served: None,
                        claims: Vec::new(),
                        listed: None,
                        refused: None,
                        waits_for: Vec::new(),
                    };
                    self.slots.insert(id.clone(), slot);
                    dirty.row(id);
                }
            }
        }
        gone
    }
}

impl<C: Compile> fmt::Debug for Builder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("number", &self.number)
            .field("apis", &self.slots.len())
            .field("products", &self.products.len())
            .field("scopes", &self.scopes.len())
            .field("staging", &self.staging.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
