//! The way from an API row to what it means here: which generation, then that generation's own reader.

use serde::Deserialize;
use zonegate_payload::ApiPayload;

use crate::json::{self, Text};
use crate::node::NodeContext;
use crate::refusal::{Reason, Refusal, excerpt};
use crate::{At, NotHere, Read, label, v2, v4};

/// Largest definition that is taken apart (L1).
pub const MAX_DEFINITION_BYTES: usize = 16 * 1024 * 1024;

/// What decides who reads the rest.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    #[serde(borrow)]
    gravitee: Option<Text<'a>>,
    definition_version: Option<Text<'a>>,
    #[serde(rename = "type")]
    kind: Option<Text<'a>>,
}

impl Head<'_> {
    fn is_v4_proxy(&self) -> bool {
        is_v4(self).is_ok_and(|is_v4| is_v4) && Text::is(self.kind.as_ref(), "proxy")
    }
}

/// Reads an API row: to be served, not to be served here, or refused (S3).
pub fn read_api(payload: &ApiPayload, node: &NodeContext) -> Result<Read, Refusal> {
    read(payload, node, false)
}

/// Reads the row of an API that is a member of a product with plans for this gateway. A V4 API is then served whatever its
/// own tags, and without plans of its own (`management-repository.md` section 10.2).
pub fn read_member_api(payload: &ApiPayload, node: &NodeContext) -> Result<Read, Refusal> {
    read(payload, node, true)
}

fn read(payload: &ApiPayload, node: &NodeContext, member: bool) -> Result<Read, Refusal> {
    if !payload.enabled {
        return Ok(Read::NotHere(NotHere::Disabled));
    }
    let text = payload.definition.get();
    check_size(text)?;
    // Most definitions are those of V4 proxies: they are read in one pass. All others, and what is wrong with one, are
    // found out in two.
    if text.contains(r#""definitionVersion""#)
        && let Ok(mut definition) = serde_json::from_str::<v4::Definition<'_>>(text)
        && definition.take_head().is_v4_proxy()
    {
        return v4::read(definition, payload, node, member);
    }
    let head: Head<'_> = json::parse(text, &At::WHOLE)?;
    if !is_v4(&head)? {
        return v2::read(payload, node);
    }
    match Text::filled(head.kind) {
        Some(kind) if label::is(&kind, "proxy") => {
            v4::read(json::parse(text, &At::WHOLE)?, payload, node, member)
        }
        Some(kind) => Err(At::root("type").refuse(Reason::ApiType(excerpt(&kind)))),
        None => Err(At::WHOLE.refuse(Reason::Missing("type"))),
    }
}

impl<'a> v4::Definition<'a> {
    fn take_head(&mut self) -> Head<'a> {
        Head {
            gravitee: self.gravitee.take(),
            definition_version: self.version.take(),
            kind: self.kind.take(),
        }
    }
}

/// The name of an API whose definition may be refused, as far as it can be read.
pub fn name_of(payload: &ApiPayload) -> Option<String> {
    #[derive(Deserialize)]
    struct Name<'a> {
        #[serde(borrow)]
        name: Option<Text<'a>>,
    }
    let text = payload.definition.get();
    check_size(text).ok()?;
    json::parse::<Name<'_>>(text, &At::WHOLE)
        .ok()
        .and_then(|json| Text::filled(json.name))
        .map(|name| excerpt(&name))
}

fn is_v4(head: &Head<'_>) -> Result<bool, Refusal> {
    let own = head.definition_version.as_ref().map(|Text(version)| version.trim());
    let old = head.gravitee.as_ref().map(|Text(version)| version.trim());
    match (own, old) {
        (Some("4.0.0"), _) | (_, Some("4.0.0")) => Ok(true),
        (Some(version), _) if label::is(version, "v4") => Ok(true),
        (None, Some("2.0.0") | None) | (Some("2.0.0"), None) => Ok(false),
        (Some(version), None | Some("2.0.0")) if label::is(version, "v2") => Ok(false),
        (Some(version), _) => {
            Err(Refusal::new(Reason::DefinitionVersion(excerpt(version)), "definitionVersion"))
        }
        (None, Some(version)) => Err(Refusal::new(Reason::DefinitionVersion(excerpt(version)), "gravitee")),
    }
}

/// Refuses a text that is too long to be taken apart.
pub(crate) fn check_size(text: &str) -> Result<(), Refusal> {
    if text.len() > MAX_DEFINITION_BYTES {
        return Err(Refusal::new(Reason::TooLarge { size: text.len(), limit: MAX_DEFINITION_BYTES }, ""));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
