//! Parser events → a tree of nodes with places. Keeps what was read before a syntax error.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use super::misplaced;
use crate::diagnostic::Diagnostic;
use crate::source::Source;

/// Deeper nesting is an error: the whole sample file has seven levels.
const DEPTH_LIMIT: usize = 64;
/// Nodes that aliases may add to the file's own.
const ALIAS_NODE_LIMIT: usize = 10_000;

/// A node of the file.
#[derive(Debug)]
pub(super) struct Node {
    /// Bytes of the value. Empty for a value that is not there (`key:`).
    pub(super) span: Range<usize>,
    pub(super) content: Content,
    /// Nodes in this subtree, this one included.
    size: usize,
    /// Levels in this subtree, this one included.
    depth: usize,
}

#[derive(Debug)]
pub(super) enum Content {
    Scalar { text: String, plain: bool },
    Sequence(Vec<Rc<Node>>),
    Mapping(Vec<Entry>),
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: Key,
    pub(super) value: Rc<Node>,
}

/// A key of a mapping as it counts in a property's name.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) text: String,
    pub(super) plain: bool,
    pub(super) span: Range<usize>,
}

/// The documents of a file; the last one is incomplete if there was an error.
pub(super) struct Built {
    pub(super) documents: Vec<Rc<Node>>,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// Whether the parser reached the end.
    pub(super) complete: bool,
}

/// A collection that is still being read.
struct Open {
    start: usize,
    anchor: usize,
    kind: OpenKind,
}

enum OpenKind {
    Sequence(Vec<Rc<Node>>),
    Mapping {
        entries: Vec<Entry>,
        /// The key whose value comes next.
        key: Option<Key>,
        /// Where each key stands, to find the second one.
        seen: HashMap<String, Range<usize>>,
    },
}

struct Builder<'s> {
    source: &'s Source,
    /// Byte of each character, because the parser counts characters.
    bytes: CharacterIndex,
    open: Vec<Open>,
    anchors: HashMap<usize, Rc<Node>>,
    alias_nodes: usize,
    documents: Vec<Rc<Node>>,
    diagnostics: Vec<Diagnostic>,
}

pub(super) fn build(source: &Source) -> Built {
    let mut builder = Builder {
        source,
        bytes: CharacterIndex::new(source.text()),
        open: Vec::new(),
        anchors: HashMap::new(),
        alias_nodes: 0,
        documents: Vec::new(),
        diagnostics: Vec::new(),
    };
    let mut complete = true;
    for next in Parser::new_from_str(source.text()) {
        let done = match next {
            Ok((event, span)) => builder.on_event(event, span),
            Err(error) => Err(builder.syntax_error(&error).into()),
        };
        if let Err(diagnostic) = done {
            builder.diagnostics.push(*diagnostic);
            builder.close_all();
            complete = false;
            break;
        }
    }
    Built { documents: builder.documents, diagnostics: builder.diagnostics, complete }
}

