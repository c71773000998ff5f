//! The story of a run, for people: one line an event with its virtual time. Lines are only made when somebody wants
//! to read them, so that a sweep does not pay for them.

use std::fmt::{self, Write};
use std::time::Duration;

/// The recorder.
#[derive(Debug, Default)]
pub(crate) struct History {
    lines: Option<String>,
}

impl History {
    /// Records nothing.
    pub(crate) fn silent() -> Self {
        Self { lines: None }
    }

    /// Records every line.
    pub(crate) fn recording() -> Self {
        Self { lines: Some(String::new()) }
    }

    /// Notes something; the text is only made when recording.
    pub(crate) fn note(&mut self, at: Duration, text: impl FnOnce(&mut Line<'_>) -> fmt::Result) {
        if let Some(lines) = &mut self.lines {
            let millis = at.as_micros();
            // Writing to a String cannot fail.
            let _ = write!(lines, "{:>6}.{:06} ", millis / 1_000_000, millis % 1_000_000);
            let _ = text(&mut Line(lines));
            lines.push('\n');
        }
    }

    /// What was recorded.
    pub(crate) fn into_text(self) -> String {
        self.lines.unwrap_or_default()
    }
}

/// Where one line is written.
pub(crate) struct Line<'a>(&'a mut String);

impl Line<'_> {
    pub(crate) fn put(&mut self, arguments: fmt::Arguments<'_>) -> fmt::Result {
        self.0.write_fmt(arguments)
    }
}
