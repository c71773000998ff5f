//! nginx: as the upstream that costs least, and as the proxy to be compared with.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use zonegate_testkit::folders::RunFolder;
use zonegate_testkit::install::Program;
use zonegate_testkit::ports::Port;
use zonegate_testkit::process::{Launch, ServerProcess};

use super::contestant::{PATH, Route};
use crate::bench::measure::failure::MeasureError;

/// The longest that it may take to start or stop; long, because it may run under valgrind.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running nginx of one process; it ends when dropped.
#[derive(Debug)]
pub(super) struct Nginx {
    process: ServerProcess,
    port: Port,
    _folder: RunFolder,
}

impl Nginx {
    /// Answers every request with the same body.
    pub(super) fn upstream(program: &Program, core: &str, body: usize) -> Result<Self, MeasureError> {
        let location = format!("default_type text/plain; return 200 '{}';", "b".repeat(body));
        Self::start("upstream", program, &["taskset", "-c", core], "", &location)
    }

    /// Passes every request on to `upstream`. `wrapper`: what it is started by.
    pub(super) fn proxy(
        program: &Program,
        wrapper: &[&str],
        upstream: SocketAddr,
    ) -> Result<Self, MeasureError> {
        let backend = format!(
            "upstream backend {{ server {upstream}; keepalive 128; keepalive_requests 1000000000; }}"
        );
        let location = "proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection '';";
        Self::start("nginx", program, wrapper, &backend, location)
    }

    fn start(
        name: &str,
        program: &Program,
        wrapper: &[&str],
        backend: &str,
        location: &str,
    ) -> Result<Self, MeasureError> {
        let prepare = || MeasureError::system("prepare nginx");
        let port = Port::reserve().map_err(prepare())?;
        let folder = RunFolder::create(name).map_err(prepare())?;
        let place = folder.path().display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("  {kind}_temp_path {place}/{kind};\n"))
            .concat();
        let configuration = format!(
            "daemon off;\nmaster_process off;\nworker_processes 1;\npid {place}/pid;\nerror_log stderr warn;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\n{temporary}  access_log off;\n  keepalive_requests 1000000000;\n  {backend}\n\
             \x20 server {{ listen {}; location / {{ {location} }} }}\n}}\n",
            port.address()
        );
        let file = folder.path().join("nginx.conf");
        fs::write(&file, configuration).map_err(prepare())?;
        let file = file.to_string_lossy().into_owned();
        let path = program.path.to_string_lossy().into_owned();
        // It finds the wrapper, and becomes it.
        let mut launch = Launch::new(name, Path::new("/usr/bin/env"), &folder.path().join("log"));
        launch.args =
            wrapper.iter().map(|word| (*word).to_owned()).chain([path, "-c".into(), file]).collect();
        launch.env = program.env();
        launch.folder = Some(folder.path().to_owned());
        let mut process = ServerProcess::start(launch)?;
        process.wait_until(PATIENCE, || std::net::TcpStream::connect(port.address()).is_ok())?;
        Ok(Self { process, port, _folder: folder })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Its process.
    pub(super) fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// How it is asked.
    pub(super) fn route(&self) -> Route {
        Route { name: "nginx", address: self.address(), path: PATH, key: None }
    }

    /// Stops it in good order.
    pub(super) fn stop(mut self) -> Result<(), MeasureError> {
        self.process.end_by(Signal::TERM, PATIENCE)?;
        Ok(())
    }
}
