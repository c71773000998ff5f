//! Authorization rows: entities and policies (`zone-store.md` sections 6.11 and 6.12). They are carried and shown; nothing
//! is enforced by them here.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// What an authorization entity is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum AuthzEntityKind {
    /// Somebody who acts.
    Principal,
    /// Something that is acted on.
    Resource,
}

/// What an authorization policy applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum AuthzPolicyKind {
    /// Everything.
    Global,
    /// The resource that `entity_id` names.
    Resource,
}

impl<'de> Deserialize<'de> for AuthzEntityKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        one_of(deserializer, [("PRINCIPAL", Self::Principal), ("RESOURCE", Self::Resource)])
    }
}

impl<'de> Deserialize<'de> for AuthzPolicyKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        one_of(deserializer, [("GLOBAL", Self::Global), ("RESOURCE", Self::Resource)])
    }
}

/// A constant, whose letter case does not count, as in APIM's mapper.
fn one_of<'de, D: Deserializer<'de>, T: Copy>(
    deserializer: D,
    constants: [(&'static str, T); 2],
) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    let found = constants.iter().find(|(name, _)| name.eq_ignore_ascii_case(&text));
    found.map(|(_, value)| *value).ok_or_else(|| D::Error::custom("an unknown kind"))
}

/// An authorization entity. `Debug` leaves its attributes out: they may describe people (L3).
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthzEntityPayload {
    /// The entity, as policies name it: `api.bookings`, `idp.am.alice`.
    pub entity_id: String,
    /// Who acts, or what is acted on.
    pub kind: AuthzEntityKind,
    /// Type for the policy engine, as `User`; absent from older management sides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity_type: Option<String>,
    /// An object with attributes of any form, kept as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Box<RawValue>>,
    /// Entities that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parents: Option<Vec<String>>,
    /// Environment. APIM's gateway does not pass it on, but its format has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_id: Option<String>,
    /// Policy decision points that it is for, `*` for all. APIM's gateway does not pass them on, but its format has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_pdp_ids: Option<Vec<String>>,
}

impl fmt::Debug for AuthzEntityPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthzEntityPayload")
            .field("entity_id", &self.entity_id)
            .field("kind", &self.kind)
            .field("entity_type", &self.entity_type)
            .finish_non_exhaustive()
    }
}

/// An authorization policy. `Debug` leaves its text out (L3).
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthzPolicyPayload {
    /// Id of the policy document.
    pub id: String,
    /// Name; the id where the management side has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Everything, or one resource.
    pub kind: AuthzPolicyKind,
    /// The resource; always there for [`AuthzPolicyKind::Resource`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity_id: Option<String>,
    /// The policy, in the engine's language.
    pub policy_text: String,
    /// As [`AuthzEntityPayload::environment_id`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_id: Option<String>,
    /// As [`AuthzEntityPayload::target_pdp_ids`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_pdp_ids: Option<Vec<String>>,
}

impl fmt::Debug for AuthzPolicyPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthzPolicyPayload")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("entity_id", &self.entity_id)
            .finish_non_exhaustive()
    }
}
