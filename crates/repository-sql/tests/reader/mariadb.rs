//! What MariaDB does in a way of its own: the time zones of its sessions, large packets, and its failures.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::FixedOffset;
use zonegate_management_writer::{ApiSpec, ManagementWriter, SubscriptionSpec};
use zonegate_model::Kind;
use zonegate_repository::{Bulk, Settings};
use zonegate_repository_sql::{ColumnZone, Database, SqlDatabase, SqlRepository, SqlSettings};
use zonegate_sync::port::{RepositoryError, RepositoryFailure, RepositoryReader};
use zonegate_testkit::mariadb::{Mariadb, MariadbOptions, PASSWORD, USER};
use zonegate_testkit::ports::Port;

use crate::world::{Keep, Read, World, read_all, read_changes, read_index, read_window};

const UPSTREAM: &str = "http://127.0.0.1:1";
const HOUR: i64 = 3_600_000;

/// A zone with summer time. The server knows it by abbreviations only.
const CENTRAL_EUROPE: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

fn server(zone: Option<&str>, arguments: &[&str]) -> Mariadb {
    let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
    Mariadb::start(MariadbOptions { zone: zone.map(str::to_owned), arguments }).unwrap()
}

async fn world(zone: Option<&str>, arguments: &[&str]) -> World {
    World::mariadb_on(Arc::new(server(zone, arguments)), "apim").await
}

fn mariadb(world: &World) -> &Mariadb {
    let Keep::Mariadb(server) = &world.keep else { unreachable!() };
    server
}

/// The same database, with other parameters of its URL.
fn with_parameters(world: &World, parameters: &str) -> SqlSettings {
    let url = format!("{}?{parameters}", mariadb(world).jdbc_url("apim"));
    SqlSettings { database: Database::from_jdbc(&url).unwrap(), ..world.settings.clone() }
}

async fn failure(settings: &SqlSettings) -> RepositoryError {
    reader(settings).read_all(&mut Read::default()).await.unwrap_err()
}

fn reader(settings: &SqlSettings) -> SqlRepository {
    SqlRepository::new(SqlDatabase::new(settings.clone()).unwrap(), Settings::default()).unwrap()
}

fn small_pages(world: &World) -> SqlRepository {
    let bulk = Bulk { events: 1, subscriptions: 1, keys: 1, key_subscriptions: 1 };
    world.reader_with(Settings { bulk, ..Settings::default() })
}

/// An API with a subscription, both changed at that time.
async fn change(writer: &ManagementWriter, id: &str, at: i64) {
    let writer = writer.at(at);
    writer.deploy_api(&ApiSpec::v4(id, format!("/{id}"), UPSTREAM).api_key()).await.unwrap();
    let subscription = SubscriptionSpec {
        starting_at: Some(at + 1),
        ..SubscriptionSpec::new(format!("s-{id}"), id, format!("{id}-api-key"))
    };
    writer.create_subscription(&subscription).await.unwrap();
}

/// That a window finds what was changed in it, at its time, and a fresh read and an index do too.
async fn found(world: &World, id: &str, at: i64) {
    let read = read_window(&world.reader(), at, at, HashMap::new()).await;
    let stamps = read.stamps();
    assert_eq!(stamps.get(&*format!("event/{id}")), Some(&at), "{stamps:?}");
    assert_eq!(stamps.get(&*format!("subscription/s-{id}")), Some(&at), "{stamps:?}");
    assert_eq!(stamps.len(), 2, "{stamps:?}");
    let read = read_all(&small_pages(world)).await;
    assert_eq!(read.stamps()[&*format!("event/{id}")], at);
    assert_eq!(read.state().payload(Kind::Subscription, &format!("s-{id}"))["startingAt"], at + 1);
    read_index(&small_pages(world)).await.assert_covers(&read.state(), id);
}

#[tokio::test]
async fn times_of_a_jvm_in_utc_are_right_on_a_server_that_is_somewhere_else() {
    let world = world(Some(CENTRAL_EUROPE), &[]).await;
    // Winter and summer.
    for (id, at) in [("winter", 1_768_000_000_123), ("summer", 1_783_000_000_123)] {
        change(&world.writer, id, at).await;
        found(&world, id, at).await;
        let stored = mariadb(&world).execute(
            "apim",
            &format!("SET time_zone = '+00:00'; SELECT UNIX_TIMESTAMP(updated_at) * 1000 FROM events_latest WHERE id = '{id}'"),
        );
        assert_ne!(stored.unwrap().parse::<f64>().unwrap() as i64, at, "the server has moved it");
    }
}

