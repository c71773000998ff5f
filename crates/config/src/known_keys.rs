//! Every key of APIM's gateway that is known, with what becomes of it here.
//!
//! The check for unknown keys, the report and `docs/configuration.md` (by a test) use these tables. Keys are those of
//! the sample file of APIM 4.12 and of `gravitee-io` documentation, plus this gateway's own.

mod honoured;
mod ignored;

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use honoured::HONOURED;
use ignored::{IGNORED, REFUSED};

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It has the effect that it has in APIM's gateway, or, for our own keys, the documented one.
    Honoured,
    /// It has no effect here. The text says why.
    Ignored(&'static str),
    /// It must keep its default: another value is an error, because ignoring it would be unsafe or wrong.
    Refused(&'static str),
}

/// One known key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownKey {
    /// The key; `[]` stands for any index, `*` for any one part, `**` at the end for anything.
    pub pattern: &'static str,
    /// What becomes of it.
    pub status: Status,
    /// The default in words of the file; empty where there is none.
    pub default: &'static str,
    /// Whether APIM does not know it.
    pub own: bool,
    /// What it means, with units.
    pub meaning: &'static str,
}

/// All known keys.
pub fn known_keys() -> impl Iterator<Item = KnownKey> {
    let honoured = HONOURED.iter().map(|&(pattern, default, own, meaning)| KnownKey {
        pattern,
        status: Status::Honoured,
        default,
        own,
        meaning,
    });
    let refused = REFUSED.iter().map(|&(pattern, default, why)| KnownKey {
        pattern,
        status: Status::Refused(why),
        default,
        own: false,
        meaning: "",
    });
    let ignored = IGNORED.iter().flat_map(|&(why, patterns)| {
        patterns.iter().map(move |pattern| KnownKey {
            pattern,
            status: Status::Ignored(why),
            default: "",
            own: false,
            meaning: "",
        })
    });
    honoured.chain(refused).chain(ignored)
}

/// The table by what is looked up: keys without open parts, patterns in parts.
struct Index {
    exact: HashMap<&'static str, KnownKey>,
    open: Vec<(Vec<&'static str>, KnownKey)>,
    /// Every proper beginning of a pattern without open parts.
    sections: HashSet<String>,
    /// Patterns with open parts, for sections.
    open_sections: Vec<Vec<&'static str>>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index {
        exact: HashMap::new(),
        open: Vec::new(),
        sections: HashSet::new(),
        open_sections: Vec::new(),
    };
    for known in known_keys() {
        let pattern = parts(known.pattern);
        // Where something is open, the beginnings before it are not.
        let closed = pattern.iter().position(|part| is_open(part)).unwrap_or(pattern.len());
        for length in 1..=closed.min(pattern.len().saturating_sub(1)) {
            index.sections.insert(beginning(known.pattern, length));
        }
        if closed == pattern.len() {
            index.exact.insert(known.pattern, known);
        } else {
            index.open_sections.push(pattern.clone());
            index.open.push((pattern, known));
        }
    }
    index
});

/// The entry for a key of a file. Keys below `repositories` are looked up without it.
pub(crate) fn find(key: &str) -> Option<KnownKey> {
    let key = key.strip_prefix("repositories.").unwrap_or(key);
    if let Some(known) = INDEX.exact.get(key) {
        return Some(*known);
    }
    let key = parts(key);
    INDEX.open.iter().find(|(pattern, _)| matches(pattern, &key)).map(|(_, known)| *known)
}

/// Whether a key is a section of a known key.
pub(crate) fn is_section(key: &str) -> bool {
    let key = key.strip_prefix("repositories.").unwrap_or(key);
    if key == "repositories" || INDEX.sections.contains(key) {
        return true;
    }
    let key = parts(key);
    INDEX.open_sections.iter().any(|pattern| is_prefix(pattern, &key))
}

/// The first parts of a key, joined again.
pub(crate) fn beginning(key: &str, length: usize) -> String {
    let mut text = String::new();
    for part in parts(key).into_iter().take(length) {
        if !text.is_empty() && !part.starts_with('[') {
            text.push('.');
        }
        text.push_str(part);
    }
    text
}

/// The parts of a key or pattern: `a.b[0].c` → `a`, `b`, `[0]`, `c`.
pub(crate) fn parts(key: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for part in key.split('.') {
        let mut rest = part;
        while let Some(bracket) = rest.find('[') {
            let Some(end) = rest.get(bracket..).and_then(|tail| tail.find(']')).map(|at| bracket + at + 1)
            else {
                break;
            };
            if bracket > 0 {
                parts.push(rest.get(..bracket).unwrap_or_default());
            }
            parts.push(rest.get(bracket..end).unwrap_or_default());
            rest = rest.get(end..).unwrap_or_default();
        }
        if !rest.is_empty() {
            parts.push(rest);
        }
    }
    parts
}

fn is_open(part: &str) -> bool {
    matches!(part, "*" | "**" | "[]")
}

fn part_matches(pattern: &str, part: &str) -> bool {
    match pattern {
        "*" | "**" => true,
        "[]" => part.starts_with('['),
        _ => pattern == part,
    }
}

fn matches(pattern: &[&str], key: &[&str]) -> bool {
    let all = |pattern: &[&str]| pattern.iter().zip(key).all(|(pattern, part)| part_matches(pattern, part));
    match pattern.strip_suffix(&["**"]) {
        Some(start) => key.len() >= start.len() && all(start),
        None => pattern.len() == key.len() && all(pattern),
    }
}

/// Whether a key is a proper beginning of a pattern.
fn is_prefix(pattern: &[&str], key: &[&str]) -> bool {
    key.len() < pattern.len() && pattern.iter().zip(key).all(|(pattern, part)| part_matches(pattern, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, key: &str) -> bool {
        super::matches(&parts(pattern), &parts(key))
    }

    #[test]
    fn c1_patterns_match_indices_and_open_parts() {
        assert!(matches("servers[].port", "servers[12].port"));
        assert!(!matches("servers[].port", "servers.port"));
        assert!(matches("http.errors[404].message", "http.errors[404].message"));
        assert!(!matches("http.errors[404].message", "http.errors[500].message"));
        assert!(matches("reporters.**", "reporters.file.output[3].x"));
        assert!(matches("users.*", "users.admin"));
        assert!(!matches("users.*", "users.a.b"));
        assert_eq!(parts("a.b[0][1].c"), ["a", "b", "[0]", "[1]", "c"]);
        assert!(is_section("services.sync"));
        assert!(is_section("repositories.management"));
        assert!(!is_section("services.sync.delay"));
    }

    #[test]
    fn c1_no_key_is_known_twice() {
        let mut seen = std::collections::HashSet::new();
        for known in known_keys() {
            assert!(seen.insert(known.pattern), "{} is listed twice", known.pattern);
        }
    }
}
