//! Which values are secrets: by the name of their key, or because a secret refers to them (L3).

use std::collections::BTreeSet;
use std::ops::Range;

use crate::diagnostic::names_a_secret;
use crate::environment::spellings;
use crate::known_keys;
use crate::placeholder;
use crate::property::Properties;

pub(super) struct Secrets {
    /// Keys whose names do not tell, with all their spellings as variables.
    referenced: BTreeSet<String>,
}

impl Secrets {
    pub(super) fn of(properties: &Properties) -> Self {
        let mut referenced = BTreeSet::new();
        let mut pending: Vec<String> = Vec::new();
        for (key, property) in properties.file() {
            if names_a_secret(key) {
                pending.extend(placeholder::names(&property.raw));
            }
        }
        for (rest, _, value) in properties.environment().all_prefixed() {
            if names_a_secret(rest) {
                pending.extend(placeholder::names(value));
            }
        }
        while let Some(name) = pending.pop() {
            // The installation's folder is no secret because a key store's password stands in a file there.
            if name == "gravitee.home" || !referenced.insert(name.clone()) {
                continue;
            }
            if let Some(property) = properties.file().get(&name) {
                pending.extend(placeholder::names(&property.raw));
            }
            if let Some((_, value)) = properties.environment().prefixed(&name) {
                pending.extend(placeholder::names(value));
            }
        }
        let variables: Vec<String> = referenced.iter().flat_map(|name| spellings(name)).collect();
        referenced.extend(variables);
        Self { referenced }
    }

    pub(super) fn contains(&self, key: &str) -> bool {
        names_a_secret(key) || self.referenced.contains(key)
    }

    /// Where in the file secrets stand. The values of unknown keys are taken for secrets: they are not needed to say
    /// that the key is unknown, and may be a misspelled password.
    pub(super) fn places(&self, properties: &Properties) -> Vec<Range<usize>> {
        properties
            .file()
            .iter()
            .filter(|(key, property)| {
                (self.contains(key) || is_unknown(key)) && property.place != property.key_place
            })
            .map(|(_, property)| property.place.span.clone())
            .collect()
    }
}

fn is_unknown(key: &str) -> bool {
    known_keys::find(key).is_none() && !known_keys::is_section(key)
}
