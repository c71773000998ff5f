//! Subscriptions (`management-repository.md` section 8.1). Those that are rejected are never served, and only read to be
//! told from ones that are.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use mongodb::bson::{Document, doc};
use zonegate_payload::record::{SubscriptionRecord, SubscriptionStatus};
use zonegate_repository::Selection;
use zonegate_repository::port::{Answer, IndexPage, IndexPosition, Listed, MAX_TEXT, Slice, Subscription};

use crate::document::Fields;
use crate::list::{Id, List};
use crate::query::{Query, Wanted};
use crate::session::{MongoSession, fields, of_environments, page_of_index, texts};

pub(crate) const COLLECTION: &str = "subscriptions";
const DOING: &str = "reading subscriptions";

/// All that is read.
const FIELDS: [&str; 17] = [
    "api",
    "referenceType",
    "referenceId",
    "environmentId",
    "plan",
    "application",
    "applicationName",
    "clientId",
    "clientCertificate",
    "status",
    "consumerStatus",
    "startingAt",
    "endingAt",
    "type",
    "configuration",
    "metadata",
    "updatedAt",
];

/// The fields that say to what a subscription is.
pub(crate) const SCOPE: [&str; 3] = ["api", "referenceType", "referenceId"];

impl MongoSession {
    /// By `p1i1`: plan, then id. The rest of the plan where the position is first, then the other plans, since the server
    /// takes an index for both only if it is asked for one after the other.
    pub(crate) async fn accepted_subscriptions(
        &mut self,
        plans: &[Arc<str>],
        (plan, id): (&str, &str),
        limit: usize,
        selection: Option<&Selection>,
    ) -> Answer<Vec<Subscription<i64>>> {
        let mut page = Vec::new();
        if !id.is_empty() && plans.iter().any(|one| **one == *plan) {
            let filter = doc! { "plan": plan, "_id": { "$gt": id } };
            page = self.accepted(filter, doc! { "_id": 1 }, limit, selection).await?;
        }
        let left = limit.saturating_sub(page.len());
        let others = plans.iter().filter(|one| &***one > plan).collect::<Vec<_>>();
        if left > 0 && !others.is_empty() {
            let filter = doc! { "plan": { "$in": texts(others) }, "_id": { "$type": "string" } };
            let order = doc! { "plan": 1, "_id": 1 };
            page.extend(self.accepted(filter, order, left, selection).await?);
        }
        Ok(page)
    }

    async fn accepted(
        &mut self,
        mut filter: Document,
        sort: Document,
        limit: usize,
        selection: Option<&Selection>,
    ) -> Answer<Vec<Subscription<i64>>> {
        filter.insert("status", accepted());
        of_environments(&mut filter, "environmentId", selection);
        let wanted = Wanted::Fields { projection: fields(&FIELDS), sort, limit };
        let query = Query { collection: COLLECTION, filter, wanted };
        let found = self.run(DOING, query, |document| subscription(&Fields::of(document))).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// By `e1ua1i1` (environment, time, id) for some environments, else by `ua1` (time).
    pub(crate) async fn changed_subscriptions(
        &mut self,
        slice: Slice<'_, i64>,
        selection: Option<&Selection>,
    ) -> Answer<Vec<Subscription<i64>>> {
        let mut filter = doc! {};
        of_environments(&mut filter, "environmentId", selection);
        let projection = fields(&FIELDS);
        let list = List { doing: DOING, collection: COLLECTION, filter, projection, id: Id::Own };
        self.list(list, slice, |_, fields| subscription(fields)).await
    }

    /// By `p1i1`.
    pub(crate) async fn counts_by_plan(
        &mut self,
        plans: &[Arc<str>],
        selection: Option<&Selection>,
    ) -> Answer<HashMap<String, usize>> {
        let mut filter = doc! { "plan": { "$in": texts(plans) }, "status": accepted() };
        of_environments(&mut filter, "environmentId", selection);
        let query = Query { collection: COLLECTION, filter, wanted: Wanted::Counts { of: "plan" } };
        let counts = self.run("counting subscriptions", query, |document| {
            let fields = Fields::of(document);
            Some((fields.text("_id")?, usize::try_from(fields.number("count")).unwrap_or(usize::MAX)))
        });
        Ok(counts.await?.into_iter().flatten().collect())
    }

    /// By `_id`.
    pub(crate) async fn index_of_subscriptions(
        &mut self,
        after: &IndexPosition,
        limit: usize,
        selection: Option<&Selection>,
    ) -> Answer<IndexPage<i64>> {
        let mut filter = doc! { "_id": { "$gt": &*after.id }, "status": accepted() };
        of_environments(&mut filter, "environmentId", selection);
        let mut projection = fields(&SCOPE);
        projection.insert("updatedAt", 1);
        let query = Query { collection: COLLECTION, filter, wanted: Wanted::Walk { projection, limit } };
        let found = self.run("reading an index of subscriptions", query, |document| {
            let fields = Fields::of(document);
            Some(Listed { id: fields.id("_id")?, scope: scope(&fields), updated: fields.date("updatedAt") })
        });
        let found = found.await?;
        let full = found.len() == limit;
        let listed = found.into_iter().flatten().collect::<Vec<_>>();
        let last = listed.last().map(|last| Arc::clone(&last.id)).filter(|_| full);
        Ok(page_of_index(listed, last))
    }
}

/// `None` only where there is no id.
fn subscription(fields: &Fields<'_>) -> Option<Subscription<i64>> {
    let long_metadata = fields.size("metadata") > MAX_TEXT;
    let too_long = long_metadata || FIELDS.iter().any(|name| fields.is_too_long(name));
    let record = SubscriptionRecord {
        id: fields.id("_id")?,
        api: fields.id("api"),
        reference_type: fields.text("referenceType"),
        reference_id: fields.id("referenceId"),
        environment_id: fields.id("environmentId"),
        // One without a plan is of no plan that is served.
        plan: fields.id("plan").unwrap_or_else(|| "".into()),
        application: fields.id("application"),
        application_name: fields.text("applicationName"),
        client_id: fields.text("clientId"),
        client_certificate: fields.text("clientCertificate"),
        status: status(fields),
        consumer_status: fields.text("consumerStatus"),
        starting_at: fields.time("startingAt"),
        ending_at: fields.time("endingAt"),
        kind: fields.text("type"),
        configuration: fields.text("configuration"),
        metadata: if long_metadata { BTreeMap::new() } else { fields.map("metadata") },
    };
    Some(Subscription { record, updated: fields.date("updatedAt"), too_long })
}

/// Only subscriptions in that state. To the server a list that has the word in it would be equal to it.
pub(crate) fn accepted() -> Document {
    doc! { "$eq": "ACCEPTED", "$not": { "$type": "array" } }
}

/// The state of a subscription.
pub(crate) fn status(fields: &Fields<'_>) -> SubscriptionStatus {
    SubscriptionStatus::from(fields.text("status").as_deref().unwrap_or_default())
}

/// The API or product of a subscription ([`SubscriptionRecord::scope`]), from the fields [`SCOPE`].
pub(crate) fn scope(fields: &Fields<'_>) -> Option<Arc<str>> {
    let product = fields.text("referenceType").as_deref() == Some("API_PRODUCT");
    let reference = fields.id("referenceId");
    if product { reference } else { reference.or_else(|| fields.id("api")) }
}
