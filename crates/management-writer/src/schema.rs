//! The tables that a gateway reads, as APIM 4.11 and 4.12 have them (`management-repository.md` sections 3, 5, 8).

use mongodb::bson::Document;

use crate::database::{Engine, Value, WriteError};
use crate::documents;
use crate::{DEFAULT_ENVIRONMENT, DEFAULT_ORGANIZATION, ManagementWriter};

/// `{p}` prefix, `{time}` type of a time without zone, `{serial}` of a number that the database gives, `{yes}` of a yes
/// or no that came with APIM 4.4 or later.
const TABLES: &[&str] = &[
    "CREATE TABLE {p}events_latest (id varchar(64) NOT NULL PRIMARY KEY, type varchar(64) NOT NULL, payload text,
        parent_id varchar(64), created_at {time}, updated_at {time})",
    "CREATE TABLE {p}events_latest_properties (event_id varchar(64) NOT NULL, property_key varchar(64) NOT NULL,
        property_value varchar(256), PRIMARY KEY (event_id, property_key))",
    "CREATE TABLE {p}events_latest_environments (event_id varchar(64) NOT NULL, environment_id varchar(64) NOT NULL,
        PRIMARY KEY (event_id, environment_id))",
    "CREATE TABLE {p}events_latest_organizations (event_id varchar(64) NOT NULL,
        organization_id varchar(64) NOT NULL, PRIMARY KEY (event_id, organization_id))",
    "CREATE INDEX {p}i_events_latest_updated ON {p}events_latest (updated_at)",
    "CREATE INDEX {p}i_events_latest_type ON {p}events_latest (type)",
    "CREATE TABLE {p}subscriptions (id varchar(64) NOT NULL PRIMARY KEY, plan varchar(64) NOT NULL,
        application varchar(64) NOT NULL, starting_at {time}, ending_at {time}, created_at {time},
        updated_at {time}, processed_at {time}, paused_at {time}, status varchar(64) NOT NULL, api varchar(64),
        client_id varchar(300), client_certificate text, configuration text, type varchar(64),
        consumer_status varchar(64), environment_id varchar(64) NOT NULL, application_name varchar(512) NOT NULL,
        reference_type varchar(32), reference_id varchar(64))",
    "CREATE TABLE {p}subscriptions_metadata (id {serial}, subscription_id varchar(64) NOT NULL,
        k varchar(128) NOT NULL, v varchar(4000) NOT NULL)",
    "CREATE INDEX {p}i_subscriptions_plan_id ON {p}subscriptions (plan, id)",
    "CREATE INDEX {p}i_subscriptions_updated ON {p}subscriptions (environment_id, updated_at, id)",
    "CREATE INDEX {p}i_subscriptions_metadata ON {p}subscriptions_metadata (subscription_id)",
    "CREATE TABLE {p}keys (id varchar(64) NOT NULL PRIMARY KEY, \"key\" varchar(128) NOT NULL,
        application varchar(64), revoked boolean NOT NULL, paused boolean, federated {yes} DEFAULT false NOT NULL,
        revoked_at {time}, expire_at {time}, created_at {time}, updated_at {time}, environment_id varchar(64))",
    "CREATE TABLE {p}key_subscriptions (key_id varchar(64) NOT NULL, subscription_id varchar(64) NOT NULL,
        PRIMARY KEY (key_id, subscription_id))",
    "CREATE INDEX {p}i_keys_updated ON {p}keys (environment_id, updated_at, id)",
    "CREATE INDEX {p}i_key_subscriptions ON {p}key_subscriptions (subscription_id)",
    "CREATE TABLE {p}environments (id varchar(64) NOT NULL PRIMARY KEY, name varchar(64), description varchar(64),
        organization_id varchar(64) NOT NULL, cockpit_id varchar(64))",
    "CREATE TABLE {p}environment_hrids (environment_id varchar(64) NOT NULL, hrid varchar(64) NOT NULL,
        pos integer NOT NULL, PRIMARY KEY (environment_id, hrid))",
    "CREATE TABLE {p}organizations (id varchar(64) NOT NULL PRIMARY KEY, name varchar(64), description varchar(64),
        flow_mode varchar(32) DEFAULT 'DEFAULT' NOT NULL, cockpit_id varchar(64))",
    "CREATE TABLE {p}organization_hrids (organization_id varchar(64) NOT NULL, hrid varchar(64) NOT NULL,
        pos integer NOT NULL, PRIMARY KEY (organization_id, hrid))",
    "CREATE TABLE {p}access_points (id varchar(64) NOT NULL PRIMARY KEY, reference_type varchar(64) NOT NULL,
        reference_id varchar(64) NOT NULL, target varchar(64) NOT NULL, host varchar(256) NOT NULL,
        secured boolean NOT NULL, overriding boolean NOT NULL, updated_at {time} NOT NULL,
        status varchar(32) DEFAULT 'CREATED' NOT NULL)",
    "CREATE TABLE {p}licenses (reference_id varchar(64) NOT NULL, reference_type varchar(64) NOT NULL,
        license varchar(256) NOT NULL, created_at {time} NOT NULL, updated_at {time} NOT NULL,
        PRIMARY KEY (reference_id, reference_type))",
    "CREATE TABLE {p}installation (id varchar(64) NOT NULL PRIMARY KEY, created_at {time}, updated_at {time})",
    "CREATE TABLE {p}installation_informations (installation_id varchar(64) NOT NULL,
        information_key varchar(64) NOT NULL, information_value varchar(256),
        PRIMARY KEY (installation_id, information_key))",
];

