//! `cargo xtask demo`: a zone of real gateways on real servers, and what it survives.
//!
//! Everything is measured from outside, by clients that ask the gateways and by what the technical API says. The exit
//! code says whether every promise that is shown was kept; times are shown and never decide, except that nothing may take
//! longer than a generous [`follow::PATIENCE`].

mod catalogue;
mod client;
mod expectation;
mod failure;
mod follow;
mod lane;
mod outcome;
mod question;
mod record;
mod repository;
mod screen;
mod sight;
mod stay;
mod story;
mod traffic;
mod zone;

use std::fmt::Write;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::runtime::Runtime;
use zonegate_testkit::gateway::build_gateway;
use zonegate_testkit::install;

use crate::steps::{Failure, Reporter, Steps};
use crate::stopwatch::Stopwatch;
use failure::DemoError;
use record::Record;
use screen::{Screen, seconds};
use story::Story;
use zone::Zone;

/// Where nobody sees the line that moves, the build gives a sign of life as often as this.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// How many lines of a gateway's log are shown.
const LOG_LINES: usize = 25;

/// What kind of management repository the zone has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Repository {
    /// A SQLite file with APIM's schema
    Sqlite,
    /// A PostgreSQL server
    Postgresql,
}

/// Options of `cargo xtask demo`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// What the management repository is
    #[arg(long, value_enum, default_value = "sqlite")]
    pub(crate) repository: Repository,
    /// Leave everything running at the end, with the URLs to try; Ctrl-C ends it
    #[arg(long)]
    pub(crate) stay: bool,
    /// How many gateways the zone starts with
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=20))]
    pub(crate) gateways: u8,
}

/// Runs the demo; fails when a promise that it shows was not kept.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let record = Arc::new(Record::new(Stopwatch::of_command()));
    let mut before = Before { commands: record.elapsed(), ..Before::default() };
    let runtime =
        Runtime::new().map_err(|error| Failure::Other(format!("cannot start a runtime: {error}")))?;
    let zone = prepare(options, &runtime, &mut before)?;
    let screen = Arc::new(Screen::new(Arc::clone(&record)));
    screen.say(&format!(
        "\nThe gateways are set as in production, but ask the repository every {} s instead of every 5 s.\n",
        zone::DELAY.as_secs()
    ));
    let mut story = Story::new(zone, record, screen);
    let told = runtime.block_on(story.tell(usize::from(options.gateways)));
    story.close();
    report(&story, before);
    let result = judge(&story, told.err());
    if options.stay {
        if let Err(failure) = &result {
            anstream::eprintln!("\n{failure}");
        }
        stay::print(&story.zone);
        runtime
            .block_on(tokio::signal::ctrl_c())
            .map_err(|error| Failure::Other(format!("cannot wait for Ctrl-C: {error}")))?;
    }
    result
}

/// What only the first run in a clone takes time for.
#[derive(Debug, Default, Clone, Copy)]
struct Before {
    /// Cargo, until this program ran.
    commands: Duration,
    /// The servers.
    installing: Duration,
    /// The gateway.
    building: Duration,
}

/// Installs, builds, starts the servers and fills the repository.
fn prepare(options: &Options, runtime: &Runtime, before: &mut Before) -> Result<Zone, Failure> {
    let mut steps = Steps::new(4);
    let watch = Stopwatch::start();
    steps.run("servers", "docs/testing.md says what the machine needs", |step| {
        let tell = |what: &str| step.tell(what);
        install::redis_stack(&tell)?;
        if options.repository == Repository::Postgresql {
            install::postgresql(&tell)?;
        }
        Ok::<_, DemoError>("in .zonegate")
    })?;
    before.installing = watch.elapsed();
    let mut binary = PathBuf::new();
    steps.run("gateway binary", "mend the build; a C compiler is needed, too", |step| {
        binary = build(step)?;
        Ok::<_, DemoError>(binary.display().to_string())
    })?;
    before.building = watch.elapsed().saturating_sub(before.installing);
    let mut zone = None;
    steps.run("Redis, repository, upstream", "see the log that is named", |step| {
        let started = runtime.block_on(Zone::start(options.repository, binary, &|what| step.tell(what)))?;
        let remark = format!("Redis on port {}, {}", started.redis.port(), started.repository.text());
        zone = Some(started);
        Ok::<_, DemoError>(remark)
    })?;
    let Some(zone) = zone else { return Err(Failure::Other("the servers were not started".to_owned())) };
    steps.run("sample data", "this is a bug in crates/management-writer or in the demo", |_| {
        let filled = runtime.block_on(zone.catalogue.fill(&zone.management)).map_err(DemoError::from)?;
        Ok::<_, DemoError>(format!(
            "{} APIs, {} applications, {} subscriptions, a dictionary, an organization flow, two bad APIs",
            filled.apis, filled.applications, filled.subscriptions
        ))
    })?;
    Ok(zone)
}

