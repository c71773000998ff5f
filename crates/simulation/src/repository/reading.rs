//! How the repository's adapter reads: unit by unit, each as it is at its own moment, as `RepositoryReader` promises.

use std::sync::Arc;

use zonegate_model::{Kind, RecordedAt};
use zonegate_sync::port::{Change, Indexed, Stamp, StampedChange, Window};

use super::{Record, Repository, Unit};
use crate::mutant::Mutant;
use crate::random::Random;

/// A read of everything, under way.
pub(crate) struct AllRead {
    next: usize,
}

/// A read of a window, under way.
pub(crate) struct WindowRead {
    window: Window,
    next: usize,
}

/// A read of ids and times, under way: table by table, each record as it is at its own moment.
pub(crate) struct IndexRead {
    tables: Vec<Kind>,
    next: usize,
}

/// A read of what stands alone and of some units, under way.
pub(crate) struct PartsRead {
    units: Vec<Arc<str>>,
    next: usize,
}

/// Units in order of effect: what stands alone before the APIs.
fn order(repository: &Repository, step: usize) -> Option<usize> {
    let alone = |unit: &Unit| !matches!(unit.kind, Kind::Api | Kind::ApiProduct);
    let units = || repository.units.iter().enumerate();
    let first = units().filter(|(_, unit)| alone(unit));
    let then = units().filter(|(_, unit)| !alone(unit));
    first.chain(then).nth(step).map(|(index, _)| index)
}

impl AllRead {
    pub(crate) fn new() -> Self {
        Self { next: 0 }
    }

    /// The next part, or `None` at the end.
    pub(crate) fn part(
        &mut self,
        repository: &Repository,
        most: usize,
        random: &mut Random,
    ) -> Option<Vec<StampedChange>> {
        let end = (self.next + most).min(repository.units.len());
        if self.next >= end {
            return None;
        }
        if repository.mutant == Some(Mutant::ShortReadAll) && self.next > 0 && random.permille(50) {
            return None;
        }
        let units = (self.next..end).filter_map(|step| order(repository, step));
        let units = units.map(|index| &repository.units[index]).filter(|unit| unit.is_served());
        let changes = units.map(|unit| unit.now(repository.mutant)).collect();
        self.next = end;
        Some(changes)
    }
}

impl IndexRead {
    pub(crate) fn new(random: &mut Random) -> Self {
        let mut tables = vec![Kind::Api, Kind::Subscription, Kind::ApiKey];
        tables.rotate_left(random.index(3));
        Self { tables, next: 0 }
    }

    /// The next part, or `None` at the end.
    pub(crate) fn part(&mut self, repository: &mut Repository, most: usize) -> Option<Vec<Indexed>> {
        let table = *self.tables.first()?;
        let end = (self.next + most).min(repository.units.len());
        let mutant = repository.mutant;
        let mut indexed = Vec::new();
        for unit in &mut repository.units[self.next..end] {
            if !matches!(unit.kind, Kind::Api | Kind::ApiProduct) {
                continue;
            }
            let elsewhere = unit.elsewhere;
            for (position, record) in unit.records.iter_mut().enumerate() {
                let of_table = if position == 0 { table == Kind::Api } else { record.key.kind == table };
                if of_table && record.payload.is_some() {
                    indexed.push(Indexed {
                        key: record.key.clone(),
                        recorded_at: record.mention(elsewhere, mutant),
                    });
                }
            }
        }
        self.next = end;
        if end == repository.units.len() {
            self.tables.remove(0);
            self.next = 0;
        }
        Some(indexed)
    }
}

impl Record {
    /// The time that an index mentions.
    fn mention(&mut self, elsewhere: bool, mutant: Option<Mutant>) -> RecordedAt {
        if mutant == Some(Mutant::IgnoredForEver) {
            if elsewhere || self.unserved {
                self.frozen_at.get_or_insert(self.at);
            }
            return RecordedAt(self.frozen_at.unwrap_or(self.at));
        }
        self.recorded_at(mutant)
    }
}

impl PartsRead {
    pub(crate) fn new(units: Vec<Arc<str>>) -> Self {
        Self { units, next: 0 }
    }

