//! What goes wrong, and what the error says of it.

use std::sync::Arc;
use std::time::Duration;

use zonegate_management_writer::ApiSpec;
use zonegate_model::Kind;
use zonegate_repository::Settings;
use zonegate_repository_sql::{Database, SqlDatabase, SqlRepository, SqlSettings};
use zonegate_sync::port::{RepositoryError, RepositoryFailure, RepositoryReader};
use zonegate_testkit::folders::RunFolder;
use zonegate_testkit::ports::Port;
use zonegate_testkit::postgres::{PASSWORD, Postgres, USER};

use crate::world::{Keep, Read, World, on_each_engine, read_all};

fn reader(settings: SqlSettings) -> SqlRepository {
    SqlRepository::new(SqlDatabase::new(settings).unwrap(), Settings::default()).unwrap()
}

async fn failure(settings: &SqlSettings) -> RepositoryError {
    reader(settings.clone()).read_all(&mut Read::default()).await.unwrap_err()
}

on_each_engine!(
    a_missing_table_or_column_is_named,
    an_older_schema_is_read_without_what_it_lacks,
    a_prefix_is_respected
);

async fn a_missing_table_or_column_is_named(world: World) {
    world.writer.execute("ALTER TABLE {p}keys DROP COLUMN expire_at", &[]).await.unwrap();
    let error = failure(&world.settings).await;
    assert_eq!(error.failure, RepositoryFailure::Schema);
    assert!(error.message.contains("`keys` has no column `expire_at`"), "{error}");
    // One that is read where it is must be as it should.
    for (statement, said) in [
        ("ALTER TABLE {p}licenses RENAME COLUMN license TO text", "`licenses` has no column `license`"),
        ("DROP TABLE {p}key_subscriptions", "no table `key_subscriptions`, which came with APIM 3.17"),
        ("DROP TABLE {p}keys", "no table `keys`"),
        ("DROP TABLE {p}events_latest_properties", "no table `events_latest_properties`"),
        ("DROP TABLE {p}events_latest", "no table `events_latest`, which came with APIM 4.0"),
    ] {
        world.writer.execute(statement, &[]).await.unwrap();
        if statement.contains("licenses") {
            world.writer.execute("ALTER TABLE {p}keys ADD COLUMN expire_at timestamp", &[]).await.unwrap();
        }
        let error = failure(&world.settings).await;
        assert_eq!(error.failure, RepositoryFailure::Schema);
        assert!(error.message.contains(said), "{statement}: {error}");
        assert!(error.message.contains("management.jdbc.prefix"), "{error}");
    }
}

async fn an_older_schema_is_read_without_what_it_lacks(world: World) {
    let writer = &world.writer;
    let api = ApiSpec::v4("api", "/api", "http://127.0.0.1:1").api_key();
    writer.deploy_api(&api).await.unwrap();
    let subscription = zonegate_management_writer::SubscriptionSpec::new("s", "api", "api-api-key");
    writer.create_subscription(&subscription).await.unwrap();
    writer.create_key(&zonegate_management_writer::KeySpec::new("k", "secret", "s")).await.unwrap();
    for table in ["access_points", "licenses", "installation", "subscriptions_metadata"] {
        writer.execute(&format!("DROP TABLE {{p}}{table}"), &[]).await.unwrap();
    }
    if let Keep::Folder(_) = world.keep {
        // SQLite drops no column of an index.
        for index in ["i_subscriptions_updated", "i_keys_updated"] {
            writer.execute(&format!("DROP INDEX {{p}}{index}"), &[]).await.unwrap();
        }
    }
    for (table, column) in [
        ("subscriptions", "reference_type"),
        ("subscriptions", "reference_id"),
        ("subscriptions", "client_certificate"),
        ("subscriptions", "application_name"),
        ("subscriptions", "environment_id"),
        ("keys", "environment_id"),
        ("keys", "federated"),
    ] {
        writer.execute(&format!("ALTER TABLE {{p}}{table} DROP COLUMN {column}"), &[]).await.unwrap();
    }
    let state = world.read_all().await.state();
    assert_eq!(state.ids(Kind::ApiKey), ["api/k"]);
    assert_eq!(state.ids(Kind::Subscription), ["api/s"]);
    assert_eq!(crate::world::read_changes(&world.reader()).await.state(), state);
}

