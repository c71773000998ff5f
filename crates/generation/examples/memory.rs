//! What a subscription with its key takes in memory (P5), and how long a look-up of a key takes.
//!
//! `memory [pairs] [apis]` (1,000,000 over 1,000 by default) fills a generation and prints the growth of resident memory
//! for each pair. APIs have one plan each; 10,000 applications subscribe; ids and keys are UUIDs.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use zonegate_definition::{Api, ApiProduct, Refusal};
use zonegate_generation::{Builder, Compile, Settings, Surroundings};
use zonegate_model::{Digests, Kind, Row, RowKey};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Nothing;

impl Compile for Nothing {
    type Compiled = ();
    type CompiledProduct = ();

    fn compile(&self, _: &Arc<Api>, _: &Surroundings<'_>) -> Result<(), Refusal> {
        Ok(())
    }

    fn compile_product(&self, _: &Arc<ApiProduct>) -> Result<(), Refusal> {
        Ok(())
    }
}

/// A UUID that depends on a number only.
fn uuid(space: u64, number: u64) -> String {
    let mix = |mut value: u64| {
        for factor in [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb] {
            value = (value ^ (value >> 29)).wrapping_mul(factor);
        }
        value ^ (value >> 32)
    };
    let (high, low) = (mix(number.wrapping_mul(8).wrapping_add(space)), mix(!number ^ (space << 60)));
    let text = format!("{high:016x}{low:016x}");
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

fn rows(pair: u64, apis: u64) -> [Row; 2] {
    let [subscription, key_id, key] = [1, 2, 3].map(|space| uuid(space, pair));
    let (api, plan, application) = (uuid(4, pair % apis), uuid(5, pair % apis), uuid(6, pair % 10_000));
    let of_subscription = json!({ "id": subscription, "api": api, "plan": plan, "application": application,
        "status": "ACCEPTED", "startingAt": 1_767_000_000_000_i64, "type": "STANDARD", "metadata": {} });
    let of_key = json!({ "id": key_id, "key": key, "api": api, "plan": plan, "subscription": subscription,
        "application": application, "active": true });
    [
        Row::deployed(RowKey::scoped(Kind::Subscription, &*api, &*subscription), of_subscription.to_string()),
        Row::deployed(RowKey::scoped(Kind::ApiKey, &*api, &*key_id), of_key.to_string()),
    ]
}

fn api(number: u64) -> Row {
    let id = uuid(4, number);
    let definition = json!({ "id": id, "name": "n", "type": "proxy", "definitionVersion": "4.0.0",
        "listeners": [{ "type": "http", "paths": [{ "path": format!("/{number}") }] }],
        "plans": [{ "id": uuid(5, number), "status": "published", "security": { "type": "api-key" } }] });
    Row::deployed(
        RowKey::new(Kind::Api, &*id),
        json!({ "definition": definition, "enabled": true }).to_string(),
    )
}

/// Resident memory, bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or_default();
    pages * rustix::param::page_size() as u64
}

/// CPU time of this thread, nanoseconds.
fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

#[expect(clippy::print_stdout, reason = "a program for a terminal")]
fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|text| text.parse::<u64>().ok());
    let (pairs, apis) = (arguments.next().unwrap_or(1_000_000), arguments.next().unwrap_or(1000));
    let mut builder = Builder::new(Nothing, Settings::default());
    builder.begin(true);
    builder.rows((0..apis).map(api).collect());
    // What the rows take on their way is there before it is measured.
    black_box((0..10_000).flat_map(|pair| rows(pair, apis)).collect::<Vec<_>>());
    let (before, started) = (resident(), cpu());
    for first in (0..pairs).step_by(1000) {
        builder.rows((first..pairs.min(first + 1000)).flat_map(|pair| rows(pair, apis)).collect());
    }
    builder.commit(None, Digests::default());
    let taken = cpu() - started;
    // The allocator gives back what is free some time later, while it is used.
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(200));
        builder.begin(false);
        builder.rows(rows(0, apis).into());
        builder.commit(None, Digests::default());
    }
    let grown = resident().saturating_sub(before);
    println!("{pairs} pairs over {apis} APIs: {:.1} bytes for each", grown as f64 / pairs as f64);
    println!("loading, with making the rows: {:.2} microseconds of CPU for each", taken / pairs as f64 / 1e3);

    let generation = builder.published().load();
    let looked_up: Vec<_> = (0..pairs.min(100_000))
        .filter_map(|at| {
            let pair = at.wrapping_mul(7919) % pairs;
            Some((generation.api(&uuid(4, pair % apis))?, uuid(3, pair)))
        })
        .collect();
    let find = || {
        let found = looked_up.iter().filter(|(api, key)| {
            generation.credentials(api.scope()).is_some_and(|keys| keys.find_key(key.as_bytes()).is_some())
        });
        found.count()
    };
    assert_eq!(black_box(find()), looked_up.len(), "each key is found");
    let started = cpu();
    black_box(find());
    println!("a look-up of a key: {:.0} nanoseconds", (cpu() - started) / looked_up.len() as f64);
}
