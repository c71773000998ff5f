//! Plans: who may call an API, and by what proof (`data-plane.md` sections 1.8, 3.1–3.3).

pub(crate) mod json;

use std::sync::Arc;

use crate::{Configuration, Flow, Template};

/// A plan that is published or deprecated and accepted by the node's sharding tags.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its number among the plans of the definition, those that are not served included: its place there.
    pub index: usize,
    /// Id; subscriptions name it.
    pub id: Arc<str>,
    /// Name for people.
    pub name: Arc<str>,
    /// Sharding tags.
    pub tags: Vec<String>,
    /// The proof that it asks for.
    pub security: Security,
    /// Expression that must be true, or the plan is not for the request; braces may be left out. Never blank.
    pub selection_rule: Option<Template>,
    /// Plan-level flows.
    pub flows: Vec<Flow>,
}

/// The proof that a plan asks for. Declared in the order in which the security chain tries the types. Whoever checks a
/// proof reads its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security {
    /// A client certificate of a subscription.
    Mtls(Configuration),
    /// A signed token of a subscription's client.
    Jwt(Configuration),
    /// A token that an authorization server knows.
    OAuth2(Configuration),
    /// An API key of a subscription.
    ApiKey(ApiKeySecurity),
    /// None, unless an earlier plan found a token.
    KeyLess,
    /// A type that is not known.
    Other {
        /// Its label, as it is written, shortened.
        label: String,
        /// Its configuration.
        configuration: Configuration,
    },
}

impl Security {
    /// Place of the type in the security chain, ascending (`data-plane.md` section 3.1).
    pub const fn order(&self) -> i32 {
        match self {
            Self::Mtls(_) => -100,
            Self::Jwt(_) => 0,
            Self::OAuth2(_) => 100,
            Self::ApiKey(_) => 500,
            Self::KeyLess => 1000,
            Self::Other { .. } => i32::MAX,
        }
    }

    /// Label of the type, as V4 definitions write it.
    pub fn label(&self) -> &str {
        match self {
            Self::Mtls(_) => "mtls",
            Self::Jwt(_) => "jwt",
            Self::OAuth2(_) => "oauth2",
            Self::ApiKey(_) => "api-key",
            Self::KeyLess => "key-less",
            Self::Other { label, .. } => label,
        }
    }
}

/// Where a plan of type API key looks for the key, and whether the upstream sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiKeySecurity {
    /// The plan's own header name, in lower case; `None`: the node's.
    pub header: Option<String>,
    /// Where to look.
    pub source: ApiKeySource,
    /// Leave the key in the request that goes upstream.
    pub propagate: bool,
}

/// Where an API key is looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ApiKeySource {
    /// A header, and if it is absent the query parameter.
    #[default]
    Header,
    /// `Authorization: Bearer <key>` only.
    Bearer,
    /// The query parameter only.
    QueryParameter,
}
