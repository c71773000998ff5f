//! P10: a full state goes from the management repository to what the primary serves, against a client that only streams the
//! same rows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::{Connection, PgConnection};
use zonegate_management_writer::{FillSpec, ManagementWriter};
use zonegate_testkit::gateway::GatewayOptions;
use zonegate_testkit::postgres::{PASSWORD, Postgres, USER};

use super::super::line::Line;
use super::cpu::CpuTime;
use super::failure::MeasureError;
use super::publisher::ZONE;
use super::spread::Spread;
use super::{Outcome, Quickness, Row, gateways, redis, runtime, tell};
use crate::stopwatch::Stopwatch;

/// Subscriptions of each API, with a key each.
const SUBSCRIPTIONS: usize = 10;
/// The goal.
const GOAL: f64 = 0.7;
/// The database.
const DATABASE: &str = "gravitee";

/// The tables and columns that a gateway reads, whole.
const READ: [&str; 5] = [
    "events_latest (id, type, payload, created_at, updated_at)",
    "events_latest_properties (event_id, property_key, property_value)",
    "subscriptions (id, plan, application, application_name, starting_at, ending_at, created_at, updated_at, status, api, client_id, \
     client_certificate, configuration, type, consumer_status, environment_id, reference_type, reference_id)",
    "keys (id, \"key\", application, revoked, paused, federated, expire_at, updated_at, environment_id)",
    "key_subscriptions (key_id, subscription_id)",
];

/// Times of several rounds.
#[derive(Default)]
struct Times {
    ours: Vec<f64>,
    lone: Vec<f64>,
    theirs: Vec<f64>,
    own_cpu: Vec<Duration>,
    database_cpu: Vec<Duration>,
    floor_cpu: Vec<Duration>,
}

/// Measures the row.
pub(super) fn measure(quickness: Quickness, binary: &Path) -> Result<Outcome, MeasureError> {
    let (apis, rounds) = match quickness {
        Quickness::Quick => (300, 2),
        Quickness::Full => (10_000, 5),
        Quickness::Large => (100_000, 3),
    };
    let (redis, runtime) = (redis()?, runtime()?);
    let postgres = Postgres::start_with_progress(&tell)?;
    postgres.create_database(DATABASE)?;
    let name = "bench".to_owned();
    let target = "http://127.0.0.1:8081".to_owned();
    let spec = FillSpec { apis, subscriptions_per_api: SUBSCRIPTIONS, name, target };
    let watch = Stopwatch::start();
    let filled = runtime.block_on(async {
        let writer = ManagementWriter::connect(&postgres.url(DATABASE)).await?;
        writer.create_schema().await?;
        let filled = writer.fill_with_progress(&spec, &tell).await?;
        writer.close().await;
        Ok::<_, MeasureError>(filled)
    })?;
    let filling = watch.elapsed();
    let rows = filled.apis + 2 * filled.subscriptions;
    let there = [("API", apis), ("SUBSCRIPTION", filled.subscriptions), ("API_KEY", filled.subscriptions)];
    let rate = |time: Duration| rows as f64 / time.as_secs_f64();
    let server = postgres.process_id();

    let (mut times, mut bytes) = (Times::default(), 0);
    for round in 1..=rounds {
        tell(&format!("round {round} of {rounds}: minimal client"));
        let (time, cpu) = runtime.block_on(async {
            let mut client = PgConnection::connect(&postgres.url(DATABASE)).await?;
            let before = CpuTime::of_family(server)?;
            let watch = Stopwatch::start();
            bytes = stream(&mut client).await?;
            let (time, cpu) = (watch.elapsed(), CpuTime::of_family(server)?.since(before).total());
            client.close().await?;
            Ok::<_, MeasureError>((time, cpu))
        })?;
        times.theirs.push(rate(time));
        times.floor_cpu.push(cpu);

        tell(&format!("round {round} of {rounds}: primary"));
        redis.cli(&["FLUSHALL", "SYNC"])?;
        let before = CpuTime::of_family(server)?;
        let (gateway, time) =
            runtime.block_on(gateways::start(options(&postgres, binary).zone(ZONE, &redis)))?;
        times.ours.push(rate(time));
        times.own_cpu.push(CpuTime::of(gateway.process_id())?.total());
        times.database_cpu.push(CpuTime::of_family(server)?.since(before).total());
        runtime.block_on(gateways::serves(&gateway, &there))?;
        drop(gateway);

        tell(&format!("round {round} of {rounds}: lone gateway"));
        let (gateway, time) = runtime.block_on(gateways::start(options(&postgres, binary)))?;
        times.lone.push(rate(time));
        drop(gateway);
    }
    Ok(outcome(times, apis, rows, rounds, bytes, filling))
}