#[tokio::test]
async fn times_of_a_jvm_somewhere_else_are_right_whether_it_is_set_or_in_the_url() {
    let mut world = world(Some(CENTRAL_EUROPE), &[]).await;
    let zone = FixedOffset::east_opt(5 * 3600 + 1800).unwrap();
    let writer = world.writer.clone().in_zone(zone);
    change(&writer, "one", 1_783_000_000_123).await;
    world.settings.zone = Some("+05:30".parse().unwrap());
    found(&world, "one", 1_783_000_000_123).await;
    world.settings = SqlSettings { zone: None, ..with_parameters(&world, "serverTimezone=GMT%2B05:30") };
    found(&world, "one", 1_783_000_000_123).await;
}

#[tokio::test]
async fn instants_are_taken_as_they_are_where_the_driver_stores_instants() {
    let mut world = world(None, &["--default-time-zone=-07:00"]).await;
    // As with `connectionTimeZone=SERVER`: what is sent is the server's local time.
    let writer = world.writer.clone().in_zone(FixedOffset::west_opt(7 * 3600).unwrap());
    change(&writer, "one", 1_783_000_000_123).await;
    for parameters in
        ["connectionTimeZone=SERVER", "connectionTimeZone=LOCAL&forceConnectionTimeZoneToSession=true"]
    {
        world.settings = with_parameters(&world, parameters);
        found(&world, "one", 1_783_000_000_123).await;
    }
    world.settings = SqlSettings { zone: Some("-07:00".parse().unwrap()), ..with_parameters(&world, "") };
    found(&world, "one", 1_783_000_000_123).await;
}

#[tokio::test]
async fn an_hour_that_the_servers_clock_has_twice_loses_nothing_and_ends() {
    let world = world(Some(CENTRAL_EUROPE), &[]).await;
    // 02:00 to 03:00 was twice on 2025-10-25 (the last Sunday is the 26th); the JVM is in UTC and writes every minute once.
    let midnight = 1_761_436_800_000;
    let mut expected = Vec::new();
    for minutes in (30..300).step_by(15) {
        let id = format!("at-{minutes:03}");
        change(&world.writer, &id, midnight + minutes * 60_000).await;
        expected.push(id);
    }
    for read in [read_all(&small_pages(&world)).await, read_changes(&small_pages(&world)).await] {
        assert_eq!(read.state().ids(Kind::Api), expected);
        for (id, minutes) in expected.iter().zip((30..300).step_by(15)) {
            assert_eq!(read.stamps()[&*format!("event/{id}")], midnight + minutes * 60_000);
        }
    }
    for (id, minutes) in expected.iter().zip((30..300).step_by(15)) {
        let at = midnight + minutes * 60_000;
        let stamps = read_window(&world.reader(), at, at, HashMap::new()).await.stamps();
        assert!(stamps.contains_key(&*format!("event/{id}")), "{id}: {stamps:?}");
        assert!(stamps.values().all(|found| (found - at).abs() <= 2 * HOUR), "{id}: {stamps:?}");
    }
}

#[tokio::test]
async fn l1_the_largest_payload_is_read_and_a_larger_one_is_refused_whatever_the_packets() {
    const MEBIBYTE: usize = 1024 * 1024;
    let world = world(None, &[]).await;
    for (id, size) in [("largest", 32 * MEBIBYTE), ("larger", 32 * MEBIBYTE + 1), ("small", 0)] {
        world.writer.deploy_api(&ApiSpec::v4(id, format!("/{id}"), UPSTREAM).keyless()).await.unwrap();
        for _ in 0..5 {
            // Part by part: the server reckons with four bytes for each character.
            let pad = format!(
                "UPDATE events_latest SET payload = CONCAT(payload, REPEAT(' ',
                    LEAST({}, GREATEST({size} - LENGTH(payload), 0)))) WHERE id = '{id}'",
                8 * MEBIBYTE
            );
            mariadb(&world).execute("apim", &pad).unwrap();
        }
    }
    // Smaller than what is read: the server's limit is for what it is sent.
    mariadb(&world).execute("", "SET GLOBAL max_allowed_packet = 1048576").unwrap();
    let read = world.read_all().await;
    assert_eq!(read.state().ids(Kind::Api), ["largest", "small"]);
    let refused = read.refused();
    assert!(refused.len() == 1 && refused[0].0.contains("larger"), "{refused:?}");
}

