//! Turns records of a management repository into rows of the zone store. Pure functions, for any repository adapter.
//!
//! Each takes one record and answers for that record only: a row, its removal, or a [`Refusal`] that says why it
//! cannot be understood. A row is a function of the record and of the settings here; never of the time or of what
//! was read before, so that reading twice gives the same (S4, Z7).

mod api;
mod authz;
mod json;
mod organization;
mod plan;
mod platform;
mod subscription;

use zonegate_model::{Row, RowKey};

pub use api::{ApiOutcome, NotServed, api, member_api};
pub use authz::{authz_entity, authz_policy};
pub use organization::organization;
pub use plan::ServedPlans;
pub use platform::{
    ProductOutcome, access_point, api_product, dictionary, license, node_metadata, shared_policy_group,
};
pub use subscription::{api_key, subscription};

use crate::record::{EventRecord, EventText};
use crate::{PropertyCipher, ShardingTags, nesting};

/// The longest payload of an event that is read, in bytes (L1).
pub const MAX_PAYLOAD: usize = 32 * 1024 * 1024;

/// Settings that decide what a record becomes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `tags`.
    pub tags: ShardingTags,
    /// `api.properties.encryption.secret`.
    pub cipher: PropertyCipher,
}

/// A record that could not be understood: what it would have become, and why not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {reason}")]
pub struct Refusal {
    /// The row.
    pub key: RowKey,
    /// Why.
    pub reason: Reason,
}

/// Why a record could not be understood. No part of the record's text is in it, since that may hold secrets (L3).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// No payload where one is needed.
    #[error("the event has no payload; deploy it again in the management console")]
    NoPayload,
    /// Longer than [`MAX_PAYLOAD`].
    #[error("the payload is {0} bytes long, more than the {limit} that are read", limit = MAX_PAYLOAD)]
    TooLong(u64),
    /// Not UTF-8.
    #[error("the payload is not UTF-8 text")]
    NotText,
    /// Nested too deeply.
    #[error("{0} nests objects and arrays more than {limit} deep", limit = nesting::MAX_NESTING)]
    TooDeep(&'static str),
    /// Not JSON.
    #[error("{what} is not JSON: it breaks off or is malformed at line {line}, column {column}")]
    NotJson {
        /// Which text.
        what: &'static str,
        /// Where in it.
        line: usize,
        /// Where in it.
        column: usize,
    },
    /// JSON of another form than is expected.
    #[error(
        "{what} has a member that is missing or of the wrong type, noticed at line {line}, column {column}"
    )]
    WrongForm {
        /// Which text.
        what: &'static str,
        /// Where in it.
        line: usize,
        /// Where in it.
        column: usize,
    },
    /// A member is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// The record is about something else than its event.
    #[error("the event is about `{event}`, but its payload describes `{payload}`")]
    OtherSubject {
        /// What the event is about.
        event: String,
        /// What the payload describes.
        payload: String,
    },
    /// A type of API that is not known.
    #[error("`{0}` is not a type of API that is known")]
    UnknownApiType(String),
    /// A V1 definition.
    #[error(
        "the definition is of version 1, which APIM gateways gave up in 4.12; migrate the API to V2 or V4"
    )]
    DefinitionV1,
}

impl Reason {
    /// The payload's id is foreign text: only its beginning is repeated.
    fn other_subject(event: &str, payload: &str) -> Self {
        Self::OtherSubject { event: event.to_owned(), payload: payload.chars().take(80).collect() }
    }
}

/// The text of an event's payload, if it is there and bounded.
fn payload_of(event: &EventRecord) -> Result<&str, Reason> {
    match &event.payload {
        EventText::Absent => Err(Reason::NoPayload),
        EventText::TooLong(bytes) => Err(Reason::TooLong(*bytes)),
        EventText::NotText => Err(Reason::NotText),
        EventText::Text(text) if text.len() > MAX_PAYLOAD => Err(Reason::TooLong(text.len() as u64)),
        EventText::Text(text) if !nesting::is_bounded(text) => Err(Reason::TooDeep("the payload")),
        EventText::Text(text) => Ok(text),
    }
}

/// A row with its payload written out.
fn deployed(key: RowKey, payload: &impl serde::Serialize) -> Result<Row, Refusal> {
    match serde_json::to_string(payload) {
        Ok(text) => Ok(Row::deployed(key, text)),
        // Cannot happen: maps have text keys and nothing else fails. Still no reason to take the process down.
        Err(error) => Err(Refusal { key, reason: json::reason("the row", &error) }),
    }
}
