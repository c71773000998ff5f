//! Keeps secrets out of excerpts (L3), also where the file could not be parsed.
//!
//! Two sources say what to hide: places of values known to be secret, and, line by line, whatever follows a key whose
//! name looks like a secret's. Hiding too much is fine.

use std::ops::Range;

use crate::source::Source;

/// What stands in the place of a secret.
pub(crate) const MASK: &str = "********";

/// Parts of names whose values are secrets.
const SECRET_WORDS: [&str; 8] =
    ["pass", "pwd", "secret", "token", "credential", "keycontent", "jaas", "licensekey"];
/// Words whose misspellings count too: the line with an unknown key is just what is shown.
const MISSPELLED_WORDS: [&str; 2] = ["password", "secret"];
/// How alike a misspelling is at least, from 0 to 1.
const LIKENESS: f64 = 0.75;

/// Whether the last part of a key sounds like a secret's, or the key is a user's password.
pub(crate) fn names_a_secret(key: &str) -> bool {
    let folded = key.to_lowercase();
    if folded.contains(".users.") || folded.contains("_users_") || folded.starts_with("secrets.") {
        return true;
    }
    let last = folded.rsplit('.').next().unwrap_or(&folded).replace(['-', '_'], "");
    SECRET_WORDS.iter().any(|word| last.contains(word))
        || MISSPELLED_WORDS.iter().any(|word| strsim::normalized_damerau_levenshtein(&last, word) >= LIKENESS)
}

/// A text without what stands between `//` and `@` in URLs, and without `password=…` parameters.
pub(crate) fn without_credentials(text: &str) -> String {
    let mut result = String::new();
    let mut end = 0;
    for range in credentials(text) {
        result.push_str(text.get(end..range.start).unwrap_or_default());
        result.push_str(MASK);
        end = range.end;
    }
    result.push_str(text.get(end..).unwrap_or_default());
    result
}

/// Credentials in URLs, in order and apart from each other.
fn credentials(text: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    for (at, found) in text.match_indices("://") {
        let start = at + found.len();
        let rest = text.get(start..).unwrap_or_default();
        // A password may contain `/` and `?` although it must not; rather hide too much.
        let end = rest.find([' ', '"', '\'', '\n']).unwrap_or(rest.len());
        if let Some(user_end) = rest.get(..end).and_then(|url| url.rfind('@')) {
            ranges.push(start..start + user_end);
        }
    }
    let lower = text.to_ascii_lowercase();
    for (at, found) in lower.match_indices("password=") {
        let start = at + found.len();
        let rest = text.get(start..).unwrap_or_default();
        let length = rest.find(['&', ' ', '"', '\'', ';', '\n']).unwrap_or(rest.len());
        if length > 0 {
            ranges.push(start..start + length);
        }
    }
    merge(ranges)
}

fn merge(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.retain(|range| !range.is_empty());
    ranges.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// The text of a file with its secrets replaced, and the way from the original's bytes to it.
#[derive(Clone)]
pub(crate) struct Redacted {
    text: String,
    /// Original bytes that were replaced, in order, each within a line.
    hidden: Vec<Range<usize>>,
}

impl Redacted {
    /// `secret`: places of values known to be secret.
    pub(crate) fn new(source: &Source, secret: impl IntoIterator<Item = Range<usize>>) -> Self {
        let text = source.text();
        let mut ranges = by_name(text);
        ranges.extend(credentials(text));
        for range in secret {
            ranges.extend(lines(text, &range));
        }
        let hidden = merge(ranges);
        let mut redacted = String::with_capacity(text.len());
        let mut end = 0;
        for range in &hidden {
            redacted.push_str(text.get(end..range.start).unwrap_or_default());
            redacted.push_str(MASK);
            end = range.end;
        }
        redacted.push_str(text.get(end..).unwrap_or_default());
        Self { text: redacted, hidden }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Where bytes of the original are now. Ends within a secret move to its ends.
    pub(crate) fn span(&self, original: &Range<usize>) -> Range<usize> {
        let start = self.position(original.start, false);
        let end = self.position(original.end, true).max(start);
        start.min(self.text.len())..end.min(self.text.len())
    }

    fn position(&self, original: usize, is_end: bool) -> usize {
        let mut position = original;
        for range in &self.hidden {
            if range.start >= original {
                break;
            }
            if original < range.end {
                let start = position - (original - range.start);
                return if is_end { start + MASK.len() } else { start };
            }
            // Each secret before it moves it. Added first, so that it never goes below zero.
            position = position + MASK.len() - range.len();
        }
        position
    }
}

/// The lines of a text with whatever looks like a secret replaced.
pub(super) fn by_lines(text: &str) -> String {
    let source = Source::new(std::path::Path::new(""), text);
    Redacted::new(&source, []).text
}

/// Splits a range at line breaks and leaves out indentation.
fn lines(text: &str, range: &Range<usize>) -> Vec<Range<usize>> {
    let mut result = Vec::new();
    let mut start = range.start;
    for line in text.get(range.clone()).unwrap_or_default().split_inclusive('\n') {
        let content = line.trim();
        let indentation = line.len() - line.trim_start().len();
        result.push(start + indentation..start + indentation + content.len());
        start += line.len();
    }
    result
}

/// Values behind names that sound like secrets, and everything indented below such a name.
fn by_name(text: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = 0;
    // Indentation of the name whose value goes on in deeper lines.
    let mut below: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end();
        let indentation = content.len() - content.trim_start().len();
        if !content.is_empty() {
            // A line that is no key has lost its place, and ends nothing.
            if below.is_some_and(|level| indentation > level || !content.contains(':')) {
                ranges.push(value_of_line(start, content, indentation));
            } else {
                below = None;
                if let Some(value) = value_of_secret(content) {
                    let shown = content.get(value..).unwrap_or_default();
                    if shown.is_empty() || shown.starts_with(['|', '>', '"', '\'', '&']) {
                        below = Some(indentation);
                    }
                    ranges.push(start + value..start + content.len());
                } else if content.trim() == "users:" {
                    below = Some(indentation);
                }
            }
        }
        start += line.len();
    }
    ranges
}

/// The part of a line behind a key and a colon, or all of it.
fn value_of_line(start: usize, content: &str, indentation: usize) -> Range<usize> {
    let value = content.find(": ").map_or(indentation, |colon| colon + 2);
    if content.ends_with(':') {
        return start..start;
    }
    start + value..start + content.len()
}

/// Where the value of a secret begins in a line, if the line has one.
fn value_of_secret(content: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(colon) = content.get(from..)?.find(':').map(|at| from + at) {
        let before = content.get(..colon)?.trim_end_matches([' ', '"', '\'']);
        let name = before
            .rsplit(|character: char| !(character.is_alphanumeric() || matches!(character, '_' | '-' | '.')))
            .next()
            .unwrap_or_default();
        let after = content.get(colon + 1..)?;
        // `secret://…` is no key.
        if names_a_secret(name) && !after.starts_with("//") {
            let blanks = after.len() - after.trim_start().len();
            return Some(colon + 1 + blanks);
        }
        from = colon + 1;
    }
    None
}
