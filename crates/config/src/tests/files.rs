//! Files as operators have them.

use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::{MINIMAL, load, loaded, with};
use crate::{
    Authentication, JdbcUrl, Layout, Management, Origin, OverrideMode, RedisEndpoint, Role, Severity, Status,
    ZoneSource, known_keys,
};

#[test]
fn c1_a_full_file_gives_the_settings_that_it_says() {
    let settings = loaded(include_str!("../../samples/full.yml"), &[]).settings;
    let listener = &settings.http.listeners[0];
    assert_eq!((listener.port, listener.host.as_str()), (8092, "127.0.0.1"));
    assert_eq!(listener.idle_timeout, Some(Duration::from_mins(1)));
    assert_eq!(listener.max_header_size, 16384);
    assert_eq!(settings.http.request_timeout, None);
    assert_eq!(settings.http.not_found.message, "Nothing here.");
    assert_eq!(settings.request_headers.transaction.header, "X-Trace");
    assert_eq!(settings.request_headers.transaction.override_mode, OverrideMode::Keep);
    assert_eq!(settings.request_headers.request.header, "X-Gravitee-Request-Id");
    let Some(Management::Jdbc(jdbc)) = settings.management else { panic!("no repository") };
    assert_eq!(
        jdbc.url,
        JdbcUrl::Postgresql {
            host: "db.internal".into(),
            port: 5433,
            database: "apim".into(),
            parameters: vec![("sslmode".into(), "disable".into())],
        }
    );
    assert_eq!(jdbc.username.as_deref(), Some("gravitee"));
    assert_eq!(jdbc.password.unwrap().expose_secret(), "s3cr3t-of-the-database");
    assert_eq!((jdbc.table_prefix.as_str(), jdbc.time_zone.as_deref()), ("apim_", None));
    assert_eq!((jdbc.pool.max_size, jdbc.pool.min_idle), (4, 4));
    let Authentication::Basic { users } = &settings.technical_api.authentication else { panic!("not basic") };
    assert_eq!(users["admin"].expose_secret(), "planted-admin-password");
    assert_eq!(users["ops.team"].expose_secret(), "planted-ops-password");
    assert_eq!(settings.technical_api.port, 0);
    assert_eq!(settings.sync.delay, Duration::from_secs(3));
    assert_eq!((settings.sync.bulk_items, settings.sync.subscription_bulk_items), (500, 2000));
    assert_eq!(settings.sync.audit_interval, Some(Duration::from_mins(10)));
    assert!(settings.sync.keep_previous_when_refused);
    let zone = settings.distributed_sync.unwrap();
    assert_eq!(zone.zone.name.as_str(), "north");
    assert_eq!(zone.zone.source, ZoneSource::DistributedSyncZone);
    assert_eq!((zone.role, zone.lease_ttl), (Role::Auto, Duration::from_secs(2)));
    assert_eq!(zone.layout, Layout::V4_12);
    assert!(
        matches!(&zone.store.endpoint, RedisEndpoint::Standalone(at) if at.to_string() == "redis.internal:6380")
    );
    assert_eq!(settings.tags, ["products", "!international", "stocks"]);
    assert_eq!(settings.organizations, ["acme"]);
    assert_eq!(settings.environments, ["dev", "qa"]);
    assert_eq!(settings.tenant.as_deref(), Some("europe"));
    assert_eq!(settings.api_key.header, None);
    assert_eq!(settings.api_key.query_parameter.as_deref(), Some("key"));
    assert!(!settings.api.validate_subscription);
    assert_eq!(settings.graceful_shutdown_delay, Duration::from_secs(2));
}

#[test]
fn c1_the_corrected_sample_is_read_with_its_sentinels() {
    let loaded = loaded(include_str!("../../samples/corrected.yml"), &[]);
    let store = loaded.settings.distributed_sync.unwrap().store;
    let RedisEndpoint::Sentinel { master, nodes, password } = store.endpoint else { panic!("no Sentinels") };
    assert_eq!(master, "redis-master");
    assert!(password.is_none());
    let nodes: Vec<String> = nodes.iter().map(ToString::to_string).collect();
    assert_eq!(nodes, ["one.example:26379", "two.example:26380"]);
    assert!(
        loaded
            .report
            .ignored
            .iter()
            .any(|key| key.key == "distributed-sync.redis.keystore.certificates[1].key")
    );
    // One warning, for the zone without a name, and a note on ignored keys; nothing is unknown.
    assert_eq!(loaded.report.problems.len(), 2, "{:?}", loaded.report.problems);
}

