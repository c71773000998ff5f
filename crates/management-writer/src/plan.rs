//! Plans of an API, in both definition formats.

use serde_json::{Value, json};

/// How a plan authenticates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanSecurity {
    /// Not at all.
    Keyless,
    /// By API key.
    ApiKey,
    /// By JWT.
    Jwt,
    /// By OAuth2 introspection.
    OAuth2,
}

/// A plan.
#[derive(Clone, Debug)]
pub struct PlanSpec {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// How it authenticates.
    pub security: PlanSecurity,
    /// Settings of the security.
    pub configuration: Value,
    /// `published`, `deprecated`, `staging`, `closed`.
    pub status: String,
    /// Condition under which the plan is chosen.
    pub selection_rule: Option<String>,
    /// Sharding tags.
    pub tags: Vec<String>,
    /// Flows, in the format of the definition.
    pub flows: Value,
}

impl PlanSpec {
    /// A published plan.
    pub fn new(id: impl Into<String>, security: PlanSecurity) -> Self {
        let id = id.into();
        Self {
            name: id.clone(),
            id,
            security,
            configuration: json!({}),
            status: "published".to_owned(),
            selection_rule: None,
            tags: Vec::new(),
            flows: json!([]),
        }
    }

    /// A published keyless plan.
    pub fn keyless(id: impl Into<String>) -> Self {
        Self::new(id, PlanSecurity::Keyless)
    }

    /// A published API-key plan.
    pub fn api_key(id: impl Into<String>) -> Self {
        Self::new(id, PlanSecurity::ApiKey)
    }

    /// With another status.
    #[must_use]
    pub fn status(mut self, status: &str) -> Self {
        status.clone_into(&mut self.status);
        self
    }

    /// With a sharding tag.
    #[must_use]
    pub fn tag(mut self, tag: &str) -> Self {
        self.tags.push(tag.to_owned());
        self
    }

    /// With a selection rule.
    #[must_use]
    pub fn selection_rule(mut self, rule: &str) -> Self {
        self.selection_rule = Some(rule.to_owned());
        self
    }

    pub(crate) fn v4(&self) -> Value {
        let label = match self.security {
            PlanSecurity::Keyless => "key-less",
            PlanSecurity::ApiKey => "api-key",
            PlanSecurity::Jwt => "jwt",
            PlanSecurity::OAuth2 => "oauth2",
        };
        let mut plan = json!({
            "id": self.id, "name": self.name, "mode": "standard", "status": self.status, "tags": self.tags,
            "security": { "type": label, "configuration": self.configuration }, "flows": self.flows,
        });
        if let Some(rule) = &self.selection_rule {
            plan["selectionRule"] = json!(rule);
        }
        plan
    }

    pub(crate) fn v2(&self, api: &str) -> Value {
        let label = match self.security {
            PlanSecurity::Keyless => "KEY_LESS",
            PlanSecurity::ApiKey => "API_KEY",
            PlanSecurity::Jwt => "JWT",
            PlanSecurity::OAuth2 => "OAUTH2",
        };
        let mut plan = json!({
            "id": self.id, "name": self.name, "status": self.status.to_uppercase(), "tags": self.tags,
            "security": label, "securityDefinition": self.configuration.to_string(), "flows": self.flows,
            "referenceId": api, "referenceType": "API",
        });
        if let Some(rule) = &self.selection_rule {
            plan["selectionRule"] = json!(rule);
        }
        plan
    }
}
