//! Where values come from, and which source wins.

use super::{loaded, with};

fn port(text: &str, variables: &[(&str, &str)]) -> u16 {
    loaded(&with(text), variables).settings.http.listeners[0].port
}

#[test]
fn c1_sources_win_in_apim_s_order() {
    let file = "http.port: 1\n";
    assert_eq!(port(file, &[]), 1);
    assert_eq!(port(file, &[("HTTP_PORT", "2")]), 2);
    assert_eq!(port(file, &[("HTTP_PORT", "2"), ("GRAVITEE_HTTP_PORT", "3")]), 3);
    assert_eq!(port(file, &[("GRAVITEE_HTTP_PORT", "3"), ("gravitee_http_port", "4")]), 4);
    assert_eq!(port(file, &[("gravitee_http_port", "4"), ("gravitee.http.port", "5")]), 5);
}

#[test]
fn c1_variables_have_all_spellings() {
    let text = "services.sync.distributed.enabled: true\ndistributed-sync:\n  type: redis\n  zone: z\n  redis:\n    sentinel:\n      master: m\n";
    for name in [
        "gravitee.distributed-sync.redis.sentinel.nodes[0].host",
        "gravitee_distributed-sync_redis_sentinel_nodes_0_host",
        "gravitee_distributedsync.redis.sentinel.nodes[0].host",
        "gravitee_distributedsync_redis_sentinel_nodes_0_host",
        "GRAVITEE_DISTRIBUTEDSYNC_REDIS_SENTINEL_NODES_0_HOST",
        "GRAVITEE_DISTRIBUTED-SYNC_REDIS_SENTINEL_NODES_0_HOST",
        "GRAVITEE.DISTRIBUTED-SYNC.REDIS.SENTINEL.NODES[0].HOST",
    ] {
        let loaded = loaded(&with(text), &[(name, "s1")]);
        let endpoint = loaded.settings.distributed_sync.unwrap().store.endpoint;
        assert!(
            matches!(&endpoint, crate::RedisEndpoint::Sentinel { nodes, .. } if nodes[0].host == "s1"),
            "{name}: {endpoint:?}"
        );
        assert!(loaded.report.problems.is_empty(), "{name}: {:?}", loaded.report.problems);
    }
}

#[test]
fn c1_camel_case_stays_unless_all_is_in_capitals() {
    assert_eq!(
        loaded(&with(""), &[("gravitee_http_maxHeaderSize", "999")]).settings.http.listeners[0]
            .max_header_size,
        999
    );
    assert_eq!(
        loaded(&with(""), &[("GRAVITEE_HTTP_MAXHEADERSIZE", "999")]).settings.http.listeners[0]
            .max_header_size,
        999
    );
    assert_eq!(
        loaded(&with(""), &[("gravitee_http_maxheadersize", "999")]).settings.http.listeners[0]
            .max_header_size,
        8192
    );
}

#[test]
fn c1_users_come_from_variables_too() {
    let text = super::MINIMAL.replace(
        "services.core.http.authentication.type: none",
        "services.core.http.authentication.users.admin: a",
    );
    let variables = [
        ("gravitee_services_core_http_authentication_users_ops", "o"),
        ("GRAVITEE_SERVICES_CORE_HTTP_AUTHENTICATION_USERS_ADMIN", "b"),
    ];
    let crate::Authentication::Basic { users } =
        loaded(&text, &variables).settings.technical_api.authentication
    else {
        panic!("not basic")
    };
    let users: Vec<_> = users
        .iter()
        .map(|(name, password)| (name.as_str(), secrecy::ExposeSecret::expose_secret(password)))
        .collect();
    assert_eq!(users, [("admin", "b"), ("ops", "o")]);
}

#[test]
fn c1_placeholders_reach_every_source() {
    assert_eq!(port("http.port: ${my.port}\nmy.port: ${MY_PORT:7}\n", &[]), 7);
    assert_eq!(port("http.port: ${my.port}\nmy.port: ${MY_PORT:7}\n", &[("MY_PORT", "8")]), 8);
    assert_eq!(port("http.port: ${my.port}\n", &[("gravitee_my_port", "9")]), 9);
    assert_eq!(port("", &[("gravitee_http_port", "${other:10}")]), 10);
    let path = loaded(&with("tenant: ${gravitee.home}/x\n"), &[]).settings.tenant;
    assert_eq!(path.as_deref(), Some("/opt/gateway/x"));
}

