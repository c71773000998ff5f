//! What the demo's management repository holds: a small company's APIs, its applications with their keys, a dictionary,
//! an organization flow, and two APIs that a gateway must refuse.

use serde_json::{Value, json};
use zonegate_management_writer::{
    ApiSpec, DEFAULT_ORGANIZATION, KeySpec, ManagementWriter, SubscriptionSpec, WriteError,
};

/// The keys of the demo's applications.
pub(crate) mod key {
    /// The web shop's one key, for all of its subscriptions.
    pub(crate) const WEB_SHOP: &str = "web-shop-key";
    /// The back office's.
    pub(crate) const BACK_OFFICE: &str = "back-office-key";
    /// A tablet in the warehouse; revoked in the course of the demo.
    pub(crate) const TABLET: &str = "tablet-key";
    /// The call centre; revoked while nobody is primary.
    pub(crate) const CALL_CENTRE: &str = "call-centre-key";
    /// A kiosk; its subscription is paused and resumed.
    pub(crate) const KIOSK: &str = "kiosk-key";
    /// A partner company.
    pub(crate) const ACME: &str = "acme-key";
    /// Nobody has it.
    pub(crate) const NOBODY: &str = "made-up-key";
}

/// The header that the organization's flow adds to every response.
pub(crate) const ORGANIZATION_HEADER: (&str, &str) = ("x-organization", "zonegate-demo");
/// The header that the flow of the API `invoices` adds.
pub(crate) const INVOICES_HEADER: (&str, &str) = ("x-retention", "ten-years");

/// The API whose payload is no JSON.
pub(crate) const BROKEN: &str = "broken";
/// The API that asks for a policy which no gateway has.
pub(crate) const FAX_BRIDGE: &str = "fax-bridge";
/// That policy.
pub(crate) const UNKNOWN_POLICY: &str = "soap-to-fax";

/// An application with one key, and the APIs that it is subscribed to.
struct Application {
    name: &'static str,
    key: &'static str,
    apis: &'static [&'static str],
}

const APPLICATIONS: [Application; 6] = [
    Application {
        name: "web-shop",
        key: key::WEB_SHOP,
        apis: &["orders", "payments", "shipping", "loyalty", RETURNS],
    },
    Application {
        name: "back-office",
        key: key::BACK_OFFICE,
        apis: &["stock", "invoices", "customers", "rates"],
    },
    Application { name: "warehouse-tablet", key: key::TABLET, apis: &["stock"] },
    Application { name: "call-centre", key: key::CALL_CENTRE, apis: &["customers"] },
    Application { name: "kiosk", key: key::KIOSK, apis: &["loyalty"] },
    Application { name: "acme", key: key::ACME, apis: &["partner-portal"] },
];

/// The API that is deployed in the course of the demo. Its subscription and key are there from the beginning.
const RETURNS: &str = "returns";
/// The API that is undeployed in the course of the demo.
pub(crate) const NEWSLETTER: &str = "newsletter";

/// The record of an application's key.
pub(crate) fn key_id(application: &str) -> String {
    format!("{application}-key-1")
}

/// The subscription of an application to an API.
pub(crate) fn subscription_id(application: &str, api: &str) -> String {
    format!("{application}-to-{api}")
}

/// How much the repository holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filled {
    /// APIs that can be served.
    pub(crate) apis: usize,
    /// Applications, each with a key.
    pub(crate) applications: usize,
    /// Subscriptions.
    pub(crate) subscriptions: usize,
}

/// Where the APIs point to.
#[derive(Debug, Clone)]
pub(crate) struct Catalogue {
    /// The upstream of all APIs.
    pub(crate) upstream: String,
    /// A second one, for the API with weighted endpoints.
    pub(crate) second: String,
}

impl Catalogue {
    /// Writes everything.
    pub(crate) async fn fill(&self, writer: &ManagementWriter) -> Result<Filled, WriteError> {
        writer.create_schema().await?;
        writer
            .publish_dictionary("shop-settings", Some("shop"), &[("currency", "EUR"), ("region", "north")])
            .await?;
        writer.publish_organization(DEFAULT_ORGANIZATION, organization_flows()).await?;
        let mut subscriptions = 0;
        for application in &APPLICATIONS {
            let mut ids = Vec::new();
            for api in application.apis {
                let id = subscription_id(application.name, api);
                let mut subscription = SubscriptionSpec::new(&id, *api, format!("{api}-api-key"));
                application.name.clone_into(&mut subscription.application);
                writer.create_subscription(&subscription).await?;
                ids.push(id);
            }
            subscriptions += ids.len();
            let mut spec = KeySpec::new(key_id(application.name), application.key, "");
            (spec.application, spec.subscriptions) = (application.name.to_owned(), ids);
            writer.create_key(&spec).await?;
        }
        let apis = self.apis();
        for api in &apis {
            writer.deploy_api(api).await?;
        }
        writer.deploy_api(&self.fax_bridge()).await?;
        writer.deploy_raw(BROKEN, "{ \"id\": \"broken\", \"definition\": \"{ this is not").await?;
        Ok(Filled { apis: apis.len(), applications: APPLICATIONS.len(), subscriptions })
    }

