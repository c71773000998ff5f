//! The log of the process: plain text or JSON, one line an event, on the standard output.
//!
//! Relies on `tracing-subscriber`. Carries L3: every line passes through a [`Redaction`] before it is written.

mod redaction;

use std::collections::BTreeMap;
use std::io;
use std::str::FromStr;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

pub use redaction::Redaction;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// `text`: for people.
    #[default]
    Text,
    /// `json`: an object a line, the event's fields beside `timestamp`, `level`, `target` and `message`.
    Json,
}

/// A log format that is neither `text` nor `json`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a log format; use `text` or `json`")]
pub struct UnknownLogFormat(pub String);

impl FromStr for LogFormat {
    type Err = UnknownLogFormat;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(UnknownLogFormat(other.to_owned())),
        }
    }
}

/// What the operator decides about the log.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// Text or JSON.
    pub format: LogFormat,
    /// A level (`info`), or levels by part of the program (`info,zonegate_sync=debug`).
    pub filter: String,
    /// Colours in text. Set it when the output is a terminal.
    pub color: bool,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".to_owned(), color: false }
    }
}

/// A filter that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{filter}` is not a log filter ({problem}); use a level such as `info`, or `info,zonegate_sync=debug`"
)]
pub struct InvalidFilter {
    /// The filter as it was given.
    pub filter: String,
    /// What is wrong with it.
    pub problem: String,
}

/// Why the log could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter cannot be read.
    #[error(transparent)]
    Filter(#[from] InvalidFilter),
    /// The process has a log already.
    #[error("a log is installed already")]
    Installed,
}

/// What is never logged, whatever the operator asks for: the Redis driver writes commands and answers, keys of clients
/// among them, in clear text (L3). What matters of it, the zone store's adapter says itself.
const NEVER: &str = "rustis=off";

impl LogSettings {
    /// Levels by part of the program, as the technical API shows them; `ROOT` is everything else.
    pub fn levels(&self) -> Result<BTreeMap<String, String>, InvalidFilter> {
        let filter = self.parse()?;
        let mut levels = BTreeMap::from([("ROOT".to_owned(), "OFF".to_owned())]);
        for directive in filter.to_string().split(',').filter(|directive| !directive.is_empty()) {
            let (target, level) = directive.rsplit_once('=').unwrap_or(("ROOT", directive));
            levels.insert(target.to_owned(), level.to_uppercase());
        }
        Ok(levels)
    }

    fn parse(&self) -> Result<EnvFilter, InvalidFilter> {
        EnvFilter::builder()
            .parse(format!("{},{NEVER}", self.filter))
            .map_err(|error| InvalidFilter { filter: self.filter.clone(), problem: error.to_string() })
    }

    /// A subscriber that writes redacted lines to `writer`.
    fn subscriber<W>(
        &self,
        redaction: Redaction,
        writer: W,
    ) -> Result<Box<dyn Subscriber + Send + Sync>, InvalidFilter>
    where
        W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
    {
        let writer = redaction.before(writer);
        let builder = tracing_subscriber::fmt().with_env_filter(self.parse()?).with_writer(writer);
        Ok(match self.format {
            LogFormat::Text => Box::new(builder.with_ansi(self.color).finish()),
            LogFormat::Json => Box::new(builder.json().flatten_event(true).with_current_span(false).finish()),
        })
    }
}

/// Installs the log of this process, on the standard output. `redaction` may learn more secrets later.
pub fn install(settings: &LogSettings, redaction: Redaction) -> Result<(), LoggingError> {
    let subscriber = settings.subscriber(redaction, io::stdout)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LoggingError::Installed)
}

#[cfg(test)]
mod tests;
