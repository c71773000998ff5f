//! Endpoint settings in JSON, shared by V4 (`sharedConfiguration`) and V2 (members of the endpoint or group).

use std::time::Duration;

use serde::Deserialize;

use super::{EndpointHeader, HttpSettings, LoadBalancing};
use crate::json::{Flag, Number, Pair, Pairs, Text};
use crate::label;
use crate::refusal::{Reason, Refusal, excerpt};
use crate::target::{NotAUrl, Scheme, Target};

/// How to talk to endpoints.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SettingsJson {
    http: Option<HttpJson>,
    proxy: Option<ProxyJson>,
    headers: Option<Pairs<HeaderJson>>,
    /// V2 only, older than `headers`.
    host_header: Option<Text>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct HttpJson {
    version: Option<Text>,
    keep_alive: Option<Flag>,
    keep_alive_timeout: Option<Number>,
    connect_timeout: Option<Number>,
    read_timeout: Option<Number>,
    idle_timeout: Option<Number>,
    max_concurrent_connections: Option<Number>,
    max_wait_queue_size: Option<Number>,
    max_connection_lifetime: Option<Number>,
    use_compression: Option<Flag>,
    propagate_client_accept_encoding: Option<Flag>,
    propagate_client_host: Option<Flag>,
    follow_redirects: Option<Flag>,
}

#[derive(Deserialize, Default)]
struct ProxyJson {
    enabled: Option<Flag>,
}

#[derive(Deserialize)]
struct HeaderJson {
    name: Option<Text>,
    value: Option<Text>,
}

impl Pair for HeaderJson {
    fn of(name: String, value: Option<String>) -> Self {
        Self { name: Some(Text(name)), value: value.map(Text) }
    }
}

/// Settings and headers of an endpoint.
pub(crate) fn settings(
    json: SettingsJson,
    default: &HttpSettings,
    at: &str,
) -> Result<(HttpSettings, Vec<EndpointHeader>), Refusal> {
    if json.proxy.is_some_and(|proxy| Flag::or(proxy.enabled, false)) {
        return Err(Refusal::new(Reason::UpstreamProxy, format!("{at}.proxy.enabled")));
    }
    let http = http_settings(json.http.unwrap_or_default(), default, &format!("{at}.http"))?;
    let mut headers = Vec::new();
    for (index, header) in
        json.headers.map(|Pairs(headers)| headers).unwrap_or_default().into_iter().enumerate()
    {
        headers.push(self::header(header, &format!("{at}.headers[{index}]"))?);
    }
    if let Some(host) = Text::filled(json.host_header) {
        headers.retain(|header| !header.name.eq_ignore_ascii_case("host"));
        let host = HeaderJson { name: Some(Text("Host".to_owned())), value: Some(Text(host)) };
        headers.push(header(host, &format!("{at}.hostHeader"))?);
    }
    Ok((http, headers))
}

fn http_settings(json: HttpJson, default: &HttpSettings, at: &str) -> Result<HttpSettings, Refusal> {
    if Flag::or(json.follow_redirects, false) {
        return Err(Refusal::new(Reason::FollowRedirects, format!("{at}.followRedirects")));
    }
    if let Some(version) = Text::filled(json.version)
        && !label::is(&version, "http11")
    {
        return Err(Refusal::new(Reason::UpstreamVersion(excerpt(&version)), format!("{at}.version")));
    }
    let max_concurrent_connections = match json.max_concurrent_connections {
        None => default.max_concurrent_connections,
        Some(Number(number)) => u32::try_from(number)
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| Refusal::new(Reason::OutOfRange("maxConcurrentConnections"), at))?,
    };
    Ok(HttpSettings {
        connect_timeout: milliseconds(json.connect_timeout, default.connect_timeout),
        read_timeout: milliseconds(json.read_timeout, default.read_timeout),
        idle_timeout: whole_seconds(json.idle_timeout, default.idle_timeout),
        keep_alive: Flag::or(json.keep_alive, default.keep_alive),
        keep_alive_timeout: whole_seconds(json.keep_alive_timeout, default.keep_alive_timeout),
        max_connection_lifetime: milliseconds(json.max_connection_lifetime, default.max_connection_lifetime),
        max_concurrent_connections,
        max_wait_queue_size: json.max_wait_queue_size.and_then(|Number(number)| u32::try_from(number).ok()),
        propagate_client_host: Flag::or(json.propagate_client_host, default.propagate_client_host),
        use_compression: Flag::or(json.use_compression, default.use_compression),
        propagate_client_accept_encoding: Flag::or(
            json.propagate_client_accept_encoding,
            default.propagate_client_accept_encoding,
        ),
    })
}

/// Zero and below mean no bound.
fn milliseconds(number: Option<Number>, default: Option<Duration>) -> Option<Duration> {
    match number {
        None => default,
        Some(Number(number)) => {
            u64::try_from(number).ok().filter(|number| *number > 0).map(Duration::from_millis)
        }
    }
}

fn whole_seconds(number: Option<Number>, default: Option<Duration>) -> Option<Duration> {
    milliseconds(number, default)
        .map(|time| time.as_secs())
        .filter(|seconds| *seconds > 0)
        .map(Duration::from_secs)
}

fn header(json: HeaderJson, at: &str) -> Result<EndpointHeader, Refusal> {
    let name = Text::filled(json.name).ok_or_else(|| Refusal::new(Reason::Missing("name"), at))?;
    let value = json.value.map(|Text(value)| value).unwrap_or_default();
    if value.contains("{#") || name.contains("{#") {
        return Err(Refusal::new(Reason::Expression, at));
    }
    let name = name.trim().to_owned();
    if !is_token(&name) || value.chars().any(|c| c.is_control() && c != '\t') {
        return Err(Refusal::new(Reason::Header, at));
    }
    Ok(EndpointHeader { name, value })
}

/// Whether a text may be a header name (RFC 9110 section 5.6.2).
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// The strategy by its label; round robin where there is none.
pub(crate) fn load_balancing(kind: Option<Text>, at: &str) -> Result<LoadBalancing, Refusal> {
    const LABELS: [(&str, LoadBalancing); 4] = [
        ("roundrobin", LoadBalancing::RoundRobin),
        ("random", LoadBalancing::Random),
        ("weightedroundrobin", LoadBalancing::WeightedRoundRobin),
        ("weightedrandom", LoadBalancing::WeightedRandom),
    ];
    match Text::filled(kind) {
        None => Ok(LoadBalancing::default()),
        Some(kind) => {
            label::find(&kind, &LABELS).ok_or_else(|| Refusal::new(Reason::LoadBalancing(excerpt(&kind)), at))
        }
    }
}

/// The target of an endpoint: refused if it would have to be evaluated or its protocol is not served; a text that is
/// no URL is not refused, since the original deploys it and answers 502.
pub(crate) fn target(text: &str, at: &str) -> Result<Result<Target, NotAUrl>, Refusal> {
    if text.contains("{#") {
        return Err(Refusal::new(Reason::Expression, at));
    }
    let target = Target::parse(text);
    match &target {
        Ok(target) if target.scheme.is_tls() => {
            Err(Refusal::new(Reason::UpstreamTls(target.scheme.name()), at))
        }
        Ok(target) if target.scheme != Scheme::Http => {
            Err(Refusal::new(Reason::UpstreamScheme(target.scheme.name()), at))
        }
        _ => Ok(target),
    }
}

/// A weight; below 1 it counts as 1.
pub(crate) fn weight(number: Option<Number>) -> u32 {
    number.map_or(1, |Number(number)| u32::try_from(number.max(1)).unwrap_or(u32::MAX))
}
