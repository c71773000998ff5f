//! Builds this very program in release, with what measures in it.

use std::path::PathBuf;
use std::process::Command;

use zonegate_testkit::folders;

use crate::steps::{CommandFailure, Reporter, run_command};

/// Why there is nothing that could measure.
#[derive(Debug, thiserror::Error)]
pub(super) enum BuildFailure {
    /// Cargo failed.
    #[error(transparent)]
    Cargo(#[from] CommandFailure),
    /// Cargo named no program.
    #[error("cargo built xtask and named no program")]
    NoProgram,
}

/// Builds it and says where it is.
pub(super) fn measurer(profile: &str, step: &Reporter) -> Result<PathBuf, BuildFailure> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(["build", "--package", "xtask", "--features", "measure", "--profile", profile])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(folders::workspace());
    // What `cargo run` sets for us is not meant for what we start.
    for name in ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "CARGO_MANIFEST_PATH"] {
        command.env_remove(name);
    }
    let mut program = None;
    run_command("bench build", &mut command, |line| match serde_json::from_str(line) {
        Ok(message) => program = executable(&message).or(program.take()),
        Err(_) => step.tell(line.trim()),
    })?;
    program.ok_or(BuildFailure::NoProgram)
}

/// The program in one of cargo's messages.
fn executable(message: &serde_json::Value) -> Option<PathBuf> {
    (message["target"]["name"] == "xtask").then(|| message["executable"].as_str().map(PathBuf::from))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_in_cargos_messages() {
        let message =
            |target: &str| serde_json::json!({ "target": { "name": target }, "executable": "/t/xtask" });
        assert_eq!(executable(&message("xtask")), Some(PathBuf::from("/t/xtask")));
        assert_eq!(executable(&message("other")), None);
    }
}
