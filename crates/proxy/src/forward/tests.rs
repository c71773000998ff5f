//! The rules of the head that goes upstream, for any headers a client may send.

use std::sync::Arc;

use proptest::prelude::*;
use zonegate_definition::{HttpSettings, Target};

use super::*;
use crate::upstream::Upstreams;

fn endpoint(target: &str, headers: &[(&'static str, &str)]) -> (CompiledEndpoint, Destination) {
    let parsed = Target::parse(target).expect("a URL");
    let api: Arc<str> = "api".into();
    let mut lines = Vec::new();
    for (name, value) in headers {
        lines.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    let destination = Destination {
        upstream: Upstreams::default().find(&api, "g", "e", &parsed, &HttpSettings::V4),
        path: parsed.path.as_str().into(),
        query: parsed.query.as_deref().map(Into::into),
        authority: parsed.authority().into_bytes().into(),
        header_lines: lines.into(),
        header_names: headers.iter().map(|(name, _)| HeaderName::from_static(name)).collect(),
        host: None,
    };
    let endpoint = CompiledEndpoint {
        destination: None,
        propagate_client_host: false,
        propagate_accept_encoding: false,
    };
    (endpoint, destination)
}

fn outgoing<'a>(method: &'a Method, uri: &'a Uri, headers: &'a HeaderMap) -> Outgoing<'a> {
    Outgoing {
        method,
        uri,
        path_info: uri.path(),
        headers,
        host_changed: false,
        own: &[],
        without_parameter: None,
        announced: Announced::Nothing,
        version: DefinitionVersion::V4,
        mode: ExecutionMode::V4,
    }
}

fn line(target: &str, uri: &str, path_info: &str, version: DefinitionVersion, mode: ExecutionMode) -> String {
    let (endpoint, destination) = endpoint(target, &[]);
    let (uri, headers) = (uri.parse().expect("a URI"), HeaderMap::new());
    let mut out = Vec::new();
    Outgoing { path_info, version, mode, ..outgoing(&Method::GET, &uri, &headers) }.write(
        &endpoint,
        &destination,
        &mut out,
    );
    String::from_utf8(out).expect("text").lines().next().expect("a line").to_owned()
}

#[test]
fn targets_and_path_infos_are_glued_together() {
    let v4 = |target, uri, info| line(target, uri, info, DefinitionVersion::V4, ExecutionMode::V4);
    assert_eq!(v4("http://b/endpoint", "/test/x", "/x"), "GET /endpoint/x HTTP/1.1");
    assert_eq!(v4("http://b/endpoint/", "/test/x", "/x"), "GET /endpoint//x HTTP/1.1");
    assert_eq!(v4("http://b", "/test", ""), "GET / HTTP/1.1");
    assert_eq!(v4("http://b?k=v", "/test?x=1", ""), "GET /?x=1&k=v HTTP/1.1");
    assert_eq!(v4("http://b/a?k=v", "/test/x?k=1&y", "/x"), "GET /a/x?k=1&k=v&y HTTP/1.1");
}

#[test]
fn the_emulation_engine_glues_the_path_info_behind_the_targets_query() {
    let (target, uri) = ("http://b/answers?fixed=1&x=target", "/v2/more?y=2&x=mine");
    assert_eq!(
        line(target, uri, "/more", DefinitionVersion::V2, ExecutionMode::V4),
        "GET /answers?fixed=1&x=target/more&y=2&x=mine HTTP/1.1"
    );
    assert_eq!(
        line(target, uri, "/more", DefinitionVersion::V2, ExecutionMode::V3),
        "GET /answers/more?y=2&x=mine&x=target&fixed=1 HTTP/1.1"
    );
    assert_eq!(
        line("http://b?k=v", "/v2", "", DefinitionVersion::V2, ExecutionMode::V4),
        "GET /?k=v HTTP/1.1"
    );
}

#[test]
fn a_changed_host_goes_upstream_under_v4_only() {
    let (endpoint, destination) = endpoint("http://backend:81", &[]);
    let uri = Uri::from_static("/");
    let headers: HeaderMap = [(header::HOST, HeaderValue::from_static("changed"))].into_iter().collect();
    for (version, host_changed, expected) in [
        (DefinitionVersion::V4, true, "changed"),
        (DefinitionVersion::V4, false, "backend:81"),
        (DefinitionVersion::V2, true, "backend:81"),
    ] {
        let outgoing = Outgoing { host_changed, version, ..outgoing(&Method::GET, &uri, &headers) };
        assert_eq!(outgoing.host(&endpoint, &destination), expected.as_bytes());
    }
}

const NAMES: [&str; 18] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-env",
    "x-gravitee-request-id",
    "x-own",
];
const GONE: [&str; 14] = [
    "accept-encoding",
    "connection",
    "content-length",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
    "x-env",
    "x-gravitee-request-id",
];

proptest! {
    #[test]
    fn every_header_goes_on_in_order_or_is_one_of_those_that_do_not(
        lines in prop::collection::vec((prop::sample::select(&NAMES), "[ -~]{0,12}"), 0..20),
    ) {
        let headers: HeaderMap = lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value.trim()).expect("printable")))
            .collect();
        let (endpoint, destination) = endpoint("http://backend:81", &[("x-env", "prod")]);
        let (name, id) = (HeaderName::from_static("x-gravitee-request-id"), HeaderValue::from_static("id"));
        let uri = Uri::from_static("/");
        let own = [(&name, &id)];
        let outgoing =
            Outgoing { own: &own, announced: Announced::Length(3), ..outgoing(&Method::POST, &uri, &headers) };
        let mut out = Vec::new();
        outgoing.write(&endpoint, &destination, &mut out);

        let mut parsed = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut parsed);
        prop_assert_eq!(request.parse(&out), Ok(httparse::Status::Complete(out.len())));
        let values = |name: &str| -> Vec<&[u8]> {
            request.headers.iter().filter(|header| header.name == name).map(|header| header.value).collect()
        };
        prop_assert_eq!(values("host"), [b"backend:81"]);
        prop_assert_eq!(values("content-length"), [b"3"]);
        prop_assert_eq!(values("x-env"), [b"prod"]);
        prop_assert_eq!(values("x-gravitee-request-id"), [b"id"]);
        for name in NAMES {
            let kept: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
            if !GONE.contains(&name) {
                prop_assert_eq!(values(name), kept, "{}", name);
            } else if !["host", "content-length", "x-env", "x-gravitee-request-id"].contains(&name) {
                prop_assert!(values(name).is_empty(), "{}", name);
            }
        }
    }
}