fn outcome(times: Times, apis: usize, rows: usize, rounds: usize, bytes: u64, filling: Duration) -> Outcome {
    let Times { ours, lone, theirs, own_cpu, database_cpu, floor_cpu } = times;
    let [ours, lone, theirs] = [ours, lone, theirs].map(Spread::new);
    let micros = |times: Vec<Duration>| Spread::millis(times).median() * 1e3 / rows as f64;
    let [own_cpu, database_cpu, floor_cpu] = [own_cpu, database_cpu, floor_cpu].map(micros);
    let ratio = ours.median() / theirs.median();
    let mut outcome = Outcome::new(Row::P10);
    outcome.lines.push(Line {
        work: format!(
            "PostgreSQL → served by the primary: {apis} APIs, {} subscriptions and keys",
            apis * SUBSCRIPTIONS
        ),
        measured: format!("{:.0} rows/s", ours.median()),
        reference: format!("{:.0} rows/s", theirs.median()),
        ratio: format!("{ratio:.2} ×"),
        goal: format!("≥ {GOAL} ×"),
        met: Some(ratio >= GOAL),
        figures: BTreeMap::from([
            ("rows_per_second".to_owned(), ours.median()),
            ("rows_per_second_least".to_owned(), ours.least()),
            ("rows_per_second_most".to_owned(), ours.worst()),
            ("lone_rows_per_second".to_owned(), lone.median()),
            ("reference_rows_per_second".to_owned(), theirs.median()),
            ("ratio".to_owned(), ratio),
        ]),
    });
    outcome.taken = vec![
        format!(
            "{rows} rows (APIs of 3 to 5 kB with {SUBSCRIPTIONS} subscriptions and keys each), filled by COPY in {:.1} s and \
             analysed; median of {rounds} rounds, all in turn, zone store emptied before each",
            filling.as_secs_f64()
        ),
        "measured: the gateway's binary with default settings as the first of its zone, from before its process is made until \
         `/_node/health` says that it is ready, asked every 10 ms; what it serves is counted afterwards"
            .to_owned(),
        format!(
            "reference: one connection, `COPY … TO STDOUT` of the columns that a gateway reads of its five tables, one after the \
             other, {:.0} MB, dropped without a look",
            bytes as f64 / 1e6
        ),
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
            "start to ready {:.0} ms; the rows by COPY {:.0} ms; a lone gateway, without a zone store {:.0} ms ({:.2} × the \
             reference)",
            rows as f64 * 1e3 / ours.median(),
            rows as f64 * 1e3 / theirs.median(),
            rows as f64 * 1e3 / lone.median(),
            lone.median() / theirs.median()
        ),
        format!(
            "processor time per row: gateway {own_cpu:.1} µs, PostgreSQL {database_cpu:.1} µs (for the reference {floor_cpu:.1} µs)"
        ),
    ];
    outcome
}

fn options(postgres: &Postgres, binary: &Path) -> GatewayOptions {
    let mut options = GatewayOptions::new("primary")
        .repository(&postgres.jdbc_url(DATABASE), Some(USER), Some(PASSWORD))
        .set("services.sync.delay", "5000");
    options.binary = Some(PathBuf::from(binary));
    options
}

/// Streams all tables and drops what comes. Answers the bytes.
async fn stream(client: &mut PgConnection) -> Result<u64, MeasureError> {
    let mut bytes = 0;
    for read in READ {
        let mut copy = client.copy_out_raw(&format!("COPY {read} TO STDOUT")).await?;
        while let Some(part) = copy.try_next().await? {
            bytes += part.len() as u64;
        }
    }
    Ok(bytes)
}
