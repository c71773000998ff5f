//! Long work as named steps, shown while it goes on and with its time when done.
//!
//! On a terminal a line shows what the current step is at; elsewhere (CI) each step is one line when it starts and one when
//! it is done. What a command printed goes to a log file, and is shown when it fails.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::stopwatch::Stopwatch;

/// How many lines of a failed command's output are shown.
const SHOWN: usize = 80;

/// Why a developer command ends without success.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A step failed.
    #[error("{step} failed: {reason}\n\nWhat to do: {hint}")]
    Step {
        /// Its name.
        step: String,
        /// What happened, with the end of what was printed.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// Not tied to a step.
    #[error("{0}")]
    Other(String),
}

/// Runs steps one after the other.
#[derive(Debug)]
pub(crate) struct Steps {
    count: usize,
    done: usize,
    whole: Stopwatch,
    terminal: bool,
    on_stderr: bool,
}

/// What a running step tells about itself.
#[derive(Debug)]
pub(crate) struct Reporter {
    bar: ProgressBar,
}

impl Reporter {
    /// Shows what the step is at.
    pub(crate) fn tell(&self, what: &str) {
        self.bar.set_message(what.chars().take(90).collect::<String>());
    }

    /// Prints a line that stays.
    pub(crate) fn print(&self, line: &str) {
        self.bar.suspend(|| anstream::println!("{line}"));
    }
}

impl Steps {
    /// A run of `count` steps.
    pub(crate) fn new(count: usize) -> Self {
        let terminal = io::stderr().is_terminal();
        Self { count, done: 0, whole: Stopwatch::start(), terminal, on_stderr: false }
    }

    /// The same, leaving the standard output to what the command is about.
    pub(crate) fn on_stderr(count: usize) -> Self {
        Self { on_stderr: true, ..Self::new(count) }
    }

    fn print(&self, line: &str) {
        if self.on_stderr {
            anstream::eprintln!("{line}");
        } else {
            anstream::println!("{line}");
        }
    }

    /// Runs one step. It answers with a remark for its line, or with what went wrong; `hint` says what to do then.
    pub(crate) fn run<Remark: fmt::Display, Reason: fmt::Display>(
        &mut self,
        name: &str,
        hint: &str,
        work: impl FnOnce(&Reporter) -> Result<Remark, Reason>,
    ) -> Result<(), Failure> {
        self.done += 1;
        let label = format!("[{:>2}/{}] {name}", self.done, self.count);
        let watch = Stopwatch::start();
        let bar = if self.terminal { spinner(&label) } else { ProgressBar::hidden() };
        if !self.terminal {
            self.print(&format!("{label} …"));
        }
        let reporter = Reporter { bar };
        let result = work(&reporter);
        reporter.bar.finish_and_clear();
        match result {
            Ok(remark) => {
                self.print(&format!("{label:<44} \x1b[32mok\x1b[0m {:>12}   {remark}", watch.text()));
                Ok(())
            }
            Err(reason) => {
                self.print(&format!("{label:<44} \x1b[31mfailed\x1b[0m {:>8}", watch.text()));
                Err(Failure::Step {
                    step: name.to_owned(),
                    reason: reason.to_string(),
                    hint: hint.to_owned(),
                })
            }
        }
    }

    /// The time since the first step began.
    pub(crate) fn time(&self) -> String {
        self.whole.text()
    }
}

fn spinner(label: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{prefix} {spinner} {elapsed} {wide_msg:.dim}") {
        bar.set_style(style);
    }
    bar.set_prefix(label.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandFailure {
    /// It could not be run, or its output not be kept.
    #[error("cannot run `{command}`: {source}")]
    Run {
        /// The command line.
        command: String,
        /// Why.
        source: io::Error,
    },
    /// It ended without success.
    #[error("`{command}` ended with {status}; all of its output is in {log}, the end of it:\n\n{output}")]
    Ended {
        /// The command line.
        command: String,
        /// How.
        status: ExitStatus,
        /// Where everything that it printed is.
        log: PathBuf,
        /// The end of what it printed.
        output: String,
    },
}

/// Runs a command to its end and hands each line that it prints to `line`.
pub(crate) fn run_command(
    name: &str,
    command: &mut Command,
    mut line: impl FnMut(&str),
) -> Result<(), CommandFailure> {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect();
    let shown = words.join(" ");
    let failed = |source| CommandFailure::Run { command: shown.clone(), source };
    let folder = zonegate_testkit::folders::state().join("logs");
    fs::create_dir_all(&folder).map_err(failed)?;
    let path = folder.join(format!("{}.log", name.replace(' ', "-")));
    let mut log = File::create(&path).map_err(failed)?;
    // One pipe for both streams keeps their order.
    let (reader, writer) = io::pipe().map_err(failed)?;
    command.stdin(Stdio::null()).stdout(writer.try_clone().map_err(failed)?).stderr(writer);
    let mut child = command.spawn().map_err(failed)?;
    // The command keeps our writing ends open; without this the reader would never see the end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut last = std::collections::VecDeque::with_capacity(SHOWN);
    for text in BufReader::new(reader).split(b'\n') {
        let text = text.map_err(failed)?;
        let text = String::from_utf8_lossy(&text);
        writeln!(log, "{text}").map_err(failed)?;
        line(text.trim_end());
        if last.len() == SHOWN {
            last.pop_front();
        }
        last.push_back(text.into_owned());
    }
    let status = child.wait().map_err(failed)?;
    if status.success() {
        return Ok(());
    }
    let output = Vec::from(last).join("\n");
    Err(CommandFailure::Ended { command: shown, status, log: path, output })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commands_lines_come_in_order_from_both_streams() {
        let mut lines = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "echo a; echo b >&2; echo c"]);
        run_command("steps test", &mut command, |line| lines.push(line.to_owned())).unwrap();
        assert_eq!(lines, ["a", "b", "c"]);
    }

    #[test]
    fn a_failed_command_shows_what_it_printed_last() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo because; exit 4"]);
        let error = run_command("steps test failing", &mut command, |_| ()).unwrap_err().to_string();
        assert!(error.contains("exit status: 4") && error.contains("because"), "{error}");
    }

    #[test]
    fn a_failed_step_says_what_to_do() {
        let error =
            Steps::new(1).run("format", "run `cargo fmt`", |_| Err::<&str, _>("a.rs differs")).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("format failed: a.rs differs") && text.contains("run `cargo fmt`"), "{text}");
    }
}
