//! Reads what an API row says into one model of an HTTP proxy API, whatever the generation of its definition; the same
//! for rows of API products, organizations and shared policy groups.
//!
//! Relies on `zonegate-payload` for the wrapper around a definition. Knows no I/O and no clock. Carries S3: what is
//! not understood is a [`Refusal`] that says what and where. What is understood is in the model whether it can be
//! served or not; the data plane refuses what it cannot do when it compiles the model, with the same [`Reason`]s.
//! The list of them is explained in `docs/definitions.md`. Carries L1 (a definition is hostile text:
//! bounded, never a panic) and L3 (`Debug` and messages show no header value, property value or step configuration).

mod analytics;
mod api;
mod at;
mod configuration;
mod connection;
mod cors;
mod endpoint;
mod failover;
mod flow;
mod health_check;
mod json;
mod label;
mod limitation;
mod listener;
mod node;
mod organization;
mod place;
mod plan;
mod product;
mod read;
mod refusal;
mod response_template;
mod service;
mod shared_policy_group;
mod target;
mod template;
mod tls;
mod v2;
mod v4;

pub use analytics::{Analytics, Logging, Sampling, Tracing};
pub use api::{Api, DefinitionVersion, ExecutionMode, NotHere, Property, Read};
pub use at::At;
pub use configuration::Configuration;
pub use connection::{
    ConnectionSettings, EndpointHeader, Http2Settings, HttpSettings, HttpVersion, ProxyKind, UpstreamProxy,
};
pub use cors::Cors;
pub use endpoint::{Endpoint, EndpointGroup, EndpointTarget, LoadBalancing};
pub use failover::{CircuitBreaker, Failover};
pub use flow::{Action, Flow, FlowMode, HttpSelector, PathOperator, SHARED_POLICY_GROUP, Selector, Step};
pub use health_check::{HealthCheck, Probe};
pub use limitation::{LeftOut, Limitation};
pub use listener::{ContextPath, Entrypoint};
pub use node::NodeContext;
pub use organization::{Organization, read_organization};
pub use plan::{ApiKeySecurity, ApiKeySource, Plan, Security};
pub use product::{ApiProduct, read_api_product};
pub use read::{MAX_DEFINITION_BYTES, name_of, read_api, read_member_api};
pub use refusal::{Reason, Refusal, excerpt};
pub use response_template::{ResponseTemplate, ResponseTemplates};
pub use service::{Resource, Service};
pub use shared_policy_group::{Phase, SharedPolicyGroup, read_shared_policy_group};
pub use target::{NotAUrl, Scheme, Target};
pub use template::{Template, has_expression};
pub use tls::{KeyStore, Material, StoreFile, TlsSettings, TrustStore};
