//! Where the `zonegate` binary is, and how it is built.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use crate::folders;
use crate::install::Progress;

/// Names the binary to test, instead of the one in the target folder.
const BINARY_VARIABLE: &str = "ZONEGATE_BINARY";

/// Why there is no binary to start.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Nothing was built.
    #[error(
        "no zonegate binary in {target} (debug or release): run `cargo build -p zonegate` first, or name one in {BINARY_VARIABLE}"
    )]
    Missing {
        /// The target folder.
        target: PathBuf,
    },
    /// Cargo could not be run.
    #[error("cannot run cargo: {0}")]
    Cargo(#[from] io::Error),
    /// The build failed.
    #[error("cargo build -p zonegate --profile {profile} ended with {status}:\n{output}")]
    Failed {
        /// The profile.
        profile: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it printed.
        output: String,
    },
    /// The build said nothing about a binary.
    #[error("cargo build -p zonegate --profile {profile} made no binary")]
    NoBinary {
        /// The profile.
        profile: String,
    },
}

/// The binary to test: the one that `ZONEGATE_BINARY` names, else the newest in the target folder.
pub fn gateway_binary() -> Result<PathBuf, BuildError> {
    if let Some(path) = std::env::var_os(BINARY_VARIABLE) {
        return Ok(path.into());
    }
    let target = target_folder();
    let built = ["debug", "release"].map(|profile| target.join(profile).join("zonegate"));
    let age = |path: &PathBuf| fs::metadata(path).and_then(|found| found.modified()).ok();
    let newest = built.into_iter().filter(|path| path.exists()).max_by_key(age);
    newest.ok_or(BuildError::Missing { target })
}

/// Builds the binary and says where it is. `progress` is told what cargo prints.
pub fn build_gateway(profile: &str, progress: Progress<'_>) -> Result<PathBuf, BuildError> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args([
        "build",
        "--package",
        "zonegate",
        "--profile",
        profile,
        "--message-format",
        "json-render-diagnostics",
    ]);
    command
        .current_dir(folders::workspace())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    // Both pipes are emptied at once, or cargo would wait for us while we wait for it.
    let messages = std::thread::spawn(move || {
        binary_in(stdout.into_iter().flat_map(|out| BufReader::new(out).lines()).map_while(Result::ok))
    });
    let mut printed = Vec::new();
    for line in stderr.into_iter().flat_map(|err| BufReader::new(err).lines()).map_while(Result::ok) {
        progress(line.trim());
        printed.push(line);
    }
    let status = child.wait()?;
    let binary = messages.join().unwrap_or_default();
    if !status.success() {
        let end = printed.len().saturating_sub(60);
        let output = printed.get(end..).unwrap_or_default().join("\n");
        return Err(BuildError::Failed { profile: profile.to_owned(), status, output });
    }
    binary.ok_or_else(|| BuildError::NoBinary { profile: profile.to_owned() })
}

/// The executable in cargo's messages, one JSON object a line.
fn binary_in(lines: impl Iterator<Item = String>) -> Option<PathBuf> {
    let messages = lines.filter_map(|line| serde_json::from_str::<serde_json::Value>(&line).ok());
    messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).last()
}

/// Cargo's target folder: the one that we run from, else the workspace's.
fn target_folder() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    let marked = own.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    marked.map_or_else(|| folders::workspace().join("target"), Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_folder_is_the_one_that_this_test_was_built_into() {
        assert!(std::env::current_exe().unwrap().starts_with(target_folder()));
    }

    #[test]
    fn the_binary_is_found_in_cargos_messages() {
        let lines = [
            r#"{"reason":"compiler-artifact","executable":null}"#,
            "noise",
            r#"{"executable":"/t/demo/zonegate"}"#,
        ];
        assert_eq!(binary_in(lines.iter().map(ToString::to_string)), Some(PathBuf::from("/t/demo/zonegate")));
    }
}
