//! Three real gateways of one zone, and what is done to them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, kill_process};
use zonegate_management_writer::{ApiSpec, ManagementWriter};
use zonegate_testkit::folders::RunFolder;
use zonegate_testkit::gateway::{Gateway, GatewayOptions};
use zonegate_testkit::redis::{Connection, Redis};
use zonegate_testkit::upstream::Upstream;

use super::{Blow, Times};
use crate::bench::measure::failure::MeasureError;
use crate::bench::measure::publisher::ZONE;
use crate::stopwatch::Stopwatch;

/// How many gateways.
const GATEWAYS: usize = 3;
/// APIs that are there from the beginning.
const APIS: usize = 20;
/// The longest that anything may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// When something was seen.
type Seen = Result<Duration, MeasureError>;

/// The zone; everything ends when it is dropped.
pub(super) struct Zone {
    gateways: Vec<Gateway>,
    management: ManagementWriter,
    store: Connection,
    upstream: Upstream,
    /// Changes made so far.
    changes: usize,
    _folder: RunFolder,
}

impl Zone {
    /// Starts the gateways and waits until all of them serve.
    pub(super) async fn start(redis: &Redis, binary: &Path, delay: Duration) -> Result<Self, MeasureError> {
        let folder = RunFolder::create("repository").map_err(MeasureError::system("make a folder"))?;
        let upstream = Upstream::start().map_err(MeasureError::system("start an upstream"))?;
        let file = folder.path().join("gravitee.db");
        let management = ManagementWriter::connect(&format!("sqlite:{}", file.display())).await?;
        management.create_schema().await?;
        for number in 0..APIS {
            let id = format!("api-{number}");
            management.deploy_api(&ApiSpec::v4(&id, format!("/{id}"), upstream.url()).keyless()).await?;
        }
        let start = |number: usize| {
            let mut options = GatewayOptions::new(&format!("gateway-{number}"))
                .repository(&format!("jdbc:sqlite:{}", file.display()), None, None)
                .zone(ZONE, redis)
                .set("services.sync.delay", &delay.as_millis().to_string());
            options.binary = Some(PathBuf::from(binary));
            Gateway::start(options)
        };
        let mut gateways = (1..=GATEWAYS).map(start).collect::<Result<Vec<_>, _>>()?;
        for gateway in &mut gateways {
            gateway.wait_ready(PATIENCE).await?;
        }
        let store = redis.connect()?;
        Ok(Self { gateways, management, store, upstream, changes: 0, _folder: folder })
    }

    /// Waits until all gateways are there and exactly one leads, and then for a while longer.
    pub(super) async fn settle(&mut self, pause: Duration) -> Result<(), MeasureError> {
        let watch = Stopwatch::start();
        loop {
            let mut roles = Vec::new();
            for gateway in &self.gateways {
                roles.push(role(gateway).await.unwrap_or_default());
            }
            let count = |wanted: &str| roles.iter().filter(|role| *role == wanted).count();
            if count("primary") == 1 && count("secondary") == GATEWAYS - 1 {
                break;
            }
            late(watch, &format!("the gateways' roles are {roles:?}"))?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(pause).await;
        Ok(())
    }

    /// Hits the primary, changes something, waits until all is well without it, and lets it come back.
    pub(super) async fn strike(&mut self, blow: Blow, look: Duration) -> Result<Times, MeasureError> {
        let mut primary = None;
        for (index, gateway) in self.gateways.iter().enumerate() {
            if role(gateway).await.as_deref() == Some("primary") {
                primary = Some(index);
            }
        }
        let Some(primary) = primary else {
            return Err(MeasureError::Unexpected("no gateway is primary".to_owned()));
        };
        self.changes += 1;
        let id = format!("change-{}", self.changes);
        let api = ApiSpec::v4(&id, format!("/{id}"), self.upstream.url()).keyless();
        let process =
            self.gateways.get(primary).and_then(|gateway| Pid::from_raw(gateway.process_id().cast_signed()));
        let Some(process) = process else {
            return Err(MeasureError::Unexpected("the primary has no process".to_owned()));
        };
        let (gateways, management, store) = (&self.gateways, &self.management, &mut self.store);
        let left =
            || gateways.iter().enumerate().filter(|(index, _)| *index != primary).map(|(_, gateway)| gateway);

        let watch = Stopwatch::start();
        kill_process(process, blow.signal())
            .map_err(|error| MeasureError::system("send a signal")(error.into()))?;
        let lead = async {
            loop {
                for gateway in left() {
                    if role(gateway).await.as_deref() == Some("primary") {
                        return Ok(watch.elapsed());
                    }
                }
                late(watch, "no other gateway is primary")?;
                tokio::time::sleep(look).await;
            }
        };
        let publish = async {
            management.deploy_api(&api).await?;
            let row = format!("distributed_event:{ZONE}:API:{id}");
            loop {
                if store.command(&["EXISTS", &row])?.integer() == Some(1) {
                    return Ok(watch.elapsed());
                }
                late(watch, "the change is not in the store")?;
                tokio::time::sleep(look).await;
            }
        };
        let serve = async {
            for gateway in left() {
                while !gateway
                    .get(&format!("/{id}"), &[])
                    .await
                    .is_ok_and(|answer| answer.status.is_success())
                {
                    late(watch, &format!("{} does not serve the change", gateway.name()))?;
                    tokio::time::sleep(look).await;
                }
            }
            Ok(watch.elapsed())
        };
        let (primary_at, published, served): (Seen, Seen, Seen) = tokio::join!(lead, publish, serve);
        let times = Times { primary: primary_at?, published: published?, served: served? };
        if let Some(gateway) = self.gateways.get_mut(primary) {
            match blow {
                Blow::Killed => gateway.kill()?,
                Blow::InGoodOrder => drop(gateway.terminate(PATIENCE)?),
                Blow::Hangs => gateway.resume()?,
            }
            if blow != Blow::Hangs {
                gateway.start_again()?;
            }
            gateway.wait_ready(PATIENCE).await?;
        }
        Ok(times)
    }
}

/// What a gateway says that it is; `None` if it says nothing.
async fn role(gateway: &Gateway) -> Option<String> {
    let answer = gateway.node("/_node/sync").await.ok()?;
    answer.json()["zone"]["role"].as_str().map(str::to_owned)
}

fn late(watch: Stopwatch, what: &str) -> Result<(), MeasureError> {
    if watch.elapsed() > PATIENCE {
        return Err(MeasureError::Unexpected(format!("{what} after {PATIENCE:?}")));
    }
    Ok(())
}