    /// The APIs that can be served.
    pub(crate) fn apis(&self) -> Vec<ApiSpec> {
        vec![
            self.v4("orders", "/shop/orders").name("Orders").keyless().api_key(),
            self.v4("payments", "/shop/payments").name("Payments").api_key(),
            self.v4("catalogue", "/shop/catalogue")
                .name("Product catalogue")
                .keyless()
                .with("endpointGroups", self.weighted_endpoints()),
            self.v4("stock", "/warehouse/stock").name("Stock levels").api_key(),
            self.v4("shipping", "/warehouse/shipping").name("Shipping rates").keyless().api_key(),
            self.v4("weather", "/weather").name("Weather").keyless(),
            self.v4("partner-portal", "/portal")
                .name("Partner portal")
                .host("partners.demo.example")
                .api_key(),
            self.v4("service-status", "/status").name("Service status").host("status.demo.example").keyless(),
            self.v4("invoices", "/finance/invoices").name("Invoices").api_key().flows(invoices_flows()),
            self.v2("customers", "/crm/customers").name("Customers").api_key(),
            self.v2(NEWSLETTER, "/crm/newsletter").name("Newsletter").keyless(),
            self.v2("newsletter-archive", "/crm/newsletter-archive").name("Newsletter archive").keyless(),
            self.v2("rates", "/finance/rates").name("Exchange rates").keyless().api_key(),
            self.v2("timetable", "/timetable").name("Timetable").host("travel.demo.example").keyless(),
            self.v2("loyalty", "/crm/loyalty").name("Loyalty programme").api_key(),
        ]
    }

    /// The API that is deployed in the course of the demo.
    pub(crate) fn returns(&self) -> ApiSpec {
        self.v4(RETURNS, "/shop/returns").name("Returns").api_key()
    }

    fn fax_bridge(&self) -> ApiSpec {
        let flows = json!([{
            "name": "to fax", "enabled": true, "selectors": [],
            "request": [step(UNKNOWN_POLICY, &json!({ "number": "+49 30 1234567" }))], "response": [],
        }]);
        self.v4(FAX_BRIDGE, "/fax").name("Fax bridge").keyless().flows(flows)
    }

    fn v4(&self, id: &str, path: &str) -> ApiSpec {
        ApiSpec::v4(id, path, self.upstream.clone())
    }

    fn v2(&self, id: &str, path: &str) -> ApiSpec {
        ApiSpec::v2(id, path, self.upstream.clone())
    }

    fn weighted_endpoints(&self) -> Value {
        let endpoint = |name: &str, target: &str, weight: u32| {
            json!({
                "name": name, "type": "http-proxy", "secondary": false, "tenants": [], "weight": weight,
                "inheritConfiguration": true, "configuration": { "target": target }, "services": {},
            })
        };
        json!([{
            "name": "warehouses", "type": "http-proxy", "loadBalancer": { "type": "weighted-round-robin" },
            "sharedConfiguration": {}, "services": {},
            "endpoints": [endpoint("large", &self.upstream, 3), endpoint("small", &self.second, 1)],
        }])
    }
}

fn step(policy: &str, configuration: &Value) -> Value {
    json!({ "name": policy, "policy": policy, "enabled": true, "configuration": configuration })
}

fn adding((name, value): (&str, &str)) -> Value {
    json!({ "addHeaders": [{ "name": name, "value": value }], "scope": "RESPONSE" })
}

/// In the V4 format, as APIs have them.
fn invoices_flows() -> Value {
    json!([{
        "name": "retention", "enabled": true, "selectors": [], "request": [],
        "response": [step("transform-headers", &adding(INVOICES_HEADER))],
    }])
}

/// In the V2 format, as organizations have them.
fn organization_flows() -> Value {
    json!([{
        "id": "stamp", "name": "stamp every response", "enabled": true, "methods": [], "consumers": [],
        "path-operator": { "path": "/", "operator": "STARTS_WITH" },
        "pre": [], "post": [step("transform-headers", &adding(ORGANIZATION_HEADER))],
    }])
}

#[cfg(test)]
mod tests {
    use zonegate_management_writer::DefinitionVersion;

    use super::*;

    #[test]
    fn there_are_twelve_apis_of_both_formats_and_every_subscription_has_its_plan() {
        let catalogue = Catalogue { upstream: "http://a".into(), second: "http://b".into() };
        let mut apis = catalogue.apis();
        assert!(apis.len() >= 12);
        for version in [DefinitionVersion::V2, DefinitionVersion::V4] {
            assert!(apis.iter().any(|api| api.version == version));
        }
        apis.push(catalogue.returns());
        for application in &APPLICATIONS {
            for subscribed in application.apis {
                let api = apis.iter().find(|api| api.id == *subscribed).unwrap();
                assert!(api.plans.iter().any(|plan| plan.id == format!("{subscribed}-api-key")));
            }
        }
    }
}
