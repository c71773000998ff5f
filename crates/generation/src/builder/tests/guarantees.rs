//! What the guarantees promise of single changes.

use zonegate_model::RecordedAt;

use super::*;

#[test]
fn s2_nothing_is_visible_before_the_commit_and_an_abort_leaves_no_trace() {
    let mut builder = builder();
    let before = change(&mut builder, vec![api("a", "/a"), subscription("a", "s", "ACCEPTED")]);
    builder.begin(false);
    builder.rows(vec![api("a", "/moved"), api("b", "/b"), key("a", "k", "secret", "s", true)]);
    assert!(Arc::ptr_eq(&before, &builder.published().load()));
    builder.abort();
    let after = change(&mut builder, vec![]);
    assert_eq!(visible(&before), visible(&after));
    assert!(Arc::ptr_eq(&served(&before, "a"), &served(&after, "a")));
}

#[test]
fn s2_an_api_becomes_active_together_with_its_subscriptions_and_keys() {
    let mut builder = builder();
    let published = builder.published();
    builder.begin(true);
    for row in [key("a", "k", "secret", "s", true), api("a", "/a"), subscription("a", "s", "ACCEPTED")] {
        builder.rows(vec![row]);
        assert_eq!(published.load().api_count(), 0);
    }
    let committed = builder.commit(None, Digests::default());
    assert_eq!((committed.number, &*committed.added), (1, &["a".into()][..]));
    assert_eq!(by_key(&published.load(), "a", "secret").as_deref(), Some("s"));
    assert_eq!(by_key(&published.load(), "a", "secre"), None);
}

#[test]
fn s2_a_reader_keeps_what_it_saw_until_it_looks_again() {
    let mut builder = builder();
    change(&mut builder, vec![api("a", "/a")]);
    let mut reader = builder.published().reader();
    let seen = reader.current().clone();
    change(&mut builder, vec![no_api("a")]);
    assert_eq!(at(&seen, "/a").as_deref(), Some("a"));
    assert_eq!(at(reader.current(), "/a"), None);
    assert_eq!(builder.free_retired(), 1, "somebody still looks at it");
    drop(seen);
    assert_eq!(builder.free_retired(), 0);
}

#[test]
fn s3_a_refused_api_does_not_touch_the_others_and_its_reason_is_kept() {
    let mut builder = builder();
    let broken = Row::deployed(RowKey::new(Kind::Api, "broken"), "{\"definition\":");
    let mut jwt = definition("jwt", "/jwt");
    jwt["plans"][0]["security"]["type"] = json!("jwt");
    let committed = commit(
        &mut builder,
        true,
        vec![broken, with_policy("odd", "/odd", "unknown"), api("a", "/a"), deployed(&jwt, 1)],
    );
    assert_eq!((committed.added.len(), committed.refused.len()), (1, 3));
    let state = builder.published().load();
    assert_eq!(
        (at(&state, "/a").as_deref(), at(&state, "/odd"), at(&state, "/jwt")),
        (Some("a"), None, None)
    );
    assert_eq!(refused(&state, "odd"), Some(("flows: policy `unknown` is not there".into(), false)));
    assert!(refused(&state, "broken").is_some_and(|(reason, _)| reason.contains("ends too early")));
    assert!(refused(&state, "jwt").is_some_and(|(reason, _)| reason.contains("security `jwt`")));
    let names =
        state.refused().filter_map(|refused| refused.name.as_deref().map(str::to_owned)).collect::<Vec<_>>();
    assert_eq!(names.len(), 2, "the name is there where it can be read: {names:?}");

    let repaired = change(&mut builder, vec![with_policy("odd", "/odd", "mock")]);
    assert_eq!((refused(&repaired, "odd"), at(&repaired, "/odd").as_deref()), (None, Some("odd")));
}

