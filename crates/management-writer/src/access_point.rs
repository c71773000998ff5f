//! Access points and licences, which have tables of their own (`management-repository.md` sections 5.3, 5.4).

use crate::ManagementWriter;
use crate::database::{Value, WriteError};

impl ManagementWriter {
    /// Adds a host on which an environment's gateways answer.
    pub async fn create_access_point(
        &self,
        id: &str,
        environment: &str,
        host: &str,
    ) -> Result<(), WriteError> {
        let mut change = self.database.begin().await?;
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
        change.insert(&self.sql("{p}access_points"), &columns, &[row]).await?;
        change.commit().await
    }

    /// Marks an access point as deleted.
    pub async fn delete_access_point(&self, id: &str) -> Result<(), WriteError> {
        let mut change = self.database.begin().await?;
        let sql = self.sql("UPDATE {p}access_points SET status = 'DELETED', updated_at = $2 WHERE id = $1");
        if change.execute(&sql, &[Value::text(id), Value::Time(Some(self.now()))]).await? == 0 {
            return Err(WriteError::Missing(format!("access point `{id}`")));
        }
        change.commit().await
    }

    /// Gives an organization a licence, over the one it had.
    pub async fn set_license(&self, organization: &str, license: &str) -> Result<(), WriteError> {
        let mut change = self.database.begin().await?;
        let now = Value::Time(Some(self.now()));
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
