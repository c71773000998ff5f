//! Brings the servers into the clone's `.zonegate` folder, without touching the machine.
//!
//! Debian packages are downloaded by `apt-get` with lists and caches of our own and unpacked by `dpkg-deb`; Redis with its
//! search module and SecantusDB come as wheels by `pip`. The archive's host is whatever the machine's own apt sources say. Each
//! function returns at once when the work was done before, so tests call it without asking; a lock file lets a second
//! process wait for the first. An installation is built beside its place and moved there whole, so that an interrupted
//! one leaves nothing that looks finished.

mod apt;
mod pip;
mod servers;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[cfg(test)]
pub(crate) use servers::postgresql_from_packages;
pub use servers::{
    Program, PythonKit, RedisKit, mariadb, nginx, plain_redis, postgresql, redis_stack, secantus, wrk,
};

/// Is told what is being done while an installation takes its time.
pub type Progress<'a> = &'a dyn Fn(&str);

/// For callers with nothing to display.
pub const SILENT: Progress<'static> = &|_| {};

/// Why a server could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// A file or folder of ours could not be written.
    #[error("cannot {action} {path}: {source}")]
    File {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A tool that every Debian machine should have is missing.
    #[error("cannot run {tool} ({source}); install it: {hint}")]
    ToolMissing {
        /// Its name.
        tool: String,
        /// Why not.
        source: io::Error,
        /// What to do.
        hint: &'static str,
    },
    /// A tool failed.
    #[error("{command} failed with {status}; {hint}\n{output}")]
    ToolFailed {
        /// The command line.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// What to do.
        hint: &'static str,
        /// The end of what it printed.
        output: String,
    },
    /// The machine's apt sources name no Debian archive that we recognise.
    #[error(
        "no Debian archive for `{codename}` found in /etc/apt/sources.list and /etc/apt/sources.list.d; \
         the servers for tests come from Debian 12 packages, so one must be listed there"
    )]
    NoDebianArchive {
        /// The release that was looked for.
        codename: String,
    },
    /// What was unpacked does not contain what it should, or does not start.
    #[error("{program} was installed but does not work: {reason}; remove {folder} and try again")]
    Unusable {
        /// The program.
        program: PathBuf,
        /// Why.
        reason: String,
        /// The installation.
        folder: PathBuf,
    },
}

/// Runs `build` on an empty folder and moves the result to `base`/install/`name`, unless it is there already.
pub(crate) fn once(
    base: &Path,
    name: &str,
    progress: Progress<'_>,
    build: impl FnOnce(&Path) -> Result<(), InstallError>,
) -> Result<PathBuf, InstallError> {
    let place = base.join("install").join(name);
    if place.is_dir() {
        return Ok(place);
    }
    let parent = base.join("install");
    fs::create_dir_all(&parent).map_err(failed("create", &parent))?;
    let lock_path = parent.join("lock");
    let lock = File::create(&lock_path).map_err(failed("create", &lock_path))?;
    if lock.try_lock().is_err() {
        progress("waiting for another process that installs");
        lock.lock().map_err(failed("lock", &lock_path))?;
    }
    if place.is_dir() {
        return Ok(place);
    }
    let draft = parent.join(format!("{name}.draft"));
    if draft.exists() {
        fs::remove_dir_all(&draft).map_err(failed("remove", &draft))?;
    }
    fs::create_dir(&draft).map_err(failed("create", &draft))?;
    build(&draft)?;
    fs::rename(&draft, &place).map_err(failed("move into place", &place))?;
    Ok(place)
}

pub(crate) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> InstallError {
    let path = path.to_owned();
    move |source| InstallError::File { action, path, source }
}

/// Runs a tool to its end; its output is only shown when it fails.
pub(crate) fn run(command: &mut Command, hint: &'static str) -> Result<String, InstallError> {
    let output = command.stdin(Stdio::null()).output().map_err(|source| InstallError::ToolMissing {
        tool: command.get_program().to_string_lossy().into_owned(),
        source,
        hint,
    })?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let all = format!("{stdout}{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<&str> = all.lines().collect();
    let end = lines.get(lines.len().saturating_sub(15)..).unwrap_or_default().join("\n");
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect();
    Err(InstallError::ToolFailed { command: words.join(" "), status: output.status, hint, output: end })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folders::RunFolder;

    #[test]
    fn an_interrupted_installation_is_done_again_and_a_finished_one_is_not() {
        let base = RunFolder::create("install").unwrap();
        let broken = once(base.path(), "x", SILENT, |draft| {
            fs::write(draft.join("half"), "").unwrap();
            Err(InstallError::NoDebianArchive { codename: "x".into() })
        });
        assert!(broken.is_err());
        let place = once(base.path(), "x", SILENT, |draft| {
            assert!(!draft.join("half").exists());
            Ok(())
        });
        assert!(place.unwrap().is_dir());
        once(base.path(), "x", SILENT, |_| panic!("was done before")).unwrap();
    }
}
