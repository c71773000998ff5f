//! P3: a change that the primary has is served by every one of 50 secondaries, against one round trip.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use zonegate_model::Revision;

use super::super::line::Line;
use super::cpu::CpuTime;
use super::failure::MeasureError;
use super::full_state::{FullState, Size, api_row};
use super::minimal_client::MinimalClient;
use super::publisher::Publisher;
use super::secondary::{Commit, Secondary, Serve};
use super::spread::Spread;
use super::{Outcome, Quickness, Row, redis, runtime, tell};
use crate::stopwatch::Stopwatch;

/// What a zone is designed for.
const SECONDARIES: usize = 50;
/// What each of them holds.
const SIZE: Size = Size { apis: 1000, subscriptions: 2500 };
/// The goal over one round trip.
const GOAL_MILLIS: f64 = 5.0;
/// Between two changes, so that the next one finds everybody waiting.
const PAUSE: Duration = Duration::from_millis(30);
/// The longest that a change may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long is looked at what a zone costs in which nothing changes.
const IDLE: Duration = Duration::from_secs(3);
/// Round trips before each change.
const PINGS: usize = 5;

/// Measures the row.
pub(super) fn measure(quickness: Quickness) -> Result<Outcome, MeasureError> {
    let changes = if quickness == Quickness::Quick { 50 } else { 500 };
    let state = FullState::new(SIZE);
    let (redis, runtime) = (redis()?, runtime()?);
    let mut publisher = runtime.block_on(Publisher::elect(&redis))?;
    runtime.block_on(publisher.fill(state.rows.iter().cloned()))?;
    drop(state);

    tell(&format!("starting {SECONDARIES} secondaries"));
    let watch = Stopwatch::start();
    let (commits_in, commits) = sync_channel(16 * SECONDARIES);
    let guard = runtime.enter();
    let start = |number| {
        let commits = commits_in.clone();
        Secondary::start(number, &redis, watch, Serve::Everything, move |commit| {
            let _ = commits.send(commit);
        })
    };
    let secondaries = (0..SECONDARIES).map(start).collect::<Result<Vec<_>, _>>()?;
    drop(guard);
    gather(&commits, None, SECONDARIES)?;

    tell("nothing changes for a while");
    let cpu = || Ok::<_, MeasureError>([CpuTime::own()?, CpuTime::of(redis.process_id())?]);
    let since = |before: [CpuTime; 2]| {
        let now = cpu()?;
        Ok::<_, MeasureError>([now[0].since(before[0]).total(), now[1].since(before[1]).total()])
    };
    let before = cpu()?;
    std::thread::sleep(IDLE);
    let idle = since(before)?.map(|time| time.as_secs_f64() / IDLE.as_secs_f64());

    let mut client = MinimalClient::open(redis.address())?;
    let (mut all, mut first, mut last, mut writes, mut trips) = (vec![], vec![], vec![], vec![], vec![]);
    let (used, started) = (cpu()?, watch.elapsed());
    for change in 0..changes {
        if change % 10 == 0 {
            tell(&format!("change {change} of {changes}"));
        }
        std::thread::sleep(PAUSE);
        for _ in 0..PINGS {
            trips.push(client.ping()?);
        }
        // One API in turn. Each was written last in the round before.
        let api = change % SIZE.apis;
        let said = |round: usize| match round {
            0 => "as it was at first".to_owned(),
            round => format!("changed in round {round}"),
        };
        let round = change / SIZE.apis;
        let (before, after) = (api_row(api, &said(round)), api_row(api, &said(round + 1)));
        let begun = watch.elapsed();
        let revision = runtime.block_on(publisher.change(&before, after))?;
        writes.push(watch.elapsed().saturating_sub(begun));
        let mut times: Vec<Duration> = gather(&commits, Some(revision), SECONDARIES)?
            .into_iter()
            .map(|commit| commit.at.saturating_sub(begun))
            .collect();
        times.sort_unstable();
        first.extend(times.first());
        last.extend(times.last());
        all.extend(times);
    }
    let (busy, lasted) = (since(used)?, watch.elapsed().saturating_sub(started).as_secs_f64());
    drop(secondaries);

    let [all, first, last, writes, trips] = [all, first, last, writes, trips].map(Spread::millis);
    let over = last.quantile(0.99) - trips.median();
    let mut outcome = Outcome::new(Row::P3);
    outcome.lines.push(Line {
        work: format!("a change is served by every one of {SECONDARIES} secondaries"),
        measured: format!(
            "last of all: p50 {:.2} ms, p99 {:.2} ms; each: p50 {:.2} ms, p99 {:.2} ms",
            last.median(),
            last.quantile(0.99),
            all.median(),
            all.quantile(0.99)
        ),
        reference: format!(
            "one round trip: p50 {:.3} ms, p99 {:.3} ms",
            trips.median(),
            trips.quantile(0.99)
        ),
        ratio: format!("+ {over:.2} ms"),
        goal: format!("p99 ≤ round trip + {GOAL_MILLIS} ms"),
        met: Some(over <= GOAL_MILLIS),
        figures: BTreeMap::from([
            ("last_p50_ms".to_owned(), last.median()),
            ("last_p99_ms".to_owned(), last.quantile(0.99)),
            ("each_p50_ms".to_owned(), all.median()),
            ("each_p99_ms".to_owned(), all.quantile(0.99)),
            ("round_trip_p50_ms".to_owned(), trips.median()),
            ("round_trip_p99_ms".to_owned(), trips.quantile(0.99)),
            ("over_ms".to_owned(), over),
        ]),
    });
    outcome.taken = vec![
        format!(
            "{SECONDARIES} secondaries in one process, each with its own connections, core and builder over {} APIs and {} \
             subscriptions and keys; {changes} changes of one API each, one at a time, {} ms apart",
            SIZE.apis,
            2 * SIZE.subscriptions,
            PAUSE.as_millis()
        ),
        "measured: from the call of `ZoneStore::write` to the commit after which requests see the change; goal held against \
         p99 of the last of all, less p50 of the round trip"
            .to_owned(),
        format!("reference: `PING` on an idle connection, {PINGS} before each change"),
    ];
    // What goes on without any change, heartbeats above all, is not what a change costs.
    let each = |which: usize| (busy[which].as_secs_f64() - idle[which] * lasted) * 1e3 / changes as f64;
    outcome.costs = vec![
        format!(
            "the write itself: p50 {:.2} ms, p99 {:.2} ms; the first secondary: p50 {:.2} ms, p99 {:.2} ms",
            writes.median(),
            writes.quantile(0.99),
            first.median(),
            first.quantile(0.99)
        ),
        format!(
            "processor time per change: all {SECONDARIES} secondaries and the primary {:.2} ms, Redis {:.2} ms; while \
             nothing changes {:.1} % and {:.1} % of a core",
            each(0),
            each(1),
            100.0 * idle[0],
            100.0 * idle[1]
        ),
    ];
    Ok(outcome)
}

/// Waits until `count` secondaries serve `revision`, or anything at all.
fn gather(
    commits: &Receiver<Commit>,
    revision: Option<Revision>,
    count: usize,
) -> Result<Vec<Commit>, MeasureError> {
    let watch = Stopwatch::start();
    let mut found: BTreeMap<usize, Commit> = BTreeMap::new();
    while found.len() < count {
        let wait = PATIENCE.saturating_sub(watch.elapsed());
        let commit = commits.recv_timeout(wait).map_err(|_| {
            MeasureError::Unexpected(format!(
                "{} of {count} secondaries serve {revision:?} after {PATIENCE:?}",
                found.len()
            ))
        })?;
        if commit.refused > 0 {
            return Err(MeasureError::Unexpected(format!("a secondary refused APIs: {commit:?}")));
        }
        if revision.is_none_or(|revision| commit.revision.is_some_and(|(_, at)| at >= revision)) {
            found.entry(commit.secondary).or_insert(commit);
        }
    }
    Ok(found.into_values().collect())
}
