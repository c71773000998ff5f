//! A zone's full state as large companies have it, made row by row and never held whole: APIs of 3 to 5 kB, subscriptions and
//! keys as APIM's gateways write them, API products with their subscriptions.

use serde_json::json;
use zonegate_management_writer::FillSpec;
use zonegate_model::{Kind, Row, RowKey};

/// When everything was deployed.
const DEPLOYED_AT: i64 = 1_795_000_000_000;
/// The member APIs of the largest product.
const MOST_MEMBERS: usize = 792;

/// How much of everything.
#[derive(Debug, Clone)]
pub(super) struct SampleState {
    spec: FillSpec,
    products: usize,
    product_subscriptions: usize,
    /// Subscriptions, in all, of so many of the APIs, as many of each as a product has.
    extra: (usize, usize),
}

impl SampleState {
    /// APIs with as many subscriptions and keys each.
    pub(super) fn new(apis: usize, subscriptions_per_api: usize) -> Self {
        let spec = FillSpec {
            apis,
            subscriptions_per_api,
            name: "bench".to_owned(),
            target: "http://127.0.0.1:8081".to_owned(),
        };
        Self { spec, products: 0, product_subscriptions: 0, extra: (0, 0) }
    }

    /// The same with API products of 1 to 792 members each, and with subscriptions and keys, spread over the products.
    pub(super) fn with_products(self, products: usize, subscriptions: usize) -> Self {
        Self { products, product_subscriptions: subscriptions, ..self }
    }

    /// The same with subscriptions and keys of the first APIs, spread over them as they would be over products.
    pub(super) fn with_plain_subscriptions(self, apis: usize, subscriptions: usize) -> Self {
        Self { extra: (apis, subscriptions), ..self }
    }

    /// Subscriptions of all APIs.
    pub(super) fn subscriptions(&self) -> usize {
        self.spec.apis * self.spec.subscriptions_per_api
    }

    /// Rows by kind, as the technical API names them.
    pub(super) fn kinds(&self) -> [(&'static str, usize); 4] {
        let credentials = self.subscriptions() + self.product_subscriptions + self.extra.1;
        [
            (Kind::Api.name(), self.spec.apis),
            (Kind::ApiProduct.name(), self.products),
            (Kind::Subscription.name(), credentials),
            (Kind::ApiKey.name(), credentials),
        ]
    }

    /// Rows of all kinds.
    pub(super) fn count(&self) -> usize {
        self.kinds().iter().map(|(_, count)| count).sum()
    }

    /// The member APIs of the largest product.
    pub(super) fn most_members(&self) -> usize {
        self.members(self.products.saturating_sub(1))
    }

    /// Memberships of APIs in products.
    pub(super) fn memberships(&self) -> usize {
        (0..self.products).map(|product| self.members(product)).sum()
    }

    /// All rows in the order in which a primary writes them: each unit with what belongs to it.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        let apis = (0..self.spec.apis).flat_map(move |number| {
            let credentials =
                (0..self.spec.subscriptions_per_api).flat_map(move |mine| self.credentials(number, mine));
            let (apis, extra) = self.extra;
            let extra = (number..if number < apis { extra } else { 0 }).step_by(apis.max(1));
            let extra =
                extra.flat_map(move |other| self.other_credentials(self.spec.api(number), "api", other));
            std::iter::once(self.api(number, 0)).chain(credentials).chain(extra)
        });
        let products = (0..self.products).flat_map(move |product| {
            let mine = (product..self.product_subscriptions).step_by(self.products);
            let credentials = mine
                .flat_map(move |number| self.other_credentials(product_id(product), "apiProductId", number));
            std::iter::once(self.product(product)).chain(credentials)
        });
        apis.chain(products)
    }

    /// API `number` as it was deployed in a round; each round is a change.
    pub(super) fn api(&self, number: usize, round: usize) -> Row {
        let id = self.spec.api(number);
        let api = self.spec.spec(number).with("apiVersion", json!(format!("1.{round}")));
        let text = json!({
            "definition": api.definition(), "enabled": true, "deployedAt": DEPLOYED_AT + round as i64,
            "revision": (round + 1).to_string(), "environmentId": "DEFAULT", "environmentHrid": "default",
            "organizationId": "DEFAULT", "organizationHrid": "default",
        });
        Row::deployed(RowKey::new(Kind::Api, id), text.to_string())
    }

    /// The row of a key of an API, and that it is revoked.
    pub(super) fn revoked_key(&self, number: usize, mine: usize) -> [Row; 2] {
        let [_, key] = self.credentials(number, mine);
        let removed = Row::removed(key.key.clone());
        [key, removed]
    }

    /// Bytes that tell one subscription with its key from all others: its id, the key's id and secret, plan, application.
    pub(super) fn own_text(&self) -> usize {
        let spec = &self.spec;
        let own = [
            spec.subscription(0, 0),
            spec.key_id(0, 0),
            spec.key(0, 0),
            plan(&spec.api(0)),
            spec.application(0, 0),
        ];
        own.iter().map(String::len).sum()
    }

    /// A subscription of an API, and its key.
    fn credentials(&self, number: usize, mine: usize) -> [Row; 2] {
        self.ids(number, mine).rows("api")
    }

    fn members(&self, product: usize) -> usize {
        let most = MOST_MEMBERS.min(self.spec.apis);
        1 + product * (most - 1) / self.products.saturating_sub(1).max(1)
    }

    fn product(&self, product: usize) -> Row {
        let id = product_id(product);
        // Each product begins elsewhere, so that APIs are members of many.
        let members: Vec<_> = (0..self.members(product))
            .map(|member| self.spec.api((product + member) % self.spec.apis))
            .collect();
        let text = json!({
            "id": id, "name": format!("Product {product}"), "version": "1", "apiIds": members,
            "plans": [{
                "id": plan(&id), "name": "API key", "mode": "standard", "status": "published", "tags": [], "flows": [],
                "security": { "type": "api-key", "configuration": {} },
            }],
            "environmentId": "DEFAULT", "environmentHrid": "default", "organizationId": "DEFAULT",
            "organizationHrid": "default", "deployedAt": DEPLOYED_AT,
        });
        Row::deployed(RowKey::new(Kind::ApiProduct, id), text.to_string())
    }

    /// A subscription and its key that are not among those that each API has.
    fn other_credentials(&self, scope: String, reference: &str, number: usize) -> [Row; 2] {
        let beyond = self.subscriptions() + number;
        let ids = Ids { scope, ..self.ids(0, beyond) };
        ids.rows(reference)
    }

    fn ids(&self, number: usize, mine: usize) -> Ids {
        let spec = &self.spec;
        Ids {
            scope: spec.api(number),
            subscription: spec.subscription(number, mine),
            key: spec.key_id(number, mine),
            secret: spec.key(number, mine),
            application: spec.application(number, mine),
        }
    }
}

