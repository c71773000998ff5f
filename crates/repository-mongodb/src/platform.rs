//! Environments, organizations and what else has a collection of its own (`management-repository.md` section 5).

use mongodb::bson::doc;
use zonegate_payload::record::AccessPointRecord;
use zonegate_repository::port::{AccessPoint, Answer, License, Slice};
use zonegate_repository::{Selection, Tables};

use crate::document::Fields;
use crate::list::{Id, List};
use crate::query::{Query, Wanted};
use crate::session::{MongoSession, fields, of_environments, texts};

impl MongoSession {
    /// All of them: there are few.
    pub(crate) async fn environments_and_organizations(&mut self) -> Answer<Tables> {
        let all = |collection, names: &[&str]| Query {
            collection,
            filter: doc! {},
            wanted: Wanted::Fields { projection: fields(names), sort: doc! { "_id": 1 }, limit: 0 },
        };
        let query = all("environments", &["organizationId", "hrids"]);
        let environments = self.run("reading environments", query, |document| {
            let fields = Fields::of(document);
            Some((fields.id("_id")?, fields.id("organizationId")?, fields.ids("hrids")))
        });
        let environments = environments.await?;
        let query = all("organizations", &["hrids"]);
        let organizations = self.run("reading organizations", query, |document| {
            let fields = Fields::of(document);
            Some((fields.text("_id")?, fields.ids("hrids")))
        });
        let mut tables = Tables::default();
        for (id, hrids) in organizations.await?.into_iter().flatten() {
            tables.organization_hrids.extend(hrids.iter().map(|hrid| (id.clone(), hrid.to_string())));
        }
        for (id, organization, hrids) in environments.into_iter().flatten() {
            tables.environment_hrids.extend(hrids.iter().map(|hrid| (id.to_string(), hrid.to_string())));
            tables.environments.push((id, organization));
        }
        Ok(tables)
    }

    pub(crate) async fn installation_id(&mut self) -> Answer<Option<String>> {
        let (projection, sort) = (doc! { "_id": 1 }, doc! { "createdAt": 1, "_id": 1 });
        let wanted = Wanted::Fields { projection, sort, limit: 1 };
        let query = Query { collection: "installation", filter: doc! {}, wanted };
        let ids = self.run("reading the installation", query, |document| Fields::of(document).text("_id"));
        Ok(ids.await?.into_iter().flatten().next())
    }

    /// By `f_t1` (time) or `id_rt_ri1` (type and id of the reference).
    pub(crate) async fn licenses_of_organizations(
        &mut self,
        slice: Slice<'_, i64>,
        selection: Option<&Selection>,
    ) -> Answer<Vec<License<i64>>> {
        let mut filter = doc! { "_id.referenceType": "ORGANIZATION" };
        if let Some(selection) = selection {
            filter.insert("_id.referenceId", doc! { "$in": texts(&selection.organizations) });
        }
        let list = List {
            doing: "reading licences",
            collection: "licenses",
            filter,
            projection: fields(&["license"]),
            id: Id::Reference,
        };
        let licenses = self.list(list, slice, |position, fields| {
            Some(License { organization: position.id, text: fields.text("license")?, updated: position.time })
        });
        licenses.await
    }

    /// By `rt_ri1` (type and id of the reference) or `t1` (target). There are few, and no index has their time.
    pub(crate) async fn access_points_of_environments(
        &mut self,
        slice: Slice<'_, i64>,
        selection: Option<&Selection>,
    ) -> Answer<Vec<AccessPoint<i64>>> {
        let targets = ["GATEWAY", "TCP_GATEWAY", "KAFKA_GATEWAY"];
        let mut filter = doc! { "referenceType": "ENVIRONMENT", "target": { "$in": texts(targets) } };
        of_environments(&mut filter, "referenceId", selection);
        let list = List {
            doing: "reading access points",
            collection: "access_points",
            filter,
            projection: fields(&["referenceId", "target", "host", "status"]),
            id: Id::Own,
        };
        let points = self.list(list, slice, |position, fields| {
            let record = AccessPointRecord {
                id: position.id,
                environment_id: fields.text("referenceId")?,
                target: fields.text("target")?,
                host: fields.text("host")?,
                created: fields.text("status").as_deref() == Some("CREATED"),
            };
            Some(AccessPoint { record, updated: position.time })
        });
        points.await
    }
}
