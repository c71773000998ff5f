//! A zone's full state, made up: APIs with plans, subscriptions and keys, as long as real ones.

use serde_json::json;
use zonegate_management_writer::ApiSpec;
use zonegate_model::{Kind, Row, RowKey, RowState};

use super::super::Quickness;
use super::publisher::ZONE;

/// Bytes of an API's text.
const API_BYTES: usize = 1500;
/// Bytes of a subscription's or key's text.
const CREDENTIAL_BYTES: usize = 375;

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    /// APIs.
    pub(super) apis: usize,
    /// Subscriptions, and as many keys.
    pub(super) subscriptions: usize,
}

impl Size {
    /// What a full state is taken to be.
    pub(super) fn of(quickness: Quickness) -> Self {
        match quickness {
            Quickness::Full | Quickness::Large => Self { apis: 20_000, subscriptions: 50_000 },
            Quickness::Quick => Self { apis: 2_000, subscriptions: 5_000 },
        }
    }
}

/// Rows in the order in which a primary writes them: each API with what belongs to it.
#[derive(Debug)]
pub(super) struct FullState {
    /// All of them.
    pub(super) rows: Vec<Row>,
}

/// What rows of some kinds have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kindred {
    /// How many there are.
    pub(super) count: usize,
    /// Bytes of text of the average one.
    pub(super) text: usize,
    /// Bytes of the key that the average one lies under.
    pub(super) key: usize,
}

impl FullState {
    /// Makes it up.
    pub(super) fn new(size: Size) -> Self {
        let mut rows = Vec::with_capacity(size.apis + 2 * size.subscriptions);
        for number in 0..size.apis {
            rows.push(api_row(number, "as it was at first"));
            for subscription in (number..size.subscriptions).step_by(size.apis) {
                rows.push(subscription_row(number, subscription));
                rows.push(key_row(number, subscription));
            }
        }
        Self { rows }
    }

    /// APIs, and subscriptions with keys: they differ in size, so a reference has to treat them apart.
    pub(super) fn kindred(&self) -> [Kindred; 2] {
        let (apis, credentials): (Vec<_>, Vec<_>) =
            self.rows.iter().partition(|row| row.key.kind == Kind::Api);
        [apis, credentials].map(|rows| {
            let count = rows.len();
            let mean = |total: usize| total / count.max(1);
            Kindred {
                count,
                text: mean(rows.iter().map(|row| text(row).len()).sum()),
                key: mean(rows.iter().map(|row| store_key(&row.key).len()).sum()),
            }
        })
    }

    /// What it is, for people.
    pub(super) fn describe(&self) -> String {
        let [apis, credentials] = self.kindred();
        format!(
            "{} APIs of {} B and {} subscriptions and keys of {} B, {} rows in all",
            apis.count,
            apis.text,
            credentials.count,
            credentials.text,
            self.rows.len()
        )
    }
}

/// The row of an API. It says `description`, so that another one is a change.
pub(super) fn api_row(number: usize, description: &str) -> Row {
    let id = api_id(number);
    let definition = |description: &str| {
        let target = "http://127.0.0.1:8081/";
        let api =
            ApiSpec::v4(&id, format!("/path-{number}"), target).name(&format!("API {number}")).api_key();
        json!({
            "definition": api.with("description", json!(description)).definition(), "enabled": true,
            "deployedAt": 1_795_000_000_000_i64, "revision": "1", "environmentId": "DEFAULT",
            "environmentHrid": "default", "organizationId": "DEFAULT", "organizationHrid": "default",
        })
        .to_string()
    };
    let bare = definition(description).len();
    let padded = format!("{description}{}", ".".repeat(API_BYTES.saturating_sub(bare)));
    Row::deployed(RowKey::new(Kind::Api, id.as_str()), definition(&padded))
}

fn subscription_row(api: usize, number: usize) -> Row {
    let (api, id) = (api_id(api), id("50b5", number));
    let text = |name: &str| {
        json!({
            "id": id, "api": api, "plan": format!("{api}-api-key"), "application": self::id("a991", number),
            "applicationName": name, "status": "ACCEPTED", "consumerStatus": "STARTED",
            "startingAt": 1_795_000_000_000_i64, "metadata": {}, "type": "STANDARD", "forceDispatch": false,
            "environmentId": "DEFAULT",
        })
        .to_string()
    };
    let name = "n".repeat(CREDENTIAL_BYTES.saturating_sub(text("").len()));
    Row::deployed(RowKey::scoped(Kind::Subscription, api.as_str(), id.as_str()), text(&name))
}

fn key_row(api: usize, number: usize) -> Row {
    let (api, id) = (api_id(api), id("4e75", number));
    let text = |secret: &str| {
        json!({
            "id": id, "key": secret, "api": api, "plan": format!("{api}-api-key"),
            "subscription": self::id("50b5", number), "application": self::id("a991", number),
            "revoked": false, "paused": false, "active": true,
        })
        .to_string()
    };
    let start = format!("{number:036}");
    let secret = format!("{start}{}", "s".repeat(CREDENTIAL_BYTES.saturating_sub(text(&start).len())));
    Row::deployed(RowKey::scoped(Kind::ApiKey, api.as_str(), id.as_str()), text(&secret))
}

fn api_id(number: usize) -> String {
    id("a419", number)
}

/// As long as the ids that APIM makes.
fn id(mark: &str, number: usize) -> String {
    format!("{number:08x}-{mark}-4bd9-af50-0123456789ab")
}

/// The text of a row that is deployed.
fn text(row: &Row) -> &str {
    match &row.state {
        RowState::Deployed(payload) => payload.as_str(),
        RowState::Removed => "",
    }
}

/// The key that a row lies under (APIM's layout). The ids made up here hold nothing that would have to be encoded.
pub(super) fn store_key(key: &RowKey) -> String {
    let kind = key.kind.name();
    match &key.scope {
        Some(scope) => format!("distributed_event:{ZONE}:API:{scope}:{kind}:{}", key.id),
        None => format!("distributed_event:{ZONE}:{kind}:{}", key.id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_as_many_and_as_long_as_they_are_said_to_be() {
        let state = FullState::new(Size { apis: 20, subscriptions: 50 });
        let [apis, credentials] = state.kindred();
        assert_eq!((apis.count, apis.text), (20, API_BYTES));
        assert_eq!((credentials.count, credentials.text), (100, CREDENTIAL_BYTES));
        let keys: std::collections::BTreeSet<_> = state.rows.iter().map(|row| store_key(&row.key)).collect();
        assert_eq!(keys.len(), 120);
    }
}
