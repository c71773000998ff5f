//! What people read when something is wrong.

use super::{load, loaded, refused, with};

#[test]
fn c1_the_published_sample_is_refused_with_the_block_as_it_should_be() {
    insta::assert_snapshot!(refused(include_str!("../../samples/published.yml"), &[]));
}

#[test]
fn c1_apim_s_own_misindented_section_is_understood_with_a_warning() {
    let loaded = loaded(include_str!("../../samples/nested-password.yml"), &[]);
    insta::assert_snapshot!(loaded.report.render_problems(false));
    let store = loaded.settings.distributed_sync.unwrap().store;
    assert!(matches!(store.endpoint, crate::RedisEndpoint::Sentinel { .. }));
    assert!(store.password.is_none());
}

#[test]
fn c1_all_errors_are_reported_together_with_excerpts() {
    insta::assert_snapshot!(refused(include_str!("../../samples/many-errors.yml"), &[]));
}

#[test]
fn c1_a_wrong_variable_is_named() {
    insta::assert_snapshot!(refused(
        &with("http.port: 8082\n"),
        &[("GRAVITEE_HTTP_PORT", "eight"), ("gravitee_sync_dealy", "3")]
    ));
}

#[test]
fn c1_duplicate_keys_show_both_places() {
    insta::assert_snapshot!(refused(&with("http:\n  port: 1\n  host: localhost\n  port: 2\n"), &[]));
}

#[test]
fn c1_syntax_errors_show_line_key_and_hint() {
    let mut text = String::new();
    for wrong in [
        "http:\n\tport: 1\n",
        "http:\n  host: \"a\n",
        "http:\n  port: 1\n host: b\n",
        "a: [ ${x}, y ]\n",
        "a: b: c\n",
        "- a\n",
        "x: *nothing\n",
    ] {
        text.push_str(&refused(wrong, &[]));
        text.push_str("\n----\n");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn c1_tls_is_refused_where_it_is_asked_for() {
    let text = with(
        "services.sync.distributed.enabled: true\ndistributed-sync:\n  type: redis\n  zone: z\n  redis:\n    ssl: true\n",
    );
    insta::assert_snapshot!(refused(&text, &[]));
}

#[test]
fn c1_missing_sections_are_named() {
    let mut text = refused("management.type: jdbc\n", &[]);
    text.push_str("\n----\n");
    text.push_str(&refused(&with("services.sync.distributed.enabled: true\n"), &[]));
    insta::assert_snapshot!(text);
}

#[test]
fn c1_a_single_misplaced_certificate_key_is_explained() {
    let text = with(
        "distributed-sync:\n  redis:\n    keystore:\n      certificates:\n        - cert: a.pem\n      key: a.key\n",
    );
    insta::assert_snapshot!(loaded(&text, &[]).report.render_problems(false));
}

#[test]
fn c1_a_missing_file_says_where_it_was_looked_for() {
    let error = crate::load(std::path::Path::new("/nowhere/gravitee.yml"), [], None).unwrap_err().to_string();
    assert!(error.contains("/nowhere/gravitee.yml"), "{error}");
    assert!(error.contains("--config"), "{error}");
    assert!(error.contains("$GRAVITEE_HOME/config/gravitee.yml"), "{error}");
}

#[test]
fn c1_the_report_shows_every_setting_with_its_origin() {
    let loaded = loaded(
        include_str!("../../samples/full.yml"),
        &[
            ("gravitee_http_port", "8099"),
            ("GRAVITEE_DISTRIBUTEDSYNC_REDIS_PASSWORD", "planted-variable-password"),
        ],
    );
    insta::assert_snapshot!(loaded.report.render(false));
    let resolved: Vec<String> =
        loaded.report.resolved(false).iter().map(|(key, value)| format!("{key} = {value}")).collect();
    insta::assert_snapshot!(resolved.join("\n"));
    assert_eq!(loaded.report.resolved(true)["distributed-sync.redis.password"], "planted-variable-password");
}

#[test]
fn l3_no_secret_is_in_any_message() {
    // Secrets in every place, and an error or warning on or near each.
    let texts = [
        include_str!("../../samples/full.yml").to_owned(),
        include_str!("../../samples/published.yml").to_owned(),
        include_str!("../../samples/corrected.yml").to_owned(),
        include_str!("../../samples/many-errors.yml").to_owned(),
        include_str!("../../samples/nested-password.yml").to_owned(),
        with("pasword: x\nredis_password: planted-1\nredis_password: planted-2\n"),
        with("my:\n  pw: planted-3\n  pww: ${unknown}\nmanagement.jdbc.password: ${my.pw}\n"),
        with("x: {password: planted-4, y: }}\n"),
        with("password: |\n  planted-5\n  planted-6\n\tbad\n"),
        with("secrets:\n  vault:\n    anything: planted-7\n    anything: planted-7\n"),
        with("management.jdbc.url: jdbc:postgresql://u:planted-8@h:port/d?password=planted-9\n"),
        with("api.properties.encryption.secret: planted-10\n"),
        with("management.jdbc.url: jdbc:postgresql://u:planted-16/x?planted-17@h/d?sslpassword=planted-18\n"),
        with("services.core.http.authentication.users: { planted: planted-11, x: *a }\n"),
        with("\"password\":planted-12: x\n'password' : planted-13: y\n"),
    ];
    let variables = [
        ("gravitee_distributedsync_redis_password", "planted-14"),
        ("gravitee_services_core_http_authentication_users_planted", "planted-15"),
    ];
    for text in &texts {
        for variables in [&variables[..], &[]] {
            let (debug, report) = match load(text, variables) {
                Ok(loaded) => (format!("{loaded:?}"), loaded.report),
                Err(error) => (format!("{error:?}{error}"), *error.report),
            };
            let shown = format!("{debug}{}{:?}{:?}", report.render(true), report.resolved(false), report);
            let planted = shown
                .match_indices("planted-")
                .map(|(at, _)| shown[at..].chars().take(24).collect::<String>())
                .collect::<Vec<_>>();
            assert!(planted.is_empty(), "{planted:?} in\n{shown}");
        }
    }
}
