//! Problems as text, in the manner of a compiler.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Diagnostic, redaction::Redacted};
use crate::report::Severity;

/// All problems, one after the other.
pub(crate) fn render(diagnostics: &[Diagnostic], source: Option<&Redacted>, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for diagnostic in diagnostics {
        text.push_str(&one(diagnostic, source, &renderer));
        text.push_str("\n\n");
    }
    text
}

fn one(diagnostic: &Diagnostic, source: Option<&Redacted>, renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = match &diagnostic.key {
        Some(key) => format!("{key}: {}", diagnostic.message),
        None => diagnostic.message.clone(),
    };
    let mut group = Group::with_title(level.primary_title(printable(&title)));
    if let (Some(source), Some((place, label))) = (source, &diagnostic.place) {
        let mut snippet = Snippet::source(source.text()).path(place.path.display().to_string());
        let primary = AnnotationKind::Primary.span(source.span(&place.span));
        snippet =
            snippet.annotation(if label.is_empty() { primary } else { primary.label(printable(label)) });
        for (place, label) in &diagnostic.context {
            snippet = snippet
                .annotation(AnnotationKind::Context.span(source.span(&place.span)).label(printable(label)));
        }
        group = group.element(snippet);
    }
    if let Some(variable) = &diagnostic.variable {
        group = group
            .element(Level::NOTE.message(printable(&format!("set by the environment variable {variable}"))));
    }
    if let Some(hint) = &diagnostic.hint {
        let hint = match &diagnostic.replacement {
            Some(replacement) => format!("{hint}\n{}", super::redaction::by_lines(replacement)),
            None => hint.clone(),
        };
        group = group.element(Level::HELP.message(printable(&hint)));
    }
    renderer.render(&[group])
}

/// Without control characters, which a terminal would obey.
fn printable(text: &str) -> String {
    text.chars()
        .map(|character| if character.is_control() && character != '\n' { '\u{fffd}' } else { character })
        .collect()
}
