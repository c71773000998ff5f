//! The mutable working state behind the generations. One owner feeds it rows and commits them; each commit publishes a
//! new [`Generation`] that shares everything unchanged with the one before.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use zonegate_definition::{NodeContext, NotHere, Organization, Refusal};
use zonegate_model::{Digests, Kind, Payload, Revision, Row, RowKey, StoreId};
use zonegate_payload::DictionaryPayload;

use crate::compile::Compile;
use crate::credentials::{Credentials, PlanNames};
use crate::generation::{ApiRow, Generation, Refused, RefusedRow, Served};
use crate::published::Published;
use crate::routes::{Place, Routes};
use crate::table::{Seed, Table};

mod evaluate;
mod settle;
mod staging;
mod surroundings;

use settle::Dirty;
use staging::{Staging, UnreadableRows};
use surroundings::AccessPoints;

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

/// What a commit did. Ids are in no order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Number of the generation, one up at each commit.
    pub number: u64,
    /// APIs that were not served before.
    pub added: Vec<Arc<str>>,
    /// APIs that are served in another version.
    pub updated: Vec<Arc<str>>,
    /// APIs whose subscriptions or keys changed, and nothing else.
    pub credentials: Vec<Arc<str>>,
    /// APIs that are no longer served.
    pub removed: Vec<Arc<str>>,
    /// What this commit refused.
    pub refused: Vec<Arc<Refused>>,
    /// APIs whose rows changed and that are well understood and not for this gateway.
    pub not_here: Vec<(Arc<str>, NotHere)>,
    /// Rows besides APIs that could not be read, the first hundred.
    pub unreadable: Vec<Unreadable>,
    /// How many rows besides APIs could not be read.
    pub unreadable_count: usize,
}

/// A row that could not be read. A subscription or key counts as absent, so that nobody gets in by it; of anything
/// else the earlier state stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Which row.
    pub key: RowKey,
    /// Why, without any of its values.
    pub problem: String,
}

/// Builds generations from rows. Its methods are called in the order of `begin`, any number of `rows`, then `commit`
/// or `abort`; nothing is visible before `commit` (S2).
pub struct Builder<C: Compile> {
    compile: C,
    settings: Settings,
    seed: Seed,
    published: Published<C::Compiled>,
    /// Generations that somebody may still look at. They are freed here, not by a worker in the middle of a request.
    retired: Vec<Arc<Generation<C::Compiled>>>,
    staging: Option<Staging>,
    number: u64,

    slots: HashMap<Arc<str>, Slot<C::Compiled>>,
    /// By scope: an API, or an API product. Also those of APIs that are not there (yet).
    scopes: HashMap<Arc<str>, Arc<Credentials>>,
    plans: PlanNames,
    organizations: HashMap<Arc<str>, OrganizationSlot>,
    access_points: AccessPoints,
    /// APIs that were refused because the place was taken.
    waiting: HashMap<Place, Vec<Arc<str>>>,

    // The parts of the generation, shared with what is published.
    apis: Table<ApiRow<C::Compiled>>,
    routes: Arc<Routes<C::Compiled>>,
    refused: Table<RefusedRow>,
    served_organizations: Arc<BTreeMap<Arc<str>, Arc<Organization>>>,
    dictionaries: Arc<BTreeMap<Arc<str>, Arc<DictionaryPayload>>>,
}

/// What is known of one API row.
struct Slot<T> {
    payload: Payload,
    /// The version that is served: the row's, or an earlier one if the row is refused.
    served: Option<Arc<Served<T>>>,
    /// Where `served` is routed.
    claims: Vec<Claim>,
    refused: Option<Arc<Refused>>,
    /// Places that others hold, for which the row waits.
    waits_for: Vec<Place>,
}

