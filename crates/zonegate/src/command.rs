//! The command line: which words there are, and which module carries them out.
//!
//! Exit codes are an interface: 0 success, 1 a run that failed, 2 wrong words on the command line, 3 a configuration
//! that cannot be used.

mod check;
mod run;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Exit code for a run that failed.
pub(crate) const FAILED: u8 = 1;
/// Exit code for a configuration that cannot be used.
pub(crate) const CONFIGURATION: u8 = 3;

/// An API gateway whose configuration reaches it through a distributed sync process.
#[derive(Debug, Parser)]
#[command(name = "zonegate", version, max_term_width = 100)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the gateway until SIGTERM or SIGINT.
    Run(run::RunArguments),
    /// Reads the configuration and says what it means and what is wrong with it, without starting.
    Check(check::CheckArguments),
}

/// Where the configuration is.
#[derive(Debug, Args)]
struct ConfigurationArguments {
    /// The configuration file. Default: `config/gravitee.yml` in the home folder.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The home folder, `${gravitee.home}` in the file. Default: the environment variable `GRAVITEE_HOME`.
    #[arg(long, value_name = "FOLDER")]
    home: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Output {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Reads the command line and does what it says.
pub(crate) fn dispatch() -> ExitCode {
    match CommandLine::parse().command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Check(arguments) => check::check(&arguments),
    }
}
