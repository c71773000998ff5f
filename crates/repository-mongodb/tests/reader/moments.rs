//! Units that change while they are read (S2), on a server that has no snapshots.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use zonegate_management_writer::{ApiSpec, PlanSpec, SubscriptionSpec, SubscriptionStatus};
use zonegate_sync::port::Change;

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
    let world = World::standalone("moments").await;
    move_to_plan(&world, 0).await;
    let reader = world.reader();
    let mut random = StdRng::seed_from_u64(7);
    let mut took = Duration::from_millis(100);
    for version in 1..=60 {
        let delay = took.mul_f64(random.random_range(0.0..1.0));
        let begin = tokio::time::Instant::now();
        let reading = async {
            let read = read_all(&reader).await;
            (read, begin.elapsed())
        };
        let moving = async {
            tokio::time::sleep(delay).await;
            move_to_plan(&world, version).await;
        };
        let ((read, lasted), ()) = tokio::join!(reading, moving);
        took = lasted;
        let scope = read.changes.iter().find_map(|change| match &change.change {
            Change::Scope { rows, .. } => Some(rows.clone()),
            _ => None,
        });
        let rows = scope.unwrap().iter().map(|row| row.key.to_string()).collect::<Vec<_>>();
        let (before, after) = (format!("s-{}", version - 1), format!("s-{version}"));
        assert!(
            rows.len() == 2 && rows.iter().any(|row| row.contains(&before) || row.contains(&after)),
            "neither what was nor what is: {rows:?}"
        );
    }
}
