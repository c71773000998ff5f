//! P7: the gateway's binary is started and is ready, from the zone store, against a client that only reads the rows.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::line::Line;
use super::cpu::CpuTime;
use super::failure::MeasureError;
use super::full_state::store_key;
use super::minimal_client::{MinimalClient, Requests};
use super::publisher::Publisher;
use super::sample_state::SampleState;
use super::spread::Spread;
use super::{Outcome, Quickness, Row, gateways, redis, runtime, tell};
use crate::stopwatch::Stopwatch;

/// Subscriptions of each API, with a key each.
const SUBSCRIPTIONS: usize = 10;
/// The goal.
const GOAL: f64 = 1.3;

/// Measures the row.
pub(super) fn measure(quickness: Quickness, binary: &Path) -> Result<Outcome, MeasureError> {
    let (apis, rounds) = match quickness {
        Quickness::Quick => (500, 2),
        Quickness::Full | Quickness::Large => (10_000, 7),
    };
    let (redis, runtime) = (redis()?, runtime()?);
    let state = SampleState::new(apis, SUBSCRIPTIONS);
    tell("filling the store");
    let mut publisher = runtime.block_on(Publisher::elect(&redis))?;
    runtime.block_on(publisher.fill(state.rows()))?;
    let keys: Vec<String> = state.rows().map(|row| store_key(&row.key)).collect();
    let requests = Requests::new(&keys);
    let (mut ours, mut theirs, mut bytes) = (Vec::new(), Vec::new(), 0);
    let (mut own_cpu, mut redis_cpu, mut floor_cpu) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        tell(&format!("round {round} of {rounds}: minimal client"));
        let redis_before = CpuTime::of(redis.process_id())?;
        let mut client = MinimalClient::open(redis.address())?;
        let watch = Stopwatch::start();
        bytes = client.read(&requests)?;
        theirs.push(watch.elapsed());
        floor_cpu.push(CpuTime::of(redis.process_id())?.since(redis_before).total());

        tell(&format!("round {round} of {rounds}: gateway"));
        let redis_before = CpuTime::of(redis.process_id())?;
        let options = gateways::secondary("secondary", &redis, binary);
        let (gateway, time) = runtime.block_on(gateways::start(options))?;
        ours.push(time);
        own_cpu.push(CpuTime::of(gateway.process_id())?.total());
        redis_cpu.push(CpuTime::of(redis.process_id())?.since(redis_before).total());
        let there =
            [("API", apis), ("SUBSCRIPTION", state.subscriptions()), ("API_KEY", state.subscriptions())];
        runtime.block_on(gateways::serves(&gateway, &there))?;
    }
    drop(publisher);
    redis.cli(&["FLUSHALL", "SYNC"])?;
    let mut publisher = runtime.block_on(Publisher::elect(&redis))?;
    runtime.block_on(publisher.fill(SampleState::new(1, 1).rows()))?;
    let mut empty = Vec::new();
    for _ in 0..rounds {
        empty.push(runtime.block_on(gateways::start(gateways::secondary("empty", &redis, binary)))?.1);
    }
    let [ours, theirs, empty] = [ours, theirs, empty].map(Spread::millis);
    let [own_cpu, redis_cpu, floor_cpu] = [own_cpu, redis_cpu, floor_cpu].map(Spread::millis);
    let ratio = ours.median() / theirs.median();
    let mut outcome = Outcome::new(Row::P7);
    outcome.lines.push(Line {
        work: format!(
            "start to ready: {apis} APIs, {} subscriptions and keys, from the zone store",
            state.subscriptions()
        ),
        measured: format!("{:.0} ms", ours.median()),
        reference: format!("the rows, only read: {:.0} ms", theirs.median()),
        ratio: format!("{ratio:.2} ×"),
        goal: format!("≤ {GOAL} ×"),
        met: Some(ratio <= GOAL),
        figures: BTreeMap::from([
            ("ms".to_owned(), ours.median()),
            ("ms_least".to_owned(), ours.least()),
            ("ms_most".to_owned(), ours.worst()),
            ("reference_ms".to_owned(), theirs.median()),
            ("one_api_ms".to_owned(), empty.median()),
            ("ratio".to_owned(), ratio),
        ]),
    });
    outcome.taken = vec![
        format!(
            "APIs of 3 to 5 kB with {SUBSCRIPTIONS} subscriptions and keys each, {} rows with {:.0} MB of fields; median of \
             {rounds} rounds, the two alternating",
            state.count(),
            bytes as f64 / 1e6
        ),
        "measured: the gateway's binary without a repository, from before its process is made until `/_node/health` says that \
         it is ready, asked every 10 ms; what it serves is counted afterwards"
            .to_owned(),
        "reference: one connection, `HMGET` of the fields of the same keys, known and encoded beforehand, 1,000 in a part, \
         one part asked for ahead, answers skipped and not looked at"
            .to_owned(),
        format!(
            "spread: measured {:.0} to {:.0}, reference {:.0} to {:.0} ms",
            ours.least(),
            ours.worst(),
            theirs.least(),
            theirs.worst()
        ),
    ];
    outcome.costs = vec![
        format!("start to ready with one API: {:.0} ms", empty.median()),
        format!(
            "processor time: gateway {:.0} ms, Redis {:.0} ms (for the reference {:.0} ms)",
            own_cpu.median(),
            redis_cpu.median(),
            floor_cpu.median()
        ),
    ];
    Ok(outcome)
}
