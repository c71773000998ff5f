//! What goes wrong, and what the error says of it.

use std::sync::Arc;

use zonegate_management_writer::{ApiSpec, ManagementWriter};
use zonegate_model::Kind;
use zonegate_repository::Settings;
use zonegate_repository_mongodb::{MongoDatabase, MongoPlace, MongoServers, MongoSettings};
use zonegate_sync::port::{RepositoryError, RepositoryFailure, RepositoryReader};
use zonegate_testkit::mongodb::{MongoOptions, MongoServer, MongoUser};
use zonegate_testkit::ports::Port;

use crate::everything::api_with_key;
use crate::world::{Read, Reader, World, read_all};

fn reader(settings: MongoSettings) -> Reader {
    Reader::new(MongoDatabase::new(settings).unwrap(), Settings::default()).unwrap()
}

async fn failure(settings: MongoSettings) -> RepositoryError {
    reader(settings).read_all(&mut Read::default()).await.unwrap_err()
}

fn by_uri(uri: String) -> MongoSettings {
    MongoSettings::new(MongoPlace::Uri(uri.into()))
}

#[tokio::test]
async fn s5_a_database_that_is_no_repository_is_not_taken_for_an_empty_one() {
    let world = World::empty("no_repository").await;
    world.collection("apis").insert_one(mongodb::bson::doc! { "_id": "a" }).await.unwrap();
    let error = failure(world.settings.clone()).await;
    assert_eq!(error.failure, RepositoryFailure::Schema);
    for word in ["no_repository", "`environments`", "`events_latest`", "management.mongodb.prefix", "dbname"]
    {
        assert!(error.message.contains(word), "{word}: {error}");
    }
    assert!(world.reader().check().await.is_err());
}

#[tokio::test]
async fn a_prefix_is_respected() {
    let mut world = World::replica_set("a_prefix").await;
    let writer = world.writer.clone().with_prefix("gio_").unwrap();
    writer.create_schema().await.unwrap();
    writer.deploy_api(&ApiSpec::v4("prefixed", "/p", "http://127.0.0.1:1").keyless()).await.unwrap();
    assert!(world.read_all().await.state().ids(Kind::Api).is_empty());
    world.settings.prefix = "gio_".to_owned();
    assert_eq!(world.read_all().await.state().ids(Kind::Api), ["prefixed"]);
    world.settings.prefix = "other_".to_owned();
    let error = failure(world.settings.clone()).await;
    assert!(error.message.contains("`other_events_latest`"), "{error}");
}

fn user(name: &str, source: &str, roles: &[(&str, &str)]) -> MongoUser {
    MongoUser {
        name: name.to_owned(),
        password: format!("{name}-hunter2"),
        source: source.to_owned(),
        roles: roles.iter().map(|(role, on)| ((*role).to_owned(), (*on).to_owned())).collect(),
    }
}

#[tokio::test]
async fn logins_count_and_an_error_says_what_is_wrong_with_them() {
    let root = user("root", "admin", &[("root", "admin")]);
    let reading = user("reading", "gravitee", &[("read", "gravitee")]);
    let nothing = user("nothing", "gravitee", &[("read", "other")]);
    let users = vec![root.clone(), reading.clone(), nothing.clone()];
    let server = MongoServer::start(MongoOptions { users, ..MongoOptions::default() }).unwrap();
    let writer = ManagementWriter::connect(&server.uri_of(&root, "gravitee")).await.unwrap();
    writer.create_schema().await.unwrap();
    api_with_key(&writer, "api").await;

    // To read is enough, by a URI and by single settings.
    let state = read_all(&reader(by_uri(server.uri_of(&reading, "gravitee")))).await.state();
    assert_eq!(state.ids(Kind::ApiKey), ["api/api-k"]);
    let address = server.address();
    let servers = |user: &MongoUser, password: &str| {
        MongoSettings::new(MongoPlace::Servers(Box::new(MongoServers {
            username: Some(user.name.clone()),
            password: Some(password.into()),
            connect_timeout: std::time::Duration::from_secs(20),
            server_selection_timeout: std::time::Duration::from_secs(20),
            ..MongoServers::new(address.ip().to_string(), address.port())
        })))
    };
    assert_eq!(read_all(&reader(servers(&reading, &reading.password))).await.state(), state);

    let wrong = servers(&reading, "hunter2");
    let error = failure(wrong.clone()).await;
    assert_eq!(error.failure, RepositoryFailure::Denied, "{error}");
    for key in ["management.mongodb.username", "management.mongodb.password", "management.mongodb.authSource"]
    {
        assert!(error.message.contains(key), "{error}");
    }
    let uri = server.uri_of(&reading, "gravitee").replace("reading-hunter2", "hunter2");
    let by_uri_error = failure(by_uri(uri.clone())).await;
    assert_eq!(by_uri_error.failure, RepositoryFailure::Denied, "{by_uri_error}");
    assert!(by_uri_error.message.contains("management.mongodb.uri"), "{by_uri_error}");

    let no_rights = failure(servers(&nothing, &nothing.password)).await;
    assert_eq!(no_rights.failure, RepositoryFailure::Denied, "{no_rights}");
    assert!(no_rights.message.contains("role `read` on database `gravitee`"), "{no_rights}");
    assert!(no_rights.message.contains("`environments`"), "{no_rights}");

    let anonymous = MongoServers::new(address.ip().to_string(), address.port());
    let anonymous = failure(MongoSettings::new(MongoPlace::Servers(Box::new(anonymous)))).await;
    assert_eq!(anonymous.failure, RepositoryFailure::Denied, "{anonymous}");
    for shown in [
        format!("{error} {by_uri_error} {no_rights} {anonymous}"),
        format!("{wrong:?} {:?}", by_uri(uri.clone())),
        format!("{:?} {0}", MongoDatabase::new(by_uri(uri)).unwrap()),
    ] {
        assert!(!shown.contains("hunter2"), "L3: {shown}");
    }
}

