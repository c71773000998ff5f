//! Whole files, from text to settings and messages.

mod diagnostics;
mod files;
mod hostile;
mod sources;

use std::path::Path;

use crate::{LoadError, Loaded, load_text};

/// Loads a text with variables, as if it were `gravitee.yml` of an installation in `/opt/gateway`.
fn load(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, LoadError> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    load_text(Path::new("gravitee.yml"), text, variables, Some(Path::new("/opt/gateway")))
}

/// The smallest file without errors and warnings.
const MINIMAL: &str = "\
management:
  type: jdbc
  jdbc:
    url: jdbc:sqlite:/tmp/apim.db
services.core.http.authentication.type: none
";

/// [`MINIMAL`] with more.
fn with(text: &str) -> String {
    format!("{MINIMAL}{text}")
}

#[track_caller]
fn loaded(text: &str, variables: &[(&str, &str)]) -> Loaded {
    match load(text, variables) {
        Ok(loaded) => loaded,
        Err(error) => panic!("{error}"),
    }
}

#[track_caller]
fn refused(text: &str, variables: &[(&str, &str)]) -> String {
    match load(text, variables) {
        Ok(loaded) => panic!("accepted: {:?}", loaded.report.problems),
        Err(error) => error.to_string(),
    }
}
