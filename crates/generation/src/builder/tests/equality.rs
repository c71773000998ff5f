//! Any sequence of commits leads to the state that its sum, built from nothing, leads to.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const APIS: [&str; 4] = ["a", "b", "api-1", "api-10"];
/// One has an API's id.
const PRODUCTS: [&str; 3] = ["P", "Q with a long name beyond 16 bytes", "a"];

/// Rows over few ids, so that they meet. Each API has paths of its own: who comes first on a shared one depends on
/// history, which is what `places` is about.
fn row() -> impl Strategy<Value = Row> {
    let id = || prop::sample::select(APIS.to_vec());
    let product_id = || prop::sample::select(PRODUCTS.to_vec());
    let scope = || prop_oneof![3 => id(), 1 => product_id()];
    let number = || 0..3u8;
    prop_oneof![
        4 => (id(), number()).prop_map(|(id, path)| api(id, &format!("/{id}/{path}"))),
        1 => (id(), number()).prop_map(|(id, path)| with_policy(id, &format!("/{id}/{path}"), "unknown")),
        1 => id().prop_map(|id| Row::deployed(RowKey::new(Kind::Api, id), "garbage")),
        2 => id().prop_map(|id| bare_api(id, &format!("/{id}"))),
        1 => id().prop_map(|id| deployed(&{
            let mut elsewhere = definition(id, &format!("/{id}"));
            elsewhere["tags"] = json!(["west"]);
            elsewhere
        }, 1)),
        2 => id().prop_map(no_api),
        4 => (product_id(), prop::sample::subsequence(APIS.to_vec(), 0..=4), number()).prop_map(|(id, apis, kind)| {
            let mut product = product(id, &apis);
            match kind {
                0 => product["plans"][0]["security"]["type"] = json!("key-less"),
                1 => product["environmentId"] = json!("other"),
                _ => {}
            }
            deployed_product(&product)
        }),
        1 => product_id().prop_map(|id| product_with_policy(id, &APIS, "unknown")),
        1 => product_id().prop_map(no_product),
        4 => (scope(), number(), any::<bool>()).prop_map(|(scope, number, open)| {
            subscription(scope, &format!("s{number}"), if open { "ACCEPTED" } else { "CLOSED" })
        }),
        1 => (scope(), number()).prop_map(|(scope, number)| push_subscription(scope, &format!("s{number}"))),
        4 => (scope(), number(), number(), number(), any::<bool>()).prop_map(|(scope, id, text, subscription, active)| {
            key(scope, &format!("k{id}"), &format!("text{text}"), &format!("s{subscription}"), active)
        }),
        1 => (scope(), number()).prop_map(|(scope, id)| Row::removed(RowKey::scoped(Kind::ApiKey, scope, format!("k{id}")))),
        1 => (scope(), number()).prop_map(|(scope, id)| Row::deployed(RowKey::scoped(Kind::ApiKey, scope, format!("k{id}")), "{")),
        1 => (scope(), number()).prop_map(|(scope, id)| Row::removed(RowKey::scoped(Kind::Subscription, scope, format!("s{id}")))),
        1 => number().prop_map(|flow| organization(&format!("flow{flow}"), if flow == 0 { "unknown" } else { "mock" })),
        1 => Just(Row::removed(RowKey::new(Kind::Organization, "O"))),
        1 => (number(), number()).prop_map(|(id, host)| access_point(&format!("point{id}"), &format!("host{host}"))),
        1 => number().prop_map(|id| Row::removed(RowKey::new(Kind::AccessPoint, format!("point{id}")))),
        1 => number().prop_map(|city| {
            let payload = json!({ "id": "d", "properties": { "city": city.to_string() } });
            Row::deployed(RowKey::new(Kind::Dictionary, "d"), payload.to_string())
        }),
        1 => Just(Row::removed(RowKey::new(Kind::Dictionary, "d"))),
    ]
}

#[derive(Clone, Debug)]
enum Change {
    Delta(Vec<Row>),
    Full(Vec<Row>),
    Aborted(Vec<Row>),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let rows = || prop::collection::vec(row(), 0..10);
    let change = prop_oneof![
        6 => rows().prop_map(Change::Delta),
        1 => rows().prop_map(Change::Full),
        1 => rows().prop_map(Change::Aborted),
    ];
    prop::collection::vec(change, 1..12)
}

type Model = BTreeMap<RowKey, Row>;

fn apply(model: &mut Model, rows: &[Row]) {
    model.extend(rows.iter().map(|row| (row.key.clone(), row.clone())));
}

