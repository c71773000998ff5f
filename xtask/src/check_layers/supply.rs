//! What may come in from outside: the bans and licences of `deny.toml`, for machines without cargo-deny.
//!
//! `deny.toml` is the one list. `cargo deny check` reads more of it; the bans and the licences are checked here on the resolved
//! graph of all platforms, so that CI needs no further tool.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use cargo_metadata::{DependencyKind, Metadata, Package, PackageId};
use serde_json::Value;

use super::Findings;

/// The parts of `deny.toml` that are checked.
#[derive(Debug, Default, PartialEq, Eq)]
struct Policy {
    banned: BTreeSet<String>,
    licences: BTreeSet<String>,
    /// Licences allowed for one package only.
    exceptions: HashMap<String, BTreeSet<String>>,
}

/// Compares the resolved graph with `deny.toml`.
pub(super) fn check(metadata: &Metadata, root: &Path) -> Result<Findings, String> {
    let path = root.join("deny.toml");
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let policy = Policy::read(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut findings = Findings::default();
    for package in resolved(metadata) {
        findings.errors.extend(policy.refusal(package));
    }
    Ok(findings)
}

impl Policy {
    fn read(text: &str) -> Result<Self, String> {
        let document: Value = toml::from_str(text).map_err(|error| error.to_string())?;
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let name = |entry: &Value| Some(entry.as_str().or_else(|| entry["crate"].as_str())?.to_owned());
        let texts =
            |value: &Value| list(value).iter().filter_map(|text| text.as_str().map(str::to_owned)).collect();
        let exceptions = list(&document["licenses"]["exceptions"]);
        let policy = Policy {
            banned: list(&document["bans"]["deny"]).iter().filter_map(name).collect(),
            licences: texts(&document["licenses"]["allow"]),
            exceptions: exceptions
                .iter()
                .filter_map(|entry| Some((name(entry)?, texts(&entry["allow"]))))
                .collect(),
        };
        // An empty list would let everything through, or nothing.
        if policy.banned.is_empty() || policy.licences.is_empty() {
            return Err("[bans] deny and [licenses] allow must both name something".to_owned());
        }
        Ok(policy)
    }

    /// Why a package may not come in, if so.
    fn refusal(&self, package: &Package) -> Option<String> {
        let (name, version) = (package.name.as_str(), &package.version);
        if self.banned.contains(name) {
            return Some(format!(
                "{name} {version} is banned by deny.toml; `cargo tree -i {name} -e normal --target all` says who wants it"
            ));
        }
        // Our own crates have no source, and our own licence.
        package.source.as_ref()?;
        let licence = package.license.as_deref().unwrap_or_default();
        let excepted = self.exceptions.get(name);
        let allowed = |id: &str| self.licences.contains(id) || excepted.is_some_and(|own| own.contains(id));
        match satisfied(licence, &allowed) {
            Ok(true) => None,
            Ok(false) => Some(format!(
                "{name} {version} is licensed under `{licence}`, which deny.toml does not allow"
            )),
            Err(error) => Some(format!("{name} {version}: cannot read its licence `{licence}`: {error}")),
        }
    }
}

/// Whether the allowed licences suffice for an SPDX expression.
fn satisfied(licence: &str, allowed: &impl Fn(&str) -> bool) -> Result<bool, String> {
    // The older spelling of "or" is still common.
    let expression = spdx::Expression::parse_mode(licence, spdx::ParseMode::LAX)
        .map_err(|error| error.reason.to_string())?;
    Ok(expression.evaluate(|requirement| allowed(&requirement.to_string())))
}

/// Whether a package's features bring in what it depends on. The resolved graph also names optional dependencies that a
/// feature only configures if something else brings them in (`ring?/std`).
fn is_switched_on(package: &Package, features: &[impl AsRef<str>], on: &str) -> bool {
    let mut declared = package.dependencies.iter().filter(|dependency| dependency.name == on).peekable();
    if declared.peek().is_none() || declared.clone().any(|dependency| !dependency.optional) {
        return true;
    }
    let mut names = declared.map(|dependency| dependency.rename.as_deref().unwrap_or(&dependency.name));
    names.any(|name| {
        features.iter().map(AsRef::as_ref).any(|feature: &str| {
            let brought = |entry: &String| {
                *entry == format!("dep:{name}")
                    || entry == name
                    || entry.split_once('/').is_some_and(|(package, _)| package == name)
            };
            feature == name || package.features.get(feature).is_some_and(|list| list.iter().any(brought))
        })
    })
}

/// The packages that anything in the workspace is built from or with, tests and tools included.
fn resolved(metadata: &Metadata) -> impl Iterator<Item = &Package> {
    let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
    let packages: HashMap<&PackageId, &Package> =
        metadata.packages.iter().map(|package| (&package.id, package)).collect();
    let edges: HashMap<&PackageId, Vec<&PackageId>> = nodes
        .map(|node| {
            let wanted = node.deps.iter().filter(|dep| {
                let member = metadata.workspace_members.contains(&node.id);
                let kept = match (packages.get(&node.id), packages.get(&dep.pkg)) {
                    (Some(package), Some(on)) => is_switched_on(package, &node.features, on.name.as_str()),
                    _ => true,
                };
                kept && dep.dep_kinds.iter().any(|kind| kind.kind != DependencyKind::Development || member)
            });
            (&node.id, wanted.map(|dep| &dep.pkg).collect())
        })
        .collect();
    let mut reached: BTreeSet<&PackageId> = BTreeSet::new();
    let mut open: Vec<&PackageId> = metadata.workspace_members.iter().collect();
    while let Some(id) = open.pop() {
        if reached.insert(id) {
            open.extend(edges.get(id).into_iter().flatten());
        }
    }
    metadata.packages.iter().filter(move |package| reached.contains(&package.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENY: &str = r#"
        [bans]
        deny = [{ crate = "ring", reason = "x" }, "serde_yaml"]
        [licenses]
        allow = ["MIT", "Apache-2.0 WITH LLVM-exception"]
        exceptions = [{ crate = "roots", allow = ["CDLA-Permissive-2.0"] }]
    "#;

    #[test]
    fn bans_and_licences_are_read_from_deny_toml() {
        let policy = Policy::read(DENY).unwrap();
        assert!(policy.banned.contains("ring") && policy.banned.contains("serde_yaml"));
        assert!(policy.exceptions["roots"].contains("CDLA-Permissive-2.0"));
        assert!(Policy::read("[bans]\ndeny = []").is_err());
    }

    #[test]
    fn a_licence_must_be_satisfied_by_what_is_allowed() {
        let policy = Policy::read(DENY).unwrap();
        let allowed = |id: &str| policy.licences.contains(id);
        assert_eq!(satisfied("GPL-3.0 OR MIT", &allowed), Ok(true));
        assert_eq!(satisfied("MIT/Unlicense", &allowed), Ok(true));
        assert_eq!(satisfied("MIT AND GPL-3.0-only", &allowed), Ok(false));
        assert_eq!(satisfied("Apache-2.0 WITH LLVM-exception", &allowed), Ok(true));
        assert!(satisfied("", &allowed).is_err());
    }
}
