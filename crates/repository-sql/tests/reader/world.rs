//! A management repository to write to and to read.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use zonegate_management_writer::ManagementWriter;
use zonegate_repository::Settings;
use zonegate_repository_sql::{Database, SqlDatabase, SqlRepository, SqlSettings};
use zonegate_testkit::folders::RunFolder;
use zonegate_testkit::mariadb::{self, Mariadb, MariadbOptions};
use zonegate_testkit::postgres::{PASSWORD, Postgres, USER};

pub(crate) use crate::state::{
    Index, Read, State, read_all, read_changes, read_index, read_parts, read_window,
};

/// What is tested.
pub(crate) type Reader = SqlRepository;

/// One server for the tests that run at the same time.
fn shared<T>(server: &Mutex<Weak<T>>, start: impl FnOnce() -> T) -> Arc<T> {
    let mut shared = server.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let server = Arc::new(start());
        *shared = Arc::downgrade(&server);
        server
    })
}

/// The shared PostgreSQL.
pub(crate) fn server() -> Arc<Postgres> {
    static SERVER: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());
    shared(&SERVER, || Postgres::start().unwrap())
}

/// The shared MariaDB.
fn mariadb_server() -> Arc<Mariadb> {
    static SERVER: Mutex<Weak<Mariadb>> = Mutex::new(Weak::new());
    shared(&SERVER, || Mariadb::start(MariadbOptions::default()).unwrap())
}

/// What keeps a database alive.
#[derive(Clone)]
pub(crate) enum Keep {
    Server(Arc<Postgres>),
    Mariadb(Arc<Mariadb>),
    #[expect(dead_code, reason = "held for its drop")]
    Folder(Arc<RunFolder>),
}

/// A repository with a writer.
pub(crate) struct World {
    pub(crate) writer: ManagementWriter,
    pub(crate) settings: SqlSettings,
    pub(crate) reading: Settings,
    pub(crate) keep: Keep,
    pub(crate) name: String,
}

impl World {
    /// An empty repository in PostgreSQL. `name`: of its database.
    pub(crate) async fn postgres(name: &str) -> Self {
        let world = Self::empty_postgres(name).await;
        world.writer.create_schema().await.unwrap();
        world
    }

    /// A database without tables.
    pub(crate) async fn empty_postgres(name: &str) -> Self {
        let server = server();
        server.create_database(name).unwrap();
        let settings = SqlSettings {
            username: Some(USER.to_owned()),
            password: Some(PASSWORD.into()),
            ..SqlSettings::new(Database::from_jdbc(&server.jdbc_url(name)).unwrap())
        };
        let writer = ManagementWriter::connect(&server.url(name)).await.unwrap();
        Self {
            writer,
            settings,
            reading: Settings::default(),
            keep: Keep::Server(server),
            name: name.to_owned(),
        }
    }

    /// An empty repository in MariaDB.
    pub(crate) async fn mariadb(name: &str) -> Self {
        Self::mariadb_on(mariadb_server(), name).await
    }

    /// An empty repository in a MariaDB of its own.
    pub(crate) async fn mariadb_on(server: Arc<Mariadb>, name: &str) -> Self {
        // PostgreSQL cuts names of databases by itself.
        let name = name.get(..63).unwrap_or(name);
        server.create_database(name).unwrap();
        let settings = SqlSettings {
            username: Some(mariadb::USER.to_owned()),
            password: Some(mariadb::PASSWORD.into()),
            ..SqlSettings::new(Database::from_jdbc(&server.jdbc_url(name)).unwrap())
        };
        let writer = ManagementWriter::connect(&server.url(name)).await.unwrap();
        writer.create_schema().await.unwrap();
        Self {
            writer,
            settings,
            reading: Settings::default(),
            keep: Keep::Mariadb(server),
            name: name.to_owned(),
        }
    }

    /// An empty repository in a SQLite file.
    pub(crate) async fn sqlite(name: &str) -> Self {
        let folder = Arc::new(RunFolder::create(name).unwrap());
        let url = format!("jdbc:sqlite:{}", folder.path().join("apim.db").display());
        let writer = ManagementWriter::connect(&url).await.unwrap();
        writer.create_schema().await.unwrap();
        let settings = SqlSettings::new(Database::from_jdbc(&url).unwrap());
        Self {
            writer,
            settings,
            reading: Settings::default(),
            keep: Keep::Folder(folder),
            name: name.to_owned(),
        }
    }

    pub(crate) fn reader(&self) -> SqlRepository {
        self.reader_with(self.reading.clone())
    }

    pub(crate) fn reader_with(&self, reading: Settings) -> SqlRepository {
        SqlRepository::new(SqlDatabase::new(self.settings.clone()).unwrap(), reading).unwrap()
    }

    /// What a fresh reader finds.
    pub(crate) async fn read_all(&self) -> Read {
        read_all(&self.reader()).await
    }
}

/// Each test as three: `postgresql::name`, `mariadb::name` and `sqlite::name`.
macro_rules! on_each_engine {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {
        mod postgresql {
            $($(#[$meta])* #[tokio::test] async fn $name() {
                super::$name(crate::world::World::postgres(stringify!($name)).await).await;
            })+
        }
        mod mariadb {
            $($(#[$meta])* #[tokio::test] async fn $name() {
                super::$name(crate::world::World::mariadb(stringify!($name)).await).await;
            })+
        }
        mod sqlite {
            $($(#[$meta])* #[tokio::test] async fn $name() {
                super::$name(crate::world::World::sqlite(stringify!($name)).await).await;
            })+
        }
    };
}
pub(crate) use on_each_engine;
