//! A PostgreSQL server for tests, with durability switched off.
//!
//! A fresh data folder takes half a second to make, so one is made per clone and copied. Tests that only need a database
//! of their own share a server: `static SERVER: LazyLock<Postgres> = LazyLock::new(|| Postgres::start().unwrap())` and
//! [`Postgres::create_database`]. (A static is never dropped; the server ends with the test process all the same.)

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::deadline::Deadline;
use crate::folders::{self, RunFolder};
use crate::install::{self, InstallError, Program, Progress, SILENT};
use crate::ports::Port;
use crate::process::{self, End, Launch, ProcessError, ServerProcess};

/// The superuser that owns everything.
pub const USER: &str = "zonegate";
/// The superuser's password.
pub const PASSWORD: &str = "zonegate-test";

const WAIT: Duration = Duration::from_secs(30);

/// Why a PostgreSQL server could not be had or controlled.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// It could not be installed, or its data folder not be made.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// Its folder or port could not be had.
    #[error("cannot prepare a PostgreSQL server: {0}")]
    Prepare(#[from] io::Error),
    /// Its process did not do as told.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// `psql` refused what it was given.
    #[error("psql on database {database}: {output}")]
    Sql {
        /// The database.
        database: String,
        /// What it printed.
        output: String,
    },
}

/// A PostgreSQL server of our own; ended when dropped.
#[derive(Debug)]
pub struct Postgres {
    process: ServerProcess,
    program: Program,
    port: Port,
    folder: RunFolder,
}

impl Postgres {
    /// Starts a server, installing it first if need be.
    pub fn start() -> Result<Self, PostgresError> {
        Self::start_with_progress(SILENT)
    }

    /// Like [`Self::start`], telling `progress` what takes its time.
    pub fn start_with_progress(progress: Progress<'_>) -> Result<Self, PostgresError> {
        Self::start_program(install::postgresql(progress)?, progress)
    }

    fn start_program(program: Program, progress: Progress<'_>) -> Result<Self, PostgresError> {
        let template = template(&program, progress)?;
        let port = Port::reserve()?;
        let folder = RunFolder::create_below(&folders::state_for_everybody(), "postgresql")?;
        // `cp` keeps owner and modes, and copies blocks by reference where the file system can.
        let mut copy = Command::new("cp");
        copy.args(["--archive", "--reflink=auto"]).arg(template.join("data")).arg(folder.path().join("data"));
        install::run(&mut copy, "is the disk full?")?;
        let process = ServerProcess::start(launch(&program, folder.path(), port.number()))?;
        let mut postgres = Self { process, program, port, folder };
        postgres.wait_ready()?;
        Ok(postgres)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The URL of a database, with user and password: `postgresql://user:password@127.0.0.1:port/database`.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgresql://{USER}:{PASSWORD}@{}/{database}", self.address())
    }

    /// The URL of a database as `management.jdbc.url` takes it, without user and password ([`USER`], [`PASSWORD`]).
    #[must_use]
    pub fn jdbc_url(&self, database: &str) -> String {
        format!("jdbc:postgresql://{}/{database}", self.address())
    }

    /// The process id of the server; those of its sessions are its children.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// The server's log.
    #[must_use]
    pub fn log(&self) -> &Path {
        self.process.log()
    }

    /// Makes an empty database.
    pub fn create_database(&self, name: &str) -> Result<(), PostgresError> {
        self.execute("postgres", &format!("CREATE DATABASE \"{}\"", name.replace('"', "\"\""))).map(drop)
    }

    /// Runs SQL; the answer is the rows, columns separated by `|`.
    pub fn execute(&self, database: &str, sql: &str) -> Result<String, PostgresError> {
        self.psql(database, &["--command", sql])
    }

    /// Runs a file of SQL, such as a dump.
    pub fn execute_file(&self, database: &str, file: &Path) -> Result<(), PostgresError> {
        self.psql(database, &["--file", &file.to_string_lossy()]).map(drop)
    }

    /// Kills it without warning (SIGKILL), as a power cut would; connections break.
    pub fn kill(&mut self) -> Result<(), PostgresError> {
        Ok(self.process.kill()?)
    }

    /// Stops it: open transactions are rolled back and connections closed.
    pub fn stop(&mut self) -> Result<(), PostgresError> {
        self.process.end_by(Signal::INT, WAIT)?;
        Ok(())
    }

    /// Starts it again on the same port with the same data.
    pub fn start_again(&mut self) -> Result<(), PostgresError> {
        self.process.kill()?;
        let deadline = Deadline::after(WAIT);
        loop {
            // After a SIGKILL the file still says "ready".
            let _ = fs::remove_file(self.pid_file());
            self.process =
                ServerProcess::start(launch(&self.program, self.folder.path(), self.port.number()))?;
            match self.wait_ready() {
                // Sessions of a killed server end a moment after it, and hold its shared memory until then.
                Err(PostgresError::Process(ProcessError::Ended { tail, .. }))
                    if tail.contains("pre-existing shared memory block") && !deadline.passed() =>
                {
                    std::thread::sleep(Duration::from_millis(100));
                }
                result => return result,
            }
        }
    }