    /// The next part, or `None` at the end. `as_of`: the tables as they were at another time, for
    /// [`Mutant::StaleParts`].
    pub(crate) fn part(
        &mut self,
        repository: &Repository,
        as_of: Option<&[Unit]>,
        most: usize,
    ) -> Option<Vec<StampedChange>> {
        let end = (self.next + most).min(repository.units.len());
        if self.next >= end {
            return None;
        }
        let mut changes = Vec::new();
        for index in (self.next..end).filter_map(|step| order(repository, step)) {
            let unit = as_of.map_or(&repository.units[index], |units| &units[index]);
            let alone = repository.is_alone(index);
            if alone && unit.is_served() || !alone && self.units.contains(&unit.id) {
                changes.push(unit.now(repository.mutant));
            }
        }
        self.next = end;
        Some(changes)
    }
}

impl WindowRead {
    pub(crate) fn new(window: Window) -> Self {
        Self { window, next: 0 }
    }

    /// The next part, or `None` at the end.
    pub(crate) fn part(&mut self, repository: &Repository, most: usize) -> Option<Vec<StampedChange>> {
        let end = (self.next + most).min(repository.units.len());
        if self.next >= end {
            return None;
        }
        let mut changes = Vec::new();
        for index in (self.next..end).filter_map(|step| order(repository, step)) {
            self.changes_of(&repository.units[index], repository.mutant, &mut changes);
        }
        self.next = end;
        Some(changes)
    }

    fn is_news(&self, record: &Record, mutant: Option<Mutant>) -> bool {
        let seen = match self.window.seen.get(&record.name) {
            Some(_) if mutant == Some(Mutant::SeenForEver) => true,
            Some(at) => *at == record.at,
            None => false,
        };
        let removed = mutant == Some(Mutant::NoRemovals) && record.payload.is_none();
        (self.window.from..=self.window.to).contains(&record.at) && !seen && !removed
    }

    /// A single changed subscription or key comes alone. Where more of a unit changed it comes whole, since a part
    /// of the changes would be a state that the unit never had.
    fn changes_of(&self, unit: &Unit, mutant: Option<Mutant>, changes: &mut Vec<StampedChange>) {
        let news: Vec<(usize, &Record)> =
            unit.records.iter().enumerate().filter(|(_, record)| self.is_news(record, mutant)).collect();
        match news.as_slice() {
            [] => {}
            several if unit.broken => {
                for (position, record) in several {
                    changes.push(if *position == 0 { refused(record) } else { alone(record, mutant) });
                }
            }
            [(position, record)] if *position > 0 => {
                changes.push(alone(record, mutant));
            }
            several => {
                for (_, record) in several {
                    let mut change = unit.whole(record, mutant);
                    if mutant == Some(Mutant::UnitWithoutKeys)
                        && let Change::Scope { rows, .. } = &mut change.change
                    {
                        rows.retain(|row| row.key.kind != Kind::ApiKey);
                    }
                    changes.push(change);
                }
            }
        }
    }
}

/// A record by itself.
fn alone(record: &Record, mutant: Option<Mutant>) -> StampedChange {
    let stamp = Stamp { record: Arc::clone(&record.name), at: record.at };
    StampedChange { stamp, change: Change::Rows(vec![record.row(mutant)]) }
}

/// A definition that cannot be understood.
fn refused(record: &Record) -> StampedChange {
    let stamp = Stamp { record: Arc::clone(&record.name), at: record.at };
    let reason = "broken on purpose".to_owned();
    StampedChange { stamp, change: Change::Refused { key: record.key.clone(), reason } }
}

impl Unit {
    /// What a read of this unit says: all of it, that it is refused, or that nothing of it is to be served.
    fn now(&self, mutant: Option<Mutant>) -> StampedChange {
        match self.records.first() {
            Some(record) if self.broken => refused(record),
            Some(record) => self.whole(record, mutant),
            None => {
                let stamp = Stamp { record: format!("event/{}", self.id).into(), at: 0 };
                StampedChange { stamp, change: Change::Scope { id: Arc::clone(&self.id), rows: Vec::new() } }
            }
        }
    }

    /// The whole unit as it is now, with the stamp of one of its records.
    fn whole(&self, record: &Record, mutant: Option<Mutant>) -> StampedChange {
        let stamp = Stamp { record: Arc::clone(&record.name), at: record.at };
        let change = match self.kind {
            Kind::Api | Kind::ApiProduct => {
                Change::Scope { id: Arc::clone(&self.id), rows: self.rows(mutant) }
            }
            _ => Change::Rows(vec![self.records[0].row(mutant)]),
        };
        StampedChange { stamp, change }
    }
}
