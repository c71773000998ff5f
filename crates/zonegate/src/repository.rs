//! The management repository of this gateway, whichever database it is in.

mod settings;

use std::sync::Arc;

use zonegate_config::{Management, Settings};
use zonegate_repository_mongodb::{MongoDatabase, MongoRepository};
use zonegate_repository_sql::{SqlDatabase, SqlRepository};
use zonegate_sync::port::{ChangeSink, IndexSink, RepositoryError, RepositoryReader, Watched, Window};

use crate::assemble::RunError;

/// Reads whatever the settings name.
pub(crate) enum ManagementRepository {
    /// `management.type: jdbc`.
    Sql(SqlRepository),
    /// `management.type: mongodb`.
    Mongo(MongoRepository),
}

/// The repository that the settings name; `None` for a gateway that never reads one. Does not connect yet.
pub(crate) fn open(configuration: &Settings) -> Result<Option<Arc<ManagementRepository>>, RunError> {
    let meaning = settings::repository_settings(configuration);
    Ok(match &configuration.management {
        None => None,
        Some(Management::Jdbc(jdbc)) => {
            let database = SqlDatabase::new(settings::sql_settings(jdbc)?)?;
            Some(Arc::new(ManagementRepository::Sql(SqlRepository::new(database, meaning)?)))
        }
        Some(Management::Mongo(mongo)) => {
            let database = MongoDatabase::new(settings::mongo_settings(mongo))?;
            Some(Arc::new(ManagementRepository::Mongo(MongoRepository::new(database, meaning)?)))
        }
    })
}

impl RepositoryReader for ManagementRepository {
    async fn read_all(&self, sink: &mut impl ChangeSink) -> Result<(), RepositoryError> {
        match self {
            Self::Sql(repository) => repository.read_all(sink).await,
            Self::Mongo(repository) => repository.read_all(sink).await,
        }
    }

    async fn read_changes(&self, window: Window, sink: &mut impl ChangeSink) -> Result<(), RepositoryError> {
        match self {
            Self::Sql(repository) => repository.read_changes(window, sink).await,
            Self::Mongo(repository) => repository.read_changes(window, sink).await,
        }
    }

    async fn read_index(&self, sink: &mut impl IndexSink) -> Result<(), RepositoryError> {
        match self {
            Self::Sql(repository) => repository.read_index(sink).await,
            Self::Mongo(repository) => repository.read_index(sink).await,
        }
    }

    async fn read_parts(
        &self,
        units: Vec<Arc<str>>,
        sink: &mut impl ChangeSink,
    ) -> Result<(), RepositoryError> {
        match self {
            Self::Sql(repository) => repository.read_parts(units, sink).await,
            Self::Mongo(repository) => repository.read_parts(units, sink).await,
        }
    }

    async fn watch(&self) -> Result<Watched, RepositoryError> {
        match self {
            Self::Sql(repository) => repository.watch().await,
            Self::Mongo(repository) => repository.watch().await,
        }
    }
}
