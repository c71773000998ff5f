//! How the repository's adapter reads: unit by unit, each as it is at its own moment, as `RepositoryReader` promises.

use std::sync::Arc;

use zonegate_model::{Kind, Row};
use zonegate_sync::port::{Change, Stamp, StampedChange, Window};

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
        let units = units.map(|index| &repository.units[index]).filter(|unit| unit.is_deployed());
        let changes = units.map(|unit| {
            let record = &unit.records[0];
            if unit.broken { refused(record) } else { unit.whole(record) }
        });
        let changes = changes.collect();
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
                    changes.push(if *position == 0 { refused(record) } else { alone(record) });
                }
            }
            [(position, record)] if *position > 0 => {
                changes.push(alone(record));
            }
            several => {
                for (_, record) in several {
                    let mut change = unit.whole(record);
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
fn alone(record: &Record) -> StampedChange {
    let stamp = Stamp { record: Arc::clone(&record.name), at: record.at };
    StampedChange { stamp, change: Change::Rows(vec![record.row()]) }
}

/// A definition that cannot be understood.
fn refused(record: &Record) -> StampedChange {
    let stamp = Stamp { record: Arc::clone(&record.name), at: record.at };
    let reason = "broken on purpose".to_owned();
    StampedChange { stamp, change: Change::Refused { key: record.key.clone(), reason } }
}

impl Unit {
    /// The whole unit as it is now, with the stamp of one of its records.
    fn whole(&self, record: &Record) -> StampedChange {
        let stamp = Stamp { record: Arc::clone(&record.name), at: record.at };
        let change = match self.kind {
            Kind::Api | Kind::ApiProduct => Change::Scope { id: Arc::clone(&self.id), rows: self.rows() },
            _ => Change::Rows(vec![self.own_row()]),
        };
        StampedChange { stamp, change }
    }

    fn own_row(&self) -> Row {
        self.records[0].row()
    }
}
