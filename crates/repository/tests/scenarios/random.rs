//! Whatever is written, windows add up to what a fresh read finds: what is read is a function of the repository.

use std::collections::HashMap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use zonegate_management_writer::{
    ApiProductSpec, ApiSpec, KeySpec, ManagementWriter, PlanSpec, SubscriptionSpec, SubscriptionStatus,
};

use crate::world::{State, World, read_all, read_index, read_parts, read_window};

const UPSTREAM: &str = "http://127.0.0.1:1";

/// One thing that a user of the management API could do, or that fails where it makes no sense.
async fn act(writer: &ManagementWriter, random: &mut StdRng, step: usize) -> String {
    let api = format!("api-{}", random.random_range(0..4));
    let subscription = format!("s-{}", random.random_range(0..6));
    let key = format!("k-{}", random.random_range(0..8));
    let plan = |n: u32| format!("{api}-plan-{n}");
    let (what, outcome) = match random.random_range(0..15) {
        0..=2 => {
            let mut spec = if random.random() {
                ApiSpec::v4(&api, format!("/{api}"), UPSTREAM)
            } else {
                ApiSpec::v2(&api, format!("/{api}"), UPSTREAM)
            };
            for n in 0..2 {
                let status = if random.random_bool(0.7) { "published" } else { "closed" };
                spec = spec.plan(PlanSpec::api_key(plan(n)).status(status));
            }
            (format!("deploy {api}"), writer.deploy_api(&spec).await.map(drop))
        }
        3 => (format!("stop {api}"), writer.stop_api(&api).await),
        4 => (format!("undeploy {api}"), writer.undeploy_api(&api).await),
        5 => (format!("delete {api}"), writer.delete_api(&api).await),
        6 | 7 => {
            let of_plan = plan(random.random_range(0..3));
            let spec = SubscriptionSpec::new(format!("{subscription}-{step}"), &api, of_plan);
            let spec = SubscriptionSpec {
                id: if random.random() { spec.id.clone() } else { subscription.clone() },
                ..spec
            };
            (format!("subscribe {}", spec.id), writer.create_subscription(&spec).await)
        }
        8 => {
            let mut spec = KeySpec::new(&key, format!("secret-{step}"), &subscription);
            if random.random_bool(0.3) {
                spec.subscriptions.push(format!("s-{}", random.random_range(0..6)));
                spec.subscriptions.dedup();
            }
            (format!("key {key} of {:?}", spec.subscriptions), writer.create_key(&spec).await)
        }
        9 => (format!("revoke {key}"), writer.revoke_key(&key).await),
        10 => (format!("pause {subscription}"), writer.pause_subscription(&subscription).await),
        13 => (format!("resume {subscription}"), writer.resume_subscription(&subscription).await),
        11 => {
            let id = format!("prod-{}", random.random_range(0..2));
            let apis = (0..4).filter(|_| random.random()).map(|n| format!("api-{n}")).collect();
            let status = if random.random_bool(0.8) { "published" } else { "closed" };
            let plans = vec![PlanSpec::api_key(format!("{id}-plan")).status(status)];
            let what = format!("product {id} of {apis:?}, plan {status}");
            (what, writer.deploy_api_product(&ApiProductSpec { id, apis, plans }).await)
        }
        12 => {
            let id = format!("prod-{}", random.random_range(0..2));
            (format!("undeploy {id}"), writer.undeploy_api_product(&id).await)
        }
        _ => {
            let status =
                [SubscriptionStatus::Closed, SubscriptionStatus::Accepted, SubscriptionStatus::Pending];
            let status = status[random.random_range(0..3)];
            (format!("{subscription} {}", status.name()), writer.set_status(&subscription, status).await)
        }
    };
    format!("{what}{}", if outcome.is_ok() { "" } else { " (refused)" })
}

/// The scenario.
pub(crate) async fn windows_add_up(world: World, seed: u64, steps: usize) {
    let mut random = StdRng::seed_from_u64(seed);
    let auditor = world.reader();
    let mut reader = world.reader();
    let first = read_all(&reader).await;
    let (mut seen, mut state) = (first.stamps(), first.state());
    let mut history = Vec::new();
    for step in 0..steps {
        history.push(act(&world.writer, &mut random, step).await);
        if random.random_bool(0.05) {
            // Which APIs a product had before nobody can tell another reader; so it comes when all is told.
            let read = read_window(&reader, 0, i64::MAX, seen.clone()).await;
            seen.extend(read.stamps());
            state.apply(&read.changes);
            reader = world.reader();
            read_window(&reader, i64::MAX, i64::MAX, HashMap::new()).await;
            history.push("another reader".to_owned());
        }
        if random.random_bool(0.4) {
            let read = read_window(&reader, 0, i64::MAX, seen.clone()).await;
            seen.extend(read.stamps());
            state.apply(&read.changes);
            let fresh = read_all(&auditor).await.state();
            let after = format!("seed {seed}, after\n{}", history.join("\n"));
            state.assert_same(&fresh, &after);
            let index = read_index(&auditor).await;
            index.assert_covers(&state, &after);
            // What was not told to it: an audit asks for all that the index mentions.
            let units = index.rows.keys().filter_map(|key| key.unit().map(|unit| &**unit));
            let mut audited = State::default();
            audited.apply(&read_parts(&auditor, &units.collect::<Vec<_>>()).await.changes);
            audited.assert_same(&fresh, &after);
        }
    }
}
