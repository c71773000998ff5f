//! Repositories that real APIM servers wrote, read whole by a real gateway and served: C2, S1, S3.
//!
//! The data lies beside the checkout and not in it; without it the tests say that they are skipped.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use zonegate_testkit::gateway::Gateway;
use zonegate_testkit::redis::RedisOptions;
use zonegate_tests::{DATABASE, Engine, Failure, Repository, Zone, give_up, pause, start_watch};

/// What a gateway made of the records of one kind.
#[derive(Debug, Default)]
struct Line {
    /// Records in the repository that are to be active.
    records: u64,
    /// Rows that are active.
    active: u64,
    /// Served by this gateway now, where that is another number.
    served: Option<u64>,
}

/// Accepted subscriptions of APIs that are not stopped, to plans that were there when the API was deployed: a plan that was
/// published later takes part with the next deployment, in APIM's gateway too.
const ACCEPTED: &str = "subscriptions s JOIN events_latest e ON e.id = s.api \
    AND e.type IN ('PUBLISH_API', 'START_API') AND s.status = 'ACCEPTED' AND position(s.plan IN e.payload) > 0";

#[tokio::test]
async fn c2_s1_what_apim_wrote_to_postgresql_is_read_whole() -> Result<(), Failure> {
    let Some(golden) = golden() else { return Ok(()) };
    let repository = Repository::start(Engine::Postgresql)?;
    let Repository::Postgresql { server, .. } = &repository else { unreachable!() };
    for file in ["schema.sql", "data.sql"] {
        server.execute_file(DATABASE, &golden.join("4.11.25/postgresql").join(file))?;
    }
    let count = |sql: &str| Ok::<u64, Failure>(server.execute(DATABASE, sql)?.trim().parse()?);
    let records = BTreeMap::from([
        ("NODE_METADATA", count("SELECT count(*) FROM installation")?),
        ("LICENSE", count("SELECT count(*) FROM licenses WHERE reference_type = 'ORGANIZATION'")?),
        (
            "ACCESS_POINT",
            count(
                "SELECT count(*) FROM access_points WHERE status = 'CREATED' AND reference_type = 'ENVIRONMENT' AND target LIKE '%GATEWAY'",
            )?,
        ),
        ("ORGANIZATION", count("SELECT count(*) FROM events_latest WHERE type = 'PUBLISH_ORGANIZATION'")?),
        ("DICTIONARY", count("SELECT count(*) FROM events_latest WHERE type = 'PUBLISH_DICTIONARY'")?),
        (
            "SHARED_POLICY_GROUP",
            count("SELECT count(*) FROM events_latest WHERE type = 'DEPLOY_SHARED_POLICY_GROUP'")?,
        ),
        ("API", count("SELECT count(*) FROM events_latest WHERE type IN ('PUBLISH_API', 'START_API')")?),
        ("SUBSCRIPTION", count(&format!("SELECT count(*) FROM {ACCEPTED}"))?),
        (
            "API_KEY",
            count(&format!(
                "SELECT count(*) FROM {ACCEPTED} JOIN key_subscriptions l ON l.subscription_id = s.id \
                 JOIN keys k ON k.id = l.key_id AND NOT k.revoked AND NOT coalesce(k.paused, false)"
            ))?,
        ),
    ]);
    read_and_tell("PostgreSQL, written by APIM 4.11.25", "golden-sql", repository, records).await
}

