//! P2: a cold secondary reads a full state, proves it, parses it and serves it, against a client that only reads.

use std::collections::BTreeMap;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use zonegate_model::Row as StateRow;
use zonegate_sync::port::{ReadMethod, RowSink, Stopped, ZoneStore};

use super::super::line::Line;
use super::cpu::CpuTime;
use super::failure::MeasureError;
use super::full_state::{FullState, Size, store_key};
use super::minimal_client::{MinimalClient, Requests};
use super::publisher::{self, Publisher};
use super::secondary::{Commit, Secondary, Serve};
use super::spread::Spread;
use super::{Outcome, Quickness, Row, redis, runtime, tell};
use crate::stopwatch::Stopwatch;

/// What the threads of Tokio's runtime are called.
const RUNTIME: &str = "tokio-rt-worker";
/// The longest that a read may take.
const PATIENCE: Duration = Duration::from_mins(5);

/// Takes rows and does nothing with them.
#[derive(Debug, Default)]
struct Counting(usize);

impl RowSink for Counting {
    async fn push(&mut self, rows: Vec<StateRow>) -> Result<(), Stopped> {
        self.0 += rows.len();
        Ok(())
    }
}

/// Measures the row.
pub(super) fn measure(quickness: Quickness) -> Result<Outcome, MeasureError> {
    let rounds = if quickness == Quickness::Quick { 2 } else { 5 };
    let size = Size::of(quickness);
    let state = FullState::new(size);
    let (redis, runtime) = (redis()?, runtime()?);
    tell("filling the store");
    let mut publisher = runtime.block_on(Publisher::elect(&redis))?;
    runtime.block_on(publisher.fill(state.rows.iter().cloned()))?;
    let keys: Vec<String> = state.rows.iter().map(|row| store_key(&row.key)).collect();
    let (count, description) = (state.rows.len(), state.describe());
    // What was written must not lie in memory twice while it is read.
    drop(state);
    let requests = Requests::new(&keys);

    let rate = |time: Duration| count as f64 / time.as_secs_f64();
    let cost = |time: Duration| time.as_secs_f64() * 1e6 / count as f64;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let (mut by_index, mut by_key) = (Vec::new(), Vec::new());
    let (mut own_cpu, mut runtime_cpu) = (Vec::new(), Vec::new());
    let (mut redis_cpu, mut floor_cpu) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        tell(&format!("round {round} of {rounds}: minimal client"));
        let mut client = MinimalClient::open(redis.address())?;
        let before = CpuTime::of(redis.process_id())?;
        let watch = Stopwatch::start();
        client.read(&requests)?;
        theirs.push(rate(watch.elapsed()));
        floor_cpu.push(cost(CpuTime::of(redis.process_id())?.since(before).total()));

        tell(&format!("round {round} of {rounds}: secondary"));
        let (commits_in, commits) = sync_channel(16);
        let before = (CpuTime::own()?, CpuTime::of(redis.process_id())?);
        let runtime_before = CpuTime::own_threads(RUNTIME)?;
        let watch = Stopwatch::start();
        let guard = runtime.enter();
        let secondary = Secondary::start(0, &redis, watch, Serve::Everything, move |commit| {
            let _ = commits_in.send(commit);
        })?;
        drop(guard);
        let commit: Commit = commits
            .recv_timeout(PATIENCE)
            .map_err(|_| MeasureError::Unexpected(format!("nothing was served within {PATIENCE:?}")))?;
        ours.push(rate(commit.at));
        own_cpu.push(cost(CpuTime::own()?.since(before.0).total()));
        redis_cpu.push(cost(CpuTime::of(redis.process_id())?.since(before.1).total()));
        // What the runtime's threads did not, the builder did, and threads that helped it and are gone.
        runtime_cpu.push(cost(CpuTime::own_threads(RUNTIME)?.since(runtime_before).total()));
        if commit.added != size.apis || commit.refused > 0 {
            return Err(MeasureError::Unexpected(format!(
                "of {} APIs {} are served and {} refused",
                size.apis, commit.added, commit.refused
            )));
        }
        drop(secondary);

        tell(&format!("round {round} of {rounds}: the same read, with nothing behind it"));
        for (method, rates) in [(ReadMethod::Index, &mut by_index), (ReadMethod::Scan, &mut by_key)] {
            let store = publisher::store(&redis);
            let mut sink = Counting::default();
            let watch = Stopwatch::start();
            runtime.block_on(store.read(method, &mut sink))?;
            rates.push(rate(watch.elapsed()));
        }
    }
    let [ours, theirs, by_index, by_key] = [ours, theirs, by_index, by_key].map(Spread::new);
    let ratio = ours.median() / theirs.median();
    let mut outcome = Outcome::new(Row::P2);
    outcome.lines.push(Line {
        work: "a cold secondary reads all of it, parses it, and serves it".to_owned(),
        measured: format!("{:.0} rows/s", ours.median()),
        reference: format!("{:.0} rows/s", theirs.median()),
        ratio: format!("{ratio:.2} ×"),
        goal: "≥ 0.9 ×".to_owned(),
        met: Some(ratio >= 0.9),
        figures: BTreeMap::from([
            ("rows_per_second".to_owned(), ours.median()),
            ("rows_per_second_least".to_owned(), ours.least()),
            ("rows_per_second_most".to_owned(), ours.worst()),
            ("reference_rows_per_second".to_owned(), theirs.median()),
            ("index_read_only_rows_per_second".to_owned(), by_index.median()),
            ("key_read_only_rows_per_second".to_owned(), by_key.median()),
            ("ratio".to_owned(), ratio),
        ]),
    });
    outcome.taken = vec![
        format!("{description}; median of {rounds} rounds, the two alternating"),
        "measured: from the start of the secondary's sync core (connecting included) to its first commit: read by the \
         list of keys, proven by counts and digests, compiled and published; core, store adapter, builder and compiler are \
         the gateway's own, the driver between them is the benchmark's"
            .to_owned(),
        "reference: one connection, `HMGET` of the same six fields of the same keys, known and encoded beforehand, 1,000 \
         in a part, one part asked for ahead, answers skipped and not looked at"
            .to_owned(),
        format!(
            "spread: measured {:.0} to {:.0}, reference {:.0} to {:.0} rows/s",
            ours.least(),
            ours.worst(),
            theirs.least(),
            theirs.worst()
        ),
    ];
    outcome.costs = vec![
        format!(
            "RedisStore alone, rows decoded and dropped: by the list {:.0} rows/s ({:.2} × the reference), key by key \
             {:.0} rows/s ({:.2} ×)",
            by_index.median(),
            by_index.median() / theirs.median(),
            by_key.median(),
            by_key.median() / theirs.median()
        ),
        format!(
            "processor time per row: Redis {:.1} µs (for the reference {:.1} µs); our side {:.1} µs, of which {:.1} µs to \
             receive, decode and count rows, the rest to parse, compile and publish them",
            Spread::new(redis_cpu).median(),
            Spread::new(floor_cpu).median(),
            Spread::new(own_cpu).median(),
            Spread::new(runtime_cpu).median()
        ),
    ];
    Ok(outcome)
}
