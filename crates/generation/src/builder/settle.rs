//! Puts APIs at their places and takes them away. A place belongs to one API: to the one that has it, else to the one
//! deployed first. An API that finds a place taken is refused as a whole, and gets it when it becomes free.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use zonegate_definition::{Api, Reason, Refusal};
use zonegate_model::Payload;

use super::evaluate::{Cause, Verdict};
use super::{Builder, Claim, Report};
use crate::compile::Compile;
use crate::generation::{ApiRow, Refused, RefusedRow, Served};
use crate::routes::{Place, Route};

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

    pub(super) fn places(&mut self, id: Arc<str>) {
        self.add(id, Cause::Places);
    }

    fn add(&mut self, id: Arc<str>, cause: Cause) {
        let known = self.0.entry(id).or_insert(cause);
        *known = cause.max(*known);
    }
}

/// An API that is fit to be served.
struct Candidate<T> {
    id: Arc<str>,
    cause: Cause,
    api: Arc<Api>,
    compiled: Arc<T>,
    payload: Payload,
    claims: Vec<Claim>,
    /// Claims that its earlier version has given up for it.
    given_up: Vec<Claim>,
}

impl<C: Compile> Builder<C> {
    /// Takes away what is gone, looks at what is dirty, and goes on as long as places become free that others wait for.
    pub(super) fn settle(&mut self, gone: Vec<Arc<str>>, dirty: Dirty, report: &mut Report<C::Compiled>) {
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

    fn round(&mut self, ids: &[(Arc<str>, Cause)], freed: &mut Vec<Place>, report: &mut Report<C::Compiled>) {
        let mut candidates: Vec<Candidate<C::Compiled>> = Vec::new();
        for (id, cause, verdict) in self.evaluate_all(ids) {
            if let Some(slot) = self.slots.get(&id) {
                report.before(&id, slot);
            }
            match verdict {
                Verdict::Serve { api, compiled, payload } => {
                    let claims = self.claims(&api);
                    candidates.push(Candidate {
                        id,
                        cause,
                        api,
                        compiled,
                        payload,
                        claims,
                        given_up: Vec::new(),
                    });
                }
                Verdict::NotHere(reason) => {
                    self.withdraw(&id, freed);
                    self.clear_refusal(&id);
                    report.not_here.push((id, reason));
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
        candidates
            .sort_by(|one, other| (one.api.deployed_at, &one.id).cmp(&(other.api.deployed_at, &other.id)));
        for candidate in candidates {
            if self.taken(&candidate).is_some() {
                self.refuse_place(candidate, freed, report);
                continue;
            }
            freed.extend(candidate.given_up.iter().map(|claim| claim.place.clone()));
            self.clear_refusal(&candidate.id);
            let credentials = self.credentials(&candidate.id);
            let served = Served {
                api: candidate.api,
                compiled: candidate.compiled,
                credentials,
                payload: candidate.payload,
            };
            self.install(&candidate.id, Arc::new(served), candidate.claims);
        }
    }

    /// Who has one of the places, and which.
    fn taken(&self, candidate: &Candidate<C::Compiled>) -> Option<(Arc<str>, Place)> {
        candidate.claims.iter().find_map(|claim| {
            let others = self.routes.holders(&claim.place, &claim.servers);
            let mut others =
                others.map(|route| &route.served.api.id).filter(|holder| **holder != candidate.id);
            others.next().map(|holder| (holder.clone(), claim.place.clone()))
        })
    }

    /// Takes an API from the places that its next version does not ask for.
    fn give_up(&mut self, id: &str, wanted: &[Claim]) -> Vec<Claim> {
        let Some(slot) = self.slots.get_mut(id) else { return Vec::new() };
        let given_up: Vec<Claim> = slot.claims.extract_if(.., |claim| !wanted.contains(claim)).collect();
        for claim in &given_up {
            Arc::make_mut(&mut self.routes).remove(&claim.place, &claim.servers, id);
        }
        given_up
    }

    fn refuse_place(
        &mut self,
        candidate: Candidate<C::Compiled>,
        freed: &mut Vec<Place>,
        report: &mut Report<C::Compiled>,
    ) {
        let Some((holder, place)) = self.taken(&candidate) else { return };
        self.take_back(&candidate, freed);
        let reason = Reason::ContextPathTaken {
            host: (!place.host.is_empty()).then(|| place.host.to_string()),
            path: place.path.to_string(),
            holder: holder.to_string(),
        };
        let waits_for = candidate.claims.into_iter().map(|claim| claim.place).collect();
        let refusal = Refusal::new(reason, "");
        self.refuse(
            &candidate.id,
            Some(candidate.api.name.clone()),
            refusal,
            waits_for,
            candidate.cause,
            freed,
        );
        report.refused.push(candidate.id);
    }

    /// Puts the earlier version back where it was, if it may stay and nobody has moved in.
    fn take_back(&mut self, candidate: &Candidate<C::Compiled>, freed: &mut Vec<Place>) {
        if candidate.given_up.is_empty() {
            return;
        }
        let free = candidate
            .given_up
            .iter()
            .all(|claim| self.routes.holders(&claim.place, &claim.servers).next().is_none());
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

    /// Refuses the row. An earlier version stays if the settings say so; if its organization changed it has to fit
    /// into that.
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
            Some(previous) if cause == Cause::Organization => self.recompile(id, &previous),
            Some(_) => true,
            None => false,
        };
        if !previous_served {
            self.withdraw(id, freed);
        }
        for place in &waits_for {
            self.waiting.entry(place.clone()).or_default().push(id.clone());
        }
        let refused = Arc::new(Refused { id: id.clone(), name, refusal, previous_served });
        self.refused.insert(RefusedRow(refused.clone()), &self.seed);
        if let Some(slot) = self.slots.get_mut(id) {
            slot.refused = Some(refused);
            slot.waits_for = waits_for;
        }
    }

    fn recompile(&mut self, id: &Arc<str>, previous: &Served<C::Compiled>) -> bool {
        let Ok(compiled) = self.compile(&previous.api) else { return false };
        let served = Served {
            api: previous.api.clone(),
            compiled,
            credentials: self.credentials(id),
            payload: previous.payload.clone(),
        };
        let claims = self.slots.get(id).map(|slot| slot.claims.clone()).unwrap_or_default();
        self.install(id, Arc::new(served), claims);
        true
    }

    /// Serves a version of an API at these places, which are free or its own.
    pub(super) fn install(&mut self, id: &Arc<str>, served: Arc<Served<C::Compiled>>, claims: Vec<Claim>) {
        let routes = Arc::make_mut(&mut self.routes);
        for claim in &claims {
            let (place, servers) = (claim.place.clone(), claim.servers.clone());
            routes.put(Route { place, servers, served: served.clone() });
        }
        self.apis.replace(ApiRow(served.clone()), |row| row.0.api.id == *id, &self.seed);
        if let Some(slot) = self.slots.get_mut(id) {
            slot.served = Some(served);
            slot.claims = claims;
        }
    }

    /// Serves an API no longer.
    fn withdraw(&mut self, id: &Arc<str>, freed: &mut Vec<Place>) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        let claims = std::mem::take(&mut slot.claims);
        if slot.served.take().is_none() {
            return;
        }
        for claim in claims {
            Arc::make_mut(&mut self.routes).remove(&claim.place, &claim.servers, id);
            freed.push(claim.place);
        }
        let hash = self.seed.hash(id.as_bytes());
        self.apis.remove(hash, |row| row.0.api.id == *id);
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
            self.refused.remove(hash, |row| row.0.id == *id);
        }
    }
}
