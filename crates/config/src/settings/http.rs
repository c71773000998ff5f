//! `http.*`, `servers[].*` and `handlers.request.*`: where traffic comes in, and the headers added to it.

use std::time::Duration;

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
