//! Every kind of state from every repository, through the zone store to a secondary: S1, S2, S5, C2, C3, Z7.
//!
//! The same records are written to each database with the same times. The digests of each kind must then be equal
//! everywhere: in the primary, in the store, in the secondary, and from one database to the next.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use zonegate_management_writer::{
    ApiProductSpec, ApiSpec, EventRow, KeySpec, ManagementWriter, PlanSpec, SubscriptionSpec,
};
use zonegate_testkit::redis::RedisOptions;
use zonegate_tests::{Engine, Failure, Zone, give_up, pause, start_watch};

/// Kinds in order of effect, as APIM names them.
const KINDS: [&str; 12] = [
    "NODE_METADATA",
    "LICENSE",
    "ACCESS_POINT",
    "ORGANIZATION",
    "DICTIONARY",
    "SHARED_POLICY_GROUP",
    "AUTHZ_ENTITY",
    "AUTHZ_POLICY",
    "API_PRODUCT",
    "API",
    "SUBSCRIPTION",
    "API_KEY",
];

/// When everything was written, so that nothing depends on the run.
const WRITTEN: i64 = 1_767_225_600_000;

/// A target that nobody listens at: it is part of the definitions, whose digests are compared.
const TARGET: &str = "http://127.0.0.1:9";

/// Count and digest by kind.
type Digests = BTreeMap<String, (u64, String)>;

#[tokio::test]
async fn s1_c2_z7_all_twelve_kinds_are_the_same_from_every_repository_to_every_gateway() -> Result<(), Failure>
{
    let mut columns: Vec<(Engine, Digests)> = Vec::new();
    for engine in Engine::ALL {
        let mut zone = Zone::with_redis("kinds", RedisOptions::default(), engine).await?;
        write_all_kinds(&zone.management.at(WRITTEN)).await?;
        start_pair(&mut zone).await?;
        let digests = settled(&zone).await?;
        for kind in KINDS {
            assert!(digests.contains_key(kind), "{engine:?} has no {kind}: {digests:?}");
        }
        serves_what_was_written(&zone).await?;
        removes_what_is_taken_away(&mut zone).await?;
        columns.push((engine, digests));
    }
    print_table(&columns);
    // The installation's id, which node metadata holds, is another one in each repository.
    let compared = |digests: &Digests| {
        let mut digests = digests.clone();
        digests.remove("NODE_METADATA");
        digests
    };
    let (first, expected) = &columns[0];
    for (engine, digests) in &columns[1..] {
        assert_eq!(compared(digests), compared(expected), "{engine:?} says something else than {first:?}");
    }
    Ok(())
}

