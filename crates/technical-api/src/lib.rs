//! The technical API of a gateway, `/_node/*`: the endpoints, authentication and JSON of APIM's (C5), and what this
//! gateway has to say beyond that under members of its own.
//!
//! Relies on axum and on a [`NodeView`], which the binary implements: nothing here knows a channel, a store or a
//! repository. Facts about the original come from `sync-semantics.md` section 10 and recorded answers. Carries C5, its
//! part of L3 (no secret in an answer, unless the operator asks for APIM's clear text), and the readiness rule of
//! A4 (`sync-process` is healthy only once a whole state is active).

mod answer;
mod apis;
mod authentication;
mod cluster;
mod configuration;
mod health;
mod logging;
mod metrics;
mod monitor;
mod node;
mod routes;
mod server;
mod sync;
pub mod view;

pub use authentication::Access;
pub use server::{Handle, ServeError, Settings, Thresholds, serve};
pub use view::NodeView;
