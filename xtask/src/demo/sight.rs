//! What a gateway says about itself: `/_node/sync` of its technical API, read by hand as an operator's script would.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use zonegate_testkit::gateway::ADMIN;
use zonegate_testkit::http_client;

/// The longest that a look may take.
const TIME_OUT: Duration = Duration::from_secs(2);

/// One look at a gateway.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sight {
    /// Whether a complete state is active.
    pub(crate) ready: bool,
    /// `starting`, `primary`, `secondary`.
    pub(crate) role: String,
    /// The id of the primary that it knows.
    pub(crate) primary: Option<String>,
    /// The epoch of its lease; 0 on a secondary.
    pub(crate) epoch: u64,
    /// Which filling of the store it knows.
    pub(crate) store: Option<String>,
    /// The revision that it serves.
    pub(crate) applied: Option<u64>,
    /// Age of the repository's time that it serves.
    pub(crate) lag: Option<Duration>,
    /// Whether the repository answers; `None` if it does not ask.
    pub(crate) repository_up: Option<bool>,
    /// Active rows by kind, where there are any.
    pub(crate) rows: BTreeMap<String, u64>,
    /// What it refuses, with the reason.
    pub(crate) refused: BTreeMap<String, String>,
    /// Live members of the zone.
    pub(crate) members: usize,
}

impl Sight {
    /// Asks a gateway; `None` if it does not answer.
    pub(crate) async fn take(technical: SocketAddr) -> Option<Self> {
        let asking = http_client::get(technical, "/_node/sync", &[("authorization", ADMIN)]);
        let answer = tokio::time::timeout(TIME_OUT, asking).await.ok()?.ok()?;
        let json = answer.json();
        json["zone"].is_object().then(|| Self::read(&json))
    }

    fn read(json: &Value) -> Self {
        let zone = &json["zone"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let refused = zone["refused"].as_array().into_iter().flatten();
        let rows = zone["rows"].as_object().into_iter().flatten();
        Self {
            ready: json["initialDone"] == true,
            role: text(&zone["role"]).unwrap_or_default(),
            primary: text(&zone["lease"]["primary"]),
            epoch: zone["lease"]["epoch"].as_u64().unwrap_or_default(),
            store: text(&zone["store"]["id"]),
            applied: zone["applied"].as_u64(),
            lag: zone["lagMillis"].as_u64().map(Duration::from_millis),
            repository_up: zone["repository"]["up"].as_bool(),
            rows: rows
                .filter_map(|(kind, count)| Some((kind.clone(), count.as_u64().filter(|count| *count > 0)?)))
                .collect(),
            refused: refused
                .filter_map(|refusal| Some((text(&refusal["id"])?, text(&refusal["reason"])?)))
                .collect(),
            members: zone["members"].as_array().map_or(0, Vec::len),
        }
    }

    /// Whether it leads its zone.
    pub(crate) fn is_primary(&self) -> bool {
        self.role == "primary"
    }
}

/// The part that says why something is not as expected.
impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ready, role, epoch, applied, repository_up, refused, members, .. } = self;
        let repository = match repository_up {
            None => "not asked",
            Some(true) => "answers",
            Some(false) => "does not answer",
        };
        write!(
            f,
            "{role}, ready: {ready}, epoch {epoch}, serves revision {applied:?}, knows {members} members, "
        )?;
        write!(
            f,
            "repository {repository}, store {:?}, rows {:?}, refused {refused:?}",
            self.store, self.rows
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_primary_with_a_refusal_is_read() {
        let sight = Sight::read(&serde_json::json!({
            "initialDone": true,
            "zone": {
                "role": "primary", "lease": { "epoch": 4, "primary": "n" }, "applied": 18, "lagMillis": 374,
                "store": { "id": "s", "revision": 18, "whole": 18 }, "rows": { "API": 12, "LICENSE": 0 },
                "refused": [{ "kind": "API", "id": "x", "reason": "why" }], "repository": { "up": true },
                "members": [{}, {}],
            },
        }));
        assert!(sight.ready && sight.is_primary());
        assert_eq!((sight.epoch, sight.applied, sight.members), (4, Some(18), 2));
        assert_eq!(sight.refused["x"], "why");
        assert_eq!((sight.rows["API"], sight.rows.len(), sight.repository_up), (12, 1, Some(true)));
        assert!(sight.to_string().contains("repository answers"), "{sight}");
    }
}
