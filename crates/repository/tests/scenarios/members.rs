//! APIs that are served because an API product is (`management-repository.md` section 10.2).

use std::collections::HashMap;
use std::sync::Arc;

use zonegate_management_writer::{ApiProductSpec, ApiSpec, ManagementWriter, Overwrite, PlanSpec};
use zonegate_model::Kind;
use zonegate_payload::ShardingTags;

use crate::world::{Reader, State, World, on_each_engine, read_all, read_parts, read_window};

const UPSTREAM: &str = "http://127.0.0.1:1";

/// APIs that are not served by themselves: one without plans, one with other tags, one of an older definition.
async fn apis(world: &mut World) {
    world.reading.tags = ShardingTags::new(["east"]);
    let writer = &world.writer;
    let api = |id: &str| ApiSpec::v4(id, format!("/{id}"), UPSTREAM);
    writer.deploy_api(&api("bare").tag("east")).await.unwrap();
    writer.deploy_api(&api("west").tag("west").keyless()).await.unwrap();
    writer.deploy_api(&api("own").tag("east").keyless()).await.unwrap();
    writer.deploy_api(&ApiSpec::v2("old", "/old", UPSTREAM).tag("west").keyless()).await.unwrap();
    writer.deploy_api(&api("stopped").tag("east")).await.unwrap();
    writer.stop_api("stopped").await.unwrap();
}

async fn product(writer: &ManagementWriter, id: &str, apis: &[&str], status: &str) {
    let product = ApiProductSpec {
        id: id.to_owned(),
        apis: apis.iter().map(|&id| id.to_owned()).collect(),
        plans: vec![PlanSpec::api_key(format!("{id}-plan")).status(status)],
    };
    // Products have no tags of their own in this writer; the gateway's exclude nothing.
    writer.deploy_api_product(&product).await.unwrap();
}

struct Gateway<'a> {
    world: &'a World,
    reader: Reader,
    seen: HashMap<Arc<str>, i64>,
    state: State,
}

impl<'a> Gateway<'a> {
    fn of(world: &'a World) -> Self {
        Self { world, reader: world.reader(), seen: HashMap::new(), state: State::default() }
    }

    /// The APIs after a window, which must be those that a fresh read finds.
    async fn after(&mut self, step: &str) -> Vec<String> {
        let read = read_window(&self.reader, 0, i64::MAX, self.seen.clone()).await;
        self.seen.extend(read.stamps());
        self.state.apply(&read.changes);
        let mut fresh = self.world.read_all().await.state();
        // A window does not tell of the installation.
        fresh.0.retain(|key, _| key.kind != Kind::NodeMetadata);
        fresh.1.retain(|key, _| key.kind != Kind::NodeMetadata);
        self.state.assert_same(&fresh, step);
        self.state.ids(Kind::Api)
    }
}

on_each_engine!(
    s1_an_api_without_plans_or_with_other_tags_is_served_as_a_member_of_a_product,
    s5_members_come_and_go_with_their_products,
    s3_a_product_that_is_not_understood_keeps_its_members,
    s5_an_audit_misses_the_members_of_a_product_that_was_deleted,
    a_reader_that_begins_with_a_window_knows_the_members,
);

async fn s1_an_api_without_plans_or_with_other_tags_is_served_as_a_member_of_a_product(mut world: World) {
    apis(&mut world).await;
    assert_eq!(world.read_all().await.state().ids(Kind::Api), ["own"]);
    world.reading.tags = ShardingTags::new(["!west"]);
    let all = ["bare", "west", "own", "old", "stopped", "no-such-api"];
    product(&world.writer, "closed", &all, "closed").await;
    let state = world.read_all().await.state();
    assert_eq!(state.ids(Kind::Api), ["own"], "a product without plans serves nothing");
    product(&world.writer, "prod", &all, "published").await;
    let state = world.read_all().await.state();
    assert_eq!(state.ids(Kind::Api), ["bare", "own", "west"]);
    assert_eq!(state.payload(Kind::Api, "bare")["definition"]["plans"], serde_json::json!([]));
}

