//! Finds keys and variables that nobody knows, and says what may be meant.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::Place;
use crate::diagnostic::Diagnostic;
use crate::known_keys::{self, KnownKey, Status, beginning, known_keys, parts};
use crate::placeholder;
use crate::property::{Properties, Property};
use crate::report::{IgnoredKey, Severity};
use crate::source::Source;
use crate::yaml;

/// How alike two names must be for one to be proposed for the other, from 0 to 1.
const LIKENESS: f64 = 0.72;

/// What the comparison with the table of known keys gives.
#[derive(Default)]
pub(crate) struct Comparison {
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) ignored: Vec<IgnoredKey>,
}

/// Compares all keys of the file, and all prefixed variables, with the known ones.
pub(crate) fn compare(
    properties: &Properties,
    sections: &HashMap<String, Place>,
    source: &Source,
) -> Comparison {
    let mut comparison = Comparison::default();
    let referenced = referenced(properties);
    let mut unknown: BTreeMap<String, &Property> = BTreeMap::new();
    for (key, property) in properties.file() {
        match known_keys::find(key) {
            // Not ignored if something refers to it.
            Some(KnownKey { status: Status::Ignored(_), .. }) if referenced.contains(key.as_str()) => {}
            Some(KnownKey { status: Status::Ignored(reason), .. }) => {
                comparison.ignored.push(IgnoredKey {
                    key: key.clone(),
                    reason: reason.to_owned(),
                    origin: property.key_place.to_string(),
                });
            }
            Some(_) => {}
            None if known_keys::is_section(key) => {
                if !property.raw.is_empty() {
                    comparison.diagnostics.push(
                        Diagnostic::error("this is a section with keys of its own, not a value")
                            .key(key)
                            .at(property.place.clone())
                            .hint(format!("give it keys{}", example(key))),
                    );
                }
            }
            None if referenced.contains(key.as_str()) => {}
            None => {
                unknown.entry(topmost_unknown(key)).or_insert(property);
            }
        }
    }
    for (key, property) in unknown {
        let place = sections.get(&key).unwrap_or(&property.key_place);
        comparison.diagnostics.push(unknown_key(&key, place, source));
    }
    comparison.diagnostics.extend(variables(properties));
    match comparison.ignored.len() {
        0 => {}
        count => comparison.diagnostics.push(
            Diagnostic::note(format!(
                "{count} known key{} of this file without effect in this gateway",
                if count == 1 { "" } else { "s" }
            ))
            .hint("`zonegate check` lists them with the reason"),
        ),
    }
    comparison
}

fn unknown_key(key: &str, place: &Place, source: &Source) -> Diagnostic {
    if key.ends_with(".keystore.key")
        && let Some(mut misplaced) = yaml::certificate_keys(source, place.line)
    {
        misplaced.severity = Severity::Warning;
        return misplaced.key(key);
    }
    let diagnostic = Diagnostic::warning("unknown key, without effect").key(key).at(place.clone());
    match nearest(key) {
        Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
        None => diagnostic,
    }
}

/// The shortest beginning of an unknown key that is unknown itself, so that a whole section is reported once.
fn topmost_unknown(key: &str) -> String {
    let all = parts(key);
    let mut beginning = String::new();
    for part in all {
        if !beginning.is_empty() && !part.starts_with('[') {
            beginning.push('.');
        }
        beginning.push_str(part);
        if !known_keys::is_section(&beginning) && known_keys::find(&beginning).is_none() {
            return beginning;
        }
    }
    key.to_owned()
}

fn example(section: &str) -> String {
    known_keys()
        .find(|known| {
            let below = known.pattern.strip_prefix(section);
            known.status == Status::Honoured && below.is_some_and(|below| below.starts_with(['.', '[']))
        })
        .map(|known| format!(", for example `{}`", known.pattern.replace("[]", "[0]")))
        .unwrap_or_default()
}