#[test]
fn s3_the_first_load_is_read_by_several_threads_with_the_same_outcome() {
    let mut builder = builder();
    let rows = (0..500).map(|number| {
        let (id, path) = (format!("api-{number}"), format!("/{number}"));
        with_policy(&id, &path, if number % 5 == 0 { "unknown" } else { "mock" })
    });
    let committed = commit(&mut builder, true, rows.collect());
    assert_eq!((committed.added.len(), committed.refused.len()), (400, 100));
    let state = builder.published().load();
    assert!((0..500).all(|number| at(&state, &format!("/{number}")).is_some() == (number % 5 != 0)));
}

#[test]
fn s3_the_previous_version_stays_or_goes_by_the_setting() {
    for (mut builder, stays) in [(builder(), true), (strict(), false)] {
        let good = change(&mut builder, vec![api("a", "/a"), subscription("a", "s", "ACCEPTED")]);
        let bad = change(&mut builder, vec![with_policy("a", "/b", "unknown")]);
        assert_eq!(at(&bad, "/a").is_some(), stays);
        assert_eq!(at(&bad, "/b"), None);
        assert_eq!(refused(&bad, "a").map(|(_, previous)| previous), Some(stays));
        if stays {
            assert!(Arc::ptr_eq(&served(&good, "a"), &served(&bad, "a")));
        }
        let gone = change(&mut builder, vec![no_api("a")]);
        assert_eq!((at(&gone, "/a"), refused(&gone, "a")), (None, None));
        assert!(visible(&gone).is_empty());
    }
}

#[test]
fn s5_a_key_revoked_while_its_api_is_refused_stops_the_previous_version_too() {
    let mut builder = builder();
    change(
        &mut builder,
        vec![api("a", "/a"), subscription("a", "s", "ACCEPTED"), key("a", "k", "secret", "s", true)],
    );
    let bad = change(&mut builder, vec![with_policy("a", "/a", "unknown")]);
    assert!(by_key(&bad, "a", "secret").is_some());
    let revoked = change(&mut builder, vec![key("a", "k", "secret", "s", false)]);
    assert!(by_key(&revoked, "a", "secret").is_none() && at(&revoked, "/a").is_some());
}

#[test]
fn s4_rows_equal_to_what_is_there_change_nothing() {
    let mut builder = builder();
    let rows = || {
        vec![
            api("a", "/a"),
            subscription("a", "s", "ACCEPTED"),
            key("a", "k", "secret", "s", true),
            with_policy("odd", "/odd", "unknown"),
            organization("platform", "mock"),
            access_point("point", "api.example.com"),
        ]
    };
    let before = change(&mut builder, rows());
    for full in [false, true] {
        let committed = commit(&mut builder, full, rows());
        let nothing = Committed { number: committed.number, ..Committed::default() };
        assert_eq!(committed, nothing);
        let after = builder.published().load();
        assert!(
            Arc::ptr_eq(&served(&before, "a"), &served(&after, "a")),
            "the very same, so no pool is dropped"
        );
        assert_eq!(visible(&before), visible(&after));
    }
}

#[test]
fn s4_a_changed_key_leaves_what_was_compiled_alone() {
    let mut builder = builder();
    let before =
        change(&mut builder, vec![api("a", "/a"), api("b", "/b"), subscription("a", "s", "ACCEPTED")]);
    let committed = commit(&mut builder, false, vec![key("a", "k", "secret", "s", true)]);
    assert_eq!((&*committed.credentials, committed.updated.len()), (&["a".into()][..], 0));
    let after = builder.published().load();
    assert!(Arc::ptr_eq(&served(&before, "a").compiled, &served(&after, "a").compiled));
    assert!(Arc::ptr_eq(&served(&before, "b"), &served(&after, "b")), "another API is not touched");
    let (by_path, by_id) = (after.route(None, None, "/a"), served(&after, "a"));
    assert!(
        by_path.is_some_and(|routed| Arc::ptr_eq(routed.served, &by_id)),
        "both ways lead to the new keys"
    );
}

