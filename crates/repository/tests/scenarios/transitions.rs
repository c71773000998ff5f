//! Every way in which a subscription or a key changes (`sync-semantics.md` sections 7.4 and 7.5). After each step one
//! reader knows it by a window, and what it knows is compared with a fresh read and with an index.

use std::collections::HashMap;
use std::sync::Arc;

use zonegate_management_writer::{
    ApiProductSpec, ApiSpec, KeySpec, ManagementWriter, Overwrite, PlanSecurity, PlanSpec, SubscriptionSpec,
    SubscriptionStatus,
};
use zonegate_model::Kind;
use zonegate_sync::port::Change;

use crate::world::{Reader, State, World, on_each_engine, read_all, read_index, read_window};

const UPSTREAM: &str = "http://127.0.0.1:1";

/// A gateway's knowledge of a repository, by windows.
struct Gateway {
    world: World,
    reader: Reader,
    seen: HashMap<Arc<str>, i64>,
    state: State,
}

impl Gateway {
    /// One that knows an API `api` with two plans for keys and one for tokens, and an API `other`.
    async fn started(world: World) -> Self {
        let api = ApiSpec::v4("api", "/api", UPSTREAM)
            .api_key()
            .plan(PlanSpec::api_key("second"))
            .plan(PlanSpec::new("tokens", PlanSecurity::Jwt));
        world.writer.deploy_api(&api).await.unwrap();
        world.writer.deploy_api(&ApiSpec::v2("other", "/other", UPSTREAM).api_key()).await.unwrap();
        let reader = world.reader();
        let first = read_all(&reader).await;
        Self { world, reader, seen: first.stamps(), state: first.state() }
    }

    fn writer(&self) -> &ManagementWriter {
        &self.world.writer
    }

    async fn subscribe(&self, id: &str, status: SubscriptionStatus) {
        let subscription = SubscriptionSpec { status, ..SubscriptionSpec::new(id, "api", "api-api-key") };
        self.writer().create_subscription(&subscription).await.unwrap();
    }

    async fn key(&self, id: &str, subscriptions: &[&str]) {
        let subscriptions = subscriptions.iter().map(|&id| id.to_owned()).collect();
        let key = KeySpec { subscriptions, ..KeySpec::new(id, format!("secret-{id}"), "") };
        self.writer().create_key(&key).await.unwrap();
    }

    async fn set(&self, id: &str, status: SubscriptionStatus) {
        self.writer().set_status(id, status).await.unwrap();
    }

    /// What is active after a window: subscriptions, then keys.
    async fn after(&mut self, step: &str) -> (Vec<String>, Vec<String>) {
        let read = read_window(&self.reader, 0, i64::MAX, self.seen.clone()).await;
        self.seen.extend(read.stamps());
        self.state.apply(&read.changes);
        let fresh = self.world.read_all().await.state();
        self.state.assert_same(&fresh, step);
        read_index(&self.world.reader()).await.assert_covers(&fresh, step);
        (self.state.ids(Kind::Subscription), self.state.ids(Kind::ApiKey))
    }

    async fn expect(&mut self, step: &str, subscriptions: &[&str], keys: &[&str]) {
        let owned = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect::<Vec<_>>();
        assert_eq!(self.after(step).await, (owned(subscriptions), owned(keys)), "{step}");
    }
}

on_each_engine!(
    s5_a_subscription_is_active_while_it_is_accepted,
    s5_a_plan_transfer_takes_the_keys_along_or_not_as_the_new_plan_does,
    s5_a_key_that_was_revoked_while_its_subscription_was_paused_stays_away,
    s5_a_key_of_several_subscriptions_goes_and_comes_with_each,
    s5_a_key_that_an_application_uses_again_survives_its_former_subscription,
    times_of_validity_are_carried_whatever_the_time_is,
    s5_a_products_subscriptions_change_as_those_of_an_api_do,
    push_subscriptions_are_carried_with_their_configuration,
);

async fn s5_a_subscription_is_active_while_it_is_accepted(world: World) {
    use SubscriptionStatus::{Accepted, Closed, Paused, Pending, Rejected};
    let mut gateway = Gateway::started(world).await;
    gateway.subscribe("s", Pending).await;
    gateway.expect("created", &[], &[]).await;
    gateway.set("s", Accepted).await;
    gateway.expect("accepted", &["api/s"], &[]).await;
    gateway.key("k", &["s"]).await;
    gateway.expect("with a key", &["api/s"], &["api/k"]).await;
    gateway.writer().pause_subscription("s").await.unwrap();
    gateway.expect("paused", &[], &[]).await;
    gateway.writer().resume_subscription("s").await.unwrap();
    gateway.expect("resumed", &["api/s"], &["api/k"]).await;
    for (step, status) in
        [("paused alone", Paused), ("rejected", Rejected), ("pending", Pending), ("closed", Closed)]
    {
        gateway.set("s", status).await;
        gateway.expect(step, &[], &[]).await;
        gateway.set("s", Accepted).await;
        gateway.expect(&format!("accepted after {step}"), &["api/s"], &["api/k"]).await;
    }
    gateway.set("s", Closed).await;
    gateway.writer().revoke_key("k").await.unwrap();
    gateway.expect("closed as APIM does", &[], &[]).await;
    gateway.subscribe("never", Rejected).await;
    gateway.expect("rejected at once", &[], &[]).await;
}