#[test]
fn c1_a_section_below_repositories_wins() {
    let text = with("repositories:\n  management:\n    jdbc:\n      username: below\n")
        .replace("  type: jdbc", "  type: jdbc\n");
    let Some(crate::Management::Jdbc(jdbc)) =
        loaded(&text, &[("gravitee_management_jdbc_username", "variable")]).settings.management
    else {
        panic!("a JDBC repository")
    };
    assert_eq!(jdbc.username.as_deref(), Some("below"));
}

#[test]
fn c1_yaml_anchors_and_merges_are_followed() {
    let text = "ds: { first: &first { port: 9, host: localhost }, second: &second { port: 10, maxHeaderSize: 999 } }\n\
        http:\n  <<: [*first, *second]\n  host: 127.0.0.1\n";
    let loaded = loaded(&with(text), &[]);
    let listener = &loaded.settings.http.listeners[0];
    assert_eq!((listener.port, listener.host.as_str(), listener.max_header_size), (9, "127.0.0.1", 999));
    let warnings =
        loaded.report.problems.iter().filter(|problem| problem.severity == crate::Severity::Warning);
    assert_eq!(warnings.count(), 0, "{:?}", loaded.report.problems);
}

#[test]
fn c1_the_same_key_in_two_forms_is_a_warning_and_the_last_one_counts() {
    let loaded = loaded(&with("http:\n  port: 9\nhttp.port: 10\n"), &[]);
    assert_eq!(loaded.settings.http.listeners[0].port, 10);
    assert_eq!(loaded.report.problems.len(), 1, "{:?}", loaded.report.problems);
}

#[test]
fn c1_unquoted_text_that_apim_would_change_is_taken_as_it_is_with_a_warning() {
    let loaded = loaded(&with("tenant: 0777\n"), &[]);
    assert_eq!(loaded.settings.tenant.as_deref(), Some("0777"));
    assert!(loaded.report.problems[0].message.contains("511"));
    assert!(super::loaded(&with("tenant: '0777'\n"), &[]).report.problems.is_empty());
}

#[test]
fn c1_variables_of_kubernetes_services_are_not_reported() {
    let variables = [
        ("GRAVITEE_HOME", "/opt"),
        ("GRAVITEE_APIM_GATEWAY_SERVICE_HOST", "10.0.0.1"),
        ("GRAVITEE_APIM_GATEWAY_PORT", "tcp://10.0.0.1:82"),
        ("GRAVITEE_APIM_GATEWAY_PORT_82_TCP_ADDR", "10.0.0.1"),
        ("gravitee_ds_anything", "1"),
        ("gravitee_repositories_management_jdbc_username", "u"),
    ];
    let loaded = loaded(&with(""), &variables);
    assert!(loaded.report.problems.is_empty(), "{:?}", loaded.report.problems);
}

#[test]
fn c1_a_mongodb_repository_is_read_by_uri_or_in_parts() {
    let read = |text: &str| match loaded(text, &[]).settings.management {
        Some(crate::Management::Mongo(mongo)) => mongo,
        other => panic!("{other:?}"),
    };
    let crate::MongoPlace::Parts(parts) = read("{}").place else { panic!("parts") };
    assert_eq!(parts.servers[0].to_string(), "localhost:27017");
    assert_eq!(parts.connect_timeout.as_millis(), 1000);
    let parts = read(
        "management:\n  mongodb:\n    prefix: gio_\n    servers:\n      - host: a\n      - host: b\n        port: 27018\n    \
         readPreference: secondaryPreferred\n    readPreferenceTags: dc:east,usage:read\n    password: hidden\n",
    );
    assert_eq!((parts.prefix.as_str(), parts.database.as_str()), ("gio_", "gravitee"));
    assert!(!format!("{parts:?}").contains("hidden"), "L3");
    let crate::MongoPlace::Parts(parts) = parts.place else { panic!("parts") };
    assert_eq!(parts.servers.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a:27017", "b:27018"]);
    assert_eq!(parts.read_preference, crate::ReadPreference::SecondaryPreferred);
    assert_eq!(parts.read_preference_tags[1], ("usage".to_owned(), "read".to_owned()));
    let by_uri = read("management:\n  mongodb:\n    uri: mongodb://u:hidden@db/apim\n    host: other\n");
    assert!(matches!(by_uri.place, crate::MongoPlace::Uri(_)));
    assert!(!format!("{by_uri:?}").contains("hidden"), "L3");
    let refused = crate::tests::refused("management:\n  mongodb:\n    sslEnabled: true\n", &[]);
    assert!(refused.contains("management.mongodb.sslEnabled"), "{refused}");
    let refused = crate::tests::refused("management:\n  type: http\n", &[]);
    assert!(refused.contains("bridge"), "{refused}");
}
