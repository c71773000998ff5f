//! Endpoints across deployments.

use std::time::Duration;

use super::*;

fn target(text: &str) -> Target {
    Target::parse(text).expect("a URL")
}

#[test]
fn an_endpoint_that_did_not_change_is_the_same_one() {
    let upstreams = Upstreams::default();
    let api: Arc<str> = "api".into();
    let settings = HttpSettings::V4;
    let find = |api: &Arc<str>, endpoint: &str, url: &str, settings: &HttpSettings| {
        upstreams.find(api, "group", endpoint, &target(url), settings)
    };
    let first = find(&api, "e", "http://b:1/path", &settings);
    assert!(Arc::ptr_eq(&first, &find(&api, "e", "http://b:1/other", &settings)), "paths do not matter");
    let slower = HttpSettings { read_timeout: Some(Duration::from_secs(99)), ..settings.clone() };
    for other in [
        find(&"other".into(), "e", "http://b:1", &settings),
        find(&api, "f", "http://b:1", &settings),
        find(&api, "e", "http://b:2", &settings),
        find(&api, "e", "http://c:1", &settings),
        find(&api, "e", "http://b:1", &slower),
    ] {
        assert_ne!(first.number, other.number);
    }
}

#[test]
fn an_endpoint_that_nobody_uses_is_forgotten() {
    let upstreams = Upstreams::default();
    let api: Arc<str> = "api".into();
    for index in 0..1000 {
        upstreams.find(&api, "group", &format!("e{index}"), &target("http://b"), &HttpSettings::V4);
    }
    assert!(upstreams.known.lock().expect("no panic").len() < 10);
}

#[test]
fn addresses_are_told_from_names() {
    assert_eq!(Address::of(&target("http://127.0.0.1:81")), Address::Socket(([127, 0, 0, 1], 81).into()));
    assert!(matches!(Address::of(&target("http://[::1]:81")), Address::Socket(address) if address.is_ipv6()));
    assert_eq!(Address::of(&target("http://b")), Address::Name("b".to_owned(), 80));
}
