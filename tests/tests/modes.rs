//! Other ways to take part: a lone gateway, a zone that an APIM gateway leads, a member that is cut off. Z3, C3.

use std::path::{Path, PathBuf};
use std::time::Duration;

use zonegate_testkit::gateway::{Gateway, GatewayOptions};
use zonegate_testkit::redis::{Redis, RedisOptions};
use zonegate_testkit::tcp_proxy::TcpProxy;
use zonegate_testkit::upstream::Upstream;
use zonegate_tests::{Engine, Failure, PATIENCE, Repository, Zone, give_up, pause, start_watch};

#[tokio::test]
async fn a_lone_gateway_reads_the_repository_for_itself_and_needs_no_store() -> Result<(), Failure> {
    let mut zone = Zone::on_sqlite("lone").await?;
    zone.deploy_with_key("one").await?;
    zone.store_proxy.refuse();
    let options = zone.options().set("services.sync.distributed.enabled", "false");
    zone.gateways.push(Gateway::start(options)?);
    zone.wait_ready().await?;
    zone.wait_status("/one", Some("secret-one"), 200).await?;
    assert_eq!(zone.sync(0).await?["zone"]["role"], "lone");
    zone.management.revoke_key("key-one").await?;
    zone.wait_status("/one", Some("secret-one"), 401).await
}

#[tokio::test]
async fn z2_only_the_primary_connects_to_the_repository() -> Result<(), Failure> {
    let mut zone = Zone::on_postgresql("centre").await?;
    zone.deploy_with_key("one").await?;
    let Repository::Postgresql { server, .. } = &zone.repository else { unreachable!() };
    let mut ways = Vec::new();
    for _ in 0..3 {
        // Each gateway has a way of its own to the repository, so that it can be seen who takes it.
        let way = TcpProxy::start(server.address())?;
        let url =
            server.jdbc_url("gravitee").replace(&server.address().to_string(), &way.address().to_string());
        ways.push((way, url));
    }
    for (_, url) in &ways {
        let options = zone.options().set("management.jdbc.url", url);
        zone.gateways.push(Gateway::start(options)?);
    }
    zone.wait_ready().await?;
    zone.wait_status("/one", Some("secret-one"), 200).await?;
    let primary = zone.wait_primary(None).await?;
    zone.management.revoke_key("key-one").await?;
    zone.wait_status("/one", Some("secret-one"), 401).await?;
    for (index, (way, _)) in ways.iter().enumerate() {
        let connected = way.accepted_connections() > 0;
        assert_eq!(connected, index == primary, "gateway {index}; gateway {primary} is primary");
    }
    Ok(())
}

