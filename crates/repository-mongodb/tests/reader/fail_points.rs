//! Errors that a server gives in a state in which none is here: codes are MongoDB's.

use std::sync::Arc;
use std::time::Duration;

use mongodb::bson::{Bson, doc};
use zonegate_model::Kind;
use zonegate_sync::port::{RepositoryFailure, RepositoryReader, Watched};
use zonegate_testkit::mongodb::{MongoOptions, MongoServer};

use crate::everything::api_with_key;
use crate::world::{Read, World, read_all};

/// What the reader calls itself; the writer is not to be hit.
const READER: &str = "gravitee.io";

async fn world() -> World {
    let options = MongoOptions { fail_points: true, ..MongoOptions::default() };
    let world = World::on(Arc::new(MongoServer::start(options).unwrap()), "apim").await;
    world.writer.create_schema().await.unwrap();
    for id in ["one", "two"] {
        api_with_key(&world.writer, id).await;
    }
    world
}

#[tokio::test]
async fn failures_are_told_apart_by_their_codes() {
    let world = world().await;
    let reader = world.reader();
    read_all(&reader).await;
    for (code, failure) in [
        (13, RepositoryFailure::Denied),
        (18, RepositoryFailure::Denied),
        (50, RepositoryFailure::Unreachable),
        (91, RepositoryFailure::Unreachable),
        (13_436, RepositoryFailure::Unreachable),
        (2, RepositoryFailure::Other),
    ] {
        fail(&world, &["find"], "alwaysOn", code).await;
        let error = reader.read_all(&mut Read::default()).await.unwrap_err();
        assert_eq!(error.failure, failure, "{code}: {error}");
        assert!(error.message.contains("database `apim` at "), "{error}");
        fail(&world, &["find"], "off", code).await;
    }
    assert_eq!(read_all(&reader).await.state().ids(Kind::Api), ["one", "two"]);
}

/// Makes commands of the reader fail. `mode`: as of `configureFailPoint`.
async fn fail(world: &World, commands: &[&str], mode: impl Into<Bson>, code: i32) {
    let data = doc! { "failCommands": commands, "errorCode": code, "appName": READER };
    let command = doc! { "configureFailPoint": "failCommand", "mode": mode.into(), "data": data };
    world.writer.mongodb().unwrap().client().database("admin").run_command(command).await.unwrap();
}

/// Reads with one find after the other failing, and says which reads were well all the same.
async fn reads_in_which_one_find_fails(
    world: &World,
    finds: impl Iterator<Item = i32>,
    code: i32,
) -> Vec<bool> {
    let whole = world.read_all().await.state();
    let mut well = Vec::new();
    for skip in finds {
        let reader = world.reader();
        fail(world, &["find"], doc! { "skip": skip, "times": 1 }, code).await;
        let mut read = Read::default();
        let done = reader.read_all(&mut read).await;
        fail(world, &["find"], "off", code).await;
        if done.is_ok() {
            assert_eq!(read.state().0, whole.0, "a read that is well is whole");
        }
        well.push(done.is_ok());
    }
    well
}

#[tokio::test]
async fn s2_where_a_snapshot_is_lost_or_refused_units_are_read_without_one() {
    let world = world().await;
    // `SnapshotUnavailable`, and an option that is not known.
    for code in [246, 72] {
        // More than a read takes, so that the last one is not hit.
        let well = reads_in_which_one_find_fails(&world, 0..40, code).await;
        assert!(well.ends_with(&[true]), "{well:?}");
        let last_failure = well.iter().rposition(|well| !well).unwrap();
        assert!(
            well.iter().take(last_failure).any(|well| *well),
            "{code}: those in a snapshot are made good without, the others fail: {well:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_steps_down_is_asked_once_more() {
    let world = world().await;
    // `PrimarySteppedDown`: the driver repeats what only reads.
    let well = reads_in_which_one_find_fails(&world, (0..20).step_by(6), 189).await;
    assert!(well.iter().all(|well| *well), "{well:?}");
}

#[tokio::test]
async fn a_server_without_change_streams_is_known_by_its_answer() {
    let world = world().await;
    // Only on replica sets, not allowed, unknown stage, not supported.
    for code in [40_573, 13, 40_324, 115] {
        fail(&world, &["aggregate"], "alwaysOn", code).await;
        assert_eq!(world.reader().watch().await, Ok(Watched::Unsupported), "{code}");
        fail(&world, &["aggregate"], "off", code).await;
    }
    fail(&world, &["aggregate"], "alwaysOn", 91).await;
    assert_eq!(world.reader().watch().await.unwrap_err().failure, RepositoryFailure::Unreachable);
}

#[tokio::test]
async fn a_change_stream_whose_history_is_lost_tells_of_a_change_and_is_opened_anew() {
    let world = world().await;
    let reader = world.reader();
    // `ChangeStreamHistoryLost`, where the stream is.
    fail(&world, &["getMore"], doc! { "times": 1 }, 286).await;
    assert_eq!(reader.watch().await, Ok(Watched::Changed));
    // And where it would go on: the wait is cancelled, so that the stream is to be opened after a token.
    assert!(tokio::time::timeout(Duration::from_secs(1), reader.watch()).await.is_err());
    fail(&world, &["aggregate"], doc! { "times": 1 }, 286).await;
    assert_eq!(reader.watch().await, Ok(Watched::Changed));
    let writing = async {
        for number in 0.. {
            api_with_key(&world.writer, &format!("after-{number}")).await;
        }
    };
    tokio::select! {
        watched = reader.watch() => assert_eq!(watched, Ok(Watched::Changed)),
        () = writing => {}
    }
}
