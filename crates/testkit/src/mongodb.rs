//! A server that speaks MongoDB's protocol, for tests: SecantusDB, which answers as a replica set of one member, or as a
//! standalone server, with users or open.
//!
//! It is a beta: right where it was tried (find, sort, aggregate, change streams, SCRAM-SHA-256), and slow. Two things are
//! known to differ from MongoDB: a snapshot session is accepted, but is none, and a change stream can be opened on what
//! calls itself a standalone server. Tests must not depend on the texts of its errors.
//!
//! Tests that only need a database of their own share a server.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;

use crate::folders::RunFolder;
use crate::install::{self, InstallError, Progress, PythonKit, SILENT};
use crate::ports::Port;
use crate::process::{End, Launch, ProcessError, ServerProcess};

/// It is Python: on a busy machine its imports alone take seconds.
const WAIT: Duration = Duration::from_mins(1);

/// The name of its replica set.
pub const REPLICA_SET: &str = "secantus";

/// Why a server could not be had or controlled.
#[derive(Debug, thiserror::Error)]
pub enum MongoError {
    /// It could not be installed.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// Its folder or port could not be had.
    #[error("cannot prepare a server for MongoDB's protocol: {0}")]
    Prepare(#[from] io::Error),
    /// Its process did not do as told.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A script did not do what it should.
    #[error("the script failed: {0}")]
    Script(String),
}

/// A user, who is known to one database.
#[derive(Debug, Clone)]
pub struct MongoUser {
    /// The user's name.
    pub name: String,
    /// The user's password.
    pub password: String,
    /// The database that knows the user (`authSource`).
    pub source: String,
    /// Roles, each with the database that it is for.
    pub roles: Vec<(String, String)>,
}

/// What kind of server to start.
#[derive(Debug, Clone, Default)]
pub struct MongoOptions {
    /// Whether it calls itself a standalone server instead of a replica set.
    pub standalone: bool,
    /// Its users. With any, nobody else may do anything.
    pub users: Vec<MongoUser>,
    /// Whether commands can be made to fail (`configureFailPoint`, as MongoDB has it for tests).
    pub fail_points: bool,
}

/// A server of our own; ended when dropped.
#[derive(Debug)]
pub struct MongoServer {
    process: ServerProcess,
    kit: PythonKit,
    options: MongoOptions,
    port: Port,
    folder: RunFolder,
}

impl MongoServer {
    /// Starts a server, installing it first if need be.
    pub fn start(options: MongoOptions) -> Result<Self, MongoError> {
        Self::start_with_progress(options, SILENT)
    }