/// The known key that is most like an unknown one.
fn nearest(key: &str) -> Option<String> {
    let known = || known_keys().filter(|known| !known.pattern.contains('*'));
    let below = format!(".{key}");
    if let Some(deeper) = known().find(|known| known.pattern.ends_with(&below)) {
        return Some(deeper.pattern.to_owned());
    }
    if let Some(higher) = known().find(|known| key.ends_with(&format!(".{}", known.pattern))) {
        return Some(higher.pattern.to_owned());
    }
    let length = parts(key).len();
    let folded = key.to_lowercase();
    let mut candidates = BTreeSet::new();
    for known in known_keys() {
        candidates.insert(known.pattern.trim_end_matches(".**").to_owned());
        candidates.insert(beginning(known.pattern, length));
        candidates.insert(beginning(known.pattern, length + 1));
    }
    // A whole section in the wrong place; the one nearest to the root is meant.
    let moved = candidates.iter().filter(|candidate| candidate.ends_with(&below));
    if let Some(section) = moved.min_by_key(|candidate| candidate.len()) {
        return Some(section.clone());
    }
    candidates
        .into_iter()
        .filter(|candidate| !candidate.contains('*'))
        .map(|candidate| (likeness(&folded, &candidate), candidate))
        .filter(|(likeness, _)| *likeness >= LIKENESS)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// How alike an unknown key is to a known one. The last part counts by itself too, else every key of a long section
/// would be like every other.
fn likeness(folded: &str, candidate: &str) -> f64 {
    let candidate = candidate.to_lowercase();
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let whole = strsim::normalized_damerau_levenshtein(folded, &candidate);
    let end = strsim::jaro_winkler(&last(folded), &last(&candidate));
    whole.midpoint(end)
}

/// Keys that some value refers to.
fn referenced(properties: &Properties) -> BTreeSet<String> {
    let values = properties.file().values().map(|property| property.raw.as_str());
    let variables = properties.environment().all_prefixed().map(|(_, _, value)| value);
    values.chain(variables).flat_map(placeholder::names).collect()
}

/// Prefixed variables that override nothing that anybody knows.
fn variables(properties: &Properties) -> Vec<Diagnostic> {
    let known: Vec<Vec<String>> = known_keys().map(|known| tokens(known.pattern)).collect();
    let file: BTreeSet<Vec<String>> = properties.file().keys().map(|key| tokens(key)).collect();
    let referenced: BTreeSet<Vec<String>> = referenced(properties).iter().map(|key| tokens(key)).collect();
    let mut diagnostics = Vec::new();
    for (rest, name, value) in properties.environment().all_prefixed() {
        let given = tokens(rest);
        let below_repositories = given.strip_prefix(&["repositories".to_owned()]).unwrap_or(&given);
        if is_foreign(rest, value)
            || file.contains(&given)
            || referenced.contains(&given)
            || known
                .iter()
                .any(|pattern| tokens_match(pattern, &given) || tokens_match(pattern, below_repositories))
        {
            continue;
        }
        let diagnostic =
            Diagnostic::warning(format!("the environment variable {name} overrides no known key"));
        let joined = given.join("_");
        let near = known_keys()
            .filter(|known| !known.pattern.contains('*'))
            .map(|known| {
                (strsim::normalized_damerau_levenshtein(&joined, &tokens(known.pattern).join("_")), known)
            })
            .filter(|(likeness, _)| *likeness >= LIKENESS)
            .max_by(|(a, _), (b, _)| a.total_cmp(b));
        diagnostics.push(match near {
            Some((_, known)) => diagnostic.hint(format!(
                "did you mean gravitee_{} (`{}`)?",
                known.pattern.replace(['.', '['], "_").replace([']', '-'], ""),
                known.pattern
            )),
            None => diagnostic,
        });
    }
    diagnostics
}

/// Variables that are there for other reasons: the installation's, and those that Kubernetes makes for a service
/// whose name begins with `gravitee`.
fn is_foreign(rest: &str, value: &str) -> bool {
    matches!(rest, "HOME" | "home" | "CONF" | "conf" | "LICENSE_KEY" | "license_key")
        || rest.ends_with("_SERVICE_HOST")
        || rest.contains("_SERVICE_PORT")
        || rest.contains("_TCP")
        || rest.contains("_UDP")
        || (rest.ends_with("_PORT") && value.contains("://"))
}

/// A key or a variable's name in one spelling: small letters, no hyphens, split at dots, brackets and underscores.
fn tokens(name: &str) -> Vec<String> {
    name.replace("[]", "[#]")
        .replace([']', '-'], "")
        .to_lowercase()
        .split(['.', '_', '['])
        .filter(|token| !token.is_empty())
        .map(str::to_owned)
        .collect()
}

fn tokens_match(pattern: &[String], given: &[String]) -> bool {
    for (index, token) in pattern.iter().enumerate() {
        let Some(part) = given.get(index) else { return false };
        let matches = match token.as_str() {
            // What follows is the name of something and may have any number of tokens.
            "*" | "**" => return true,
            "#" => part.bytes().all(|byte| byte.is_ascii_digit()),
            _ => token == part,
        };
        if !matches {
            return false;
        }
    }
    pattern.len() == given.len()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn c1_the_nearest_known_name_is_proposed() {
        for (unknown, expected) in [
            ("servces", Some("services")),
            ("services.sync.dealy", Some("services.sync.delay")),
            ("sync.delay", Some("services.sync.delay")),
            ("distributed_sync", Some("distributed-sync")),
            ("distributed-sync.redis.pasword", Some("distributed-sync.redis.password")),
            ("services.distributed-sync.type", Some("distributed-sync.type")),
            ("http.maxHeadersize", Some("http.maxHeaderSize")),
            ("sync", Some("services.sync")),
            ("completely.different", None),
        ] {
            assert_eq!(nearest(unknown).as_deref(), expected, "{unknown}");
        }
    }
}
