//! A management repository to write to and to read.

use std::sync::{Arc, OnceLock};

use mongodb::Collection;
use mongodb::bson::Document;
use zonegate_management_writer::ManagementWriter;
use zonegate_repository::Settings;
use zonegate_repository_mongodb::{MongoDatabase, MongoPlace, MongoRepository, MongoSettings};
use zonegate_testkit::mongodb::{MongoOptions, MongoServer};

pub(crate) use crate::state::{
    Index, Read, State, read_all, read_changes, read_index, read_parts, read_window,
};

/// What is tested.
pub(crate) type Reader = MongoRepository;

/// One server for all tests of this process, with which it ends: it takes its time to start.
fn shared(standalone: bool) -> Arc<MongoServer> {
    static SERVERS: [OnceLock<Arc<MongoServer>>; 2] = [const { OnceLock::new() }; 2];
    let start = || {
        let options = MongoOptions { standalone, ..MongoOptions::default() };
        Arc::new(MongoServer::start(options).unwrap())
    };
    Arc::clone(SERVERS[usize::from(standalone)].get_or_init(start))
}

/// A repository with a writer.
pub(crate) struct World {
    pub(crate) writer: ManagementWriter,
    pub(crate) settings: MongoSettings,
    pub(crate) reading: Settings,
    pub(crate) server: Arc<MongoServer>,
}

impl World {
    /// An empty repository in a replica set. `name`: of its database.
    pub(crate) async fn replica_set(name: &str) -> Self {
        let world = Self::empty(name).await;
        world.writer.create_schema().await.unwrap();
        world
    }

    /// An empty database in a replica set.
    pub(crate) async fn empty(name: &str) -> Self {
        Self::on(shared(false), name).await
    }

    /// An empty repository in a server that is no member of a replica set.
    pub(crate) async fn standalone(name: &str) -> Self {
        let world = Self::on(shared(true), name).await;
        world.writer.create_schema().await.unwrap();
        world
    }

    /// An empty database.
    pub(crate) async fn on(server: Arc<MongoServer>, name: &str) -> Self {
        let name = name.get(..60).unwrap_or(name);
        let uri = server.uri(name);
        let writer = ManagementWriter::connect(&uri).await.unwrap();
        let settings = MongoSettings::new(MongoPlace::Uri(uri.into()));
        Self { writer, settings, reading: Settings::default(), server }
    }

    pub(crate) fn database(&self) -> MongoDatabase {
        MongoDatabase::new(self.settings.clone()).unwrap()
    }

    pub(crate) fn reader(&self) -> Reader {
        self.reader_with(self.reading.clone())
    }

    pub(crate) fn reader_with(&self, reading: Settings) -> Reader {
        Reader::new(self.database(), reading).unwrap()
    }

    /// What a fresh reader finds.
    pub(crate) async fn read_all(&self) -> Read {
        read_all(&self.reader()).await
    }

    /// A collection, to write to it what the writer would not.
    pub(crate) fn collection(&self, name: &str) -> Collection<Document> {
        self.writer.mongodb().unwrap().collection(name)
    }
}

/// Each test as two: `replica_set::name` and `standalone::name`.
macro_rules! on_each_engine {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {
        mod replica_set {
            $($(#[$meta])* #[tokio::test] async fn $name() {
                super::$name(crate::world::World::replica_set(stringify!($name)).await).await;
            })+
        }
        mod standalone {
            $($(#[$meta])* #[tokio::test] async fn $name() {
                super::$name(crate::world::World::standalone(stringify!($name)).await).await;
            })+
        }
    };
}
pub(crate) use on_each_engine;
