//! Finds the configuration file and turns its settings into those of each part.

use std::path::{Path, PathBuf};

use zonegate_config::{LoadError, Loaded};

/// Where the configuration is looked for.
#[derive(Debug)]
pub(crate) struct Location {
    /// The file.
    pub(crate) file: PathBuf,
    /// `${gravitee.home}`.
    pub(crate) home: Option<PathBuf>,
}

/// The file named on the command line, else `config/gravitee.yml` in the home folder. The home folder is the one named,
/// else `GRAVITEE_HOME`, else the folder above the file's `config` folder, else the working directory.
pub(crate) fn locate(config: Option<&Path>, home: Option<&Path>) -> Location {
    let from_environment = || {
        let mut variables = zonegate_config::process_environment();
        variables.find(|(name, _)| name == "GRAVITEE_HOME").map(|(_, value)| PathBuf::from(value))
    };
    let home = home.map(Path::to_path_buf).or_else(from_environment);
    let Some(file) = config else {
        let base = home.clone().unwrap_or_else(|| PathBuf::from("."));
        return Location { file: base.join("config").join("gravitee.yml"), home: Some(base) };
    };
    let beside = || {
        let folder = file.parent()?;
        (folder.file_name()? == "config").then(|| folder.parent().map(Path::to_path_buf))?
    };
    Location { file: file.to_path_buf(), home: home.or_else(beside) }
}

/// Reads the file and the environment of this process.
pub(crate) fn load(location: &Location) -> Result<Loaded, LoadError> {
    zonegate_config::load(&location.file, zonegate_config::process_environment(), location.home.as_deref())
}
