//! The demo's management repository: a SQLite file or a PostgreSQL server, and how either goes away and comes back.

use std::fs;
use std::path::PathBuf;

use zonegate_testkit::folders::RunFolder;
use zonegate_testkit::gateway::GatewayOptions;
use zonegate_testkit::install::Progress;
use zonegate_testkit::postgres::{self, Postgres};

use super::Repository as Kind;
use super::failure::DemoError;

/// The database of the PostgreSQL server.
const DATABASE: &str = "gravitee";

/// A repository. It ends when dropped.
#[derive(Debug)]
pub(crate) enum Repository {
    /// A file. It goes away with its folder, as when a volume is no longer mounted.
    Sqlite {
        /// What the folder with the file is in.
        folder: RunFolder,
    },
    /// A server.
    Postgresql {
        /// It.
        server: Postgres,
    },
}

impl Repository {
    /// Starts an empty one.
    pub(crate) fn start(kind: Kind, progress: Progress<'_>) -> Result<Self, DemoError> {
        match kind {
            Kind::Sqlite => {
                let folder = RunFolder::create("repository")
                    .map_err(DemoError::system("make the repository's folder"))?;
                let repository = Self::Sqlite { folder };
                fs::create_dir(repository.volume("volume"))
                    .map_err(DemoError::system("make the repository's folder"))?;
                Ok(repository)
            }
            Kind::Postgresql => {
                let server = Postgres::start_with_progress(progress)?;
                server.create_database(DATABASE)?;
                Ok(Self::Postgresql { server })
            }
        }
    }

    /// What the management API connects to.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite { .. } => format!("sqlite:{}", self.file().display()),
            Self::Postgresql { server } => server.url(DATABASE),
        }
    }

    /// A gateway that reads it.
    pub(crate) fn read_by(&self, gateway: GatewayOptions) -> GatewayOptions {
        match self {
            Self::Sqlite { .. } => {
                gateway.repository(&format!("jdbc:sqlite:{}", self.file().display()), None, None)
            }
            Self::Postgresql { server } => {
                gateway.repository(&server.jdbc_url(DATABASE), Some(postgres::USER), Some(postgres::PASSWORD))
            }
        }
    }

    /// Takes it away. Nobody of ours may be connected any more.
    pub(crate) fn stop(&mut self) -> Result<(), DemoError> {
        match self {
            Self::Sqlite { .. } => fs::rename(self.volume("volume"), self.volume("gone"))
                .map_err(DemoError::system("move the repository's folder away")),
            Self::Postgresql { server } => Ok(server.stop()?),
        }
    }

    /// Brings it back as it was.
    pub(crate) fn bring_back(&mut self) -> Result<(), DemoError> {
        match self {
            Self::Sqlite { .. } => fs::rename(self.volume("gone"), self.volume("volume"))
                .map_err(DemoError::system("move the repository's folder back")),
            Self::Postgresql { server } => Ok(server.start_again()?),
        }
    }

    /// What it is, for people.
    pub(crate) fn text(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "a SQLite file",
            Self::Postgresql { .. } => "PostgreSQL",
        }
    }

    /// What happens to it, for people.
    pub(crate) fn outage(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "the SQLite file is moved away",
            Self::Postgresql { .. } => "PostgreSQL is stopped",
        }
    }

    fn volume(&self, name: &str) -> PathBuf {
        match self {
            Self::Sqlite { folder } => folder.path().join(name),
            Self::Postgresql { .. } => PathBuf::new(),
        }
    }

    fn file(&self) -> PathBuf {
        self.volume("volume").join("gravitee.db")
    }
}
