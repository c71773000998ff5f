//! A mistake that real files have because APIM's own sample has it, and that is understood here.

use std::collections::{BTreeMap, HashMap};

use crate::Place;
use crate::diagnostic::Diagnostic;
use crate::known_keys;
use crate::property::Property;

const NESTED: &str = "distributed-sync.redis.password.";
const MEANT: &str = "distributed-sync.redis.";

/// APIM's shipped sample indents everything after `distributed-sync.redis.password` one level too deep. Uncommented as
/// it stands, `password` becomes a section; its keys are taken for what they are meant to be, siblings.
pub(super) fn nested_below_password(
    file: &mut BTreeMap<String, Property>,
    sections: &HashMap<String, Place>,
) -> Option<Diagnostic> {
    let moved: Vec<(String, String)> = file
        .keys()
        .filter_map(|key| {
            let meant = format!("{MEANT}{}", key.strip_prefix(NESTED)?);
            let known = known_keys::find(&meant).is_some() || known_keys::is_section(&meant);
            known.then(|| (key.clone(), meant))
        })
        .collect();
    let mut first: Option<Property> = None;
    for (key, meant) in moved {
        let Some(property) = file.remove(&key) else { continue };
        if first.as_ref().is_none_or(|first| property.key_place.span.start < first.key_place.span.start) {
            first = Some(property.clone());
        }
        // What already stands in the right place wins.
        file.entry(meant).or_insert(property);
    }
    first.map(|property| {
        Diagnostic::warning(
            "the keys below `password` stand one level too deep; they are taken as its siblings",
        )
        .key("distributed-sync.redis.password")
        .at(sections.get(NESTED.trim_end_matches('.')).cloned().unwrap_or(property.key_place))
        .hint("indent them as `password` itself; APIM's gateway does not read them where they are")
    })
}
