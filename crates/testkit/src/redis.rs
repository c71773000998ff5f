//! A Redis server for tests: with RediSearch or without, with a password or a user or open, and breakable.

mod resp;

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use resp::{CommandError, Connection, Value};
use rustix::process::Signal;

use crate::folders::RunFolder;
use crate::install::{self, InstallError, Progress, RedisKit, SILENT};
use crate::ports::Port;
use crate::process::{Launch, ProcessError, ServerProcess};

const START_WAIT: Duration = Duration::from_secs(30);

/// Why a Redis server could not be had or controlled.
#[derive(Debug, thiserror::Error)]
pub enum RedisError {
    /// It could not be installed.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// Its folder, file or port could not be had.
    #[error("cannot prepare a Redis server: {0}")]
    Prepare(#[from] io::Error),
    /// Its process did not do as told.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// It refused a command.
    #[error(transparent)]
    Command(#[from] CommandError),
}

/// A user of Redis' access control lists.
#[derive(Debug, Clone)]
pub struct AclUser {
    /// The user's name.
    pub name: String,
    /// The user's password.
    pub password: String,
    /// What the user may do, in Redis' words, such as `~* &* +@all`.
    pub rules: String,
}

/// What kind of server to start.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// Redis 7.4 with RediSearch; otherwise Redis 7.0 without.
    pub search: bool,
    /// The password of the default user. Without one, and without [`Self::user`], anybody may do anything.
    pub password: Option<String>,
    /// A further user. The default user is switched off unless [`Self::password`] is set.
    pub user: Option<AclUser>,
    /// Further lines of `redis.conf`.
    pub config: Vec<String>,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self { search: true, password: None, user: None, config: Vec::new() }
    }
}

/// What a restarted server knows of its past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    /// Everything that it knew when it was stopped.
    Kept,
    /// Nothing: as after a loss of its disk.
    Lost,
}

/// A Redis server of our own; ended when dropped.
#[derive(Debug)]
pub struct Redis {
    process: ServerProcess,
    kit: RedisKit,
    options: RedisOptions,
    port: Port,
    folder: RunFolder,
}

impl Redis {
    /// Starts a server, installing it first if need be.
    pub fn start(options: RedisOptions) -> Result<Self, RedisError> {
        Self::start_with_progress(options, SILENT)
    }

