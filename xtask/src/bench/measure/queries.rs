//! P9: what a management repository is asked in each cycle, by the number of gateways in the zone. Counted at the server, which
//! logs each statement.

mod statement_log;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zonegate_management_writer::{FillSpec, ManagementWriter};
use zonegate_testkit::gateway::{Gateway, GatewayOptions};
use zonegate_testkit::postgres::{PASSWORD, Postgres, USER};
use zonegate_testkit::redis::Redis;

use super::super::line::Line;
use super::failure::MeasureError;
use super::gateways::PATIENCE;
use super::publisher::ZONE;
use super::{Outcome, Quickness, Row, redis, runtime, tell};
use crate::stopwatch::Stopwatch;
use statement_log::{Cycles, StatementLog};

/// How often the primary reads the repository.
const DELAY: Duration = Duration::from_secs(1);
/// Longer than it takes fifty processes to start on a small machine, so that the primary stays primary.
const LEASE: Duration = Duration::from_secs(20);
/// When everything was deployed: before any window that a gateway reads, so that each cycle finds nothing.
const LONG_AGO: i64 = 1_790_000_000_000;
/// The database.
const DATABASE: &str = "gravitee";

/// What was counted with one number of gateways.
struct Count {
    gateways: usize,
    cycles: Cycles,
    connections: usize,
}

/// Measures the row.
pub(super) fn measure(quickness: Quickness, binary: &Path) -> Result<Outcome, MeasureError> {
    let (sizes, wanted) = match quickness {
        Quickness::Quick => ([1, 2, 4], 5),
        Quickness::Full | Quickness::Large => ([1, 10, 50], 20),
    };
    let (redis, runtime) = (redis()?, runtime()?);
    let postgres = Postgres::start_with_progress(&tell)?;
    postgres.create_database(DATABASE)?;
    let apis = 200;
    let counts = runtime.block_on(async {
        let writer = ManagementWriter::connect(&postgres.url(DATABASE)).await?;
        writer.create_schema().await?;
        let name = "bench".to_owned();
        let target = "http://127.0.0.1:8081".to_owned();
        writer.at(LONG_AGO).fill(&FillSpec { apis, subscriptions_per_api: 5, name, target }).await?;
        writer.close().await;
        let log = StatementLog::open(&postgres)?;
        let mut gateways = Vec::new();
        let mut counts = Vec::new();
        for size in sizes {
            tell(&format!("starting gateways until there are {size}"));
            while gateways.len() < size {
                let mut gateway = Gateway::start(options(gateways.len(), &redis, &postgres, binary))?;
                gateway.wait_ready(PATIENCE).await?;
                gateways.push(gateway);
            }
            settle(&gateways).await?;
            tell(&format!("{size} gateways: waiting for {wanted} cycles"));
            let cycles = log.cycles(wanted, DELAY).await?;
            let connections = postgres.execute(
                DATABASE,
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )?;
            let connections = connections.trim().parse().unwrap_or_default();
            counts.push(Count { gateways: size, cycles, connections });
        }
        Ok::<_, MeasureError>(counts)
    })?;
    Ok(outcome(&counts, apis, wanted))
}

fn outcome(counts: &[Count], apis: usize, wanted: usize) -> Outcome {
    let mut outcome = Outcome::new(Row::P9);
    let first = counts.first().map(|count| &count.cycles);
    let equal = counts.iter().all(|count| Some(&count.cycles.each) == first.map(|cycles| &cycles.each))
        && first.is_some_and(|cycles| cycles.each.len() == 1);
    let told: Vec<_> = counts.iter().map(|count| format!("{}: {}", count.gateways, count.cycles)).collect();
    let most = counts.iter().map(|count| count.cycles.most());
    outcome.lines.push(Line {
        work: "queries that the management repository gets in a cycle, by gateways in the zone".to_owned(),
        measured: told.join("; "),
        reference: "–".to_owned(),
        ratio: if equal { "1".to_owned() } else { "–".to_owned() },
        goal: "exactly equal".to_owned(),
        met: Some(equal),
        figures: counts
            .iter()
            .zip(most)
            .map(|(count, most)| (format!("queries_with_{}", count.gateways), most as f64))
            .collect::<BTreeMap<_, _>>(),
    });
    outcome.taken = vec![
        format!(
            "real gateway processes of one zone, all of which may lead, on real Redis and PostgreSQL with {apis} APIs; \
             `services.sync.delay` {} ms, lease {} s; nothing changes",
            DELAY.as_millis(),
            LEASE.as_secs()
        ),
        format!(
            "counted: statements in PostgreSQL's own log (`log_statement = all`, transactions and settings included), of \
             everybody who is connected, in {wanted} whole cycles for each number of gateways; cycles are told apart by the pause \
             between them; no audit falls into that time"
        ),
    ];
    for count in counts {
        let mut kinds: Vec<_> = count.cycles.kinds.iter().collect();
        kinds.sort_by_key(|(_, number)| std::cmp::Reverse(**number));
        let kinds: Vec<_> = kinds.iter().map(|(kind, number)| format!("{number} × {kind}")).collect();
        outcome.costs.push(format!(
            "{} gateways: {} statements in {} cycles, from {} sessions, {} connections open ({})",
            count.gateways,
            count.cycles.statements,
            count.cycles.count,
            count.cycles.sessions,
            count.connections,
            kinds.join(", ")
        ));
    }
    outcome
}

fn options(number: usize, redis: &Redis, postgres: &Postgres, binary: &Path) -> GatewayOptions {
    let mut options = GatewayOptions::new(&format!("gateway-{number}"))
        .repository(&postgres.jdbc_url(DATABASE), Some(USER), Some(PASSWORD))
        .zone(ZONE, redis)
        .set("services.sync.delay", &DELAY.as_millis().to_string())
        .set("distributed-sync.lease.ttl", &LEASE.as_millis().to_string());
    options.binary = Some(PathBuf::from(binary));
    options
}

/// Waits until one leads and all others follow, and until the audit that follows a promotion is over.
async fn settle(gateways: &[Gateway]) -> Result<(), MeasureError> {
    let watch = Stopwatch::start();
    loop {
        let mut roles = BTreeMap::<String, usize>::new();
        for gateway in gateways {
            let answer = gateway.node("/_node/sync").await?.json();
            let zone = &answer["zone"];
            let role = zone["role"].as_str().unwrap_or_default();
            let pending = zone["pendingRows"].as_u64() != Some(0) || zone["applied"].is_null();
            *roles.entry(if pending { "behind".to_owned() } else { role.to_owned() }).or_default() += 1;
        }
        if roles.get("primary") == Some(&1)
            && roles.get("secondary").copied().unwrap_or_default() == gateways.len() - 1
        {
            break;
        }
        if watch.elapsed() > PATIENCE {
            return Err(MeasureError::Unexpected(format!("the gateways' roles are {roles:?}")));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    tokio::time::sleep(DELAY * 5).await;
    Ok(())
}
