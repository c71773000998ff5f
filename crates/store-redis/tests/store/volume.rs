//! Many rows, and a writer that goes on while they are read (`cursor-truncation.md`).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use zonegate_model::Row;
use zonegate_sync::port::{Batch, RowSink, Stopped, ZoneStore};

use super::support::*;

/// Batches that the writer commits between two parts of a read; 100 rows each.
const BETWEEN_PARTS: u64 = 4;

/// Takes the next part only after the writer went on.
struct Slow<'a> {
    collected: Collect,
    written: &'a AtomicU64,
}

impl RowSink for Slow<'_> {
    async fn push(&mut self, rows: Vec<Row>) -> Result<(), Stopped> {
        let enough = self.written.load(Ordering::Relaxed) + BETWEEN_PARTS;
        while self.written.load(Ordering::Relaxed) < enough {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        self.collected.push(rows).await
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
            let batch: Batch = primary.batch(part.to_vec(), false);
            writer.write(batch.clone()).await.unwrap();
            primary.manifest = Some(batch.manifest);
        }
        if which != "plain" {
            indexed(&redis).await;
        }
        for way in WAYS {
            let method = way.on(&redis);
            let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
            let writing = async {
                let mut place = 0;
                while !stop.load(Ordering::Relaxed) {
                    // New times split the ranges of a numeric index.
                    primary.write(all[place..place + 100].to_vec()).await;
                    primary.rows.clear();
                    place = (place + 100) % (ROWS - 100);
                    written.fetch_add(1, Ordering::Relaxed);
                }
            };
            let reading = async {
                let mut sink = Slow { collected: Collect::default(), written: &written };
                reader.read(method, &mut sink).await.unwrap();
                stop.store(true, Ordering::Relaxed);
                sink.collected
            };
            let ((), collected) = tokio::join!(writing, reading);
            assert!(collected.deliveries >= 10, "{which}, {way:?}: too few parts to be disturbed");
            assert_eq!(collected.rows.len(), ROWS, "{which}, {way:?}");
        }
    }
}
