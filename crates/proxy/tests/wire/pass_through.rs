//! Routing and forwarding: the acceptance cases R1 to R24 that this slice serves, and the header rules.

use serde_json::json;
use zonegate_proxy::{GatewaySettings, ListenerSettings};

use crate::gateway::{self, Gateway, api, definition, keyless, set_http};
use crate::upstream::{Then, Upstream};

#[test]
fn r1_r3_an_unknown_path_is_plain_text_404_whatever_is_accepted() {
    let gateway = Gateway::serving(Vec::new());
    for accept in ["", "Accept: application/json\r\n"] {
        let response = gateway.get("/unknown", accept);
        assert_eq!(response.status, 404);
        assert_eq!(response.body, "No context-path matches the request URI.");
        assert_eq!(response.header("content-type"), Some("text/plain"));
        assert_eq!(response.header("content-length"), Some("40"));
        assert_eq!(response.header("x-gravitee-transaction-id"), None);
        assert_eq!(response.header("date"), None);
    }
    assert_eq!(gateway.counters.snapshot().unrouted, 2);
}

#[test]
fn r2_the_404_is_what_the_node_says() {
    let settings = GatewaySettings {
        not_found_message: "{}".to_owned(),
        not_found_content_type: "application/json".parse().expect("a value"),
        ..GatewaySettings::default()
    };
    let gateway = Gateway::with(settings, gateway::listener(), Vec::new());
    let response = gateway.get("/unknown", "");
    assert_eq!((response.body.as_str(), response.header("content-type")), ("{}", Some("application/json")));
}

#[test]
fn r4_to_r6_paths_are_glued_to_the_target() {
    let upstream = Upstream::ok();
    let gateway = Gateway::serving(vec![keyless(&upstream.target("/endpoint"))]);
    for (path, seen) in [
        ("/test", "/endpoint"),
        ("/test/", "/endpoint/"),
        ("/test/a/b?x=1", "/endpoint/a/b?x=1"),
        ("/test//a", "/endpoint//a"),
        ("/test/a/../b", "/endpoint/a/../b"),
        ("/test/a%2Fb", "/endpoint/a%2Fb"),
        ("/test/caf%C3%A9?", "/endpoint/caf%C3%A9"),
        ("http://other.example/test/abs?y", "/endpoint/abs?y"),
    ] {
        let response = gateway.get(path, "");
        assert_eq!((response.status, response.body.as_str()), (200, "ok"), "{path}");
        assert_eq!(upstream.last().line(), format!("GET {seen}"), "{path}");
    }
    for path in ["/testing", "test", "*"] {
        assert_eq!(gateway.get(path, "").status, 404, "{path}");
    }
    assert_eq!(upstream.seen().len(), 8);
    assert_eq!(upstream.connections(), 1, "one connection served them all");
}

#[test]
fn an_empty_target_path_becomes_the_root() {
    let upstream = Upstream::ok();
    let gateway = Gateway::serving(vec![keyless(&upstream.target(""))]);
    for (path, seen) in [("/test", "/"), ("/test/", "/"), ("/test?a", "/?a"), ("/test/x", "/x")] {
        gateway.get(path, "");
        assert_eq!(upstream.last().line(), format!("GET {seen}"), "{path}");
    }
}

#[test]
fn r8_r9_a_listener_is_on_the_servers_that_it_names() {
    let upstream = Upstream::ok();
    let mut elsewhere = definition("elsewhere", "/elsewhere", &upstream.target(""));
    elsewhere["listeners"][0]["servers"] = json!(["second"]);
    let mut here = definition("here", "/here", &upstream.target(""));
    here["listeners"][0]["servers"] = json!(["second", "first"]);
    let listener = ListenerSettings { id: "first".to_owned(), ..gateway::listener() };
    let gateway = Gateway::with(GatewaySettings::default(), listener, vec![api(&elsewhere), api(&here)]);
    assert_eq!(gateway.get("/elsewhere", "").status, 404);
    assert_eq!(gateway.get("/here", "").status, 200);
}

