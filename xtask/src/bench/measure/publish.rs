//! P1: the primary publishes a full state into the indexed, fenced store, against `redis-benchmark`.

use std::collections::BTreeMap;
use std::time::Duration;

use zonegate_testkit::install;
use zonegate_testkit::redis::Redis;

use super::super::line::Line;
use super::cpu::CpuTime;
use super::failure::MeasureError;
use super::full_state::{FullState, Kindred, Size};
use super::publisher::{Publisher, ZONE};
use super::spread::Spread;
use super::{Outcome, Quickness, Row, redis, runtime, tell};
use crate::stopwatch::Stopwatch;

/// Commands in one write of `redis-benchmark`: as many as rows in a batch of ours.
const PIPELINE: &str = "512";
/// The index that APIM's gateways read by, as we create it.
const INDEX: [&str; 16] = [
    "FT.CREATE",
    "distributed-event-search-idx-v2",
    "ON",
    "HASH",
    "PREFIX",
    "1",
    "distributed_event:",
    "SCHEMA",
    "clusterId",
    "TAG",
    "type",
    "TAG",
    "syncAction",
    "TAG",
    "updatedAt",
    "NUMERIC",
];
/// As many numbers as `redis-benchmark` can put into a key (a C `int`), so that hardly two are equal.
const KEY_SPACE: &str = "2000000000";
/// What it replaces by one of them, twelve digits long.
const PLACE: &str = "__rand_int__";

/// Measures the row.
pub(super) fn measure(quickness: Quickness) -> Result<Outcome, MeasureError> {
    let rounds = if quickness == Quickness::Quick { 2 } else { 5 };
    let state = FullState::new(Size::of(quickness));
    let kindred = state.kindred();
    let (redis, runtime) = (redis()?, runtime()?);
    let count = state.rows.len() as f64;
    let (mut ours, mut theirs, mut batches) = (Vec::new(), Vec::new(), 0);
    let (mut own_cpu, mut redis_cpu, mut benchmark_redis_cpu) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        tell(&format!("round {round} of {rounds}: redis-benchmark"));
        redis.cli(&["FLUSHALL", "SYNC"])?;
        redis.cli(&[INDEX.as_slice(), &["SORTABLE"]].concat())?;
        let before = CpuTime::of(redis.process_id())?;
        let mut time = Duration::ZERO;
        for kind in kindred {
            time += benchmark(&redis, kind)?;
        }
        theirs.push(count / time.as_secs_f64());
        benchmark_redis_cpu.push(micros_each(CpuTime::of(redis.process_id())?.since(before), count));
        let there = redis.cli(&["DBSIZE"])?.integer().unwrap_or_default();
        if (there as f64) < 0.99 * count {
            return Err(MeasureError::Unexpected(format!(
                "redis-benchmark was to write {count} rows, and {there} are there"
            )));
        }

        tell(&format!("round {round} of {rounds}: RedisStore"));
        redis.cli(&["FLUSHALL", "SYNC"])?;
        let mut publisher = runtime.block_on(Publisher::elect(&redis))?;
        let before = (CpuTime::own()?, CpuTime::of(redis.process_id())?);
        let watch = Stopwatch::start();
        batches = runtime.block_on(publisher.fill(state.rows.iter().cloned()))?;
        ours.push(count / watch.elapsed().as_secs_f64());
        own_cpu.push(micros_each(CpuTime::own()?.since(before.0), count));
        redis_cpu.push(micros_each(CpuTime::of(redis.process_id())?.since(before.1), count));
        let rows = format!("distributed_event:{ZONE}:*");
        let indexed = redis.cli(&["FT.SEARCH", INDEX[1], "*", "LIMIT", "0", "0"])?;
        let indexed = indexed.items().first().and_then(zonegate_testkit::redis::Value::integer);
        if indexed != Some(state.rows.len() as i64) {
            return Err(MeasureError::Unexpected(format!(
                "{} rows were written to {rows}, and the index has {indexed:?}",
                state.rows.len()
            )));
        }
    }
    let (ours, theirs) = (Spread::new(ours), Spread::new(theirs));
    let ratio = ours.median() / theirs.median();
    let mut outcome = Outcome::new(Row::P1);
    outcome.lines.push(Line {
        work: "publish a full state into the indexed, fenced store".to_owned(),
        measured: format!("{:.0} rows/s", ours.median()),
        reference: format!("{:.0} rows/s", theirs.median()),
        ratio: format!("{ratio:.2} ×"),
        goal: "≥ 0.8 ×".to_owned(),
        met: Some(ratio >= 0.8),
        figures: BTreeMap::from([
            ("rows_per_second".to_owned(), ours.median()),
            ("rows_per_second_least".to_owned(), ours.least()),
            ("rows_per_second_most".to_owned(), ours.worst()),
            ("reference_rows_per_second".to_owned(), theirs.median()),
            ("ratio".to_owned(), ratio),
        ]),
    });
    let [apis, credentials] = kindred;
    outcome.taken = vec![
        format!(
            "{}; median of {rounds} rounds, the two alternating, the store emptied before each",
            state.describe()
        ),
        format!(
            "measured: `ZoneStore::write` of RedisStore, {batches} batches of at most 512 rows and 512 KiB one after \
             the other, digests included, index created by the first"
        ),
        format!(
            "reference: `redis-benchmark -c 1 -P {PIPELINE} -n N -r {KEY_SPACE} HSET <key of K B> clusterId {ZONE} id … \
             payload <P B> type … syncAction DEPLOY updatedAt …`, index created before; N/K/P {}/{}/{} and {}/{}/{}",
            apis.count, apis.key, apis.text, credentials.count, credentials.key, credentials.text
        ),
        format!(
            "spread: measured {:.0} to {:.0}, reference {:.0} to {:.0} rows/s",
            ours.least(),
            ours.worst(),
            theirs.least(),
            theirs.worst()
        ),
    ];
    outcome.costs = vec![format!(
        "processor time per row: Redis {:.1} µs (under redis-benchmark {:.1} µs), our side {:.1} µs",
        Spread::new(redis_cpu).median(),
        Spread::new(benchmark_redis_cpu).median(),
        Spread::new(own_cpu).median()
    )];
    Ok(outcome)
}

