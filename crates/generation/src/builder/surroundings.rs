//! What surrounds APIs: organizations, access points, dictionaries. A change reaches the APIs that depend on it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use zonegate_definition::{Api, Reason, Refusal, read_organization};
use zonegate_model::{Kind, Payload, RecordedAt, RowKey};
use zonegate_payload::{AccessPointPayload, DictionaryPayload, OrganizationPayload};

use super::settle::Dirty;
use super::staging::{Texts, describe};
use super::{Builder, OrganizationSlot, Report};
use crate::carried::Carried;
use crate::compile::Compile;
use crate::routes::{Claim, Place};

/// Access points: default hosts of environments (`zone-store.md` section 6.6). Paths without a host are offered on
/// these only.
#[derive(Default)]
pub(super) struct AccessPoints {
    points: BTreeMap<Arc<str>, AccessPoint>,
    /// The hosts of each environment that has some, in lower case.
    hosts: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct AccessPoint {
    environment: Arc<str>,
    host: Arc<str>,
}

impl AccessPoint {
    /// Reads a row; `None` for one that is not for HTTP traffic.
    fn read(payload: &Payload) -> Result<Option<Self>, serde_json::Error> {
        let point: AccessPointPayload = serde_json::from_str(payload.as_str())?;
        // Absent before 4.8: then it is a gateway's.
        let is_gateway = point.target.is_none_or(|target| target.eq_ignore_ascii_case("GATEWAY"));
        let both =
            point.environment_id.zip(point.host).filter(|(_, host)| is_gateway && !host.trim().is_empty());
        Ok(both.map(|(environment, host)| Self {
            environment: environment.into(),
            host: host.trim().to_lowercase().into(),
        }))
    }
}

impl<C: Compile> Builder<C> {
    pub(super) fn apply_organizations(
        &mut self,
        mut staged: Texts,
        full: bool,
        dirty: &mut Dirty,
        report: &mut Report<C>,
    ) {
        if full {
            for id in self.organizations.keys() {
                staged.entry(id.clone()).or_insert(None);
            }
        }
        let mut changed = BTreeSet::new();
        for (id, payload) in staged {
            match payload {
                None => {
                    if self.organizations.remove(&id).is_some() {
                        changed.insert(id);
                    }
                }
                Some(payload) if self.organizations.get(&id).is_some_and(|slot| slot.payload == payload) => {}
                Some(payload) => {
                    self.put_organization(&id, payload, report);
                    changed.insert(id);
                }
            }
        }
        if changed.is_empty() {
            return;
        }
        let served =
            self.organizations.iter().filter_map(|(id, slot)| Some((id.clone(), slot.organization.clone()?)));
        self.served_organizations = Arc::new(served.collect());
        for (id, slot) in &self.slots {
            let named = slot.served.as_ref().and_then(|served| served.api.organization.as_ref());
            // A row that is refused may be so because of its organization: whatever it names, it is read again.
            if slot.refused.is_some() || named.is_some_and(|organization| changed.contains(organization)) {
                dirty.organization(id.clone());
            }
        }
    }

    fn put_organization(&mut self, id: &Arc<str>, payload: Payload, report: &mut Report<C>) {
        let read = serde_json::from_str::<OrganizationPayload>(payload.as_str())
            .map_err(|error| Refusal::new(Reason::Malformed(describe(&error)), ""))
            .and_then(|payload| read_organization(&payload, &self.settings.node));
        let slot = match read {
            Ok(organization) => {
                OrganizationSlot { payload, organization: Some(Arc::new(organization)), refusal: None }
            }
            Err(refusal) => {
                report.unreadable(Kind::Organization, id, refusal.to_string());
                let previous = self.organizations.remove(id).and_then(|slot| slot.organization);
                let organization = previous.filter(|_| self.settings.keep_previous);
                OrganizationSlot { payload, organization, refusal: Some(refusal) }
            }
        };
        self.organizations.insert(id.clone(), slot);
    }