/// A place with the servers that offer it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Claim {
    place: Place,
    servers: Arc<[String]>,
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
            scopes: HashMap::new(),
            plans: PlanNames::default(),
            organizations: HashMap::new(),
            access_points: AccessPoints::default(),
            waiting: HashMap::new(),
            apis: empty.apis.clone(),
            routes: empty.routes.clone(),
            refused: empty.refused.clone(),
            served_organizations: empty.organizations.clone(),
            dictionaries: empty.dictionaries.clone(),
            published: Published::new(empty),
        }
    }

    /// Where the generations are published.
    pub fn published(&self) -> Published<C::Compiled> {
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
            staging.put(row, &self.scopes, &self.seed, &mut self.plans);
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
        let mut report = Report { unreadable: staging.unreadable, ..Report::default() };
        let mut dirty = Dirty::default();
        self.apply_organizations(staging.organizations, full, &mut dirty, &mut report);
        self.apply_access_points(staging.access_points, full, &mut dirty, &mut report);
        self.apply_dictionaries(staging.dictionaries, full, &mut report);
        let touched = self.apply_scopes(staging.scopes, full);
        let gone = self.apply_api_rows(staging.apis, full, &mut dirty);
        self.settle(gone, dirty, &mut report);
        self.refresh_credentials(touched, &mut report);
        if full {
            self.plans.forget_unused();
        }
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
            refused: self.refused.clone(),
            organizations: self.served_organizations.clone(),
            dictionaries: self.dictionaries.clone(),
            revision,
            digests: *digests,
        };
        self.retired.push(self.published.swap(Arc::new(generation)));
    }

    /// Swaps in the staged credentials, and tells the scopes whose credentials are now others.
    fn apply_scopes(&mut self, staged: HashMap<Arc<str>, staging::StagedScope>, full: bool) -> Vec<Arc<str>> {
        let mut touched = Vec::new();
        if full {
            self.scopes.retain(|scope, _| {
                let stays = staged.contains_key(scope);
                if !stays {
                    touched.push(scope.clone());
                }
                stays
            });
        }
        for (scope, staged) in staged {
            let same = match self.scopes.get(&scope) {
                Some(known) if full => known.same(&staged.credentials),
                Some(_) => !staged.changed,
                None => staged.credentials.is_empty(),
            };
            if same {
                continue;
            }
            if staged.credentials.is_empty() {
                self.scopes.remove(&scope);
            } else {
                self.scopes.insert(scope.clone(), Arc::new(staged.credentials));
            }
            touched.push(scope);
        }
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

    /// Gives APIs whose credentials changed, and nothing else, their new ones.
    fn refresh_credentials(&mut self, touched: Vec<Arc<str>>, report: &mut Report<C::Compiled>) {
        for id in touched {
            let credentials = self.credentials(&id);
            let Some(slot) = self.slots.get(&id) else { continue };
            let Some(served) = &slot.served else { continue };
            if Arc::ptr_eq(&served.credentials, &credentials) {
                continue;
            }
            let served = Served {
                api: served.api.clone(),
                compiled: served.compiled.clone(),
                credentials,
                payload: served.payload.clone(),
            };
            report.before(&id, slot);
            let claims = slot.claims.clone();
            self.install(&id, Arc::new(served), claims);
        }
    }

    /// The credentials of an API.
    fn credentials(&self, id: &str) -> Arc<Credentials> {
        self.scopes.get(id).cloned().unwrap_or_else(|| Arc::new(Credentials::new(self.seed.clone())))
    }
}

impl<C: Compile> fmt::Debug for Builder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("number", &self.number)
            .field("apis", &self.slots.len())
            .field("scopes", &self.scopes.len())
            .field("staging", &self.staging.is_some())
            .finish_non_exhaustive()
    }
}

/// Collects what a commit does.
struct Report<T> {
    /// What was served of each API that was looked at, before the commit.
    before: HashMap<Arc<str>, Option<Arc<Served<T>>>>,
    refused: Vec<Arc<str>>,
    not_here: Vec<(Arc<str>, NotHere)>,
    unreadable: UnreadableRows,
}

impl<T> Default for Report<T> {
    fn default() -> Self {
        Self {
            before: HashMap::new(),
            refused: Vec::new(),
            not_here: Vec::new(),
            unreadable: UnreadableRows::default(),
        }
    }
}

impl<T> Report<T> {
    fn before(&mut self, id: &Arc<str>, slot: &Slot<T>) {
        self.before.entry(id.clone()).or_insert_with(|| slot.served.clone());
    }

    fn unreadable(&mut self, kind: Kind, id: &Arc<str>, problem: String) {
        self.unreadable.note(RowKey::new(kind, id.clone()), problem);
    }

    fn committed<C: Compile<Compiled = T>>(self, builder: &Builder<C>) -> Committed {
        let mut committed = Committed {
            number: builder.number,
            not_here: self.not_here,
            unreadable: self.unreadable.named,
            unreadable_count: self.unreadable.count,
            ..Committed::default()
        };
        for (id, before) in self.before {
            let now = builder.slots.get(&id).and_then(|slot| slot.served.as_ref());
            match (before, now) {
                (None, None) => {}
                (None, Some(_)) => committed.added.push(id),
                (Some(_), None) => committed.removed.push(id),
                (Some(before), Some(now)) if Arc::ptr_eq(&before, now) => {}
                (Some(before), Some(now)) if Arc::ptr_eq(&before.compiled, &now.compiled) => {
                    committed.credentials.push(id);
                }
                (Some(_), Some(_)) => committed.updated.push(id),
            }
        }
        let refused = self.refused.iter().filter_map(|id| builder.slots.get(id)?.refused.clone());
        committed.refused = refused.collect();
        committed
    }
}

#[cfg(test)]
mod tests;
