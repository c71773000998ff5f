//! `http.*`, `servers[].*` and `handlers.request.*`: where traffic comes in, and the headers added to it.

use std::collections::HashMap;
use std::time::Duration;

use crate::diagnostic::Diagnostic;
use crate::reader::Reader;

/// Far above any real number of listeners.
const LISTENER_LIMIT: usize = 1000;

/// Where traffic comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSettings {
    /// `http`, or each of `servers[]` where that list is given. Never empty.
    pub listeners: Vec<HttpListener>,
    /// `http.requestTimeout` in ms: the longest life of a request until the response's head. Absent: 30 s.
    /// `None` (0 or less in the file): no limit.
    pub request_timeout: Option<Duration>,
    /// `http.requestTimeoutGraceDelay` in ms, default 30: what the response's flows get at least after a failure.
    pub request_timeout_grace_delay: Duration,
    /// `http.errors[404]`: the answer where no API matches.
    pub not_found: ErrorAnswer,
}

/// One HTTP/1.1 listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpListener {
    /// `servers[i].id`, which an API's listener may name; `http` for the section of that name.
    pub id: String,
    /// `host`, default `0.0.0.0`. A name or an address.
    pub host: String,
    /// `port`, default 8082. 0: the system chooses (useful in tests).
    pub port: u16,
    /// `maxHeaderSize` in bytes, default 8192: of all headers together. Above: 431.
    pub max_header_size: usize,
    /// `maxInitialLineLength` in bytes, default 4096: of the request line. Above: 414.
    pub max_initial_line_length: usize,
    /// `idleTimeout` in ms, default 0 (`None`): how long a connection may be silent.
    pub idle_timeout: Option<Duration>,
    /// `tcpKeepAlive`, default true.
    pub tcp_keep_alive: bool,
}

/// The body of an answer that this gateway makes by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorAnswer {
    /// `http.errors[404].message`, default `No context-path matches the request URI.`
    pub message: String,
    /// `http.errors[404].contentType`, default `text/plain`.
    pub content_type: String,
}

/// Headers that this gateway adds to requests and responses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeaders {
    /// `handlers.request.transaction.*`, default header `X-Gravitee-Transaction-Id`.
    pub transaction: TracedHeader,
    /// `handlers.request.request.*`, default header `X-Gravitee-Request-Id`.
    pub request: TracedHeader,
    /// `handlers.request.client.header`, default `X-Gravitee-Client-Identifier`.
    pub client_identifier: String,
    /// `handlers.request.headers.x-forwarded-prefix`, default false: send the context path upstream.
    pub forwarded_prefix: bool,
}

/// A header with an id, and what happens when the upstream answers with one of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedHeader {
    /// The header's name.
    pub header: String,
    /// `overrideMode`, default `override`.
    pub override_mode: OverrideMode,
}

/// What happens to a header that the upstream's answer brings too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverrideMode {
    /// `override`: this gateway's replaces the upstream's.
    Override,
    /// `merge`: both are sent.
    Merge,
    /// `keep`: the upstream's stays.
    Keep,
}

impl HttpSettings {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
        let mut listeners = Vec::new();
        for index in 0..LISTENER_LIMIT {
            let prefix = format!("servers[{index}]");
            let given =
                ["id", "type", "port", "host"].iter().any(|name| reader.has(&format!("{prefix}.{name}")));
            if !given {
                break;
            }
            let kind = reader.text(&format!("{prefix}.type"), "http");
            if kind != "http" {
                reader.about(
                    &format!("{prefix}.type"),
                    Diagnostic::error(format!("servers of type `{kind}` are not supported"))
                        .hint("write `http`"),
                );
            }
            let id = reader.text(&format!("{prefix}.id"), "http");
            listeners.push(HttpListener::read(reader, &prefix, id));
        }
        if listeners.is_empty() {
            listeners.push(HttpListener::read(reader, "http", "http".to_owned()));
        }
        let mut seen = HashMap::new();
        for (index, listener) in listeners.iter().enumerate() {
            if listener.port == 0 {
                continue;
            }
            if let Some(first) = seen.insert((listener.host.clone(), listener.port), index) {
                reader.about(
                    &format!("servers[{index}].port"),
                    Diagnostic::error(format!("servers[{first}] listens on port {} already", listener.port))
                        .hint("give each server a port of its own"),
                );
            }
        }
        Self {
            listeners,
            request_timeout: reader.milliseconds_or_none("http.requestTimeout", 30_000),
            request_timeout_grace_delay: reader.milliseconds("http.requestTimeoutGraceDelay", 30, 0),
            not_found: ErrorAnswer {
                message: reader.text("http.errors[404].message", "No context-path matches the request URI."),
                content_type: reader.text("http.errors[404].contentType", "text/plain"),
            },
        }
    }
}

impl HttpListener {
    fn read(reader: &mut Reader<'_>, prefix: &str, id: String) -> Self {
        let key = |name: &str| format!("{prefix}.{name}");
        reader.refuse_true(&key("secured"));
        reader.refuse_true(&key("haproxy.proxyProtocol"));
        Self {
            id,
            host: reader.host(&key("host"), "0.0.0.0"),
            port: reader.listening_port(&key("port"), 8082),
            max_header_size: reader.number(&key("maxHeaderSize"), 8192, 256, 16 << 20) as usize,
            max_initial_line_length: reader.number(&key("maxInitialLineLength"), 4096, 64, 1 << 20) as usize,
            idle_timeout: reader.milliseconds_or_none(&key("idleTimeout"), 0),
            tcp_keep_alive: reader.boolean(&key("tcpKeepAlive"), true),
        }
    }
}

impl RequestHeaders {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            transaction: TracedHeader::read(reader, "transaction", "X-Gravitee-Transaction-Id"),
            request: TracedHeader::read(reader, "request", "X-Gravitee-Request-Id"),
            client_identifier: reader
                .header_name("handlers.request.client.header", "X-Gravitee-Client-Identifier"),
            forwarded_prefix: reader.boolean("handlers.request.headers.x-forwarded-prefix", false),
        }
    }
}

impl TracedHeader {
    fn read(reader: &mut Reader<'_>, name: &str, default: &str) -> Self {
        let modes = [
            ("override", OverrideMode::Override),
            ("merge", OverrideMode::Merge),
            ("keep", OverrideMode::Keep),
        ];
        Self {
            header: reader.header_name(&format!("handlers.request.{name}.header"), default),
            override_mode: reader
                .choice(&format!("handlers.request.{name}.overrideMode"), "override", &modes)
                .unwrap_or(OverrideMode::Override),
        }
    }
}
