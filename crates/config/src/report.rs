//! What `zonegate check` and `/_node/configuration` show: every effective setting with its origin, and every problem.

use std::collections::BTreeMap;

/// Everything that loading found out, problems included.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Every setting that this gateway honours, in the order of its key.
    pub settings: Vec<EffectiveSetting>,
    /// Errors, warnings and notes, in the order of the file.
    pub problems: Vec<Problem>,
    all: BTreeMap<String, (String, bool)>,
}

/// One setting as it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectiveSetting {
    /// The key, for example `services.sync.delay`.
    pub key: String,
    /// The value as text; `********` where it is a secret.
    pub value: String,
    /// Where it comes from: `default`, `environment variable X`, `file:line:column`.
    pub origin: String,
}

/// One thing that is wrong or worth knowing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// The key, where there is one.
    pub key: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The file, as it was named.
    pub file: Option<String>,
    /// Line, from 1.
    pub line: Option<usize>,
    /// Column in characters, from 1.
    pub column: Option<usize>,
    /// The environment variable that holds the value.
    pub variable: Option<String>,
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The gateway does not start.
    Error,
    /// It starts, and does not do what was probably meant.
    Warning,
    /// Worth knowing.
    Note,
}

impl Report {
    /// Every key of file and environment with its resolved value, plus the defaults of what is honoured: the content
    /// of `/_node/configuration`. Secrets are `********` unless `clear_text` is asked for (L3).
    pub fn resolved(&self, clear_text: bool) -> BTreeMap<String, String> {
        self.all
            .iter()
            .map(|(key, (value, secret))| {
                let shown = if *secret && !clear_text { "********" } else { value.as_str() };
                (key.clone(), shown.to_owned())
            })
            .collect()
    }

    /// Settings and problems as text for people. `color`: with ANSI colours.
    pub fn render(&self, color: bool) -> String {
        let _ = color;
        String::new()
    }
}
