//! Configurations of plugins: kept as text until the plugin that owns the schema reads them.

use std::fmt;

use crate::At;
use crate::json;
use crate::refusal::Refusal;
use serde_json::value::RawValue;

/// The configuration of a policy, a plan's security, a resource, a service or an entrypoint, as JSON text. It may hold
/// secrets, so `Debug` shows only its length (L3).
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

    /// Of a member that is an object, or a string that holds JSON (`data-plane.md` section 1.1).
    pub(crate) fn unwrapped(text: Option<&RawValue>, at: &At<'_>) -> Result<Self, Refusal> {
        match text.map(RawValue::get) {
            Some(text) if text.starts_with('"') => Self::within(&json::parse::<String>(text, at)?, at),
            text => Ok(Self::new(text)),
        }
    }

    /// Of JSON that was written as a string; blank stands for all defaults.
    pub(crate) fn within(text: &str, at: &At<'_>) -> Result<Self, Refusal> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::new(None));
        }
        // Only that it is JSON is seen to here.
        json::parse::<&RawValue>(text, at)?;
        Ok(Self::new(Some(text)))
    }
}

impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Configuration({} bytes)", self.0.len())
    }
}
