//! The simulation itself: it is deterministic, the core keeps its promises in it, and it finds what is broken on purpose.

use std::thread::available_parallelism;

use zonegate_simulation::{Mutant, Options, Report, replay, run, sweep};

/// `cargo xtask simulate` runs many more.
const HISTORIES: u64 = 2_000;

fn threads() -> usize {
    available_parallelism().map_or(1, usize::from)
}

fn said(report: &Report) -> String {
    report.violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_same_seed_gives_the_same_history() {
    for seed in 0..20 {
        let options = Options::default();
        let (first, story) = replay(seed, &options);
        let (second, again) = replay(seed, &options);
        assert_eq!(first, second, "seed {seed}");
        assert!(story == again, "the stories of seed {seed} differ");
        assert!(!story.is_empty());
        assert_eq!(run(seed, &options), first, "recording the story of seed {seed} changes it");
    }
}

#[test]
fn other_seeds_give_other_histories() {
    let options = Options::default();
    let fingerprints: std::collections::BTreeSet<u64> =
        (0..20).filter_map(|seed| run(seed, &options).ok()).map(|summary| summary.fingerprint).collect();
    assert!(fingerprints.len() >= 15, "only {} different histories", fingerprints.len());
}

#[test]
fn all_promises_hold_in_every_history() {
    let report = sweep(0, HISTORIES, threads(), 5, &Options::default());
    assert!(report.violations.is_empty(), "{}", said(&report));
    let totals = report.totals;
    assert!(totals.fenced > 0, "no write was ever fenced: the faults are too tame");
    assert!(totals.unexpected > 0, "the store was never another than a writer knew: the faults are too tame");
    assert!(totals.audits > 0, "no audit ever found something: windows show too much");
    assert!(totals.full_activations > 0, "nobody ever read the store again: the faults are too tame");
}

#[test]
fn every_rule_that_is_broken_on_purpose_is_found() {
    for mutant in Mutant::ALL {
        let options = Options { mutant: Some(mutant), ..Options::default() };
        // Most are found within ten histories.
        let report = sweep(0, mutant.found_within(), threads(), 1, &options);
        assert!(!report.violations.is_empty(), "{mutant} is not found within {} histories", report.histories);
    }
}
