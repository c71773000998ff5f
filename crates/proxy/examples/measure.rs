//! A gateway with one keyless and one API-key API, for measuring what a request costs (P6).
//!
//! `measure <upstream host:port> [workers]` listens on port 18082 and serves `/open` and `/keyed` (key `good`) until it
//! is killed.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use zonegate_generation::{Builder, Settings};
use zonegate_model::{Clock, Digests, Kind, Moment, Row, RowKey};
use zonegate_policy::Registry;
use zonegate_proxy::{Compiler, Counters, GatewaySettings, ListenerSettings, Server};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Moment {
        #[expect(clippy::disallowed_methods, reason = "this program is its own composition root")]
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment { elapsed: Duration::ZERO, wall_millis: since.as_millis() as i64 }
    }
}

fn definition(id: &str, target: &str, security: &str) -> Row {
    let definition: Value = json!({
        "id": id, "name": id, "type": "proxy", "definitionVersion": "4.0.0",
        "listeners": [{ "type": "http", "paths": [{ "path": id }], "entrypoints": [{ "type": "http-proxy" }] }],
        "endpointGroups": [{ "name": "g", "type": "http-proxy", "endpoints": [{
            "name": "e", "type": "http-proxy", "configuration": { "target": target },
            "sharedConfigurationOverride": { "http": { "maxConcurrentConnections": 1000 } } }] }],
        "plans": [{ "id": "p", "name": "p", "mode": "standard", "status": "published", "security": { "type": security } }]
    });
    let payload = json!({ "definition": definition, "enabled": true });
    Row::deployed(RowKey::new(Kind::Api, id), payload.to_string())
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let target = format!("http://{}", arguments.next().unwrap_or_else(|| "127.0.0.1:18090".to_owned()));
    let workers = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1);
    let (settings, counters) = (Arc::new(GatewaySettings::default()), Arc::new(Counters::default()));
    let compiler = Compiler::new(Registry::builtin(), settings.clone(), counters.clone());
    let mut builder = Builder::new(compiler, Settings::default());
    let server = Server { published: builder.published(), settings, counters, clock: Arc::new(WallClock) };
    let mut rows = vec![definition("open", &target, "key-less"), definition("keyed", &target, "api-key")];
    rows.push(Row::deployed(
        RowKey::scoped(Kind::Subscription, "keyed", "c0371a77-1aea-4792-b71a-771aeac79217"),
        json!({ "id": "c0371a77-1aea-4792-b71a-771aeac79217", "api": "keyed", "plan": "p", "application": "a", "status": "ACCEPTED" }).to_string(),
    ));
    rows.push(Row::deployed(
        RowKey::scoped(Kind::ApiKey, "keyed", "k"),
        json!({ "id": "k", "key": "good", "api": "keyed", "plan": "p",
                "subscription": "c0371a77-1aea-4792-b71a-771aeac79217", "application": "a", "active": true })
        .to_string(),
    ));
    builder.begin(true);
    builder.rows(rows);
    builder.commit(None, Digests::default());
    let listener = ListenerSettings { port: 18082, workers, ..ListenerSettings::default() };
    let running = server.start(&listener);
    match running {
        Ok(_running) => loop {
            std::thread::park();
        },
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "a program for a terminal")]
            {
                eprintln!("{error}");
            }
        }
    }
}
