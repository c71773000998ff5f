//! API products and their members.

use super::*;

/// The plans of products that an API is served under, in the order in which they are tried.
fn plans(state: &State, api: &str) -> Vec<String> {
    let plans = state.api(api).map(|served| {
        let plan =
            |(product, at): (&crate::ServedProduct<Texts>, usize)| product.product.plans[at].id.to_string();
        served.products.plans().map(plan).collect()
    });
    plans.unwrap_or_default()
}

/// The subscription that a key leads to by the products of an API.
fn by_product(state: &State, api: &str, key: &str) -> Option<String> {
    let served = state.api(api)?;
    let mut found = served.products.iter().filter_map(|product| {
        let credentials = state.credentials(product.scope())?;
        credentials.find_key(key.as_bytes()).map(|found| found.subscription.to_string())
    });
    found.next()
}

fn members() -> Vec<Row> {
    vec![api("a", "/a"), api("b", "/b"), api("c", "/c"), deployed_product(&product("P", &["a", "b"]))]
}

#[test]
fn s2_a_product_becomes_active_with_its_credentials_on_exactly_its_members() {
    let mut builder = builder();
    let before = change(&mut builder, vec![api("a", "/a"), api("b", "/b"), api("c", "/c")]);
    let committed = commit(
        &mut builder,
        false,
        vec![
            key("P", "k", "secret", "s", true),
            deployed_product(&product("P", &["a", "b", "nobody"])),
            subscription("P", "s", "ACCEPTED"),
        ],
    );
    let mut touched = committed.members.clone();
    touched.sort();
    assert_eq!((touched, &*committed.products), (vec!["a".into(), "b".into()], &["P".into()][..]));
    assert!(committed.updated.is_empty() && committed.credentials.is_empty(), "{committed:?}");
    let state = builder.published().load();
    for (api, found) in [("a", Some("s")), ("b", Some("s")), ("c", None)] {
        assert_eq!(by_product(&state, api, "secret").as_deref(), found);
        assert_eq!(by_key(&state, api, "secret"), None, "they are not the API's own");
        assert!(
            Arc::ptr_eq(&served(&before, api).compiled, &served(&state, api).compiled),
            "nothing is compiled"
        );
    }
    assert!(Arc::ptr_eq(&served(&before, "c"), &served(&state, "c")));
}

#[test]
fn p4_a_key_of_a_product_changes_without_its_members() {
    let mut builder = builder();
    let before = change(&mut builder, members());
    let committed = commit(
        &mut builder,
        false,
        vec![subscription("P", "s", "ACCEPTED"), key("P", "k", "secret", "s", true)],
    );
    assert_eq!(committed.credentials, ["P".into()]);
    assert!(committed.members.is_empty() && committed.products.is_empty());
    let state = builder.published().load();
    for api in ["a", "b"] {
        assert!(Arc::ptr_eq(&served(&before, api), &served(&state, api)));
        assert_eq!(by_product(&state, api, "secret").as_deref(), Some("s"));
        assert_eq!(by_product(&before, api, "secret"), None, "an earlier generation never changes");
    }
}

#[test]
fn p5_a_product_is_held_once_whatever_the_number_of_its_members() {
    let mut builder = builder();
    let state = change(&mut builder, members());
    let [one, other] = ["a", "b"].map(|api| served(&state, api).products.iter().next().cloned());
    assert!(one.zip(other).is_some_and(|(one, other)| Arc::ptr_eq(&one, &other)));
    assert_eq!(state.products().count(), 1);
}

#[test]
fn s2_members_follow_the_product_as_it_changes() {
    let mut builder = builder();
    let before = change(&mut builder, members());
    let state = change(&mut builder, vec![deployed_product(&product("P", &["b", "c"]))]);
    assert_eq!(["a", "b", "c"].map(|api| plans(&state, api).len()), [0, 1, 1]);
    assert_eq!(["a", "b", "c"].map(|api| plans(&before, api).len()), [1, 1, 0]);
    let state = change(&mut builder, vec![no_product("P")]);
    assert_eq!(["a", "b", "c"].map(|api| plans(&state, api).len()), [0, 0, 0]);
    assert_eq!(state.api_count(), 3, "their own plans stay");
}

