//! Dictionaries, organizations, shared policy groups and API products: all delivered as events
//! (`management-repository.md` sections 7.4 to 7.7).

use serde_json::{Value, json};

use crate::database::WriteError;
use crate::{DEFAULT_ENVIRONMENT, EventRow, EventType, ManagementWriter, PlanSpec};

/// An API product to deploy.
#[derive(Clone, Debug)]
pub struct ApiProductSpec {
    /// Id.
    pub id: String,
    /// Member APIs.
    pub apis: Vec<String>,
    /// Its plans.
    pub plans: Vec<PlanSpec>,
}

impl ManagementWriter {
    /// Publishes a dictionary. Expressions find it under `key`, or under its id if there is none.
    pub async fn publish_dictionary(
        &self,
        id: &str,
        key: Option<&str>,
        properties: &[(&str, &str)],
    ) -> Result<(), WriteError> {
        let now = self.now();
        let properties: Value = properties.iter().map(|(key, value)| (*key, json!(value))).collect();
        let mut payload = json!({
            "id": id, "environmentId": DEFAULT_ENVIRONMENT, "name": id, "type": "MANUAL", "state": "STOPPED",
            "createdAt": now, "updatedAt": now, "deployedAt": now, "properties": properties,
        });
        if let Some(key) = key {
            payload["key"] = json!(key);
        }
        let payload = Some(payload.to_string());
        self.write_event(&EventRow::new(id, EventType::PublishDictionary, "dictionary_id", payload)).await
    }

    /// Takes a dictionary off the gateways.
    pub async fn unpublish_dictionary(&self, id: &str) -> Result<(), WriteError> {
        let payload = json!({ "id": id, "environmentId": DEFAULT_ENVIRONMENT, "name": id, "properties": {} });
        let payload = Some(payload.to_string());
        self.write_event(&EventRow::new(id, EventType::UnpublishDictionary, "dictionary_id", payload)).await
    }

    /// Publishes an organization with its platform flows (an array of V2 flows).
    pub async fn publish_organization(&self, id: &str, flows: Value) -> Result<(), WriteError> {
        let payload = json!({
            "id": id, "hrids": [id.to_lowercase()], "name": id, "flowMode": "DEFAULT", "flows": flows,
        });
        let mut event =
            EventRow::new(id, EventType::PublishOrganization, "organization_id", Some(payload.to_string()));
        event.organizations = vec![id.to_owned()];
        self.write_event(&event).await
    }

    /// Deploys a shared policy group: `id` is the row's own, `cross_id` the one that flows name.
    pub async fn deploy_shared_policy_group(
        &self,
        id: &str,
        cross_id: &str,
        phase: &str,
        policies: Value,
    ) -> Result<(), WriteError> {
        let payload = json!({
            "id": cross_id, "environmentId": DEFAULT_ENVIRONMENT, "name": cross_id, "version": "1", "phase": phase,
            "policies": policies, "deployedAt": self.now(),
        });
        self.write_group(EventType::DeploySharedPolicyGroup, id, cross_id, Some(payload.to_string())).await
    }

    /// Takes a shared policy group off the gateways.
    pub async fn undeploy_shared_policy_group(&self, id: &str, cross_id: &str) -> Result<(), WriteError> {
        self.write_group(EventType::UndeploySharedPolicyGroup, id, cross_id, None).await
    }

    async fn write_group(
        &self,
        kind: EventType,
        id: &str,
        cross_id: &str,
        payload: Option<String>,
    ) -> Result<(), WriteError> {
        let mut event = EventRow::new(id, kind, "shared_policy_group_id", payload);
        event.properties = vec![("shared_policy_group_id".to_owned(), cross_id.to_owned())];
        self.write_event(&event).await
    }

    /// Deploys an API product.
    pub async fn deploy_api_product(&self, product: &ApiProductSpec) -> Result<(), WriteError> {
        let payload = json!({
            "id": product.id, "name": product.id, "version": "1", "environmentId": DEFAULT_ENVIRONMENT,
            "apiIds": product.apis, "plans": product.plans.iter().map(PlanSpec::v4).collect::<Vec<_>>(),
        });
        let payload = Some(payload.to_string());
        self.write_event(&EventRow::new(&product.id, EventType::DeployApiProduct, "api_product_id", payload))
            .await
    }

    /// Takes an API product off the gateways.
    pub async fn undeploy_api_product(&self, id: &str) -> Result<(), WriteError> {
        self.write_event(&EventRow::new(id, EventType::UndeployApiProduct, "api_product_id", None)).await
    }
}