#[test]
fn c1_defaults_hold_where_nothing_is_set() {
    let loaded = loaded(MINIMAL, &[]);
    assert!(loaded.report.problems.is_empty(), "{:?}", loaded.report.problems);
    let settings = loaded.settings;
    assert_eq!(settings.http.listeners.len(), 1);
    assert_eq!(
        (settings.http.listeners[0].port, settings.http.listeners[0].host.as_str()),
        (8082, "0.0.0.0")
    );
    assert_eq!(settings.http.request_timeout, Some(Duration::from_secs(30)));
    assert_eq!((settings.technical_api.port, settings.technical_api.host.as_str()), (18082, "localhost"));
    assert_eq!(settings.sync.delay, Duration::from_secs(5));
    assert!(settings.distributed_sync.is_none());
    assert!(!settings.technical_api.configuration_clear_text);
    assert_eq!(settings.api_key.header.as_deref(), Some("X-Gravitee-Api-Key"));
    assert_eq!(settings.api_key.query_parameter.as_deref(), Some("api-key"));
    assert!(settings.tags.is_empty());
}

#[test]
fn c1_servers_replace_http() {
    let text = with(
        "http:\n  port: 1\nservers:\n  - id: a\n    type: http\n    port: 9001\n  - id: b\n    port: 9002\n    host: localhost\n",
    );
    let listeners = loaded(&text, &[]).settings.http.listeners;
    let seen: Vec<_> = listeners.iter().map(|listener| (listener.id.as_str(), listener.port)).collect();
    assert_eq!(seen, [("a", 9001), ("b", 9002)]);
}

#[test]
fn c3_the_zone_takes_apim_s_cluster_id() {
    let folder = std::env::temp_dir().join(format!("zonegate-config-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("hazelcast-cluster.xml");
    std::fs::write(
        &file,
        "<hazelcast><cluster-name>${my.cluster:gio-apim-gateway}</cluster-name></hazelcast>",
    )
    .unwrap();
    let text = with(&format!(
        "services.sync.distributed.enabled: true\ndistributed-sync.type: redis\nzone: label\ncluster:\n  type: hazelcast\n  hazelcast:\n    config-path: {}\n",
        file.display()
    ));
    let zone = loaded(&text, &[]).settings.distributed_sync.unwrap().zone;
    assert_eq!(zone.name.as_str(), "gio-apim-gateway-cluster-manager-hz57");
    assert_eq!(zone.source, ZoneSource::HazelcastClusterName);
    assert!(matches!(&zone.origin, Origin::File(place) if place.line == 12), "{:?}", zone.origin);
    let versionless =
        [("gravitee_cluster_hazelcast_clusternameversioning", "false"), ("my.cluster", "my-cluster")];
    assert_eq!(
        loaded(&text, &versionless).settings.distributed_sync.unwrap().zone.name.as_str(),
        "my-cluster"
    );
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(super::refused(&text, &[]).contains("distributed-sync.zone"));
}

#[test]
fn c3_the_zone_falls_back_to_the_label_and_to_standalone() {
    let base = with("services.sync.distributed.enabled: true\ndistributed-sync.type: redis\n");
    let zone = loaded(&format!("{base}zone: north\n"), &[]).settings.distributed_sync.unwrap().zone;
    assert_eq!((zone.name.as_str(), zone.source), ("north", ZoneSource::ZoneLabel));
    let loaded = loaded(&base, &[]);
    let zone = loaded.settings.distributed_sync.unwrap().zone;
    assert_eq!((zone.name.as_str(), zone.source), ("standalone", ZoneSource::Standalone));
    assert_eq!(loaded.report.problems.len(), 1);
    assert_eq!(loaded.report.problems[0].severity, Severity::Warning);
}

#[test]
fn c1_a_list_where_apim_wants_commas_is_read_with_a_warning() {
    let loaded = loaded(&with("environments:\n  - dev\n  - qa\n"), &[]);
    assert_eq!(loaded.settings.environments, ["dev", "qa"]);
    assert_eq!(loaded.report.problems.len(), 1, "{:?}", loaded.report.problems);
}

#[test]
fn c1_secrets_of_a_secret_manager_matter_only_where_they_are_used() {
    assert!(load(&with("reporters.x.password: secret://vault/a\n"), &[]).is_ok());
    let error = super::refused(&with("services.core.http.authentication.type: basic\n"), &[]);
    assert!(error.contains("twice") || error.contains("two places"), "{error}");
}

#[test]
fn c1_the_documentation_lists_just_the_keys_with_an_effect() {
    let documentation = include_str!("../../../../docs/configuration.md");
    for known in known_keys() {
        let row = match known.status {
            Status::Honoured if known.default.is_empty() => format!("| `{}` | | ", known.pattern),
            Status::Honoured => format!("| `{}` | `{}` | ", known.pattern, known.default),
            Status::Refused(_) => format!("`{}`", known.pattern),
            Status::Ignored(_) => continue,
        };
        assert!(documentation.contains(&row), "docs/configuration.md has nothing that begins with\n{row}");
    }
    let documented = documentation.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split("` | ");
        let key = cells.next()?;
        let honoured = known_keys().any(|known| known.pattern == key && known.status == Status::Honoured);
        (!key.starts_with(['g', 'G']) || key.starts_with("graceful")).then_some((key, honoured))
    });
    for (key, honoured) in documented {
        assert!(honoured, "docs/configuration.md lists {key}, which has no effect");
    }
}
