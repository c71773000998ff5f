//! Connection settings in JSON, shared by V4 (`sharedConfiguration`) and V2 (members of the endpoint or group).

use std::time::Duration;

use serde::Deserialize;
use zonegate_model::secrecy::SecretString;

use super::{
    ConnectionSettings, EndpointHeader, Http2Settings, HttpSettings, HttpVersion, ProxyKind, UpstreamProxy,
};
use crate::json::{Flag, Number, Pair, Pairs, Text};
use crate::refusal::{Reason, Refusal, excerpt};
use crate::template::has_expression;
use crate::tls::json::{TlsJson, tls_settings};
use crate::{At, DefinitionVersion, Template, label};

/// How to talk to endpoints.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SettingsJson<'a> {
    #[serde(borrow)]
    pub(crate) http: Option<HttpJson<'a>>,
    pub(crate) proxy: Option<ProxyJson<'a>>,
    pub(crate) ssl: Option<TlsJson<'a>>,
    pub(crate) headers: Option<Pairs<HeaderJson<'a>>>,
    /// V2 only, older than `headers`.
    pub(crate) host_header: Option<Text<'a>>,
}

/// `http` of the settings.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HttpJson<'a> {
    #[serde(borrow)]
    version: Option<Text<'a>>,
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
    pipelining: Option<Flag>,
    clear_text_upgrade: Option<Flag>,
    http2_multiplexing_limit: Option<Number>,
    http2_connection_window_size: Option<Number>,
    http2_stream_window_size: Option<Number>,
    http2_max_frame_size: Option<Number>,
}

/// `proxy` of the settings. Members besides `enabled` are looked at only where it is on.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProxyJson<'a> {
    enabled: Option<Flag>,
    use_system_proxy: Option<Flag>,
    #[serde(borrow)]
    host: Option<Text<'a>>,
    port: Option<Text<'a>>,
    username: Option<Text<'a>>,
    password: Option<Text<'a>>,
    #[serde(rename = "type")]
    kind: Option<Text<'a>>,
}

/// A header with its value.
#[derive(Deserialize)]
pub(crate) struct HeaderJson<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    value: Option<Text<'a>>,
}

impl<'de: 'a, 'a> Pair<'de> for HeaderJson<'a> {
    fn of(name: Text<'de>, value: Option<Text<'de>>) -> Self {
        Self { name: Some(name), value }
    }
}

/// The settings of an endpoint.
pub(crate) fn settings(
    json: SettingsJson<'_>,
    version: DefinitionVersion,
    at: &At<'_>,
) -> Result<ConnectionSettings, Refusal> {
    let default = match version {
        DefinitionVersion::V2 => &HttpSettings::V2,
        DefinitionVersion::V4 => &HttpSettings::V4,
    };
    let http = match json.http {
        Some(http) => http_settings(http, default, &at.member("http"))?,
        None => default.clone(),
    };
    let mut headers = headers(json.headers, &at.member("headers"))?;
    if let Some(host) = Text::filled(json.host_header) {
        headers.retain(|header| !header.name.eq_ignore_ascii_case("host"));
        let host = HeaderJson { name: Some(Text("Host".into())), value: Some(Text(host)) };
        headers.push(header(host, &at.member("hostHeader"))?);
    }
    Ok(ConnectionSettings {
        http,
        proxy: json.proxy.map(|proxy| upstream_proxy(proxy, &at.member("proxy"))).transpose()?.flatten(),
        tls: json.ssl.map(|ssl| tls_settings(ssl, version, &at.member("ssl"))).transpose()?,
        headers,
        at: at.to_string().into(),
    })
}