#[tokio::test]
async fn z3_a_primary_that_is_cut_off_is_replaced_and_follows_when_it_is_back() -> Result<(), Failure> {
    let mut zone = Zone::on_sqlite("cut-off").await?;
    zone.management.deploy_api(&zone.keyless("one")).await?;
    // The first gateway has a way of its own to the store.
    let own = TcpProxy::start(zone.redis.address())?;
    let options = zone.options().zone_at("cut-off", own.port(), zone.redis.password());
    zone.gateways.push(Gateway::start(options)?);
    zone.wait_ready().await?;
    zone.start_gateway()?;
    zone.wait_ready().await?;
    assert_eq!(zone.wait_primary(None).await?, 0);
    own.stall();
    let since = start_watch();
    while zone.sync(1).await?["zone"]["role"] != "primary" {
        give_up(since, || "nobody took over from the one that is cut off".to_owned())?;
        pause().await;
    }
    zone.management.deploy_api(&zone.keyless("two")).await?;
    zone.wait_status_of(1, "/two", None, 200).await?;
    assert_eq!(zone.status(0, "/one", None).await, Some(200), "the one that is cut off serves on (A2)");
    own.restore();
    zone.wait_status("/two", None, 200).await?;
    assert_eq!(zone.wait_primary(None).await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_wrong_password_of_the_store_names_the_setting_and_the_gateway_keeps_trying() -> Result<(), Failure>
{
    let options = RedisOptions { password: Some("right-password".to_owned()), ..RedisOptions::default() };
    let mut zone = Zone::with_redis("password", options, Engine::Sqlite).await?;
    let port = zone.store_proxy.port();
    zone.gateways.push(Gateway::start(zone.options().zone_at("password", port, Some("wrong-password")))?);
    let since = start_watch();
    while !zone.gateways[0].log_text().contains("distributed-sync.redis.password") {
        give_up(since, || format!("the log does not name the setting: {}", zone.gateways[0].log_text()))?;
        pause().await;
    }
    let log = zone.gateways[0].log_text();
    assert!(!log.contains("wrong-password"), "L3: {log}");
    assert!(zone.gateways[0].ended().is_none(), "it keeps trying");
    Ok(())
}

/// The folder of recorded data beside the checkout, if it is there.
fn golden() -> Option<PathBuf> {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    above.map(|folder| folder.join("shared/golden")).find(|folder| folder.is_dir())
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
#[tokio::test]
async fn c3_a_zone_that_an_apim_gateway_filled_is_followed_by_a_secondary() -> Result<(), Failure> {
    let Some(golden) = golden() else {
        eprintln!("skipped: no ../shared/golden beside the checkout");
        return Ok(());
    };
    let redis = Redis::start(RedisOptions::default())?;
    let upstream = Upstream::start()?;
    let text = std::fs::read_to_string(golden.join("4.12.12/redis-standalone/keys.jsonl"))?;
    let mut connection = redis.connect()?;
    let mut apis = 0;
    for line in text.lines() {
        let key: serde_json::Value = serde_json::from_str(line)?;
        let (Some(name), Some(fields)) = (key["key"].as_str(), key["value"].as_object()) else { continue };
        if !name.starts_with("distributed_") {
            continue;
        }
        apis += usize::from(fields.get("type").is_some_and(|kind| kind == "API"));
        let mut words = vec!["HSET".to_owned(), name.to_owned()];
        for (field, value) in fields {
            let value = value.as_str().unwrap_or_default();
            words.push(field.clone());
            words.push(value.replace("http://127.0.0.1:19000", &upstream.url()));
        }
        connection.command(&words)?;
    }
    assert!(apis > 0, "the recorded store holds APIs");
    let options = GatewayOptions::new("follower")
        .zone("standalone", &redis)
        .set("distributed-sync.role", "secondary")
        .repository("jdbc:sqlite:/nonexistent/never-read.db", None, None);
    let mut gateway = Gateway::start(options)?;
    gateway.wait_ready(PATIENCE).await?;
    let seeds: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(golden.join("seed-state.postgresql.json"))?)?;
    let (key, api) = (seeds["apikey"].as_str().unwrap_or_default(), seeds["apikeyApi"].as_str());
    let headers = [(zonegate_tests::API_KEY, key)];
    assert_eq!(gateway.get("/apikey/x", &[]).await?.status.as_u16(), 401);
    assert_eq!(gateway.get("/apikey/x", &headers).await?.status.as_u16(), 200);
    // The APIM gateway undeploys the API as it would: the row stays, with another action and its last payload.
    let row = format!("distributed_event:standalone:API:{}", api.unwrap_or_default());
    let now = std::time::UNIX_EPOCH.elapsed()?.as_millis().to_string();
    redis.cli(&["HSET", &row, "syncAction", "UNDEPLOY", "updatedAt", &now])?;
    let since = start_watch();
    while gateway.get("/apikey/x", &headers).await?.status.as_u16() != 404 {
        give_up(since, || "the removal by the APIM gateway was not followed".to_owned())?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

#[tokio::test]
async fn l3_secrets_of_the_configuration_show_in_no_answer_and_no_log() -> Result<(), Failure> {
    let options = RedisOptions { password: Some("store-secret-1".to_owned()), ..RedisOptions::default() };
    let mut zone = Zone::with_redis("secrets", options, Engine::Sqlite).await?;
    zone.deploy_with_key("one").await?;
    zone.start(1).await?;
    let Repository::Sqlite { .. } = &zone.repository else { unreachable!() };
    let gateway = &zone.gateways[0];
    let mut seen = gateway.log_text();
    for path in
        ["", "/configuration", "/sync", "/apis", "/apis/one", "/cluster", "/health", "/metrics/prometheus"]
    {
        seen.push_str(&gateway.node(&format!("/_node{path}")).await?.text());
    }
    for secret in ["store-secret-1", "adminadmin", "secret-one"] {
        assert!(!seen.contains(secret), "`{secret}` shows");
    }
    Ok(())
}
