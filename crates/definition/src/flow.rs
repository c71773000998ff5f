//! Flows: which policies run, for which requests (`data-plane.md` sections 1.7, 4.1–4.3).

pub(crate) mod json;

use std::fmt;
use std::sync::Arc;

/// A flow that is switched on.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Id, where it has one.
    pub id: Option<String>,
    /// Name for people.
    pub name: Option<String>,
    /// Which requests it is for; `None`: every request.
    pub selector: Option<Selector>,
    /// Steps of the request phase, in order.
    pub request: Vec<Step>,
    /// Steps of the response phase, in order.
    pub response: Vec<Step>,
}

/// Which requests a flow is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
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

/// One use of a policy.
#[derive(Clone, Debug)]
pub struct Step {
    /// Name for people.
    pub name: Option<String>,
    /// Id of the policy.
    pub policy: Arc<str>,
    /// The policy's configuration.
    pub configuration: Configuration,
}

/// The configuration of a policy as JSON text (an object, or a string that holds JSON), to be read by the policy
/// itself. It may hold secrets, so `Debug` shows only its length (L3).
#[derive(Clone, PartialEq, Eq)]
pub struct Configuration(Box<str>);

impl Configuration {
    /// Wraps JSON text; `None` stands for "all defaults" and becomes `null`.
    pub fn new(text: Option<&str>) -> Self {
        Self(text.unwrap_or("null").into())
    }

    /// The JSON text: valid JSON, `null` where the definition has none.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Configuration({} bytes)", self.0.len())
    }
}