#[test]
fn a_host_is_exact_and_the_first_one_counts() {
    let upstream = Upstream::ok();
    let mut hosted = definition("hosted", "/hosted", &upstream.target(""));
    hosted["listeners"][0]["paths"] = json!([{ "host": "API.example.com", "path": "/hosted" }]);
    let gateway = Gateway::serving(vec![api(&hosted)]);
    let status = |hosts: &str| gateway.send(&format!("GET /hosted HTTP/1.1\r\n{hosts}\r\n")).status;
    assert_eq!(status("Host: api.EXAMPLE.com\r\n"), 200);
    assert_eq!(status("Host: api.example.com\r\nHost: b\r\n"), 200);
    assert_eq!(status("Host: api.example.com:8082\r\n"), 404);
    assert_eq!(status("Host: api.example.com.\r\n"), 404);
    assert_eq!(status(""), 404);
    assert_eq!(gateway.send("GET http://api.example.com/hosted HTTP/1.1\r\nHost: b\r\n\r\n").status, 404);
}

#[test]
fn r10_to_r12_queries_keep_their_form() {
    let upstream = Upstream::ok();
    let gateway = Gateway::serving(vec![
        keyless(&upstream.target("/a%20b/~c")),
        api(&definition("query", "/query", &upstream.target("/q?k=v"))),
    ]);
    gateway.get("/test?q=a%20b&e=&f&r=1&x;r=2", "");
    assert_eq!(upstream.last().line(), "GET /a%20b/~c?q=a%20b&e=&f&r=1&r=2&x");
    gateway.get("/query/more?x=1", "");
    assert_eq!(upstream.last().line(), "GET /q/more?x=1&k=v");
}

