//! The mistake of the published sample: in a list of `certificates`, the `key` of each entry stands at the level of
//! the list, not inside the entry. Depending on the rest that is a syntax error, a duplicate key or an unknown key,
//! and none of these says what is wrong; this does.

use crate::diagnostic::Diagnostic;
use crate::source::Source;

/// How far above the error the list may begin.
const LINES_ABOVE: usize = 40;

/// What is wrong around `line`, if it is this mistake.
pub(crate) fn certificate_keys(source: &Source, line: usize) -> Option<Diagnostic> {
    let first = line.saturating_sub(LINES_ABOVE).max(1);
    let head = (first..=line).rev().find(|line| keyed(source.line(*line), "certificates").is_some())?;
    let level = indentation(source.line(head));
    let mut block = Vec::new();
    let mut misplaced = Vec::new();
    let mut entry_column = None;
    for number in head + 1..=source.line_count() {
        let text = source.line(number);
        let content = text.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let indent = indentation(text);
        if let Some(entry) = content.strip_prefix("- ") {
            if indent < level {
                break;
            }
            let inner = indent + 2 + (entry.len() - entry.trim_start().len());
            entry_column = Some(inner);
            block.push(text.trim_end().to_owned());
        } else if indent <= level {
            let (Some(column), Some(_)) = (entry_column, keyed(text, "key").filter(|_| indent == level))
            else {
                break;
            };
            misplaced.push(number);
            block.push(format!("{}{content}", " ".repeat(column)));
        } else {
            block.push(text.trim_end().to_owned());
        }
    }
    let (&shown, others) = misplaced.split_first()?;
    let mut corrected = vec![source.line(head).trim_end().to_owned()];
    corrected.extend(block);
    let mut diagnostic =
        Diagnostic::error("the `key` lines stand one level too low: each belongs to the `- cert` above it")
            .labelled(source.line_place(shown), "belongs inside of the entry above")
            .hint("put each `key` under its `cert`:")
            .replacement(corrected.join("\n"));
    for other in others {
        diagnostic = diagnostic.context(source.line_place(*other), "this one too");
    }
    Some(diagnostic)
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// What follows `name:` on a line that begins with it.
fn keyed<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    line.trim_start().strip_prefix(name)?.trim_start().strip_prefix(':')
}
