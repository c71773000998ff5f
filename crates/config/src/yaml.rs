//! YAML text → a flat map of properties, as Spring makes one: `a.b[0].c` → raw text with its place.
//!
//! Scalars keep their text; what it means is decided where the type is known. Never panics, and is bounded in depth
//! and in what aliases may expand to (L1). The parser is used by its events, not by its tree: the tree is built here
//! because it must survive a syntax error (to say under which key it stands) and must not be built by recursion.

mod flatten;
mod misplaced;
pub(crate) mod scalar;
mod tree;

use std::collections::HashMap;

use crate::Place;
use crate::diagnostic::Diagnostic;
use crate::property::Property;
use crate::source::Source;

pub(crate) use misplaced::certificate_keys;

/// What one file says.
#[derive(Default)]
pub(crate) struct Parsed {
    /// Key and property, in the order of the file. A key may be there twice; the last one wins.
    pub(crate) properties: Vec<(String, Property)>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Where each section's key stands.
    pub(crate) sections: HashMap<String, Place>,
    /// Whether the whole file could be read.
    pub(crate) complete: bool,
}

/// Reads a file's text.
pub(crate) fn parse(source: &Source) -> Parsed {
    let tree::Built { documents, mut diagnostics, complete } = tree::build(source);
    let mut parsed = Parsed { complete, ..Parsed::default() };
    for document in &documents {
        flatten::flatten(source, document, &mut parsed);
    }
    diagnostics.append(&mut parsed.diagnostics);
    Parsed { diagnostics, ..parsed }
}
