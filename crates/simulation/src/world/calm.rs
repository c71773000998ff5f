//! The end of a history: faults stop, and after a while all must be well (S5, Z4, Z6, A1).

use std::time::Duration;

use zonegate_sync::{Role, Status};

use super::{Event, World};
use crate::violation::{Finding, Guarantee};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(250);
/// How long it may take until all is well. Audits and back-off have to fit in.
const PATIENCE: Duration = Duration::from_mins(2);
/// Outages are forgotten by then.
const WITHOUT_REPOSITORY: Duration = Duration::from_secs(40);

/// Where a history stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Things go wrong.
    Faults,
    /// Only the repository is away.
    WithoutRepository { until: Duration },
    /// Nothing is wrong any more.
    Settling { until: Duration },
    /// All was well; a gateway was started afresh to see that the store alone can start it.
    Probing { until: Duration },
    /// The end.
    Well,
}

impl World {
    /// Faults end: everything that is down comes back, except perhaps the repository.
    pub(super) fn heal(&mut self) {
        self.weather = super::Weather::default();
        for gateway in 0..self.gateways.len() {
            self.gateways[gateway].store_cut_until = Duration::ZERO;
            self.gateways[gateway].repository_cut_until = Duration::ZERO;
            let address = self.address(gateway);
            self.queue.push(self.now, Event::Connect(address));
        }
        self.stage = if self.plan.ends_without_repository {
            let until = self.now + WITHOUT_REPOSITORY;
            self.weather.repository_down_until = until;
            Stage::WithoutRepository { until }
        } else {
            Stage::Settling { until: self.now + PATIENCE }
        };
        let stage = self.stage;
        self.history.note(self.now, |line| line.put(format_args!("faults end: {stage:?}")));
        self.queue.push(self.now + LOOK, Event::Look);
    }

    pub(super) fn look(&mut self) -> Result<(), Finding> {
        match self.stage {
            Stage::Faults | Stage::Well => {}
            Stage::WithoutRepository { until } => {
                let troubles = self.troubles_without_repository();
                if troubles.is_none() || self.now >= until {
                    if let Some(trouble) = troubles.filter(|_| self.somebody_knows()) {
                        return Err(Finding::new(Guarantee::A1, trouble));
                    }
                    self.weather.repository_down_until = Duration::ZERO;
                    self.enter(Stage::Settling { until: self.now + PATIENCE });
                }
            }
            Stage::Settling { until } => match self.trouble() {
                None => {
                    let probe = self.chance.index(self.gateways.len());
                    self.crash(probe, Duration::from_millis(10), true);
                    self.enter(Stage::Probing { until: self.now + PATIENCE });
                }
                Some(trouble) if self.now >= until => return Err(trouble),
                Some(_) => {}
            },
            Stage::Probing { until } => match self.trouble() {
                None => self.enter(Stage::Well),
                Some(trouble) if self.now >= until => return Err(trouble),
                Some(_) => {}
            },
        }
        self.queue.push(self.now + LOOK, Event::Look);
        Ok(())
    }

    fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.history.note(self.now, |line| line.put(format_args!("now: {stage:?}")));
    }

    fn primaries(&self) -> Vec<(usize, Status)> {
        let processes = self.gateways.iter().enumerate();
        let processes = processes.filter_map(|(index, gateway)| Some((index, gateway.process.as_ref()?)));
        let all = processes.map(|(index, process)| (index, process.machine.status()));
        all.filter(|(_, status)| matches!(status.role, Role::Primary { .. })).collect()
    }

    /// Whether a state of the zone is left anywhere: in a gateway or in the store. A store that was altered by hand
    /// can be neither believed nor, without the repository, always put right.
    fn somebody_knows(&self) -> bool {
        if self.store.is_tampered() {
            return false;
        }
        // A gateway that only reads cannot hand on what it knows.
        let mut leaders = self.gateways.iter().take(self.plan.leaders);
        leaders.any(|gateway| gateway.process.as_ref().is_some_and(|process| process.ready))
            || self.store.manifest().is_some_and(|manifest| manifest.whole == manifest.revision)
    }

    /// Without the repository, everybody starts from the store or goes on with what it has, and somebody leads.
    fn troubles_without_repository(&self) -> Option<String> {
        for gateway in &self.gateways {
            match &gateway.process {
                None => return Some("a gateway is not running".to_owned()),
                Some(process) if !process.ready => {
                    return Some(format!("without the repository, {} does not become ready", process.node));
                }
                Some(_) => {}
            }
        }
        let primaries = self.primaries().len();
        (primaries != 1).then(|| format!("without the repository, {primaries} gateways lead"))
    }

    /// The first thing that is not as it must be when nothing goes wrong any more.
    fn trouble(&self) -> Option<Finding> {
        // Where a definition cannot be understood, all are to have the same of it, whatever that is.
        let expected = match self.store.manifest() {
            Some(manifest) if self.repository.has_broken() => manifest.digests,
            _ => self.repository.digests(),
        };
        for gateway in &self.gateways {
            let Some(process) = &gateway.process else {
                return Some(Finding::new(Guarantee::Conduct, "a gateway is not running"));
            };
            if !process.ready {
                return Some(Finding::new(Guarantee::A4, format!("{} does not become ready", process.node)));
            }
            let difference = process.served.first_difference(&self.repository);
            if *process.served.digests() != expected || difference.is_some() {
                let what = difference.unwrap_or_default();
                let what = format!("{} does not get to the repository's state: {what}", process.node);
                return Some(Finding::new(Guarantee::S5, what));
            }
        }
        let primaries = self.primaries();
        let [(leader, _)] = primaries.as_slice() else {
            return Some(Finding::new(Guarantee::Z4, format!("{} gateways lead", primaries.len())));
        };
        let process = self.gateways[*leader].process.as_ref()?;
        if self.store.lease(self.now).is_none_or(|lease| lease.node != process.node) {
            return Some(Finding::new(Guarantee::Z4, format!("{} leads without the lease", process.node)));
        }
        let broken = |what: &str| Some(Finding::new(Guarantee::Z6, what));
        match self.store.manifest() {
            None => return broken("the store has no manifest"),
            Some(manifest) if manifest.whole != manifest.revision => return broken("the store is not whole"),
            Some(manifest) if manifest.digests != expected => {
                return broken("the store's manifest is not what the repository says");
            }
            Some(_) => {}
        }
        // A row changed by hand is found when somebody reads it: by the probe at the latest.
        let probed = matches!(self.stage, Stage::Probing { .. });
        if *self.store.true_digests() != expected && (probed || !self.store.is_tampered()) {
            return broken("the store's rows are not what the repository says");
        }
        None
    }
}
