//! The primary goes: Z1, Z3, Z4, S5.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use zonegate_testkit::http_client;
use zonegate_tests::{Failure, PATIENCE, Zone};

#[tokio::test]
async fn z3_z4_when_the_primary_is_killed_another_takes_over_and_no_request_fails() -> Result<(), Failure> {
    let mut zone = Zone::on_sqlite("killed").await?;
    zone.management.deploy_api(&zone.keyless("one")).await?;
    zone.deploy_with_key("two").await?;
    zone.start(3).await?;
    zone.wait_status("/one", None, 200).await?;
    let primary = zone.wait_primary(None).await?;

    let (stop, failed, served) =
        (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut traffic = Vec::new();
    for (index, gateway) in zone.gateways.iter().enumerate() {
        if index == primary {
            continue;
        }
        let (address, stop) = (gateway.address(), Arc::clone(&stop));
        let (failed, served) = (Arc::clone(&failed), Arc::clone(&served));
        traffic.push(tokio::spawn(async move {
            while !stop.load(Ordering::Acquire) {
                let good =
                    http_client::get(address, "/one", &[]).await.is_ok_and(|answer| answer.status == 200);
                if good { &served } else { &failed }.fetch_add(1, Ordering::AcqRel);
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }));
    }

    zone.gateways[primary].kill()?;
    // A change that is made while nobody is primary.
    zone.management.revoke_key("key-two").await?;
    let next = zone.wait_primary(Some(primary)).await?;
    for index in (0..3).filter(|index| *index != primary) {
        zone.wait_status_of(index, "/two", Some("secret-two"), 401).await?;
    }
    assert_ne!(next, primary);
    stop.store(true, Ordering::Release);
    for task in traffic {
        task.await?;
    }
    assert_eq!(failed.load(Ordering::Acquire), 0, "no request fails because the primary changed");
    assert!(served.load(Ordering::Acquire) > 0);
    Ok(())
}

#[tokio::test]
async fn z1_a_primary_that_hangs_is_replaced_and_cannot_write_when_it_wakes() -> Result<(), Failure> {
    let mut zone = Zone::on_sqlite("hangs").await?;
    zone.management.deploy_api(&zone.keyless("one")).await?;
    zone.start(2).await?;
    let primary = zone.wait_primary(None).await?;
    let other = 1 - primary;
    zone.gateways[primary].pause()?;
    let since = zonegate_tests::start_watch();
    loop {
        if zone.sync(other).await?["zone"]["role"] == "primary" {
            break;
        }
        zonegate_tests::give_up(since, || "nobody took over".to_owned())?;
        zonegate_tests::pause().await;
    }
    zone.management.deploy_api(&zone.keyless("two")).await?;
    zone.wait_status_of(other, "/two", None, 200).await?;
    zone.gateways[primary].resume()?;
    zone.wait_status("/two", None, 200).await?;
    assert_eq!(zone.wait_primary(None).await?, other, "the one that hung follows");
    Ok(())
}

#[tokio::test]
async fn z3_a_primary_that_stops_in_good_order_hands_over() -> Result<(), Failure> {
    let mut zone = Zone::on_sqlite("handover").await?;
    zone.management.deploy_api(&zone.keyless("one")).await?;
    zone.start(2).await?;
    let primary = zone.wait_primary(None).await?;
    let status = zone.gateways[primary].terminate(PATIENCE)?;
    assert!(status.success(), "SIGTERM ends it in good order: {status:?}");
    let next = zone.wait_primary(Some(primary)).await?;
    let log = zone.gateways[primary].log_text();
    assert!(log.contains("the lease was handed back"), "{log}");
    zone.management.deploy_api(&zone.keyless("two")).await?;
    zone.wait_status_of(next, "/two", None, 200).await
}

#[tokio::test]
async fn s5_what_was_removed_while_the_whole_zone_was_down_is_not_served_again() -> Result<(), Failure> {
    let mut zone = Zone::on_sqlite("all-down").await?;
    for id in ["stays", "stops", "revoked"] {
        zone.deploy_with_key(id).await?;
    }
    zone.start(2).await?;
    zone.wait_status("/stops", Some("secret-stops"), 200).await?;
    for gateway in &mut zone.gateways {
        gateway.kill()?;
    }
    zone.management.stop_api("stops").await?;
    zone.management.revoke_key("key-revoked").await?;
    for gateway in &mut zone.gateways {
        gateway.start_again()?;
    }
    zone.wait_ready().await?;
    zone.wait_status("/stops", Some("secret-stops"), 404).await?;
    zone.wait_status("/revoked", Some("secret-revoked"), 401).await?;
    zone.wait_status("/stays", Some("secret-stays"), 200).await
}
