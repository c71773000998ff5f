//! One operating-system process with an owner.
//!
//! It is started by a thread that lives as long as we do, through `setpriv --pdeathsig`: when we are killed, the kernel ends
//! the server too. (The kernel ties that signal to the *thread* that started the child; a test's own thread ends
//! too early.)

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::deadline::Deadline;

/// The user that a server runs as when we are root and it refuses to be: `nobody` on Debian.
const NOBODY: u32 = 65_534;

/// What went wrong with a process.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It could not be started.
    #[error("cannot start {name} ({program}): {source}")]
    Spawn {
        /// What it was to be.
        name: String,
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It could not be signalled or waited for.
    #[error("cannot {action} {name} (process {pid}): {source}")]
    Control {
        /// What was tried.
        action: &'static str,
        /// Which server.
        name: String,
        /// Its process id.
        pid: u32,
        /// Why not.
        source: io::Error,
    },
    /// It ended while it was expected to run.
    #[error("{name} ended with {status}; the end of its log {log}:\n{tail}")]
    Ended {
        /// Which server.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// Its log.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// It did not get ready, or did not end, in time.
    #[error("{name} did not {what} within {waited:?}; the end of its log {log}:\n{tail}")]
    TimedOut {
        /// Which server.
        name: String,
        /// What it was to do.
        what: &'static str,
        /// How long we waited.
        waited: Duration,
        /// Its log.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
}

/// How a server is told to end at once: when its owner drops it, and by the kernel when we die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// SIGKILL: for servers that have nothing to put in order.
    Kill,
    /// SIGTERM.
    Terminate,
    /// SIGQUIT: PostgreSQL's immediate shutdown, which still gives back its shared memory.
    Quit,
}

impl End {
    fn signal(self) -> Signal {
        match self {
            End::Kill => Signal::KILL,
            End::Terminate => Signal::TERM,
            End::Quit => Signal::QUIT,
        }
    }

    /// The signal as `setpriv` spells it.
    fn name(self) -> &'static str {
        match self {
            End::Kill => "KILL",
            End::Terminate => "TERM",
            End::Quit => "QUIT",
        }
    }
}

/// How to start a server.
#[derive(Debug)]
pub struct Launch {
    /// What it is, for messages.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// What is added to the environment.
    pub env: Vec<(String, String)>,
    /// What is taken out of the environment.
    pub env_removed: Vec<String>,
    /// Where it runs; our own folder if `None`.
    pub folder: Option<PathBuf>,
    /// Where stdout and stderr go; appended to.
    pub log: PathBuf,
    /// How it is ended.
    pub end: End,
    /// Whether to give up root, if we are root.
    pub unprivileged: bool,
}

impl Launch {
    /// A server with no arguments yet, ended by SIGKILL.
    #[must_use]
    pub fn new(name: &str, program: &Path, log: &Path) -> Self {
        Self {
            name: name.to_owned(),
            program: program.to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            env_removed: Vec::new(),
            folder: None,
            log: log.to_owned(),
            end: End::Kill,
            unprivileged: false,
        }
    }
}

/// A running (or ended) server process; ended when dropped.
#[derive(Debug)]
pub struct ServerProcess {
    name: String,
    child: Child,
    log: PathBuf,
    end: End,
    status: Option<ExitStatus>,
}