async fn a_prefix_is_respected(mut world: World) {
    let writer = world.writer.clone().with_prefix("gio_").unwrap();
    writer.create_schema().await.unwrap();
    writer.deploy_api(&ApiSpec::v4("prefixed", "/p", "http://127.0.0.1:1").keyless()).await.unwrap();
    assert!(world.read_all().await.state().ids(Kind::Api).is_empty());
    world.settings.prefix = String::from("gio_");
    assert_eq!(world.read_all().await.state().ids(Kind::Api), ["prefixed"]);
    world.settings.prefix = String::from("other_");
    assert!(failure(&world.settings).await.message.contains("`other_events_latest`"));
}

#[tokio::test]
async fn a_schema_is_respected() {
    let mut world = World::empty_postgres("a_schema").await;
    let Keep::Server(server) = world.keep.clone() else { unreachable!() };
    server.execute(&world.name, "CREATE SCHEMA apim").unwrap();
    let url = format!("{}?options=-csearch_path%3Dapim", server.url(&world.name));
    let writer = zonegate_management_writer::ManagementWriter::connect(&url).await.unwrap();
    writer.create_schema().await.unwrap();
    writer.deploy_api(&ApiSpec::v4("api", "/p", "http://127.0.0.1:1").keyless()).await.unwrap();
    assert_eq!(failure(&world.settings).await.failure, RepositoryFailure::Schema);
    world.settings.schema = Some("apim".to_owned());
    assert_eq!(world.read_all().await.state().ids(Kind::Api), ["api"]);
}

#[tokio::test]
async fn a_wrong_password_names_the_settings_and_not_itself() {
    let mut world = World::postgres("wrong_password").await;
    world.settings.password = Some("hunter2".into());
    let error = failure(&world.settings).await;
    assert_eq!(error.failure, RepositoryFailure::Denied);
    assert!(
        error.message.contains("management.jdbc.username")
            && error.message.contains("management.jdbc.password")
    );
    assert!(!error.message.contains("hunter2"), "L3: {error}");
    assert!(!format!("{:?}", world.settings).contains("hunter2"), "L3");
}

#[tokio::test]
async fn missing_rights_are_denied_and_say_on_what() {
    let mut world = World::postgres("missing_rights").await;
    let Keep::Server(server) = &world.keep else { unreachable!() };
    server.execute(&world.name, "CREATE ROLE reader LOGIN PASSWORD 'reader'").unwrap();
    world.settings.username = Some("reader".to_owned());
    world.settings.password = Some("reader".into());
    let error = failure(&world.settings).await;
    assert_eq!(error.failure, RepositoryFailure::Denied);
    assert!(error.message.contains("permission denied for table"), "{error}");
    server.execute(&world.name, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader").unwrap();
    world.writer.deploy_api(&ApiSpec::v4("api", "/p", "http://127.0.0.1:1").keyless()).await.unwrap();
    assert_eq!(world.read_all().await.state().ids(Kind::Api), ["api"], "to select is enough");
}

#[tokio::test]
async fn a_missing_database_or_file_is_said() {
    let world = World::postgres("missing_database").await;
    let Database::Postgresql { host, port, parameters, .. } = world.settings.database.clone() else {
        unreachable!()
    };
    let database = Database::Postgresql { host, port, parameters, database: "nowhere".to_owned() };
    let error = failure(&SqlSettings { database, ..world.settings.clone() }).await;
    assert_eq!(error.failure, RepositoryFailure::Schema);
    assert!(error.message.contains("management.jdbc.url"), "{error}");

    let folder = RunFolder::create("missing-file").unwrap();
    let path = folder.path().join("nothing.db");
    let error = failure(&SqlSettings::new(Database::Sqlite { path: path.clone() })).await;
    assert_eq!(error.failure, RepositoryFailure::Unreachable);
    assert!(error.message.contains("nothing.db") && !path.exists(), "{error}");
    std::fs::write(&path, "this is no database, but long enough to be looked at as one".repeat(40)).unwrap();
    let error = failure(&SqlSettings::new(Database::Sqlite { path })).await;
    assert_eq!(error.failure, RepositoryFailure::Schema, "{error}");
}

#[tokio::test]
async fn s5_a_file_that_is_moved_away_is_missed_and_one_that_is_put_in_its_place_is_read() {
    let world = World::sqlite("replaced").await;
    let Database::Sqlite { path } = &world.settings.database else { unreachable!() };
    world.writer.deploy_api(&ApiSpec::v4("old", "/p", "http://127.0.0.1:1").keyless()).await.unwrap();
    let reader = world.reader();
    assert_eq!(read_all(&reader).await.state().ids(Kind::Api), ["old"]);
    world.writer.close().await;
    let folder = path.parent().unwrap();
    let move_files = |from: &str, to: &str| {
        for file in std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()) {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            if let Some(rest) = name.strip_prefix(from) {
                std::fs::rename(&file, folder.join(format!("{to}{rest}"))).unwrap();
            }
        }
    };
    move_files("apim.db", "away.db");
    // The reader still has a connection to the file.
    let error = reader.read_all(&mut Read::default()).await.unwrap_err();
    assert_eq!(error.failure, RepositoryFailure::Unreachable, "{error}");
    assert!(reader.check().await.is_err());

    let url = format!("sqlite:{}", path.display());
    let writer = zonegate_management_writer::ManagementWriter::connect(&url).await.unwrap();
    writer.create_schema().await.unwrap();
    writer.deploy_api(&ApiSpec::v4("new", "/p", "http://127.0.0.1:1").keyless()).await.unwrap();
    assert_eq!(read_all(&reader).await.state().ids(Kind::Api), ["new"]);
    writer.close().await;
    move_files("apim.db", "newer.db");
    move_files("away.db", "apim.db");
    assert_eq!(read_all(&reader).await.state().ids(Kind::Api), ["old"]);
}

