//! `cargo xtask bench`: rows of the targets, each measured with its reference in the same run, on real servers.
//!
//! This process installs, builds and prints. What is measured runs in another one ([`mod@measure`], a hidden command), built
//! in release, so that our own code is never timed as a debug build. Nothing is asserted: a missed goal is printed,
//! and the exit code says only whether it could be measured.

mod build;
mod line;
mod machine;
#[cfg(feature = "measure")]
pub(crate) mod measure;
mod report;

use std::path::Path;
use std::process::Command;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use zonegate_testkit::gateway::build_gateway;
use zonegate_testkit::install;

use crate::steps::{Failure, Reporter, Steps, run_command};
use line::Outcome;
use machine::Machine;

/// A row of the targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub(crate) enum Row {
    /// The primary publishes a full state into the zone store
    P1,
    /// A cold secondary reads all of it, and serves it
    P2,
    /// A change is served by every secondary
    P3,
    /// Processor time of one changed API, with many APIs and with few
    P4,
    /// Memory for each subscription with its key
    P5,
    /// Proxy against nginx
    P6,
    /// Start of a gateway to ready, from the zone store
    P7,
    /// Takeover after the loss of the primary
    P8,
    /// Queries to the management repository, by the number of gateways
    P9,
    /// A full state from the management repository
    P10,
    /// All of them
    All,
}

impl Row {
    /// The rows that it stands for.
    fn each(self) -> Vec<Self> {
        match self {
            Self::All => ROWS.to_vec(),
            row => vec![row],
        }
    }

    /// Its name in the table.
    fn name(self) -> &'static str {
        match self {
            Self::P1 => "P1",
            Self::P2 => "P2",
            Self::P3 => "P3",
            Self::P4 => "P4",
            Self::P5 => "P5",
            Self::P6 => "P6",
            Self::P7 => "P7",
            Self::P8 => "P8",
            Self::P9 => "P9",
            Self::P10 => "P10",
            Self::All => "all",
        }
    }

    /// What it is about, for the line that shows it at work.
    fn title(self) -> &'static str {
        match self {
            Self::P1 => "publish a full state",
            Self::P2 => "read it cold",
            Self::P3 => "a change to 50 secondaries",
            Self::P4 => "one change, many APIs",
            Self::P5 => "memory",
            Self::P6 => "proxy against nginx",
            Self::P7 => "start to ready",
            Self::P8 => "loss of the primary",
            Self::P9 => "queries with 50 gateways",
            Self::P10 => "read the repository",
            Self::All => "",
        }
    }

    /// Whether it needs the gateway's binary.
    fn needs_gateway(self) -> bool {
        matches!(self, Self::P5 | Self::P6 | Self::P7 | Self::P8 | Self::P9 | Self::P10)
    }

    /// Whether it needs Redis with its search module.
    fn needs_redis(self) -> bool {
        !matches!(self, Self::P4 | Self::P6)
    }

    /// Whether it needs PostgreSQL.
    fn needs_postgresql(self) -> bool {
        matches!(self, Self::P9 | Self::P10)
    }
}

/// All rows, in order.
const ROWS: [Row; 10] =
    [Row::P1, Row::P2, Row::P3, Row::P4, Row::P5, Row::P6, Row::P7, Row::P8, Row::P9, Row::P10];

/// How the outcome is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// A table, with what it says about itself
    Table,
    /// One JSON document on the standard output; progress goes to the standard error
    Json,
}

/// Sizes and rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quickness {
    /// Those that count.
    Full,
    /// The largest that the targets name, where that takes long: 100,000 APIs with 1,000,000 subscriptions and keys for P10.
    Large,
    /// Small: to see that it works.
    Quick,
}

