//! Access points and licences, which have tables of their own (`management-repository.md` sections 5.3, 5.4).

use mongodb::bson::doc;

use crate::database::{Value, WriteError};
use crate::{ManagementWriter, documents};

impl ManagementWriter {
    /// Adds a host on which an environment's gateways answer.
    pub async fn create_access_point(
        &self,
        id: &str,
        environment: &str,
        host: &str,
    ) -> Result<(), WriteError> {
        let columns = [
            "id",
            "reference_type",
            "reference_id",
            "target",
            "host",
            "secured",
            "overriding",
            "updated_at",
            "status",
        ];
        let row = vec![
            Value::text(id),
            Value::text("ENVIRONMENT"),
            Value::text(environment),
            Value::text("GATEWAY"),
            Value::text(host),
            Value::Flag(false),
            Value::Flag(false),
            Value::Time(Some(self.now())),
            Value::text("CREATED"),
        ];
        if let Some(documents) = self.database.documents() {
            let point = documents::document("AccessPoint", &columns, row);
            return documents.insert(&self.sql("{p}access_points"), vec![point]).await;
        }
        let mut change = self.database.begin().await?;
        change.insert(&self.sql("{p}access_points"), &columns, &[row]).await?;
        change.commit().await
    }

    /// Marks an access point as deleted.
    pub async fn delete_access_point(&self, id: &str) -> Result<(), WriteError> {
        self.update("access_points", "access point", id, &[("status", Value::text("DELETED"))]).await
    }

    /// Gives an organization a licence, over the one it had.
    pub async fn set_license(&self, organization: &str, license: &str) -> Result<(), WriteError> {
        let now = Value::Time(Some(self.now()));
        if let Some(documents) = self.database.documents() {
            let columns = ["license", "created_at", "updated_at"];
            let row = vec![Value::text(license), now.clone(), now];
            let mut document = documents::document("License", &columns, row);
            let id = doc! { "referenceId": organization, "referenceType": "ORGANIZATION" };
            document.insert("_id", id);
            return documents.put(&self.sql("{p}licenses"), document).await;
        }
        let mut change = self.database.begin().await?;
        let delete =
            self.sql("DELETE FROM {p}licenses WHERE reference_id = $1 AND reference_type = 'ORGANIZATION'");
        change.execute(&delete, &[Value::text(organization)]).await?;
        let columns = ["reference_id", "reference_type", "license", "created_at", "updated_at"];
        let row = vec![
            Value::text(organization),
            Value::text("ORGANIZATION"),
            Value::text(license),
            now.clone(),
            now,
        ];
        change.insert(&self.sql("{p}licenses"), &columns, &[row]).await?;
        change.commit().await
    }
}
