//! Who is served where.

use super::*;

#[test]
fn a_context_path_matches_at_its_boundaries_only_and_the_longest_wins() {
    let mut builder = builder();
    let state = change(&mut builder, vec![api("root", "/"), api("test", "/test"), api("v2", "//test//v2/")]);
    for (path, expected, info) in [
        ("/", "root", ""),
        ("/x", "root", "/x"),
        ("/testing", "root", "/testing"),
        ("/test", "test", ""),
        ("/test/", "test", "/"),
        ("/test/a/b", "test", "/a/b"),
        ("/test//v2", "test", "//v2"),
        ("/test/v2", "v2", ""),
        ("/test/v2/x", "v2", "/x"),
        ("/test/v22", "test", "/v22"),
        ("/%74est", "root", "/%74est"),
        ("/Test", "root", "/Test"),
    ] {
        let routed = state.route(None, None, path).unwrap_or_else(|| panic!("{path} leads somewhere"));
        assert_eq!((&*routed.served.api.id, routed.path_info(path)), (expected, info), "{path}");
    }
    for path in ["", "*", "test", "example.com:443"] {
        assert!(state.route(None, None, path).is_none(), "{path:?} is no path");
    }
    let state = change(&mut builder, vec![no_api("root")]);
    assert!(at(&state, "/x").is_none() && at(&state, "/").is_none());
}

#[test]
fn l1_a_path_of_slashes_is_looked_up_as_often_as_context_paths_are_deep() {
    let mut builder = builder();
    let deep = "/segment".repeat(40);
    let state = change(&mut builder, vec![api("a", "/a"), api("deep", &deep)]);
    assert_eq!(at(&state, &"/".repeat(100_000)), None);
    assert_eq!(at(&state, &format!("/a{}", "/".repeat(100_000))).as_deref(), Some("a"));
    assert_eq!(at(&state, &format!("{deep}/x/y")).as_deref(), Some("deep"));
    let state = change(&mut builder, vec![no_api("deep")]);
    assert_eq!((at(&state, &deep), at(&state, "/a/b").as_deref()), (None, Some("a")));
}

fn on_host(id: &str, host: &str, path: &str) -> Row {
    let mut definition = definition(id, path);
    definition["listeners"][0]["paths"][0]["host"] = json!(host);
    deployed(&definition, 1)
}

#[test]
fn a_host_goes_before_any_host_and_its_port_counts() {
    let mut builder = builder();
    let state = change(
        &mut builder,
        vec![
            api("any", "/a/long"),
            on_host("named", "Api.Acme.com", "/a"),
            on_host("port", "api.acme.com:8082", "/a"),
        ],
    );
    assert_eq!(at_host(&state, "API.acme.COM", "/a/long").as_deref(), Some("named"), "host before length");
    assert_eq!(at_host(&state, "api.acme.com:8082", "/a/x").as_deref(), Some("port"));
    assert_eq!(at_host(&state, "api.acme.com:1", "/a"), None);
    assert_eq!(at_host(&state, "api.acme.com.", "/a"), None, "a trailing dot is another host");
    assert_eq!(at_host(&state, "other", "/a/long").as_deref(), Some("any"));
    assert_eq!(at_host(&state, "", "/a/long").as_deref(), Some("any"));
    assert_eq!(at_host(&state, &"x".repeat(10_000), "/a/long").as_deref(), Some("any"));
    assert_eq!(at(&state, "/a"), None);
}

#[test]
fn a_listener_is_there_on_its_servers_only() {
    let mut builder = builder();
    let on_server = |id: &str, server: &str, path: &str| {
        let mut definition = definition(id, path);
        definition["listeners"][0]["servers"] = json!([server]);
        deployed(&definition, 1)
    };
    let rows = vec![on_server("in", "internal", "/a"), on_server("out", "public", "/a"), api("root", "/")];
    let state = change(&mut builder, rows);
    let on = |server: Option<&str>| {
        state.route(server, None, "/a/x").map(|routed| routed.served.api.id.to_string())
    };
    assert_eq!(on(Some("internal")).as_deref(), Some("in"), "one path on two servers is no conflict");
    assert_eq!(on(Some("public")).as_deref(), Some("out"));
    assert_eq!(on(Some("third")).as_deref(), Some("root"), "the next shorter context path");
    assert_eq!(on(None).as_deref(), Some("root"));
    let state = change(&mut builder, vec![api("all", "/a")]);
    assert!(refused(&state, "all").is_some(), "all servers overlap with each");
}

