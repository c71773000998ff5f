//! What an API is, and how the management API describes it in an event (`management-repository.md` section 7.1).

use serde_json::{Value, json};

use crate::{DEFAULT_ENVIRONMENT, PlanSpec};

/// Which format a definition has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefinitionVersion {
    /// APIM 2 and 3.
    V2,
    /// APIM 4.
    V4,
}

/// An API to deploy. Fields can be changed freely before it is deployed.
#[derive(Clone, Debug)]
pub struct ApiSpec {
    /// Id, used as it is.
    pub id: String,
    /// Name.
    pub name: String,
    /// Which format.
    pub version: DefinitionVersion,
    /// Path below which it is served.
    pub context_path: String,
    /// Host that it is bound to, if any.
    pub host: Option<String>,
    /// Upstream, `http://host:port/path`.
    pub target: String,
    /// Plans.
    pub plans: Vec<PlanSpec>,
    /// Sharding tags.
    pub tags: Vec<String>,
    /// API flows, an array in the format of the definition.
    pub flows: Value,
    /// `{key, value, encrypted}` objects.
    pub properties: Vec<Value>,
    /// Environment.
    pub environment: String,
    /// Members to set in the definition, over what is made from the rest.
    pub overrides: Vec<(String, Value)>,
}

impl ApiSpec {
    /// A V4 HTTP proxy API without plans.
    pub fn v4(id: impl Into<String>, context_path: impl Into<String>, target: impl Into<String>) -> Self {
        Self::new(DefinitionVersion::V4, id.into(), context_path.into(), target.into())
    }

    /// A V2 API without plans.
    pub fn v2(id: impl Into<String>, context_path: impl Into<String>, target: impl Into<String>) -> Self {
        Self::new(DefinitionVersion::V2, id.into(), context_path.into(), target.into())
    }

    fn new(version: DefinitionVersion, id: String, context_path: String, target: String) -> Self {
        Self {
            name: id.clone(),
            id,
            version,
            context_path,
            host: None,
            target,
            plans: Vec::new(),
            tags: Vec::new(),
            flows: json!([]),
            properties: Vec::new(),
            environment: DEFAULT_ENVIRONMENT.to_owned(),
            overrides: Vec::new(),
        }
    }

    /// With a name.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Bound to a host.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.host = Some(host.to_owned());
        self
    }

    /// With a plan.
    #[must_use]
    pub fn plan(mut self, plan: PlanSpec) -> Self {
        self.plans.push(plan);
        self
    }

    /// With a published keyless plan `<id>-keyless`.
    #[must_use]
    pub fn keyless(self) -> Self {
        let plan = PlanSpec::keyless(format!("{}-keyless", self.id));
        self.plan(plan)
    }

    /// With a published API-key plan `<id>-api-key`.
    #[must_use]
    pub fn api_key(self) -> Self {
        let plan = PlanSpec::api_key(format!("{}-api-key", self.id));
        self.plan(plan)
    }

    /// With flows, an array in the format of the definition.
    #[must_use]
    pub fn flows(mut self, flows: Value) -> Self {
        self.flows = flows;
        self
    }

    /// With a sharding tag.
    #[must_use]
    pub fn tag(mut self, tag: &str) -> Self {
        self.tags.push(tag.to_owned());
        self
    }

    /// With a property.
    #[must_use]
    pub fn property(mut self, key: &str, value: &str) -> Self {
        self.properties.push(json!({ "key": key, "value": value, "encrypted": false, "dynamic": false }));
        self
    }

    /// With a property whose value is already encrypted.
    #[must_use]
    pub fn encrypted_property(mut self, key: &str, cipher_text: &str) -> Self {
        self.properties
            .push(json!({ "key": key, "value": cipher_text, "encrypted": true, "dynamic": false }));
        self
    }

    /// In another environment.
    #[must_use]
    pub fn environment(mut self, environment: &str) -> Self {
        environment.clone_into(&mut self.environment);
        self
    }

    /// With a member of the definition set to this, whatever the rest says.
    #[must_use]
    pub fn with(mut self, member: &str, value: Value) -> Self {
        self.overrides.push((member.to_owned(), value));
        self
    }

    /// The definition.
    pub fn definition(&self) -> Value {
        let mut definition = match self.version {
            DefinitionVersion::V4 => self.definition_v4(),
            DefinitionVersion::V2 => self.definition_v2(),
        };
        for (member, value) in &self.overrides {
            definition[member] = value.clone();
        }
        definition
    }

    fn definition_v4(&self) -> Value {
        let mut path = json!({ "path": self.context_path });
        if let Some(host) = &self.host {
            path["host"] = json!(host);
        }
        json!({
            "id": self.id, "name": self.name, "type": "proxy", "apiVersion": "1.0", "definitionVersion": "4.0.0",
            "tags": self.tags, "properties": self.properties, "resources": [],
            "listeners": [{
                "type": "http", "paths": [path], "pathMappings": [], "servers": [],
                "entrypoints": [{ "type": "http-proxy", "configuration": {}, "qos": "auto" }],
            }],
            "endpointGroups": [{
                "name": "Default group", "type": "http-proxy", "loadBalancer": { "type": "round-robin" },
                "sharedConfiguration": {}, "services": {},
                "endpoints": [{
                    "name": "Default", "type": "http-proxy", "secondary": false, "tenants": [], "weight": 1,
                    "inheritConfiguration": true, "configuration": { "target": self.target }, "services": {},
                }],
            }],
            "analytics": { "enabled": false },
            "plans": self.plans.iter().map(PlanSpec::v4).collect::<Vec<_>>(),
            "flowExecution": { "mode": "default", "matchRequired": false },
            "flows": self.flows,
        })
    }

    fn definition_v2(&self) -> Value {
        let mut host = json!({ "path": self.context_path });
        if let Some(name) = &self.host {
            host["host"] = json!(name);
        }
        json!({
            "id": self.id, "name": self.name, "version": "1.0", "gravitee": "2.0.0",
            "execution_mode": "v4-emulation-engine", "flow_mode": "DEFAULT",
            "proxy": {
                "virtual_hosts": [host], "strip_context_path": false, "preserve_host": false,
                "groups": [{
                    "name": "default-group", "load_balancing": { "type": "ROUND_ROBIN" },
                    "endpoints": [{
                        "name": "default", "target": self.target, "weight": 1, "backup": false, "type": "http",
                    }],
                }],
            },
            "plans": self.plans.iter().map(|plan| plan.v2(&self.id)).collect::<Vec<_>>(),
            "flows": self.flows, "properties": self.properties, "tags": self.tags, "path_mappings": [],
        })
    }

    /// The record that goes into an event's payload: the definition as text within text.
    pub(crate) fn record(&self, lifecycle: &str, now: i64) -> Value {
        let mut record = json!({
            "id": self.id, "environmentId": self.environment, "name": self.name, "version": "1.0",
            "origin": "management", "definition": self.definition().to_string(), "deployedAt": now,
            "createdAt": now, "updatedAt": now, "visibility": "PRIVATE", "lifecycleState": lifecycle,
            "apiLifecycleState": "CREATED",
        });
        match self.version {
            DefinitionVersion::V4 => {
                record["definitionVersion"] = json!("4.0.0");
                record["type"] = json!("proxy");
            }
            DefinitionVersion::V2 => record["mode"] = json!("fully_managed"),
        }
        record
    }
}