#[test]
fn r13_any_method_is_forwarded_as_it_is() {
    let upstream = Upstream::with("HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\n\r\n");
    let gateway = Gateway::serving(vec![keyless(&upstream.target(""))]);
    for method in ["XYZ", "get", "TRACE", "OPTIONS", "DELETE"] {
        let response = gateway.send(&format!("{method} /test HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_eq!(response.status, 501);
        assert_eq!(upstream.last().line(), format!("{method} /"));
    }
    let tunnel = gateway.send("CONNECT /test HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!((tunnel.status, upstream.seen().len()), (501, 5), "tunnels are not offered");
}

#[test]
fn r14_r15_status_headers_and_reason_come_back() {
    let upstream = Upstream::with(
        "HTTP/1.1 200 Custom\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Gravitee-Transaction-Id: upstream\r\n\
         X-Gravitee-Client-Identifier: upstream\r\nKeep-Alive: timeout=5\r\nConnection: keep-alive\r\n\
         Content-Length: 2\r\n\r\nok",
    );
    let gateway = Gateway::serving(vec![keyless(&upstream.target(""))]);
    let response = gateway.get("/test", "");
    assert_eq!(response.headers("set-cookie"), ["a=1", "b=2"]);
    assert_eq!(response.headers("x-gravitee-client-identifier").len(), 2);
    assert_eq!(response.headers("x-gravitee-transaction-id").len(), 1);
    assert_ne!(response.header("x-gravitee-transaction-id"), Some("upstream"));
    assert_eq!(response.header("keep-alive"), Some("timeout=5"));
    assert_eq!(response.header("server"), None);
    assert_eq!(response.header("via"), None);
    assert!(response.head.starts_with("HTTP/1.1 200 OK"), "V4 uses the standard phrase: {}", response.head);
}

#[test]
fn r16_to_r18_the_host_is_the_targets_unless_asked_otherwise() {
    let upstream = Upstream::ok();
    let mut relaying = definition("relaying", "/relaying", &upstream.target(""));
    set_http(&mut relaying, json!({ "propagateClientHost": true }));
    let mut custom = definition("custom", "/custom", &upstream.target(""));
    custom["endpointGroups"][0]["endpoints"][0]["sharedConfigurationOverride"]["headers"] =
        json!([{ "name": "Host", "value": "custom.example" }, { "name": "X-Env", "value": "prod" }]);
    let gateway = Gateway::serving(vec![keyless(&upstream.target("")), api(&relaying), api(&custom)]);
    let seen = |path: &str| {
        gateway.get(path, "X-Env: mine\r\nx-env: yours\r\n");
        upstream.last()
    };
    assert_eq!(seen("/test").headers("host"), [upstream.address.to_string()]);
    assert_eq!(seen("/relaying").headers("host"), ["gateway.example"]);
    let custom = seen("/custom");
    assert_eq!(custom.headers("host"), ["custom.example"]);
    assert_eq!(custom.headers("x-env"), ["prod"], "an endpoint's header replaces the client's");
}

#[test]
fn r20_r21_ids_are_made_once_and_a_given_transaction_is_kept() {
    let upstream = Upstream::ok();
    let gateway = Gateway::serving(vec![keyless(&upstream.target(""))]);
    let response = gateway.get("/test", "X-Gravitee-Request-Id: mine\r\n");
    let id = response.header("x-gravitee-request-id").expect("an id");
    assert_eq!(response.header("x-gravitee-transaction-id"), Some(id));
    assert_eq!(upstream.last().headers("x-gravitee-request-id"), [id]);
    assert_eq!(upstream.last().headers("x-gravitee-transaction-id"), [id]);
    assert_eq!(id.len(), 36);

    let response = gateway.get("/test", "X-Gravitee-Transaction-Id: t1\r\n");
    assert_eq!(response.headers("x-gravitee-transaction-id"), ["t1"]);
    assert_eq!(upstream.last().headers("x-gravitee-transaction-id"), ["t1"]);
    assert_ne!(response.header("x-gravitee-request-id"), Some("t1"));
    let response = gateway.get("/test", "X-Gravitee-Transaction-Id: \r\n");
    assert_eq!(response.headers("x-gravitee-transaction-id"), [""], "an empty one is kept empty");
}

#[test]
fn hop_by_hop_headers_end_here_and_all_others_go_on() {
    let upstream = Upstream::ok();
    let gateway = Gateway::serving(vec![keyless(&upstream.target(""))]);
    gateway.get(
        "/test",
        "Connection: X-Drop, keep-alive\r\nKeep-Alive: 5\r\nProxy-Authorization: p\r\nProxy-Connection: keep-alive\r\n\
         Proxy-Authenticate: p\r\nTE: trailers\r\nTrailer: X\r\nUpgrade: websocket\r\nAccept-Encoding: br\r\n\
         X-Drop: 1\r\nX-Forwarded-For: 10.0.0.1\r\nForwarded: for=a\r\nVia: 1.1 x\r\nX-Multi: a\r\nX-Multi: b\r\n\
         Accept: text/html\r\nExpect: something\r\n",
    );
    let seen = upstream.last();
    for gone in [
        "connection",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "proxy-authenticate",
        "te",
        "trailer",
        "upgrade",
        "accept-encoding",
        "content-length",
        "transfer-encoding",
        "x-forwarded-proto",
        "x-forwarded-host",
    ] {
        assert!(seen.headers(gone).is_empty(), "{gone} in {}", seen.head);
    }
    for (name, values) in [
        ("x-drop", &["1"][..]),
        ("x-forwarded-for", &["10.0.0.1"]),
        ("forwarded", &["for=a"]),
        ("via", &["1.1 x"]),
        ("x-multi", &["a", "b"]),
        ("accept", &["text/html"]),
        ("expect", &["something"]),
    ] {
        assert_eq!(seen.headers(name), values, "{name}");
    }
}

#[test]
fn accept_encoding_goes_on_only_where_the_endpoint_says_so() {
    let upstream = Upstream::ok();
    let mut rows = Vec::new();
    for (id, compress, propagate) in [("a", true, true), ("b", false, false), ("c", false, true)] {
        let mut definition = definition(id, id, &upstream.target(""));
        set_http(
            &mut definition,
            json!({ "useCompression": compress, "propagateClientAcceptEncoding": propagate }),
        );
        rows.push(api(&definition));
    }
    let gateway = Gateway::serving(rows);
    for (path, expected) in [("/a", None), ("/b", None), ("/c", Some("br"))] {
        gateway.get(path, "Accept-Encoding: br\r\n");
        assert_eq!(upstream.last().header("accept-encoding"), expected, "{path}");
    }
}

#[test]
fn s1_s18_a_client_is_identified_by_its_address_or_by_what_it_says() {
    let upstream = Upstream::ok();
    let gateway = Gateway::serving(vec![keyless(&upstream.target(""))]);
    let identifier = |path: &str, headers: &str| {
        let response = gateway.get(path, headers);
        response.headers("x-gravitee-client-identifier").join(",")
    };
    assert_eq!(identifier("/test", ""), "12ca17b49af2289436f303e0166030a21e525d266e209267433801a8fd4071a0");
    assert_eq!(
        identifier("/test", "X-Forwarded-For: 10.0.0.1, 10.0.0.2\r\n"),
        "f5047344122f0dee9974ba6761e61c6b8649e1f3968d13a635ebbf7be53a3a0d"
    );
    assert_eq!(identifier("/test", "X-Gravitee-Client-Identifier: me\r\n"), "me");
    assert_eq!(identifier("/test?X-Gravitee-Client-Identifier=me", ""), "me");
    assert_eq!(upstream.last().line(), "GET /?X-Gravitee-Client-Identifier=me", "the query keeps it");
}

#[test]
fn r24_load_is_balanced_as_the_group_says() {
    let counts = |strategy: &str, weights: [u32; 2], secondary: bool| {
        let upstreams = [Upstream::ok(), Upstream::ok()];
        let mut balanced = definition("balanced", "/balanced", "http://unused");
        balanced["endpointGroups"][0]["loadBalancer"] = json!({ "type": strategy });
        balanced["endpointGroups"][0]["endpoints"] = json!([
            { "name": "a", "type": "http-proxy", "weight": weights[0], "secondary": secondary,
              "configuration": { "target": upstreams[0].target("") } },
            { "name": "b", "type": "http-proxy", "weight": weights[1],
              "configuration": { "target": upstreams[1].target("") } }
        ]);
        let gateway = Gateway::serving(vec![api(&balanced)]);
        for _ in 0..10 {
            assert_eq!(gateway.get("/balanced", "").status, 200);
        }
        upstreams.map(|upstream| upstream.seen().len())
    };
    assert_eq!(counts("round-robin", [1, 9], false), [5, 5]);
    assert_eq!(counts("weighted-round-robin", [3, 7], false), [3, 7]);
    assert_eq!(counts("round-robin", [1, 1], true), [0, 10], "a secondary endpoint waits");
    assert_eq!(counts("random", [1, 1], false).iter().sum::<usize>(), 10);
    assert_eq!(counts("weighted-random", [1, 5], false).iter().sum::<usize>(), 10);
}

#[test]
fn flows_change_headers_on_both_ways_and_know_each_other() {
    let upstream = Upstream::with("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-From: upstream\r\n\r\nok");
    let add = |header: &str, value: &str| {
        json!([{ "policy": "transform-headers", "enabled": true,
                 "configuration": { "appendHeaders": [{ "name": header, "value": value }] } }])
    };
    let flow = |name: &str| {
        json!({ "enabled": true, "selectors": [{ "type": "http", "path": "/", "pathOperator": "STARTS_WITH" }],
                "request": add("x-order", name), "response": add("x-order", name) })
    };
    let mut ordered = definition("ordered", "/ordered", &upstream.target(""));
    ordered["flows"] = json!([flow("api")]);
    ordered["plans"][0]["flows"] = json!([flow("plan")]);
    let organization = json!({ "id": "O", "flowMode": "DEFAULT", "flows": [{
        "enabled": true, "path-operator": { "path": "/", "operator": "STARTS_WITH" },
        "pre": add("x-order", "organization"), "post": add("x-order", "organization") }] });
    let gateway = Gateway::serving(vec![gateway::organization(&organization), api(&ordered)]);
    let response = gateway.get("/ordered", "");
    assert_eq!(upstream.last().headers("x-order"), ["organization", "plan", "api"]);
    assert_eq!(response.headers("x-order"), ["plan", "api", "organization"]);
    assert_eq!(upstream.last().headers("x-gravitee-request-id").len(), 1);
}

#[test]
fn f20_where_a_flow_must_match_and_none_does_the_answer_is_404() {
    let upstream = Upstream::ok();
    let mut strict = definition("strict", "/strict", &upstream.target(""));
    strict["flowExecution"] = json!({ "mode": "default", "matchRequired": true });
    strict["flows"] = json!([{ "enabled": true, "selectors": [{ "type": "http", "path": "/known" }],
                               "request": [], "response": [] }]);
    let gateway = Gateway::serving(vec![api(&strict)]);
    let response = gateway.get("/strict/other", "Accept: application/json\r\n");
    assert_eq!((response.status, response.body.as_str()), (404, ""));
    assert!(response.header("x-gravitee-request-id").is_some(), "the API was found");
    assert_eq!(gateway.get("/strict/known", "").status, 200);
    assert_eq!(upstream.seen().len(), 1);
}

#[test]
fn p9_bodies_of_any_size_stream_both_ways() {
    let upstream = Upstream::answering(|request, stream| {
        use std::io::Write;
        let head =
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n", request.body.len());
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.write_all(request.body.as_bytes());
        let _ = stream.write_all(b"\r\n0\r\n\r\n");
        Then::Keep
    });
    let gateway = Gateway::serving(vec![keyless(&upstream.target(""))]);
    for size in [1, 100, 20_000, 300_000, 3_000_000] {
        let body = "0123456789".repeat(size / 10 + 1);
        let sized = format!("POST /test HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let half = body.len() / 2;
        let chunked = format!(
            "POST /test HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{half:x}\r\n{}\r\n{:x};e\r\n{}\r\n0\r\n\r\n",
            &body[..half],
            body.len() - half,
            &body[half..]
        );
        for (request, framing) in [(sized, "content-length"), (chunked, "transfer-encoding")] {
            let mut client = gateway.connect();
            let mut writer = client.stream.try_clone().expect("a socket");
            let sending = std::thread::spawn(move || {
                use std::io::Write;
                writer.write_all(request.as_bytes()).expect("the gateway reads");
            });
            let response = client.receive();
            sending.join().expect("sent");
            assert!(response.complete && response.body == body, "{framing}, {size} bytes");
            assert!(upstream.last().header(framing).is_some());
            assert!(upstream.last().body == body);
        }
    }
}

#[test]
fn requests_follow_each_other_on_a_connection_also_without_waiting() {
    let upstream = Upstream::answering(|request, stream| {
        use std::io::Write;
        let body = format!("{} {}", request.line(), request.body);
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        Then::Keep
    });
    let gateway = Gateway::serving(vec![keyless(&upstream.target(""))]);
    let mut client = gateway.connect();
    client.send(
        "POST /test/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc\
         POST /test/2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n\
         GET /test/3 HTTP/1.1\r\nHost: x\r\n\r\n",
    );
    for expected in ["POST /1 abc", "POST /2 de", "GET /3 "] {
        assert_eq!(client.receive().body, expected);
    }
    client.send("GET /test/4 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_eq!(client.receive().header("connection"), Some("close"));
    assert!(client.is_closed());
}
