//! API events (`management-repository.md` section 7.1) → API rows (`zone-store.md` section 6.1).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use zonegate_model::{Kind, Row, RowKey};

use super::plan::{self, Format, ServedPlans};
use super::{Reason, Refusal, Settings, deployed, json, payload_of};
use crate::record::{EventRecord, Place};
use crate::{ApiPayload, PropertyCipher, lenient, nesting};

/// What a publishing event of an API comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiOutcome {
    /// It is served.
    Served {
        /// Its row.
        row: Row,
        /// Plans whose subscriptions and keys belong to it.
        plans: ServedPlans,
    },
    /// It is not for this gateway, or not to be served at the moment.
    NotServed(NotServed),
}

/// Why an API is not served although it was understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotServed {
    /// Its lifecycle is not `STARTED`.
    #[error("it is not started")]
    Stopped,
    /// Its sharding tags are not this gateway's.
    #[error("its sharding tags do not match the setting `tags`")]
    OtherTags,
    /// No published or deprecated plan with matching tags.
    #[error("it has no published plan for this gateway")]
    NoPlan,
}

/// The types of V4 API that some version of APIM has. Which of them are served is decided where definitions are read.
const V4_TYPES: [&str; 8] =
    ["proxy", "message", "native", "llm-proxy", "mcp-proxy", "a2a-proxy", "edge", "authz"];

/// The repository's record of an API, as far as it counts.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    definition_version: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    definition: Option<String>,
    lifecycle_state: Option<String>,
    environment_id: Option<Arc<str>>,
}

/// A property of a definition.
#[derive(Serialize, Deserialize)]
struct Property<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    key: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    value: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "lenient::or_default")]
    encrypted: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dynamic: Option<bool>,
}

type Members<'a> = BTreeMap<String, Cow<'a, RawValue>>;

/// Converts a `PUBLISH_API` or `START_API`. `place` looks up where the API's environment belongs.
pub fn api(
    event: &EventRecord,
    settings: &Settings,
    place: impl FnOnce(Option<&Arc<str>>) -> Place,
) -> Result<ApiOutcome, Refusal> {
    outcome(event, settings, false, place)
}

/// Converts a `PUBLISH_API` or `START_API` of an API that is a member of a product with plans for this gateway. A V4 API
/// is then served whatever its own tags, and without plans of its own (`management-repository.md` section 10.2).
pub fn member_api(
    event: &EventRecord,
    settings: &Settings,
    place: impl FnOnce(Option<&Arc<str>>) -> Place,
) -> Result<ApiOutcome, Refusal> {
    outcome(event, settings, true, place)
}

fn outcome(
    event: &EventRecord,
    settings: &Settings,
    member: bool,
    place: impl FnOnce(Option<&Arc<str>>) -> Place,
) -> Result<ApiOutcome, Refusal> {
    let id = event.subject();
    let key = RowKey::new(Kind::Api, Arc::clone(&id));
    match convert(event, &id, settings, member, place) {
        Ok(Ok((payload, plans))) => Ok(ApiOutcome::Served { row: deployed(key, &payload)?, plans }),
        Ok(Err(not_served)) => Ok(ApiOutcome::NotServed(not_served)),
        Err(reason) => Err(Refusal { key, reason }),
    }
}

type Converted = Result<(ApiPayload, ServedPlans), NotServed>;

