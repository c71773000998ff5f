//! The same in MongoDB: what the other modules know as rows, as the documents that APIM writes
//! (`management-repository.md` sections 2.1, 3.2, 5 and 8): camel case, nulls left out, times as dates, maps as
//! sub-documents, and a `_class` that names APIM's own.

use mongodb::bson::{Bson, DateTime, Document, doc};
use mongodb::options::IndexOptions;
use mongodb::{Client, Database, IndexModel};

use crate::EventRow;
use crate::database::{Value, WriteError};

/// The database of a URI that names none.
const DEFAULT_DATABASE: &str = "gravitee";
/// Documents that are written at once.
const AT_ONCE: usize = 1000;

/// The indexes that APIM 4.11 has on what a gateway reads.
const INDEXES: [(&str, &str, &[&str]); 26] = [
    ("events_latest", "ei1", &["environments"]),
    ("events_latest", "eo1", &["organizations"]),
    ("events_latest", "pai1t1e1", &["properties.api_id", "type", "environments"]),
    ("events_latest", "pdi1e1", &["properties.dictionary_id", "environments"]),
    ("events_latest", "t1u1pai1e1", &["type", "updatedAt", "properties.api_id", "environments"]),
    ("events_latest", "t1u1pdi1e1", &["type", "updatedAt", "properties.dictionary_id", "environments"]),
    ("subscriptions", "a1s1", &["api", "status"]),
    ("subscriptions", "e1", &["environmentId"]),
    ("subscriptions", "e1ua1i1", &["environmentId", "updatedAt", "_id"]),
    ("subscriptions", "p1", &["plan"]),
    ("subscriptions", "p1i1", &["plan", "_id"]),
    ("subscriptions", "p1ua1", &["plan", "updatedAt"]),
    ("subscriptions", "ri1rt1", &["referenceId", "referenceType"]),
    ("subscriptions", "s1", &["status"]),
    ("subscriptions", "ua1", &["updatedAt"]),
    ("keys", "e1", &["environmentId"]),
    ("keys", "e1ua1i1", &["environmentId", "updatedAt", "_id"]),
    ("keys", "f1", &["federated"]),
    ("keys", "k1", &["key"]),
    ("keys", "r1", &["revoked"]),
    ("keys", "s1", &["subscriptions"]),
    ("keys", "u1", &["updatedAt"]),
    ("access_points", "rt_ri1", &["referenceType", "referenceId"]),
    ("access_points", "t1", &["target"]),
    ("licenses", "f_t1", &["updatedAt"]),
    ("licenses", "id_rt_ri1", &["_id.referenceType", "_id.referenceId"]),
];

/// A database in MongoDB.
#[derive(Clone, Debug)]
pub(crate) struct Documents(pub(crate) Database);

/// What is known of the event that an entity had last.
#[derive(Clone, Debug, Default)]
pub(crate) struct LatestEvent {
    pub(crate) payload: Option<String>,
    pub(crate) deployment_number: Option<u64>,
    pub(crate) environment: Option<String>,
}

impl Documents {
    pub(crate) async fn connect(uri: &str) -> Result<Self, WriteError> {
        let client = Client::with_uri_str(uri).await?;
        let database = client.default_database().unwrap_or_else(|| client.database(DEFAULT_DATABASE));
        Ok(Self(database))
    }

    /// Makes the collections and their indexes.
    pub(crate) async fn create_indexes(&self, prefix: &str) -> Result<(), WriteError> {
        for (collection, name, keys) in INDEXES {
            let keys = keys.iter().map(|key| ((*key).to_owned(), Bson::Int32(1))).collect::<Document>();
            let options = IndexOptions::builder().name(name.to_owned()).build();
            let index = IndexModel::builder().keys(keys).options(options).build();
            self.0.collection::<Document>(&format!("{prefix}{collection}")).create_index(index).await?;
        }
        Ok(())
    }

    /// Inserts documents.
    pub(crate) async fn insert(&self, collection: &str, documents: Vec<Document>) -> Result<(), WriteError> {
        for some in documents.chunks(AT_ONCE) {
            self.0.collection::<Document>(collection).insert_many(some).await?;
        }
        Ok(())
    }

    /// Puts a document in the place of the one with its id.
    pub(crate) async fn put(&self, collection: &str, document: Document) -> Result<(), WriteError> {
        let id = document.get("_id").cloned().unwrap_or(Bson::Null);
        let collection = self.0.collection::<Document>(collection);
        collection.replace_one(doc! { "_id": id }, document).upsert(true).await?;
        Ok(())
    }