/// A gateway with tags, so that some APIs are served through products alone.
fn eastern() -> Builder<Texts> {
    let node = zonegate_definition::NodeContext {
        tags: zonegate_payload::ShardingTags::new(["!west"]),
        ..Default::default()
    };
    Builder::new(Texts, Settings { node, keep_previous: false })
}

fn from_nothing(model: &Model, mut builder: Builder<Texts>) -> Arc<State> {
    // The other way round, so that the order of rows does not matter either.
    commit(&mut builder, true, model.values().rev().cloned().collect());
    builder.published().load()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn s2_any_sequence_of_commits_equals_building_from_nothing(changes in changes()) {
        let mut builder = eastern();
        let mut model = Model::new();
        let mut seen: Vec<(Arc<State>, BTreeMap<String, String>)> = Vec::new();
        for change in &changes {
            match change {
                Change::Delta(rows) => {
                    commit(&mut builder, false, rows.clone());
                    apply(&mut model, rows);
                }
                Change::Full(rows) => {
                    commit(&mut builder, true, rows.clone());
                    model.clear();
                    apply(&mut model, rows);
                }
                Change::Aborted(rows) => {
                    builder.begin(false);
                    builder.rows(rows.clone());
                    builder.abort();
                }
            }
            let state = builder.published().load();
            let now = visible(&state);
            prop_assert_eq!(&now, &visible(&from_nothing(&model, eastern())), "after {:?}", change);
            seen.push((state, now));
        }
        for (state, then) in seen {
            prop_assert_eq!(visible(&state), then, "a published generation never changes");
        }
    }

    #[test]
    fn s4_committing_the_same_state_again_keeps_every_api(changes in prop::collection::vec(row(), 0..30)) {
        let mut builder = builder();
        let mut model = Model::new();
        apply(&mut model, &changes);
        let rows: Vec<Row> = model.into_values().collect();
        commit(&mut builder, true, rows.clone());
        let before = builder.published().load();
        for full in [true, false] {
            let committed = commit(&mut builder, full, rows.clone());
            let changed = committed.added.len() + committed.updated.len() + committed.credentials.len()
                + committed.members.len() + committed.products.len() + committed.removed.len() + committed.refused.len();
            prop_assert_eq!(changed, 0);
            let after = builder.published().load();
            for served in before.apis() {
                prop_assert!(after.api(&served.api.id).is_some_and(|now| Arc::ptr_eq(now, served)));
            }
        }
    }

    #[test]
    fn l1_with_shared_paths_each_place_has_one_holder_and_whoever_is_refused_is_so_by_a_holder(
        changes in prop::collection::vec(
            prop::collection::vec((prop::sample::select(APIS.to_vec()), 0..4u8, 0..4u8, 0..9i64, any::<bool>()), 1..5),
            1..12,
        ),
        keep in any::<bool>(),
    ) {
        let mut builder = if keep { builder() } else { strict() };
        let mut wanted: BTreeMap<&str, [String; 2]> = BTreeMap::new();
        for change in changes {
            let rows = change.iter().map(|(id, one, other, at, there)| {
                let paths = [format!("/{one}/"), format!("/{other}/")];
                let mut definition = definition(id, "/");
                definition["listeners"][0]["paths"] = paths.iter().map(|path| json!({ "path": path })).collect();
                if *there {
                    wanted.insert(id, paths);
                    deployed(&definition, *at)
                } else {
                    wanted.remove(id);
                    no_api(id)
                }
            });
            let state = change_rows(&mut builder, rows.collect());
            for (id, paths) in &wanted {
                match refused(&state, id) {
                    None => for path in paths {
                        prop_assert!(at(&state, path).as_deref() == Some(*id), "it is served at {}", path);
                    },
                    Some((reason, previous)) => {
                        prop_assert!(paths.iter().any(|path| at(&state, path).is_some_and(|holder| holder != *id)), "{}", reason);
                        prop_assert_eq!(previous, state.api(id).is_some());
                        prop_assert!(keep || !previous);
                    }
                }
            }
            let held = state.routes.iter().count();
            let places: std::collections::BTreeSet<_> = state.routes.iter().map(|route| route.claim.place.clone()).collect();
            prop_assert_eq!(held, places.len(), "a place has one holder");
            prop_assert!(state.routes.iter().all(|route| state.api(&route.served.api.id).is_some_and(|served| Arc::ptr_eq(served, &route.served))));
        }
    }
}

fn change_rows(builder: &mut Builder<Texts>, rows: Vec<Row>) -> Arc<State> {
    change(builder, rows)
}
