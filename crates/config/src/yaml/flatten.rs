//! Tree → properties, by Spring's rules.
//!
//! A mapping's key is joined with a dot; a number or boolean as key becomes `[404]` (which is why APIM's key is called
//! `http.errors[404]`); list elements are `[0]`, `[1]`; an absent value and an empty list are the empty text; an empty
//! mapping is nothing. `<<` merges, with the mapping's own keys first.

use std::rc::Rc;

use super::tree::{Content, Entry, Key, Node};
use super::{Parsed, scalar};
use crate::diagnostic::Diagnostic;
use crate::property::Property;
use crate::source::Source;

/// Properties that one file may have. Far above any real file; keeps aliases from filling the memory.
const PROPERTY_LIMIT: usize = 20_000;

pub(super) fn flatten(source: &Source, document: &Rc<Node>, parsed: &mut Parsed) {
    match &document.content {
        Content::Scalar { text, plain: true } if text.is_empty() => {}
        Content::Mapping(_) => Flattener { source, parsed, merging: false }.node("", None, document),
        Content::Scalar { .. } | Content::Sequence(_) => parsed.diagnostics.push(
            Diagnostic::error("the file must consist of keys with values")
                .at(source.place(document.span.start..document.span.start))
                .hint("write `key: value` lines"),
        ),
    }
}

/// Appends a key to a path.
pub(super) fn append(path: &mut String, key: &Key) {
    if key.plain && (scalar::integer(&key.text).is_some() || scalar::boolean(&key.text).is_some()) {
        let text = scalar::text(&key.text);
        path.push('[');
        path.push_str(&text);
        path.push(']');
    } else {
        if !path.is_empty() && !key.text.starts_with('[') {
            path.push('.');
        }
        path.push_str(&key.text);
    }
}

struct Flattener<'a> {
    source: &'a Source,
    parsed: &'a mut Parsed,
    /// Inside of a section that `<<` merges.
    merging: bool,
}

impl Flattener<'_> {
    fn node(&mut self, path: &str, key: Option<&Key>, node: &Node) {
        if self.parsed.properties.len() >= PROPERTY_LIMIT {
            if self.parsed.complete {
                self.parsed.complete = false;
                self.parsed.diagnostics.push(
                    Diagnostic::error(format!("more than {PROPERTY_LIMIT} values"))
                        .key(path)
                        .at(self.source.place(node.span.clone())),
                );
            }
            return;
        }
        if let Some(key) = key
            && !matches!(node.content, Content::Scalar { .. })
        {
            self.parsed
                .sections
                .entry(path.to_owned())
                .or_insert_with(|| self.source.place(key.span.clone()));
        }
        match &node.content {
            Content::Scalar { text, plain } => self.put(path, key, node, text, *plain),
            Content::Sequence(items) if items.is_empty() => self.put(path, key, node, "", false),
            Content::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.node(&format!("{path}[{index}]"), key, item);
                }
            }
            Content::Mapping(entries) => self.mapping(path, entries),
        }
    }

    fn mapping(&mut self, path: &str, entries: &[Entry]) {
        // Merged keys first: the mapping's own come later and win.
        for entry in entries.iter().filter(|entry| is_merge(entry)) {
            match &entry.value.content {
                Content::Mapping(_) => self.merge(path, &entry.value),
                Content::Sequence(items)
                    if items.iter().all(|item| matches!(item.content, Content::Mapping(_))) =>
                {
                    // The first of several has precedence.
                    for item in items.iter().rev() {
                        self.merge(path, item);
                    }
                }
                Content::Scalar { .. } | Content::Sequence(_) => self.parsed.diagnostics.push(
                    Diagnostic::error("`<<` needs a section to merge")
                        .at(self.source.place(entry.key.span.clone()))
                        .key(path),
                ),
            }
        }
        for entry in entries.iter().filter(|entry| !is_merge(entry)) {
            let mut child = path.to_owned();
            append(&mut child, &entry.key);
            self.node(&child, Some(&entry.key), &entry.value);
        }
    }

    fn merge(&mut self, path: &str, node: &Node) {
        let outer = std::mem::replace(&mut self.merging, true);
        self.node(path, None, node);
        self.merging = outer;
    }

    fn put(&mut self, path: &str, key: Option<&Key>, node: &Node, text: &str, plain: bool) {
        let raw = if plain && scalar::is_null(text) { "" } else { text };
        // Plain text may be reported with the blanks behind it.
        let shown = self.source.text().get(node.span.clone()).unwrap_or_default();
        let value_span = node.span.start..node.span.start + shown.trim_end().len();
        let key_span = key.map_or_else(|| value_span.clone(), |key| key.span.clone());
        let place = if value_span.is_empty() { key_span.clone() } else { value_span };
        self.parsed.properties.push((
            path.to_owned(),
            Property {
                raw: raw.to_owned(),
                plain,
                merged: self.merging,
                place: self.source.place(place),
                key_place: self.source.place(key_span),
            },
        ));
    }
}

fn is_merge(entry: &Entry) -> bool {
    entry.key.plain && entry.key.text == "<<"
}
