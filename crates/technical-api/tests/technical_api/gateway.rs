//! A gateway that has one of everything.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use zonegate_model::{Moment, Payload};
use zonegate_technical_api::view::{
    ApiSummary, Cluster, ClusterMember, Dependency, Failure, FullRead, Identity, Member, PrimaryLease, Probe,
    Probes, Refusal, StorePosition, Sync, Window, Zone,
};
use zonegate_technical_api::{Access, Handle, NodeView, Settings, Thresholds, serve};
use zonegate_telemetry::Exposition;

#[derive(Clone)]
pub(crate) struct Gateway {
    pub(crate) ready: bool,
    pub(crate) repository: Probe,
    pub(crate) metrics: Option<String>,
    pub(crate) configuration: BTreeMap<String, String>,
    pub(crate) rows: HashMap<String, String>,
    pub(crate) refused: usize,
}

impl Default for Gateway {
    fn default() -> Self {
        let row = r#"{"definition":{"id":"api-1","name":"Orders","properties":
            [{"key":"token","value":"planted-property","encrypted":false}]},"enabled":true,"revision":"3"}"#;
        Self {
            ready: true,
            repository: Probe::healthy(),
            metrics: None,
            configuration: BTreeMap::from([
                ("services.sync.delay".to_owned(), "5000".to_owned()),
                ("http.port".to_owned(), "8082".to_owned()),
            ]),
            rows: HashMap::from([
                ("api-1".to_owned(), row.to_owned()),
                ("broken".to_owned(), "{\"planted-broken".to_owned()),
                ("a b/ü".to_owned(), "{}".to_owned()),
            ]),
            refused: 1,
        }
    }
}

impl Gateway {
    pub(crate) async fn start(self, change: impl FnOnce(&mut Settings)) -> Handle {
        self.start_until(CancellationToken::new(), change).await
    }

    pub(crate) async fn start_until(
        self,
        stop: CancellationToken,
        change: impl FnOnce(&mut Settings),
    ) -> Handle {
        let users = BTreeMap::from([("admin".to_owned(), SecretString::from("adminadmin"))]);
        let mut settings = Settings {
            host: "127.0.0.1".to_owned(),
            port: 0,
            access: Access::Basic(users),
            clear_text: false,
            thresholds: Thresholds { cpu: 101, memory: 101 },
            scrapes: 3,
        };
        change(&mut settings);
        serve(settings, Arc::new(self), stop).await.unwrap()
    }
}

fn member(node: &str, primary: bool) -> ClusterMember {
    ClusterMember {
        node: node.to_owned(),
        hostname: "vm".to_owned(),
        host: "127.0.0.1".to_owned(),
        version: "0.1.0".to_owned(),
        primary,
    }
}

impl NodeView for Gateway {
    fn now(&self) -> Moment {
        Moment { elapsed: Duration::from_secs(70), wall_millis: 1_795_511_593_545 }
    }

    fn started(&self) -> Moment {
        Moment { elapsed: Duration::from_secs(10), wall_millis: 1_795_511_533_545 }
    }

    fn identity(&self) -> Identity {
        Identity {
            id: "node-1".to_owned(),
            name: "Zonegate".to_owned(),
            version: "0.1.0".to_owned(),
            hostname: "vm".to_owned(),
            installation: Some("installation-1".to_owned()),
            zone: Some("blue".to_owned()),
            ..Identity::default()
        }
    }

    fn probes(&self) -> Probes {
        Probes {
            management_repository: self.repository.clone(),
            http_server: Probe::healthy(),
            cluster: Probe::healthy(),
            sync_process: Some(if self.ready { Probe::healthy() } else { Probe::unhealthy("not ready") }),
        }
    }

    fn sync(&self) -> Sync {
        let refusal = |number| Refusal {
            kind: "API",
            id: format!("refused-{number}"),
            reason: "plan `p` has the security type `MAGIC`, which this gateway does not have".to_owned(),
            at: Some(5),
            earlier_version_served: false,
        };
        Sync {
            initial_done: self.ready,
            cycles: 30,
            last_on_error: !self.ready,
            last_error: Some("the repository does not answer".to_owned()),
            zone: Zone {
                name: "blue".to_owned(),
                role: "primary",
                lease: Some(PrimaryLease { epoch: 4, primary: Some("node-1".to_owned()) }),
                store: Some(StorePosition { id: "00ff".to_owned(), revision: 18, whole: 17 }),
                applied: self.ready.then_some(17),
                synced: self.ready.then_some(Window { from: -1, to: 1_795_511_593_171 }),
                lag_millis: Some(374),
                rows: BTreeMap::from([("API", 12)]),
                pending_rows: 1,
                push_subscriptions: 0,
                refused: (0..self.refused).map(refusal).collect(),
                last_full_read: Some(FullRead {
                    reason: "start".to_owned(),
                    method: "index",
                    at: 9,
                    proven: Some(true),
                    rows: 40,
                }),
                repository: Dependency { up: Some(true), last_failure: None },
                zone_store: Dependency {
                    up: Some(false),
                    last_failure: Some(Failure { message: "connection refused".to_owned(), at: 7 }),
                },
                members: vec![Member {
                    node: "node-1".to_owned(),
                    is_self: true,
                    role: "primary",
                    ..Member::default()
                }],
                ..Zone::default()
            },
        }
    }

    fn cluster(&self) -> Cluster {
        Cluster { id: "blue".to_owned(), this: member("node-1", false), others: vec![member("node-2", true)] }
    }

    fn apis(&self) -> Vec<ApiSummary> {
        ["Orders", "Articles"]
            .map(|name| ApiSummary {
                id: format!("id-{name}"),
                name: name.to_owned(),
                version: "1.0".to_owned(),
            })
            .into()
    }

    fn api(&self, id: &str) -> Option<Payload> {
        self.rows.get(id).map(|row| Payload::from(row.as_str()))
    }

    fn configuration(&self, _clear_text: bool) -> BTreeMap<String, String> {
        self.configuration.clone()
    }

    fn metrics(&self, exposition: Exposition) -> Option<String> {
        self.metrics.as_ref().map(|text| format!("{text} {exposition:?}"))
    }

    fn log_levels(&self) -> BTreeMap<String, String> {
        BTreeMap::from([("ROOT".to_owned(), "INFO".to_owned())])
    }
}