fn convert(
    event: &EventRecord,
    id: &str,
    settings: &Settings,
    member: bool,
    place: impl FnOnce(Option<&Arc<str>>) -> Place,
) -> Result<Converted, Reason> {
    const DEFINITION: &str = "the definition";
    let record: Record = json::read("the payload", payload_of(event)?)?;
    if record.lifecycle_state.as_deref() != Some("STARTED") {
        return Ok(Err(NotServed::Stopped));
    }
    let definition = record.definition.ok_or(Reason::Missing("the definition"))?;
    if !nesting::is_bounded(&definition) {
        return Err(Reason::TooDeep(DEFINITION));
    }
    let format = match record.definition_version.as_deref() {
        Some("4.0.0") => Format::V4,
        _ => Format::V2,
    };
    let members: BTreeMap<String, &RawValue> = json::read(DEFINITION, &definition)?;
    let mut members: Members<'_> =
        members.into_iter().map(|(name, value)| (name, Cow::Borrowed(value))).collect();

    let subject = text(&members, "id")?.ok_or(Reason::Missing("the definition's id"))?;
    if subject != id {
        return Err(Reason::other_subject(id, &subject));
    }
    match format {
        Format::V4 => {
            let kind =
                record.kind.or(text(&members, "type")?).ok_or(Reason::Missing("the type of the API"))?;
            if !V4_TYPES.contains(&kind.as_str()) {
                return Err(Reason::UnknownApiType(kind.chars().take(40).collect()));
            }
        }
        Format::V2 => respell_v2(&mut members)?,
    }
    let tags: Option<Vec<String>> = match members.get("tags") {
        Some(tags) => json::read("the tags", tags.get())?,
        None => None,
    };
    let member = member && format == Format::V4;
    if !member && !settings.tags.accept(tags.iter().flatten().map(String::as_str)) {
        return Ok(Err(NotServed::OtherTags));
    }
    let (plans, served) = plan::served(format, id, members.get("plans").map(AsRef::as_ref), &settings.tags)?;
    let plans = match plans {
        Some(plans) => plans,
        None if member => to_raw_value(&[(); 0]).map_err(|error| json::reason(DEFINITION, &error))?,
        None => return Ok(Err(NotServed::NoPlan)),
    };
    members.insert("plans".to_owned(), Cow::Owned(plans));
    if let Some(properties) =
        properties(format, id, members.get("properties").map(AsRef::as_ref), &settings.cipher)?
    {
        members.insert("properties".to_owned(), Cow::Owned(properties));
    }
    // Absent and null are the same, and the zone store has neither.
    members.retain(|_, value| value.get() != "null");

    let place = place(record.environment_id.as_ref());
    let payload = ApiPayload {
        definition: to_raw_value(&members).map_err(|error| json::reason(DEFINITION, &error))?,
        enabled: true,
        deployed_at: event.created_at,
        revision: event.properties.get("deployment_number").cloned(),
        environment_id: place.environment_id.or(record.environment_id),
        environment_hrid: place.environment_hrid,
        organization_id: place.organization_id,
        organization_hrid: place.organization_hrid,
    };
    Ok(Ok((payload, served)))
}

/// A member that is a text, or absent.
fn text(members: &Members<'_>, name: &str) -> Result<Option<String>, Reason> {
    match members.get(name) {
        Some(value) => json::read("the definition", value.get()),
        None => Ok(None),
    }
}

/// Brings a V2 definition into the spelling that APIM's gateway writes: what it defaults is there.
fn respell_v2(members: &mut Members<'_>) -> Result<(), Reason> {
    if text(members, "gravitee")?.as_deref() != Some("2.0.0") {
        return Err(Reason::DefinitionV1);
    }
    let mode = match text(members, "execution_mode")?.as_deref() {
        Some("v4-emulation-engine" | "jupiter") => "v4-emulation-engine",
        _ => "v3",
    };
    let flow_mode = match text(members, "flow_mode")? {
        Some(mode) if mode.eq_ignore_ascii_case("BEST_MATCH") => "BEST_MATCH",
        _ => "DEFAULT",
    };
    for (name, value) in [("execution_mode", mode), ("flow_mode", flow_mode)] {
        let value = to_raw_value(value).map_err(|error| json::reason("the definition", &error))?;
        members.insert(name.to_owned(), Cow::Owned(value));
    }
    Ok(())
}

/// Properties in clear text; `None` where there is nothing to change. A value that does not decrypt stays as it is, as in
/// APIM, and the log says which: only whoever sets the secret can do something about it.
fn properties(
    format: Format,
    api: &str,
    properties: Option<&RawValue>,
    cipher: &PropertyCipher,
) -> Result<Option<Box<RawValue>>, Reason> {
    const WHAT: &str = "the properties";
    let Some(text) = properties.map(RawValue::get) else { return Ok(None) };
    let mut list: Vec<Property<'_>> = if format == Format::V2 && text.starts_with('{') {
        let object: BTreeMap<String, Option<String>> = json::read(WHAT, text)?;
        object
            .into_iter()
            .map(|(key, value)| Property {
                key: Some(Cow::Owned(key)),
                value: value.map(Cow::Owned),
                encrypted: false,
                dynamic: None,
            })
            .collect()
    } else {
        let list: Option<Vec<Property<'_>>> = json::read(WHAT, text)?;
        match list {
            Some(list) if list.iter().any(|property| property.encrypted) => list,
            _ => return Ok(None),
        }
    };
    for property in list.iter_mut().filter(|property| property.encrypted) {
        let key = property.key.as_deref().unwrap_or_default();
        match property.value.as_deref().map(|value| cipher.decrypt(value)) {
            Some(Some(clear)) => {
                property.value = Some(Cow::Owned(clear));
                property.encrypted = false;
            }
            Some(None) => tracing::warn!(
                api,
                property = key,
                "a property of the API cannot be decrypted and stays encrypted; check `api.properties.encryption.secret`"
            ),
            None => {}
        }
    }
    to_raw_value(&list).map(Some).map_err(|error| json::reason(WHAT, &error))
}