/// One of everything at least, two where one could be a coincidence.
async fn write_all_kinds(management: &ManagementWriter) -> Result<(), Failure> {
    management.set_license("DEFAULT", "bm90IGEgbGljZW5jZQ==").await?;
    management.create_access_point("point-1", "DEFAULT", "one.example").await?;
    management.create_access_point("point-2", "DEFAULT", "two.example").await?;
    let platform = json!([{
        "id": "f", "name": "platform", "enabled": true, "methods": [], "consumers": [], "post": [],
        "path-operator": { "path": "/", "operator": "STARTS_WITH" },
        "pre": [{ "name": "h", "policy": "transform-headers", "enabled": true,
                  "configuration": { "addHeaders": [{ "name": "X-Platform", "value": "yes" }] } }],
    }]);
    management.publish_organization("DEFAULT", platform).await?;
    management.publish_dictionary("rates", Some("rates"), &[("eur", "1.00"), ("usd", "1.09")]).await?;
    management.publish_dictionary("keyless-dictionary", None, &[("région", "Hauts-de-France")]).await?;
    let steps = json!([{ "name": "n", "policy": "transform-headers", "enabled": true, "configuration": {} }]);
    management.deploy_shared_policy_group("internal-id", "cross-id", "REQUEST", steps).await?;
    let entity = json!({ "id": "row-1", "entityId": "user:alice", "kind": "PRINCIPAL", "entityType": "User",
                         "attributes": { "level": 3 }, "parents": ["group:staff"], "environmentId": "DEFAULT" });
    authorization(management, "user:alice", "PUBLISH_AUTHZ_ENTITY", "authz_entity_id", &entity).await?;
    let policy = json!({ "id": "policy-1", "name": "All", "kind": "GLOBAL", "policyText": "permit (principal, action, resource);",
                         "environmentId": "DEFAULT" });
    authorization(management, "policy-1", "PUBLISH_AUTHZ_POLICY", "authz_policy_id", &policy).await?;

    let product = ApiProductSpec {
        id: "bundle".to_owned(),
        apis: vec!["with-key".to_owned(), "old".to_owned()],
        plans: vec![PlanSpec::api_key("bundle-plan")],
    };
    management.deploy_api_product(&product).await?;
    let mut of_product = SubscriptionSpec::new("of-product", "bundle", "bundle-plan");
    of_product.product = true;
    management.create_subscription(&of_product).await?;
    management.create_key(&KeySpec::new("product-key", "secret-of-product", "of-product")).await?;

    let mut subscription = SubscriptionSpec::new("of-api", "with-key", "with-key-api-key");
    subscription.metadata = vec![("team".to_owned(), "blue".to_owned())];
    management.create_subscription(&subscription).await?;
    management.create_key(&KeySpec::new("api-key", "secret-of-api", "of-api")).await?;
    let with_key = ApiSpec::v4("with-key", "/with-key", TARGET)
        .plan(PlanSpec::api_key("with-key-api-key"))
        .encrypted_property("greeting", "vLJAXQh8OPSV6zhosZt82Q==");
    management.deploy_api(&with_key).await?;
    management.deploy_api(&ApiSpec::v2("old", "/old", TARGET).keyless()).await?;
    management.deploy_api(&ApiSpec::v4("open", "/open", TARGET).keyless()).await?;
    // What must not come: a stopped API, a closed subscription, a revoked key.
    let stopped = ApiSpec::v4("stopped", "/stopped", TARGET).keyless();
    management.deploy_api(&stopped).await?;
    management.stop_api("stopped").await?;
    management.create_subscription(&SubscriptionSpec::new("closed", "with-key", "with-key-api-key")).await?;
    management.create_key(&KeySpec::new("of-closed", "secret-of-closed", "closed")).await?;
    management.close_subscription("closed").await?;
    management.create_key(&KeySpec::new("revoked", "secret-revoked", "of-api")).await?;
    management.revoke_key("revoked").await?;
    Ok(())
}

async fn authorization(
    management: &ManagementWriter,
    id: &str,
    kind: &str,
    property: &str,
    payload: &Value,
) -> Result<(), Failure> {
    management
        .write_event(&EventRow {
            id: id.to_owned(),
            kind: kind.to_owned(),
            payload: Some(payload.to_string()),
            properties: vec![(property.to_owned(), id.to_owned())],
            environments: vec!["DEFAULT".to_owned()],
            organizations: vec!["DEFAULT".to_owned()],
        })
        .await?;
    Ok(())
}

/// A primary that reads the repository, and a secondary that only reads the store.
async fn start_pair(zone: &mut Zone) -> Result<(), Failure> {
    for _ in 0..2 {
        let options = zone.options().set("gamma.enabled", "true");
        zone.gateways.push(zonegate_testkit::gateway::Gateway::start(options)?);
    }
    zone.wait_ready().await
}

/// The digests of the store, when both gateways say that they serve just that.
async fn settled(zone: &Zone) -> Result<Digests, Failure> {
    let since = start_watch();
    loop {
        let store = manifest(zone)?;
        let counts: BTreeMap<&str, u64> =
            store.iter().map(|(kind, (count, _))| (kind.as_str(), *count)).collect();
        let mut agree = store.len() == KINDS.len();
        for gateway in 0..zone.gateways.len() {
            let sync = zone.sync(gateway).await?;
            let rows = sync["zone"]["rows"].as_object().cloned().unwrap_or_default();
            let rows: BTreeMap<&str, u64> =
                rows.iter().map(|(kind, count)| (kind.as_str(), count.as_u64().unwrap_or(0))).collect();
            let same_revision = sync["zone"]["applied"] == sync["zone"]["store"]["revision"];
            // A gateway follows a revision only if its own digests are the revision's (Z7).
            agree &= same_revision
                && rows
                    .iter()
                    .filter(|(_, count)| **count > 0)
                    .all(|(kind, count)| counts.get(kind) == Some(count));
        }
        if agree {
            return Ok(store);
        }
        give_up(since, || format!("the gateways and the store do not agree; the store has {counts:?}"))?;
        pause().await;
    }
}

