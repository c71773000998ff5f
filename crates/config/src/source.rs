//! The text of a configuration file, and the way from a parser's position to bytes, lines and columns.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::Place;

/// A file's text with its line index.
#[derive(Clone)]
pub(crate) struct Source {
    path: Arc<PathBuf>,
    text: Arc<str>,
    line_starts: Arc<[usize]>,
}

impl Source {
    pub(crate) fn new(path: &Path, text: &str) -> Self {
        let line_starts =
            std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect::<Vec<_>>();
        Self { path: Arc::new(path.to_owned()), text: text.into(), line_starts: line_starts.into() }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn line_count(&self) -> usize {
        self.line_starts.len()
    }

    /// The bytes of a line (from 1) without its line break; empty beyond the end.
    pub(crate) fn line_span(&self, line: usize) -> Range<usize> {
        let end = self.text.len();
        let Some(&start) = line.checked_sub(1).and_then(|index| self.line_starts.get(index)) else {
            return end..end;
        };
        let next = self.line_starts.get(line).copied().unwrap_or(end);
        let content = self.text.get(start..next).unwrap_or_default().trim_end_matches(['\n', '\r']);
        start..start + content.len()
    }

    /// The text of a line (from 1) without its line break.
    pub(crate) fn line(&self, line: usize) -> &str {
        self.text.get(self.line_span(line)).unwrap_or_default()
    }

    /// The byte at a line (from 1) and a column in characters (from 0). Clipped to the line.
    pub(crate) fn offset(&self, line: usize, column: usize) -> usize {
        let span = self.line_span(line);
        let content = self.text.get(span.clone()).unwrap_or_default();
        content.char_indices().nth(column).map_or(span.end, |(at, _)| span.start + at)
    }

    /// The place of some bytes.
    pub(crate) fn place(&self, span: Range<usize>) -> Place {
        let line = self.line_starts.partition_point(|start| *start <= span.start).max(1);
        let start = self.line_span(line).start;
        let column = self.text.get(start..span.start).map_or(0, |before| before.chars().count()) + 1;
        Place { path: Arc::clone(&self.path), line, column, span }
    }

    /// The place of a whole line without its indentation.
    pub(crate) fn line_place(&self, line: usize) -> Place {
        let span = self.line_span(line);
        let content = self.text.get(span.clone()).unwrap_or_default();
        let indentation = content.len() - content.trim_start().len();
        self.place(span.start + indentation..span.start + content.trim_end().len().max(indentation))
    }
}
