//! What every source file owes its reader: first lines that say what it is for, a readable length, a name that says
//! something.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Findings;

/// Where source files are.
const FOLDERS: &[&str] = &["crates", "xtask", "tests"];
/// Above this many lines a file is probably more than one subject.
const LONG: usize = 600;
/// Names that say nothing about what is inside.
const VAGUE: &[&str] = &["utils", "util", "common", "helpers", "helper", "manager", "types", "misc", "mod"];

/// Reads every `.rs` file of the workspace.
pub(super) fn check(root: &Path) -> io::Result<Findings> {
    let mut findings = Findings::default();
    for folder in FOLDERS {
        visit(&root.join(folder), &mut |path| {
            let shown = path.strip_prefix(root).unwrap_or(path).display().to_string();
            inspect(&shown, &fs::read_to_string(path)?, &mut findings);
            Ok(())
        })?;
    }
    Ok(findings)
}

fn inspect(path: &str, text: &str, findings: &mut Findings) {
    if !text.lines().next().is_some_and(|line| line.starts_with("//!")) {
        findings.errors.push(format!(
            "{path}: begins without `//!`; say what the module is for and what it may rely on"
        ));
    }
    let lines = text.lines().count();
    if lines > LONG {
        findings.warnings.push(format!("{path}: {lines} lines; is it one subject? ({LONG} is the limit)"));
    }
    let stem = Path::new(path).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if VAGUE.contains(&stem) {
        findings.errors.push(format!(
            "{path}: `{stem}` says nothing about what is inside (`x.rs` with folder `x/`, no `mod.rs`)"
        ));
    }
}

/// Calls `found` for each `.rs` file below a folder, leaving out what tools generate.
fn visit(folder: &Path, found: &mut impl FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
    entries.sort();
    for path in entries {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            visit(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inspected(path: &str, text: &str) -> (usize, usize) {
        let mut findings = Findings::default();
        inspect(path, text, &mut findings);
        (findings.errors.len(), findings.warnings.len())
    }

    #[test]
    fn a_file_says_what_it_is_for_and_is_not_endless() {
        assert_eq!(inspected("crates/a/src/lease.rs", "//! The lease.\n"), (0, 0));
        assert_eq!(inspected("crates/a/src/lease.rs", "use std::fs;\n"), (1, 0));
        assert_eq!(inspected("crates/a/src/lease.rs", &format!("//! Long.\n{}", "\n".repeat(LONG))), (0, 1));
        assert_eq!(inspected("crates/a/src/utils.rs", "//! All sorts.\n"), (1, 0));
    }
}
