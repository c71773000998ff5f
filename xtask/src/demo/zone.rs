//! The demo's zone: Redis, the management repository, two upstreams and the gateways, all real processes but the upstreams.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use zonegate_management_writer::ManagementWriter;
use zonegate_testkit::folders;
use zonegate_testkit::gateway::{Gateway, GatewayOptions};
use zonegate_testkit::install::Progress;
use zonegate_testkit::redis::{Redis, RedisOptions};
use zonegate_testkit::upstream::Upstream;

use super::Repository as Kind;
use super::catalogue::Catalogue;
use super::expectation::Expectations;
use super::failure::DemoError;
use super::lane::Lane;
use super::question::Question;
use super::repository::Repository;

/// The zone's name.
pub(crate) const NAME: &str = "north";
/// The password of the zone store.
const STORE_PASSWORD: &str = "north-store";
/// How often the primary asks the repository. APIM's default is 5 s.
pub(crate) const DELAY: Duration = Duration::from_secs(1);

/// Everything that runs. It ends when dropped.
#[derive(Debug)]
pub(crate) struct Zone {
    /// The zone store.
    pub(crate) redis: Redis,
    /// The management repository.
    pub(crate) repository: Repository,
    /// The management side.
    pub(crate) management: ManagementWriter,
    /// What the APIs point to.
    pub(crate) catalogue: Catalogue,
    /// The gateways, in the order of their start.
    pub(crate) gateways: Vec<Gateway>,
    /// Their lanes, in the same order.
    pub(crate) lanes: Vec<Arc<Lane>>,
    binary: PathBuf,
    /// What every gateway must answer by now, in the order of [`Question::ALL`].
    statuses: Vec<u16>,
    _upstreams: [Upstream; 2],
}

impl Zone {
    /// Starts the servers, with an empty repository and without gateways.
    pub(crate) async fn start(
        kind: Kind,
        binary: PathBuf,
        progress: Progress<'_>,
    ) -> Result<Self, DemoError> {
        progress("starting Redis");
        let options = RedisOptions { password: Some(STORE_PASSWORD.to_owned()), ..RedisOptions::default() };
        let redis = Redis::start_with_progress(options, progress)?;
        progress("starting the management repository");
        let repository = Repository::start(kind, progress)?;
        let management = ManagementWriter::connect(&repository.url()).await?;
        let upstream = || Upstream::start().map_err(DemoError::system("start an upstream"));
        let upstreams = [upstream()?, upstream()?];
        let [first, second] = &upstreams;
        let catalogue = Catalogue { upstream: first.url(), second: second.url() };
        Ok(Self {
            redis,
            repository,
            management,
            catalogue,
            gateways: Vec::new(),
            lanes: Vec::new(),
            binary,
            statuses: Question::ALL.iter().map(|question| question.first_status()).collect(),
            _upstreams: upstreams,
        })
    }

    /// Starts one more gateway and does not wait.
    pub(crate) fn start_gateway(&mut self) -> Result<usize, DemoError> {
        let index = self.gateways.len();
        let name = format!("gateway-{}", index + 1);
        let mut options = GatewayOptions::new(&name)
            .zone(NAME, &self.redis)
            .set("services.sync.delay", &DELAY.as_millis().to_string());
        options.binary = Some(self.binary.clone());
        let gateway = Gateway::start(self.repository.read_by(options))?;
        let expectations = Expectations::new(&self.statuses);
        let lane = Lane::new(index, &name, gateway.address(), gateway.technical_address(), expectations);
        self.lanes.push(Arc::new(lane));
        self.gateways.push(gateway);
        Ok(index)
    }

    /// Kills a gateway with SIGKILL.
    pub(crate) fn kill(&mut self, index: usize) -> Result<(), DemoError> {
        if let (Some(gateway), Some(lane)) = (self.gateways.get_mut(index), self.lanes.get(index)) {
            lane.close();
            gateway.kill()?;
        }
        Ok(())
    }

    /// Starts a killed gateway again and does not wait.
    pub(crate) fn start_again(&mut self, index: usize) -> Result<(), DemoError> {
        if let Some(gateway) = self.gateways.get_mut(index) {
            gateway.start_again()?;
        }
        Ok(())
    }

    /// The lanes of the gateways that are asked.
    pub(crate) fn open_lanes(&self) -> Vec<Arc<Lane>> {
        self.lanes.iter().filter(|lane| lane.is_open()).cloned().collect()
    }

    /// Asks a gateway from now on; it must answer as all of them do by now.
    pub(crate) fn open(&self, index: usize) {
        let Some(lane) = self.lanes.get(index) else { return };
        for (question, status) in Question::ALL.iter().zip(&self.statuses) {
            lane.expected.settle(*question, *status);
        }
        lane.open();
    }

    /// Remembers what every gateway answers from now on.
    pub(crate) fn settle(&mut self, question: Question, status: u16) {
        if let Some(place) = self.statuses.get_mut(question as usize) {
            *place = status;
        }
    }

    /// What every gateway must answer by now.
    pub(crate) fn status_of(&self, question: Question) -> u16 {
        self.statuses.get(question as usize).copied().unwrap_or_default()
    }

    /// A gateway that ended without being told to.
    pub(crate) fn ended_gateway(&mut self) -> Option<(String, String)> {
        let lanes = &self.lanes;
        self.gateways.iter_mut().zip(lanes).find_map(|(gateway, lane)| {
            let status = gateway.ended().filter(|_| lane.is_open())?;
            Some((gateway.name().to_owned(), status.to_string()))
        })
    }

    /// The end of a gateway's log.
    pub(crate) fn log_tail(&self, gateway: &str, lines: usize) -> Option<String> {
        let gateway = self.gateways.iter().find(|found| found.name() == gateway)?;
        let text = gateway.log_text();
        let all: Vec<&str> = text.lines().collect();
        Some(all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("\n"))
    }

    /// Copies all logs to where they outlive the demo, and says where that is.
    pub(crate) fn keep_logs(&self) -> Result<PathBuf, DemoError> {
        let folder = folders::state().join("logs/demo");
        let failed = || DemoError::system("keep the logs in .zonegate/logs/demo");
        if folder.exists() {
            std::fs::remove_dir_all(&folder).map_err(failed())?;
        }
        std::fs::create_dir_all(&folder).map_err(failed())?;
        let copy = |name: &str, log: &Path| -> Result<(), DemoError> {
            std::fs::copy(log, folder.join(format!("{name}.log"))).map_err(failed())?;
            Ok(())
        };
        for gateway in &self.gateways {
            copy(gateway.name(), gateway.log())?;
        }
        copy("redis", self.redis.log())?;
        if let Repository::Postgresql { server } = &self.repository {
            copy("postgresql", server.log())?;
        }
        Ok(folder)
    }

    /// How to look into the repository by hand.
    pub(crate) fn repository_command(&self) -> String {
        match &self.repository {
            Repository::Sqlite { .. } => {
                format!("sqlite3 {}", self.repository.url().trim_start_matches("sqlite:"))
            }
            Repository::Postgresql { .. } => format!("psql {}", self.repository.url()),
        }
    }
}
