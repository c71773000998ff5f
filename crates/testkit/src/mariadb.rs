//! A MariaDB server for tests, with durability switched off. It stands for MySQL too, which Debian does not package.
//!
//! Making a data folder takes seconds, so one is made per clone and copied. As with [`crate::postgres`], tests that only
//! need a database of their own share a server.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::folders::{self, RunFolder};
use crate::install::{self, InstallError, Program, Progress, SILENT};
use crate::ports::Port;
use crate::process::{Launch, ProcessError, ServerProcess};

/// The user that may do everything.
pub const USER: &str = "zonegate";
/// The password of [`USER`].
pub const PASSWORD: &str = "zonegate-test";

const WAIT: Duration = Duration::from_secs(30);

/// Why a MariaDB server could not be had or controlled.
#[derive(Debug, thiserror::Error)]
pub enum MariadbError {
    /// It could not be installed, or its data folder not be made.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// Its folder or port could not be had.
    #[error("cannot prepare a MariaDB server: {0}")]
    Prepare(#[from] io::Error),
    /// Its process did not do as told.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The client refused what it was given.
    #[error("mariadb on database {database}: {output}")]
    Sql {
        /// The database.
        database: String,
        /// What it printed.
        output: String,
    },
}

/// What kind of server to start.
#[derive(Debug, Clone, Default)]
pub struct MariadbOptions {
    /// The zone of the machine that it runs on, as the variable `TZ` says it (`CET-1CEST,M3.5.0,M10.5.0/3`), which needs
    /// no table of zones. Sessions have it unless they ask for another. The machine's own if `None`.
    pub zone: Option<String>,
    /// Further options of its command line, such as `--lower-case-table-names=1`.
    pub arguments: Vec<String>,
}

/// A MariaDB server of our own; ended when dropped.
#[derive(Debug)]
pub struct Mariadb {
    process: ServerProcess,
    program: Program,
    options: MariadbOptions,
    port: Port,
    folder: RunFolder,
}

impl Mariadb {
    /// Starts a server, installing it first if need be.
    pub fn start(options: MariadbOptions) -> Result<Self, MariadbError> {
        Self::start_with_progress(options, SILENT)
    }

    /// Like [`Self::start`], telling `progress` what takes its time.
    pub fn start_with_progress(
        options: MariadbOptions,
        progress: Progress<'_>,
    ) -> Result<Self, MariadbError> {
        let program = install::mariadb(progress)?;
        let template = template(&program, progress)?;
        let port = Port::reserve()?;
        let folder = RunFolder::create("mariadb")?;
        let mut copy = Command::new("cp");
        copy.args(["--archive", "--reflink=auto"]).arg(template.join("data")).arg(folder.path().join("data"));
        install::run(&mut copy, "is the disk full?")?;
        let process = ServerProcess::start(launch(&program, &options, folder.path(), port.number()))?;
        let mut mariadb = Self { process, program, options, port, folder };
        mariadb.wait_ready()?;
        Ok(mariadb)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The URL of a database, with user and password: `mysql://user:password@127.0.0.1:port/database`.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("mysql://{USER}:{PASSWORD}@{}/{database}", self.address())
    }

    /// The URL of a database as `management.jdbc.url` takes it, without user and password ([`USER`], [`PASSWORD`]).
    #[must_use]
    pub fn jdbc_url(&self, database: &str) -> String {
        format!("jdbc:mariadb://{}/{database}", self.address())
    }

    /// The server's log.
    #[must_use]
    pub fn log(&self) -> &Path {
        self.process.log()
    }

    /// Makes an empty database, with MariaDB's own character set and collation (`utf8mb4`, which ignores case).
    pub fn create_database(&self, name: &str) -> Result<(), MariadbError> {
        let statement = format!("CREATE DATABASE `{}` CHARACTER SET utf8mb4", name.replace('`', "``"));
        self.execute("", &statement).map(drop)
    }

    /// Runs SQL; the answer is the rows, columns separated by tabs. No database is entered if `database` is empty.
    pub fn execute(&self, database: &str, sql: &str) -> Result<String, MariadbError> {
        let mut command = Command::new(self.program.path.with_file_name("../bin/mariadb"));
        command.envs(self.program.env()).env("MYSQL_PWD", PASSWORD);
        command.args([
            "--no-defaults",
            "--protocol=tcp",
            "--host=127.0.0.1",
            "--batch",
            "--skip-column-names",
        ]);
        command.args(["--default-character-set=utf8mb4", "--user", USER]);
        command.arg(format!("--port={}", self.port.number())).arg(format!("--execute={sql}")).arg(database);
        let output = command.stdin(Stdio::null()).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
        }
        let output = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(MariadbError::Sql { database: database.to_owned(), output })
    }

    /// Kills it without warning (SIGKILL), as a power cut would; connections break.
    pub fn kill(&mut self) -> Result<(), MariadbError> {
        Ok(self.process.kill()?)
    }

    /// Stops it: open transactions are rolled back and connections closed.
    pub fn stop(&mut self) -> Result<(), MariadbError> {
        self.process.end_by(Signal::TERM, WAIT)?;
        Ok(())
    }

    /// Freezes it: connections stay open, and nothing answers.
    pub fn pause(&mut self) -> Result<(), MariadbError> {
        Ok(self.process.pause()?)
    }

    /// Lets it go on after [`Self::pause`].
    pub fn resume(&mut self) -> Result<(), MariadbError> {
        Ok(self.process.resume()?)
    }

