//! What becomes of a session, and of a failure.

use zonegate_repository::{Bulk, Settings, SettingsError};
use zonegate_sync::port::{ChangeSink, RepositoryFailure, RepositoryReader, StampedChange, Stopped, Watched};

use crate::memory::{Memory, Read};

fn memory() -> Memory {
    let memory = Memory::new();
    memory.with(|content| {
        content.deploy("api", &["p"]);
        content.subscribe("s", "api", "p", "STANDARD");
    });
    memory
}

struct Stopping;

impl ChangeSink for Stopping {
    async fn push(&mut self, _: Vec<StampedChange>) -> Result<(), Stopped> {
        Err(Stopped)
    }
}

#[tokio::test]
async fn a_session_is_kept_after_a_read_that_ended_well_and_after_no_other() {
    let memory = memory();
    let repository = memory.repository(Settings::default());
    repository.read_all(&mut Read::default()).await.unwrap();
    assert_eq!(memory.content.lock().unwrap().kept, 1);
    repository.read_all(&mut Stopping).await.unwrap();
    for failing in ["open", "places", "event_page", "events", "subscriptions_of_plans", "keys_of"] {
        memory.with(|content| content.failing = Some(failing));
        let error = repository.read_all(&mut Read::default()).await.unwrap_err();
        assert_eq!(error.failure, RepositoryFailure::Unreachable);
        assert_eq!(error.message, format!("{failing} fails"));
    }
    let content = memory.content.lock().unwrap();
    assert_eq!((content.kept, content.failures), (1, 6));
}

#[tokio::test]
async fn a_database_that_cannot_tell_of_changes_says_so() {
    assert_eq!(memory().repository(Settings::default()).watch().await, Ok(Watched::Unsupported));
}

#[test]
fn settings_that_cannot_be_used_are_refused_at_once() {
    let bulk = Bulk { key_subscriptions: 0, ..Bulk::default() };
    let refused =
        zonegate_repository::Repository::new(Memory::new(), Settings { bulk, ..Settings::default() });
    assert_eq!(refused.unwrap_err(), SettingsError::Zero("services.sync.apikey.subscriptions_chunk_size"));
    let short = Settings { encryption_secret: "short".into(), ..Settings::default() };
    let refused = zonegate_repository::Repository::new(Memory::new(), short).unwrap_err();
    assert!(!refused.to_string().contains("short\""), "L3: {refused}");
}
