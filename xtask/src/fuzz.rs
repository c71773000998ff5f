//! `cargo xtask fuzz`: every target of `fuzz/` under libFuzzer for some seconds (R4).
//!
//! Works with the stable compiler: coverage is asked for by flags that are not tied to a nightly one. Address
//! sanitizing is left out with it; there is no `unsafe` of ours to look for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use comfy_table::Table;
use zonegate_testkit::folders;

use crate::steps::{Failure, run_command};

/// What makes a build one for fuzzing: counters on each branch, and what comparisons compare.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Clink-dead-code -Cdebug-assertions -Ccodegen-units=4 --cfg fuzzing";

/// The longest input that is tried, in bytes. Larger ones have tests of their own.
const LONGEST: usize = 64 * 1024;

/// Options of `cargo xtask fuzz`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Seconds for each target
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Only this target; all of them by default
    #[arg(long)]
    target: Option<String>,
    /// Targets at the same time
    #[arg(long, default_value_t = 2)]
    jobs: usize,
}

/// How a target came out.
struct Outcome {
    target: String,
    executions: String,
    corpus: usize,
    megabytes: String,
    /// What was printed and where the input lies, if it failed.
    failure: Option<String>,
}

/// Builds the fuzzer, and runs it on each target.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let all =
        targets(folders::workspace()).map_err(|error| Failure::Other(format!("fuzz/seeds: {error}")))?;
    let wanted = |name: &&String| options.target.as_ref().is_none_or(|wanted| wanted == *name);
    let targets: Vec<&String> = all.iter().filter(wanted).collect();
    if targets.is_empty() {
        return Err(Failure::Other(format!("no such target; there are {}", all.join(", "))));
    }
    let binary = build()?;
    let mut outcomes = Vec::new();
    for some in targets.chunks(options.jobs.max(1)) {
        anstream::println!(
            "{} for {} s",
            some.iter().map(|target| target.as_str()).collect::<Vec<_>>().join(", "),
            options.seconds
        );
        let running = some.iter().map(|target| start(&binary, target, options.seconds));
        let running = running.collect::<Result<Vec<_>, _>>()?;
        for running in running {
            outcomes.push(running.finish()?);
        }
    }
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
    table.set_header(["target", "inputs tried", "in the corpus", "peak MiB", "found"]);
    for outcome in &outcomes {
        let found = if outcome.failure.is_some() { "a failure" } else { "nothing" };
        table.add_row([
            &outcome.target,
            &outcome.executions,
            &outcome.corpus.to_string(),
            &outcome.megabytes,
            found,
        ]);
    }
    anstream::println!("{table}");
    let failures: Vec<String> = outcomes.into_iter().filter_map(|outcome| outcome.failure).collect();
    if failures.is_empty() { Ok(()) } else { Err(Failure::Other(failures.join("\n\n"))) }
}

fn build() -> Result<PathBuf, Failure> {
    let root = folders::workspace();
    let target_folder =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let target_folder = target_folder.join("fuzz");
    // A triple, so that the flags are not for build scripts and macros.
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(["build", "--locked", "-p", "zonegate-fuzz", "--features", "engine", "--profile", "fuzz"])
        .args(["--target", &triple, "--target-dir"])
        .arg(&target_folder)
        .env("RUSTFLAGS", FLAGS)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .current_dir(root);
    anstream::println!("building the fuzzer");
    run_command("fuzzer", &mut command, |_| ()).map_err(|error| Failure::Other(error.to_string()))?;
    Ok(target_folder.join(&triple).join("fuzz/zonegate-fuzz"))
}

/// Names of the targets: each has a folder of seeds.
fn targets(root: &Path) -> std::io::Result<Vec<String>> {
    let mut names = fs::read_dir(root.join("fuzz/seeds"))?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<std::io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

struct Running {
    target: String,
    process: std::process::Child,
    folder: PathBuf,
}

fn start(binary: &Path, target: &str, seconds: u64) -> Result<Running, Failure> {
    let folder = folders::state().join("fuzz").join(target);
    let failed = |error: std::io::Error| Failure::Other(format!("{}: {error}", folder.display()));
    // The corpus stays from run to run: what was found once is where the next run begins.
    let corpus = folder.join("corpus");
    fs::create_dir_all(&corpus).map_err(failed)?;
    fs::create_dir_all(folder.join("found")).map_err(failed)?;
    // The fuzzer writes seeds from recorded data into it before it begins.
    fs::create_dir_all(folder.join("golden")).map_err(failed)?;
    let log = fs::File::create(folder.join("log")).map_err(failed)?;
    let process = Command::new(binary)
        .arg(&corpus)
        .arg(folders::workspace().join("fuzz/seeds").join(target))
        .arg(folder.join("golden"))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={LONGEST}"))
        .args(["-rss_limit_mb=1024", "-timeout=10", "-print_final_stats=1", "-close_fd_mask=1"])
        .arg(format!("-artifact_prefix={}/", folder.join("found").display()))
        .env("ZONEGATE_FUZZ_TARGET", target)
        .env("ZONEGATE_FUZZ_GOLDEN", folder.join("golden"))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .map_err(failed)?;
    Ok(Running { target: target.to_owned(), process, folder })
}

impl Running {
    fn finish(mut self) -> Result<Outcome, Failure> {
        let status = self.process.wait().map_err(|error| Failure::Other(error.to_string()))?;
        let log = fs::read(self.folder.join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let figure = |name: &str| {
            let line = log.lines().find_map(|line| line.strip_prefix(name));
            line.map_or_else(|| "?".to_owned(), |value| value.trim().to_owned())
        };
        let lines: Vec<&str> = log.lines().collect();
        let failure = (!status.success()).then(|| {
            format!(
                "target {}: {status}\n{}\nThe input lies in {}; keep it as fuzz/seeds/{}/<name>, then \
                 `cargo test -p zonegate-fuzz` shows it",
                self.target,
                lines[lines.len().saturating_sub(40)..].join("\n"),
                self.folder.join("found").display(),
                self.target
            )
        });
        Ok(Outcome {
            target: self.target,
            executions: figure("stat::number_of_executed_units:"),
            corpus: fs::read_dir(self.folder.join("corpus")).map_or(0, Iterator::count),
            megabytes: figure("stat::peak_rss_mb:"),
            failure,
        })
    }
}