/// Options of `cargo xtask bench`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// What to measure
    #[arg(value_enum, default_value = "all", ignore_case = true)]
    pub(crate) row: Row,
    /// Small sizes and few rounds: to see that it works
    #[arg(long)]
    pub(crate) quick: bool,
    /// P10 with 100,000 APIs and 1,000,000 subscriptions and keys, instead of a tenth of that
    #[arg(long, conflicts_with = "quick")]
    pub(crate) large: bool,
    /// How to print the outcome
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) output: Output,
    /// Cargo profile of what is measured; figures of any other than `release` say little
    #[arg(long, default_value = "release")]
    pub(crate) profile: String,
}

/// Measures and prints; judges nothing.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let rows = options.row.each();
    let needs_gateway = rows.iter().any(|row| row.needs_gateway());
    let quickness = match (options.quick, options.large) {
        (true, _) => Quickness::Quick,
        (false, true) => Quickness::Large,
        (false, false) => Quickness::Full,
    };
    let count = 2 + usize::from(needs_gateway) + rows.len();
    let mut steps = match options.output {
        Output::Table => Steps::new(count),
        Output::Json => Steps::on_stderr(count),
    };
    steps.run("servers", "docs/testing.md says what the machine needs", |step| servers(step, &rows))?;
    let mut gateway = None;
    if needs_gateway {
        steps.run("gateway binary", "mend the build", |step| {
            let binary = build_gateway(&options.profile, &|line| step.tell(line))?;
            let shown = binary.display().to_string();
            gateway = Some(binary);
            Ok::<_, zonegate_testkit::gateway::BuildError>(shown)
        })?;
    }
    let mut measurer = None;
    steps.run("what measures", "mend the build", |step| {
        let binary = build::measurer(&options.profile, step)?;
        let shown = binary.display().to_string();
        measurer = Some(binary);
        Ok::<_, build::BuildFailure>(shown)
    })?;
    let machine = Machine::look();
    let mut outcomes = Vec::new();
    for row in rows {
        let hint = "what was printed is in .zonegate/logs; `cargo xtask bench <row> --quick` tries it again";
        steps.run(&format!("{} {}", row.name(), row.title()), hint, |step| {
            let measurer = measurer.as_deref().unwrap_or(Path::new("."));
            let outcome = measure(row, quickness, measurer, gateway.as_deref(), step)?;
            let met = outcome.lines.iter().filter(|line| line.met == Some(true)).count();
            let goals = outcome.lines.iter().filter(|line| line.met.is_some()).count();
            outcomes.push(outcome);
            Ok::<_, String>(format!("{met} of {goals} goals met"))
        })?;
    }
    match options.output {
        Output::Table => report::print_table(&outcomes, &machine, quickness),
        Output::Json => anstream::println!("{:#}", report::json(&outcomes, &machine, quickness)),
    }
    Ok(())
}

fn servers(step: &Reporter, rows: &[Row]) -> Result<String, install::InstallError> {
    let tell = |what: &str| step.tell(what);
    if rows.iter().any(|row| row.needs_redis()) {
        install::redis_stack(&tell)?;
    }
    if rows.iter().any(|row| row.needs_postgresql()) {
        install::postgresql(&tell)?;
    }
    if rows.contains(&Row::P6) {
        install::nginx(&tell)?;
        install::wrk(&tell)?;
    }
    Ok("in .zonegate".to_owned())
}

/// Runs the measuring process of one row.
fn measure(
    row: Row,
    quickness: Quickness,
    measurer: &Path,
    gateway: Option<&Path>,
    step: &Reporter,
) -> Result<Outcome, String> {
    let mut command = Command::new(measurer);
    command.args(["measure", &row.name().to_lowercase()]);
    match quickness {
        Quickness::Quick => drop(command.arg("--quick")),
        Quickness::Large => drop(command.arg("--large")),
        Quickness::Full => {}
    }
    if let Some(gateway) = gateway {
        command.arg("--gateway").arg(gateway);
    }
    let mut outcome = None;
    run_command(&format!("bench {}", row.name()), &mut command, |line| match Outcome::find(line) {
        Some(found) => outcome = Some(found),
        None => step.tell(line.trim()),
    })
    .map_err(|failure| failure.to_string())?;
    outcome.ok_or_else(|| "it ended well and said nothing".to_owned())
}
