//! Builds the gateway out of its parts, runs it, and takes it down in order. Reads as the story of a start:
//! identity, state, traffic, technical API, sync process; then the signal, and all of it backwards.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use zonegate_config::{Loaded, Settings};
use zonegate_generation::Builder;
use zonegate_model::{Clock, NodeId};
use zonegate_policy::Registry;
use zonegate_proxy::{Compiler, Counters, Running, Server, StartError};
use zonegate_store_redis::RedisStore;
use zonegate_sync::Machine;
use zonegate_sync_driver::{self as sync_driver, Surroundings};
use zonegate_technical_api::view::Identity;
use zonegate_technical_api::{Handle, ServeError};
use zonegate_telemetry::{DataPlane, Metrics};

use crate::clock::SystemClock;
use crate::configuration::{self, Unsupported};
use crate::notes;
use crate::repository;
use crate::serving::Serving;
use crate::tally::Tally;
use crate::view::{Facts, GatewayView, Unserved, figures, traffic};

/// How long requests under way may take when the gateway stops.
const DRAIN: Duration = Duration::from_secs(10);
/// Steps of staging between driver and builder.
const STAGE_QUEUE: usize = 16;

/// Why a gateway does not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// The operating system refused something that every process needs.
    #[error("cannot {action}: {source}")]
    System { action: &'static str, source: io::Error },
    /// A setting is valid, but this version cannot do it.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// Traffic cannot be taken.
    #[error(transparent)]
    Traffic(#[from] StartError),
    /// The technical API cannot be served.
    #[error(transparent)]
    TechnicalApi(#[from] ServeError),
    /// The management repository's settings make no sense.
    #[error(transparent)]
    Repository(#[from] zonegate_repository::SettingsError),
    /// The same of its SQL database.
    #[error(transparent)]
    Sql(#[from] zonegate_repository_sql::SettingsError),
    /// The same of its MongoDB.
    #[error(transparent)]
    Mongo(#[from] zonegate_repository_mongodb::SettingsError),
}

/// Runs the gateway on this thread until a signal stops it.
pub(crate) fn run(loaded: Loaded, log_levels: BTreeMap<String, String>) -> Result<(), RunError> {
    let system = |action| move |source| RunError::System { action, source };
    // Sync, technical API and metrics share a small runtime; traffic has workers of its own.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("control")
        .enable_all()
        .build()
        .map_err(system("start the runtime"))?;
    runtime.block_on(gateway(loaded, log_levels))
}

async fn gateway(loaded: Loaded, log_levels: BTreeMap<String, String>) -> Result<(), RunError> {
    let system = |action| move |source| RunError::System { action, source };
    let mut terminate = signal(SignalKind::terminate()).map_err(system("listen for SIGTERM"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(system("listen for SIGINT"))?;
    let Loaded { settings, report } = loaded;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let started = clock.now();
    let node = NodeId::new(uuid::Uuid::new_v4().to_string());
    let identity = identity(&settings, &node);
    let zone = settings.distributed_sync.as_ref().map(|sync| sync.zone.name.to_string());
    tracing::info!(%node, zone, version = identity.version, "Zonegate starts");

    // State, and the traffic that is served from it.
    let gateway_settings = Arc::new(configuration::gateway_settings(&settings)?);
    let counters = Arc::new(Counters::default());
    let compiler = Compiler::new(Registry::builtin(), Arc::clone(&gateway_settings), Arc::clone(&counters));
    let builder = Builder::new(compiler, configuration::generation_settings(&settings));
    let published = builder.published();
    let server = Server {
        published: published.clone(),
        settings: gateway_settings,
        counters: Arc::clone(&counters),
        clock: Arc::clone(&clock),
    };
    let mut listeners = Vec::new();
    for listener in configuration::listeners(&settings).await? {
        let running = server.start(&listener)?;
        tracing::info!(server = listener.id, address = %running.address(), "listening for traffic");
        listeners.push(running);
    }
    let listening = Arc::new(AtomicBool::new(true));

    // What is known of the sync process, for technical API and metrics.
    let sync_settings =
        configuration::sync_settings(&settings, node, &identity.hostname, identity.version.as_str());
    let seed = rand::random();
    let picture = Machine::new(sync_settings.clone(), seed, started).status();
    let (status_in, status) = watch::channel(Arc::new(picture));
    let tally = Tally::new(Arc::clone(&clock));
    let in_zone = zone.is_some();
    let sync_figures = {
        let (status, tally, published, now) =
            (status.clone(), tally.clone(), published.clone(), Arc::clone(&clock));
        move || {
            let picture = status.borrow().clone();
            figures(&picture, &tally, Unserved::of(&published.load()), in_zone, now.now())
        }
    };
    let metrics = (settings.metrics.enabled && settings.metrics.prometheus).then(|| {
        let data_plane = Arc::new(DataPlane::new(move || traffic(counters.snapshot())));
        Metrics::new(&identity.version, Arc::clone(&clock), started, data_plane, sync_figures)
    });
    let view = GatewayView {
        facts: Facts { identity, zone, report, log_levels, started },
        clock: Arc::clone(&clock),
        status: status.clone(),
        published,
        tally: tally.clone(),
        metrics,
        listening: Arc::clone(&listening),
    };
    let stop_surface = CancellationToken::new();
    let technical_api = technical_api(&settings, view, &stop_surface).await?;

    // The sync process.
    let (stage, steps) = mpsc::channel(STAGE_QUEUE);
    let (committed_in, committed) = watch::channel(0);
    let building = std::thread::Builder::new()
        .name("generations".to_owned())
        .spawn(move || sync_driver::run_stage(Serving(builder), steps, &committed_in))
        .map_err(system("start the thread that builds generations"))?;
    let surroundings = Surroundings {
        store: store(&settings)?,
        repository: repository::open(&settings)?,
        stage,
        committed,
        status: status_in,
        clock,
        notes: Box::new(move |note| {
            tally.count(&note);
            notes::log(note);
        }),
    };
    let stop_sync = CancellationToken::new();
    let mut sync = tokio::spawn(sync_driver::run(sync_settings, seed, surroundings, stop_sync.clone()));

    let signal = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
        ended = &mut sync => {
            tracing::error!(?ended, "the sync process ended by itself; what is active goes on being served");
            tokio::select! { _ = terminate.recv() => "SIGTERM", _ = interrupt.recv() => "SIGINT" }
        }
    };
    tracing::info!(signal, "stopping");
    // The lease first, so that another gateway takes over while requests still finish here (Z3).
    stop_sync.cancel();
    if !sync.is_finished() {
        let _ = sync.await;
    }
    tokio::time::sleep(settings.graceful_shutdown_delay).await;
    listening.store(false, Ordering::Release);
    drain(listeners).await;
    stop_surface.cancel();
    if let Some(technical_api) = technical_api {
        technical_api.stop().await;
    }
    // The builder's thread ends with the sender of its steps, which ended with the sync process.
    if building.join().is_err() {
        tracing::error!("the thread that builds generations panicked");
    }
    tracing::info!("stopped");
    Ok(())
}

async fn drain(listeners: Vec<Running>) {
    for listener in listeners {
        listener.shutdown(DRAIN).await;
    }
}

fn identity(settings: &Settings, node: &NodeId) -> Identity {
    Identity {
        id: node.to_string(),
        name: "Zonegate - API Gateway".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: option_env!("ZONEGATE_COMMIT").map(str::to_owned),
        hostname: configuration::hostname(),
        installation: None,
        organizations: settings.organizations.clone(),
        environments: settings.environments.clone(),
        tags: (!settings.tags.is_empty()).then(|| settings.tags.join(",")),
        tenant: settings.tenant.clone(),
        zone: settings.zone_label.clone(),
    }
}

async fn technical_api(
    settings: &Settings,
    view: GatewayView<Compiler>,
    stop: &CancellationToken,
) -> Result<Option<Handle>, ServeError> {
    if !settings.technical_api.enabled {
        return Ok(None);
    }
    let settings = configuration::technical_api_settings(settings);
    zonegate_technical_api::serve(settings, Arc::new(view), stop.clone()).await.map(Some)
}

fn store(settings: &Settings) -> Result<Option<Arc<RedisStore>>, Unsupported> {
    let Some(sync) = &settings.distributed_sync else { return Ok(None) };
    let redis = configuration::redis_settings(sync)?;
    Ok(Some(Arc::new(RedisStore::new(redis, sync.zone.name.clone()))))
}
