//! What one changed API costs on a gateway that holds many (P4): CPU time of the builder's thread for one commit, on a
//! large and on a small gateway in turn.
//!
//! `apply [large] [small] [rounds]` (100,000, 1,000 and 20,000 by default) prints both, and the ratio, for a new version of
//! an API and for a changed key.

use std::hint::black_box;
use std::sync::Arc;

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

fn api(number: u64, version: u64) -> Row {
    let id = format!("api-{number}");
    let definition = json!({ "id": id, "name": format!("name {version}"), "type": "proxy", "definitionVersion": "4.0.0",
        "listeners": [{ "type": "http", "paths": [{ "path": format!("/path/{number}") }],
            "entrypoints": [{ "type": "http-proxy" }] }],
        "endpointGroups": [{ "name": "g", "type": "http-proxy", "endpoints": [{ "name": "e", "type": "http-proxy",
            "configuration": { "target": "http://127.0.0.1:8080" } }] }],
        "plans": [{ "id": "plan", "status": "published", "security": { "type": "api-key" } }] });
    Row::deployed(
        RowKey::new(Kind::Api, &*id),
        json!({ "definition": definition, "enabled": true }).to_string(),
    )
}

fn subscription(number: u64) -> Row {
    let payload = json!({ "id": "s", "plan": "plan", "application": "a", "status": "ACCEPTED" });
    Row::deployed(RowKey::scoped(Kind::Subscription, format!("api-{number}"), "s"), payload.to_string())
}

fn key(number: u64, version: u64) -> Row {
    let payload = json!({ "id": "k", "key": format!("key {version}"), "subscription": "s", "active": true });
    Row::deployed(RowKey::scoped(Kind::ApiKey, format!("api-{number}"), "k"), payload.to_string())
}

/// CPU time of this thread, nanoseconds.
fn cpu() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    (time.tv_sec * 1_000_000_000 + time.tv_nsec) as u64
}

struct Gateway {
    builder: Builder<Nothing>,
    apis: u64,
    at: u64,
    spent: Vec<u64>,
}

impl Gateway {
    fn new(apis: u64) -> Self {
        let mut builder = Builder::new(Nothing, Settings::default());
        builder.begin(true);
        for first in (0..apis).step_by(1000) {
            let numbers = first..apis.min(first + 1000);
            builder.rows(
                numbers.flat_map(|number| [api(number, 0), subscription(number), key(number, 0)]).collect(),
            );
        }
        builder.commit(None, Digests::default());
        Self { builder, apis, at: 0, spent: Vec::new() }
    }

    fn change(&mut self, row: impl Fn(u64, u64) -> Row) {
        self.at += 1;
        let row = row(self.at.wrapping_mul(0x9e37_79b9_7f4a_7c15) % self.apis, self.at);
        let started = cpu();
        self.builder.begin(false);
        self.builder.rows(vec![row]);
        black_box(self.builder.commit(None, Digests::default()));
        self.spent.push(cpu() - started);
    }

    /// Mean without the upper and lower tenth, microseconds.
    fn mean(&mut self) -> f64 {
        self.spent.sort_unstable();
        let tenth = self.spent.len() / 10;
        let middle = &self.spent[tenth..self.spent.len() - tenth];
        let mean = middle.iter().sum::<u64>() as f64 / middle.len() as f64 / 1e3;
        self.spent.clear();
        mean
    }
}

#[expect(clippy::print_stdout, reason = "a program for a terminal")]
fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|text| text.parse::<u64>().ok());
    let mut next = |otherwise| arguments.next().unwrap_or(otherwise);
    let (large, small, rounds) = (next(100_000), next(1000), next(20_000));
    let (mut large, mut small) = (Gateway::new(large), Gateway::new(small));
    for (name, row) in [("a new version", api as fn(u64, u64) -> Row), ("a changed key", key)] {
        for _ in 0..rounds {
            large.change(row);
            small.change(row);
        }
        let (of_large, of_small) = (large.mean(), small.mean());
        println!(
            "{name}: {of_large:.2} microseconds with {} APIs, {of_small:.2} with {}: ratio {:.2}",
            large.apis,
            small.apis,
            of_large / of_small
        );
    }
}
