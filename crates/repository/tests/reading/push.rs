//! Push subscriptions are carried, and reported once.

use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing::subscriber::DefaultGuard;
use zonegate_repository::Settings;
use zonegate_sync::port::RepositoryReader;

use crate::memory::{Memory, Read};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn start() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing::Level::WARN)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().unwrap();
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn push_subscriptions_are_carried_and_reported_once_with_their_number() {
    let (log, _guard) = Log::start();
    let memory = Memory::new();
    memory.with(|content| {
        content.deploy("api", &["p"]);
        content.subscribe("standard", "api", "p", "STANDARD");
    });
    let repository = memory.repository(Settings::default());
    repository.read_all(&mut Read::default()).await.unwrap();
    assert_eq!(log.lines(), [""; 0]);
    memory.with(|content| {
        for id in ["push-1", "push-2", "push-3"] {
            content.subscribe(id, "api", "p", "PUSH");
        }
        content.subscribe("push-elsewhere", "api", "not-served", "PUSH");
    });
    for _ in 0..3 {
        let mut read = Read::default();
        repository.read_all(&mut read).await.unwrap();
        assert!(read.unit("api").unwrap().contains(&"SUBSCRIPTION push-2".to_owned()));
    }
    let lines = log.lines();
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert!(line.contains("push subscriptions") && line.contains("subscriptions=3"), "{line}");
}
