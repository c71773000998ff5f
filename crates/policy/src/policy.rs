//! The policy trait, and what a policy sees of a request and its response.
//!
//! A policy is synchronous and touches the head of a message. What the roadmap adds later fits without changing
//! those that exist: a policy that waits (callouts, shared rate limits) answers with a further [`Verdict`] that carries a
//! future; one that needs a body says so at deployment, so that only chains with such a policy buffer; expressions are
//! compiled by the factory and read the views.

use std::fmt;

use http::{HeaderMap, Method, StatusCode};

use crate::Failure;

/// What happens after a policy has run.
#[derive(Debug)]
pub enum Verdict {
    /// The next step runs.
    Continue,
    /// The request fails: the steps after this one and the upstream are skipped.
    Fail(Box<Failure>),
}

/// The head of a request, on its way to the upstream.
#[derive(Debug)]
pub struct RequestView<'a> {
    /// Method.
    pub method: &'a Method,
    /// Context path of the API, with `/` at both ends.
    pub context_path: &'a str,
    /// What of the path follows the context path; empty, or with `/` in front. Raw, not decoded.
    pub path_info: &'a str,
    /// Headers, as they will go upstream.
    pub headers: &'a mut HeaderMap,
}

/// The head of a response, on its way to the client.
#[derive(Debug)]
pub struct ResponseView<'a> {
    /// Status.
    pub status: &'a mut StatusCode,
    /// Headers, as the client will get them.
    pub headers: &'a mut HeaderMap,
}

/// A policy, configured by one step of a flow. Built when the API is deployed, shared by all workers.
pub trait Policy: fmt::Debug + Send + Sync {
    /// Runs in the request phase, before the upstream is called.
    fn on_request(&self, _request: &mut RequestView<'_>) -> Verdict {
        Verdict::Continue
    }

    /// Runs in the response phase.
    fn on_response(&self, _response: &mut ResponseView<'_>) -> Verdict {
        Verdict::Continue
    }
}
