//! Random histories on each engine.

use crate::random::windows_add_up;
use crate::world::World;

#[tokio::test]
async fn s4_windows_add_up_to_a_fresh_read_on_sqlite() {
    for seed in 0..12 {
        let world = World::sqlite(&format!("random-{seed}")).await;
        windows_add_up(world, seed, 60).await;
    }
}

#[tokio::test]
async fn s4_windows_add_up_to_a_fresh_read_on_postgresql() {
    for seed in 100..104 {
        let world = World::postgres(&format!("random_{seed}")).await;
        windows_add_up(world, seed, 60).await;
    }
}

#[tokio::test]
async fn s4_windows_add_up_to_a_fresh_read_on_mariadb() {
    for seed in 200..204 {
        let world = World::mariadb(&format!("random_{seed}")).await;
        windows_add_up(world, seed, 60).await;
    }
}