impl Builder<'_> {
    fn on_event(&mut self, event: Event<'_>, span: Span) -> Result<(), Box<Diagnostic>> {
        let span = self.bytes.range(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && tag.is_none();
                // An absent value has the position of whatever comes next.
                let span = if text.is_empty() && plain { span.start..span.start } else { span };
                let node = Node {
                    span,
                    content: Content::Scalar { text: text.into_owned(), plain },
                    size: 1,
                    depth: 1,
                };
                self.add(Rc::new(node), anchor)
            }
            Event::SequenceStart(anchor, _) => {
                self.push(span.start, anchor, OpenKind::Sequence(Vec::new()), &span)
            }
            Event::MappingStart(anchor, _) => {
                let kind = OpenKind::Mapping { entries: Vec::new(), key: None, seen: HashMap::new() };
                self.push(span.start, anchor, kind, &span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span.end),
            Event::Alias(anchor) => self.alias(anchor, &span),
            Event::DocumentEnd => {
                self.anchors.clear();
                Ok(())
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => Ok(()),
        }
    }

    fn push(
        &mut self,
        start: usize,
        anchor: usize,
        kind: OpenKind,
        span: &Range<usize>,
    ) -> Result<(), Box<Diagnostic>> {
        self.check_depth(1, span)?;
        self.open.push(Open { start, anchor, kind });
        Ok(())
    }

    fn check_depth(&self, added: usize, span: &Range<usize>) -> Result<(), Box<Diagnostic>> {
        if self.open.len() + added <= DEPTH_LIMIT {
            return Ok(());
        }
        Err(Diagnostic::error(format!("more than {DEPTH_LIMIT} levels of nesting"))
            .at(self.source.place(span.clone()))
            .key(self.path())
            .into())
    }

    fn close(&mut self, end: usize) -> Result<(), Box<Diagnostic>> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let span = open.start..end.max(open.start);
        let mut size = 1_usize;
        let mut depth = 0;
        let mut count = |node: &Node| {
            size = size.saturating_add(node.size);
            depth = depth.max(node.depth);
        };
        let content = match open.kind {
            OpenKind::Sequence(items) => {
                for item in &items {
                    count(item);
                }
                Content::Sequence(items)
            }
            OpenKind::Mapping { entries, .. } => {
                for entry in &entries {
                    count(&entry.value);
                }
                Content::Mapping(entries)
            }
        };
        self.add(Rc::new(Node { span, content, size, depth: depth + 1 }), open.anchor)
    }

    fn alias(&mut self, anchor: usize, span: &Range<usize>) -> Result<(), Box<Diagnostic>> {
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return Err(Diagnostic::error("an alias to a value that contains it")
                .at(self.source.place(span.clone()))
                .key(self.path())
                .into());
        };
        self.check_depth(node.depth, span)?;
        self.alias_nodes = self.alias_nodes.saturating_add(node.size);
        if self.alias_nodes > ALIAS_NODE_LIMIT {
            return Err(Diagnostic::error(format!("aliases expand to more than {ALIAS_NODE_LIMIT} values"))
                .at(self.source.place(span.clone()))
                .key(self.path())
                .into());
        }
        self.add(node, 0)
    }

    fn add(&mut self, node: Rc<Node>, anchor: usize) -> Result<(), Box<Diagnostic>> {
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        let Some(open) = self.open.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        match &mut open.kind {
            OpenKind::Sequence(items) => items.push(node),
            OpenKind::Mapping { entries, key, seen } => match key.take() {
                Some(key) => entries.push(Entry { key, value: node }),
                None => match &node.content {
                    Content::Scalar { text, plain } => {
                        let new = Key { text: text.clone(), plain: *plain, span: node.span.clone() };
                        // The merge key may be repeated.
                        let first =
                            (text != "<<").then(|| seen.insert(text.clone(), new.span.clone())).flatten();
                        *key = Some(new);
                        if let Some(first) = first {
                            let duplicate = self.duplicate(&node.span, first);
                            self.diagnostics.push(duplicate);
                        }
                    }
                    Content::Sequence(_) | Content::Mapping(_) => {
                        return Err(Diagnostic::error("a key must be text")
                            .at(self.source.place(node.span.clone()))
                            .hint("if this is a placeholder, put the value in quotes: \"${…}\"")
                            .into());
                    }
                },
            },
        }
        Ok(())
    }

    fn duplicate(&self, second: &Range<usize>, first: Range<usize>) -> Diagnostic {
        let key = self.path();
        let place = self.source.place(second.clone());
        let first = self.source.place(first);
        if let Some(known) = misplaced::certificate_keys(self.source, place.line) {
            return known.key(key);
        }
        Diagnostic::error("the same key twice")
            .hint(format!("keep one of them; the first one is in line {}", first.line))
            .key(key)
            .labelled(place, "here again")
            .context(first, "first given here")
    }

    fn syntax_error(&self, error: &ScanError) -> Diagnostic {
        let marker = error.marker();
        let line = marker.line().clamp(1, self.source.line_count());
        if let Some(known) = misplaced::certificate_keys(self.source, line) {
            return known.key(self.path());
        }
        let start = self.source.offset(line, marker.col());
        let end =
            self.source.text().get(start..).and_then(|rest| rest.chars().next()).map_or(start, |character| {
                if character == '\n' { start } else { start + character.len_utf8() }
            });
        let text = self.source.line(line);
        let hint = if text.trim_start_matches(' ').starts_with('\t') {
            "indent with spaces; YAML does not allow tabs there"
        } else if text.contains("${") && text.contains(['[', '{']) {
            "put placeholders inside of [ ] or { } in quotes: \"${…}\""
        } else if text.matches('"').count() % 2 == 1 || text.matches('\'').count() % 2 == 1 {
            "a quote seems not to be closed"
        } else {
            "compare the indentation of this line with that of the lines above, and put text with special \
             characters in quotes"
        };
        Diagnostic::error(format!("this is not valid YAML: {}", error.info()))
            .at(self.source.place(start..end))
            .key(self.path())
            .hint(hint)
    }

    /// The key of what is being read.
    fn path(&self) -> String {
        let mut path = String::new();
        for open in &self.open {
            match &open.kind {
                OpenKind::Sequence(items) => {
                    let _ = write!(path, "[{}]", items.len());
                }
                OpenKind::Mapping { key: Some(key), .. } => super::flatten::append(&mut path, key),
                OpenKind::Mapping { .. } => {}
            }
        }
        path
    }

    /// Ends what is open as if the file ended here, so that what was read can be looked at.
    fn close_all(&mut self) {
        let end = self.source.text().len();
        while !self.open.is_empty() {
            if self.close(end).is_err() {
                break;
            }
        }
    }
}

/// From the parser's positions in characters to bytes.
enum CharacterIndex {
    /// All ASCII: the same number.
    Same(usize),
    Mapped(Vec<usize>),
}

impl CharacterIndex {
    fn new(text: &str) -> Self {
        if text.is_ascii() {
            return Self::Same(text.len());
        }
        Self::Mapped(text.char_indices().map(|(at, _)| at).chain([text.len()]).collect())
    }

    fn byte(&self, character: usize) -> usize {
        match self {
            Self::Same(length) => character.min(*length),
            Self::Mapped(bytes) => bytes.get(character).or(bytes.last()).copied().unwrap_or_default(),
        }
    }

    fn range(&self, span: Span) -> Range<usize> {
        let start = self.byte(span.start.index());
        start..self.byte(span.end.index()).max(start)
    }
}