impl ManagementWriter {
    /// Creates the tables, with what a fresh installation has: an organization and an environment `DEFAULT`
    /// (`default`), and an installation id. Fails where the tables exist. In MongoDB: the collections with their indexes.
    pub async fn create_schema(&self) -> Result<(), WriteError> {
        let engine = self.database.engine();
        let (time, serial, yes) = match engine {
            Engine::Postgres => ("timestamp(6) without time zone", "bigserial PRIMARY KEY", "boolean"),
            // Liquibase made the one or the other of a boolean, depending on its version.
            Engine::Mysql => ("timestamp(6) NULL", "bigint AUTO_INCREMENT PRIMARY KEY", "tinyint(1)"),
            Engine::Sqlite => ("text", "integer PRIMARY KEY AUTOINCREMENT", "boolean"),
            Engine::Mongo => return self.create_collections().await,
        };
        let mut change = self.database.begin().await?;
        for table in TABLES {
            let mut statement = (*table).to_owned();
            if engine == Engine::Mysql {
                for (generic, own) in [
                    ("varchar", "nvarchar"),
                    (" text", " longtext"),
                    ("boolean", "bit(1)"),
                    ("{time} NOT", "timestamp(6) NOT"),
                ] {
                    statement = statement.replace(generic, own);
                }
            }
            let statement =
                statement.replace("{time}", time).replace("{serial}", serial).replace("{yes}", yes);
            change.execute(&self.sql(&statement), &[]).await?;
        }
        let now = self.now();
        change
            .insert(
                &self.sql("{p}installation"),
                &["id", "created_at", "updated_at"],
                &[vec![
                    Value::text(uuid::Uuid::new_v4().to_string()),
                    Value::Time(Some(now)),
                    Value::Time(Some(now)),
                ]],
            )
            .await?;
        change.commit().await?;
        self.create_organization(DEFAULT_ORGANIZATION, Some("default")).await?;
        self.create_environment(DEFAULT_ENVIRONMENT, Some("default"), DEFAULT_ORGANIZATION).await
    }

    async fn create_collections(&self) -> Result<(), WriteError> {
        let Some(documents) = self.database.documents() else { return Ok(()) };
        documents.create_indexes(&self.prefix).await?;
        let now = Value::Time(Some(self.now()));
        let row = vec![Value::text(uuid::Uuid::new_v4().to_string()), now.clone(), now];
        let mut installation = documents::document("Installation", &["id", "created_at", "updated_at"], row);
        installation.insert("additionalInformation", Document::new());
        documents.insert(&self.sql("{p}installation"), vec![installation]).await?;
        self.create_organization(DEFAULT_ORGANIZATION, Some("default")).await?;
        self.create_environment(DEFAULT_ENVIRONMENT, Some("default"), DEFAULT_ORGANIZATION).await
    }

    /// Adds an organization, with its human-readable id if it has one.
    pub async fn create_organization(&self, id: &str, hrid: Option<&str>) -> Result<(), WriteError> {
        let row = vec![Value::text(id), Value::text(id)];
        if let Some(documents) = self.database.documents() {
            let mut organization = documents::document("Organization", &["id", "name"], row);
            organization.insert("hrids", hrid.into_iter().collect::<Vec<_>>());
            return documents.insert(&self.sql("{p}organizations"), vec![organization]).await;
        }
        let mut change = self.database.begin().await?;
        change.insert(&self.sql("{p}organizations"), &["id", "name"], &[row]).await?;
        if let Some(hrid) = hrid {
            let row = vec![Value::text(id), Value::text(hrid), Value::Number(0)];
            let columns = ["organization_id", "hrid", "pos"];
            change.insert(&self.sql("{p}organization_hrids"), &columns, &[row]).await?;
        }
        change.commit().await
    }

    /// Adds an environment to an organization, with its human-readable id if it has one.
    pub async fn create_environment(
        &self,
        id: &str,
        hrid: Option<&str>,
        organization: &str,
    ) -> Result<(), WriteError> {
        let row = vec![Value::text(id), Value::text(id), Value::text(organization)];
        let columns = ["id", "name", "organization_id"];
        if let Some(documents) = self.database.documents() {
            let mut environment = documents::document("Environment", &columns, row);
            environment.insert("hrids", hrid.into_iter().collect::<Vec<_>>());
            return documents.insert(&self.sql("{p}environments"), vec![environment]).await;
        }
        let mut change = self.database.begin().await?;
        change.insert(&self.sql("{p}environments"), &columns, &[row]).await?;
        if let Some(hrid) = hrid {
            let row = vec![Value::text(id), Value::text(hrid), Value::Number(0)];
            let columns = ["environment_id", "hrid", "pos"];
            change.insert(&self.sql("{p}environment_hrids"), &columns, &[row]).await?;
        }
        change.commit().await
    }
}