#[test]
fn s4_the_same_product_again_touches_nobody() {
    let mut builder = builder();
    let before = change(&mut builder, members());
    for full in [false, true] {
        let committed = commit(&mut builder, full, members());
        assert_eq!(committed, Committed { number: committed.number, ..Committed::default() });
    }
    let state = builder.published().load();
    assert!(Arc::ptr_eq(&served(&before, "a"), &served(&state, "a")));
}

#[test]
fn an_api_without_plans_is_served_as_long_as_a_product_contains_it() {
    let mut builder = builder();
    let state = change(&mut builder, vec![bare_api("a", "/a")]);
    assert_eq!(at(&state, "/a"), None);
    let committed = commit(&mut builder, false, vec![deployed_product(&product("P", &["a"]))]);
    assert_eq!(committed.added, ["a".into()]);
    let state = builder.published().load();
    assert_eq!((at(&state, "/a").as_deref(), plans(&state, "a").len()), (Some("a"), 1));
    let mut without_plans = product("P", &["a"]);
    without_plans["plans"] = json!([]);
    for gone in [no_product("P"), deployed_product(&product("P", &["b"])), deployed_product(&without_plans)] {
        let state = change(&mut builder, vec![gone]);
        assert_eq!(at(&state, "/a"), None);
        let state = change(&mut builder, vec![deployed_product(&product("P", &["a"]))]);
        assert_eq!(at(&state, "/a").as_deref(), Some("a"));
    }
    let state = change(&mut builder, vec![bare_api("a", "/moved")]);
    assert_eq!((at(&state, "/a"), at(&state, "/moved").as_deref()), (None, Some("a")));
}

#[test]
fn an_api_with_other_tags_is_served_as_long_as_a_product_contains_it() {
    let node = zonegate_definition::NodeContext {
        tags: zonegate_payload::ShardingTags::new(["east"]),
        ..Default::default()
    };
    let mut builder = Builder::new(Texts, Settings { node, ..Settings::default() });
    let mut western = definition("a", "/a");
    western["tags"] = json!(["west"]);
    let mut eastern = product("P", &["a"]);
    eastern["tags"] = json!(["east"]);
    let state = change(&mut builder, vec![deployed(&western, 1), deployed_product(&eastern)]);
    assert_eq!(at(&state, "/a").as_deref(), Some("a"));
    eastern["tags"] = json!(["west"]);
    let state = change(&mut builder, vec![deployed_product(&eastern)]);
    assert_eq!(at(&state, "/a"), None, "the product is for other gateways too");
}

#[test]
fn a_product_of_another_environment_or_of_none_is_no_product_of_the_api() {
    for environment in [json!("other"), Value::Null] {
        let mut builder = builder();
        let mut foreign = product("P", &["a", "b"]);
        foreign["environmentId"] = environment;
        let state =
            change(&mut builder, vec![api("a", "/a"), bare_api("b", "/b"), deployed_product(&foreign)]);
        assert!(plans(&state, "a").is_empty() && at(&state, "/b").is_none());
    }
}

#[test]
fn plans_of_several_products_come_by_the_type_of_their_security_then_by_product() {
    let mut builder = builder();
    let mut early = product("early", &["a"]);
    early["plans"] = json!([
        { "id": "plan of early", "status": "published", "security": { "type": "key-less" } },
        { "id": "second", "status": "published", "security": { "type": "api-key" } }
    ]);
    let mut late = product("a comes first by name", &["a"]);
    late["deployedAt"] = json!(2);
    let state = change(&mut builder, vec![deployed_product(&late), deployed_product(&early), api("a", "/a")]);
    assert_eq!(plans(&state, "a"), ["second", "plan of a comes first by name", "plan of early"]);
}