#[test]
fn s5_a_full_state_removes_what_does_not_come() {
    let mut builder = builder();
    let everything = vec![
        api("a", "/a"),
        api("b", "/b"),
        subscription("a", "s", "ACCEPTED"),
        key("a", "k", "secret", "s", true),
        organization("platform", "mock"),
        access_point("point", "api.example.com"),
        Row::deployed(RowKey::new(Kind::Dictionary, "d"), r#"{"id":"d","properties":{}}"#),
    ];
    change(&mut builder, everything);
    let committed = commit(&mut builder, true, vec![api("a", "/a")]);
    assert_eq!((committed.removed, committed.credentials), (vec!["b".into()], vec![]));
    assert_eq!(committed.updated, vec![Arc::from("a")], "its organization is gone");
    let state = builder.published().load();
    assert_eq!(
        (at(&state, "/a").as_deref(), at(&state, "/b")),
        (Some("a"), None),
        "the access point is gone"
    );
    assert!(by_key(&state, "a", "secret").is_none());
    assert_eq!(state.dictionaries().count(), 0);
    assert!(state.organization("O").is_none());
}

#[test]
fn s5_what_is_closed_revoked_paused_or_unreadable_gives_no_access() {
    let mut builder = builder();
    let whole =
        || vec![api("a", "/a"), subscription("a", "s", "ACCEPTED"), key("a", "k", "secret", "s", true)];
    let broken = |kind, id| Row::deployed(RowKey::scoped(kind, "a", id), r#"{"key":5,"status":[]}"#);
    for row in [
        subscription("a", "s", "CLOSED"),
        subscription("a", "s", "PAUSED"),
        key("a", "k", "secret", "s", false),
        key("a", "k", "other", "s", true),
        key("a", "k", "secret", "another", true),
        Row::removed(RowKey::scoped(Kind::Subscription, "a", "s")),
        Row::removed(RowKey::scoped(Kind::ApiKey, "a", "k")),
        broken(Kind::Subscription, "s"),
        broken(Kind::ApiKey, "k"),
    ] {
        let state = change(&mut builder, whole());
        assert!(by_key(&state, "a", "secret").is_some());
        let state = change(&mut builder, vec![row.clone()]);
        assert!(by_key(&state, "a", "secret").is_none(), "{row:?}");
    }
    let committed = commit(&mut builder, false, vec![broken(Kind::ApiKey, "k")]);
    assert_eq!(committed.unreadable.len(), 1);
}

#[test]
fn s6_what_happens_to_one_id_does_not_touch_another_that_looks_like_it() {
    let mut builder = builder();
    let rows = ["api-1", "api-10", "api-*", "api"].map(|id| api(id, &format!("/{id}")));
    change(&mut builder, rows.into());
    let keys = ["api-1", "api-10"].map(|id| [subscription(id, "s", "ACCEPTED"), key(id, "k", id, "s", true)]);
    change(&mut builder, keys.into_iter().flatten().collect());
    let state = change(&mut builder, vec![no_api("api-1"), key("api-*", "k", "x", "s", true)]);
    assert_eq!(state.api_count(), 3);
    assert_eq!(by_key(&state, "api-10", "api-10").as_deref(), Some("s"));
    assert_eq!(by_key(&state, "api-10", "api-1"), None, "a key of another API");
}

#[test]
fn credentials_of_an_api_that_comes_later_are_there_for_it() {
    let mut builder = builder();
    change(&mut builder, vec![subscription("a", "s", "ACCEPTED"), key("a", "k", "secret", "s", true)]);
    let state = change(&mut builder, vec![api("a", "/a")]);
    assert_eq!(by_key(&state, "a", "secret").as_deref(), Some("s"));
}

#[test]
fn an_organizations_flows_reach_its_apis_when_they_change() {
    let mut builder = builder();
    let state = change(&mut builder, vec![api("a", "/a")]);
    assert_eq!(*served(&state, "a").compiled, "name of a []");
    let state = change(&mut builder, vec![organization("platform", "mock")]);
    assert_eq!(*served(&state, "a").compiled, "name of a [platform]");
    assert_eq!(state.organization("O").map(|organization| organization.flows.len()), Some(1));
    let state = change(&mut builder, vec![Row::removed(RowKey::new(Kind::Organization, "O"))]);
    assert_eq!(*served(&state, "a").compiled, "name of a []");
}

#[test]
fn s3_apis_of_an_organization_that_is_not_understood_are_not_served_without_its_flows() {
    let unreadable = Row::deployed(
        RowKey::new(Kind::Organization, "O"),
        r#"{"definition":{"id":"O","flows":7},"enabled":true}"#,
    );
    for (mut builder, stays) in [(builder(), true), (strict(), false)] {
        let state = change(&mut builder, vec![api("a", "/a"), unreadable.clone()]);
        assert!(at(&state, "/a").is_none() && refused(&state, "a").is_some(), "there is no earlier version");
        let state = change(&mut builder, vec![organization("platform", "mock")]);
        assert_eq!(*served(&state, "a").compiled, "name of a [platform]");
        let state = change(&mut builder, vec![unreadable.clone()]);
        assert_eq!(at(&state, "/a").is_some(), stays);
        let state = change(&mut builder, vec![organization("other", "unknown")]);
        assert!(at(&state, "/a").is_none(), "it cannot be compiled with the flows that hold now");
        assert!(refused(&state, "a").is_some());
    }
}

#[test]
fn s3_a_previous_version_runs_within_the_organization_as_it_is_now() {
    let mut builder = builder();
    change(&mut builder, vec![organization("one", "mock"), api("a", "/a")]);
    change(&mut builder, vec![with_policy("a", "/a", "unknown")]);
    let state = change(&mut builder, vec![organization("two", "mock")]);
    assert_eq!(*served(&state, "a").compiled, "name of a [two]");
    assert_eq!(refused(&state, "a").map(|(_, previous)| previous), Some(true));
}

#[test]
fn an_api_without_a_plan_for_this_gateway_is_neither_served_nor_refused() {
    let mut builder = builder();
    let mut closed = definition("a", "/a");
    closed["plans"][0]["status"] = json!("closed");
    change(&mut builder, vec![api("a", "/a")]);
    let state = change(&mut builder, vec![deployed(&closed, 2)]);
    assert!(state.api_count() == 0 && state.refused().count() == 0);
}

#[test]
fn s3_a_definition_with_the_id_of_another_api_is_refused() {
    let mut builder = builder();
    let Row { state: row, .. } = api("b", "/b");
    let state = change(
        &mut builder,
        vec![
            api("b", "/b"),
            Row { key: RowKey::new(Kind::Api, "a"), state: row, recorded_at: RecordedAt::UNKNOWN },
        ],
    );
    assert_eq!(at(&state, "/b").as_deref(), Some("b"));
    assert!(refused(&state, "a").is_some_and(|(reason, _)| reason.contains("another id")));
}

#[test]
fn l3_debug_output_holds_no_key() {
    let mut builder = builder();
    let state = change(
        &mut builder,
        vec![api("a", "/a"), subscription("a", "s", "ACCEPTED"), key("a", "k", "s3cret", "s", true)],
    );
    let shown = format!("{state:?} {builder:?} {:?} {:?}", served(&state, "a"), credentials(&state, "a"));
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[test]
fn a_key_match_says_when_it_holds() {
    let mut builder = builder();
    let bounded =
        json!({ "plan": "p", "application": "app", "status": "ACCEPTED", "startingAt": 10, "endingAt": 20 });
    let expiring = json!({ "key": "secret", "subscription": "s", "active": true, "expireAt": 15 });
    let state = change(
        &mut builder,
        vec![
            api("a", "/a"),
            Row::deployed(RowKey::scoped(Kind::Subscription, "a", "s"), bounded.to_string()),
            Row::deployed(RowKey::scoped(Kind::ApiKey, "a", "k"), expiring.to_string()),
        ],
    );
    let found = credentials(&state, "a").find_key(b"secret").expect("the key is known");
    assert!(found.application == *"app" && found.plan == *"p");
    assert_eq!([9, 10, 20, 21].map(|now| found.is_subscribed_at(now)), [false, true, true, false]);
    assert_eq!([14, 15].map(|now| found.is_expired_at(now)), [false, true]);
}

#[test]
fn one_key_may_belong_to_subscriptions_of_several_plans() {
    let mut builder = builder();
    let rows = vec![
        api("a", "/a"),
        subscription("a", "s1", "ACCEPTED"),
        subscription("a", "s2", "ACCEPTED"),
        key("a", "k1", "shared", "s1", true),
        key("a", "k2", "shared", "s2", true),
    ];
    let state = change(&mut builder, rows);
    assert_eq!(credentials(&state, "a").find_keys(b"shared").count(), 2);
    let state = change(&mut builder, vec![key("a", "k1", "shared", "s1", false)]);
    assert_eq!(by_key(&state, "a", "shared").as_deref(), Some("s2"));
}

#[test]
fn a_push_subscription_is_carried_and_counted_and_opened_by_no_key() {
    let mut builder = builder();
    let rows = vec![
        api("a", "/a"),
        push_subscription("a", "s"),
        key("a", "k", "secret", "s", true),
        push_subscription("b", "s"),
        push_subscription("b", "t"),
    ];
    let state = change(&mut builder, rows.clone());
    assert_eq!((by_key(&state, "a", "secret"), state.push_subscription_count()), (None, 3));
    commit(&mut builder, true, rows);
    assert_eq!(builder.published().load().push_subscription_count(), 3);
    let state = change(&mut builder, vec![subscription("a", "s", "ACCEPTED"), push_subscription("b", "s")]);
    assert_eq!((by_key(&state, "a", "secret").as_deref(), state.push_subscription_count()), (Some("s"), 2));
    let state = change(&mut builder, vec![push_subscription("a", "s"), subscription("b", "t", "CLOSED")]);
    assert_eq!((by_key(&state, "a", "secret"), state.push_subscription_count()), (None, 2));
    let gone = Row::removed(RowKey::scoped(Kind::Subscription, "b", "s"));
    assert_eq!(change(&mut builder, vec![gone]).push_subscription_count(), 1);
}

#[test]
fn s1_node_metadata_and_licences_are_shown_and_lock_nothing() {
    let metadata = |id: &str, installation: &str, at: i64| {
        let payload = json!({ "organizationIds": ["O"], "installationId": installation });
        Row::deployed(RowKey::new(Kind::NodeMetadata, id), payload.to_string()).recorded(RecordedAt(at))
    };
    let license = |id: &str| Row::deployed(RowKey::new(Kind::License, id), "a text that is no JSON");
    let mut builder = builder();
    assert_eq!(builder.published().load().installation_id(), None);
    let state = change(&mut builder, vec![metadata("b", "old", 1), metadata("a", "new", 2), license("O")]);
    assert_eq!((state.installation_id(), state.organization_ids()), (Some("new"), &["O".to_owned()][..]));
    assert_eq!(state.licensed_organizations().map(AsRef::as_ref).collect::<Vec<&str>>(), ["O"]);
    let unreadable = Row::deployed(RowKey::new(Kind::NodeMetadata, "a"), "{");
    let committed = commit(&mut builder, false, vec![unreadable, license("Q")]);
    assert_eq!(committed.unreadable_count, 1);
    assert_eq!(builder.published().load().installation_id(), Some("new"), "the earlier state stays");
    commit(&mut builder, true, vec![metadata("b", "old", 1)]);
    let state = builder.published().load();
    assert_eq!((state.installation_id(), state.licensed_organizations().count()), (Some("old"), 0));
}
