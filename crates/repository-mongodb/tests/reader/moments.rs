//! Units that change while they are read (S2), on a server that has no snapshots.

use std::sync::Arc;
use std::time::Duration;

use mongodb::bson::doc;
use zonegate_management_writer::{ApiSpec, PlanSpec, SubscriptionSpec, SubscriptionStatus};
use zonegate_sync::port::Change;
use zonegate_testkit::mongodb::{MongoOptions, MongoServer};

use crate::world::{World, read_all};

/// Moves an API and its only subscription to another plan, so that at each moment there is one for the plan that is
/// deployed: the new one comes before the deployment, the old one goes after it.
async fn move_to_plan(world: &World, version: usize) {
    let (api, plan) = ("api", format!("plan-{version}"));
    let writer = &world.writer;
    writer.create_subscription(&SubscriptionSpec::new(format!("s-{version}"), api, &plan)).await.unwrap();
    let spec = ApiSpec::v4(api, "/api", "http://127.0.0.1:1").plan(PlanSpec::api_key(plan));
    writer.deploy_api(&spec).await.unwrap();
    if version > 0 {
        writer.set_status(&format!("s-{}", version - 1), SubscriptionStatus::Closed).await.unwrap();
    }
}

#[tokio::test]
async fn s2_a_unit_that_changes_while_it_is_read_is_read_again() {
    let options = MongoOptions { standalone: true, fail_points: true, ..MongoOptions::default() };
    let world = World::on(Arc::new(MongoServer::start(options).unwrap()), "apim").await;
    world.writer.create_schema().await.unwrap();
    move_to_plan(&world, 0).await;
    let reader = world.reader();
    read_all(&reader).await;
    // One query of the read after the other is held up, and meanwhile all changes. A read has fewer than these.
    for held in 0..25_i32 {
        let version = usize::try_from(held).unwrap() + 1;
        let held = doc! { "configureFailPoint": "failCommand", "mode": { "skip": held, "times": 1 },
        "data": { "failCommands": ["find"], "appName": "gravitee.io", "blockConnection": true, "blockTimeMS": 500 } };
        let admin = world.writer.mongodb().unwrap().client().database("admin");
        admin.run_command(held).await.unwrap();
        let moving = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            move_to_plan(&world, version).await;
        };
        let (read, ()) = tokio::join!(read_all(&reader), moving);
        let off = doc! { "configureFailPoint": "failCommand", "mode": "off" };
        admin.run_command(off).await.unwrap();
        let scope = read.changes.iter().find_map(|change| match &change.change {
            Change::Scope { rows, .. } => Some(rows.clone()),
            _ => None,
        });
        let rows = scope.unwrap().iter().map(|row| row.key.to_string()).collect::<Vec<_>>();
        let (before, after) = (format!("s-{} of", version - 1), format!("s-{version} of"));
        assert!(
            rows.len() == 2 && rows.iter().any(|row| row.contains(&before) || row.contains(&after)),
            "neither what was nor what is: {rows:?}"
        );
    }
}
