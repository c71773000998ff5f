//! Why an API is not served (S3). The one list of everything that is refused; `docs/definitions.md` explains it.

use std::fmt;

/// A definition that is not served: what is wrong with it, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong.
    pub reason: Reason,
    /// JSON path of the place within the definition, for example `plans[1].security`; empty for the whole.
    pub at: String,
}

impl Refusal {
    /// Refuses the place `at`.
    pub fn new(reason: Reason, at: impl Into<String>) -> Self {
        Self { reason, at: at.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.at.is_empty() {
            write!(f, "{}", self.reason)
        } else {
            write!(f, "{}: {}", self.at, self.reason)
        }
    }
}

impl std::error::Error for Refusal {}

/// What is wrong. Messages carry labels of the definition, shortened, and never a configuration value (L3).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The text is too long to be taken apart.
    #[error("the definition has {size} bytes, more than the limit of {limit}")]
    TooLarge {
        /// Bytes that it has.
        size: usize,
        /// Bytes that it may have.
        limit: usize,
    },
    /// Not the JSON that belongs here.
    #[error("not the JSON that belongs here ({0})")]
    Malformed(String),
    /// A member without which nothing can be served is absent or empty.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// Something that must be unique comes twice.
    #[error("`{0}` comes twice")]
    Duplicate(String),
    /// Neither 2.0.0 nor 4.0.0.
    #[error("definition version `{0}` is not served (2.0.0 and 4.0.0 are)")]
    DefinitionVersion(String),
    /// Not an HTTP proxy.
    #[error("APIs of type `{0}` are not served (proxy is)")]
    ApiType(String),
    /// Not an HTTP listener.
    #[error("listeners of type `{0}` are not served (http is)")]
    ListenerType(String),
    /// Not the entrypoint of an HTTP proxy.
    #[error("entrypoints of type `{0}` are not served (http-proxy is)")]
    EntrypointType(String),
    /// A host with a wildcard.
    #[error("hosts with a wildcard (`{0}`) are not served")]
    WildcardHost(String),
    /// A plan asks for a proof that cannot be checked.
    #[error("plans with security `{0}` are not served (key-less and api-key are)")]
    PlanSecurity(String),
    /// A plan has a rule that would have to be evaluated.
    #[error("plans with a selection rule are not served")]
    SelectionRule,
    /// A flow or step has a condition that would have to be evaluated.
    #[error("conditions are not served")]
    Condition,
    /// A selector of another kind of API.
    #[error("flow selectors of type `{0}` are not served (http is)")]
    SelectorType(String),
    /// A flow path that is a regular expression beyond `:name` segments.
    #[error("a flow path with characters of a regular expression is not served")]
    FlowPath,
    /// A value holds an expression that would have to be evaluated.
    #[error("expressions are not served here")]
    Expression,
    /// Cross-origin settings are on.
    #[error("cross-origin settings (CORS) are not served")]
    Cors,
    /// Response templates are there.
    #[error("response templates are not served")]
    ResponseTemplates,
    /// Failover is on.
    #[error("failover is not served")]
    Failover,
    /// Endpoints come from a discovery service.
    #[error("service discovery is not served")]
    ServiceDiscovery,
    /// Not an HTTP endpoint.
    #[error("endpoints of type `{0}` are not served (http-proxy is)")]
    EndpointType(String),
    /// An unknown strategy.
    #[error("load balancing `{0}` is not known")]
    LoadBalancing(String),
    /// A target with TLS.
    #[error("upstreams with TLS (`{0}`) are not served")]
    UpstreamTls(&'static str),
    /// A target of another protocol.
    #[error("upstreams with scheme `{0}` are not served (http is)")]
    UpstreamScheme(&'static str),
    /// An upstream by HTTP/2.
    #[error("HTTP version `{0}` is not served to upstreams (HTTP_1_1 is)")]
    UpstreamVersion(String),
    /// Redirects would have to be followed.
    #[error("following redirects is not served")]
    FollowRedirects,
    /// An upstream through a proxy.
    #[error("upstreams through a proxy are not served")]
    UpstreamProxy,
    /// A proxy of an unknown type.
    #[error("proxies of type `{0}` are not known")]
    ProxyType(String),
    /// A key store or trust store of an unknown type.
    #[error("key stores and trust stores of type `{0}` are not known")]
    StoreType(String),
    /// A shared policy group for an unknown phase.
    #[error("phase `{0}` is not known")]
    Phase(String),
    /// A number out of its range.
    #[error("`{0}` is out of range")]
    OutOfRange(&'static str),
    /// A header name or value that may not be sent.
    #[error("not a valid header")]
    Header,
    /// A policy that this gateway does not have. Found when the flows are compiled.
    #[error("policy `{0}` is not there")]
    UnknownPolicy(String),
    /// A policy that cannot be built from its configuration. Found when the flows are compiled.
    #[error("policy `{policy}`: {problem}")]
    PolicyConfiguration {
        /// Id of the policy.
        policy: String,
        /// What is wrong, without values of the configuration.
        problem: String,
    },
    /// Another API was deployed on the same host and path before. Found when routes are built.
    #[error("context path `{path}`{} is taken by API {holder}", host.as_ref().map(|host| format!(" on host `{host}`")).unwrap_or_default())]
    ContextPathTaken {
        /// Host, if the context path has one.
        host: Option<String>,
        /// Context path.
        path: String,
        /// Id of the API that has it.
        holder: String,
    },
    /// Anything that a later step finds.
    #[error("{0}")]
    Other(String),
}

/// A foreign label, short and printable enough for a message.
pub fn excerpt(text: &str) -> String {
    shortened(text, 64)
}

/// A foreign text without control characters, with at most so many others.
pub(crate) fn shortened(text: &str, longest: usize) -> String {
    let mut short: String =
        text.chars().take(longest).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(longest).is_some() {
        short.push('…');
    }
    short
}
