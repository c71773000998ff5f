//! Latest events, and the operations on APIs that write them (`management-repository.md` sections 3, 6, 7.1).

use serde_json::{Value as Json, json};

use crate::database::{Transaction, Value, WriteError};
use crate::documents::{self, Documents};
use crate::{ApiSpec, DEFAULT_ENVIRONMENT, DEFAULT_ORGANIZATION, ManagementWriter};

/// Their table or collection.
pub(crate) const EVENTS: &str = "{p}events_latest";

/// The types of event that a gateway reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "APIM's constants, which say it themselves")]
pub enum EventType {
    PublishApi,
    StartApi,
    StopApi,
    UnpublishApi,
    PublishDictionary,
    UnpublishDictionary,
    PublishOrganization,
    DeploySharedPolicyGroup,
    UndeploySharedPolicyGroup,
    DeployApiProduct,
    UndeployApiProduct,
}

impl EventType {
    /// APIM's constant.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PublishApi => "PUBLISH_API",
            Self::StartApi => "START_API",
            Self::StopApi => "STOP_API",
            Self::UnpublishApi => "UNPUBLISH_API",
            Self::PublishDictionary => "PUBLISH_DICTIONARY",
            Self::UnpublishDictionary => "UNPUBLISH_DICTIONARY",
            Self::PublishOrganization => "PUBLISH_ORGANIZATION",
            Self::DeploySharedPolicyGroup => "DEPLOY_SHARED_POLICY_GROUP",
            Self::UndeploySharedPolicyGroup => "UNDEPLOY_SHARED_POLICY_GROUP",
            Self::DeployApiProduct => "DEPLOY_API_PRODUCT",
            Self::UndeployApiProduct => "UNDEPLOY_API_PRODUCT",
        }
    }
}

/// A row of `events_latest` with its children, to be written as it is.
#[derive(Clone, Debug)]
pub struct EventRow {
    /// Id of the entity that the event is about.
    pub id: String,
    /// Type, one of [`EventType`] or anything else.
    pub kind: String,
    /// Payload text.
    pub payload: Option<String>,
    /// Properties; `id` is added.
    pub properties: Vec<(String, String)>,
    /// Environments; none means all.
    pub environments: Vec<String>,
    /// Organizations; none means all.
    pub organizations: Vec<String>,
}

impl EventRow {
    /// An event of the default environment, with one property that names the entity.
    pub fn new(id: &str, kind: EventType, property: &str, payload: Option<String>) -> Self {
        Self {
            id: id.to_owned(),
            kind: kind.name().to_owned(),
            payload,
            properties: vec![(property.to_owned(), id.to_owned())],
            environments: vec![DEFAULT_ENVIRONMENT.to_owned()],
            organizations: vec![DEFAULT_ORGANIZATION.to_owned()],
        }
    }
}

impl ManagementWriter {
    /// Writes a latest event over the one that the entity had.
    pub async fn write_event(&self, event: &EventRow) -> Result<(), WriteError> {
        if let Some(documents) = self.database.documents() {
            return documents.put(&self.sql(EVENTS), documents::event(event, self.now())).await;
        }
        let mut change = self.database.begin().await?;
        self.put_event(&mut change, event).await?;
        change.commit().await
    }

    /// Deploys an API: a `PUBLISH_API` with the next deployment number, which is the answer.
    pub async fn deploy_api(&self, api: &ApiSpec) -> Result<u64, WriteError> {
        if let Some(documents) = self.database.documents() {
            let before = documents.latest_event(&self.sql(EVENTS), &api.id).await?;
            let number = before.and_then(|event| event.deployment_number).unwrap_or(0) + 1;
            let record = api.record("STARTED", self.now());
            let (kind, record) = (EventType::PublishApi, Some(&record));
            self.put_api_document(documents, kind, &api.id, &api.environment, record, number).await?;
            return Ok(number);
        }
        let mut change = self.database.begin().await?;
        let number = self.deployment_number(&mut change, &api.id).await?.unwrap_or(0) + 1;
        let record = api.record("STARTED", self.now());
        self.put_api_event(
            &mut change,
            EventType::PublishApi,
            &api.id,
            &api.environment,
            Some(&record),
            number,
        )
        .await?;
        change.commit().await?;
        Ok(number)
    }

