//! Running histories: one, many, or one again with its story.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::history::History;
use crate::mutant::Mutant;
use crate::plan::Plan;
use crate::violation::{Guarantee, Violation};
use crate::world::{Summary, World};

/// How histories are run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A rule that is broken on purpose.
    pub mutant: Option<Mutant>,
    /// Faults to leave out, by their place in the plan; for shrinking.
    pub without_faults: Vec<usize>,
    /// Writes to leave out, likewise.
    pub without_writes: Vec<usize>,
}

impl Options {
    /// The plan of a seed under these options.
    pub(crate) fn plan(&self, seed: u64) -> Plan {
        let mut plan = Plan::draw(seed);
        retain_others(&mut plan.faults, &self.without_faults);
        retain_others(&mut plan.writes, &self.without_writes);
        plan
    }
}

fn retain_others<T>(all: &mut Vec<T>, without: &[usize]) {
    if without.is_empty() {
        return;
    }
    let mut place = 0;
    all.retain(|_| {
        place += 1;
        !without.contains(&(place - 1))
    });
}

/// Runs the history of a seed.
pub fn run(seed: u64, options: &Options) -> Result<Summary, Violation> {
    World::new(seed, options, History::silent()).run()
}

/// Runs the history of a seed and tells its story.
pub fn replay(seed: u64, options: &Options) -> (Result<Summary, Violation>, String) {
    let mut world = World::new(seed, options, History::recording());
    let outcome = world.run();
    (outcome, std::mem::take(&mut world.history).into_text())
}

/// What many histories came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Histories that were run.
    pub histories: u64,
    /// Broken promises, by seed.
    pub violations: Vec<Violation>,
    /// Totals over all histories without a violation. `lasted` is the virtual time of all together.
    pub totals: Summary,
}

impl Report {
    /// How many histories broke each promise.
    pub fn by_guarantee(&self) -> BTreeMap<Guarantee, u64> {
        let mut count = BTreeMap::new();
        for violation in &self.violations {
            *count.entry(violation.guarantee).or_default() += 1;
        }
        count
    }

    fn take(&mut self, outcome: Result<Summary, Violation>) {
        self.histories += 1;
        match outcome {
            Ok(summary) => self.totals.add(&summary),
            Err(violation) => self.violations.push(violation),
        }
    }
}

/// Runs the histories of `count` seeds from `from` on, on so many threads. Stops early when `most_violations` were
/// found.
pub fn sweep(from: u64, count: u64, threads: usize, most_violations: usize, options: &Options) -> Report {
    let next = AtomicU64::new(0);
    let report = Mutex::new(Report::default());
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        break;
                    }
                    let outcome = run(from.wrapping_add(index), options);
                    // A panic of another thread ends the sweep with that panic; its report is lost anyway.
                    let Ok(mut report) = report.lock() else { break };
                    report.take(outcome);
                    if report.violations.len() >= most_violations {
                        next.store(count, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let mut report = report.into_inner().unwrap_or_default();
    report.violations.sort_by_key(|violation| violation.seed);
    report
}

/// Leaves out faults and writes one after the other as long as the same promise still breaks. Answers the options that
/// are left, or `None` if the seed breaks nothing.
pub fn shrink(seed: u64, options: &Options) -> Option<(Options, Violation)> {
    let mut violation = run(seed, options).err()?;
    let mut smallest = options.clone();
    let plan = Plan::draw(seed);
    let attempts = (0..plan.faults.len()).rev().map(|fault| (Some(fault), None));
    let attempts = attempts.chain((0..plan.writes.len()).rev().map(|write| (None, Some(write))));
    for (fault, write) in attempts {
        let mut smaller = smallest.clone();
        smaller.without_faults.extend(fault);
        smaller.without_writes.extend(write);
        if let Err(found) = run(seed, &smaller)
            && found.guarantee == violation.guarantee
        {
            (smallest, violation) = (smaller, found);
        }
    }
    Some((smallest, violation))
}