    /// Sets columns of documents, and says of how many.
    pub(crate) async fn set(
        &self,
        collection: &str,
        filter: Document,
        columns: &[(&str, Value)],
    ) -> Result<u64, WriteError> {
        let fields = columns.iter().map(|(column, value)| (camel_case(column), bson(value.clone())));
        let update = doc! { "$set": fields.collect::<Document>() };
        Ok(self.0.collection::<Document>(collection).update_many(filter, update).await?.matched_count)
    }

    /// Deletes the subscriptions of an API with their keys.
    pub(crate) async fn delete_subscriptions(
        &self,
        subscriptions: &str,
        keys: &str,
        api: &str,
    ) -> Result<(), WriteError> {
        let subscriptions = self.0.collection::<Document>(subscriptions);
        let of_api = doc! { "api": api };
        let ids = subscriptions.distinct("_id", of_api.clone()).await?;
        let of_them = doc! { "subscriptions": { "$in": ids } };
        self.0.collection::<Document>(keys).delete_many(of_them).await?;
        subscriptions.delete_many(of_api).await?;
        Ok(())
    }

    /// The event that an entity had last.
    pub(crate) async fn latest_event(
        &self,
        collection: &str,
        id: &str,
    ) -> Result<Option<LatestEvent>, WriteError> {
        let found = self.0.collection::<Document>(collection).find_one(doc! { "_id": id }).await?;
        Ok(found.map(|event| {
            let properties = event.get_document("properties").ok();
            let number = properties.and_then(|properties| properties.get_str("deployment_number").ok());
            let environments = event.get_array("environments").ok();
            LatestEvent {
                payload: event.get_str("payload").ok().map(str::to_owned),
                deployment_number: number.and_then(|number| number.parse().ok()),
                environment: environments.and_then(|ids| ids.first()?.as_str().map(str::to_owned)),
            }
        }))
    }

    /// A text field of a document.
    pub(crate) async fn text(
        &self,
        collection: &str,
        id: &str,
        field: &str,
    ) -> Result<Option<String>, WriteError> {
        let found = self.0.collection::<Document>(collection).find_one(doc! { "_id": id }).await?;
        Ok(found.and_then(|document| document.get_str(field).ok().map(str::to_owned)))
    }
}

/// A row as a document: `id` is `_id`, and null is not there.
pub(crate) fn document(class: &str, columns: &[&str], row: Vec<Value>) -> Document {
    let mut document = Document::new();
    for (column, value) in columns.iter().zip(row) {
        match bson(value) {
            Bson::Null => {}
            value if *column == "id" => {
                document.insert("_id", value);
            }
            value => {
                document.insert(camel_case(column), value);
            }
        }
    }
    document
        .insert("_class", format!("io.gravitee.repository.mongodb.management.internal.model.{class}Mongo"));
    document
}

/// An event as a document.
pub(crate) fn event(event: &EventRow, now: i64) -> Document {
    let columns = ["id", "type", "payload", "created_at", "updated_at"];
    let time = Value::Time(Some(now));
    let payload = Value::Text(event.payload.clone());
    let row = vec![Value::text(&event.id), Value::text(&event.kind), payload, time.clone(), time];
    let mut document = document("EventLatest", &columns, row);
    let twin = ("id".to_owned(), uuid::Uuid::new_v4().to_string());
    document.insert("properties", map(std::iter::once(&twin).chain(&event.properties)));
    document.insert("environments", event.environments.clone());
    document.insert("organizations", event.organizations.clone());
    document
}

/// A map as a sub-document.
pub(crate) fn map<'a>(entries: impl IntoIterator<Item = &'a (String, String)>) -> Document {
    entries.into_iter().map(|(key, value)| (key.clone(), Bson::String(value.clone()))).collect()
}

fn bson(value: Value) -> Bson {
    match value {
        Value::Text(text) => text.map_or(Bson::Null, Bson::String),
        Value::Flag(flag) => Bson::Boolean(flag),
        Value::Number(number) => Bson::Int64(number),
        Value::Time(time) => time.map_or(Bson::Null, |millis| DateTime::from_millis(millis).into()),
    }
}

fn camel_case(column: &str) -> String {
    let mut words = column.split('_');
    let mut name = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (first, rest) = word.split_at_checked(1).unwrap_or_default();
        name.push_str(&first.to_ascii_uppercase());
        name.push_str(rest);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_written_as_apim_writes_documents() {
        let row = vec![Value::text("s"), Value::Text(None), Value::Time(Some(5)), Value::Flag(false)];
        let columns = ["id", "client_id", "updated_at", "revoked"];
        let written = document("Subscription", &columns, row);
        let class = "io.gravitee.repository.mongodb.management.internal.model.SubscriptionMongo";
        let updated = DateTime::from_millis(5);
        assert_eq!(written, doc! { "_id": "s", "updatedAt": updated, "revoked": false, "_class": class });
        assert_eq!(camel_case("reference_type"), "referenceType");
    }
}
