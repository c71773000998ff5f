//! A zone of real gateways over a real Redis and a real repository, for the tests in `tests/`.
//!
//! Each file there is about one part of `guarantees.md`; each test's name begins with the promise that it shows.

use std::time::{Duration, Instant};

use zonegate_management_writer::{ApiSpec, KeySpec, ManagementWriter, SubscriptionSpec};
use zonegate_testkit::folders::RunFolder;
use zonegate_testkit::gateway::{Gateway, GatewayOptions};
use zonegate_testkit::mariadb::{self, Mariadb, MariadbOptions};
use zonegate_testkit::mongodb::{MongoOptions, MongoServer};
use zonegate_testkit::postgres::{PASSWORD, Postgres, USER};
use zonegate_testkit::redis::{Redis, RedisOptions};
use zonegate_testkit::tcp_proxy::TcpProxy;
use zonegate_testkit::upstream::Upstream;

/// How long something may take that has no reason to take long, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The header that carries an API key.
pub const API_KEY: &str = "X-Gravitee-Api-Key";

/// Any failure of a test's surroundings.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Which database a repository is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A SQLite file.
    Sqlite,
    /// PostgreSQL.
    Postgresql,
    /// MariaDB, which stands for MySQL too.
    Mariadb,
    /// A server that speaks MongoDB's protocol.
    Mongodb,
}

impl Engine {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Sqlite, Self::Postgresql, Self::Mariadb, Self::Mongodb];
}

/// The name of the database in every server.
pub const DATABASE: &str = "gravitee";

/// Where the state comes from.
#[derive(Debug)]
pub enum Repository {
    /// A file that cannot be down.
    Sqlite {
        /// Its folder.
        folder: RunFolder,
    },
    /// A server behind a proxy that can cut it off.
    Postgresql {
        /// The server.
        server: Postgres,
        /// What the gateways connect to.
        proxy: TcpProxy,
    },
    /// A server.
    Mariadb {
        /// The server.
        server: Mariadb,
    },
    /// A server.
    Mongodb {
        /// The server.
        server: MongoServer,
    },
}

impl Repository {
    /// An empty repository.
    pub fn start(engine: Engine) -> Result<Self, Failure> {
        Ok(match engine {
            Engine::Sqlite => Self::Sqlite { folder: RunFolder::create("repository")? },
            Engine::Postgresql => {
                let server = Postgres::start()?;
                server.create_database(DATABASE)?;
                let proxy = TcpProxy::start(server.address())?;
                Self::Postgresql { server, proxy }
            }
            Engine::Mariadb => {
                let server = Mariadb::start(MariadbOptions::default())?;
                server.create_database(DATABASE)?;
                Self::Mariadb { server }
            }
            Engine::Mongodb => Self::Mongodb { server: MongoServer::start(MongoOptions::default())? },
        })
    }

    /// Where the management side writes.
    fn url(&self) -> String {
        match self {
            Self::Sqlite { folder } => format!("sqlite:{}", folder.path().join("gravitee.db").display()),
            Self::Postgresql { server, .. } => server.url(DATABASE),
            Self::Mariadb { server } => server.url(DATABASE),
            Self::Mongodb { server } => server.uri(DATABASE),
        }
    }

    /// Adds to a gateway's settings where it is.
    #[must_use]
    pub fn settings(&self, options: GatewayOptions) -> GatewayOptions {
        match self {
            Self::Sqlite { folder } => {
                let path = folder.path().join("gravitee.db");
                options.repository(&format!("jdbc:sqlite:{}", path.display()), None, None)
            }
            Self::Postgresql { server, proxy } => {
                let direct = server.jdbc_url(DATABASE);
                let through = direct.replace(&server.address().to_string(), &proxy.address().to_string());
                options.repository(&through, Some(USER), Some(PASSWORD))
            }
            Self::Mariadb { server } => {
                options.repository(&server.jdbc_url(DATABASE), Some(mariadb::USER), Some(mariadb::PASSWORD))
            }
            Self::Mongodb { server } => {
                options.set("management.type", "mongodb").set("management.mongodb.uri", &server.uri(DATABASE))
            }
        }
    }
}

