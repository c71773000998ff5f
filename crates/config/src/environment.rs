//! Environment variables as overrides of properties, in all the spellings that APIM's gateway knows.
//!
//! With a prefix (`gravitee.`, `gravitee_`, `GRAVITEE.`, `GRAVITEE_`) a variable wins over everything. The rest of its
//! name is the key as it is, or with dots and brackets as underscores, or without hyphens, or both; each also in
//! capitals. Without a prefix Spring's own rules hold (dots and hyphens as underscores, also in capitals).

use std::collections::BTreeMap;

/// In the order in which they win over each other.
const PREFIXES: [&str; 4] = ["gravitee.", "gravitee_", "GRAVITEE.", "GRAVITEE_"];

/// The pairs that were given, by how they are looked up.
#[derive(Default)]
pub(crate) struct Environment {
    /// Name without prefix → prefix rank, full name, value.
    prefixed: BTreeMap<String, (usize, String, String)>,
    /// Every variable as it is.
    all: BTreeMap<String, String>,
}

impl Environment {
    pub(crate) fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut environment = Self::default();
        for (name, value) in pairs {
            let prefix = PREFIXES.iter().enumerate().find_map(|(rank, prefix)| {
                name.strip_prefix(prefix).filter(|rest| !rest.is_empty()).map(|rest| (rank, rest.to_owned()))
            });
            if let Some((rank, rest)) = prefix {
                let known = environment.prefixed.get(&rest).map(|(rank, _, _)| *rank);
                if known.is_none_or(|known| rank < known) {
                    environment.prefixed.insert(rest, (rank, name.clone(), value.clone()));
                }
            }
            environment.all.insert(name, value);
        }
        environment
    }

    /// The prefixed variable that overrides `key`: its name and value.
    pub(crate) fn prefixed(&self, key: &str) -> Option<(&str, &str)> {
        if self.prefixed.is_empty() {
            return None;
        }
        spellings(key)
            .iter()
            .find_map(|spelling| self.prefixed.get(spelling))
            .map(|(_, name, value)| (name.as_str(), value.as_str()))
    }

    /// The variable without a prefix that gives `key` a value.
    pub(crate) fn relaxed(&self, key: &str) -> Option<(&str, &str)> {
        let dots = key.replace('.', "_");
        let names = [key.to_owned(), dots.clone(), key.replace('-', "_"), dots.replace('-', "_")];
        names
            .iter()
            .cloned()
            .chain(names.iter().map(|name| name.to_uppercase()))
            .find_map(|name| self.all.get_key_value(&name))
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// What follows `prefix` (a key that ends with a dot) in the names of prefixed variables, as it is spelled there.
    pub(crate) fn names_below(&self, prefix: &str) -> Vec<String> {
        let prefixes = spellings(prefix);
        self.prefixed
            .keys()
            .filter_map(|name| prefixes.iter().find_map(|prefix| name.strip_prefix(prefix.as_str())))
            .filter(|rest| !rest.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// Prefixed variables: name without prefix, full name, value.
    pub(crate) fn all_prefixed(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.prefixed.iter().map(|(rest, (_, name, value))| (rest.as_str(), name.as_str(), value.as_str()))
    }
}

/// How a key may be spelled behind a prefix, in the order of precedence.
pub(crate) fn spellings(key: &str) -> [String; 8] {
    let plain = key.to_owned();
    let underscores = key.replace(['.', '['], "_").replace(']', "");
    let joined = plain.replace('-', "");
    let both = underscores.replace('-', "");
    let [a, b, c, d] = [&plain, &underscores, &joined, &both].map(|name| name.to_uppercase());
    [plain, underscores, joined, both, a, b, c, d]
}
