//! What one gateway serves, as the checker sees it: built from the `StageOp`s that its core gave, and compared with the
//! history of the repository at each activation (S2, S4, Z6, Z7, A4).

use std::collections::BTreeMap;

use zonegate_model::{Digest, Digests, Payload, Revision, Row, RowKey, RowState, StoreId};
use zonegate_sync::port::StageOp;

use crate::repository::Repository;
use crate::violation::{Finding, Guarantee};

/// A state that was handed over and is not active yet.
pub(crate) struct Staged {
    full: bool,
    rows: Vec<Row>,
    /// The revision of the store that it equals, as the core says.
    pub(crate) revision: Option<(StoreId, Revision)>,
    /// Its digests, as the core says.
    pub(crate) digests: Digests,
}

impl Staged {
    /// Whether it replaces everything.
    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    /// Rows that were handed over for it.
    pub(crate) fn rows(&self) -> usize {
        self.rows.len()
    }
}

/// Where a gateway stands in the history of one unit.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// Sum of the digests of the rows that are served.
    signature: u128,
    /// The oldest version that this can be, given what was served before.
    version: usize,
}

/// The state of one process.
#[derive(Default)]
pub(crate) struct Served {
    rows: BTreeMap<RowKey, (Payload, Digest)>,
    digests: Digests,
    places: Vec<Place>,
    open: Option<(bool, Vec<Row>)>,
    pub(crate) revision: Option<(StoreId, Revision)>,
    /// States that became active.
    pub(crate) activations: u64,
}

impl Served {
    /// Digests of what is served.
    pub(crate) fn digests(&self) -> &Digests {
        &self.digests
    }

    /// Takes a step of staging. A commit answers what is to become active.
    pub(crate) fn stage(&mut self, op: StageOp) -> Result<Option<Staged>, Finding> {
        let conduct = |what: &str| Finding::new(Guarantee::Conduct, what);
        match op {
            StageOp::Begin { full } => {
                if self.open.replace((full, Vec::new())).is_some() {
                    return Err(conduct("a change was begun while another was open"));
                }
            }
            StageOp::Rows(rows) => match &mut self.open {
                Some((_, staged)) => staged.extend(rows),
                None => return Err(conduct("rows were staged without a begin")),
            },
            StageOp::Commit { revision, digests } => {
                let (full, rows) = self.open.take().ok_or_else(|| conduct("a commit without a begin"))?;
                return Ok(Some(Staged { full, rows, revision, digests }));
            }
            StageOp::Abort => {
                self.open.take().ok_or_else(|| conduct("an abort without a begin"))?;
            }
        }
        Ok(None)
    }

    /// For [`crate::Mutant::EarlyActivation`]: what was staged so far, as if it were committed.
    pub(crate) fn peek(&self) -> Option<Staged> {
        let (full, rows) = self.open.as_ref()?;
        Some(Staged { full: *full, rows: rows.clone(), revision: None, digests: self.digests })
    }

    /// Makes a state active and checks it. `check_digests` is off where the checker itself makes up the state.
    pub(crate) fn activate(
        &mut self,
        staged: Staged,
        repository: &Repository,
        check_digests: bool,
    ) -> Result<(), Finding> {
        let first = self.activations == 0;
        self.places.resize(repository.units.len(), Place::default());
        let touched = if staged.full {
            self.replace_all(staged.rows, repository)?
        } else {
            self.change(staged.rows, repository, first)?
        };
        self.activations += 1;
        self.revision = staged.revision;
        if first {
            (0..self.places.len()).try_for_each(|unit| self.check_unit(unit, repository, true))?;
        } else {
            touched.into_iter().try_for_each(|unit| self.check_unit(unit, repository, false))?;
        }
        if check_digests && self.digests != staged.digests {
            let kind = self.digests.first_difference(&staged.digests);
            return Err(Finding::new(
                Guarantee::Z7,
                format!("the digests of a commit are not those of its rows, first in {kind:?}"),
            ));
        }
        Ok(())
    }

    fn replace_all(&mut self, rows: Vec<Row>, repository: &Repository) -> Result<Vec<usize>, Finding> {
        // A row may come twice: from a scan, or because the log was replayed over it. The last one counts.
        let mut fresh = BTreeMap::new();
        for row in rows {
            match row.state {
                RowState::Deployed(payload) => fresh.insert(row.key, payload),
                RowState::Removed => fresh.remove(&row.key),
            };
        }
        let mut old = std::mem::take(&mut self.rows);
        let mut touched = Vec::new();
        for (key, payload) in fresh {
            let unit = unit_of(&key, repository)?;
            let entry = match old.remove(&key) {
                Some((text, digest)) if text == payload => (text, digest),
                before => {
                    if let Some((_, digest)) = before {
                        self.take_out(&key, unit, digest);
                    }
                    let digest = Digest::of(&key, &payload);
                    self.put_in(&key, unit, digest);
                    touched.push(unit);
                    (payload, digest)
                }
            };
            self.rows.insert(key, entry);
        }
        for (key, (_, digest)) in old {
            let unit = unit_of(&key, repository)?;
            self.take_out(&key, unit, digest);
            touched.push(unit);
        }
        Ok(touched)
    }