impl ServerProcess {
    /// Starts it.
    pub fn start(launch: Launch) -> Result<Self, ProcessError> {
        let Launch { name, program, args, env, env_removed, folder, log, end, unprivileged } = launch;
        let failed = |source| ProcessError::Spawn { name: name.clone(), program: program.clone(), source };
        if !program.exists() {
            return Err(failed(io::Error::from(io::ErrorKind::NotFound)));
        }
        let out = File::options().create(true).append(true).open(&log).map_err(failed)?;
        let err = out.try_clone().map_err(failed)?;
        let mut command = Command::new("setpriv");
        command.arg("--pdeathsig").arg(end.name()).arg("--").arg(&program).args(args);
        for name in env_removed {
            command.env_remove(name);
        }
        command.envs(env);
        if let Some(folder) = folder {
            command.current_dir(folder);
        }
        // Its own process group: Ctrl-C in the terminal is for us, and we end what we started.
        command.stdin(Stdio::null()).stdout(out).stderr(err).process_group(0);
        as_other_user(&mut command, unprivileged);
        let child = spawn_from_lasting_thread(command).map_err(failed)?;
        Ok(Self { name, child, log, end, status: None })
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The file that it prints to.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The last lines that it printed.
    #[must_use]
    pub fn log_tail(&self) -> String {
        tail(&self.log)
    }

    /// How it ended, or `None` while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().ok().flatten();
        }
        self.status
    }

    /// Sends a signal. Nothing happens if it has ended.
    pub fn signal(&mut self, signal: Signal, action: &'static str) -> Result<(), ProcessError> {
        if self.ended().is_some() {
            return Ok(());
        }
        let sent =
            Pid::from_raw(self.child.id().cast_signed()).map_or(Ok(()), |pid| kill_process(pid, signal));
        sent.map_err(|error| self.control(action, error.into()))
    }

    /// Kills it (SIGKILL) and waits until it is gone.
    pub fn kill(&mut self) -> Result<(), ProcessError> {
        if self.ended().is_some() {
            return Ok(());
        }
        self.signal(Signal::KILL, "kill")?;
        self.status = Some(self.child.wait().map_err(|error| self.control("wait for", error))?);
        Ok(())
    }

    /// Freezes it (SIGSTOP), as a hypervisor or a debugger would.
    pub fn pause(&mut self) -> Result<(), ProcessError> {
        self.signal(Signal::STOP, "pause")
    }

    /// Lets it go on after [`Self::pause`] (SIGCONT).
    pub fn resume(&mut self) -> Result<(), ProcessError> {
        self.signal(Signal::CONT, "resume")
    }

    /// Sends `signal` and waits until it has ended.
    pub fn end_by(&mut self, signal: Signal, wait: Duration) -> Result<ExitStatus, ProcessError> {
        self.signal(signal, "stop")?;
        let deadline = Deadline::after(wait);
        loop {
            if let Some(status) = self.ended() {
                return Ok(status);
            }
            if !deadline.sleep(Duration::from_millis(5)) {
                return Err(self.timed_out("end", wait));
            }
        }
    }

    /// Polls `ready` until it says so. Fails early when the process ends.
    pub fn wait_until(
        &mut self,
        wait: Duration,
        mut ready: impl FnMut() -> bool,
    ) -> Result<(), ProcessError> {
        let deadline = Deadline::after(wait);
        let mut step = Duration::from_millis(2);
        loop {
            if let Some(status) = self.ended() {
                return Err(self.ended_early(status));
            }
            if ready() {
                return Ok(());
            }
            if !deadline.sleep(step) {
                return Err(self.timed_out("get ready", wait));
            }
            step = (step * 2).min(Duration::from_millis(50));
        }
    }

    /// The error for an end that nobody asked for.
    pub(crate) fn ended_early(&self, status: ExitStatus) -> ProcessError {
        ProcessError::Ended { name: self.name.clone(), status, log: self.log.clone(), tail: self.log_tail() }
    }

    /// The error for a wait that was too long.
    pub(crate) fn timed_out(&self, what: &'static str, waited: Duration) -> ProcessError {
        ProcessError::TimedOut {
            name: self.name.clone(),
            what,
            waited,
            log: self.log.clone(),
            tail: self.log_tail(),
        }
    }

    fn control(&self, action: &'static str, source: io::Error) -> ProcessError {
        ProcessError::Control { action, name: self.name.clone(), pid: self.child.id(), source }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        if self.ended().is_some() {
            return;
        }
        if self.end != End::Kill {
            // A stopped process would not see the signal.
            let _ = self.resume();
            if self.end_by(self.end.signal(), Duration::from_secs(5)).is_ok() {
                return;
            }
        }
        let _ = self.kill();
    }
}

/// The last part of a log, for error messages.
pub(crate) fn tail(log: &Path) -> String {
    const LINES: usize = 20;
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(LINES);
    lines.get(from..).unwrap_or_default().iter().fold(String::new(), |all, line| all + "    " + line + "\n")
}

/// Makes `command` run as `nobody`, if asked for and if we are root.
pub(crate) fn as_other_user(command: &mut Command, unprivileged: bool) {
    if unprivileged && crate::folders::is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
}