/// Processor time for each of `count` in microseconds.
fn micros_each(time: CpuTime, count: f64) -> f64 {
    time.total().as_secs_f64() * 1e6 / count
}

/// Lets `redis-benchmark` write as many rows of the same size, and answers how long that took.
fn benchmark(redis: &Redis, rows: Kindred) -> Result<Duration, MeasureError> {
    let kit = install::redis_stack(&tell)?;
    let program = kit.server.path.with_file_name("redis-benchmark");
    let start = format!("distributed_event:{ZONE}:API:");
    let filling = "k".repeat(rows.key.saturating_sub(start.len() + PLACE.len()));
    let (key, payload) = (format!("{start}{filling}{PLACE}"), "p".repeat(rows.text));
    let (port, count) = (redis.port().to_string(), rows.count.to_string());
    let options = ["-p", &port, "-c", "1", "-P", PIPELINE, "-n", &count, "-r", KEY_SPACE, "--csv"];
    let fields = [
        "clusterId",
        ZONE,
        "id",
        "00000000-a419-4bd9-af50-0123456789ab",
        "payload",
        &payload,
        "type",
        "SUBSCRIPTION",
        "syncAction",
        "DEPLOY",
        "updatedAt",
        "1795511265386",
    ];
    let mut command = std::process::Command::new(&program);
    command.envs(kit.server.env()).args(options).arg("HSET").arg(key).args(fields);
    let output = command.output().map_err(MeasureError::system(&format!("run {}", program.display())))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let rate = text.lines().last().and_then(rate).filter(|rate| output.status.success() && *rate > 0.0);
    let rate = rate.ok_or_else(|| {
        let errors = String::from_utf8_lossy(&output.stderr);
        MeasureError::Unexpected(format!("redis-benchmark ended with {}: {text}{errors}", output.status))
    })?;
    Ok(Duration::from_secs_f64(rows.count as f64 / rate))
}

/// Commands per second, in the last line of what `redis-benchmark --csv` prints. The command itself comes first and may
/// hold anything; seven latencies follow the rate.
fn rate(line: &str) -> Option<f64> {
    let values: Vec<&str> = line.rsplit(',').take(7).collect();
    values.last()?.trim_matches('"').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_found_behind_a_command_with_commas() {
        let line = r#""HSET a,b c","91575.09","0.504","0.152","0.503","0.663","0.767","1.191""#;
        assert_eq!(rate(line), Some(91575.09));
        assert_eq!(rate("nothing"), None);
    }
}