    fn change(
        &mut self,
        rows: Vec<Row>,
        repository: &Repository,
        first: bool,
    ) -> Result<Vec<usize>, Finding> {
        let mut touched = Vec::new();
        for row in rows {
            let unit = unit_of(&row.key, repository)?;
            let before = match row.state {
                RowState::Deployed(payload) => {
                    let known = self.rows.get(&row.key);
                    if known.is_some_and(|(text, _)| *text == payload) && !first {
                        return Err(Finding::new(
                            Guarantee::S4,
                            format!("{} was staged again although it did not change", row.key),
                        ));
                    }
                    let digest = Digest::of(&row.key, &payload);
                    self.put_in(&row.key, unit, digest);
                    self.rows.insert(row.key.clone(), (payload, digest))
                }
                RowState::Removed => self.rows.remove(&row.key),
            };
            if let Some((_, digest)) = before {
                self.take_out(&row.key, unit, digest);
            }
            touched.push(unit);
        }
        Ok(touched)
    }

    fn put_in(&mut self, key: &RowKey, unit: usize, digest: Digest) {
        self.digests[key.kind].add(digest);
        self.places[unit].signature = self.places[unit].signature.wrapping_add(digest.0);
    }

    fn take_out(&mut self, key: &RowKey, unit: usize, digest: Digest) {
        self.digests[key.kind].subtract(digest);
        self.places[unit].signature = self.places[unit].signature.wrapping_sub(digest.0);
    }

    /// What is served of a unit must be a version that the repository had, and not an older one than before.
    fn check_unit(&mut self, unit: usize, repository: &Repository, first: bool) -> Result<(), Finding> {
        let place = &mut self.places[unit];
        let versions = &repository.units[unit].versions;
        let found = versions[place.version..].iter().position(|version| version.signature == place.signature);
        if let Some(ahead) = found {
            place.version += ahead;
            return Ok(());
        }
        // Or a change that no window showed is missing among later ones. Of a definition that cannot be understood, what is known stays, with later changes of its keys: no version
        // that the repository ever had. Who never knew it does not have it, and as primary of a store that is not whole
        // takes it from the others too; S3 does not say more about that yet.
        if repository.units[unit].mixed {
            return self.check_mixture(unit, repository);
        }
        let id = &repository.units[unit].id;
        let older =
            versions[..place.version].iter().rposition(|version| version.signature == place.signature);
        let absent = place.signature == 0;
        Err(match (older, absent, first) {
            (_, true, true) => Finding::new(
                Guarantee::A4,
                format!("the first state lacks {id}, which was there all the time"),
            ),
            (_, true, false) => {
                Finding::new(Guarantee::Z6, format!("{id} was dropped although nobody undeployed it"))
            }
            (Some(older), ..) => Finding::new(
                Guarantee::Monotonic,
                format!("{id} went back from version {} to {older}", place.version),
            ),
            (None, ..) => {
                Finding::new(Guarantee::S2, format!("what is served of {id} is no version that it ever had"))
            }
        })
    }

    /// Of a unit that is served as no version that it ever had, each row must at least be one that it had.
    fn check_mixture(&self, unit: usize, repository: &Repository) -> Result<(), Finding> {
        let of_unit = self.rows.iter().filter(|(key, _)| repository.unit_of(key) == Some(unit));
        for (key, (_, digest)) in of_unit {
            if !repository.units[unit].ever_had(*digest) {
                let what = format!("{key} is served with a text that it never had");
                return Err(Finding::new(Guarantee::S2, what));
            }
        }
        Ok(())
    }

    /// The first unit that is not as the repository has it now, for people.
    pub(crate) fn first_difference(&self, repository: &Repository) -> Option<String> {
        repository.units.iter().enumerate().find_map(|(index, unit)| {
            let signature = self.places.get(index).map_or(0, |place| place.signature);
            let latest = unit.versions.last()?;
            (latest.signature != signature && !unit.broken).then(|| {
                let version = self.places.get(index).map_or(0, |place| place.version);
                format!(
                    "{} is served in version {version} of {}, the latest being {:?} old",
                    unit.id,
                    unit.versions.len() - 1,
                    latest.since
                )
            })
        })
    }
}

fn unit_of(key: &RowKey, repository: &Repository) -> Result<usize, Finding> {
    repository.unit_of(key).ok_or_else(|| {
        Finding::new(Guarantee::S2, format!("{key} is served, which was never in the repository"))
    })
}
