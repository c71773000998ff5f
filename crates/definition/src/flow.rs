//! Flows: which policies run, for which requests (`data-plane.md` sections 1.7, 4.1–4.3, 4.5).

pub(crate) mod json;

use std::sync::Arc;

use crate::{Configuration, Template};

/// A flow that is switched on.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Its number among the flows of its level, those that are off included: its place in the definition.
    pub index: usize,
    /// Id, where it has one.
    pub id: Option<String>,
    /// Name for people.
    pub name: Option<String>,
    /// Which requests it is for: all must accept. Empty: every request.
    pub selectors: Vec<Selector>,
    /// Steps of the request phase, in order.
    pub request: Vec<Step>,
    /// Steps of the response phase, in order.
    pub response: Vec<Step>,
}

impl Flow {
    /// The selector by path and method; there is at most one.
    pub fn http_selector(&self) -> Option<&HttpSelector> {
        self.selectors.iter().find_map(|selector| match selector {
            Selector::Http(http) => Some(http),
            _ => None,
        })
    }
}

/// What makes a flow accept a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// Path and method.
    Http(HttpSelector),
    /// An expression that must be true. Never blank. Without braces it is a literal text, true only if it says `true`.
    Condition(Template),
    /// A selector of another kind of API (`channel`, `mcp`), or an unknown one, by its label.
    Other(String),
}

/// Path and method of the requests that a flow is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSelector {
    /// Pattern over the path-info; a segment `:name` matches any one segment. As it is written, `/` where absent.
    pub path: String,
    /// How the pattern is compared.
    pub operator: PathOperator,
    /// Methods in upper case; empty: all.
    pub methods: Vec<String>,
}

/// How a flow's path pattern is compared with the path-info.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PathOperator {
    /// The path-info starts with the pattern; not aligned on segments.
    #[default]
    StartsWith,
    /// The whole path-info is the pattern, one `/` at the end not counting.
    Equals,
}

/// How the flows of one level are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlowMode {
    /// All that match, in order.
    #[default]
    Default,
    /// At most one: the one whose pattern fits best.
    BestMatch,
}

/// A step that is switched on.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its number among the steps of its phase, those that are off included: its place in the definition.
    pub index: usize,
    /// Name for people.
    pub name: Option<String>,
    /// Expression that must be true, or the step is skipped. Never blank.
    pub condition: Option<Template>,
    /// What it does.
    pub action: Action,
}

impl Step {
    /// Id of the policy that it runs, if it runs one.
    pub fn policy(&self) -> Option<&str> {
        match &self.action {
            Action::Policy { id, .. } => Some(id),
            Action::SharedPolicyGroup { .. } => None,
        }
    }
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Runs a policy.
    Policy {
        /// Id of the policy.
        id: Arc<str>,
        /// Its configuration: an object, or a string that holds JSON.
        configuration: Configuration,
    },
    /// Runs the steps of a shared policy group of the API's environment.
    SharedPolicyGroup {
        /// Id of the group.
        id: Arc<str>,
    },
}

/// The policy id by which a step names a shared policy group.
pub const SHARED_POLICY_GROUP: &str = "shared-policy-group-policy";
