//! What is wrong with the configuration, with the places that show it; rendered with an excerpt of the file.

mod redaction;
mod rendering;

pub(crate) use redaction::{MASK, Redacted, names_a_secret, without_credentials};
pub(crate) use rendering::render;

use crate::report::{Problem, Severity};
use crate::{Origin, Place};

/// One thing that is wrong. Messages never contain a secret's value.
#[derive(Clone, Debug)]
pub(crate) struct Diagnostic {
    pub(crate) severity: Severity,
    pub(crate) key: Option<String>,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// Text to put in the place of what is there.
    replacement: Option<String>,
    /// Where it shows, with what to write beside it.
    place: Option<(Place, String)>,
    /// Other places that matter.
    context: Vec<(Place, String)>,
    variable: Option<String>,
}

impl Diagnostic {
    fn new(severity: Severity, message: impl Into<String>) -> Self {
        Self {
            severity,
            key: None,
            message: message.into(),
            hint: None,
            replacement: None,
            place: None,
            context: Vec::new(),
            variable: None,
        }
    }

    pub(crate) fn error(message: impl Into<String>) -> Self {
        Self::new(Severity::Error, message)
    }

    pub(crate) fn warning(message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, message)
    }

    pub(crate) fn note(message: impl Into<String>) -> Self {
        Self::new(Severity::Note, message)
    }

    pub(crate) fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into()).filter(|key| !key.is_empty());
        self
    }

    pub(crate) fn at(self, place: Place) -> Self {
        self.labelled(place, "")
    }

    pub(crate) fn labelled(mut self, place: Place, label: impl Into<String>) -> Self {
        self.place = Some((place, label.into()));
        self
    }

    pub(crate) fn context(mut self, place: Place, label: impl Into<String>) -> Self {
        self.context.push((place, label.into()));
        self
    }

    pub(crate) fn origin(mut self, origin: &Origin) -> Self {
        match origin {
            Origin::File(place) => self.at(place.clone()),
            Origin::Environment { variable } => {
                self.variable = Some(variable.clone());
                self
            }
            Origin::Default => self,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn replacement(mut self, text: impl Into<String>) -> Self {
        self.replacement = Some(text.into());
        self
    }

    pub(crate) fn line(&self) -> usize {
        self.place.as_ref().map_or(usize::MAX, |(place, _)| place.line)
    }

    /// The same as plain data.
    pub(crate) fn problem(&self) -> Problem {
        let place = self.place.as_ref().map(|(place, _)| place);
        let hint = match (&self.hint, &self.replacement) {
            (Some(hint), Some(replacement)) => Some(format!("{hint}\n{replacement}")),
            (hint, replacement) => hint.clone().or_else(|| replacement.clone()),
        };
        Problem {
            severity: self.severity,
            key: self.key.clone(),
            message: self.message.clone(),
            hint,
            file: place.map(|place| place.path.display().to_string()),
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
            variable: self.variable.clone(),
        }
    }
}
