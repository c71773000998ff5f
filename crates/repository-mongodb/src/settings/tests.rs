//! What the settings say, what is refused, and that no secret is shown.

use super::*;

fn uri(uri: &str) -> Result<Checked, SettingsError> {
    MongoSettings::new(MongoPlace::Uri(uri.into())).check()
}

#[test]
fn c1_the_database_of_a_uri_counts_and_else_the_one_of_the_settings() {
    let checked = uri("mongodb://u:p@a:1,b/apim?authSource=admin&socketTimeoutMS=20000").unwrap();
    assert_eq!(checked.names.to_string(), "MongoDB database `apim` at a:1,b:27017");
    assert_eq!(checked.answer_time, Duration::from_secs(20));
    let checked = uri("mongodb://a/?replicaSet=rs&retryWrites=true").unwrap();
    assert_eq!(checked.names.database, "gravitee");
    assert_eq!(checked.answer_time, ANSWER_TIME);
    let servers = MongoServers::new("db", 27018);
    let checked = MongoSettings::new(MongoPlace::Servers(Box::new(servers))).check().unwrap();
    assert_eq!(checked.names.to_string(), "MongoDB database `gravitee` at db:27018");
    assert_eq!(checked.answer_time, LEAST_ANSWER_TIME);
    let cluster = uri("mongodb+srv://cluster.example/apim?tls=false").unwrap();
    assert!(cluster.names.servers.contains("cluster.example"));
}

#[test]
fn what_asks_for_tls_is_refused_by_name() {
    for (asking, name) in [
        ("mongodb://a/?tls=true", "tls=true"),
        ("mongodb://a/?ssl=True&x=1", "ssl=true"),
        ("mongodb://a/?replicaSet=r&tlsCAFile=/nowhere/ca.pem", "tlsCAFile"),
        ("mongodb+srv://cluster.example/apim", "mongodb+srv"),
    ] {
        let error = uri(asking).err().unwrap();
        assert!(matches!(error, SettingsError::Tls(_)), "{asking}: {error}");
        let text = error.to_string();
        assert!(text.contains(name) && text.contains("management.mongodb.uri"), "{asking}: {error}");
    }
}

#[test]
fn l3_no_error_and_no_debug_output_repeats_a_password() {
    for wrong in [
        "mongodb://user:hunter2@",
        "mongodb://user:hun%ter2@host/",
        "mongodb://user:hun/ter2@host/",
        "mongodb://user:hunter2@host:port/",
        "hunter2://user:hunter2@host",
        "mongodb://user:hunter2@host/a$b",
        "mongodb://user:hunter2@host/?connectTimeoutMS=hunter2",
        "mongodb://user:hunter2@host/?authMechanism=MONGODB-X509",
        "hunter2",
    ] {
        let Err(error) = uri(wrong) else { continue };
        let text = format!("{error} {error:?}");
        assert!(!text.contains("hunter2") && !text.contains("hun%ter2"), "{wrong}: {text}");
        assert!(text.contains("management.mongodb.uri") || text.contains("dbname"), "{text}");
    }
    let settings = MongoSettings::new(MongoPlace::Uri("mongodb://user:hunter2@host/apim".into()));
    assert!(!format!("{settings:?}").contains("hunter2"));
    let servers = MongoServers { password: Some("hunter2".into()), ..MongoServers::new("host", 1) };
    assert!(!format!("{servers:?}").contains("hunter2"));
}

#[test]
fn names_that_cannot_be_are_refused_by_their_key() {
    let with = |database: &str, prefix: &str| {
        let mut settings = MongoSettings::new(MongoPlace::Uri("mongodb://a".into()));
        settings.database = database.to_owned();
        settings.prefix = prefix.to_owned();
        settings.check().map(drop)
    };
    assert_eq!(with("gravitee", "gio_"), Ok(()));
    assert!(with("a.b", "").unwrap_err().to_string().contains("management.mongodb.dbname"));
    assert!(with("", "").is_err());
    assert!(with("gravitee", "$").unwrap_err().to_string().contains("management.mongodb.prefix"));
    let servers = MongoServers { hosts: Vec::new(), ..MongoServers::new("a", 1) };
    let settings = MongoSettings::new(MongoPlace::Servers(Box::new(servers)));
    assert_eq!(settings.check().err(), Some(SettingsError::NoServer));
}

#[test]
fn c1_options_that_only_other_drivers_know_are_left_out() {
    let all = "mongodb://u:p@a/apim?waitQueueMultiple=5&maxPoolSize=7&uuidRepresentation=standard&compressors=zstd&w=1&\
               journal=true&wtimeoutMS=5&retryWrites=false&slaveOk=true&socketTimeoutMS=15000&maxLifeTimeMS=9";
    let checked = uri(all).unwrap();
    let CheckedPlace::Uri(understood) = checked.place else { panic!() };
    let connection_string = understood.connection_string();
    assert_eq!(connection_string.max_pool_size, Some(7));
    assert_eq!(checked.answer_time, Duration::from_secs(15));
    assert_eq!(uri("mongodb://a/?wrong").map(drop), Ok(()));
    assert!(uri("mongodb://a/?proxyHost=x").is_err());
    assert!(
        uri("mongodb://a/?maxPoolSize=many").err().unwrap().to_string().contains("management.mongodb.uri")
    );
}
