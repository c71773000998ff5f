//! API products: several APIs behind common plans (`zone-store.md` section 6.10).

use std::sync::Arc;

use zonegate_payload::ApiProductPayload;

use crate::json::Items;
use crate::read::check_size;
use crate::refusal::{Reason, Refusal};
use crate::{At, NodeContext, NotHere, Plan, Read, json, v4};

/// An API product that this gateway serves: its plans are tried before those of each member API.
#[derive(Clone, Debug)]
pub struct ApiProduct {
    /// Id; subscriptions name it.
    pub id: Arc<str>,
    /// Name for people.
    pub name: Arc<str>,
    /// Id of the environment.
    pub environment: Option<Arc<str>>,
    /// Id of the organization.
    pub organization: Option<Arc<str>>,
    /// When it was deployed, milliseconds since 1970.
    pub deployed_at: Option<i64>,
    /// Sharding tags.
    pub tags: Vec<String>,
    /// Ids of the member APIs, none twice, in the order of the row.
    pub apis: Vec<Arc<str>>,
    /// Plans in the order in which they are tried. Never empty.
    pub plans: Vec<Plan>,
}

/// Reads an API-product row by the rules for V4 plans. A product is for this gateway when an API with its tags would be.
pub fn read_api_product(
    payload: &ApiProductPayload,
    node: &NodeContext,
) -> Result<Read<ApiProduct>, Refusal> {
    if payload.id.trim().is_empty() {
        return Err(At::WHOLE.refuse(Reason::Missing("id")));
    }
    if !node.accepts(&payload.tags) {
        return Ok(Read::NotHere(NotHere::Tags));
    }
    let text = payload.plans.as_ref().map_or("[]", |plans| plans.get());
    check_size(text)?;
    let written: Option<Items<v4::PlanJson<'_>>> = json::parse(text, &At::root("plans"))?;
    let plans = v4::plans(written.unwrap_or_default().0, node)?;
    if plans.is_empty() {
        return Ok(Read::NotHere(NotHere::NoPlan));
    }
    let mut apis: Vec<Arc<str>> = Vec::with_capacity(payload.api_ids.len());
    let mut seen = std::collections::HashSet::with_capacity(payload.api_ids.len());
    apis.extend(payload.api_ids.iter().filter(|id| seen.insert(id.as_str())).map(|id| id.as_str().into()));
    Ok(Read::Serve(Box::new(ApiProduct {
        id: payload.id.as_str().into(),
        name: payload.rest.get("name").and_then(|name| name.as_str()).unwrap_or_default().into(),
        environment: payload.environment_id.clone(),
        organization: payload.organization_id.clone(),
        deployed_at: payload.deployed_at,
        tags: payload.tags.clone(),
        apis,
        plans,
    })))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::Security;

    fn read(row: &Value, node: &NodeContext) -> Result<Read<ApiProduct>, Refusal> {
        let payload: ApiProductPayload = serde_json::from_str(&row.to_string()).expect("the row is JSON");
        read_api_product(&payload, node)
    }

    fn row() -> Value {
        json!({
            "id": "product", "name": "Bundle", "version": "1", "apiIds": ["a", "b", "a"], "environmentId": "E",
            "deployedAt": 7, "tags": ["EU"],
            "plans": [
                { "id": "open", "status": "published", "security": { "type": "key-less" } },
                { "id": "keyed", "status": "published", "security": { "type": "api-key" } },
                { "id": "gone", "status": "closed", "security": { "type": "quantum" } }
            ]
        })
    }

    #[test]
    fn a_product_has_its_members_once_and_its_served_plans_in_chain_order() {
        let Ok(Read::Serve(product)) = read(&row(), &NodeContext::default()) else { panic!("it is served") };
        assert_eq!((&*product.id, &*product.name), ("product", "Bundle"));
        assert_eq!((product.environment.as_deref(), product.deployed_at), (Some("E"), Some(7)));
        assert_eq!(product.apis.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["a", "b"]);
        assert_eq!(product.plans.iter().map(|plan| &*plan.id).collect::<Vec<_>>(), ["keyed", "open"]);
        assert!(matches!(product.plans[0].security, Security::ApiKey(_)));
    }

    #[test]
    fn a_product_of_other_tags_or_without_a_plan_is_not_here() {
        let node =
            |tag| NodeContext { tags: zonegate_payload::ShardingTags::new([tag]), ..NodeContext::default() };
        assert!(matches!(read(&row(), &node("us")), Ok(Read::NotHere(NotHere::Tags))));
        assert!(matches!(read(&row(), &node("eu")), Ok(Read::Serve(_))));
        for plans in [Value::Null, json!([]), json!([{ "id": "p", "status": "staging" }])] {
            let mut row = row();
            row["plans"] = plans;
            assert!(matches!(read(&row, &NodeContext::default()), Ok(Read::NotHere(NotHere::NoPlan))));
        }
    }

    #[test]
    fn s3_a_product_whose_plans_are_not_understood_is_refused_with_the_place() {
        for (plans, at) in [
            (json!(7), "plans"),
            (json!([{ "status": "published", "security": { "type": "key-less" } }]), "plans[0]"),
            (json!([{ "id": "p", "status": "published" }]), "plans[0].security"),
            (json!([row()["plans"][0], row()["plans"][0]]), "plans"),
        ] {
            let mut row = row();
            row["plans"] = plans;
            assert_eq!(read(&row, &NodeContext::default()).expect_err("refused").at, at);
        }
        let mut row = row();
        row["id"] = json!("");
        read(&row, &NodeContext::default()).expect_err("a product without an id");
    }
}
