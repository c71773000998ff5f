//! A zone of real gateways over a real Redis and a real repository, for the tests in `tests/`.
//!
//! Each file there is about one part of `guarantees.md`; each test's name begins with the promise that it shows.

use std::time::{Duration, Instant};

use zonegate_management_writer::{ApiSpec, KeySpec, ManagementWriter, SubscriptionSpec};
use zonegate_testkit::folders::RunFolder;
use zonegate_testkit::gateway::{Gateway, GatewayOptions};
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
        Self::with_redis(name, RedisOptions::default(), false).await
    }

    /// A zone without gateways, over an empty PostgreSQL database.
    pub async fn on_postgresql(name: &str) -> Result<Self, Failure> {
        Self::with_redis(name, RedisOptions::default(), true).await
    }

    /// A zone with a Redis of a certain kind.
    pub async fn with_redis(name: &str, options: RedisOptions, postgresql: bool) -> Result<Self, Failure> {
        let redis = Redis::start(options)?;
        let store_proxy = TcpProxy::start(redis.address())?;
        let (repository, url) = if postgresql {
            let server = Postgres::start()?;
            server.create_database("gravitee")?;
            let proxy = TcpProxy::start(server.address())?;
            let url = server.url("gravitee");
            (Repository::Postgresql { server, proxy }, url)
        } else {
            let folder = RunFolder::create("repository")?;
            let url = format!("sqlite:{}", folder.path().join("gravitee.db").display());
            (Repository::Sqlite { folder }, url)
        };
        let management = ManagementWriter::connect(&url).await?;
        management.create_schema().await?;
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
        match &self.repository {
            Repository::Sqlite { folder } => {
                let path = folder.path().join("gravitee.db");
                options.repository(&format!("jdbc:sqlite:{}", path.display()), None, None)
            }
            Repository::Postgresql { server, proxy } => {
                let direct = server.jdbc_url("gravitee");
                let through = direct.replace(&server.address().to_string(), &proxy.address().to_string());
                options.repository(&through, Some(USER), Some(PASSWORD))
            }
        }
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
