//! What `zonegate check` and `/_node/configuration` show: every effective setting with its origin, and every problem.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;

use serde::Serialize;

use crate::diagnostic::{self, Diagnostic, MASK, Redacted, without_credentials};

/// Everything that loading found out, problems included. Nothing in here shows a secret, except
/// [`Report::resolved`] when it is asked to.
#[derive(Clone, Default, Serialize)]
pub struct Report {
    /// Every setting that this gateway honours, in the order of its key.
    pub settings: Vec<EffectiveSetting>,
    /// Errors first, then warnings and notes; each in the order of the file.
    pub problems: Vec<Problem>,
    /// Keys of the file that APIM's gateway knows and this one has no use for.
    pub ignored: Vec<IgnoredKey>,
    #[serde(skip)]
    pub(crate) resolved: BTreeMap<String, Resolved>,
    #[serde(skip)]
    pub(crate) diagnostics: Vec<Diagnostic>,
    #[serde(skip)]
    pub(crate) source: Option<Redacted>,
}

/// A value for `/_node/configuration`.
#[derive(Clone)]
pub(crate) struct Resolved {
    pub(crate) value: String,
    pub(crate) secret: bool,
}

/// One setting as it is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EffectiveSetting {
    /// The key, for example `services.sync.delay`.
    pub key: String,
    /// The value as text; `********` where it is a secret.
    pub value: String,
    /// Where it comes from: `default`, `environment variable X`, `file:line:column`.
    pub origin: String,
}

/// A key that has no effect in this gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IgnoredKey {
    /// The key.
    pub key: String,
    /// Why it has no effect.
    pub reason: String,
    /// Where it stands.
    pub origin: String,
}

/// One thing that is wrong or worth knowing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The gateway does not start.
    Error,
    /// It starts, and does not do what was probably meant.
    Warning,
    /// Worth knowing.
    Note,
}

impl Report {
    /// Every key of file and environment with its resolved value, and the defaults of what is honoured: the content
    /// of `/_node/configuration`. Secrets are `********` unless `clear_text` is asked for (L3).
    pub fn resolved(&self, clear_text: bool) -> BTreeMap<String, String> {
        let show = |resolved: &Resolved| {
            if clear_text {
                resolved.value.clone()
            } else if resolved.secret {
                MASK.to_owned()
            } else {
                without_credentials(&resolved.value)
            }
        };
        self.resolved.iter().map(|(key, resolved)| (key.clone(), show(resolved))).collect()
    }

    /// Whether there is an error.
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// Everything as text for people. `color`: with ANSI colours.
    pub fn render(&self, color: bool) -> String {
        let mut text = String::new();
        if !self.settings.is_empty() {
            text.push_str("Settings in force\n\n");
            let width = |of: fn(&EffectiveSetting) -> &str| {
                self.settings.iter().map(|setting| of(setting).chars().count()).max().unwrap_or(0)
            };
            let keys = width(|setting| &setting.key);
            let values = width(|setting| &setting.value).min(48);
            for EffectiveSetting { key, value, origin } in &self.settings {
                let _ = writeln!(text, "  {key:keys$}  {value:values$}  {origin}");
            }
            text.push('\n');
        }
        if !self.ignored.is_empty() {
            text.push_str("Keys without effect in this gateway\n\n");
            let keys = self.ignored.iter().map(|ignored| ignored.key.chars().count()).max().unwrap_or(0);
            for IgnoredKey { key, reason, origin } in &self.ignored {
                let _ = writeln!(text, "  {key:keys$}  {reason} ({origin})");
            }
            text.push('\n');
        }
        text.push_str(&self.render_problems(color));
        text
    }

    /// Problems as text for people, each with an excerpt of the file. `color`: with ANSI colours.
    pub fn render_problems(&self, color: bool) -> String {
        let mut text = diagnostic::render(&self.diagnostics, self.source.as_ref(), color);
        let count = |severity| self.problems.iter().filter(|problem| problem.severity == severity).count();
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        let _ = writeln!(text, "{errors} error{}, {warnings} warning{}", plural(errors), plural(warnings));
        text
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report")
            .field("settings", &self.settings)
            .field("problems", &self.problems)
            .field("ignored", &self.ignored)
            .finish_non_exhaustive()
    }
}
