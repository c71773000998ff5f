//! Which policies this gateway has, by the id that steps name.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use zonegate_definition::{Action, At, Reason, Refusal, SHARED_POLICY_GROUP, excerpt};

use crate::Policy;
use crate::builtin;

/// A policy as it stands in a chain.
pub type Step = Box<dyn Policy>;

/// Builds a policy from the JSON text of its configuration (`null` for all defaults).
pub type Factory = fn(configuration: &str) -> Result<Step, WrongConfiguration>;

/// A configuration that a policy does not understand. The text must not repeat values of the configuration (L3).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WrongConfiguration(pub String);

/// The policies of this gateway.
#[derive(Clone)]
pub struct Registry {
    factories: BTreeMap<&'static str, Factory>,
}

impl Registry {
    /// The policies that come with the gateway.
    pub fn builtin() -> Self {
        let mut registry = Self { factories: BTreeMap::new() };
        registry.add(builtin::transform_headers::ID, builtin::transform_headers::build);
        registry
    }

    /// Adds a policy, replacing one of the same id.
    pub fn add(&mut self, id: &'static str, factory: Factory) {
        self.factories.insert(id, factory);
    }

    /// Ids of all policies, in order.
    pub fn ids(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.factories.keys().copied()
    }

    /// Builds the policy of one step; `at` is the step's place for messages.
    pub fn build(&self, step: &zonegate_definition::Step, at: &At<'_>) -> Result<Step, Refusal> {
        if step.condition.is_some() {
            return Err(at.member("condition").refuse(Reason::Condition));
        }
        let (id, configuration) = match &step.action {
            Action::Policy { id, configuration } => (id, configuration),
            Action::SharedPolicyGroup { .. } => {
                return Err(at.refuse(Reason::UnknownPolicy(SHARED_POLICY_GROUP.to_owned())));
            }
        };
        let factory =
            self.factories.get(&**id).ok_or_else(|| at.refuse(Reason::UnknownPolicy(excerpt(id))))?;
        object(configuration.as_str()).and_then(|text| factory(&text)).map_err(
            |WrongConfiguration(problem)| {
                at.refuse(Reason::PolicyConfiguration { policy: id.to_string(), problem })
            },
        )
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::builtin()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.factories.keys()).finish()
    }
}

/// The configuration itself: it may be written as a string that holds JSON, and blank stands for all defaults
/// (`data-plane.md` section 1.1).
fn object(configuration: &str) -> Result<Cow<'_, str>, WrongConfiguration> {
    if !configuration.trim_start().starts_with('"') {
        return Ok(Cow::Borrowed(configuration));
    }
    let text: String = serde_json::from_str(configuration)
        .map_err(|_| WrongConfiguration("not the JSON that belongs here".to_owned()))?;
    Ok(Cow::Owned(if text.trim().is_empty() { "null".to_owned() } else { text }))
}
