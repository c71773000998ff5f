//! Connections to the server: opened in the background when first needed, opened again with growing pauses when they
//! break, and quick to fail in between. The driver stays behind this module and [`crate::failure`].
//!
//! The driver could reconnect by itself; it is told not to, because it would hide why it can't (a changed password, an
//! unsuitable server), and because a primary has to be subscribed again before it is trusted to be alive. Where a master
//! is found through Sentinel, `server_of` is the place that says so: each opening asks anew.

mod presence;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use rustis::client::{Client, Config, CustomReconnectionPolicy, ReconnectionConfig, ServerConfig};
use rustis::resp::CommandBuilder;
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use zonegate_sync::port::StoreError;

use crate::failure::{self, CallError};
use crate::settings::RedisSettings;
use presence::Presence;

/// Pause after the first failed attempt to connect; doubled after each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// The longest pause.
const LAST_PAUSE: Duration = Duration::from_secs(1);
/// How often an idle connection is looked at. A broken one that is used is noticed at once.
const LOOK: Duration = Duration::from_millis(250);
/// Bytes of commands that may wait for their answers. Above the largest value that Redis takes (512 MB), because one
/// row is one command; the core has one write and one read under way at a time (L2).
const MOST_QUEUED: usize = 600 * 1024 * 1024;
/// The oldest server whose scripts behave as ours need it.
const OLDEST: u32 = 7;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Short commands, and to show that a primary lives.
    Control,
    /// Blocking on the log.
    Follow,
}

impl Purpose {
    /// Its name, also in the server's `CLIENT LIST`.
    const fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Follow => "follow",
        }
    }
}

/// A connection that is replaced when it breaks.
pub(crate) struct Link {
    shared: Arc<Shared>,
    keeper: OnceLock<Keeper>,
}

/// What the keeper and the callers share.
struct Shared {
    settings: Arc<RedisSettings>,
    purpose: Purpose,
    state: watch::Sender<State>,
    /// The newest generation that somebody found broken.
    broken: AtomicU64,
    broken_told: Notify,
    /// Tells the links to one server that one of them got through, so that the others do not wait out their pauses.
    reached: Arc<Notify>,
    presence: Mutex<Presence>,
}

enum State {
    /// Not tried yet, or lost and not tried again yet: worth a moment's wait.
    Opening,
    Open(Session),
    /// The last attempt failed; the next one is due after a pause.
    Failed(StoreError),
}

/// One connection of a [`Link`].
#[derive(Clone)]
pub(crate) struct Session {
    client: Client,
    /// Counts the link's connections, from 1.
    pub(crate) generation: u64,
}

/// Ends the background task with its owner.
struct Keeper(JoinHandle<()>);

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Link {
    /// A link that connects when first used. `reached` is shared by all links to one server.
    pub(crate) fn new(settings: Arc<RedisSettings>, purpose: Purpose, reached: Arc<Notify>) -> Self {
        let shared = Shared {
            settings,
            purpose,
            state: watch::Sender::new(State::Opening),
            broken: AtomicU64::new(0),
            broken_told: Notify::new(),
            reached,
            presence: Mutex::default(),
        };
        Self { shared: Arc::new(shared), keeper: OnceLock::new() }
    }

    /// The settings.
    pub(crate) fn settings(&self) -> &RedisSettings {
        &self.shared.settings
    }

    /// The settings, to be kept.
    pub(crate) fn shared_settings(&self) -> &Arc<RedisSettings> {
        &self.shared.settings
    }

    /// The open connection. Fails at once while the server can't be reached; waits only for a first attempt.
    pub(crate) async fn session(&self) -> Result<Session, StoreError> {
        self.keeper.get_or_init(|| Keeper(tokio::spawn(keep(Arc::clone(&self.shared)))));
        let settings = self.settings();
        let mut states = self.shared.state.subscribe();
        let patience = settings.connect_timeout.min(settings.call_timeout);
        let decided = timeout(
            patience,
            states.wait_for(|state| match state {
                State::Opening => false,
                // Given up, but not replaced yet.
                State::Open(session) => session.generation > self.shared.broken.load(Ordering::Relaxed),
                State::Failed(_) => true,
            }),
        )
        .await;
        match decided {
            Ok(Ok(state)) => match &*state {
                State::Open(session) => Ok(session.clone()),
                State::Failed(error) => Err(error.clone()),
                State::Opening => Err(failure::unreachable(settings, "not connected yet")),
            },
            Ok(Err(_)) | Err(_) => Err(failure::unreachable(settings, "not connected yet")),
        }
    }

    /// Sends a command and waits for its answer.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        name: &'static str,
        command: CommandBuilder,
    ) -> Result<T, CallError> {
        let session = self.session().await?;
        self.call_on(&session, name, command, Duration::ZERO).await
    }

    /// Sends a command that may take `longer` than others on a connection got before.
    pub(crate) async fn call_on<T: DeserializeOwned>(
        &self,
        session: &Session,
        name: &'static str,
        command: CommandBuilder,
        longer: Duration,
    ) -> Result<T, CallError> {
        let limit = self.settings().call_timeout + longer;
        self.settle(session, name, limit, timeout(limit, session.client.send(command, None)).await)
    }

    fn settle<T>(
        &self,
        session: &Session,
        name: &'static str,
        limit: Duration,
        outcome: Result<rustis::Result<T>, tokio::time::error::Elapsed>,
    ) -> Result<T, CallError> {
        match outcome {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                if error.is_connection_error() || session.client.is_terminated() {
                    self.discard(session.generation);
                }
                Err(failure::calling(self.settings(), name, &error))
            }
            Err(_) => {
                // A peer that vanished without a word is found by silence only, and the driver would keep waiting.
                self.discard(session.generation);
                Err(failure::timed_out(self.settings(), name, limit).into())
            }
        }
    }

    /// Gives a connection up; the next use gets another one.
    pub(crate) fn discard(&self, generation: u64) {
        self.shared.broken.fetch_max(generation, Ordering::Relaxed);
        self.shared.broken_told.notify_one();
    }

    /// Gives the connection up unless [`Attempt::done`] is called: for commands whose answer would be in the way of the
    /// next one if the caller went away.
    pub(crate) fn attempt(&self, session: &Session) -> Attempt<'_> {
        Attempt { link: self, generation: session.generation, done: false }
    }
}

