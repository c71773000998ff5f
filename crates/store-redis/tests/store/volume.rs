//! Many rows, and writers that go on while they are read (`cursor-truncation.md`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use zonegate_model::Row;
use zonegate_sync::port::{ReadMethod, RowSink, Stopped, ZoneStore};

use super::support::*;

/// Takes its time, so that the writer gets many batches in between two parts of a read.
#[derive(Default)]
struct Slow(Collect);

impl RowSink for Slow {
    async fn push(&mut self, rows: Vec<Row>) -> Result<(), Stopped> {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        self.0.push(rows).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z6_a_writer_that_goes_on_during_a_read_makes_it_lose_nothing() {
    const ROWS: usize = 20_000;
    for (which, redis) in both() {
        let (writer, reader) = (store(&redis, "z"), store(&redis, "z"));
        let mut primary = Primary::new(&writer, "n").await;
        let all: Vec<Row> = (0..ROWS).map(|id| key(&format!("api-{}", id / 10), &id.to_string())).collect();
        for part in all.chunks(512) {
            let batch = zonegate_sync::port::Batch { log_rows: false, ..primary.batch(part.to_vec(), false) };
            writer.write(batch.clone()).await.unwrap();
            primary.manifest = Some(batch.manifest);
        }
        if which == "with RediSearch" {
            indexed(&redis).await;
        }
        for method in [ReadMethod::Index, ReadMethod::Scan] {
            let stop = Arc::new(AtomicBool::new(false));
            let writing = {
                let (stop, again) = (Arc::clone(&stop), store(&redis, "z"));
                let mut writing = Primary { store: &writer, rows: [].into(), ..clone_of(&primary) };
                let rows = all.clone();
                async move {
                    drop(again);
                    let (mut written, mut place) = (0, 0);
                    while !stop.load(Ordering::Relaxed) {
                        // Each update gives rows new times, and new rows split the index' ranges further.
                        writing.write(rows[place..place + 100].to_vec()).await;
                        writing.rows.clear();
                        (written, place) = (written + 1, (place + 100) % (ROWS - 100));
                    }
                    (written, writing.manifest)
                }
            };
            let reading = async {
                let mut sink = Slow::default();
                reader.read(method, &mut sink).await.unwrap();
                stop.store(true, Ordering::Relaxed);
                sink.0
            };
            let ((written, manifest), collected) = tokio::join!(writing, reading);
            assert!(written > 20, "{which}, {method:?}: only {written} batches during the read");
            assert_eq!(collected.rows.len(), ROWS, "{which}, {method:?}, {written} batches during the read");
            primary.manifest = manifest;
        }
    }
}

fn clone_of<'a>(primary: &Primary<'a>) -> Primary<'a> {
    Primary {
        store: primary.store,
        node: primary.node.clone(),
        grant: primary.grant,
        manifest: primary.manifest.clone(),
        rows: primary.rows.clone(),
    }
}
