//! The writer against a real PostgreSQL, a real MariaDB, a SQLite file and a server that speaks MongoDB's protocol.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside of the functions that clippy knows as tests"
)]

use mongodb::bson::{Document, doc};
use sqlx::{AssertSqlSafe, MySqlPool, PgPool, Row, SqlitePool};
use zonegate_management_writer::{ApiSpec, FillSpec, KeySpec, ManagementWriter, SubscriptionSpec};
use zonegate_testkit::folders::RunFolder;
use zonegate_testkit::mariadb::{Mariadb, MariadbOptions};
use zonegate_testkit::mongodb::{MongoOptions, MongoServer};
use zonegate_testkit::postgres::Postgres;

/// Reads counts back, independently of the writer.
enum Eye {
    Postgres(PgPool),
    Mysql(MySqlPool),
    Sqlite(SqlitePool),
}

impl Eye {
    async fn count(&self, from: &str) -> i64 {
        let sql = AssertSqlSafe(format!("SELECT count(*) FROM {from}"));
        match self {
            Self::Postgres(pool) => sqlx::query(sql).fetch_one(pool).await.unwrap().get(0),
            Self::Mysql(pool) => sqlx::query(sql).fetch_one(pool).await.unwrap().get(0),
            Self::Sqlite(pool) => sqlx::query(sql).fetch_one(pool).await.unwrap().get(0),
        }
    }
}

async fn a_life_of_an_api(writer: &ManagementWriter, eye: &Eye) {
    writer.create_schema().await.unwrap();
    let api = ApiSpec::v4("api-1", "/one", "http://127.0.0.1:1").api_key();
    assert_eq!(writer.deploy_api(&api).await.unwrap(), 1);
    assert_eq!(writer.deploy_api(&api).await.unwrap(), 2, "numbers rise");
    writer.create_subscription(&SubscriptionSpec::new("s-1", "api-1", "api-1-api-key")).await.unwrap();
    writer.create_key(&KeySpec::new("k-1", "secret\t\\one", "s-1")).await.unwrap();
    writer.pause_subscription("s-1").await.unwrap();
    assert_eq!(eye.count("t_keys WHERE paused").await, 1);
    writer.revoke_key("k-1").await.unwrap();
    writer.resume_subscription("s-1").await.unwrap();
    assert_eq!(eye.count("t_keys WHERE revoked AND paused").await, 1, "a revoked key is left alone");
    assert!(writer.revoke_key("k-2").await.is_err());
    writer.undeploy_api("api-1").await.unwrap();
    assert_eq!(eye.count("t_events_latest WHERE type = 'UNPUBLISH_API'").await, 1);
    assert_eq!(eye.count("t_events_latest_properties WHERE property_key = 'deployment_number'").await, 1);
    writer.delete_api("api-1").await.unwrap();
    assert_eq!(eye.count("t_events_latest WHERE payload IS NULL").await, 1);
    assert_eq!(eye.count("t_keys").await + eye.count("t_subscriptions").await, 0);

    let spec = FillSpec {
        apis: 510,
        subscriptions_per_api: 20,
        name: "filled".to_owned(),
        target: "http://127.0.0.1:1".to_owned(),
    };
    writer.fill(&spec).await.unwrap();
    assert_eq!(eye.count("t_events_latest WHERE type = 'PUBLISH_API'").await, 510);
    assert_eq!(eye.count("t_subscriptions").await, 10_200);
    assert_eq!(eye.count("t_key_subscriptions l JOIN t_keys k ON k.id = l.key_id").await, 10_200);
}

#[tokio::test]
async fn an_api_lives_and_dies_in_postgresql() {
    let server = Postgres::start().unwrap();
    server.create_database("apim").unwrap();
    let writer = ManagementWriter::connect(&server.url("apim")).await.unwrap().with_prefix("t_").unwrap();
    let eye = Eye::Postgres(PgPool::connect(&server.url("apim")).await.unwrap());
    a_life_of_an_api(&writer, &eye).await;
}