    /// Like [`Self::start`], telling `progress` what takes its time.
    pub fn start_with_progress(options: MongoOptions, progress: Progress<'_>) -> Result<Self, MongoError> {
        let kit = install::secantus(progress)?;
        let port = Port::reserve()?;
        let folder = RunFolder::create("mongodb")?;
        // Users are made by whoever comes first, so that a first run is without.
        let users = !options.users.is_empty();
        let process = ServerProcess::start(launch(&kit, folder.path(), port.number(), &options, false))?;
        let mut server = Self { process, kit, options, port, folder };
        server.wait_ready()?;
        if users {
            server.create_users()?;
            server.stop()?;
            server.start_again()?;
        }
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The URI of a database, without a user.
    #[must_use]
    pub fn uri(&self, database: &str) -> String {
        format!("mongodb://{}/{database}?{}", self.address(), self.topology())
    }

    /// The URI of a database for one of [`MongoOptions::users`], with the password.
    #[must_use]
    pub fn uri_of(&self, user: &MongoUser, database: &str) -> String {
        let MongoUser { name, password, source, .. } = user;
        let (address, topology) = (self.address(), self.topology());
        format!("mongodb://{name}:{password}@{address}/{database}?authSource={source}&{topology}")
    }

    /// Its log.
    #[must_use]
    pub fn log(&self) -> &Path {
        self.process.log()
    }

    /// Kills it without warning (SIGKILL), as a power cut would; connections break.
    pub fn kill(&mut self) -> Result<(), MongoError> {
        Ok(self.process.kill()?)
    }

    /// Stops it in good order.
    pub fn stop(&mut self) -> Result<(), MongoError> {
        self.process.end_by(Signal::TERM, WAIT)?;
        Ok(())
    }

    /// Freezes it (SIGSTOP): it accepts connections and answers nothing.
    pub fn pause(&mut self) -> Result<(), MongoError> {
        Ok(self.process.pause()?)
    }

    /// Lets it go on after [`Self::pause`].
    pub fn resume(&mut self) -> Result<(), MongoError> {
        Ok(self.process.resume()?)
    }

    /// Starts it again on the same port with the same data.
    pub fn start_again(&mut self) -> Result<(), MongoError> {
        self.process.kill()?;
        let users = !self.options.users.is_empty();
        let launch = launch(&self.kit, self.folder.path(), self.port.number(), &self.options, users);
        self.process = ServerProcess::start(launch)?;
        self.wait_ready()
    }

    /// Runs Python with a `pymongo` client `c` that is connected as nobody; the answer is what it printed.
    pub fn script(&self, code: &str) -> Result<String, MongoError> {
        let address = self.address();
        let connect = format!(
            "import pymongo, bson, datetime\nc = pymongo.MongoClient('mongodb://{address}/?directConnection=true')\n"
        );
        let mut command = self.kit.command();
        let output = command.arg("-c").arg(connect + code).stdin(Stdio::null()).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
        }
        Err(MongoError::Script(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }

    fn topology(&self) -> String {
        if self.options.standalone {
            "directConnection=true".to_owned()
        } else {
            format!("replicaSet={REPLICA_SET}")
        }
    }

    fn create_users(&self) -> Result<(), MongoError> {
        let create = |user: &MongoUser| {
            let MongoUser { name, password, source, roles } = user;
            let roles = roles.iter().map(|(role, on)| format!("{{'role': '{role}', 'db': '{on}'}}"));
            let roles = roles.collect::<Vec<_>>().join(", ");
            format!("c['{source}'].command('createUser', '{name}', pwd='{password}', roles=[{roles}])\n")
        };
        self.script(&self.options.users.iter().map(create).collect::<String>()).map(drop)
    }

    fn wait_ready(&mut self) -> Result<(), MongoError> {
        let address = self.address();
        let ready = || std::net::TcpStream::connect(address).is_ok();
        Ok(self.process.wait_until(WAIT, ready)?)
    }
}

fn launch(kit: &PythonKit, folder: &Path, port: u16, options: &MongoOptions, users: bool) -> Launch {
    let mut launch = Launch::new("SecantusDB", &kit.python, &folder.join("secantus.log"));
    let data = folder.join("data").to_string_lossy().into_owned();
    // An empty file, so that none in the user's home counts.
    let config = folder.join("secantusd.toml");
    let _ = fs::write(&config, "");
    launch.args = ["-m", "secantus", "--host", "127.0.0.1", "--log-level", "WARNING", "--cache-size", "128M"]
        .map(str::to_owned)
        .to_vec();
    launch.args.extend(["--config".to_owned(), config.to_string_lossy().into_owned()]);
    launch.args.extend(["--port".to_owned(), port.to_string(), "--storage-path".to_owned(), data]);
    launch.args.extend(options.standalone.then(|| "--standalone".to_owned()));
    launch.args.extend(options.fail_points.then(|| "--enable-test-commands".to_owned()));
    launch.args.extend(users.then(|| "--auth".to_owned()));
    launch.env = kit.env();
    launch.folder = Some(folder.to_owned());
    launch.end = End::Kill;
    launch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_keeps_its_documents_over_a_stop_and_a_kill() {
        let mut server = MongoServer::start(MongoOptions::default()).unwrap();
        server.script("c.d.t.insert_one({'_id': 'a'})").unwrap();
        server.stop().unwrap();
        server.start_again().unwrap();
        server.script("c.d.t.insert_one({'_id': 'b'})").unwrap();
        server.kill().unwrap();
        server.start_again().unwrap();
        let found =
            server.script("print([d['_id'] for d in c.d.t.find()], c.admin.command('hello')['setName'])");
        assert_eq!(found.unwrap(), "['a', 'b'] secantus");
    }

    #[test]
    fn with_users_nobody_else_gets_in_and_roles_count() {
        let reader = MongoUser {
            name: "reader".to_owned(),
            password: "right".to_owned(),
            source: "gravitee".to_owned(),
            roles: vec![("read".to_owned(), "gravitee".to_owned())],
        };
        let options =
            MongoOptions { standalone: true, users: vec![reader.clone()], ..MongoOptions::default() };
        let server = MongoServer::start(options).unwrap();
        assert!(server.script("print(c.gravitee.t.find_one())").is_err());
        let with =
            |uri: &str, what: &str| server.script(&format!("c = pymongo.MongoClient('{uri}')\n{what}"));
        let uri = server.uri_of(&reader, "gravitee");
        assert_eq!(
            with(&uri, "print(c.gravitee.t.find_one(), 'setName' in c.admin.command('hello'))").unwrap(),
            "None False"
        );
        assert!(with(&uri, "c.gravitee.t.insert_one({})").is_err());
        assert!(with(&uri.replace("right", "wrong"), "c.gravitee.t.find_one()").is_err());
    }
}
