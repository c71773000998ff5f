//! Runs histories without the developer commands: `simulate [--from S] [--seeds N] [--threads T] [--mutant NAME]`,
//! `simulate --replay SEED [--mutant NAME]`, `simulate --shrink SEED`.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a command-line tool for developers")]

use std::time::Instant;

use zonegate_simulation::{Options, replay, shrink, sweep};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1).cloned()
    };
    let number = |name: &str, default: u64| value(name).map_or(Ok(default), |text| text.parse::<u64>());
    let mutant = value("--mutant").map(|name| name.parse()).transpose()?;
    let options = Options { mutant, ..Options::default() };
    if value("--replay").is_some() {
        let (outcome, story) = replay(number("--replay", 0)?, &options);
        println!("{story}{outcome:#?}");
        return Ok(());
    }
    if value("--shrink").is_some() {
        let seed = number("--shrink", 0)?;
        if let Some((smaller, _)) = shrink(seed, &options) {
            let (outcome, story) = replay(seed, &smaller);
            println!("{story}{outcome:#?}\n{smaller:?}");
        }
        return Ok(());
    }
    let begun = Instant::now();
    let most = number("--most", 20)? as usize;
    let report = sweep(
        number("--from", 0)?,
        number("--seeds", 1000)?,
        number("--threads", 1)? as usize,
        most,
        &options,
    );
    for violation in &report.violations {
        println!("{violation}");
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("{:?}\n{:#?}", report.by_guarantee(), report.totals);
    println!(
        "{} histories in {seconds:.1} s, {:.0} a second",
        report.histories,
        report.histories as f64 / seconds
    );
    Ok(())
}
