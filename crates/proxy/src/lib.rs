//! The HTTP data plane: listeners, the life of a request, the security chain, upstream pools, and the gateway's own
//! answers.
//!
//! Relies on `zonegate-generation` for what is served (one pointer per request) and on `zonegate-policy` for chains.
//! Everything that an API's definition says is resolved when the API is deployed ([`Compiler`]); the request path looks
//! nothing up by name. Carries S2 (a request sees one generation from its beginning to its end), S3 (what cannot be
//! compiled is refused), L1 and L2 on the wire (hostile requests and responses are bounded), L3 (no key or header value
//! in a log line or `Debug`).
//!
//! Workers are threads with a runtime each ([`Server`]); they share no lock on the request path.

mod admission;
mod answer;
mod body;
mod chunked;
mod counters;
mod deployment;
mod forward;
#[doc(hidden)]
pub mod fuzzing;
mod identity;
mod life;
mod query;
mod security;
mod server;
mod settings;
mod upstream;

pub use counters::{ApiCounters, ApiSnapshot, Counters, GatewaySnapshot, LATENCY_BOUNDS};
pub use deployment::{CompiledApi, CompiledProduct, Compiler};
pub use server::{Running, Server, StartError};
pub use settings::{GatewaySettings, InvalidSetting, ListenerSettings};
pub use upstream::failure::CallError;
