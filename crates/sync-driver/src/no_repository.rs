//! The repository of a gateway that never reads one.

use std::sync::Arc;

use zonegate_sync::port::{ChangeSink, IndexSink, RepositoryError, RepositoryReader, Watched, Window};

/// Stands for the type of a repository where there is none. It has no value, so nothing is ever read from it.
#[derive(Clone, Copy, Debug)]
pub enum NoRepository {}

impl RepositoryReader for NoRepository {
    async fn read_all(&self, _: &mut impl ChangeSink) -> Result<(), RepositoryError> {
        match *self {}
    }

    async fn read_changes(&self, _: Window, _: &mut impl ChangeSink) -> Result<(), RepositoryError> {
        match *self {}
    }

    async fn read_index(&self, _: &mut impl IndexSink) -> Result<(), RepositoryError> {
        match *self {}
    }

    async fn read_parts(&self, _: Vec<Arc<str>>, _: &mut impl ChangeSink) -> Result<(), RepositoryError> {
        match *self {}
    }

    async fn watch(&self) -> Result<Watched, RepositoryError> {
        match *self {}
    }
}