#[test]
fn access_points_are_the_hosts_of_paths_without_one() {
    let mut builder = builder();
    change(&mut builder, vec![api("a", "/a"), on_host("named", "own.example.com", "/n")]);
    let before = builder.published().load();
    let state = change(
        &mut builder,
        vec![access_point("1", "One.example.com"), access_point("2", "two.example.com")],
    );
    assert_eq!((at(&state, "/a"), at_host(&state, "other", "/a")), (None, None));
    for host in ["one.example.com", "two.example.com"] {
        assert_eq!(at_host(&state, host, "/a").as_deref(), Some("a"));
        assert_eq!(at_host(&state, host, "/n"), None);
    }
    assert_eq!(at_host(&state, "own.example.com", "/n").as_deref(), Some("named"));
    assert!(
        Arc::ptr_eq(&served(&before, "a").compiled, &served(&state, "a").compiled),
        "only routes changed"
    );
    let removed = ["1", "2"].map(|id| Row::removed(RowKey::new(Kind::AccessPoint, id)));
    let state = change(&mut builder, removed.into());
    assert_eq!(at(&state, "/a").as_deref(), Some("a"));
}

#[test]
fn l1_of_two_apis_on_one_path_the_one_deployed_first_is_served_and_the_other_waits() {
    let mut builder = builder();
    let twin = |id: &str, at: i64| deployed(&definition(id, "/x"), at);
    let state = change(&mut builder, vec![twin("late", 2), twin("early", 1), twin("later", 3)]);
    assert_eq!(at(&state, "/x").as_deref(), Some("early"));
    let (reason, previous) = refused(&state, "late").expect("the other is refused");
    assert!(reason.contains("`/x/`") && reason.contains("early") && !previous, "{reason}");

    let state = change(&mut builder, vec![twin("early", 9)]);
    assert_eq!(
        at(&state, "/x").as_deref(),
        Some("early"),
        "who has a path keeps it when it is deployed again"
    );

    let state = change(&mut builder, vec![no_api("early")]);
    assert_eq!(at(&state, "/x").as_deref(), Some("late"), "it takes over at once");
    assert!(refused(&state, "late").is_none());
    let (reason, _) = refused(&state, "later").expect("the third still waits");
    assert!(reason.ends_with("API late"), "the reason names who has it now: {reason}");

    let state = change(&mut builder, vec![deployed(&definition("late", "/elsewhere"), 10)]);
    assert_eq!(at(&state, "/x").as_deref(), Some("later"), "also when the holder moves away");
}

#[test]
fn s3_an_api_with_one_path_taken_is_refused_as_a_whole_and_keeps_its_earlier_places() {
    let mut builder = builder();
    let both = |id: &str, paths: [&str; 2]| {
        let mut definition = definition(id, "/");
        definition["listeners"][0]["paths"] = paths.iter().map(|path| json!({ "path": path })).collect();
        deployed(&definition, 5)
    };
    change(&mut builder, vec![api("a", "/a"), both("b", ["/b", "/c"])]);
    let state = change(&mut builder, vec![both("b", ["/d", "/a"])]);
    assert_eq!(at(&state, "/d"), None, "not in part");
    assert_eq!((at(&state, "/b").as_deref(), at(&state, "/c").as_deref()), (Some("b"), Some("b")));
    assert_eq!(refused(&state, "b").map(|(_, previous)| previous), Some(true));
    let state = change(&mut builder, vec![no_api("a")]);
    assert_eq!(
        (at(&state, "/a").as_deref(), at(&state, "/d").as_deref(), at(&state, "/b")),
        (Some("b"), Some("b"), None)
    );
}

#[test]
fn two_apis_can_change_places_in_one_commit() {
    let mut builder = builder();
    change(&mut builder, vec![api("a", "/a"), api("b", "/b")]);
    let swap = vec![deployed(&definition("a", "/b"), 2), deployed(&definition("b", "/a"), 2)];
    let state = change(&mut builder, swap);
    assert_eq!((at(&state, "/a").as_deref(), at(&state, "/b").as_deref()), (Some("b"), Some("a")));
    assert_eq!(state.refused().count(), 0);
}

#[test]
fn a_move_that_fails_goes_back_to_where_it_was() {
    let mut builder = builder();
    change(&mut builder, vec![api("a", "/a"), api("b", "/b"), api("c", "/c")]);
    // Both want /z; b was deployed first. What a gave up for it is still free.
    let moves = vec![deployed(&definition("a", "/z"), 8), deployed(&definition("b", "/z"), 7)];
    let state = change(&mut builder, moves);
    assert_eq!(
        (at(&state, "/z").as_deref(), at(&state, "/a").as_deref(), at(&state, "/b")),
        (Some("b"), Some("a"), None)
    );
    assert_eq!(refused(&state, "a").map(|(_, previous)| previous), Some(true));
}