async fn s5_a_plan_transfer_takes_the_keys_along_or_not_as_the_new_plan_does(world: World) {
    let mut gateway = Gateway::started(world).await;
    gateway.subscribe("s", SubscriptionStatus::Accepted).await;
    gateway.key("k", &["s"]).await;
    gateway.expect("subscribed", &["api/s"], &["api/k"]).await;
    let transfer = |plan: &'static str| {
        let writer = gateway.world.writer.clone();
        async move {
            writer.overwrite("subscriptions", Some("s"), "plan", Overwrite::Text(plan)).await.unwrap();
            writer.set_status("s", SubscriptionStatus::Accepted).await.unwrap();
        }
    };
    let (second, tokens, unknown, first) =
        (transfer("second"), transfer("tokens"), transfer("unknown"), transfer("api-api-key"));
    second.await;
    gateway.expect("another plan for keys", &["api/s"], &["api/k"]).await;
    assert_eq!(gateway.state.payload(Kind::ApiKey, "k")["plan"], "second");
    assert_eq!(gateway.state.payload(Kind::Subscription, "s")["plan"], "second");
    tokens.await;
    gateway.expect("a plan for tokens", &["api/s"], &[]).await;
    unknown.await;
    gateway.expect("a plan that is not served", &[], &[]).await;
    first.await;
    gateway.expect("back", &["api/s"], &["api/k"]).await;
}

async fn s5_a_key_that_was_revoked_while_its_subscription_was_paused_stays_away(world: World) {
    let mut gateway = Gateway::started(world).await;
    gateway.subscribe("s", SubscriptionStatus::Accepted).await;
    for key in ["revoked", "paused", "sound"] {
        gateway.key(key, &["s"]).await;
    }
    gateway.expect("three keys", &["api/s"], &["api/paused", "api/revoked", "api/sound"]).await;
    gateway.set("s", SubscriptionStatus::Paused).await;
    gateway.writer().revoke_key("revoked").await.unwrap();
    gateway.writer().overwrite("keys", Some("paused"), "paused", Overwrite::Flag(true)).await.unwrap();
    gateway.expect("paused, one revoked", &[], &[]).await;
    gateway.set("s", SubscriptionStatus::Accepted).await;
    gateway.expect("accepted again", &["api/s"], &["api/sound"]).await;
    // Within one window as well.
    gateway.set("s", SubscriptionStatus::Paused).await;
    gateway.writer().revoke_key("sound").await.unwrap();
    gateway.set("s", SubscriptionStatus::Accepted).await;
    gateway.expect("all at once", &["api/s"], &[]).await;
}

async fn s5_a_key_of_several_subscriptions_goes_and_comes_with_each(world: World) {
    let mut gateway = Gateway::started(world).await;
    gateway.subscribe("s", SubscriptionStatus::Accepted).await;
    let other = SubscriptionSpec::new("o", "other", "other-api-key");
    gateway.writer().create_subscription(&other).await.unwrap();
    gateway.key("shared", &["s", "o"]).await;
    gateway.expect("shared", &["api/s", "other/o"], &["api/shared", "other/shared"]).await;
    assert_eq!(gateway.state.payload(Kind::ApiKey, "shared")["subscription"], "s");
    gateway.set("o", SubscriptionStatus::Closed).await;
    gateway.expect("one closed", &["api/s"], &["api/shared"]).await;
    gateway.set("o", SubscriptionStatus::Accepted).await;
    gateway.expect("accepted again", &["api/s", "other/o"], &["api/shared", "other/shared"]).await;
    gateway.writer().revoke_key("shared").await.unwrap();
    gateway.expect("revoked", &["api/s", "other/o"], &[]).await;
}

async fn s5_a_key_that_an_application_uses_again_survives_its_former_subscription(world: World) {
    use SubscriptionStatus::{Accepted, Closed};
    let mut gateway = Gateway::started(world).await;
    // Its place in the order must not decide: one former subscription before, one after the one that counts.
    for former in ["a-former", "z-former"] {
        gateway.subscribe(former, Accepted).await;
    }
    gateway.key("k", &["a-former", "z-former"]).await;
    gateway.after("shared by two of one API").await;
    for former in ["a-former", "z-former"] {
        gateway.set(former, Closed).await;
    }
    gateway.expect("closed", &[], &[]).await;
    gateway.subscribe("m-new", Accepted).await;
    gateway.writer().link_key("k", &["a-former", "z-former", "m-new"]).await.unwrap();
    gateway.expect("subscribed again", &["api/m-new"], &["api/k"]).await;
    for former in ["a-former", "z-former"] {
        gateway.set(former, Closed).await;
        gateway.expect(&format!("{former} touched"), &["api/m-new"], &["api/k"]).await;
    }
    gateway.writer().revoke_key("k").await.unwrap();
    gateway.expect("revoked", &["api/m-new"], &[]).await;
    gateway.writer().overwrite("keys", Some("k"), "revoked", Overwrite::Flag(false)).await.unwrap();
    gateway.set("m-new", Accepted).await;
    gateway.expect("reactivated", &["api/m-new"], &["api/k"]).await;
    assert_eq!(gateway.state.payload(Kind::ApiKey, "k")["subscription"], "m-new");
}

