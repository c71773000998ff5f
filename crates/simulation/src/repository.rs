//! The management repository in memory: tables of records with `updatedAt`, and the history of every unit.
//!
//! A *unit* is what must become active together (S2): an API or API product with its subscriptions and keys, or one
//! entity that stands alone. Every visible change of a unit makes a new *version* of it, and the checker asks whether
//! what a gateway serves is one of them.

mod reading;
mod workload;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use zonegate_model::{Digest, Digests, Kind, Payload, RecordedAt, Row, RowKey};

use crate::mutant::Mutant;
use crate::random::Random;

pub(crate) use reading::{AllRead, IndexRead, PartsRead, WindowRead};
pub(crate) use workload::{Write, WriteKind};

/// A record of one table, with the row that it becomes.
#[derive(Clone, Debug)]
struct Record {
    /// Kind of record and id: what a stamp names.
    name: Arc<str>,
    key: RowKey,
    /// `updatedAt`, milliseconds.
    at: i64,
    /// `None`: closed, revoked, undeployed.
    payload: Option<(Payload, Digest)>,
    /// Active, but its plan is not served: no row comes from it, and an index mentions it all the same.
    unserved: bool,
    /// The time with which an index mentioned it first while it was not served; for [`Mutant::IgnoredForEver`].
    frozen_at: Option<i64>,
}

impl Record {
    fn served(&self) -> Option<&(Payload, Digest)> {
        self.payload.as_ref().filter(|_| !self.unserved)
    }

    fn row(&self, mutant: Option<Mutant>) -> Row {
        let row = match self.served() {
            Some((payload, _)) => Row::deployed(self.key.clone(), payload.clone()),
            None => Row::removed(self.key.clone()),
        };
        row.recorded(self.recorded_at(mutant))
    }

    fn recorded_at(&self, mutant: Option<Mutant>) -> RecordedAt {
        RecordedAt(if mutant == Some(Mutant::TimelessIndex) { 1 } else { self.at })
    }
}

/// One state that a unit had: the sum of its rows' digests, zero when it is absent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Version {
    pub(crate) signature: u128,
    pub(crate) since: Duration,
}

/// An API, an API product or a single entity, with all that belongs to it.
#[derive(Clone)]
pub(crate) struct Unit {
    pub(crate) id: Arc<str>,
    kind: Kind,
    /// The first record is the API (product) or entity itself. Empty before the first deployment and after a purge.
    records: Vec<Record>,
    pub(crate) versions: Vec<Version>,
    /// Its definition cannot be understood now: gateways are to keep what they know of it (S3).
    pub(crate) broken: bool,
    /// Changes reached the gateways in another order than they were made: a definition could not be understood for a
    /// while, or a commit or a deletion was seen by no window. Then what is served may be a mixture that the repository
    /// never had, until an audit puts it right.
    pub(crate) mixed: bool,
    /// Digests of all texts that its rows ever had.
    texts: BTreeSet<u128>,
    /// Deployed for other sharding tags: not served here, although an index mentions it.
    elsewhere: bool,
    /// A transaction that is not committed yet holds the unit's locks.
    locked: bool,
    next_record: u32,
}

impl Unit {
    fn is_deployed(&self) -> bool {
        self.records.first().is_some_and(|record| record.payload.is_some())
    }

    /// Whether gateways are to serve it.
    fn is_served(&self) -> bool {
        self.is_deployed() && !self.elsewhere
    }

    /// Digests of the rows that it is to have, with their kinds.
    fn digests(&self) -> impl Iterator<Item = (Kind, Digest)> {
        let records = self.records.iter().filter(|_| self.is_served());
        records.filter_map(|record| record.served().map(|(_, digest)| (record.key.kind, *digest)))
    }

    fn signature(&self) -> u128 {
        self.digests().fold(0, |sum, (_, digest)| sum.wrapping_add(digest.0))
    }

    /// Whether a row with this digest was ever among the unit's.
    pub(crate) fn ever_had(&self, digest: Digest) -> bool {
        self.texts.contains(&digest.0)
    }

    /// The rows that it is to have, none when it is not deployed.
    fn rows(&self, mutant: Option<Mutant>) -> Vec<Row> {
        if !self.is_served() {
            return Vec::new();
        }
        let served = self.records.iter().filter(|record| record.served().is_some());
        served.map(|record| record.row(mutant)).collect()
    }

    /// Takes note of the state that the unit has now, if it is another one.
    fn version(&mut self, since: Duration) {
        let signature = self.signature();
        if self.versions.last().is_none_or(|last| last.signature != signature) {
            self.versions.push(Version { signature, since });
        }
    }
}

/// The tables.
pub(crate) struct Repository {
    pub(crate) units: Vec<Unit>,
    by_id: BTreeMap<Arc<str>, usize>,
    serial: u64,
    mutant: Option<Mutant>,
}

impl Repository {
    /// A repository whose first content is older than the history, some units of it deployed.
    pub(crate) fn new(random: &mut Random, started_at: i64, mutant: Option<Mutant>) -> Self {
        let mut repository = Self { units: Vec::new(), by_id: BTreeMap::new(), serial: 0, mutant };
        let apis = random.within(2, 7);
        for number in 0..apis {
            // Ids that begin alike, or look like patterns, must not be mixed up (S6).
            let id = match number {
                0 => "api-1".to_owned(),
                1 => "api-10".to_owned(),
                2 => "api-*".to_owned(),
                _ => format!("api-{number}"),
            };
            repository.add(id, Kind::Api);
        }
        repository.add("product-1".to_owned(), Kind::ApiProduct);
        repository.add("dictionary-1".to_owned(), Kind::Dictionary);
        repository.add("dictionary-2".to_owned(), Kind::Dictionary);
        repository.add("organization-1".to_owned(), Kind::Organization);
        for unit in 0..repository.units.len() {
            if random.permille(800) {
                let at = started_at - random.within(100_000, 90_000_000) as i64;
                repository.deploy(unit, at, random);
                repository.units[unit].elsewhere = !repository.is_alone(unit) && random.permille(100);
                repository.units[unit].version(Duration::ZERO);
            } else {
                repository.units[unit].versions.push(Version { signature: 0, since: Duration::ZERO });
            }
        }
        repository
    }

    fn add(&mut self, id: String, kind: Kind) {
        let id: Arc<str> = id.into();
        self.by_id.insert(Arc::clone(&id), self.units.len());
        let unit = Unit {
            id,
            kind,
            records: Vec::new(),
            versions: Vec::new(),
            broken: false,
            mixed: false,
            texts: BTreeSet::new(),
            elsewhere: false,
            locked: false,
            next_record: 1,
        };
        self.units.push(unit);
    }

    /// The unit that a row belongs to, if it is known.
    pub(crate) fn unit_of(&self, key: &RowKey) -> Option<usize> {
        self.by_id.get(key.unit().unwrap_or(&key.id)).copied()
    }

    /// Whether a unit is a single entity.
    pub(crate) fn is_alone(&self, unit: usize) -> bool {
        !matches!(self.units[unit].kind, Kind::Api | Kind::ApiProduct)
    }

    /// Whether some definition cannot be understood now, so that what is to be served depends on what was known.
    pub(crate) fn has_broken(&self) -> bool {
        self.units.iter().any(|unit| unit.broken)
    }

    /// Digests of everything that is to be active now.
    pub(crate) fn digests(&self) -> Digests {
        let mut digests = Digests::default();
        for unit in &self.units {
            for (kind, digest) in unit.digests() {
                digests[kind].add(digest);
            }
        }
        digests
    }
}
