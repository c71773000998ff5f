//! The real `zonegate` binary as a process: configured, started, asked, broken and stopped.

mod binary;
mod configuration;

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use rustix::process::Signal;

pub use binary::{BuildError, build_gateway, gateway_binary};
pub use configuration::GatewayOptions;

use crate::deadline::Deadline;
use crate::folders::RunFolder;
use crate::http_client::{self, Answer, HttpError};
use crate::ports::Port;
use crate::process::{Launch, ProcessError, ServerProcess};

/// `admin:adminadmin` as HTTP Basic: the user that [`GatewayOptions`] lets into the technical API.
pub const ADMIN: &str = "Basic YWRtaW46YWRtaW5hZG1pbg==";

/// Why a gateway could not be had or controlled.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// There is no binary.
    #[error(transparent)]
    Binary(#[from] BuildError),
    /// Its folder, file or port could not be had.
    #[error("cannot prepare a gateway: {0}")]
    Prepare(#[from] io::Error),
    /// Its process did not do as told.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// It gave no answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It was not ready in time.
    #[error(
        "{name} was not ready within {waited:?}; its last answer: {answer}; the end of its log {log}:\n{tail}"
    )]
    NotReady {
        /// Which gateway.
        name: String,
        /// How long we waited.
        waited: Duration,
        /// What `/_node/health` said, or why it said nothing.
        answer: String,
        /// Its log.
        log: String,
        /// The last lines of it.
        tail: String,
    },
}

/// A gateway of our own; killed when dropped.
#[derive(Debug)]
pub struct Gateway {
    options: GatewayOptions,
    process: ServerProcess,
    http: Port,
    technical: Port,
    folder: RunFolder,
}

impl Gateway {
    /// Starts the binary (see [`gateway_binary`]) and does not wait: see [`Self::wait_ready`].
    pub fn start(options: GatewayOptions) -> Result<Self, GatewayError> {
        let (http, technical) = (Port::reserve()?, Port::reserve()?);
        let folder = RunFolder::create(&options.name)?;
        let home = folder.path().join("home");
        fs::create_dir_all(home.join("config"))?;
        fs::write(home.join("config/gravitee.yml"), options.yaml(http.number(), technical.number()))?;
        let process = ServerProcess::start(launch(&options, folder.path())?)?;
        Ok(Self { options, process, http, technical, folder })
    }