#[tokio::test]
async fn an_api_lives_and_dies_in_mariadb() {
    let server = Mariadb::start(MariadbOptions::default()).unwrap();
    server.create_database("apim").unwrap();
    let writer = ManagementWriter::connect(&server.url("apim")).await.unwrap();
    writer.create_schema().await.unwrap();
    let writer = writer.with_prefix("t_").unwrap();
    let eye = Eye::Mysql(MySqlPool::connect(&server.url("apim")).await.unwrap());
    a_life_of_an_api(&writer, &eye).await;
    assert_eq!(server.execute("apim", "SELECT count(*) FROM `keys`").unwrap(), "0", "without a prefix");
}

#[tokio::test]
async fn an_api_lives_and_dies_in_sqlite() {
    let folder = RunFolder::create("writer").unwrap();
    let url = format!("sqlite:{}", folder.path().join("apim.db").display());
    let writer = ManagementWriter::connect(&url).await.unwrap().with_prefix("t_").unwrap();
    let eye = Eye::Sqlite(SqlitePool::connect(&url).await.unwrap());
    a_life_of_an_api(&writer, &eye).await;
}

#[tokio::test]
async fn an_api_lives_and_dies_in_mongodb() {
    let server = MongoServer::start(MongoOptions::default()).unwrap();
    let writer = ManagementWriter::connect(&server.uri("apim")).await.unwrap().with_prefix("t_").unwrap();
    writer.create_schema().await.unwrap();
    let collection = |name: &str| writer.mongodb().unwrap().collection::<Document>(&format!("t_{name}"));
    let count = async |name: &str, filter: Document| collection(name).count_documents(filter).await.unwrap();
    let api = ApiSpec::v4("api-1", "/one", "http://127.0.0.1:1").api_key();
    assert_eq!(writer.deploy_api(&api).await.unwrap(), 1);
    assert_eq!(writer.deploy_api(&api).await.unwrap(), 2, "numbers rise");
    let event = collection("events_latest").find_one(doc! { "_id": "api-1" }).await.unwrap().unwrap();
    assert!(event.get_str("_class").unwrap().ends_with(".EventLatestMongo"));
    assert_eq!(event.get_document("properties").unwrap().get_str("deployment_number").unwrap(), "2");
    assert_eq!(event.get_array("organizations").unwrap(), &["DEFAULT".into()]);
    assert_eq!(event.get_datetime("createdAt").unwrap(), event.get_datetime("updatedAt").unwrap());
    writer.create_subscription(&SubscriptionSpec::new("s-1", "api-1", "api-1-api-key")).await.unwrap();
    writer.create_key(&KeySpec::new("k-1", "secret", "s-1")).await.unwrap();
    let key = collection("keys").find_one(doc! {}).await.unwrap().unwrap();
    assert!(!key.contains_key("expireAt"), "absent, and not null");
    writer.pause_subscription("s-1").await.unwrap();
    assert_eq!(count("keys", doc! { "paused": true, "subscriptions": "s-1" }).await, 1);
    writer.revoke_key("k-1").await.unwrap();
    writer.resume_subscription("s-1").await.unwrap();
    let alone = doc! { "revoked": true, "paused": true, "revokedAt": { "$type": "date" } };
    assert_eq!(count("keys", alone).await, 1, "a revoked key is left alone");
    assert!(writer.revoke_key("k-2").await.is_err());
    assert!(writer.execute("SELECT 1", &[]).await.is_err());
    writer.undeploy_api("api-1").await.unwrap();
    assert_eq!(
        count("events_latest", doc! { "type": "UNPUBLISH_API", "payload": { "$exists": true } }).await,
        1
    );
    writer.delete_api("api-1").await.unwrap();
    assert_eq!(
        count("events_latest", doc! { "payload": { "$exists": false }, "environments": "DEFAULT" }).await,
        1
    );
    assert_eq!(count("keys", doc! {}).await + count("subscriptions", doc! {}).await, 0);

    let spec = FillSpec {
        apis: 30,
        subscriptions_per_api: 20,
        name: "filled".to_owned(),
        target: "http://127.0.0.1:1".to_owned(),
    };
    writer.fill(&spec).await.unwrap();
    assert_eq!(count("events_latest", doc! { "type": "PUBLISH_API" }).await, 30);
    assert_eq!(count("subscriptions", doc! { "environmentId": "DEFAULT" }).await, 600);
    assert_eq!(count("keys", doc! { "subscriptions": spec.subscription(29, 19) }).await, 1);
}
