//! Waiting for changes.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use zonegate_management_writer::{ApiSpec, ManagementWriter};
use zonegate_repository::Settings;
use zonegate_repository_mongodb::{MongoDatabase, MongoPlace, MongoSettings};
use zonegate_sync::port::{RepositoryFailure, RepositoryReader, Watched};
use zonegate_testkit::mongodb::{MongoOptions, MongoServer, MongoUser};

use crate::everything::api_with_key;
use crate::world::{Reader, World};

/// Against a test that would hang: much longer than anything here takes.
const FOREVER: Duration = Duration::from_mins(2);

async fn deploy(writer: &ManagementWriter, id: &str) {
    writer.deploy_api(&ApiSpec::v4(id, format!("/{id}"), "http://127.0.0.1:1").keyless()).await.unwrap();
}

/// Waits for the next change while somebody writes, again and again: a stream begins at a moment that is not known.
async fn opened(reader: &Reader, writer: &ManagementWriter) {
    let writing = async {
        for number in 0.. {
            deploy(writer, &format!("opening-{number}")).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        watched = reader.watch() => assert_eq!(watched, Ok(Watched::Changed)),
        () = writing => {}
        () = tokio::time::sleep(FOREVER) => panic!("nothing seen"),
    }
    drain(reader).await;
}

/// Until there is nothing more to tell. (Whatever was written before was told by then, or never would be.)
async fn drain(reader: &Reader) {
    while timeout(Duration::from_secs(2), reader.watch()).await.is_ok() {}
}

async fn next(reader: &Reader) -> Watched {
    timeout(FOREVER, reader.watch()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_change_in_any_collection_that_counts_is_told() {
    let world = World::replica_set("watch_all").await;
    api_with_key(&world.writer, "api").await;
    let reader = world.reader();
    opened(&reader, &world.writer).await;
    let writer = &world.writer;
    deploy(writer, "another").await;
    assert_eq!(next(&reader).await, Watched::Changed);
    writer.set_status("api-s", zonegate_management_writer::SubscriptionStatus::Paused).await.unwrap();
    assert_eq!(next(&reader).await, Watched::Changed);
    writer.revoke_key("api-k").await.unwrap();
    assert_eq!(next(&reader).await, Watched::Changed);
    writer.create_access_point("ap", "DEFAULT", "x.example.com").await.unwrap();
    assert_eq!(next(&reader).await, Watched::Changed);
    writer.set_license("DEFAULT", "l").await.unwrap();
    assert_eq!(next(&reader).await, Watched::Changed);
    writer.remove("keys", "api-k").await.unwrap();
    assert_eq!(next(&reader).await, Watched::Changed);
}

#[tokio::test]
async fn what_changes_between_two_waits_or_while_one_is_cancelled_is_not_missed() {
    let world = World::replica_set("watch_between").await;
    let reader = world.reader();
    opened(&reader, &world.writer).await;
    deploy(&world.writer, "between").await;
    assert_eq!(next(&reader).await, Watched::Changed);
    drain(&reader).await;
    // The wait ends without an answer; the stream with it. What comes then is found from the token.
    assert!(timeout(Duration::from_millis(300), reader.watch()).await.is_err());
    deploy(&world.writer, "cancelled").await;
    assert_eq!(next(&reader).await, Watched::Changed);
    // Nor where nothing had changed before: the token is that of an empty answer.
    let reader = world.reader();
    assert!(timeout(Duration::from_secs(5), reader.watch()).await.is_err());
    deploy(&world.writer, "after-nothing").await;
    assert_eq!(next(&reader).await, Watched::Changed);
}

#[tokio::test]
async fn other_collections_and_other_prefixes_wake_nobody() {
    let mut world = World::replica_set("watch_prefix").await;
    let writer = world.writer.clone().with_prefix("gio_").unwrap();
    writer.create_schema().await.unwrap();
    world.settings.prefix = "gio_".to_owned();
    let reader = world.reader();
    opened(&reader, &writer).await;
    deploy(&world.writer, "without-prefix").await;
    world.collection("gio_events").insert_one(mongodb::bson::doc! { "_id": "heartbeat" }).await.unwrap();
    assert!(timeout(Duration::from_secs(2), reader.watch()).await.is_err());
    deploy(&writer, "with-prefix").await;
    assert_eq!(next(&reader).await, Watched::Changed);
}

#[tokio::test]
async fn a_standalone_server_cannot_tell() {
    let world = World::standalone("watch_standalone").await;
    assert_eq!(world.reader().watch().await, Ok(Watched::Unsupported));
}

#[tokio::test]
async fn a_user_who_may_not_watch_is_not_told_and_that_is_no_error() {
    let user = MongoUser {
        name: "reader".to_owned(),
        password: "right".to_owned(),
        source: "gravitee".to_owned(),
        roles: vec![("read".to_owned(), "other".to_owned())],
    };
    let options = MongoOptions { users: vec![user.clone()], ..MongoOptions::default() };
    let server = MongoServer::start(options).unwrap();
    let settings = MongoSettings::new(MongoPlace::Uri(server.uri_of(&user, "gravitee").into()));
    let reader = Reader::new(MongoDatabase::new(settings).unwrap(), Settings::default()).unwrap();
    assert_eq!(reader.watch().await, Ok(Watched::Unsupported));
}

#[tokio::test]
async fn a_watch_goes_on_after_the_server_was_restarted() {
    let world = World::on(Arc::new(MongoServer::start(MongoOptions::default()).unwrap()), "apim").await;
    world.writer.create_schema().await.unwrap();
    let reader = world.reader();
    opened(&reader, &world.writer).await;
    let World { writer, server, .. } = world;
    let mut server = Arc::into_inner(server).unwrap();
    server.stop().unwrap();
    server.start_again().unwrap();
    let writing = async {
        for number in 0..600 {
            let id = format!("after-{number}");
            let api = ApiSpec::v4(&id, format!("/{id}"), "http://127.0.0.1:1").keyless();
            let _ = writer.deploy_api(&api).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let told = async {
        loop {
            match reader.watch().await {
                Ok(Watched::Changed) => break,
                Ok(Watched::Unsupported) => panic!("it was supported before"),
                Err(error) => {
                    assert_eq!(error.failure, RepositoryFailure::Unreachable, "{error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    };
    tokio::select! {
        () = told => {}
        () = writing => panic!("nothing was told"),
    }
}