#[tokio::test]
async fn c2_s1_what_apim_wrote_to_mongodb_is_read_whole() -> Result<(), Failure> {
    let Some(golden) = golden() else { return Ok(()) };
    let repository = Repository::start(Engine::Mongodb)?;
    let Repository::Mongodb { server } = &repository else { unreachable!() };
    let folder = golden.join("4.11.25/mongodb");
    let load = format!(
        "import glob, os\nfrom bson import json_util\ndb = c['{DATABASE}']\n\
         for file in glob.glob('{}/*.jsonl'):\n    documents = [json_util.loads(line) for line in open(file) if line.strip()]\n    \
         if documents: db[os.path.basename(file)[:-6]].insert_many(documents)\n",
        folder.display()
    );
    server.script(&load)?;
    let count = |collection: &str, filter: &str| {
        let code = format!("print(c['{DATABASE}']['{collection}'].count_documents({filter}))");
        Ok::<u64, Failure>(server.script(&code)?.trim().parse()?)
    };
    let events = |types: &str| count("events_latest", &format!("{{'type': {{'$in': [{types}]}}}}"));
    let accepted = "apis = {e['_id']: e['payload'] for e in db.events_latest.find({'type': {'$in': ['PUBLISH_API', 'START_API']}})}\n\
        ids = [s['_id'] for s in db.subscriptions.find({'status': 'ACCEPTED', 'api': {'$in': list(apis)}}) if s['plan'] in apis[s['api']]]\n";
    let number = |code: &str| {
        Ok::<u64, Failure>(server.script(&format!("db = c['{DATABASE}']\n{accepted}{code}"))?.trim().parse()?)
    };
    let keys = "print(sum(len([i for i in k.get('subscriptions', []) if i in ids]) for k in db['keys'].find({'revoked': False, 'paused': {'$ne': True}})))";
    let records = BTreeMap::from([
        ("NODE_METADATA", count("installation", "{}")?),
        ("LICENSE", count("licenses", "{}")?),
        ("ACCESS_POINT", count("access_points", "{'status': 'CREATED'}")?),
        ("ORGANIZATION", events("'PUBLISH_ORGANIZATION'")?),
        ("DICTIONARY", events("'PUBLISH_DICTIONARY'")?),
        ("SHARED_POLICY_GROUP", events("'DEPLOY_SHARED_POLICY_GROUP'")?),
        ("API", events("'PUBLISH_API', 'START_API'")?),
        ("SUBSCRIPTION", number("print(len(ids))")?),
        ("API_KEY", number(keys)?),
    ]);
    read_and_tell("MongoDB's protocol, written by APIM 4.11.25", "golden-mongodb", repository, records).await
}

/// The recorded data, beside the checkout; says so where there is none.
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn golden() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = here.ancestors().map(|folder| folder.join("shared/golden")).find(|folder| folder.is_dir());
    if found.is_none() {
        println!("skipped: no recorded data (shared/golden) beside the checkout");
    }
    found
}

/// Starts a zone over the repository, and prints what became of each kind.
async fn read_and_tell(
    title: &str,
    name: &str,
    repository: Repository,
    records: BTreeMap<&'static str, u64>,
) -> Result<(), Failure> {
    let mut zone = Zone::over(name, RedisOptions::default(), repository).await?;
    for _ in 0..2 {
        let options = zone.options();
        zone.gateways.push(Gateway::start(options)?);
    }
    zone.wait_ready().await?;
    let since = start_watch();
    let (primary, secondary) = loop {
        let both = (zone.sync(0).await?, zone.sync(1).await?);
        if both.0["zone"]["rows"] == both.1["zone"]["rows"]
            && both.0["zone"]["applied"] == both.1["zone"]["applied"]
            && !both.0["zone"]["applied"].is_null()
        {
            break both;
        }
        give_up(since, || format!("the gateways do not agree: {} and {}", both.0["zone"], both.1["zone"]))?;
        pause().await;
    };
    let apis = zone.gateways[0].node("/_node/apis").await?.json().as_array().map_or(0, Vec::len);
    let mut lines: BTreeMap<&str, Line> = BTreeMap::new();
    for (kind, count) in records {
        let active = primary["zone"]["rows"][kind].as_u64().unwrap_or(0);
        lines.insert(kind, Line { records: count, active, served: None });
    }
    if let Some(line) = lines.get_mut("API") {
        line.served = Some(apis as u64);
    }
    print_table(title, &lines, &primary["zone"]["refused"]);
    for (kind, line) in &lines {
        assert_eq!(line.records, line.active, "{kind}: each record that is to be active is");
    }
    let refused = primary["zone"]["refusedCount"].as_u64().unwrap_or(0);
    let served = lines["API"].served.unwrap_or(0);
    assert_eq!(served + refused, lines["API"].active, "an API is served, or refused with a reason");
    assert_eq!(primary["zone"]["refused"], secondary["zone"]["refused"], "both gateways refuse the same");
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the table is what people want to see of this test")]
fn print_table(title: &str, lines: &BTreeMap<&str, Line>, refused: &serde_json::Value) {
    println!("\n{title}\n{:<20} {:>10} {:>8} {:>8}", "kind", "records in", "active", "served");
    for (kind, Line { records, active, served }) in lines {
        let served = served.map_or_else(|| "all".to_owned(), |served| served.to_string());
        println!("{kind:<20} {records:>10} {active:>8} {served:>8}");
    }
    for refusal in refused.as_array().into_iter().flatten() {
        let text = |member: &str| refusal[member].as_str().unwrap_or_default().to_owned();
        println!("refused: {} {}: {}", text("kind"), text("id"), text("reason"));
    }
}