/// See [`Link::attempt`].
pub(crate) struct Attempt<'a> {
    link: &'a Link,
    generation: u64,
    done: bool,
}

impl Attempt<'_> {
    /// The answer came.
    pub(crate) fn done(mut self) {
        self.done = true;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.link.discard(self.generation);
        }
    }
}

/// Keeps one connection open until aborted.
async fn keep(shared: Arc<Shared>) {
    let (mut pause, mut generation, mut said) = (FIRST_PAUSE, 0, String::new());
    let (address, purpose) = (shared.settings.address(), shared.purpose.name());
    loop {
        generation += 1;
        match open(&shared, generation).await {
            Ok(session) => {
                if !said.is_empty() {
                    tracing::info!(address, purpose, "connected to the zone store again");
                }
                (pause, said) = (FIRST_PAUSE, String::new());
                shared.reached.notify_waiters();
                let opened = session.clone();
                shared.state.send_replace(State::Open(session));
                until_broken(&shared, &opened).await;
                shared.presence().forget(generation);
                shared.state.send_replace(State::Opening);
            }
            Err(error) => {
                if said != error.message {
                    tracing::warn!(address, purpose, "{error}");
                    said.clone_from(&error.message);
                }
                shared.state.send_replace(State::Failed(error));
                // Spread, so that a whole zone does not come back in step.
                tokio::select! {
                    () = sleep(pause.mul_f64(rand::random_range(0.75..1.25))) => {}
                    () = shared.reached.notified() => {}
                }
                pause = (pause * 2).min(LAST_PAUSE);
            }
        }
    }
}

async fn open(shared: &Shared, generation: u64) -> Result<Session, StoreError> {
    let settings = &*shared.settings;
    let client =
        match timeout(settings.connect_timeout, Client::connect(config_of(settings, shared.purpose))).await {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => return Err(failure::connecting(settings, &error)),
            Err(_) => {
                let reason = format!("no connection within {} ms", settings.connect_timeout.as_millis());
                return Err(failure::unreachable(settings, &reason));
            }
        };
    let version = client.server_version();
    let major = version.as_deref().and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    if major.is_some_and(|major| major < OLDEST) {
        let version = version.as_deref().unwrap_or_default();
        return Err(failure::unsuitable(settings, &format!("it is Redis {version}; 7.0 or later is needed")));
    }
    let session = Session { client, generation };
    presence::restore(shared, &session).await;
    Ok(session)
}

async fn until_broken(shared: &Shared, session: &Session) {
    while shared.broken.load(Ordering::Relaxed) < session.generation
        && session.client.is_connected()
        && !session.client.is_terminated()
    {
        tokio::select! {
            () = shared.broken_told.notified() => {}
            () = sleep(LOOK) => {}
        }
    }
}

fn config_of(settings: &RedisSettings, purpose: Purpose) -> Config {
    let mut config = Config::default();
    config.server = server_of(settings);
    config.username.clone_from(&settings.username);
    config.password = settings.password.as_ref().map(|password| password.expose_secret().to_owned());
    config.connect_timeout = settings.connect_timeout;
    config.connection_name = format!("zonegate-{}", purpose.name());
    config.backpressure.max_queued_bytes = MOST_QUEUED;
    config.auto_resubscribe = false;
    config.reconnection =
        ReconnectionConfig::Custom(CustomReconnectionPolicy::new(|_: u32| None::<Duration>));
    config
}

fn server_of(settings: &RedisSettings) -> ServerConfig {
    ServerConfig::Standalone { host: settings.host.clone(), port: settings.port }
}
