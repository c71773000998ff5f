//! Reading foreign JSON with reasons that repeat none of it.

use serde::Deserialize;
use serde_json::error::Category;

use super::Reason;

/// Reads a text of the repository.
pub(super) fn read<'a, T: Deserialize<'a>>(what: &'static str, text: &'a str) -> Result<T, Reason> {
    serde_json::from_str(text).map_err(|error| reason(what, &error))
}

/// serde_json's message can repeat a value, and a value can be a secret: only the place is told.
pub(super) fn reason(what: &'static str, error: &serde_json::Error) -> Reason {
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        Category::Data => Reason::WrongForm { what, line, column },
        Category::Io | Category::Syntax | Category::Eof => Reason::NotJson { what, line, column },
    }
}
