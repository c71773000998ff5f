//! `cargo xtask test`: everything that must hold before a change lands, in the order in which it is quickest to find
//! out that something does not. CI runs this and nothing else.

mod counts;

use std::path::PathBuf;
use std::process::Command;

use clap::Args;
use zonegate_testkit::gateway::build_gateway;
use zonegate_testkit::{folders, install};

use crate::check_layers;
use crate::steps::{CommandFailure, Failure, Reporter, Steps, run_command};
use counts::Counts;

/// What measures is part of the checks. It brings no package that the workspace does not have anyway, so nothing is built twice.
const MEASURE: &str = "xtask/measure";
/// How many histories of the sync core are simulated.
const HISTORIES: u64 = 10_000;

/// Options of `cargo xtask test`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Leave out the simulation, the documentation and the demo: for the time between two edits
    #[arg(long)]
    pub(crate) quick: bool,
}

/// Runs all steps; stops at the first failure.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let mut steps = Steps::new(if options.quick { 8 } else { 13 });
    let mut counts = Counts::default();

    steps.run("format", "run `cargo fmt --all`", |step| {
        quiet(step, "format", &mut cargo(&["fmt", "--all", "--check"])).map(|()| "")
    })?;
    steps.run(
        "layers, licences, sources",
        "mend what is listed; the rules are in CONTRIBUTING.md",
        layers,
    )?;
    steps.run(
        "cargo deny",
        "mend what is listed, or change deny.toml with a reason in docs/decisions.md",
        deny,
    )?;
    steps.run(
        "clippy",
        "mend what is listed; an exception is `#[expect(…, reason = \"…\")]`",
        |step| {
            quiet(
                step,
                "clippy",
                &mut cargo(&[
                    "clippy",
                    "--workspace",
                    "--all-targets",
                    "--features",
                    MEASURE,
                    "--locked",
                    "--",
                    "-D",
                    "warnings",
                ]),
            )
            .map(|()| "")
        },
    )?;
    steps.run("servers", "docs/testing.md says what the machine needs", servers)?;
    let mut binary = PathBuf::new();
    steps.run("gateway binary", "mend the build", |step| {
        binary = build_gateway("dev", &|line| step.tell(line))?;
        Ok::<_, zonegate_testkit::gateway::BuildError>(binary.display().to_string())
    })?;

    let again = "run the failing test alone: `cargo test -p <crate> <name>`; its servers' logs stay in .zonegate/run until the next run";
    steps.run("unit and server tests", again, |step| {
        let arguments = [
            "test",
            "--workspace",
            "--features",
            MEASURE,
            "--exclude",
            "zonegate-tests",
            "--lib",
            "--bins",
            "--tests",
            "--locked",
            "--no-fail-fast",
        ];
        tests(step, "tests", &arguments, 4, &binary, &mut counts)
    })?;
    steps.run("whole-system tests", again, |step| {
        // Each starts several servers and gateways: one at a time on two cores, so that no lease ends for want of a core.
        let arguments = ["test", "--package", "zonegate-tests", "--locked", "--no-fail-fast"];
        tests(step, "system tests", &arguments, threads() / 2, &binary, &mut counts)
    })?;
    if !options.quick {
        steps.run("examples in documentation", again, |step| {
            tests(
                step,
                "doc tests",
                &["test", "--workspace", "--doc", "--locked"],
                threads(),
                &binary,
                &mut counts,
            )
        })?;
        steps.run("documentation", "mend the links and comments that are listed", |step| {
            let mut doc = cargo(&["doc", "--workspace", "--features", MEASURE]);
            doc.args(["--no-deps", "--document-private-items", "--locked"]);
            quiet(step, "doc", doc.env("RUSTDOCFLAGS", "-D warnings")).map(|()| "")
        })?;
        steps.run("simulation", "replay the seed: `cargo xtask simulate --replay SEED`", |step| {
            itself(step, "simulate", &["simulate", "--histories", &HISTORIES.to_string()])
        })?;
        steps.run("fuzzing", "keep the input as a seed: docs/testing.md, \"Fuzzing\"", |step| {
            itself(step, "fuzz", &["fuzz"])
        })?;
        steps.run(
            "demo",
            "run `cargo xtask demo` and look; the gateways' logs are in .zonegate/run",
            |step| itself(step, "demo", &["demo"]),
        )?;
    }
    anstream::println!("\nall steps passed in {}", steps.time());
    // The plain line that tools which read a run's output look for.
    anstream::println!("{counts}");
    Ok(())
}

/// Cargo, as a child of the cargo that started us.
fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(folders::workspace());
    // What `cargo run` sets for us is not meant for what we start.
    for name in ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "CARGO_MANIFEST_PATH"] {
        command.env_remove(name);
    }
    command
}

fn quiet(step: &Reporter, name: &str, command: &mut Command) -> Result<(), CommandFailure> {
    run_command(name, command, |line| step.tell(line.trim()))
}

fn layers(_: &Reporter) -> Result<String, String> {
    let findings = check_layers::check()?;
    for warning in &findings.warnings {
        anstream::println!("         \x1b[33mwarning\x1b[0m {warning}");
    }
    match findings.errors.as_slice() {
        [] => Ok(format!("{} warnings", findings.warnings.len())),
        errors => Err(format!("\n{}", errors.join("\n"))),
    }
}

fn deny(step: &Reporter) -> Result<&'static str, CommandFailure> {
    let installed = cargo(&["deny", "--version"]).output().is_ok_and(|output| output.status.success());
    if !installed {
        return Ok("not installed: bans and licences were checked by the step before");
    }
    let checked = ["deny", "--offline", "check", "bans", "licenses", "sources"];
    quiet(step, "deny", &mut cargo(&checked)).map(|()| "")
}

fn servers(step: &Reporter) -> Result<String, install::InstallError> {
    let tell = |what: &str| step.tell(what);
    install::redis_stack(&tell)?;
    install::plain_redis(&tell)?;
    install::postgresql(&tell)?;
    install::mariadb(&tell)?;
    install::secantus(&tell)?;
    install::nginx(&tell)?;
    install::wrk(&tell)?;
    Ok("in .zonegate".to_owned())
}

fn tests(
    step: &Reporter,
    name: &str,
    arguments: &[&str],
    threads: usize,
    binary: &std::path::Path,
    counts: &mut Counts,
) -> Result<String, CommandFailure> {
    let mut command = cargo(arguments);
    command.env("RUST_TEST_THREADS", threads.max(1).to_string()).env("ZONEGATE_BINARY", binary);
    let mut own = Counts::default();
    let result = run_command(name, &mut command, |line| {
        step.tell(line.trim());
        own.read(line);
        if counts::worth_showing(line) {
            step.print(&format!("         {line}"));
        }
    });
    counts.add(&own);
    result.map(|()| own.to_string())
}

/// Runs another command of ours as a process of its own.
fn itself(step: &Reporter, name: &str, arguments: &[&str]) -> Result<String, CommandFailure> {
    let program =
        std::env::current_exe().map_err(|source| CommandFailure::Run { command: name.to_owned(), source })?;
    let mut last = String::new();
    run_command(name, Command::new(program).args(arguments), |line| {
        step.tell(line.trim());
        if name == "demo" {
            step.print(&format!("         {line}"));
        }
        if !line.trim().is_empty() {
            line.trim().clone_into(&mut last);
        }
    })?;
    Ok(last)
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}
