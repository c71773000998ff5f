//! Random histories. A few: the server is slow.

use crate::random::windows_add_up;
use crate::world::World;

#[tokio::test]
async fn s4_windows_add_up_to_a_fresh_read_on_a_replica_set() {
    windows_add_up(World::replica_set("random_replica_set").await, 300, 40).await;
}

#[tokio::test]
async fn s4_windows_add_up_to_a_fresh_read_on_a_standalone_server() {
    windows_add_up(World::standalone("random_standalone").await, 301, 40).await;
}