/// Hands `path` to the user that [`as_other_user`] switches to.
pub(crate) fn give_away(path: &Path) -> io::Result<()> {
    if crate::folders::is_root() {
        std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY))?;
    }
    Ok(())
}

type SpawnJob = (Command, SyncSender<io::Result<Child>>);

/// Spawns from one thread that lives as long as the process; see the module's comment.
fn spawn_from_lasting_thread(command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<SyncSender<SpawnJob>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (jobs, queue) = sync_channel::<SpawnJob>(16);
        std::thread::spawn(move || {
            for (mut command, reply) in queue {
                let _ = reply.send(command.spawn());
            }
        });
        jobs
    });
    let gone = || io::Error::other("the thread that starts processes is gone");
    let (reply, answer) = sync_channel(1);
    spawner.send((command, reply)).map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())?
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};

    use super::*;
    use crate::folders::RunFolder;

    fn shell(folder: &RunFolder, script: &str) -> ServerProcess {
        let mut launch = Launch::new("shell", Path::new("/bin/sh"), &folder.path().join("log"));
        launch.args = vec!["-c".into(), script.into()];
        ServerProcess::start(launch).unwrap()
    }

    fn state_of(pid: u32) -> Option<char> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit(") ").next()?.chars().next()
    }

    #[test]
    fn a_dropped_process_is_gone() {
        let folder = RunFolder::create("process").unwrap();
        let process = shell(&folder, "exec sleep 600");
        let pid = process.id();
        drop(process);
        assert_eq!(state_of(pid), None);
    }

    #[test]
    fn a_process_outlives_the_thread_that_asked_for_it() {
        let folder = RunFolder::create("process").unwrap();
        let mut process =
            std::thread::scope(|scope| scope.spawn(|| shell(&folder, "exec sleep 600")).join().unwrap());
        std::thread::sleep(Duration::from_millis(50));
        assert!(process.ended().is_none());
    }

    /// Runs this very test again in a process of its own, which is then killed.
    #[test]
    fn a_process_ends_with_a_killed_owner() {
        const OWNER: &str = "ZONEGATE_TESTKIT_OWNER";
        if std::env::var_os(OWNER).is_some() {
            let folder = RunFolder::create("process").unwrap();
            let mut process = shell(&folder, "echo up; exec sleep 600");
            // Its own program runs, so the kernel has been told.
            process
                .wait_until(Duration::from_secs(10), || tail(&folder.path().join("log")).contains("up"))
                .unwrap();
            std::io::Write::write_fmt(&mut io::stdout(), format_args!("\nserver={}\n", process.id()))
                .unwrap();
            std::thread::sleep(Duration::from_mins(1));
            return;
        }
        let mut owner = Command::new(std::env::current_exe().unwrap());
        owner.args(["--exact", "process::tests::a_process_ends_with_a_killed_owner", "--nocapture"]);
        let mut owner = owner.env(OWNER, "1").stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(owner.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut words = lines.flat_map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let server: u32 = words.find_map(|word| word.strip_prefix("server=")?.parse().ok()).unwrap();
        assert!(state_of(server).is_some());
        owner.kill().unwrap();
        owner.wait().unwrap();
        let deadline = Deadline::after(Duration::from_secs(10));
        // Whoever adopts it may leave it as a zombie for a while.
        while state_of(server).is_some_and(|state| state != 'Z') {
            assert!(deadline.sleep(Duration::from_millis(5)), "process {server} lives on");
        }
    }

    #[test]
    fn a_paused_process_stands_still_until_it_is_resumed() {
        let folder = RunFolder::create("process").unwrap();
        let mut process = shell(&folder, "while :; do sleep 0.01; done");
        let pid = process.id();
        process.pause().unwrap();
        process.wait_until(Duration::from_secs(5), || state_of(pid) == Some('T')).unwrap();
        process.resume().unwrap();
        process.wait_until(Duration::from_secs(5), || state_of(pid) != Some('T')).unwrap();
    }

    #[test]
    fn an_early_end_is_reported_with_what_was_printed_last() {
        let folder = RunFolder::create("process").unwrap();
        let mut process = shell(&folder, "echo no such table; exit 3");
        let error = process.wait_until(Duration::from_secs(5), || false).unwrap_err().to_string();
        assert!(error.contains("no such table") && error.contains("exit status: 3"), "{error}");
    }
}
