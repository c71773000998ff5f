//! `cargo xtask check-layers`: the rules of ARCHITECTURE.md, checked instead of wished.
//!
//! Who may depend on whom, which foreign crates nobody may depend on, which licences may come in, and what every source
//! file owes its reader.

mod arrows;
mod sources;
mod supply;

use cargo_metadata::MetadataCommand;
use zonegate_testkit::folders;

use crate::steps::Failure;

/// What a check found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Broken rules, each with what to do.
    pub(crate) errors: Vec<String>,
    /// Worth a look.
    pub(crate) warnings: Vec<String>,
}

impl Findings {
    fn add(&mut self, other: Findings) {
        self.errors.extend(other.errors);
        self.warnings.extend(other.warnings);
    }
}

/// Runs every check and prints what it found.
pub(crate) fn run() -> Result<(), Failure> {
    let findings = check().map_err(Failure::Other)?;
    for warning in &findings.warnings {
        anstream::println!("\x1b[33mwarning\x1b[0m {warning}");
    }
    for error in &findings.errors {
        anstream::println!("\x1b[31merror\x1b[0m {error}");
    }
    match findings.errors.len() {
        0 => {
            anstream::println!("layers, licences and source files keep the rules");
            Ok(())
        }
        count => Err(Failure::Other(format!(
            "{count} broken rules; they are in ARCHITECTURE.md, deny.toml and CONTRIBUTING.md"
        ))),
    }
}

/// Runs every check.
pub(crate) fn check() -> Result<Findings, String> {
    let root = folders::workspace();
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .other_options(["--locked".to_owned()])
        .exec();
    let metadata = metadata.map_err(|error| format!("cargo metadata: {error}"))?;
    let mut findings = arrows::check(&metadata);
    findings.add(supply::check(&metadata, root)?);
    findings.add(sources::check(root).map_err(|error| format!("cannot read the sources: {error}"))?);
    Ok(findings)
}
