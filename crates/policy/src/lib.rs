//! Policies: the trait, the registry by which a definition's steps find them, and the chains that a deployment builds.
//!
//! Relies on `zonegate-definition` for flows and steps and on `http` for headers. No I/O: a policy is built when an
//! API is deployed and is shared by all workers, so the request path looks nothing up by name. Carries S3: a step
//! whose policy is unknown, or whose configuration is not understood, is a [`Refusal`](zonegate_definition::Refusal)
//! of the whole API.

mod builtin;
mod chain;
mod failure;
mod path;
mod policy;
mod registry;

pub use chain::{Level, Selection};
pub use failure::Failure;
pub use path::PathPattern;
pub use policy::{Policy, RequestView, ResponseView, Verdict};
pub use registry::{Factory, Registry, Step, WrongConfiguration};