async fn s5_members_come_and_go_with_their_products(mut world: World) {
    apis(&mut world).await;
    world.reading.tags = ShardingTags::new(["!west"]);
    let writer = world.writer.clone();
    let mut gateway = Gateway::of(&world);
    assert_eq!(gateway.after("no product").await, ["own"]);
    product(&writer, "one", &["bare", "own"], "published").await;
    assert_eq!(gateway.after("a product").await, ["bare", "own"]);
    product(&writer, "two", &["bare", "west"], "published").await;
    assert_eq!(gateway.after("another").await, ["bare", "own", "west"]);
    product(&writer, "two", &["west"], "published").await;
    assert_eq!(gateway.after("one member less, which another still has").await, ["bare", "own", "west"]);
    product(&writer, "one", &["own"], "published").await;
    assert_eq!(gateway.after("one member less").await, ["own", "west"]);
    writer.deploy_api(&ApiSpec::v4("bare", "/bare", UPSTREAM).keyless()).await.unwrap();
    assert_eq!(gateway.after("a plan of its own").await, ["bare", "own", "west"]);
    product(&writer, "two", &["west"], "closed").await;
    assert_eq!(gateway.after("the plan of the product closed").await, ["bare", "own"]);
    product(&writer, "two", &["west"], "published").await;
    assert_eq!(gateway.after("and published").await, ["bare", "own", "west"]);
    writer.undeploy_api_product("two").await.unwrap();
    assert_eq!(gateway.after("undeployed").await, ["bare", "own"]);
}

async fn s3_a_product_that_is_not_understood_keeps_its_members(mut world: World) {
    apis(&mut world).await;
    let writer = world.writer.clone();
    world.reading.tags = ShardingTags::default();
    product(&writer, "prod", &["bare"], "published").await;
    let reader = world.reader();
    let mut state = read_all(&reader).await.state();
    assert!(state.ids(Kind::Api).contains(&"bare".to_owned()));
    writer.overwrite("events_latest", Some("prod"), "payload", Overwrite::Text("{")).await.unwrap();
    for read in [read_parts(&reader, &["prod"]).await, read_all(&reader).await] {
        assert_eq!(read.refused().len(), 1);
        state.apply(&read.changes);
        assert!(state.ids(Kind::Api).contains(&"bare".to_owned()));
    }
}

async fn s5_an_audit_misses_the_members_of_a_product_that_was_deleted(mut world: World) {
    apis(&mut world).await;
    let writer = world.writer.clone();
    world.reading.tags = ShardingTags::default();
    product(&writer, "prod", &["bare", "own"], "published").await;
    let reader = world.reader();
    let mut state = read_all(&reader).await.state();
    writer.remove("events_latest", "prod").await.unwrap();
    let parts = read_parts(&reader, &["prod"]).await;
    state.apply(&parts.changes);
    state.assert_same(&world.read_all().await.state(), "");
    assert!(!state.ids(Kind::Api).contains(&"bare".to_owned()));
    // And of one that came while nobody looked.
    product(&writer, "new", &["bare"], "published").await;
    for reader in [reader, world.reader()] {
        let mut state = state.clone();
        state.apply(&read_parts(&reader, &["new"]).await.changes);
        state.assert_same(&world.read_all().await.state(), "");
        assert!(state.ids(Kind::Api).contains(&"bare".to_owned()));
    }
}

async fn a_reader_that_begins_with_a_window_knows_the_members(mut world: World) {
    apis(&mut world).await;
    let writer = world.writer.clone();
    world.reading.tags = ShardingTags::default();
    product(&writer.at(1_000), "prod", &["bare"], "published").await;
    writer.at(9_000).deploy_api(&ApiSpec::v4("bare", "/moved", UPSTREAM)).await.unwrap();
    let read = read_window(&world.reader(), 9_000, 9_000, HashMap::new()).await;
    assert_eq!(read.state().ids(Kind::Api), ["bare"], "although the product is not in the window");
}
