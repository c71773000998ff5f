//! The flat map of properties over all sources: environment with a prefix, environment without, file, default.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use crate::environment::Environment;
use crate::placeholder::{self, Expanded};
use crate::{Origin, Place};

/// A value as the file gives it.
#[derive(Clone, Debug)]
pub(crate) struct Property {
    /// The text; empty for null. Placeholders are not expanded.
    pub(crate) raw: String,
    /// Written without quotes, so that YAML 1.1 gives it a type.
    pub(crate) plain: bool,
    /// It comes from a section that `<<` merges, so that another one in its place is meant.
    pub(crate) merged: bool,
    /// Where the value stands, or the key where there is no value.
    pub(crate) place: Place,
    /// Where the key stands.
    pub(crate) key_place: Place,
}

/// A value as it is in force.
#[derive(Clone)]
pub(crate) struct Value {
    /// The key under which it was found: an alias may differ from what was asked for.
    pub(crate) key: String,
    /// The text with its placeholders expanded.
    pub(crate) text: String,
    pub(crate) plain: bool,
    pub(crate) origin: Origin,
    pub(crate) expansion: Expansion,
}

/// What became of the placeholders in a value.
#[derive(Clone, Default)]
pub(crate) struct Expansion {
    /// Placeholders that have no value and stay as they are.
    pub(crate) unresolved: Vec<String>,
    /// Keys that refer to each other in a circle.
    pub(crate) cycle: Option<String>,
    /// The expansion would be too long.
    pub(crate) too_long: bool,
}

/// Sections of APIM's gateway that may stand below `repositories`, where they win.
const REPOSITORY_SCOPES: [&str; 4] = ["management.", "ratelimit.", "distributed-sync.", "analytics."];
const REPOSITORIES: &str = "repositories.";

/// All sources.
pub(crate) struct Properties {
    file: BTreeMap<String, Property>,
    environment: Environment,
    home: Option<String>,
}

impl Properties {
    pub(crate) fn new(
        file: BTreeMap<String, Property>,
        environment: Environment,
        home: Option<&Path>,
    ) -> Self {
        Self { file, environment, home: home.map(|home| home.display().to_string()) }
    }

    pub(crate) fn file(&self) -> &BTreeMap<String, Property> {
        &self.file
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The value of a key, or of the same key below `repositories`.
    pub(crate) fn get(&self, key: &str) -> Option<Value> {
        let (key, raw, plain, origin) = self.find(key)?;
        let (text, expansion) = self.expand(&key, &raw);
        // What a placeholder gives is text to Spring, and then read as if it were in quotes.
        let plain = plain && !raw.contains("${");
        Some(Value { key, text, plain, origin, expansion })
    }

    /// Whether a key has a value in any source.
    pub(crate) fn contains(&self, key: &str) -> bool {
        self.find(key).is_some()
    }

    /// A value of the file with its placeholders expanded.
    pub(crate) fn expand(&self, key: &str, raw: &str) -> (String, Expansion) {
        let Expanded { text, unresolved, cycle, too_long } =
            placeholder::expand(key, raw, &|name| self.find(name).map(|(_, raw, _, _)| raw));
        (text, Expansion { unresolved, cycle, too_long })
    }

    /// Keys that start with `prefix`, from the file and from prefixed variables, without that prefix.
    pub(crate) fn names_below(&self, prefix: &str) -> Vec<String> {
        let mut names = Vec::new();
        let mut seen = HashSet::new();
        for key in self.file.keys() {
            if let Some(name) = key.strip_prefix(prefix).filter(|name| !name.is_empty()) {
                // Variables may be in capitals; they mean the file's name then.
                seen.insert(name.to_lowercase());
                names.push(name.to_owned());
            }
        }
        for name in self.environment.names_below(prefix) {
            if seen.insert(name.to_lowercase()) {
                names.push(name);
            }
        }
        names
    }

    fn find(&self, key: &str) -> Option<(String, String, bool, Origin)> {
        if key == "gravitee.home"
            && let Some(home) = &self.home
        {
            return Some((key.to_owned(), home.clone(), false, Origin::Default));
        }
        if REPOSITORY_SCOPES.iter().any(|scope| key.starts_with(scope)) {
            let below = format!("{REPOSITORIES}{key}");
            if let Some(found) = self.find_exactly(&below) {
                return Some(found);
            }
        }
        self.find_exactly(key)
    }

    fn find_exactly(&self, key: &str) -> Option<(String, String, bool, Origin)> {
        let from_environment = |variable: &str, value: &str| {
            (key.to_owned(), value.to_owned(), false, Origin::Environment { variable: variable.to_owned() })
        };
        if let Some((variable, value)) = self.environment.prefixed(key) {
            return Some(from_environment(variable, value));
        }
        if let Some((variable, value)) = self.environment.relaxed(key) {
            return Some(from_environment(variable, value));
        }
        let property = self.file.get(key)?;
        Some((key.to_owned(), property.raw.clone(), property.plain, Origin::File(property.place.clone())))
    }
}