    pub(super) fn apply_access_points(
        &mut self,
        mut staged: Texts,
        full: bool,
        dirty: &mut Dirty,
        report: &mut Report<C>,
    ) {
        if full {
            for id in self.access_points.points.keys() {
                staged.entry(id.clone()).or_insert(None);
            }
        }
        let mut changed: BTreeSet<Arc<str>> = BTreeSet::new();
        for (id, payload) in staged {
            let read = match payload.as_ref().map(AccessPoint::read).transpose() {
                Ok(read) => read.flatten(),
                Err(error) => {
                    report.unreadable(Kind::AccessPoint, &id, describe(&error));
                    continue;
                }
            };
            let before = self.access_points.points.get(&id);
            if before == read.as_ref() {
                continue;
            }
            changed.extend(before.into_iter().chain(&read).map(|point| point.environment.clone()));
            match read {
                Some(point) => self.access_points.points.insert(id, point),
                None => self.access_points.points.remove(&id),
            };
        }
        if changed.is_empty() {
            return;
        }
        self.access_points.hosts.clear();
        for point in self.access_points.points.values() {
            self.access_points.hosts.entry(point.environment.clone()).or_default().insert(point.host.clone());
        }
        for (id, slot) in &self.slots {
            let environment = slot.served.as_ref().and_then(|served| served.api.environment.as_ref());
            if slot.refused.is_some() || environment.is_some_and(|environment| changed.contains(environment))
            {
                dirty.places(id.clone());
            }
        }
    }

    pub(super) fn apply_dictionaries(&mut self, mut staged: Texts, full: bool, report: &mut Report<C>) {
        if full {
            for id in self.dictionaries.keys() {
                staged.entry(id.clone()).or_insert(None);
            }
        }
        for (id, payload) in staged {
            let read =
                payload.as_ref().map(|payload| serde_json::from_str::<DictionaryPayload>(payload.as_str()));
            match read {
                None if self.dictionaries.contains_key(&id) => {
                    Arc::make_mut(&mut self.dictionaries).remove(&id);
                }
                None => {}
                Some(Ok(dictionary)) => {
                    Arc::make_mut(&mut self.dictionaries).insert(id, Arc::new(dictionary));
                }
                Some(Err(error)) => report.unreadable(Kind::Dictionary, &id, describe(&error)),
            }
        }
    }

    /// Takes in node metadata and licences.
    pub(super) fn apply_carried(
        &mut self,
        staged: HashMap<RowKey, Option<(Payload, RecordedAt)>>,
        full: bool,
        report: &mut Report<C>,
    ) {
        if staged.is_empty() && !full {
            return;
        }
        let mut carried = Carried::clone(&self.carried);
        if full {
            carried.keep(&staged);
        }
        for (key, error) in carried.apply(staged) {
            report.unreadable(key.kind, &key.id, describe(&error));
        }
        self.carried = Arc::new(carried);
    }

    /// Where an API wants to be.
    pub(super) fn claims(&self, api: &Api) -> Vec<Arc<Claim>> {
        let hosts =
            api.environment.as_ref().and_then(|environment| self.access_points.hosts.get(environment));
        let mut claims: Vec<Arc<Claim>> = Vec::with_capacity(api.listeners.len());
        for listener in &api.listeners {
            let (path, servers): (Arc<str>, Arc<[String]>) =
                (listener.path.as_str().into(), listener.servers[..].into());
            let mut claim = |host: Arc<str>| {
                let place = Place { host, path: path.clone() };
                let claim = Arc::new(Claim { place, servers: servers.clone() });
                if !claims.contains(&claim) {
                    claims.push(claim);
                }
            };
            match &listener.host {
                Some(host) => claim(host.as_str().into()),
                None => match hosts {
                    Some(hosts) => hosts.iter().for_each(|host| claim(host.clone())),
                    None => claim("".into()),
                },
            }
        }
        claims
    }
}
