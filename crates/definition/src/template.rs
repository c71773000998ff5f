//! Texts that may hold expressions (`data-plane.md` section 5.1). They are kept as they are written; whoever uses one
//! evaluates it, or refuses it while it cannot.

use std::borrow::Cow;
use std::fmt;

/// A text that the original would evaluate. It may be or hold a secret, so `Debug` shows only its length (L3).
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    text: Box<str>,
    is_dynamic: bool,
}

impl Template {
    /// Wraps a text.
    pub fn new(text: &str) -> Self {
        Self { text: text.into(), is_dynamic: has_expression(text) }
    }

    /// The text as it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it has an expression in braces. Without one the text stands for itself, except where a bare expression
    /// is accepted: selection rules, assertions of V2 health checks.
    pub const fn is_dynamic(&self) -> bool {
        self.is_dynamic
    }

    /// The template of a text that has more than blanks.
    pub(crate) fn filled(text: Option<Cow<'_, str>>) -> Option<Self> {
        text.filter(|text| !text.trim().is_empty()).map(|text| Self::new(&text))
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_dynamic { "with an expression" } else { "fixed" };
        write!(f, "Template({} bytes, {kind})", self.text.len())
    }
}

/// Whether a text has an embedded expression: `{`, optional blanks, then `#`, `(` or `T(`. Other braces stand for
/// themselves, so that JSON text is none.
pub fn has_expression(text: &str) -> bool {
    text.match_indices('{').any(|(at, _)| {
        let inside = text[at + 1..].trim_start();
        inside.starts_with(['#', '(']) || inside.starts_with("T(")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_told_from_other_braces() {
        for text in ["{#request.id}", "a { #request.id}", "{(1+1)}", "{ T(java.lang.Math).abs(1)}", "{{#x}}"]
        {
            assert!(Template::new(text).is_dynamic(), "{text}");
        }
        for text in ["{\"a\": 1}", "#x", "{}", "{a}", "{", ""] {
            assert!(!Template::new(text).is_dynamic(), "{text}");
        }
    }

    #[test]
    fn l3_debug_output_shows_no_text() {
        let shown = format!("{:?}", Template::new("{#request.headers['s3cret']}"));
        assert!(!shown.contains("s3cret") && shown.contains("expression"), "{shown}");
    }
}
