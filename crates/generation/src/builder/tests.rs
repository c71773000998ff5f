//! A small data plane, rows, and what must hold of the generations built from them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use zonegate_definition::{Api, ApiProduct, Flow, Plan, Reason, Refusal, Security};
use zonegate_model::{Digests, Kind, Row, RowKey};

use super::{Builder, Committed, Settings};
use crate::compile::{Compile, Surroundings};
use crate::credentials::Credentials;
use crate::generation::Generation;
use crate::served::{Scope, Served};

mod equality;
mod guarantees;
mod places;
mod products;

/// Compiles an API to a text: its name, and the names of its organization's flows. Refuses a policy named `unknown`, and
/// plans of type JWT.
struct Texts;

impl Compile for Texts {
    type Compiled = String;
    type CompiledProduct = String;

    fn compile(&self, api: &Arc<Api>, surroundings: &Surroundings<'_>) -> Result<String, Refusal> {
        let platform = surroundings.organization.map(|organization| &organization.flows);
        let names = names(api.flows.iter().chain(platform.into_iter().flatten()), &api.plans)?;
        Ok(format!("{} [{names}]", api.name))
    }

    fn compile_product(&self, product: &Arc<ApiProduct>) -> Result<String, Refusal> {
        names(product.plans.iter().flat_map(|plan| &plan.flows), &product.plans)
    }
}

fn names<'a>(flows: impl Iterator<Item = &'a Flow> + Clone, plans: &[Plan]) -> Result<String, Refusal> {
    for step in flows.clone().flat_map(|flow| &flow.request) {
        if step.policy() == Some("unknown") {
            return Err(Refusal::new(Reason::UnknownPolicy("unknown".to_owned()), "flows"));
        }
    }
    if let Some(plan) = plans.iter().find(|plan| matches!(plan.security, Security::Jwt(_))) {
        let reason = Reason::PlanSecurity(plan.security.label().to_owned());
        return Err(Refusal::new(reason, "plans"));
    }
    let names: Vec<&str> = flows.filter_map(|flow| flow.name.as_deref()).collect();
    Ok(names.join(" "))
}

type State = Generation<Texts>;

fn builder() -> Builder<Texts> {
    Builder::new(Texts, Settings::default())
}

fn strict() -> Builder<Texts> {
    Builder::new(Texts, Settings { keep_previous: false, ..Settings::default() })
}

fn commit(builder: &mut Builder<Texts>, full: bool, rows: Vec<Row>) -> Committed {
    builder.begin(full);
    builder.rows(rows);
    builder.commit(None, Digests::default())
}

/// A change that is not full, and the state after it.
fn change(builder: &mut Builder<Texts>, rows: Vec<Row>) -> Arc<State> {
    commit(builder, false, rows);
    builder.published().load()
}

fn definition(id: &str, path: &str) -> Value {
    json!({
        "id": id, "name": format!("name of {id}"), "type": "proxy", "definitionVersion": "4.0.0",
        "listeners": [{ "type": "http", "paths": [{ "path": path }] }],
        "plans": [{ "id": "p", "status": "published", "security": { "type": "api-key" } }],
        "flows": []
    })
}

fn deployed(definition: &Value, at: i64) -> Row {
    let id = definition["id"].as_str().unwrap_or_default();
    let payload = json!({ "definition": definition, "enabled": true, "deployedAt": at, "organizationId": "O",
        "environmentId": "E" });
    Row::deployed(RowKey::new(Kind::Api, id), payload.to_string())
}

fn api(id: &str, path: &str) -> Row {
    deployed(&definition(id, path), 1)
}

/// An API that nobody may call by itself.
fn bare_api(id: &str, path: &str) -> Row {
    let mut definition = definition(id, path);
    definition["plans"] = json!([]);
    deployed(&definition, 1)
}

/// A product with one plan for API keys, named after it.
fn product(id: &str, apis: &[&str]) -> Value {
    json!({ "id": id, "name": format!("name of {id}"), "apiIds": apis, "environmentId": "E", "deployedAt": 1,
        "plans": [{ "id": format!("plan of {id}"), "status": "published", "security": { "type": "api-key" } }] })
}

fn deployed_product(product: &Value) -> Row {
    Row::deployed(
        RowKey::new(Kind::ApiProduct, product["id"].as_str().unwrap_or_default()),
        product.to_string(),
    )
}

fn no_product(id: &str) -> Row {
    Row::removed(RowKey::new(Kind::ApiProduct, id))
}

fn product_with_policy(id: &str, apis: &[&str], policy: &str) -> Row {
    let mut product = product(id, apis);
    product["plans"][0]["flows"] = json!([{ "name": policy, "request": [{ "policy": policy }] }]);
    deployed_product(&product)
}

