//! Developer commands: `cargo xtask <command>`. One file a command, with a folder where it has parts.

mod bench;
mod check_layers;
mod demo;
mod fuzz;
mod simulate;
mod steps;
mod stopwatch;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Developer commands of Zonegate.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a zone of gateways on real servers, shows it surviving the loss of its primary, and says what happened
    Demo(demo::Options),
    /// Runs everything that CI runs, from formatting to the demo, and stops at the first failure
    Test(test::Options),
    /// Measures rows of the targets against their references, on real servers
    Bench(bench::Options),
    /// Measures one row; started by `bench`, in a release build of its own
    #[cfg(feature = "measure")]
    #[command(hide = true)]
    Measure(bench::measure::Options),
    /// Fails on a dependency, a licence or a source file that breaks the rules of ARCHITECTURE.md
    CheckLayers,
    /// Gives every parser of foreign input to a fuzzer for some seconds
    Fuzz(fuzz::Options),
    /// Runs seeded histories of the sync core with faults, or one of them again
    Simulate(simulate::Options),
}

fn main() -> ExitCode {
    let result = match CommandLine::parse().command {
        Command::Demo(options) => demo::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Bench(options) => bench::run(&options),
        #[cfg(feature = "measure")]
        Command::Measure(options) => bench::measure::run(&options),
        Command::CheckLayers => check_layers::run(),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Simulate(options) => simulate::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            anstream::eprintln!("\n{failure}");
            ExitCode::FAILURE
        }
    }
}