async fn times_of_validity_are_carried_whatever_the_time_is(world: World) {
    // In 2037: a year later MariaDB's times end.
    const FAR: i64 = 2_114_380_800_000;
    let mut gateway = Gateway::started(world).await;
    for (id, starting_at, ending_at) in
        [("ended", None, Some(1_000)), ("later", Some(FAR), None), ("now", Some(1_000), Some(FAR))]
    {
        let spec =
            SubscriptionSpec { starting_at, ending_at, ..SubscriptionSpec::new(id, "api", "api-api-key") };
        gateway.writer().create_subscription(&spec).await.unwrap();
    }
    for (id, expire_at) in [("expired", Some(1_000)), ("valid", Some(FAR)), ("forever", None)] {
        let key = KeySpec { expire_at, ..KeySpec::new(id, id, "now") };
        gateway.writer().create_key(&key).await.unwrap();
    }
    let keys = ["api/expired", "api/forever", "api/valid"];
    gateway.expect("created", &["api/ended", "api/later", "api/now"], &keys).await;
    let payload = |kind, id| gateway.state.payload(kind, id);
    assert_eq!(payload(Kind::Subscription, "ended")["endingAt"], 1_000);
    assert_eq!(payload(Kind::Subscription, "later")["startingAt"], FAR);
    assert_eq!(payload(Kind::ApiKey, "expired")["expireAt"], 1_000);
    assert_eq!(payload(Kind::ApiKey, "valid")["expireAt"], FAR);
    assert!(payload(Kind::ApiKey, "forever").get("expireAt").is_none_or(serde_json::Value::is_null));
}

async fn s5_a_products_subscriptions_change_as_those_of_an_api_do(world: World) {
    let mut gateway = Gateway::started(world).await;
    let product = ApiProductSpec {
        id: "prod".to_owned(),
        apis: vec!["api".to_owned()],
        plans: vec![PlanSpec::api_key("pp")],
    };
    gateway.writer().deploy_api_product(&product).await.unwrap();
    let subscription = SubscriptionSpec {
        product: true,
        status: SubscriptionStatus::Pending,
        ..SubscriptionSpec::new("ps", "prod", "pp")
    };
    gateway.writer().create_subscription(&subscription).await.unwrap();
    gateway.subscribe("s", SubscriptionStatus::Accepted).await;
    gateway.key("k", &["ps", "s"]).await;
    gateway.expect("pending", &["api/s"], &["api/k"]).await;
    gateway.set("ps", SubscriptionStatus::Accepted).await;
    gateway.expect("accepted", &["api/s", "prod/ps"], &["api/k", "prod/k"]).await;
    gateway.set("ps", SubscriptionStatus::Paused).await;
    gateway.expect("paused", &["api/s"], &["api/k"]).await;
    gateway.set("ps", SubscriptionStatus::Accepted).await;
    gateway.writer().revoke_key("k").await.unwrap();
    gateway.expect("revoked", &["api/s", "prod/ps"], &[]).await;
    gateway.writer().undeploy_api_product("prod").await.unwrap();
    gateway.expect("undeployed", &["api/s"], &[]).await;
}

async fn push_subscriptions_are_carried_with_their_configuration(world: World) {
    let mut gateway = Gateway::started(world).await;
    gateway.subscribe("push", SubscriptionStatus::Accepted).await;
    gateway.subscribe("broken", SubscriptionStatus::Accepted).await;
    let configuration =
        r#"{"entrypointId":"webhook","channel":"c","entrypointConfiguration":{"callbackUrl":"http://x"}}"#;
    for (id, configuration) in [("push", configuration), ("broken", "{")] {
        let push = [("type", "PUSH"), ("configuration", configuration)];
        for (column, text) in push {
            let text = Overwrite::Text(text);
            gateway.writer().overwrite("subscriptions", Some(id), column, text).await.unwrap();
        }
    }
    gateway.expect("created", &["api/push"], &[]).await;
    let payload = gateway.state.payload(Kind::Subscription, "push");
    assert_eq!((&payload["type"], &payload["configuration"]["channel"]), (&"PUSH".into(), &"c".into()));
    let read = read_all(&gateway.reader).await;
    let refused = read.changes.iter().filter(|change| matches!(change.change, Change::Refused { .. }));
    assert_eq!(refused.count(), 1, "S3: only the broken one is refused");
}