    fn wait_ready(&mut self) -> Result<(), PostgresError> {
        let pid_file = self.pid_file();
        // The server keeps its state in the last line of this file; `pg_ctl` waits for it in the same way.
        let ready = || {
            fs::read_to_string(&pid_file)
                .is_ok_and(|text| text.lines().nth(7).is_some_and(|state| state.trim() == "ready"))
        };
        Ok(self.process.wait_until(WAIT, ready)?)
    }

    fn pid_file(&self) -> PathBuf {
        self.folder.path().join("data/postmaster.pid")
    }

    fn psql(&self, database: &str, arguments: &[&str]) -> Result<String, PostgresError> {
        let mut command = Command::new(self.program.path.with_file_name("psql"));
        command
            .envs(self.program.env())
            .env("PGPASSWORD", PASSWORD)
            .env("PGOPTIONS", "--client-min-messages=warning");
        command.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"]);
        command.args([
            "--dbname",
            &format!("host=127.0.0.1 port={} user={USER} dbname='{database}'", self.port.number()),
        ]);
        let output = command.args(arguments).stdin(Stdio::null()).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
        }
        let output = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(PostgresError::Sql { database: database.to_owned(), output })
    }
}

/// Makes the data folder that every server's is a copy of, unless the clone has it.
fn template(program: &Program, progress: Progress<'_>) -> Result<PathBuf, InstallError> {
    let initdb = program.path.with_file_name("initdb");
    let from_packages = if program.libraries.is_some() { "-own" } else { "" };
    let version = program.path.iter().rev().nth(2).unwrap_or_default().to_string_lossy();
    let name = format!("postgresql-data-{version}{from_packages}");
    install::once(&folders::state_for_everybody(), &name, progress, |draft| {
        progress("making a data folder for PostgreSQL");
        process::give_away(draft).map_err(install::failed("hand over", draft))?;
        let password = draft.join("password");
        fs::write(&password, PASSWORD).map_err(install::failed("write", &password))?;
        let mut command = Command::new(initdb);
        command.envs(program.env()).env("LC_ALL", "C").current_dir(draft);
        command.args([
            "--pgdata",
            "data",
            "--username",
            USER,
            "--pwfile",
            "password",
            "--auth",
            "scram-sha-256",
        ]);
        command.args(["--encoding", "UTF8", "--no-locale", "--no-sync"]);
        process::as_other_user(&mut command, true);
        install::run(
            &mut command,
            "PostgreSQL's initdb must run as an ordinary user that can enter this folder",
        )
        .map(drop)
    })
}

fn launch(program: &Program, folder: &Path, port: u16) -> Launch {
    let mut launch = Launch::new("PostgreSQL", &program.path, &folder.join("postgresql.log"));
    let data = folder.join("data").to_string_lossy().into_owned();
    launch.args = vec!["-D".into(), data, "-p".into(), port.to_string()];
    for setting in [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "fsync=off",
        "synchronous_commit=off",
        "full_page_writes=off",
        "shared_buffers=64MB",
        "max_connections=200",
        "jit=off",
    ] {
        launch.args.extend(["-c".to_owned(), setting.to_owned()]);
    }
    launch.env = program.env();
    launch.folder = Some(folder.to_owned());
    launch.end = End::Quit;
    launch.unprivileged = true;
    launch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_keeps_its_databases_over_a_stop_and_a_kill() {
        let mut postgres = Postgres::start().unwrap();
        postgres.create_database("gravitee").unwrap();
        postgres.execute("gravitee", "CREATE TABLE t (n int); INSERT INTO t VALUES (1)").unwrap();
        let address = postgres.address();
        postgres.stop().unwrap();
        assert!(postgres.execute("gravitee", "SELECT 1").is_err());
        postgres.start_again().unwrap();
        assert_eq!(postgres.execute("gravitee", "SELECT n, n + 1 FROM t").unwrap(), "1|2");
        postgres.kill().unwrap();
        postgres.start_again().unwrap();
        postgres.execute("gravitee", "SELECT 1").unwrap();
        assert_eq!(postgres.address(), address);
    }

    #[test]
    fn a_wrong_password_is_refused_and_sql_errors_are_shown() {
        let postgres = Postgres::start().unwrap();
        let error = postgres.execute("postgres", "SELECT * FROM missing").unwrap_err().to_string();
        assert!(error.contains("missing"), "{error}");
        let url = postgres.url("postgres").replace(PASSWORD, "wrong");
        let psql = postgres.program.path.with_file_name("psql");
        let output = Command::new(psql).args([&url, "-c", "SELECT 1"]).output().unwrap();
        assert!(String::from_utf8_lossy(&output.stderr).contains("password authentication failed"));
    }

    #[test]
    fn a_machine_without_postgresql_gets_it_from_packages() {
        let program = install::postgresql_from_packages(SILENT).unwrap();
        assert!(program.path.starts_with(folders::state_for_everybody()));
        let postgres = Postgres::start_program(program, SILENT).unwrap();
        postgres.create_database("a b").unwrap();
        assert_eq!(postgres.execute("a b", "SELECT current_database()").unwrap(), "a b");
    }
}
