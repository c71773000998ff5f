//! A zone in good health: Z2, Z5, S2, S3, S5, S6, A4, Z8.

use std::time::Duration;

use zonegate_management_writer::ApiSpec;
use zonegate_testkit::redis::RedisOptions;
use zonegate_tests::{Engine, Failure, Zone};

#[tokio::test]
async fn a4_z5_gateways_started_at_once_elect_one_primary_and_all_serve() -> Result<(), Failure> {
    let mut zone = Zone::on_sqlite("first-light").await?;
    zone.management.deploy_api(&zone.keyless("one")).await?;
    zone.deploy_with_key("two").await?;
    zone.start(3).await?;
    let primary = zone.wait_primary(None).await?;
    zone.wait_status("/one/x", None, 200).await?;
    zone.wait_status("/two/x", Some("secret-two"), 200).await?;
    zone.wait_status("/two/x", Some("wrong"), 401).await?;
    zone.wait_status("/three", None, 404).await?;

    zone.management.deploy_api(&zone.keyless("three")).await?;
    zone.wait_status("/three", None, 200).await?;
    zone.management.revoke_key("key-two").await?;
    zone.wait_status("/two/x", Some("secret-two"), 401).await?;
    zone.management.undeploy_api("one").await?;
    zone.wait_status("/one/x", None, 404).await?;
    assert_eq!(zone.primary().await, Some(primary), "nobody took over in good health");
    Ok(())
}

#[tokio::test]
async fn a4_nobody_is_ready_while_the_repository_was_never_read() -> Result<(), Failure> {
    let mut zone = Zone::on_postgresql("waiting").await?;
    let zonegate_tests::Repository::Postgresql { proxy, .. } = &zone.repository else { unreachable!() };
    proxy.refuse();
    zone.management.deploy_api(&zone.keyless("one")).await?;
    zone.start_gateway()?;
    zone.start_gateway()?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    for gateway in &mut zone.gateways {
        assert!(gateway.ended().is_none(), "a gateway does not exit: {}", gateway.log_text());
        let sync = gateway.node("/_node/sync").await?;
        assert_eq!(sync.status.as_u16(), 503, "{}", sync.text());
    }
    if let zonegate_tests::Repository::Postgresql { proxy, .. } = &zone.repository {
        proxy.restore();
    }
    zone.wait_ready().await?;
    zone.wait_status("/one", None, 200).await
}

#[tokio::test]
async fn s3_an_api_that_is_not_understood_is_refused_and_the_rest_served() -> Result<(), Failure> {
    let mut zone = Zone::on_sqlite("refusals").await?;
    zone.management.deploy_api(&zone.keyless("good")).await?;
    zone.management.deploy_raw("broken", "{ not json").await?;
    let flows = serde_json::json!([{
        "name": "unknown", "enabled": true, "selectors": [],
        "request": [{"name": "x", "policy": "no-such-policy", "enabled": true, "configuration": {}}],
        "response": []
    }]);
    zone.management.deploy_api(&zone.keyless("unknown").flows(flows)).await?;
    zone.start(2).await?;
    zone.wait_status("/good", None, 200).await?;
    zone.wait_status("/unknown", None, 404).await?;
    for index in 0..2 {
        let sync = zone.sync(index).await?.to_string();
        assert!(sync.contains("no-such-policy"), "the reason is in the technical API: {sync}");
    }
    Ok(())
}

#[tokio::test]
async fn s6_what_happens_to_an_api_never_touches_another_whose_id_begins_like_it() -> Result<(), Failure> {
    let mut zone = Zone::on_sqlite("ids").await?;
    for id in ["api-1", "api-10", "api-1-beta"] {
        zone.deploy_with_key(id).await?;
    }
    zone.start(2).await?;
    zone.management.undeploy_api("api-1").await?;
    zone.wait_status("/api-1", Some("secret-api-1"), 404).await?;
    for id in ["api-10", "api-1-beta"] {
        zone.wait_status(&format!("/{id}"), Some(&format!("secret-{id}")), 200).await?;
    }
    // A gateway that starts now reads the store as it was left.
    zone.start_gateway()?;
    zone.wait_ready().await?;
    zone.wait_status("/api-10", Some("secret-api-10"), 200).await?;
    zone.wait_status("/api-1", Some("secret-api-1"), 404).await
}

#[tokio::test]
async fn c4_without_the_search_module_the_plain_path_is_used_and_the_log_says_so() -> Result<(), Failure> {
    let options = RedisOptions { search: false, ..RedisOptions::default() };
    let mut zone = Zone::with_redis("plain", options, Engine::Sqlite).await?;
    zone.deploy_with_key("one").await?;
    zone.start(2).await?;
    zone.wait_status("/one", Some("secret-one"), 200).await?;
    let logs: String = zone.gateways.iter().map(zonegate_testkit::gateway::Gateway::log_text).collect();
    assert!(logs.contains("no search index, so rows are read key by key"), "{logs}");
    Ok(())
}

#[tokio::test]
async fn s2_v2_and_v4_apis_with_many_keys_are_served_whole() -> Result<(), Failure> {
    let mut zone = Zone::on_sqlite("whole").await?;
    zone.start(2).await?;
    zone.management.deploy_api(&ApiSpec::v2("old", "/old", zone.upstream.url()).keyless()).await?;
    zone.deploy_with_key("new").await?;
    zone.wait_status("/old/a", None, 200).await?;
    zone.wait_status("/new/a", Some("secret-new"), 200).await
}
