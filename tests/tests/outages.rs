//! The repository, the store, or what lies in it goes: A1, A2, Z6, Z8.

use zonegate_tests::{Failure, Repository, Zone, give_up, pause, start_watch};

#[tokio::test]
async fn a1_with_the_repository_down_a_new_gateway_starts_and_failover_works() -> Result<(), Failure> {
    let mut zone = Zone::on_postgresql("centre-down").await?;
    zone.deploy_with_key("one").await?;
    zone.start(2).await?;
    zone.wait_status("/one", Some("secret-one"), 200).await?;
    let primary = zone.wait_primary(None).await?;
    let Repository::Postgresql { proxy, .. } = &zone.repository else { unreachable!() };
    proxy.refuse();
    zone.start_gateway()?;
    zone.wait_ready().await?;
    zone.wait_status("/one", Some("secret-one"), 200).await?;
    zone.gateways[primary].kill()?;
    let next = zone.wait_primary(Some(primary)).await?;
    zone.wait_status_of(next, "/one", Some("secret-one"), 200).await?;
    zone.management.revoke_key("key-one").await?;
    if let Repository::Postgresql { proxy, .. } = &zone.repository {
        proxy.restore();
    }
    for index in (0..3).filter(|index| *index != primary) {
        zone.wait_status_of(index, "/one", Some("secret-one"), 401).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a2_with_the_store_down_all_serve_and_the_primary_follows_the_repository() -> Result<(), Failure> {
    let mut zone = Zone::on_sqlite("store-down").await?;
    zone.deploy_with_key("one").await?;
    zone.start(3).await?;
    zone.wait_status("/one", Some("secret-one"), 200).await?;
    let primary = zone.wait_primary(None).await?;
    zone.store_proxy.refuse();
    zone.management.deploy_api(&zone.keyless("two")).await?;
    zone.wait_status_of(primary, "/two", None, 200).await?;
    for index in 0..3 {
        assert_eq!(zone.status(index, "/one", Some("secret-one")).await, Some(200));
    }
    zone.store_proxy.restore();
    zone.wait_status("/two", None, 200).await?;
    zone.wait_primary(None).await?;
    Ok(())
}

#[tokio::test]
async fn z6_an_emptied_store_is_filled_again_and_nobody_drops_anything() -> Result<(), Failure> {
    let mut zone = Zone::on_sqlite("emptied").await?;
    zone.deploy_with_key("one").await?;
    zone.start(2).await?;
    zone.wait_status("/one", Some("secret-one"), 200).await?;
    zone.redis.cli(&["FLUSHALL"])?;
    let since = start_watch();
    loop {
        for index in 0..2 {
            assert_eq!(zone.status(index, "/one", Some("secret-one")).await, Some(200));
        }
        let row = zone.redis.cli(&["HGET", "distributed_event:emptied:API:one", "syncAction"])?;
        if row.text().as_deref() == Some("DEPLOY") {
            break;
        }
        give_up(since, || "the store was not filled again".to_owned())?;
        pause().await;
    }
    // A gateway that starts now finds a whole state, and changes reach everybody.
    zone.start_gateway()?;
    zone.wait_ready().await?;
    zone.wait_status("/one", Some("secret-one"), 200).await?;
    zone.management.deploy_api(&zone.keyless("two")).await?;
    zone.wait_status("/two", None, 200).await
}

#[tokio::test]
async fn z7_a_row_that_was_deleted_by_hand_comes_back_when_a_gateway_needs_it() -> Result<(), Failure> {
    let mut zone = Zone::on_sqlite("by-hand").await?;
    zone.deploy_with_key("one").await?;
    zone.deploy_with_key("two").await?;
    zone.start(1).await?;
    zone.wait_status("/two", Some("secret-two"), 200).await?;
    zone.redis.cli(&["DEL", "distributed_event:by-hand:API:two"])?;
    zone.start_gateway()?;
    zone.wait_ready().await?;
    zone.wait_status("/two", Some("secret-two"), 200).await
}

#[tokio::test]
async fn z8_zones_whose_names_differ_in_case_or_hold_odd_characters_do_not_see_each_other()
-> Result<(), Failure> {
    let mut zone = Zone::on_sqlite("Zone").await?;
    zone.management.deploy_api(&zone.keyless("one")).await?;
    zone.start(2).await?;
    zone.wait_status("/one", None, 200).await?;
    for name in ["zone", "zone,other", "a:b", "*", "zone?[x]"] {
        zone.name = name.to_owned();
        // Another zone on the same Redis, that never leads: it must find nothing of its neighbours.
        let options = zone.options().set("distributed-sync.role", "secondary");
        let mut stranger = zonegate_testkit::gateway::Gateway::start(options)?;
        assert!(
            stranger.wait_ready(std::time::Duration::from_millis(1500)).await.is_err(),
            "zone {name} saw another"
        );
        assert_eq!(stranger.get("/one", &[]).await?.status.as_u16(), 404);
    }
    Ok(())
}
