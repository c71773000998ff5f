//! The gateway as a contestant: lone, with one keyless and one API-key API in front of the upstream.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use zonegate_management_writer::{ApiSpec, KeySpec, ManagementWriter, SubscriptionSpec};
use zonegate_testkit::folders::RunFolder;
use zonegate_testkit::gateway::{Gateway, GatewayOptions};

use crate::bench::measure::failure::MeasureError;

/// The path of the keyless API; nginx is asked for the same.
pub(super) const PATH: &str = "/open";
/// The path of the other one.
const KEYED_PATH: &str = "/keyed";
/// Its key.
const KEY: &str = "c0371a77-1aea-4792-b71a-771aeac79217";
/// The longest that the gateway may take to start or stop; long, because it may run under valgrind.
const PATIENCE: Duration = Duration::from_mins(2);

/// How a contestant is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route {
    /// For people.
    pub(super) name: &'static str,
    /// Where.
    pub(super) address: SocketAddr,
    /// The path.
    pub(super) path: &'static str,
    /// The API key.
    pub(super) key: Option<&'static str>,
}

/// A running gateway; it ends when dropped.
#[derive(Debug)]
pub(super) struct ApiGateway {
    gateway: Gateway,
    _folder: RunFolder,
}

impl ApiGateway {
    /// Starts it by `wrapper` and waits until both APIs answer.
    pub(super) async fn start(
        binary: &Path,
        wrapper: &[&str],
        upstream: SocketAddr,
    ) -> Result<Self, MeasureError> {
        let prepare = || MeasureError::system("prepare the gateway");
        let folder = RunFolder::create("repository").map_err(prepare())?;
        let file = folder.path().join("gravitee.db");
        fill(&format!("sqlite:{}", file.display()), upstream).await?;
        // The gateway is started by a script, since options name one program.
        let script = folder.path().join("zonegate");
        let text = format!("#!/bin/sh\nexec {} {} \"$@\"\n", wrapper.join(" "), binary.display());
        fs::write(&script, text).map_err(prepare())?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).map_err(prepare())?;
        let mut options = GatewayOptions::new("gateway")
            .repository(&format!("jdbc:sqlite:{}", file.display()), None, None)
            // Nothing changes, and reading the repository is not what is measured.
            .set("services.sync.delay", "60000");
        options.binary = Some(script);
        let mut gateway = Gateway::start(options)?;
        gateway.wait_ready(PATIENCE).await?;
        for (path, key, expected) in
            [(PATH, None, 200), (KEYED_PATH, Some(KEY), 200), (KEYED_PATH, None, 401)]
        {
            let headers: Vec<_> = key.iter().map(|key| ("x-gravitee-api-key", *key)).collect();
            let status = gateway.get(path, &headers).await?.status.as_u16();
            if status != expected {
                return Err(MeasureError::Unexpected(format!("GET {path} gives {status}, not {expected}")));
            }
        }
        Ok(Self { gateway, _folder: folder })
    }

    /// Its process.
    pub(super) fn process_id(&self) -> u32 {
        self.gateway.process_id()
    }

    /// The keyless API.
    pub(super) fn open(&self) -> Route {
        Route { name: "pass-through", address: self.gateway.address(), path: PATH, key: None }
    }

    /// The one with a key.
    pub(super) fn keyed(&self) -> Route {
        Route { name: "API key", address: self.gateway.address(), path: KEYED_PATH, key: Some(KEY) }
    }

    /// Stops it in good order.
    pub(super) fn stop(mut self) -> Result<(), MeasureError> {
        self.gateway.terminate(PATIENCE)?;
        Ok(())
    }
}

/// Writes the two APIs.
async fn fill(url: &str, upstream: SocketAddr) -> Result<(), MeasureError> {
    let management = ManagementWriter::connect(url).await?;
    management.create_schema().await?;
    let target = format!("http://{upstream}/");
    // APIM's default of connections to an endpoint is less than the load's.
    let group = json!([{
        "name": "group", "type": "http-proxy",
        "endpoints": [{
            "name": "endpoint", "type": "http-proxy", "configuration": { "target": target },
            "sharedConfigurationOverride": { "http": { "maxConcurrentConnections": 1000, "keepAlive": true } },
        }],
    }]);
    let api = |id: &str, path: &str| ApiSpec::v4(id, path, &target).with("endpointGroups", group.clone());
    management.deploy_api(&api("open", PATH).keyless()).await?;
    management.deploy_api(&api("keyed", KEYED_PATH).api_key()).await?;
    management.create_subscription(&SubscriptionSpec::new("subscription", "keyed", "keyed-api-key")).await?;
    management.create_key(&KeySpec::new("key", KEY, "subscription")).await?;
    management.close().await;
    Ok(())
}