#[tokio::test]
async fn a_reader_is_made_while_the_database_is_down_and_reads_when_it_is_back() {
    let mut server = Postgres::start().unwrap();
    server.create_database("apim").unwrap();
    let writer = zonegate_management_writer::ManagementWriter::connect(&server.url("apim")).await.unwrap();
    writer.create_schema().await.unwrap();
    writer.deploy_api(&ApiSpec::v4("api", "/p", "http://127.0.0.1:1").keyless()).await.unwrap();
    writer.close().await;
    server.stop().unwrap();

    let reader = reader(SqlSettings {
        username: Some(USER.to_owned()),
        password: Some(PASSWORD.into()),
        ..SqlSettings::new(Database::from_jdbc(&server.jdbc_url("apim")).unwrap())
    });
    for _ in 0..2 {
        let error = reader.read_all(&mut Read::default()).await.unwrap_err();
        assert_eq!(error.failure, RepositoryFailure::Unreachable);
        assert!(error.message.contains(&server.address().port().to_string()), "{error}");
        assert!(reader.check().await.is_err());
    }
    server.start_again().unwrap();
    assert_eq!(read_all(&reader).await.state().ids(Kind::Api), ["api"]);
    assert_eq!(reader.check().await, Ok(()));

    // The connection that was kept is broken now, and must not be used.
    server.kill().unwrap();
    server.start_again().unwrap();
    assert_eq!(read_all(&reader).await.state().ids(Kind::Api), ["api"]);
}

#[tokio::test]
async fn a_silent_server_is_given_up_on() {
    let port = Port::reserve().unwrap();
    let listener = tokio::net::TcpListener::bind(port.address()).await.unwrap();
    let silent = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((socket, _)) = listener.accept().await {
            held.push(socket);
        }
    });
    let mut settings =
        SqlSettings::new(Database::from_jdbc(&format!("jdbc:postgresql://{}/apim", port.address())).unwrap());
    settings.timeouts.connect = Duration::from_millis(200);
    let error = failure(&settings).await;
    assert_eq!(error.failure, RepositoryFailure::Unreachable);
    silent.abort();
}

#[tokio::test]
async fn a_server_that_falls_silent_in_a_statement_is_given_up_on_and_the_next_read_is_well() {
    let mut world = World::postgres("slow_statement").await;
    world.writer.deploy_api(&ApiSpec::v4("api", "/p", "http://127.0.0.1:1").keyless()).await.unwrap();
    world.settings.timeouts.statement = Duration::from_secs(1);
    let Keep::Server(server) = world.keep.clone() else { unreachable!() };
    let reader = world.reader();
    read_all(&reader).await;
    let (server, name) = (Arc::clone(&server), world.name.clone());
    let lock = tokio::task::spawn_blocking(move || {
        server.execute(&name, "BEGIN; LOCK TABLE events_latest; SELECT pg_sleep(3); COMMIT")
    });
    tokio::time::sleep(Duration::from_millis(700)).await;
    let error = reader.read_all(&mut Read::default()).await.unwrap_err();
    assert_eq!(error.failure, RepositoryFailure::Unreachable);
    assert!(error.message.contains("no answer within 1s"), "{error}");
    lock.await.unwrap().unwrap();
    assert_eq!(read_all(&reader).await.state().ids(Kind::Api), ["api"]);
}
