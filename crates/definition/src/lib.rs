//! Reads what an API row says into one model of a served HTTP proxy API, whatever the generation of its definition.
//!
//! Relies on `zonegate-payload` for the wrapper around a definition. Knows no I/O and no clock. Carries S3: what is
//! not understood, or not served yet, is a [`Refusal`] that says what and where; nothing is served in part. The list
//! of what is refused is [`Reason`], explained in `docs/definitions.md`. Carries L1 (a definition is hostile text:
//! bounded, never a panic) and L3 (`Debug` and messages show no header value, property value or step configuration).

mod api;
mod cors;
mod endpoint;
mod flow;
mod json;
mod label;
mod limitation;
mod listener;
mod node;
mod organization;
mod plan;
mod product;
mod read;
mod refusal;
mod target;
mod v2;
mod v4;

pub use api::{Api, ContextPath, DefinitionVersion, ExecutionMode, NotHere, Property, Read};
pub use cors::Cors;
pub use endpoint::{Endpoint, EndpointGroup, EndpointHeader, HttpSettings, LoadBalancing};
pub use flow::{Configuration, Flow, FlowMode, PathOperator, Selector, Step};
pub use limitation::{LeftOut, Limitation};
pub use node::NodeContext;
pub use organization::{Organization, read_organization};
pub use plan::{ApiKeySecurity, ApiKeySource, Plan, Security};
pub use product::{ApiProduct, read_api_product};
pub use read::{MAX_DEFINITION_BYTES, name_of, read_api, read_member_api};
pub use refusal::{Reason, Refusal};
pub use target::{NotAUrl, Scheme, Target};