#[test]
fn s3_a_refused_product_offers_no_plan_and_its_members_stay_with_their_own() {
    let refuse = product_with_policy("P", &["a", "b"], "unknown");
    let garbage = Row::deployed(RowKey::new(Kind::ApiProduct, "P"), "garbage");
    let mut other_id = product("P", &["a"]);
    other_id["id"] = json!("Q");
    let Row { state: other_id, .. } = deployed_product(&other_id);
    let other_id = Row { state: other_id, ..no_product("P") };
    for refused_row in [refuse, garbage, other_id] {
        let mut builder = strict();
        change(
            &mut builder,
            vec![api("a", "/a"), bare_api("b", "/b"), deployed_product(&product("P", &["a", "b"]))],
        );
        let committed = commit(&mut builder, false, vec![refused_row]);
        assert_eq!(
            committed.refused.iter().map(|refused| refused.kind).collect::<Vec<_>>(),
            [Kind::ApiProduct]
        );
        let state = builder.published().load();
        assert_eq!((at(&state, "/a").as_deref(), plans(&state, "a").len()), (Some("a"), 0));
        assert_eq!(at(&state, "/b"), None, "it had no plan but the product's");
        assert_eq!((state.refused_count(Kind::ApiProduct), state.refused_count(Kind::Api)), (1, 0));
        let state = change(&mut builder, vec![deployed_product(&product("P", &["a", "b"]))]);
        assert_eq!((plans(&state, "a").len(), state.refused().count()), (1, 0));
    }
}

#[test]
fn s3_an_earlier_version_of_a_refused_product_stays_by_default() {
    let mut builder = builder();
    let before = change(&mut builder, members());
    let state = change(&mut builder, vec![product_with_policy("P", &["c"], "unknown")]);
    assert_eq!(["a", "c"].map(|api| plans(&state, api).len()), [1, 0]);
    assert!(Arc::ptr_eq(&served(&before, "a"), &served(&state, "a")), "nobody is touched");
    assert!(state.refused().any(|refused| refused.kind == Kind::ApiProduct && refused.previous_served));
    let state = change(&mut builder, vec![no_product("P")]);
    assert_eq!((plans(&state, "a").len(), state.refused().count()), (0, 0));
}

#[test]
fn s3_an_earlier_version_of_a_refused_api_follows_its_products() {
    let mut builder = builder();
    change(
        &mut builder,
        vec![bare_api("a", "/a"), api("b", "/b"), deployed_product(&product("P", &["a", "b"]))],
    );
    let state =
        change(&mut builder, vec![with_policy("a", "/a", "unknown"), with_policy("b", "/b", "unknown")]);
    assert_eq!(["a", "b"].map(|api| plans(&state, api).len()), [1, 1]);
    let state = change(&mut builder, vec![no_product("P")]);
    assert_eq!(
        (at(&state, "/a"), at(&state, "/b").as_deref()),
        (None, Some("b")),
        "a had no plan of its own"
    );
    assert!(plans(&state, "b").is_empty());
    assert_eq!(state.refused_count(Kind::Api), 2);
}

#[test]
fn s6_a_product_and_an_api_with_one_id_are_two_things() {
    let mut builder = builder();
    change(&mut builder, vec![api("x", "/x"), product_with_policy("x", &["x"], "unknown")]);
    let state = change(&mut builder, vec![with_policy("x", "/x", "unknown")]);
    assert_eq!((state.refused_count(Kind::Api), state.refused_count(Kind::ApiProduct)), (1, 1));
    let state = change(&mut builder, vec![no_product("x")]);
    assert_eq!((state.refused_count(Kind::Api), state.refused_count(Kind::ApiProduct)), (1, 0));
}

#[test]
fn s5_a_full_state_without_a_product_takes_it_from_its_members() {
    let mut builder = builder();
    change(&mut builder, members());
    commit(&mut builder, true, vec![api("a", "/a")]);
    let state = builder.published().load();
    assert!(plans(&state, "a").is_empty());
    assert_eq!(state.products().count(), 0);
}
