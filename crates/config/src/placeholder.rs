//! `${key}` and `${key:default}`, nested, by Spring's rules.
//!
//! The name may itself contain placeholders; a value is expanded again; the whole text between the braces is tried as
//! a key before it is split at the first colon. What has no value stays as it is. Expansion is bounded in depth and
//! length, so that no file can make it run long (L1).

use std::fmt::Write as _;

/// How deep values may refer to values.
const DEPTH_LIMIT: usize = 32;
/// The longest text that an expansion may give, in bytes.
const LENGTH_LIMIT: usize = 64 * 1024;
/// Look-ups in one expansion.
const STEP_LIMIT: usize = 10_000;

/// A text with its placeholders expanded.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Expanded {
    pub(crate) text: String,
    /// Names without a value; their placeholders are still in the text.
    pub(crate) unresolved: Vec<String>,
    /// `a → b → a`, if keys refer to each other in a circle.
    pub(crate) cycle: Option<String>,
    /// A limit was reached; the text is not complete.
    pub(crate) too_long: bool,
}

/// Expands `raw`, the value of `key`.
pub(crate) fn expand(key: &str, raw: &str, look_up: &dyn Fn(&str) -> Option<String>) -> Expanded {
    let mut expander =
        Expander { look_up, active: vec![key.to_owned()], steps: 0, depth: 0, result: Expanded::default() };
    let text = expander.expand(raw);
    Expanded { text, ..expander.result }
}

struct Expander<'a> {
    look_up: &'a dyn Fn(&str) -> Option<String>,
    /// Keys whose values are being expanded.
    active: Vec<String>,
    steps: usize,
    depth: usize,
    result: Expanded,
}

impl Expander<'_> {
    fn expand(&mut self, raw: &str) -> String {
        if !raw.contains("${") {
            return raw.to_owned();
        }
        if self.depth >= DEPTH_LIMIT {
            self.result.too_long = true;
            return raw.to_owned();
        }
        self.depth += 1;
        let mut text = String::new();
        let mut rest = raw;
        while let Some((before, inside, after)) = split(rest) {
            if self.result.too_long {
                break;
            }
            text.push_str(before);
            let replacement = self.placeholder(inside);
            text.push_str(&replacement);
            rest = after;
            if text.len() > LENGTH_LIMIT {
                self.result.too_long = true;
            }
        }
        text.push_str(rest);
        self.depth -= 1;
        text
    }

    fn placeholder(&mut self, inside: &str) -> String {
        self.steps += 1;
        if self.steps > STEP_LIMIT {
            self.result.too_long = true;
            return String::new();
        }
        let inside = self.expand(inside);
        if let Some(value) = self.value(&inside) {
            return value;
        }
        if let Some((name, default)) = inside.split_once(':') {
            return match self.value(name) {
                Some(value) => value,
                None => self.expand(default),
            };
        }
        if !self.result.unresolved.contains(&inside) {
            self.result.unresolved.push(inside.clone());
        }
        format!("${{{inside}}}")
    }

    fn value(&mut self, name: &str) -> Option<String> {
        let raw = (self.look_up)(name)?;
        if let Some(first) = self.active.iter().position(|active| active == name) {
            let mut cycle = String::new();
            for key in self.active.iter().skip(first) {
                let _ = write!(cycle, "{key} → ");
            }
            cycle.push_str(name);
            self.result.cycle = Some(cycle);
            return Some(format!("${{{name}}}"));
        }
        self.active.push(name.to_owned());
        let value = self.expand(&raw);
        self.active.pop();
        Some(value)
    }
}

/// Text before the first placeholder, what is between its braces, and the rest. `None`: there is none (any more).
fn split(text: &str) -> Option<(&str, &str, &str)> {
    let start = text.find("${")?;
    let inside_start = start + 2;
    let mut nested = 0_usize;
    for (at, character) in text.get(inside_start..)?.char_indices() {
        match character {
            '{' => nested += 1,
            '}' if nested == 0 => {
                let end = inside_start + at;
                return Some((text.get(..start)?, text.get(inside_start..end)?, text.get(end + 1..)?));
            }
            '}' => nested -= 1,
            _ => {}
        }
    }
    None
}

/// The keys that a text refers to, nested ones included; what has a nested placeholder in its name is left out.
pub(crate) fn names(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in text.match_indices("${") {
        let rest = text.get(at + 2..).unwrap_or_default();
        let name = rest.split(['}', ':']).next().unwrap_or_default();
        if !name.is_empty() && !name.contains("${") {
            names.push(name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
        move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn c1_placeholders_expand_as_in_spring() {
        let look_up = with(&[("a", "1"), ("b", "${a}2"), ("name", "a"), ("x:y", "colon"), ("empty", "")]);
        for (raw, expected) in [
            ("${a}", "1"),
            ("<${b}>", "<12>"),
            ("${${name}}", "1"),
            ("${missing:def}", "def"),
            ("${missing:${b}}", "12"),
            ("${missing:http://x:1}", "http://x:1"),
            ("${x:y}", "colon"),
            ("${a:def}", "1"),
            ("${missing:}", ""),
            ("${empty}", ""),
            ("${missing}", "${missing}"),
            ("${unclosed", "${unclosed"),
            ("a{b}c", "a{b}c"),
            ("${a}${a}", "11"),
        ] {
            assert_eq!(expand("k", raw, &look_up).text, expected, "{raw}");
        }
        assert_eq!(expand("k", "${missing}", &look_up).unresolved, ["missing"]);
    }

    #[test]
    fn l1_a_circle_is_named_and_growth_is_bounded() {
        let circle = with(&[("a", "${b}"), ("b", "${c}"), ("c", "${b}")]);
        assert_eq!(expand("a", "${b}", &circle).cycle.as_deref(), Some("b → c → b"));
        let bomb = |name: &str| {
            let level: usize = name.parse().ok()?;
            Some(format!("${{{}}}", level + 1).repeat(10))
        };
        let expanded = expand("0", "${1}${1}", &bomb);
        assert!(expanded.too_long);
        assert!(expanded.text.len() < 2 * 1024 * 1024);
    }
}