/// A zone under test. Everything ends when it is dropped.
#[derive(Debug)]
pub struct Zone {
    /// Its name.
    pub name: String,
    /// The zone store.
    pub redis: Redis,
    /// What the gateways connect to instead of Redis.
    pub store_proxy: TcpProxy,
    /// Where the state comes from.
    pub repository: Repository,
    /// The management side.
    pub management: ManagementWriter,
    /// What all APIs target.
    pub upstream: Upstream,
    /// The gateways.
    pub gateways: Vec<Gateway>,
}

impl Zone {
    /// A zone without gateways, over an empty SQLite file.
    pub async fn on_sqlite(name: &str) -> Result<Self, Failure> {
        Self::with_redis(name, RedisOptions::default(), Engine::Sqlite).await
    }

    /// A zone without gateways, over an empty PostgreSQL database.
    pub async fn on_postgresql(name: &str) -> Result<Self, Failure> {
        Self::with_redis(name, RedisOptions::default(), Engine::Postgresql).await
    }

    /// A zone with a Redis of a certain kind, over an empty repository.
    pub async fn with_redis(name: &str, options: RedisOptions, engine: Engine) -> Result<Self, Failure> {
        let zone = Self::over(name, options, Repository::start(engine)?).await?;
        zone.management.create_schema().await?;
        Ok(zone)
    }

    /// A zone over a repository as it is.
    pub async fn over(name: &str, options: RedisOptions, repository: Repository) -> Result<Self, Failure> {
        let redis = Redis::start(options)?;
        let store_proxy = TcpProxy::start(redis.address())?;
        let management = ManagementWriter::connect(&repository.url()).await?;
        let upstream = Upstream::start()?;
        let name = name.to_owned();
        Ok(Self { name, redis, store_proxy, repository, management, upstream, gateways: Vec::new() })
    }

    /// The options of one more gateway.
    #[must_use]
    pub fn options(&self) -> GatewayOptions {
        let name = format!("gateway-{}", self.gateways.len() + 1);
        let options =
            GatewayOptions::new(&name).zone_at(&self.name, self.store_proxy.port(), self.redis.password());
        self.repository.settings(options)
    }

    /// Starts one more gateway and does not wait.
    pub fn start_gateway(&mut self) -> Result<(), Failure> {
        let options = self.options();
        self.gateways.push(Gateway::start(options)?);
        Ok(())
    }

    /// Starts gateways, all at once, and waits until all are ready.
    pub async fn start(&mut self, count: usize) -> Result<(), Failure> {
        for _ in 0..count {
            self.start_gateway()?;
        }
        self.wait_ready().await
    }

    /// Waits until all gateways are ready.
    pub async fn wait_ready(&mut self) -> Result<(), Failure> {
        for gateway in &mut self.gateways {
            gateway.wait_ready(PATIENCE).await?;
        }
        Ok(())
    }

    /// Which gateway is primary, if exactly one says so.
    pub async fn primary(&self) -> Option<usize> {
        let mut primaries = Vec::new();
        for (index, gateway) in self.gateways.iter().enumerate() {
            let Ok(answer) = gateway.node("/_node/sync").await else { continue };
            if serde_json::from_str::<serde_json::Value>(&answer.text())
                .is_ok_and(|json| json["zone"]["role"] == "primary")
            {
                primaries.push(index);
            }
        }
        match primaries.as_slice() {
            [one] => Some(*one),
            _ => None,
        }
    }

    /// Waits for exactly one primary that is not `other`.
    pub async fn wait_primary(&self, other: Option<usize>) -> Result<usize, Failure> {
        let since = start_watch();
        loop {
            if let Some(primary) = self.primary().await
                && Some(primary) != other
            {
                return Ok(primary);
            }
            give_up(since, || "no gateway became primary".to_owned())?;
            pause().await;
        }
    }