/// What a subscription and its key are called.
struct Ids {
    /// The API or API product.
    scope: String,
    subscription: String,
    key: String,
    secret: String,
    application: String,
}

impl Ids {
    /// Both rows; `reference` is the member that names the scope.
    fn rows(&self, reference: &str) -> [Row; 2] {
        let plan = plan(&self.scope);
        let subscription = json!({
            "id": self.subscription, reference: self.scope, "plan": plan, "application": self.application,
            "applicationName": "Customer portal", "status": "ACCEPTED", "consumerStatus": "STARTED",
            "startingAt": DEPLOYED_AT, "metadata": {}, "type": "STANDARD", "forceDispatch": false,
            "environmentId": "DEFAULT",
        });
        let key = json!({
            "id": self.key, "key": self.secret, reference: self.scope, "plan": plan, "subscription": self.subscription,
            "application": self.application, "revoked": false, "paused": false, "active": true,
        });
        [(Kind::Subscription, &self.subscription, subscription), (Kind::ApiKey, &self.key, key)].map(
            |(kind, id, text)| {
                Row::deployed(RowKey::scoped(kind, self.scope.as_str(), id.as_str()), text.to_string())
            },
        )
    }
}

/// As long as the ids that APIM makes.
fn product_id(number: usize) -> String {
    format!("{number:08x}-a409-4bd9-af50-0123456789ab")
}

/// The plan that subscriptions of an API or API product are for.
fn plan(scope: &str) -> String {
    format!("{scope}-api-key")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn rows_are_as_many_as_they_are_said_to_be_and_all_different() {
        let state = SampleState::new(900, 2).with_products(10, 25);
        let keys: BTreeSet<_> = state.rows().map(|row| row.key).collect();
        assert_eq!(keys.len(), state.count());
        assert_eq!(state.count(), 900 + 10 + 2 * (1800 + 25));
        assert_eq!((state.members(0), state.members(9)), (1, 792));
        assert_ne!(state.api(1, 0), state.api(1, 1));
        assert_eq!(state.rows().next(), Some(state.api(0, 0)));
    }
}