/// Builds the gateway, unless the environment names one that is built.
fn build(step: &Reporter) -> Result<PathBuf, DemoError> {
    if let Some(named) = std::env::var_os("ZONEGATE_BINARY") {
        return Ok(named.into());
    }
    let (crates, sign) = (std::cell::Cell::new(0_u32), std::cell::Cell::new(Stopwatch::start()));
    let terminal = std::io::stderr().is_terminal();
    let tell = |line: &str| {
        if line.starts_with("Compiling") {
            crates.set(crates.get() + 1);
        }
        let what = format!("{} crates, {line}", crates.get());
        step.tell(&what);
        if !terminal && sign.get().elapsed() > SIGN_OF_LIFE {
            sign.set(Stopwatch::start());
            step.print(&format!("        {what}"));
        }
    };
    Ok(build_gateway("dev", &tell)?)
}

/// Prints the table and the totals.
fn report(story: &Story, before: Before) {
    anstream::println!("\n{}", story.outcome.table());
    anstream::println!("What the promises are: README.md. Late: kept, but not within the promised time.\n");
    for lane in &story.zone.lanes {
        let p99 = lane.p99().map_or_else(String::new, |time| format!(", p99 {}", screen::millis(time)));
        anstream::println!(
            "  {}: {} requests served, {} failed{p99}",
            lane.name,
            lane.served(),
            lane.failed()
        );
    }
    let Before { commands, installing, building } = before;
    let first = story.record().first_served();
    let preparing = commands + installing + building;
    anstream::println!(
        "\ntime from command to first served request: {}",
        first.map_or_else(|| "never".to_owned(), seconds)
    );
    anstream::println!(
        "  of it for building these commands {}, installing servers {}, building the gateway {}, all else {}",
        seconds(commands),
        seconds(installing),
        seconds(building),
        first.map_or_else(|| "-".to_owned(), |first| seconds(first.saturating_sub(preparing)))
    );
    let whole = story.record().elapsed();
    anstream::println!(
        "time from command to here: {}, without building and installing: {}",
        seconds(whole),
        seconds(whole.saturating_sub(preparing))
    );
}

/// Success, or what went wrong with everything that helps to find out why.
fn judge(story: &Story, error: Option<DemoError>) -> Result<(), Failure> {
    let logs = story.zone.keep_logs();
    if error.is_none() && story.outcome.all_kept() {
        anstream::println!("every promise shown was kept");
        return Ok(());
    }
    let mut text = "not every promise was kept\n".to_owned();
    let mut gateway = None;
    if let Some(error) = error {
        let _ = writeln!(text, "\nstep `{}`: {error}", story.record().step());
        if let DemoError::Broken { gateway: Some(name), .. } = &error {
            gateway = Some(name.clone());
        }
    }
    let complaints = story.record().complaints();
    for complaint in &complaints {
        let _ = writeln!(text, "\n{complaint}");
    }
    let gateway = gateway.or_else(|| complaints.first().map(|complaint| complaint.gateway.clone()));
    if let Some(name) = gateway
        && let Some(tail) = story.zone.log_tail(&name, LOG_LINES)
    {
        let _ = writeln!(text, "\nthe end of {name}'s log:\n{tail}");
    }
    match logs {
        Ok(folder) => {
            let _ = writeln!(text, "\nall logs are in {}", folder.display());
        }
        Err(error) => {
            let _ = writeln!(text, "\nthe logs are gone: {error}");
        }
    }
    Err(Failure::Other(text))
}
