//! `cargo xtask simulate`: seeded histories of the sync core with faults, many of them or one again with its story.

use std::fmt::Write;

use clap::Args;
use zonegate_simulation::{Mutant, Report, Summary, replay, shrink, sweep};

use crate::steps::Failure;
use crate::stopwatch::Stopwatch;

/// How many histories are run between two signs of life.
const CHUNK: u64 = 500;

/// Options of `cargo xtask simulate`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many histories to run
    #[arg(long, default_value_t = 10_000)]
    histories: u64,
    /// The seed of the first one
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Run this seed only, and print its story
    #[arg(long, value_name = "SEED", conflicts_with = "histories")]
    replay: Option<u64>,
    /// Break a rule on purpose, to see that it is noticed
    #[arg(long, value_name = "RULE")]
    mutant: Option<Mutant>,
    /// How many broken histories to look for before stopping
    #[arg(long, default_value_t = 1)]
    violations: usize,
}

/// Runs histories; fails on a violation.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let how =
        zonegate_simulation::Options { mutant: options.mutant, ..zonegate_simulation::Options::default() };
    match options.replay {
        Some(seed) => one(seed, &how),
        None => many(options, &how),
    }
}

/// Tells the story of one seed, without the faults and writes that do not matter if it is a broken one.
fn one(seed: u64, how: &zonegate_simulation::Options) -> Result<(), Failure> {
    let smallest = shrink(seed, how);
    if let Some((smallest, _)) = &smallest {
        anstream::println!(
            "left out as irrelevant: faults {:?}, writes {:?}\n",
            smallest.without_faults,
            smallest.without_writes
        );
    }
    let (outcome, story) = replay(seed, smallest.as_ref().map_or(how, |(options, _)| options));
    anstream::println!("{story}");
    match outcome {
        Ok(summary) => {
            anstream::println!(
                "seed {seed}: every promise was kept in {} steps with {} faults",
                summary.steps,
                summary.faults
            );
            Ok(())
        }
        Err(violation) => Err(Failure::Other(violation.to_string())),
    }
}

fn many(options: &Options, how: &zonegate_simulation::Options) -> Result<(), Failure> {
    let watch = Stopwatch::start();
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let mut reports: Vec<Report> = Vec::new();
    let (mut histories, mut broken) = (0, 0);
    while histories < options.histories && broken < options.violations {
        let count = CHUNK.min(options.histories - histories);
        let report =
            sweep(options.from.wrapping_add(histories), count, threads, options.violations - broken, how);
        histories += report.histories;
        broken += report.violations.len();
        reports.push(report);
        anstream::eprintln!("{histories} of {} histories, {}", options.histories, watch.text());
    }
    if broken == 0 {
        anstream::println!("{}, in {}", told(histories, &reports), watch.text());
        return Ok(());
    }
    let mut text = format!("{broken} of {histories} histories broke a promise\n");
    for violation in reports.iter().flat_map(|report| &report.violations) {
        let _ = writeln!(text, "\n{violation}");
    }
    Err(Failure::Other(text))
}

fn told(histories: u64, reports: &[Report]) -> String {
    let sum = |of: fn(&Summary) -> u64| reports.iter().map(|report| of(&report.totals)).sum::<u64>();
    format!(
        "{histories} histories, no violation: {} steps, {} faults, {} repository commits, {} batches, {} fenced writes, {} grants",
        sum(|total| total.steps),
        sum(|total| total.faults),
        sum(|total| total.repository_writes),
        sum(|total| total.batches),
        sum(|total| total.fenced),
        sum(|total| total.grants),
    )
}