    /// Starts an API: a `START_API` with the API as it is given.
    pub async fn start_api(&self, api: &ApiSpec) -> Result<(), WriteError> {
        self.follow_up(EventType::StartApi, &api.id, |_| Some(api.record("STARTED", self.now()))).await
    }

    /// Stops an API that was deployed; it can be started again.
    pub async fn stop_api(&self, id: &str) -> Result<(), WriteError> {
        self.follow_up(EventType::StopApi, id, stopped).await
    }

    /// Takes an API off the gateways.
    pub async fn undeploy_api(&self, id: &str) -> Result<(), WriteError> {
        self.follow_up(EventType::UnpublishApi, id, stopped).await
    }

    /// Deletes an API with its subscriptions and keys; a tombstone without payload stays.
    pub async fn delete_api(&self, id: &str) -> Result<(), WriteError> {
        let tombstone = |environment: Option<String>| EventRow {
            environments: environment.into_iter().collect(),
            ..EventRow::new(id, EventType::UnpublishApi, "api_id", None)
        };
        if let Some(documents) = self.database.documents() {
            let (subscriptions, keys) = (self.sql("{p}subscriptions"), self.sql("{p}keys"));
            documents.delete_subscriptions(&subscriptions, &keys, id).await?;
            let before = documents.latest_event(&self.sql(EVENTS), id).await?.unwrap_or_default();
            return self.write_event(&tombstone(before.environment)).await;
        }
        let mut change = self.database.begin().await?;
        let of_api = [Value::text(id)];
        let mine = "(SELECT id FROM {p}subscriptions WHERE api = $1)";
        for statement in [
            format!(
                "DELETE FROM {{p}}keys WHERE id IN (SELECT key_id FROM {{p}}key_subscriptions
                    WHERE subscription_id IN {mine})"
            ),
            format!("DELETE FROM {{p}}key_subscriptions WHERE subscription_id IN {mine}"),
            format!("DELETE FROM {{p}}subscriptions_metadata WHERE subscription_id IN {mine}"),
            "DELETE FROM {p}subscriptions WHERE api = $1".to_owned(),
        ] {
            change.execute(&self.sql(&statement), &of_api).await?;
        }
        let environment = self.environment_of(&mut change, id).await?;
        self.put_event(&mut change, &tombstone(environment)).await?;
        change.commit().await
    }

    /// Writes an API event with this text as payload, whatever it is.
    pub async fn deploy_raw(&self, id: &str, payload: &str) -> Result<(), WriteError> {
        self.write_event(&EventRow::new(id, EventType::PublishApi, "api_id", Some(payload.to_owned()))).await
    }

    /// Another event about an API that had one, keeping deployment number and environment.
    async fn follow_up(
        &self,
        kind: EventType,
        id: &str,
        payload: impl FnOnce(Option<Json>) -> Option<Json>,
    ) -> Result<(), WriteError> {
        let missing = || WriteError::Missing(format!("event about the API `{id}`"));
        let parsed = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
        let or_default =
            |environment: Option<String>| environment.unwrap_or_else(|| DEFAULT_ENVIRONMENT.to_owned());
        if let Some(documents) = self.database.documents() {
            let before = documents.latest_event(&self.sql(EVENTS), id).await?.ok_or_else(missing)?;
            let record = payload(parsed(before.payload));
            let (number, environment) =
                (before.deployment_number.unwrap_or(0), or_default(before.environment));
            return self.put_api_document(documents, kind, id, &environment, record.as_ref(), number).await;
        }
        let mut change = self.database.begin().await?;
        let sql = self.sql("SELECT payload FROM {p}events_latest WHERE id = $1");
        let Some(before) = change.texts(&sql, &[Value::text(id)]).await?.into_iter().next() else {
            return Err(missing());
        };
        let record = payload(parsed(before));
        let number = self.deployment_number(&mut change, id).await?.unwrap_or(0);
        let environment = or_default(self.environment_of(&mut change, id).await?);
        self.put_api_event(&mut change, kind, id, &environment, record.as_ref(), number).await?;
        change.commit().await
    }

    async fn put_api_event(
        &self,
        change: &mut Transaction,
        kind: EventType,
        id: &str,
        environment: &str,
        record: Option<&Json>,
        number: u64,
    ) -> Result<(), WriteError> {
        let organization = self.sql("SELECT organization_id FROM {p}environments WHERE id = $1");
        let organization =
            change.texts(&organization, &[Value::text(environment)]).await?.into_iter().flatten();
        let event = api_event(kind, id, environment, organization.collect(), record, number);
        self.put_event(change, &event).await
    }

    async fn put_api_document(
        &self,
        documents: &Documents,
        kind: EventType,
        id: &str,
        environment: &str,
        record: Option<&Json>,
        number: u64,
    ) -> Result<(), WriteError> {
        let organization =
            documents.text(&self.sql("{p}environments"), environment, "organizationId").await?;
        let organizations = organization.into_iter().collect();
        self.write_event(&api_event(kind, id, environment, organizations, record, number)).await
    }

    async fn deployment_number(&self, change: &mut Transaction, id: &str) -> Result<Option<u64>, WriteError> {
        let sql = self.sql(
            "SELECT property_value FROM {p}events_latest_properties
                WHERE event_id = $1 AND property_key = 'deployment_number'",
        );
        let texts = change.texts(&sql, &[Value::text(id)]).await?;
        Ok(texts.into_iter().flatten().next().and_then(|text| text.parse().ok()))
    }

    async fn environment_of(&self, change: &mut Transaction, id: &str) -> Result<Option<String>, WriteError> {
        let sql = self.sql("SELECT environment_id FROM {p}events_latest_environments WHERE event_id = $1");
        Ok(change.texts(&sql, &[Value::text(id)]).await?.into_iter().flatten().next())
    }

    /// Replaces the row and its children, in the order in which the management API does it.
    pub(crate) async fn put_event(
        &self,
        change: &mut Transaction,
        event: &EventRow,
    ) -> Result<(), WriteError> {
        let now = Value::Time(Some(self.now()));
        let id = Value::text(&event.id);
        let row =
            [id.clone(), Value::text(&event.kind), Value::Text(event.payload.clone()), now.clone(), now];
        let update = self.sql(
            "UPDATE {p}events_latest SET type = $2, payload = $3, created_at = $4, updated_at = $5 WHERE id = $1",
        );
        if change.execute(&update, &row).await? == 0 {
            let columns = ["id", "type", "payload", "created_at", "updated_at"];
            change.insert(&self.sql("{p}events_latest"), &columns, &[row.to_vec()]).await?;
        }
        for child in ["properties", "environments", "organizations"] {
            let sql = self.sql(&format!("DELETE FROM {{p}}events_latest_{child} WHERE event_id = $1"));
            change.execute(&sql, std::slice::from_ref(&id)).await?;
        }
        let mut properties =
            vec![vec![id.clone(), Value::text("id"), Value::text(uuid::Uuid::new_v4().to_string())]];
        for (key, value) in &event.properties {
            properties.push(vec![id.clone(), Value::text(key), Value::text(value)]);
        }
        let columns = ["event_id", "property_key", "property_value"];
        change.insert(&self.sql("{p}events_latest_properties"), &columns, &properties).await?;
        let of = |values: &[String]| {
            values.iter().map(|value| vec![id.clone(), Value::text(value)]).collect::<Vec<_>>()
        };
        let environments = of(&event.environments);
        let columns = ["event_id", "environment_id"];
        change.insert(&self.sql("{p}events_latest_environments"), &columns, &environments).await?;
        let organizations = of(&event.organizations);
        let columns = ["event_id", "organization_id"];
        change.insert(&self.sql("{p}events_latest_organizations"), &columns, &organizations).await
    }
}

fn api_event(
    kind: EventType,
    id: &str,
    environment: &str,
    organizations: Vec<String>,
    record: Option<&Json>,
    number: u64,
) -> EventRow {
    let mut event = EventRow {
        environments: vec![environment.to_owned()],
        organizations,
        ..EventRow::new(id, kind, "api_id", record.map(Json::to_string))
    };
    event.properties.push(("deployment_number".to_owned(), number.to_string()));
    event.properties.push(("user".to_owned(), "management-writer".to_owned()));
    event
}

fn stopped(record: Option<Json>) -> Option<Json> {
    record.map(|mut record| {
        record["lifecycleState"] = json!("STOPPED");
        record
    })
}
