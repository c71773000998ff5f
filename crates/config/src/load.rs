//! From a file's name and the environment to settings and a report.

mod repair;
mod secrets;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::Settings;
use crate::diagnostic::{Diagnostic, Redacted};
use crate::environment::Environment;
use crate::property::{Properties, Property};
use crate::reader::Reader;
use crate::report::{EffectiveSetting, Report, Resolved};
use crate::source::Source;
use crate::{unknown_key, yaml};

/// Far above any real file (APIM's sample has 48 KiB).
const SIZE_LIMIT: u64 = 4 * 1024 * 1024;

/// What loading gives when there is no error.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Where each came from, and what is worth knowing.
    pub report: Report,
}

/// Why there are no settings. Its `Display` names every problem with an excerpt of the file, and no secret.
#[derive(Clone, thiserror::Error)]
pub struct LoadError {
    /// Everything that was found out nevertheless.
    pub report: Box<Report>,
}

impl LoadError {
    /// All problems as text. `color`: with ANSI colours.
    pub fn render(&self, color: bool) -> String {
        self.report.render_problems(color)
    }

    fn new(report: Report) -> Self {
        Self { report: Box::new(report) }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render(false).trim_end())
    }
}

impl fmt::Debug for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where the file is when nobody says otherwise: `$GRAVITEE_HOME/config/gravitee.yml`.
pub fn default_path(home: &Path) -> PathBuf {
    home.join("config").join("gravitee.yml")
}

/// Reads the file at `path` and the pairs of `environment`. `home` is what `${gravitee.home}` stands for.
///
/// All errors are gathered and reported together. One that makes the file unreadable as YAML stands alone: what the
/// rest of the file would mean is not known then.
pub fn load(
    path: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
    home: Option<&Path>,
) -> Result<Loaded, LoadError> {
    match read(path) {
        Ok(text) => load_text(path, &text, environment, home),
        Err(diagnostic) => Err(LoadError::new(report(Found::only(*diagnostic), None))),
    }
}

/// Like [`load`] with the file's text at hand; `path` is for messages only.
pub fn load_text(
    path: &Path,
    text: &str,
    environment: impl IntoIterator<Item = (String, String)>,
    home: Option<&Path>,
) -> Result<Loaded, LoadError> {
    let source = Source::new(path, text.strip_prefix('\u{feff}').unwrap_or(text));
    let yaml::Parsed { properties, mut diagnostics, sections, complete } = yaml::parse(&source);
    let mut file: BTreeMap<String, Property> = BTreeMap::new();
    for (key, property) in properties {
        if let Some(earlier) = file.insert(key.clone(), property)
            && let Some(later) = file.get(&key)
            && !earlier.merged
            && earlier.key_place != later.key_place
            && !diagnostics.iter().any(|known| known.line() == later.key_place.line)
        {
            diagnostics.push(
                Diagnostic::warning("the same key in two places; the last one counts")
                    .key(key)
                    .labelled(later.key_place.clone(), "this one counts")
                    .context(earlier.key_place, "this one does not"),
            );
        }
    }
    diagnostics.extend(repair::nested_below_password(&mut file, &sections));
    let properties = Properties::new(file, Environment::new(environment), home);
    let secrets = secrets::Secrets::of(&properties);
    let redacted = Redacted::new(&source, secrets.places(&properties));
    if !complete {
        let found = Found { diagnostics, ..Found::default() };
        return Err(LoadError::new(report(found, Some(redacted))));
    }
    let mut reader = Reader::new(&properties);
    let settings = Settings::read(&mut reader);
    let (from_reader, effective) = reader.finish();
    let comparison = unknown_key::compare(&properties, &sections, &source);
    diagnostics.extend(from_reader);
    diagnostics.extend(comparison.diagnostics);
    let resolved = resolve(&properties, &effective, &secrets);
    let found = Found { diagnostics, settings: effective, ignored: comparison.ignored, resolved };
    let report = report(found, Some(redacted));
    if report.has_errors() {
        return Err(LoadError::new(report));
    }
    Ok(Loaded { settings, report })
}

#[derive(Default)]
struct Found {
    diagnostics: Vec<Diagnostic>,
    settings: Vec<EffectiveSetting>,
    ignored: Vec<crate::report::IgnoredKey>,
    resolved: BTreeMap<String, Resolved>,
}

impl Found {
    fn only(diagnostic: Diagnostic) -> Self {
        Self { diagnostics: vec![diagnostic], ..Self::default() }
    }
}

fn report(found: Found, source: Option<Redacted>) -> Report {
    let Found { mut diagnostics, settings, ignored, resolved } = found;
    diagnostics.sort_by_key(|diagnostic| (diagnostic.severity, diagnostic.line()));
    let problems = diagnostics.iter().map(Diagnostic::problem).collect();
    Report { settings, problems, ignored, resolved, diagnostics, source }
}

fn read(path: &Path) -> Result<String, Box<Diagnostic>> {
    let shown = path.display();
    let file = File::open(path).map_err(|error| {
        Diagnostic::error(format!("there is no configuration: {shown} cannot be read: {error}")).hint(
            "the file is the one given by `--config FILE`, else $GRAVITEE_HOME/config/gravitee.yml; check that it \
             exists and that this user may read it",
        )
    });
    let file = file.map_err(Box::new)?;
    let mut bytes = Vec::new();
    file.take(SIZE_LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Box::new(Diagnostic::error(format!("{shown} cannot be read: {error}"))))?;
    if bytes.len() as u64 > SIZE_LIMIT {
        return Err(Diagnostic::error(format!("{shown} is larger than {} MiB", SIZE_LIMIT >> 20)).into());
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(valid).filter(|byte| **byte == b'\n').count() + 1;
        Diagnostic::error(format!("{shown} is not UTF-8 text: the first wrong byte is in line {line}"))
            .hint("save the file as UTF-8")
            .into()
    })
}

/// What `/_node/configuration` shows.
fn resolve(
    properties: &Properties,
    effective: &[EffectiveSetting],
    secrets: &secrets::Secrets,
) -> BTreeMap<String, Resolved> {
    let mut resolved = BTreeMap::new();
    for setting in effective {
        let value = setting.value.clone();
        resolved.insert(setting.key.clone(), Resolved { value, secret: secrets.contains(&setting.key) });
    }
    let overridden = effective.iter().map(|setting| &setting.key);
    for key in properties.file().keys().chain(overridden) {
        if let Some(value) = properties.get(key) {
            resolved.insert(key.clone(), Resolved { value: value.text, secret: secrets.contains(key) });
        }
    }
    for (rest, name, value) in properties.environment().all_prefixed() {
        let (value, _) = properties.expand(rest, value);
        let secret = secrets.contains(rest) || secrets.contains(name);
        resolved.insert(name.to_owned(), Resolved { value, secret });
    }
    resolved
}