    /// Starts it again on the same port with the same data.
    pub fn start_again(&mut self) -> Result<(), MariadbError> {
        self.process.kill()?;
        // After a SIGKILL it is still there.
        let _ = fs::remove_file(self.pid_file());
        let launch = launch(&self.program, &self.options, self.folder.path(), self.port.number());
        self.process = ServerProcess::start(launch)?;
        self.wait_ready()
    }

    fn wait_ready(&mut self) -> Result<(), MariadbError> {
        let pid_file = self.pid_file();
        // Written when it has recovered its data and listens.
        Ok(self.process.wait_until(WAIT, || pid_file.exists())?)
    }

    fn pid_file(&self) -> PathBuf {
        self.folder.path().join("pid")
    }
}

/// Makes the data folder that every server's is a copy of, unless the clone has it.
fn template(program: &Program, progress: Progress<'_>) -> Result<PathBuf, InstallError> {
    install::once(&folders::state(), "mariadb-data-10.11", progress, |draft| {
        progress("making a data folder for MariaDB");
        let statements = draft.join("users.sql");
        let users = format!(
            "FLUSH PRIVILEGES;\nCREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';\n\
             GRANT ALL ON *.* TO '{USER}'@'%' WITH GRANT OPTION;\n"
        );
        fs::write(&statements, users).map_err(install::failed("write", &statements))?;
        let mut command = Command::new(program.path.with_file_name("../bin/mariadb-install-db"));
        command.envs(program.env()).current_dir(draft);
        command.arg("--no-defaults").arg(format!("--basedir={}", base(program).display()));
        command.arg(format!("--datadir={}", draft.join("data").display()));
        command.arg(format!("--extra-file={}", statements.display()));
        command.args(["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]);
        command.arg("--innodb-log-file-size=48M").args(as_root());
        install::run(&mut command, "is the disk full?").map(drop)
    })
}

/// The folder that MariaDB calls its base.
fn base(program: &Program) -> PathBuf {
    program.path.ancestors().nth(2).unwrap_or(&program.path).to_owned()
}

/// It runs as root only when told so.
fn as_root() -> Option<&'static str> {
    folders::is_root().then_some("--user=root")
}

fn launch(program: &Program, options: &MariadbOptions, folder: &Path, port: u16) -> Launch {
    let mut launch = Launch::new("MariaDB", &program.path, &folder.join("mariadb.log"));
    launch.args = vec![
        "--no-defaults".to_owned(),
        format!("--basedir={}", base(program).display()),
        format!("--datadir={}", folder.join("data").display()),
        // Nobody uses it, but it cannot be switched off. Relative to the data folder, because its name must be short.
        "--socket=../socket".to_owned(),
        format!("--pid-file={}", folder.join("pid").display()),
        format!("--port={port}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--skip-name-resolve".to_owned(),
        "--innodb-log-file-size=48M".to_owned(),
        "--innodb-flush-log-at-trx-commit=0".to_owned(),
        "--innodb-flush-method=nosync".to_owned(),
        "--innodb-doublewrite=0".to_owned(),
        "--innodb-buffer-pool-size=64M".to_owned(),
        "--max-allowed-packet=64M".to_owned(),
        "--performance-schema=off".to_owned(),
    ];
    launch.args.extend(as_root().map(str::to_owned));
    launch.args.extend(options.arguments.iter().cloned());
    launch.env = program.env();
    launch.env.extend(options.zone.iter().map(|zone| ("TZ".to_owned(), zone.clone())));
    launch.folder = Some(folder.to_owned());
    launch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_keeps_its_databases_over_a_stop_and_a_kill() {
        let mut mariadb = Mariadb::start(MariadbOptions::default()).unwrap();
        mariadb.create_database("a `b`").unwrap();
        mariadb.execute("a `b`", "CREATE TABLE t (n int); INSERT INTO t VALUES (1)").unwrap();
        let address = mariadb.address();
        mariadb.stop().unwrap();
        assert!(mariadb.execute("a `b`", "SELECT 1").is_err());
        mariadb.start_again().unwrap();
        assert_eq!(mariadb.execute("a `b`", "SELECT n, n + 1 FROM t").unwrap(), "1\t2");
        mariadb.kill().unwrap();
        mariadb.start_again().unwrap();
        assert_eq!(mariadb.execute("a `b`", "SELECT n FROM t").unwrap(), "1");
        assert_eq!(mariadb.address(), address);
    }

    #[test]
    fn a_server_is_in_the_zone_that_it_is_told() {
        let zone = Some("CET-1CEST,M3.5.0,M10.5.0/3".to_owned());
        let mariadb = Mariadb::start(MariadbOptions { zone, ..MariadbOptions::default() }).unwrap();
        assert_eq!(mariadb.execute("", "SELECT FROM_UNIXTIME(0)").unwrap(), "1970-01-01 01:00:00");
    }

    #[test]
    fn sql_errors_are_shown_and_a_wrong_password_is_refused() {
        let mariadb = Mariadb::start(MariadbOptions::default()).unwrap();
        let error = mariadb.execute("mysql", "SELECT * FROM missing").unwrap_err().to_string();
        assert!(error.contains("missing"), "{error}");
        let mut client = Command::new(mariadb.program.path.with_file_name("../bin/mariadb"));
        client.envs(mariadb.program.env()).env("MYSQL_PWD", "wrong");
        client.args([
            "--no-defaults",
            "--protocol=tcp",
            "--host=127.0.0.1",
            "--execute=SELECT 1",
            "--user",
            USER,
        ]);
        let output = client.arg(format!("--port={}", mariadb.port.number())).output().unwrap();
        assert!(String::from_utf8_lossy(&output.stderr).contains("Access denied"), "{output:?}");
    }
}