    /// A V4 API that needs no key, on `/<id>`.
    #[must_use]
    pub fn keyless(&self, id: &str) -> ApiSpec {
        ApiSpec::v4(id, format!("/{id}"), self.upstream.url()).keyless()
    }

    /// Deploys a V4 API on `/<id>` that asks for a key, with one subscription and the key `secret-<id>`.
    pub async fn deploy_with_key(&self, id: &str) -> Result<(), Failure> {
        let api = ApiSpec::v4(id, format!("/{id}"), self.upstream.url()).api_key();
        let plan = api.plans[0].id.clone();
        let subscription = format!("subscription-{id}");
        self.management.create_subscription(&SubscriptionSpec::new(&subscription, id, plan)).await?;
        let key = KeySpec::new(format!("key-{id}"), format!("secret-{id}"), &subscription);
        self.management.create_key(&key).await?;
        self.management.deploy_api(&api).await?;
        Ok(())
    }

    /// Waits until every running gateway answers `path` with `status`.
    pub async fn wait_status(&self, path: &str, key: Option<&str>, status: u16) -> Result<(), Failure> {
        for index in 0..self.gateways.len() {
            self.wait_status_of(index, path, key, status).await?;
        }
        Ok(())
    }

    /// Waits until one gateway answers `path` with `status`.
    pub async fn wait_status_of(
        &self,
        index: usize,
        path: &str,
        key: Option<&str>,
        status: u16,
    ) -> Result<(), Failure> {
        let since = start_watch();
        loop {
            let got = self.status(index, path, key).await;
            if got == Some(status) {
                return Ok(());
            }
            give_up(since, || {
                format!(
                    "gateway {index} answers {path} with {got:?}, not {status}; its log:\n{}",
                    self.log(index)
                )
            })?;
            pause().await;
        }
    }

    /// Waits until one gateway answers `path` on a virtual host with `status`.
    pub async fn wait_status_on(
        &self,
        index: usize,
        host: &str,
        path: &str,
        key: Option<&str>,
        status: u16,
    ) -> Result<(), Failure> {
        let mut headers = vec![("host", host)];
        headers.extend(key.map(|key| (API_KEY, key)));
        let since = start_watch();
        loop {
            let answer = self.gateways[index].get(path, &headers).await;
            let got = answer.ok().map(|answer| answer.status.as_u16());
            if got == Some(status) {
                return Ok(());
            }
            give_up(since, || {
                let log = self.log(index);
                format!(
                    "gateway {index} answers {path} on {host} with {got:?}, not {status}; its log:\n{log}"
                )
            })?;
            pause().await;
        }
    }

    /// What a gateway answers; `None` if it does not.
    pub async fn status(&self, index: usize, path: &str, key: Option<&str>) -> Option<u16> {
        let headers: Vec<(&str, &str)> = key.map(|key| (API_KEY, key)).into_iter().collect();
        let answer = self.gateways[index].get(path, &headers).await.ok()?;
        Some(answer.status.as_u16())
    }

    /// What a gateway says of its sync process.
    pub async fn sync(&self, index: usize) -> Result<serde_json::Value, Failure> {
        Ok(serde_json::from_str(&self.gateways[index].node("/_node/sync").await?.text())?)
    }

    fn log(&self, index: usize) -> String {
        let text = self.gateways[index].log_text();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

/// The time, for giving up on something.
#[expect(clippy::disallowed_methods, reason = "tests run in real time")]
#[must_use]
pub fn start_watch() -> Instant {
    Instant::now()
}

/// Fails with what `why` says when [`PATIENCE`] is at its end.
pub fn give_up(since: Instant, why: impl FnOnce() -> String) -> Result<(), Failure> {
    if since.elapsed() > PATIENCE { Err(why().into()) } else { Ok(()) }
}

/// A moment between two looks.
pub async fn pause() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}
