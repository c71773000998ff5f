//! S2 where a database has no snapshots.

use zonegate_payload::record::{EventText, EventType};
use zonegate_repository::Settings;
use zonegate_sync::port::{RepositoryReader, Window};

use crate::memory::{Memory, Read};

const NEW: [&str; 3] = ["API api", "SUBSCRIPTION s-new", "API_KEY s-new"];

/// An API with a plan, and the plan of its next version; each has a subscription.
fn memory() -> Memory {
    let memory = Memory::new();
    memory.with(|content| {
        content.deploy("api", &["old"]);
        content.deploy("other", &["o"]);
        content.subscribe("s-old", "api", "old", "STANDARD");
        content.subscribe("s-new", "api", "new", "STANDARD");
    });
    memory
}

async fn read_all(memory: &Memory) -> Read {
    let mut read = Read::default();
    memory.repository(Settings::default()).read_all(&mut read).await.unwrap();
    read
}

#[tokio::test]
async fn s2_an_api_that_is_deployed_while_its_subscriptions_are_read_is_read_again() {
    for moment in ["subscriptions_of_plans", "keys_of"] {
        let memory = memory();
        let mut happened = false;
        memory.happens(move |content, query| {
            if query == moment && !std::mem::replace(&mut happened, true) {
                content.deploy("api", &["new"]);
            }
        });
        let read = read_all(&memory).await;
        assert_eq!(read.unit("api").unwrap(), NEW, "{moment}");
        assert_eq!(read.unit("other").unwrap(), ["API other"]);
        let told = read.0.iter().filter(|change| &*change.stamp.record == "event/api").count();
        assert_eq!(told, 1, "what did not fit together was never told");
    }
}

#[tokio::test]
async fn s2_an_api_that_is_undeployed_while_it_is_read_is_gone() {
    let memory = memory();
    let mut happened = false;
    memory.happens(move |content, query| {
        if query == "keys_of" && !std::mem::replace(&mut happened, true) {
            content.event("api", EventType::UnpublishApi, EventText::Absent);
        }
    });
    let repository = memory.repository(Settings::default());
    let mut read = Read::default();
    let window = Window { from: 0, to: i64::MAX, seen: std::sync::Arc::default() };
    repository.read_changes(window, &mut read).await.unwrap();
    assert_eq!(read.unit("api").unwrap(), [""; 0]);
    assert!(read.unit("other").is_some());
}

#[tokio::test]
async fn an_api_that_never_stands_still_is_told_all_the_same() {
    let memory = memory();
    memory.happens(|content, query| {
        if query == "keys_of" {
            content.deploy("api", &["old"]);
        }
    });
    let mut read = Read::default();
    let repository = memory.repository(Settings::default());
    repository.read_all(&mut read).await.unwrap();
    assert!(memory.count("keys_of") < 20, "it ends");
    assert!(read.unit("api").is_some());
    // And the next window sees it once more.
    memory.happens(|_, _| ());
    let last = read
        .0
        .iter()
        .filter(|change| &*change.stamp.record == "event/api")
        .map(|change| change.stamp.at)
        .max();
    let seen = [("event/api".into(), last.unwrap())].into_iter().collect();
    let mut read = Read::default();
    let window = Window { from: 0, to: i64::MAX, seen: std::sync::Arc::new(seen) };
    repository.read_changes(window, &mut read).await.unwrap();
    assert!(read.unit("api").is_some(), "the version that was told was not the last");
}

#[tokio::test]
async fn a_snapshot_needs_no_second_look() {
    let memory = memory();
    read_all(&memory).await;
    assert_eq!(memory.count("event_heads"), 1);
    memory.with(|content| content.snapshots = true);
    read_all(&memory).await;
    assert_eq!(memory.count("event_heads"), 1);
}