fn http_settings(json: HttpJson<'_>, default: &HttpSettings, at: &At<'_>) -> Result<HttpSettings, Refusal> {
    const VERSIONS: [(&str, HttpVersion); 2] =
        [("http11", HttpVersion::Http11), ("http2", HttpVersion::Http2)];
    let version = match Text::filled(json.version) {
        None => default.version,
        Some(text) => label::find(&text, &VERSIONS)
            .ok_or_else(|| at.member("version").refuse(Reason::UpstreamVersion(excerpt(&text))))?,
    };
    let max_concurrent_connections = match json.max_concurrent_connections {
        None => default.max_concurrent_connections,
        Some(Number(number)) => u32::try_from(number)
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| at.refuse(Reason::OutOfRange("maxConcurrentConnections")))?,
    };
    let http2 = &default.http2;
    Ok(HttpSettings {
        version,
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
        follow_redirects: Flag::or(json.follow_redirects, default.follow_redirects),
        pipelining: Flag::or(json.pipelining, default.pipelining),
        http2: Http2Settings {
            clear_text_upgrade: Flag::or(json.clear_text_upgrade, http2.clear_text_upgrade),
            multiplexing_limit: bound(json.http2_multiplexing_limit, http2.multiplexing_limit),
            connection_window: bound(json.http2_connection_window_size, http2.connection_window),
            stream_window: bound(json.http2_stream_window_size, http2.stream_window),
            max_frame_size: bound(json.http2_max_frame_size, http2.max_frame_size),
        },
    })
}

/// Zero and below mean that the implementation decides.
fn bound(number: Option<Number>, default: Option<u32>) -> Option<u32> {
    match number {
        None => default,
        Some(Number(number)) => u32::try_from(number).ok().filter(|number| *number > 0),
    }
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

fn upstream_proxy(json: ProxyJson<'_>, at: &At<'_>) -> Result<Option<UpstreamProxy>, Refusal> {
    const KINDS: [(&str, ProxyKind); 3] =
        [("http", ProxyKind::Http), ("socks4", ProxyKind::Socks4), ("socks5", ProxyKind::Socks5)];
    if !Flag::or(json.enabled, false) {
        return Ok(None);
    }
    if Flag::or(json.use_system_proxy, false) {
        return Ok(Some(UpstreamProxy::System));
    }
    let kind = match Text::filled(json.kind) {
        None => ProxyKind::default(),
        Some(text) => label::find(&text, &KINDS)
            .ok_or_else(|| at.member("type").refuse(Reason::ProxyType(excerpt(&text))))?,
    };
    let host = Text::filled(json.host).ok_or_else(|| at.refuse(Reason::Missing("host")))?;
    let port = Text::filled(json.port).ok_or_else(|| at.refuse(Reason::Missing("port")))?;
    let port = port.trim().parse().ok().filter(|port| *port > 0);
    Ok(Some(UpstreamProxy::Own {
        kind,
        host: host.trim().to_owned(),
        port: port.ok_or_else(|| at.refuse(Reason::OutOfRange("port")))?,
        username: Text::filled(json.username).map(Into::into),
        password: Text::filled(json.password).map(|password| SecretString::from(password.into_owned())),
    }))
}

/// Headers with their values.
pub(crate) fn headers(
    json: Option<Pairs<HeaderJson<'_>>>,
    at: &At<'_>,
) -> Result<Vec<EndpointHeader>, Refusal> {
    let Pairs(written) = json.unwrap_or_default();
    written.into_iter().enumerate().map(|(index, json)| header(json, &at.element(index))).collect()
}

fn header(json: HeaderJson<'_>, at: &At<'_>) -> Result<EndpointHeader, Refusal> {
    let name = Text::filled(json.name).ok_or_else(|| at.refuse(Reason::Missing("name")))?;
    let value = Text::or(json.value, "");
    if has_expression(&name) {
        return Err(at.refuse(Reason::Expression));
    }
    let name = name.trim();
    if !is_token(name) || value.chars().any(|c| c.is_control() && c != '\t') {
        return Err(at.refuse(Reason::Header));
    }
    Ok(EndpointHeader { name: name.to_owned(), value: Template::new(&value) })
}

/// Whether a text may be a header name (RFC 9110 section 5.6.2).
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