#[tokio::test]
async fn failures_say_what_to_do_about_them_and_no_secret() {
    let world = World::mariadb("mariadb_failures").await;
    let wrong = SqlSettings { password: Some("hunter2".into()), ..world.settings.clone() };
    let error = failure(&wrong).await;
    assert_eq!(error.failure, RepositoryFailure::Denied);
    assert!(
        error.message.contains("management.jdbc.username") && !error.message.contains("hunter2"),
        "{error}"
    );

    let Database::Mysql { host, port, parameters, .. } = world.settings.database.clone() else {
        unreachable!()
    };
    let database = Database::Mysql { host, port, parameters, database: "nowhere".to_owned() };
    let error = failure(&SqlSettings { database, ..world.settings.clone() }).await;
    assert_eq!(error.failure, RepositoryFailure::Schema);
    assert!(error.message.contains("management.jdbc.url") && error.message.contains("nowhere"), "{error}");

    let server = mariadb(&world);
    server.execute("", "CREATE USER reader IDENTIFIED BY 'reader'").unwrap();
    server.execute("", &format!("GRANT SELECT ON `{}`.events_latest TO reader", world.name)).unwrap();
    let other = SqlSettings {
        username: Some("reader".to_owned()),
        password: Some("reader".into()),
        ..world.settings.clone()
    };
    // Without any right on a table, it is not there.
    let error = failure(&other).await;
    assert_eq!(error.failure, RepositoryFailure::Schema, "{error}");
    let tables = server.execute(&world.name, "SHOW TABLES").unwrap();
    for table in tables.lines() {
        server.execute("", &format!("GRANT SELECT ON `{}`.`{table}` TO reader", world.name)).unwrap();
    }
    world.writer.deploy_api(&ApiSpec::v4("api", "/p", UPSTREAM).keyless()).await.unwrap();
    let reader = reader(&other);
    assert_eq!(read_all(&reader).await.state().ids(Kind::Api), ["api"], "to select is enough");
    // The connection that was kept finds out in the middle.
    server.execute("", &format!("REVOKE SELECT ON `{}`.subscriptions FROM reader", world.name)).unwrap();
    let error = reader.read_changes(window(), &mut Read::default()).await.unwrap_err();
    assert_eq!(error.failure, RepositoryFailure::Denied, "{error}");
    assert!(error.message.contains("right to select"), "{error}");
    server.execute("", "REVOKE ALL PRIVILEGES, GRANT OPTION FROM reader").unwrap();
    let error = failure(&other).await;
    assert_eq!(error.failure, RepositoryFailure::Denied, "{error}");
}

fn window() -> zonegate_sync::port::Window {
    zonegate_sync::port::Window { from: 0, to: i64::MAX, seen: Arc::default() }
}

#[tokio::test]
async fn a_table_that_goes_between_two_reads_is_named_and_looked_for_again() {
    let world = World::mariadb("mariadb_lost_table").await;
    let reader = world.reader();
    read_all(&reader).await;
    world.writer.execute("ALTER TABLE {p}access_points RENAME TO {p}elsewhere", &[]).await.unwrap();
    let error = reader.read_changes(window(), &mut Read::default()).await.unwrap_err();
    assert_eq!(error.failure, RepositoryFailure::Schema, "{error}");
    assert!(error.message.contains("access_points"), "{error}");
    read_changes(&reader).await;
}