#[tokio::test]
async fn a_reader_is_made_while_the_server_is_down_and_reads_when_it_is_back() {
    let server = MongoServer::start(MongoOptions::default()).unwrap();
    let world = World::on(Arc::new(server), "apim").await;
    world.writer.create_schema().await.unwrap();
    api_with_key(&world.writer, "api").await;
    let World { settings, writer, server, .. } = world;
    drop(writer);
    let mut server = Arc::into_inner(server).unwrap();
    server.stop().unwrap();

    // So that it is not waited for long that there is a server.
    let MongoPlace::Uri(uri) = &settings.place else { unreachable!() };
    let uri = format!("{}&serverSelectionTimeoutMS=1000", secrecy::ExposeSecret::expose_secret(uri));
    let reader = reader(by_uri(uri));
    for _ in 0..2 {
        let error = reader.read_all(&mut Read::default()).await.unwrap_err();
        assert_eq!(error.failure, RepositoryFailure::Unreachable, "{error}");
        assert!(error.message.contains(&server.address().port().to_string()), "{error}");
        assert!(error.message.contains("management.mongodb.uri"), "{error}");
        assert!(reader.check().await.is_err());
    }
    server.start_again().unwrap();
    until_it_reads(&reader).await;
    assert_eq!(read_all(&reader).await.state().ids(Kind::ApiKey), ["api/api-k"]);
    assert_eq!(reader.check().await, Ok(()));

    // The connections of the pool are broken now.
    server.kill().unwrap();
    server.start_again().unwrap();
    until_it_reads(&reader).await;
    assert_eq!(read_all(&reader).await.state().ids(Kind::Api), ["api"]);
}

/// The driver looks at servers at intervals.
async fn until_it_reads(reader: &Reader) {
    for _ in 0..100 {
        match reader.check().await {
            Ok(()) => return,
            Err(error) => assert_eq!(error.failure, RepositoryFailure::Unreachable, "{error}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the server is there again, and not found");
}

/// Kills the server at the first push.
struct Killing<'a> {
    server: &'a mut MongoServer,
    pushes: usize,
}

impl zonegate_sync::port::ChangeSink for Killing<'_> {
    async fn push(
        &mut self,
        _: Vec<zonegate_sync::port::StampedChange>,
    ) -> Result<(), zonegate_sync::port::Stopped> {
        if self.pushes == 0 {
            self.server.kill().unwrap();
        }
        self.pushes += 1;
        Ok(())
    }
}

#[tokio::test]
async fn a_server_that_ends_in_the_middle_ends_the_read_with_an_error_and_never_as_if_it_were_whole() {
    let server = MongoServer::start(MongoOptions::default()).unwrap();
    let world = World::on(Arc::new(server), "apim").await;
    world.writer.create_schema().await.unwrap();
    for id in ["a", "b", "c"] {
        api_with_key(&world.writer, id).await;
    }
    let World { settings, writer, server, .. } = world;
    drop(writer);
    let mut server = Arc::into_inner(server).unwrap();
    // The test server may lose what was written just before it is killed, unless it has stopped in good order since.
    server.stop().unwrap();
    server.start_again().unwrap();
    let MongoPlace::Uri(uri) = &settings.place else { unreachable!() };
    let uri = format!("{}&serverSelectionTimeoutMS=1000", secrecy::ExposeSecret::expose_secret(uri));
    let reader = reader(by_uri(uri));
    let mut sink = Killing { server: &mut server, pushes: 0 };
    let error = reader.read_all(&mut sink).await.unwrap_err();
    assert_eq!(error.failure, RepositoryFailure::Unreachable, "{error}");
    server.start_again().unwrap();
    until_it_reads(&reader).await;
    assert_eq!(read_all(&reader).await.state().ids(Kind::Api), ["a", "b", "c"]);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up_on() {
    let port = Port::reserve().unwrap();
    let listener = tokio::net::TcpListener::bind(port.address()).await.unwrap();
    let silent = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((socket, _)) = listener.accept().await {
            held.push(socket);
        }
    });
    let servers = MongoServers::new("127.0.0.1", port.number());
    let error = failure(MongoSettings::new(MongoPlace::Servers(Box::new(servers)))).await;
    assert_eq!(error.failure, RepositoryFailure::Unreachable, "{error}");
    silent.abort();
}

#[tokio::test]
async fn a_server_that_falls_silent_is_given_up_on_and_the_next_read_is_well() {
    let server = MongoServer::start(MongoOptions::default()).unwrap();
    let address = server.address();
    let writer = ManagementWriter::connect(&server.uri("gravitee")).await.unwrap();
    writer.create_schema().await.unwrap();
    api_with_key(&writer, "api").await;
    drop(writer);
    let mut servers = MongoServers::new(address.ip().to_string(), address.port());
    servers.server_selection_timeout = std::time::Duration::from_secs(2);
    let reader = reader(MongoSettings::new(MongoPlace::Servers(Box::new(servers))));
    read_all(&reader).await;
    let mut server = server;
    server.pause().unwrap();
    let error = reader.read_all(&mut Read::default()).await.unwrap_err();
    assert_eq!(error.failure, RepositoryFailure::Unreachable, "{error}");
    server.resume().unwrap();
    until_it_reads(&reader).await;
    assert_eq!(read_all(&reader).await.state().ids(Kind::Api), ["api"]);
}
