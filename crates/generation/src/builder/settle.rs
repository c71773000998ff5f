//! Puts APIs at their places and takes them away. A place belongs to one API: to the one that has it, else to the one
//! deployed first. An API that finds a place taken is refused as a whole, and gets it when it becomes free.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use zonegate_definition::{Reason, Refusal};
use zonegate_model::{Kind, RowKey};

use super::evaluate::{Cause, Verdict};
use super::{Builder, Report};
use crate::compile::Compile;
use crate::generation::{ApiRow, RefusedRow};
use crate::routes::{Claim, Place};
use crate::served::{Refused, Served};

/// APIs that have to be looked at again, and why; of several causes the strongest.
#[derive(Default)]
pub(super) struct Dirty(BTreeMap<Arc<str>, Cause>);

impl Dirty {
    pub(super) fn row(&mut self, id: Arc<str>) {
        self.add(id, Cause::Row);
    }

    pub(super) fn organization(&mut self, id: Arc<str>) {
        self.add(id, Cause::Organization);
    }

    pub(super) fn products(&mut self, id: Arc<str>) {
        self.add(id, Cause::Products);
    }

    pub(super) fn places(&mut self, id: Arc<str>) {
        self.add(id, Cause::Places);
    }

    fn add(&mut self, id: Arc<str>, cause: Cause) {
        let known = self.0.entry(id).or_insert(cause);
        *known = cause.max(*known);
    }
}

/// An API that is fit to be served.
struct Candidate<C: Compile> {
    id: Arc<str>,
    cause: Cause,
    served: Arc<Served<C>>,
    claims: Vec<Arc<Claim>>,
    /// Claims that its earlier version has given up for it.
    given_up: Vec<Arc<Claim>>,
}

impl<C: Compile> Builder<C> {
    /// Takes away what is gone, looks at what is dirty, and goes on as long as places become free that others wait for.
    pub(super) fn settle(&mut self, gone: Vec<Arc<str>>, dirty: Dirty, report: &mut Report<C>) {
        let mut freed: Vec<Place> = Vec::new();
        let mut next = dirty.0;
        for id in gone {
            next.remove(&id);
            if let Some(slot) = self.slots.get(&id) {
                report.before(&id, slot);
                self.withdraw(&id, &mut freed);
                self.clear_refusal(&id);
                self.slots.remove(&id);
            }
        }
        loop {
            for place in freed.drain(..) {
                for id in self.waiting.get(&place).into_iter().flatten() {
                    next.entry(id.clone()).or_insert(Cause::Row);
                }
            }
            if next.is_empty() {
                break;
            }
            let ids: Vec<_> = std::mem::take(&mut next).into_iter().collect();
            self.round(&ids, &mut freed, report);
        }
    }

    fn round(&mut self, ids: &[(Arc<str>, Cause)], freed: &mut Vec<Place>, report: &mut Report<C>) {
        let mut candidates: Vec<Candidate<C>> = Vec::new();
        for (id, cause, verdict) in self.evaluate_all(ids) {
            if let Some(slot) = self.slots.get(&id) {
                report.before(&id, slot);
            }
            match verdict {
                Verdict::Serve(served) => {
                    let claims = self.claims(&served.api);
                    candidates.push(Candidate { id, cause, served, claims, given_up: Vec::new() });
                }
                Verdict::NotHere(reason) => {
                    self.withdraw(&id, freed);
                    self.clear_refusal(&id);
                    report.not_here.push((RowKey::new(Kind::Api, id), reason));
                }
                Verdict::Refused { name, refusal } => {
                    self.refuse(&id, name, refusal, Vec::new(), cause, freed);
                    report.refused.push(id);
                }
            }
        }
        // Whoever asks for a place of an API that does not move is refused before it gives up anything.
        let moving: HashSet<Arc<str>> = candidates.iter().map(|candidate| candidate.id.clone()).collect();
        let (mut candidates, blocked): (Vec<_>, Vec<_>) = candidates
            .into_iter()
            .partition(|candidate| self.taken(candidate).is_none_or(|(holder, _)| moving.contains(&holder)));
        for candidate in blocked {
            self.refuse_place(candidate, freed, report);
        }
        for candidate in &mut candidates {
            candidate.given_up = self.give_up(&candidate.id, &candidate.claims);
        }
        candidates.sort_by(|one, other| {
            (one.served.api.deployed_at, &one.id).cmp(&(other.served.api.deployed_at, &other.id))
        });
        for candidate in candidates {
            if self.taken(&candidate).is_some() {
                self.refuse_place(candidate, freed, report);
                continue;
            }
            freed.extend(candidate.given_up.iter().map(|claim| claim.place.clone()));
            self.clear_refusal(&candidate.id);
            self.install(&candidate.id, candidate.served, candidate.claims);
        }
    }

    /// Who has one of the places, and which.
    fn taken(&self, candidate: &Candidate<C>) -> Option<(Arc<str>, Place)> {
        candidate.claims.iter().find_map(|claim| {
            let others = self.routes.holders(claim);
            let mut others =
                others.map(|route| &route.served.api.id).filter(|holder| **holder != candidate.id);
            others.next().map(|holder| (holder.clone(), claim.place.clone()))
        })
    }

    /// Takes an API from the places that its next version does not ask for.
    fn give_up(&mut self, id: &str, wanted: &[Arc<Claim>]) -> Vec<Arc<Claim>> {
        let Some(slot) = self.slots.get_mut(id) else { return Vec::new() };
        let given_up: Vec<_> = slot.claims.extract_if(.., |claim| !wanted.contains(claim)).collect();
        for claim in &given_up {
            Arc::make_mut(&mut self.routes).remove(claim, id);
        }
        given_up
    }

