//! The model of an API as it is served, the same for V2 and V4 definitions.

pub(crate) mod json;

use std::fmt;
use std::sync::Arc;

use crate::{
    Analytics, ContextPath, Cors, EndpointGroup, Entrypoint, Failover, Flow, FlowMode, Limitation, Plan,
    Resource, ResponseTemplates, Service,
};

/// An HTTP proxy API, as its definition describes it. It holds only what takes part in serving: plans that are not
/// published, flows, steps, resources and services that are switched off, and endpoints of other tenants are left out.
///
/// Whether everything in it can be served is decided by whoever executes it.
#[derive(Clone, Debug)]
pub struct Api {
    /// Id.
    pub id: Arc<str>,
    /// Name for people.
    pub name: Arc<str>,
    /// The API's own version.
    pub version: Arc<str>,
    /// Generation of the definition.
    pub generation: DefinitionVersion,
    /// Which of the original's engines the definition was made for. V4 definitions know one.
    pub execution_mode: ExecutionMode,
    /// Id of the environment.
    pub environment: Option<Arc<str>>,
    /// Id of the organization, whose flows run around this API's.
    pub organization: Option<Arc<str>>,
    /// When it was deployed, milliseconds since 1970.
    pub deployed_at: Option<i64>,
    /// Number of the deployment, as text.
    pub revision: Option<String>,
    /// Sharding tags.
    pub tags: Vec<String>,
    /// Where it is reachable. Never empty, no entry twice.
    pub listeners: Vec<ContextPath>,
    /// How V4 listeners offer it.
    pub entrypoints: Vec<Entrypoint>,
    /// Patterns over the path-info by which requests are counted. They never route.
    pub path_mappings: Vec<String>,
    /// Cross-origin settings, if they are switched on.
    pub cors: Option<Cors>,
    /// Refuse requests that carry a NUL byte.
    pub reject_null_byte: bool,
    /// Plans in the order in which they are tried. Empty only where the API is served through products alone.
    pub plans: Vec<Plan>,
    /// Endpoint groups; the first is the default group.
    pub groups: Vec<EndpointGroup>,
    /// Endpoints come from a discovery service. V2 only; groups may have one of their own.
    pub discovery: Option<Service>,
    /// Failover, if it is switched on.
    pub failover: Option<Failover>,
    /// API-level flows.
    pub flows: Vec<Flow>,
    /// How flows are chosen, at plan and API level.
    pub flow_mode: FlowMode,
    /// Answer 404 where neither a plan's nor the API's flows match.
    pub match_required: bool,
    /// Answers for failures, by the failure's key.
    pub response_templates: Vec<ResponseTemplates>,
    /// Resources that policies and plans name. Where a V4 definition has a name twice, the last one counts.
    pub resources: Vec<Resource>,
    /// Properties for the expression language.
    pub properties: Vec<Property>,
    /// The management side fetches properties from somewhere. Nothing for a gateway to do.
    pub dynamic_properties: Option<Service>,
    /// What is to be recorded.
    pub analytics: Analytics,
    /// Plans of API products may cover it.
    pub allowed_in_products: bool,
    /// What was left out when it was read, without the API being served wrongly.
    pub limitations: Vec<Limitation>,
}

/// Generation of an API definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DefinitionVersion {
    /// `gravitee: 2.0.0`, or no version at all.
    V2,
    /// `definitionVersion: 4.0.0`.
    V4,
}

impl DefinitionVersion {
    /// As the technical API prints it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V2 => "V2",
            Self::V4 => "V4",
        }
    }
}

/// Which engine of the original a V2 definition asks for. They differ in the order of response flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExecutionMode {
    /// The old engine: response flows run API, plan, organization.
    V3,
    /// The new one: response flows run plan, API, organization.
    V4,
}

/// A property of an API. Its value may refer to another one as `{{key}}`. Values may be secrets, so `Debug` shows only the key (L3).
#[derive(Clone, PartialEq, Eq)]
pub struct Property {
    /// Key.
    pub key: String,
    /// Value, decrypted if the zone's rows carry it decrypted.
    pub value: String,
    /// The value is still encrypted: it could not be decrypted where the row was made.
    pub encrypted: bool,
    /// It was fetched by the management side.
    pub dynamic: bool,
}

impl fmt::Debug for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Property")
            .field("key", &self.key)
            .field("encrypted", &self.encrypted)
            .finish_non_exhaustive()
    }
}

/// What a row of an API, or of an API product, means for this gateway.
#[derive(Clone, Debug)]
pub enum Read<T = Api> {
    /// To be served.
    Serve(Box<T>),
    /// Understood, and not to be served by this gateway.
    NotHere(NotHere),
}

/// Why an API or a product that is well understood is not served here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NotHere {
    /// The row says so.
    #[error("it is not enabled")]
    Disabled,
    /// The node's sharding tags do not accept the API's.
    #[error("its sharding tags are not among this gateway's")]
    Tags,
    /// No plan is published and accepted by the node's sharding tags.
    #[error("it has no published plan for this gateway")]
    NoPlan,
}