fn no_api(id: &str) -> Row {
    Row::removed(RowKey::new(Kind::Api, id))
}

fn with_policy(id: &str, path: &str, policy: &str) -> Row {
    let mut definition = definition(id, path);
    definition["flows"] = json!([{ "name": "f", "request": [{ "policy": policy }] }]);
    deployed(&definition, 2)
}

fn subscription(scope: &str, id: &str, status: &str) -> Row {
    let payload = json!({ "id": id, "plan": "p", "application": format!("app of {id}"), "status": status });
    Row::deployed(RowKey::scoped(Kind::Subscription, scope, id), payload.to_string())
}

fn push_subscription(scope: &str, id: &str) -> Row {
    let payload =
        json!({ "id": id, "plan": "p", "application": "app", "status": "ACCEPTED", "type": "PUSH" });
    Row::deployed(RowKey::scoped(Kind::Subscription, scope, id), payload.to_string())
}

fn key(scope: &str, id: &str, text: &str, subscription: &str, active: bool) -> Row {
    let payload =
        json!({ "id": id, "key": text, "subscription": subscription, "plan": "p", "active": active });
    Row::deployed(RowKey::scoped(Kind::ApiKey, scope, id), payload.to_string())
}

fn organization(flow: &str, policy: &str) -> Row {
    let payload = json!({ "enabled": true, "definition": { "id": "O",
        "flows": [{ "name": flow, "pre": [{ "policy": policy }] }] } });
    Row::deployed(RowKey::new(Kind::Organization, "O"), payload.to_string())
}

fn access_point(id: &str, host: &str) -> Row {
    let payload = json!({ "id": id, "environmentId": "E", "host": host, "target": "GATEWAY" });
    Row::deployed(RowKey::new(Kind::AccessPoint, id), payload.to_string())
}

fn served(state: &State, id: &str) -> Arc<Served<Texts>> {
    state.api(id).unwrap_or_else(|| panic!("{id} is served")).clone()
}

/// The API that a path leads to.
fn at(state: &State, path: &str) -> Option<String> {
    state.route(None, None, path).map(|routed| routed.served.api.id.to_string())
}

fn at_host(state: &State, host: &str, path: &str) -> Option<String> {
    state.route(None, Some(host.as_bytes()), path).map(|routed| routed.served.api.id.to_string())
}

fn credentials<'a>(state: &'a State, id: &str) -> &'a Credentials {
    state.credentials_of(id).unwrap_or_else(|| panic!("{id} has credentials"))
}

/// The subscription that a key leads to.
fn by_key(state: &State, id: &str, key: &str) -> Option<String> {
    state.api(id)?;
    state.credentials_of(id)?.find_key(key.as_bytes()).map(|found| found.subscription.to_string())
}

/// Why an API is refused, and whether an earlier version is served.
fn refused(state: &State, id: &str) -> Option<(String, bool)> {
    let refused = state.refused().find(|refused| &*refused.id == id)?;
    Some((refused.refusal.to_string(), refused.previous_served))
}

fn visible_credentials(state: &State, scope: Scope<'_>) -> String {
    state.credentials(scope).map(|credentials| credentials.visible().join(", ")).unwrap_or_default()
}

/// All that can be seen of a state, for comparing two.
fn visible(state: &State) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for served in state.apis() {
        let mut paths: Vec<String> = state
            .routes
            .iter()
            .filter(|route| Arc::ptr_eq(&route.served, served))
            .map(|route| &route.claim)
            .map(|claim| format!("{}{} on {:?}", claim.place.host, claim.place.path, claim.servers))
            .collect();
        paths.sort();
        let credentials = visible_credentials(state, served.scope());
        let plans = served.products.plans().map(|(product, at)| {
            let (product, credentials) = (&product.product, visible_credentials(state, product.scope()));
            format!("{} of {} with {credentials}", product.plans[at].id, product.id)
        });
        let plans: Vec<String> = plans.collect();
        let text = format!("{} {paths:?} {credentials} {plans:?}", served.compiled);
        all.insert(format!("api {}", served.api.id), text);
    }
    for refused in state.refused() {
        all.insert(
            format!("refused {} {}", refused.kind, refused.id),
            format!("{} {}", refused.refusal, refused.previous_served),
        );
    }
    if state.push_subscription_count() > 0 {
        all.insert("push".to_owned(), state.push_subscription_count().to_string());
    }
    for dictionary in state.dictionaries() {
        all.insert(format!("dictionary {}", dictionary.id), format!("{:?}", dictionary.properties));
    }
    all
}