/// Counts and digests that the store's manifest holds.
fn manifest(zone: &Zone) -> Result<Digests, Failure> {
    let answer = zone.redis.cli(&["HGETALL", &format!("zonegate:{}:manifest", zone.name)])?;
    let words = answer.texts();
    let mut digests = Digests::new();
    for pair in words.chunks_exact(2) {
        let Some((count, digest)) = pair[1].split_once(':') else { continue };
        if KINDS.contains(&pair[0].as_str()) && count != "0" {
            digests.insert(pair[0].clone(), (count.parse()?, digest.to_owned()));
        }
    }
    Ok(digests)
}

/// Both gateways open with each right key and with no other. Nobody listens upstream: whoever gets in meets 502.
async fn serves_what_was_written(zone: &Zone) -> Result<(), Failure> {
    for (path, key, status) in [
        ("/open", None, 502),
        ("/with-key", Some("secret-of-api"), 502),
        ("/with-key", Some("secret-of-product"), 502),
        ("/old", Some("secret-of-product"), 502),
        ("/with-key", Some("secret-revoked"), 401),
        ("/with-key", Some("secret-of-closed"), 401),
        ("/with-key", None, 401),
        ("/stopped", None, 404),
    ] {
        for gateway in 0..zone.gateways.len() {
            zone.wait_status_on(gateway, "one.example", path, key, status).await?;
        }
    }
    Ok(())
}

/// Removals of every sort reach both gateways.
async fn removes_what_is_taken_away(zone: &mut Zone) -> Result<(), Failure> {
    zone.management.revoke_key("api-key").await?;
    zone.management.pause_subscription("of-product").await?;
    zone.management.undeploy_api("open").await?;
    zone.management.unpublish_dictionary("rates").await?;
    zone.management.delete_access_point("point-2").await?;
    zone.management.undeploy_shared_policy_group("internal-id", "cross-id").await?;
    for (path, key, status) in [
        ("/with-key", Some("secret-of-api"), 401),
        ("/with-key", Some("secret-of-product"), 401),
        ("/open", None, 404),
    ] {
        for gateway in 0..zone.gateways.len() {
            zone.wait_status_on(gateway, "one.example", path, key, status).await?;
        }
    }
    let since = start_watch();
    loop {
        let store = manifest(zone)?;
        let count = |kind: &str| store.get(kind).map_or(0, |(count, _)| *count);
        let left =
            ["DICTIONARY", "ACCESS_POINT", "SHARED_POLICY_GROUP", "API_KEY", "SUBSCRIPTION"].map(count);
        if left == [1, 1, 0, 0, 1] {
            break;
        }
        give_up(since, || format!("not all was removed: {left:?}"))?;
        pause().await;
    }
    zone.management.undeploy_api_product("bundle").await?;
    let since = start_watch();
    while manifest(zone)?.contains_key("API_PRODUCT") {
        give_up(since, || "the product was not removed".to_owned())?;
        pause().await;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the table is what people want to see of this test")]
fn print_table(columns: &[(Engine, Digests)]) {
    print!("{:<20}", "kind");
    for (engine, _) in columns {
        print!(" {:>24}", format!("{engine:?}"));
    }
    println!();
    for kind in KINDS {
        print!("{kind:<20}");
        for (_, digests) in columns {
            let (count, digest) = digests.get(kind).cloned().unwrap_or_default();
            print!(" {:>24}", format!("{count} ({})", digest.get(..8).unwrap_or_default()));
        }
        println!();
    }
}
