//! Plans: who may call an API, and by what proof (`data-plane.md` sections 1.8, 3.1–3.3).

pub(crate) mod json;

use std::sync::Arc;

use crate::Flow;

/// A plan that is published or deprecated and accepted by the node's sharding tags.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Id; subscriptions name it.
    pub id: Arc<str>,
    /// Name for people.
    pub name: Arc<str>,
    /// Sharding tags.
    pub tags: Vec<String>,
    /// The proof that it asks for.
    pub security: Security,
    /// Plan-level flows.
    pub flows: Vec<Flow>,
}

/// The proof that a plan asks for. Declared in the order in which the security chain tries the types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security {
    /// An API key of a subscription.
    ApiKey(ApiKeySecurity),
    /// None, unless an earlier plan found a token.
    KeyLess,
}

impl Security {
    /// Place of the type in the security chain, ascending (`data-plane.md` section 3.1).
    pub const fn order(&self) -> u32 {
        match self {
            Self::ApiKey(_) => 500,
            Self::KeyLess => 1000,
        }
    }

    /// Label of the type, as V4 definitions write it.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::ApiKey(_) => "api-key",
            Self::KeyLess => "key-less",
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