    fn refuse_place(&mut self, candidate: Candidate<C>, freed: &mut Vec<Place>, report: &mut Report<C>) {
        let Some((holder, place)) = self.taken(&candidate) else { return };
        self.take_back(&candidate, freed);
        let reason = Reason::ContextPathTaken {
            host: (!place.host.is_empty()).then(|| place.host.to_string()),
            path: place.path.to_string(),
            holder: holder.to_string(),
        };
        let waits_for = candidate.claims.iter().map(|claim| claim.place.clone()).collect();
        let refusal = Refusal::new(reason, "");
        self.refuse(
            &candidate.id,
            Some(candidate.served.api.name.clone()),
            refusal,
            waits_for,
            candidate.cause,
            freed,
        );
        report.refused.push(candidate.id);
    }

    /// Puts the earlier version back where it was, if it may stay and nobody has moved in.
    fn take_back(&mut self, candidate: &Candidate<C>, freed: &mut Vec<Place>) {
        if candidate.given_up.is_empty() {
            return;
        }
        let free = candidate.given_up.iter().all(|claim| self.routes.holders(claim).next().is_none());
        let Some(slot) = self.slots.get(&candidate.id) else { return };
        match &slot.served {
            Some(served) if free => {
                let claims = slot.claims.iter().chain(&candidate.given_up).cloned().collect();
                let served = served.clone();
                self.install(&candidate.id, served, claims);
            }
            _ => {
                freed.extend(candidate.given_up.iter().map(|claim| claim.place.clone()));
                self.withdraw(&candidate.id, freed);
            }
        }
    }

    /// Refuses the row. An earlier version stays if the settings say so, within its organization and under its products as
    /// they are now.
    fn refuse(
        &mut self,
        id: &Arc<str>,
        name: Option<Arc<str>>,
        refusal: Refusal,
        waits_for: Vec<Place>,
        cause: Cause,
        freed: &mut Vec<Place>,
    ) {
        self.clear_refusal(id);
        let previous = self.slots.get(id).and_then(|slot| slot.served.clone());
        let previous_served = match previous {
            Some(_) if !self.settings.keep_previous => false,
            Some(previous) => self.keep(id, &previous, cause),
            None => false,
        };
        if !previous_served {
            self.withdraw(id, freed);
        }
        for place in &waits_for {
            self.waiting.entry(place.clone()).or_default().push(id.clone());
        }
        let refused = Arc::new(Refused { kind: Kind::Api, id: id.clone(), name, refusal, previous_served });
        self.refused.insert(RefusedRow(refused.clone()), &self.seed);
        if let Some(slot) = self.slots.get_mut(id) {
            slot.refused = Some(refused);
            slot.waits_for = waits_for;
        }
    }

    /// Goes on with an earlier version, if it can be served in what surrounds it now.
    fn keep(&mut self, id: &Arc<str>, previous: &Served<C>, cause: Cause) -> bool {
        let Ok(products) = self.standing(&previous.api) else { return false };
        let compiled = if cause == Cause::Organization {
            let Ok(compiled) = self.compile(&previous.api) else { return false };
            compiled
        } else if products.same(&previous.products) {
            return true;
        } else {
            previous.compiled.clone()
        };
        let served = Served {
            api: previous.api.clone(),
            compiled,
            products,
            payload: previous.payload.clone(),
            scope: previous.scope,
        };
        let claims = self.slots.get(id).map(|slot| slot.claims.clone()).unwrap_or_default();
        self.install(id, Arc::new(served), claims);
        true
    }

    /// Serves a version of an API at these places, which are free or its own.
    fn install(&mut self, id: &Arc<str>, served: Arc<Served<C>>, claims: Vec<Arc<Claim>>) {
        let routes = Arc::make_mut(&mut self.routes);
        for claim in &claims {
            routes.put(claim.clone(), served.clone());
        }
        let Some(slot) = self.slots.get_mut(id) else { return };
        if slot.listed.as_ref() != claims.first() {
            slot.listed = claims.first().cloned();
            if let Some(claim) = &slot.listed {
                let row = ApiRow(Arc::new((id.clone(), claim.clone())));
                self.apis.replace(row, |row| row.0.0 == *id, &self.seed);
            }
        }
        slot.served = Some(served);
        slot.claims = claims;
    }

    /// Serves an API no longer.
    fn withdraw(&mut self, id: &Arc<str>, freed: &mut Vec<Place>) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        let claims = std::mem::take(&mut slot.claims);
        slot.listed = None;
        if slot.served.take().is_none() {
            return;
        }
        for claim in claims {
            Arc::make_mut(&mut self.routes).remove(&claim, id);
            freed.push(claim.place.clone());
        }
        let hash = self.seed.hash(id.as_bytes());
        self.apis.remove(hash, |row| row.0.0 == *id);
    }

    fn clear_refusal(&mut self, id: &Arc<str>) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        for place in std::mem::take(&mut slot.waits_for) {
            if let Some(waiting) = self.waiting.get_mut(&place) {
                waiting.retain(|other| other != id);
                if waiting.is_empty() {
                    self.waiting.remove(&place);
                }
            }
        }
        if slot.refused.take().is_some() {
            let hash = self.seed.hash(id.as_bytes());
            self.refused.remove(hash, |row| row.0.kind == Kind::Api && row.0.id == *id);
        }
    }
}
