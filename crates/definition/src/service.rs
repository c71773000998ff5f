//! Services and resources of an API: named, switched on, with a configuration that somebody else reads
//! (`data-plane.md` sections 1.2, 1.11).

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json::{Flag, Text};
use crate::refusal::{Reason, Refusal, excerpt};
use crate::{At, Configuration, DefinitionVersion};

/// A service that is switched on: discovery of endpoints, refresh of properties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its type, V2 `provider`, as it is written; empty where nothing is said.
    pub kind: String,
    /// Its configuration.
    pub configuration: Configuration,
}

/// A resource that is switched on: a cache, an authorization server, … Policies and plans name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Name, by which it is looked up.
    pub name: String,
    /// Id of the plugin.
    pub kind: String,
    /// Its configuration.
    pub configuration: Configuration,
}

/// A service as it is written.
#[derive(Deserialize)]
pub(crate) struct ServiceJson<'a> {
    enabled: Option<Flag>,
    #[serde(rename = "type", borrow)]
    kind: Option<Text<'a>>,
    /// V2 for `type`.
    provider: Option<Text<'a>>,
    configuration: Option<&'a RawValue>,
}

/// A resource as it is written.
#[derive(Deserialize)]
pub(crate) struct ResourceJson<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(rename = "type")]
    kind: Option<Text<'a>>,
    enabled: Option<Flag>,
    configuration: Option<&'a RawValue>,
}

/// The service, if it is switched on.
pub(crate) fn service(json: Option<ServiceJson<'_>>, at: &At<'_>) -> Result<Option<Service>, Refusal> {
    let Some(json) = json.filter(|json| Flag::or(json.enabled, true)) else { return Ok(None) };
    Ok(Some(Service {
        kind: Text::or(json.kind.or(json.provider), "").into(),
        configuration: Configuration::unwrapped(json.configuration, &at.member("configuration"))?,
    }))
}

/// The resources that are switched on. Two with one name make a V2 definition unreadable, also if one of them is off;
/// in V4 the last one counts.
pub(crate) fn resources(
    json: Option<Vec<ResourceJson<'_>>>,
    version: DefinitionVersion,
    at: &At<'_>,
) -> Result<Vec<Resource>, Refusal> {
    let written = json.unwrap_or_default();
    let mut seen = HashSet::new();
    let mut resources = Vec::with_capacity(written.len());
    for (index, json) in written.into_iter().enumerate() {
        let at = at.element(index);
        let name = Text::filled(json.name).ok_or_else(|| at.refuse(Reason::Missing("name")))?;
        if version == DefinitionVersion::V2 && !seen.insert(name.to_string()) {
            return Err(at.refuse(Reason::Duplicate(excerpt(&name))));
        }
        if Flag::or(json.enabled, true) {
            let kind = Text::filled(json.kind).ok_or_else(|| at.refuse(Reason::Missing("type")))?;
            resources.push(Resource {
                name: name.into_owned(),
                kind: kind.into_owned(),
                configuration: Configuration::unwrapped(json.configuration, &at.member("configuration"))?,
            });
        }
    }
    Ok(resources)
}
