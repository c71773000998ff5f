//! What nobody does in the management console, but tests of readers need: records set, cut or removed as they lie, whatever
//! belongs to them, without a later time.

use mongodb::bson::{Document, doc};

use crate::ManagementWriter;
use crate::database::{Value, WriteError};

/// What to write over what is there.
#[derive(Clone, Copy, Debug)]
pub enum Overwrite<'a> {
    /// A text.
    Text(&'a str),
    /// A yes or no.
    Flag(bool),
    /// Null.
    Nothing,
}

impl ManagementWriter {
    /// Sets a column (or field; `column` is in snake case all the same) of one record, or of all of them.
    pub async fn overwrite(
        &self,
        table: &str,
        id: Option<&str>,
        column: &str,
        with: Overwrite<'_>,
    ) -> Result<(), WriteError> {
        let value = match with {
            Overwrite::Text(text) => Value::text(text),
            Overwrite::Flag(flag) => Value::Flag(flag),
            Overwrite::Nothing => Value::Text(None),
        };
        let table = self.sql(&format!("{{p}}{table}"));
        if let Some(documents) = self.database.documents() {
            let filter = id.map_or_else(Document::new, |id| doc! { "_id": id });
            return documents.set(&table, filter, &[(column, value)]).await.map(drop);
        }
        // A null that is bound has a type, which not every column takes.
        let (set, values) = match with {
            Overwrite::Nothing => ("NULL", vec![]),
            Overwrite::Text(_) | Overwrite::Flag(_) => ("$1", vec![value]),
        };
        let place = values.len() + 1;
        let condition = id.map_or_else(String::new, |_| format!(" WHERE id = ${place}"));
        let values = values.into_iter().chain(id.map(Value::text)).collect::<Vec<_>>();
        let mut change = self.database.begin().await?;
        change.execute(&format!("UPDATE {table} SET {column} = {set}{condition}"), &values).await?;
        change.commit().await
    }

    /// Removes one record.
    pub async fn remove(&self, table: &str, id: &str) -> Result<(), WriteError> {
        let table = self.sql(&format!("{{p}}{table}"));
        if let Some(documents) = self.database.documents() {
            documents.0.collection::<Document>(&table).delete_one(doc! { "_id": id }).await?;
            return Ok(());
        }
        let mut change = self.database.begin().await?;
        change.execute(&format!("DELETE FROM {table} WHERE id = $1"), &[Value::text(id)]).await?;
        change.commit().await
    }

    /// Makes a key one of these subscriptions and no others.
    pub async fn link_key(&self, key: &str, subscriptions: &[&str]) -> Result<(), WriteError> {
        if let Some(documents) = self.database.documents() {
            let keys = documents.0.collection::<Document>(&self.sql("{p}keys"));
            let set = doc! { "$set": { "subscriptions": subscriptions } };
            keys.update_one(doc! { "_id": key }, set).await?;
            return Ok(());
        }
        let table = self.sql("{p}key_subscriptions");
        let mut change = self.database.begin().await?;
        change.execute(&format!("DELETE FROM {table} WHERE key_id = $1"), &[Value::text(key)]).await?;
        let links = subscriptions.iter().map(|&id| vec![Value::text(key), Value::text(id)]);
        change.insert(&table, &["key_id", "subscription_id"], &links.collect::<Vec<_>>()).await?;
        change.commit().await
    }

    /// Leaves an event without its environments.
    pub async fn forget_environments(&self, event: &str) -> Result<(), WriteError> {
        if let Some(documents) = self.database.documents() {
            let events = documents.0.collection::<Document>(&self.sql("{p}events_latest"));
            events.update_one(doc! { "_id": event }, doc! { "$unset": { "environments": "" } }).await?;
            return Ok(());
        }
        let table = self.sql("{p}events_latest_environments");
        let mut change = self.database.begin().await?;
        change.execute(&format!("DELETE FROM {table} WHERE event_id = $1"), &[Value::text(event)]).await?;
        change.commit().await
    }

    /// Gives an `environment` or `organization` these human-readable ids, in this order, and no others.
    pub async fn set_hrids(&self, of: &str, id: &str, hrids: &[&str]) -> Result<(), WriteError> {
        if let Some(documents) = self.database.documents() {
            let collection = documents.0.collection::<Document>(&self.sql(&format!("{{p}}{of}s")));
            collection.update_one(doc! { "_id": id }, doc! { "$set": { "hrids": hrids } }).await?;
            return Ok(());
        }
        let (table, owner) = (self.sql(&format!("{{p}}{of}_hrids")), format!("{of}_id"));
        let mut change = self.database.begin().await?;
        change.execute(&format!("DELETE FROM {table} WHERE {owner} = $1"), &[Value::text(id)]).await?;
        // Not in the order of their places, which is nobody's promise.
        let places = hrids.iter().zip(0_i64..);
        let mut rows = places
            .map(|(hrid, place)| vec![Value::text(id), Value::text(*hrid), Value::Number(place)])
            .collect::<Vec<_>>();
        rows.reverse();
        change.insert(&table, &[&owner, "hrid", "pos"], &rows).await?;
        change.commit().await
    }
}