    /// Its name, from the options.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// Where it takes traffic.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.http.address()
    }

    /// Where it takes traffic, as a URL without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Where its technical API is.
    #[must_use]
    pub fn technical_address(&self) -> SocketAddr {
        self.technical.address()
    }

    /// Its process id.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Its home: `config/gravitee.yml` lies in it.
    #[must_use]
    pub fn home(&self) -> std::path::PathBuf {
        self.folder.path().join("home")
    }

    /// Its log file.
    #[must_use]
    pub fn log(&self) -> &Path {
        self.process.log()
    }

    /// Everything that it logged so far.
    #[must_use]
    pub fn log_text(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log()).unwrap_or_default()).into_owned()
    }

    /// How it ended, or `None` while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.ended()
    }

    /// Sends a GET request to where it takes traffic.
    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Result<Answer, HttpError> {
        http_client::get(self.address(), path, headers).await
    }

    /// Sends any request to where it takes traffic.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Answer, HttpError> {
        http_client::send(self.address(), request).await
    }

    /// Asks its technical API, as its administrator; `path` begins with `/_node`.
    pub async fn node(&self, path: &str) -> Result<Answer, HttpError> {
        http_client::get(self.technical_address(), path, &[("authorization", ADMIN)]).await
    }

    /// Whether its `sync-process` probe says that it has loaded what it serves.
    pub async fn is_ready(&self) -> bool {
        self.node("/_node/health?probes=sync-process").await.is_ok_and(|answer| answer.status.is_success())
    }

    /// Waits until [`Self::is_ready`]; fails early if it ends.
    pub async fn wait_ready(&mut self, wait: Duration) -> Result<(), GatewayError> {
        let deadline = Deadline::after(wait);
        loop {
            if let Some(status) = self.process.ended() {
                return Err(self.process.ended_early(status).into());
            }
            let answer = match self.node("/_node/health?probes=sync-process").await {
                Ok(answer) if answer.status.is_success() => return Ok(()),
                Ok(answer) => format!("{} {}", answer.status, answer.text()),
                Err(error) => error.to_string(),
            };
            if deadline.passed() {
                return Err(GatewayError::NotReady {
                    name: self.options.name.clone(),
                    waited: wait,
                    answer,
                    log: self.log().display().to_string(),
                    tail: self.process.log_tail(),
                });
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Kills it without warning (SIGKILL); the kernel closes its connections.
    pub fn kill(&mut self) -> Result<(), GatewayError> {
        Ok(self.process.kill()?)
    }

    /// Stops it in good order (SIGTERM) and waits for its end.
    pub fn terminate(&mut self, wait: Duration) -> Result<ExitStatus, GatewayError> {
        Ok(self.process.end_by(Signal::TERM, wait)?)
    }

    /// Freezes it: its connections stay open.
    pub fn pause(&mut self) -> Result<(), GatewayError> {
        Ok(self.process.pause()?)
    }

    /// Lets it go on after [`Self::pause`].
    pub fn resume(&mut self) -> Result<(), GatewayError> {
        Ok(self.process.resume()?)
    }

    /// Starts it again, with the same home and ports, after it ended.
    pub fn start_again(&mut self) -> Result<(), GatewayError> {
        self.process.kill()?;
        self.process = ServerProcess::start(launch(&self.options, self.folder.path())?)?;
        Ok(())
    }
}

fn launch(options: &GatewayOptions, folder: &Path) -> Result<Launch, GatewayError> {
    let home = folder.join("home");
    let binary = options.binary.clone().map_or_else(gateway_binary, Ok)?;
    let mut launch = Launch::new(&options.name, &binary, &folder.join("gateway.log"));
    launch.args = vec![
        "run".into(),
        "--config".into(),
        home.join("config/gravitee.yml").to_string_lossy().into_owned(),
    ];
    launch.env = vec![("GRAVITEE_HOME".into(), home.to_string_lossy().into_owned())];
    launch.env.extend(options.environment.iter().cloned());
    // Whoever runs the tests may have a gateway's settings in the environment; they would override the file.
    let foreign = |name: &String| name.to_ascii_lowercase().starts_with("gravitee");
    launch.env_removed =
        std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).filter(foreign).collect();
    launch.folder = Some(folder.to_owned());
    Ok(launch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::Upstream;

    #[tokio::test]
    async fn a_gateway_that_ends_is_reported_with_its_log() {
        // Any program stands for a gateway that does not start: this one prints its arguments and ends.
        let folder = RunFolder::create("gateway-test").unwrap();
        let mut launch = Launch::new("gateway", Path::new("/bin/echo"), &folder.path().join("gateway.log"));
        launch.args = vec!["wrong key".into()];
        let process = ServerProcess::start(launch).unwrap();
        let (http, technical) = (Port::reserve().unwrap(), Port::reserve().unwrap());
        let mut gateway =
            Gateway { options: GatewayOptions::new("gateway"), process, http, technical, folder };
        let error = gateway.wait_ready(Duration::from_secs(5)).await.unwrap_err().to_string();
        assert!(error.contains("wrong key"), "{error}");
    }

    #[tokio::test]
    async fn readiness_is_asked_for_as_administrator() {
        let upstream = Upstream::start().unwrap();
        let answer = http_client::get(upstream.address(), "/", &[("authorization", ADMIN)]).await.unwrap();
        assert_eq!(answer.json()["headers"]["authorization"][0], ADMIN);
    }
}