#[tokio::test]
async fn a_server_that_comes_back_is_read_again_and_one_without_free_connections_too() {
    let mut server = server(None, &["--max-connections=10"]);
    server.create_database("apim").unwrap();
    let writer = ManagementWriter::connect(&server.url("apim")).await.unwrap();
    writer.create_schema().await.unwrap();
    writer.deploy_api(&ApiSpec::v4("api", "/p", UPSTREAM).keyless()).await.unwrap();
    writer.close().await;
    let settings = SqlSettings {
        username: Some(USER.to_owned()),
        password: Some(PASSWORD.into()),
        ..SqlSettings::new(Database::from_jdbc(&server.jdbc_url("apim")).unwrap())
    };
    let reader = reader(&settings);
    assert_eq!(read_all(&reader).await.state().ids(Kind::Api), ["api"]);

    server.stop().unwrap();
    let error = reader.read_all(&mut Read::default()).await.unwrap_err();
    assert_eq!(error.failure, RepositoryFailure::Unreachable);
    assert!(error.message.contains(&server.address().port().to_string()), "{error}");
    server.start_again().unwrap();
    assert_eq!(read_all(&reader).await.state().ids(Kind::Api), ["api"]);

    // The connection that was kept is broken now, and must not be used.
    server.kill().unwrap();
    server.start_again().unwrap();
    assert_eq!(read_all(&reader).await.state().ids(Kind::Api), ["api"]);
    server.execute("", "KILL SOFT USER zonegate").unwrap();
    assert_eq!(read_all(&reader).await.state().ids(Kind::Api), ["api"]);

    let fresh = SqlRepository::new(SqlDatabase::new(settings).unwrap(), Settings::default()).unwrap();
    let held = (0..12).map(|_| std::net::TcpStream::connect(server.address()).unwrap()).collect::<Vec<_>>();
    let mut error = fresh.read_all(&mut Read::default()).await.err();
    while error.is_none() {
        error = fresh_failure(&fresh).await;
    }
    let error = error.unwrap();
    assert_eq!(error.failure, RepositoryFailure::Unreachable, "{error}");
    drop(held);
    while fresh.check().await.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(read_all(&fresh).await.state().ids(Kind::Api), ["api"]);
}

async fn fresh_failure(reader: &SqlRepository) -> Option<RepositoryError> {
    tokio::time::sleep(Duration::from_millis(50)).await;
    reader.read_all(&mut Read::default()).await.err()
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
    let url = format!("jdbc:mysql://{}/apim", port.address());
    let mut settings = SqlSettings::new(Database::from_jdbc(&url).unwrap());
    settings.timeouts.connect = Duration::from_millis(200);
    assert_eq!(failure(&settings).await.failure, RepositoryFailure::Unreachable);
    silent.abort();
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_given_up_on_by_both_sides() {
    let mut world = World::mariadb("mariadb_slow").await;
    world.writer.deploy_api(&ApiSpec::v4("api", "/p", UPSTREAM).keyless()).await.unwrap();
    world.settings.timeouts.statement = Duration::from_secs(1);
    let reader = world.reader();
    read_all(&reader).await;
    let Keep::Mariadb(server) = world.keep.clone() else { unreachable!() };
    let name = world.name.clone();
    let (locked, wait) = std::sync::mpsc::channel();
    let lock = tokio::task::spawn_blocking(move || {
        locked.send(()).unwrap();
        server.execute(&name, "LOCK TABLES events_latest WRITE; SELECT SLEEP(4); UNLOCK TABLES")
    });
    wait.recv().unwrap();
    let waiting = "SELECT count(*) FROM information_schema.processlist WHERE state LIKE '%SLEEP%' OR info LIKE 'SELECT SLEEP%'";
    while mariadb(&world).execute("", waiting).unwrap() == "0" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let error = reader.read_all(&mut Read::default()).await.unwrap_err();
    assert_eq!(error.failure, RepositoryFailure::Unreachable, "{error}");
    lock.await.unwrap().unwrap();
    assert_eq!(read_all(&reader).await.state().ids(Kind::Api), ["api"]);
}

#[tokio::test]
async fn a_schema_and_names_of_tables_in_other_letters_are_no_trouble() {
    let world = world(None, &["--lower-case-table-names=1"]).await;
    let writer = world.writer.clone().with_prefix("GIO_").unwrap();
    writer.create_schema().await.unwrap();
    writer.deploy_api(&ApiSpec::v4("api", "/p", UPSTREAM).keyless()).await.unwrap();
    let settings = SqlSettings {
        prefix: "GIO_".to_owned(),
        // The drivers leave it alone, and so do we.
        schema: Some("public".to_owned()),
        zone: Some(ColumnZone::default()),
        ..world.settings.clone()
    };
    assert_eq!(read_all(&reader(&settings)).await.state().ids(Kind::Api), ["api"]);
}