    /// Like [`Self::start`], telling `progress` what takes its time.
    pub fn start_with_progress(options: RedisOptions, progress: Progress<'_>) -> Result<Self, RedisError> {
        let kit =
            if options.search { install::redis_stack(progress)? } else { install::plain_redis(progress)? };
        let port = Port::reserve()?;
        let folder = RunFolder::create("redis")?;
        write_config(&folder.path().join("redis.conf"), &kit, &options, port.number(), folder.path())?;
        let process = ServerProcess::start(launch(&kit, folder.path()))?;
        let mut redis = Self { process, kit, options, port, folder };
        redis.wait_ready()?;
        Ok(redis)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The port that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The default user's password.
    #[must_use]
    pub fn password(&self) -> Option<&str> {
        self.options.password.as_deref()
    }

    /// The process id.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// The server's log.
    #[must_use]
    pub fn log(&self) -> &Path {
        self.process.log()
    }

    /// `redis-cli` of the same version, for people.
    #[must_use]
    pub fn cli_path(&self) -> &Path {
        &self.kit.cli
    }

    /// A connection of one's own, logged in as somebody who may do anything that the options allow.
    pub fn connect(&self) -> Result<Connection, CommandError> {
        let mut connection = Connection::open(self.address())?;
        match (&self.options.password, &self.options.user) {
            (Some(password), _) => connection.command(&["AUTH", password])?,
            (None, Some(user)) => connection.command(&["AUTH", &user.name, &user.password])?,
            (None, None) => return Ok(connection),
        };
        Ok(connection)
    }

    /// Sends one command on a new connection.
    pub fn cli<Word: AsRef<[u8]>>(&self, words: &[Word]) -> Result<Value, CommandError> {
        self.connect()?.command(words)
    }

    /// Kills it without warning (SIGKILL). What it knew is lost, except for what [`Self::save`] wrote.
    pub fn kill(&mut self) -> Result<(), RedisError> {
        Ok(self.process.kill()?)
    }

    /// Stops it in good order (SIGTERM). What it knew is lost, except for what [`Self::save`] wrote.
    pub fn stop(&mut self) -> Result<(), RedisError> {
        self.process.end_by(Signal::TERM, START_WAIT)?;
        Ok(())
    }

    /// Freezes it: connections stay open, and nothing answers.
    pub fn pause(&mut self) -> Result<(), RedisError> {
        Ok(self.process.pause()?)
    }

    /// Lets it go on after [`Self::pause`].
    pub fn resume(&mut self) -> Result<(), RedisError> {
        Ok(self.process.resume()?)
    }

    /// Writes what it knows to its disk, for the next start.
    pub fn save(&self) -> Result<(), RedisError> {
        self.cli(&["SAVE"])?;
        Ok(())
    }

    /// Forgets what [`Self::save`] wrote.
    pub fn forget_saved(&self) -> Result<(), RedisError> {
        match fs::remove_file(self.folder.path().join("dump.rdb")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Starts it again on the same port after [`Self::kill`] or [`Self::stop`], with what [`Self::save`] wrote last.
    pub fn start_again(&mut self) -> Result<(), RedisError> {
        self.process.kill()?;
        self.process = ServerProcess::start(launch(&self.kit, self.folder.path()))?;
        self.wait_ready()
    }

    /// Kills it and starts it again on the same port.
    pub fn restart(&mut self, data: Data) -> Result<(), RedisError> {
        match data {
            Data::Kept => self.save()?,
            Data::Lost => self.forget_saved()?,
        }
        self.kill()?;
        self.start_again()
    }

    fn wait_ready(&mut self) -> Result<(), RedisError> {
        let (address, options) = (self.port.address(), &self.options);
        let secured = options.password.is_some() || options.user.is_some();
        Ok(self.process.wait_until(START_WAIT, || {
            match Connection::open(address).and_then(|mut open| open.command(&["PING"])) {
                Ok(_) => true,
                Err(CommandError::Refused { message, .. }) => secured && message.starts_with("NOAUTH"),
                Err(CommandError::Connection { .. }) => false,
            }
        })?)
    }
}

fn launch(kit: &RedisKit, folder: &Path) -> Launch {
    let mut launch = Launch::new("Redis", &kit.server.path, &folder.join("redis.log"));
    launch.args = vec![folder.join("redis.conf").to_string_lossy().into_owned()];
    launch.env = kit.server.env();
    launch.folder = Some(folder.to_owned());
    launch
}

fn write_config(
    path: &PathBuf,
    kit: &RedisKit,
    options: &RedisOptions,
    port: u16,
    folder: &Path,
) -> io::Result<()> {
    let mut lines = vec![
        format!("port {port}"),
        "bind 127.0.0.1".to_owned(),
        "daemonize no".to_owned(),
        "save \"\"".to_owned(),
        "appendonly no".to_owned(),
        "enable-debug-command yes".to_owned(),
        format!("dir \"{}\"", folder.display()),
    ];
    lines.extend(kit.search.iter().map(|module| format!("loadmodule \"{}\"", module.display())));
    if let Some(password) = &options.password {
        lines.push(format!("requirepass \"{password}\""));
    }
    if let Some(user) = &options.user {
        lines.push(format!("user {} on >{} {}", user.name, user.password, user.rules));
        if options.password.is_none() {
            lines.push("user default off".to_owned());
        }
    }
    lines.extend(options.config.iter().cloned());
    fs::write(path, lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_server_searches_and_forgets_only_what_it_should() {
        let mut redis = Redis::start(RedisOptions::default()).unwrap();
        redis.cli(&["FT.CREATE", "idx", "PREFIX", "1", "a:", "SCHEMA", "name", "TAG"]).unwrap();
        redis.cli(&["HSET", "a:1", "name", "x"]).unwrap();
        let found = redis.cli(&["FT.SEARCH", "idx", "@name:{x}", "NOCONTENT"]).unwrap();
        assert_eq!(found.items().first().and_then(Value::integer), Some(1));

        let port = redis.port();
        redis.restart(Data::Kept).unwrap();
        assert_eq!(redis.cli(&["HGET", "a:1", "name"]).unwrap().text().as_deref(), Some("x"));
        redis.restart(Data::Lost).unwrap();
        assert_eq!(redis.cli(&["DBSIZE"]).unwrap().integer(), Some(0));
        assert_eq!(redis.port(), port);
    }

    #[test]
    fn the_plain_server_has_no_search() {
        let redis = Redis::start(RedisOptions { search: false, ..RedisOptions::default() }).unwrap();
        let error = redis.cli(&["FT._LIST"]).unwrap_err().to_string();
        assert!(error.contains("unknown command"), "{error}");
    }

    #[test]
    fn a_password_is_asked_for() {
        let redis = Redis::start(RedisOptions { password: Some("s3cret".into()), ..RedisOptions::default() })
            .unwrap();
        assert!(Connection::open(redis.address()).unwrap().command(&["DBSIZE"]).is_err());
        assert_eq!(redis.cli(&["DBSIZE"]).unwrap().integer(), Some(0));
    }

    #[test]
    fn a_user_may_do_what_the_rules_say_and_nobody_else_anything() {
        let user = AclUser {
            name: "gateway".into(),
            password: "s3cret".into(),
            rules: "~zonegate:* +@all -flushall".into(),
        };
        let redis = Redis::start(RedisOptions { user: Some(user), ..RedisOptions::default() }).unwrap();
        redis.cli(&["SET", "zonegate:a", "1"]).unwrap();
        assert!(redis.cli(&["SET", "other", "1"]).is_err());
        assert!(redis.cli(&["FLUSHALL"]).is_err());
        assert!(Connection::open(redis.address()).unwrap().command(&["GET", "zonegate:a"]).is_err());
    }

    #[test]
    fn a_paused_server_answers_after_it_is_resumed() {
        let mut redis = Redis::start(RedisOptions { search: false, ..RedisOptions::default() }).unwrap();
        let mut connection = redis.connect().unwrap();
        redis.pause().unwrap();
        std::thread::scope(|scope| {
            let answer = scope.spawn(|| connection.command(&["PING"]));
            std::thread::sleep(Duration::from_millis(100));
            assert!(!answer.is_finished());
            redis.resume().unwrap();
            answer.join().unwrap().unwrap();
        });
    }

    #[test]
    fn a_killed_server_refuses_connections_and_a_dropped_one_leaves_no_folder() {
        let mut redis = Redis::start(RedisOptions { search: false, ..RedisOptions::default() }).unwrap();
        redis.kill().unwrap();
        assert!(redis.cli(&["PING"]).is_err());
        redis.start_again().unwrap();
        redis.cli(&["PING"]).unwrap();
        let folder = redis.folder.path().to_owned();
        drop(redis);
        assert!(!folder.exists());
    }
}
