//! How to talk to an endpoint: HTTP, a proxy in between, TLS, headers (`data-plane.md` section 1.4).

pub(crate) mod json;

use std::fmt;
use std::time::Duration;

use zonegate_model::secrecy::SecretString;

use crate::{Template, TlsSettings};

/// Everything about the connections of an endpoint and what is sent over them. Endpoints that inherit from their
/// group share one.
#[derive(Clone, Debug)]
pub struct ConnectionSettings {
    /// HTTP.
    pub http: HttpSettings,
    /// The proxy in between, if one is switched on.
    pub proxy: Option<UpstreamProxy>,
    /// TLS, where the definition says anything about it. Used with targets that ask for TLS.
    pub tls: Option<TlsSettings>,
    /// Set last on each request that goes there, replacing what is there.
    pub headers: Vec<EndpointHeader>,
    /// Where they stand in the definition, for messages.
    pub at: Box<str>,
}

/// A configured request header.
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointHeader {
    /// Name, a valid token, as it is written.
    pub name: String,
    /// Value without control characters, evaluated once, at deployment.
    pub value: Template,
}

impl fmt::Debug for EndpointHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointHeader").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Protocol spoken to an upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HttpVersion {
    /// HTTP/1.1.
    #[default]
    Http11,
    /// HTTP/2: by ALPN in TLS; in the clear by upgrade, or at once.
    Http2,
}

impl HttpVersion {
    /// As definitions write it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Http11 => "HTTP_1_1",
            Self::Http2 => "HTTP_2",
        }
    }
}

/// How to speak HTTP to an endpoint. Absent bounds are `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSettings {
    /// Protocol.
    pub version: HttpVersion,
    /// Time to establish a connection. Default 5 s.
    pub connect_timeout: Option<Duration>,
    /// Longest silence within a request, and longest wait for a pooled connection. Default 10 s.
    pub read_timeout: Option<Duration>,
    /// Longest silence of a connection, whole seconds. Default 60 s; below one second means none.
    pub idle_timeout: Option<Duration>,
    /// Use a connection for more than one request. Default yes.
    pub keep_alive: bool,
    /// Longest idle time in the pool, whole seconds. Default 30 s.
    pub keep_alive_timeout: Option<Duration>,
    /// Longest life of a connection. Default none.
    pub max_connection_lifetime: Option<Duration>,
    /// Connections at once, at least 1. Default 20 (V4), 100 (V2).
    pub max_concurrent_connections: u32,
    /// Requests that may wait for a connection; `None`: any number. Default any number.
    pub max_wait_queue_size: Option<u32>,
    /// Send the client's `Host`. Default no.
    pub propagate_client_host: bool,
    /// Ask for compressed answers and decompress them. Default yes.
    pub use_compression: bool,
    /// Send the client's `Accept-Encoding`; only where `use_compression` is off. Default no.
    pub propagate_client_accept_encoding: bool,
    /// Follow redirects instead of passing them on. Default no.
    pub follow_redirects: bool,
    /// Send a request before the answer to the one before it is there. Default no.
    pub pipelining: bool,
    /// What concerns HTTP/2 only.
    pub http2: Http2Settings,
}

/// Bounds of HTTP/2 connections to an endpoint; `None`: the implementation's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http2Settings {
    /// In the clear, begin with HTTP/1.1 and an `Upgrade`. Default yes.
    pub clear_text_upgrade: bool,
    /// Streams at once on a connection.
    pub multiplexing_limit: Option<u32>,
    /// Flow-control window of a connection, bytes.
    pub connection_window: Option<u32>,
    /// Flow-control window of a stream, bytes.
    pub stream_window: Option<u32>,
    /// Largest frame, bytes. Default 16384.
    pub max_frame_size: Option<u32>,
}

impl HttpSettings {
    /// What holds where a V4 definition says nothing.
    pub const V4: Self = Self {
        version: HttpVersion::Http11,
        connect_timeout: Some(Duration::from_secs(5)),
        read_timeout: Some(Duration::from_secs(10)),
        idle_timeout: Some(Duration::from_mins(1)),
        keep_alive: true,
        keep_alive_timeout: Some(Duration::from_secs(30)),
        max_connection_lifetime: None,
        max_concurrent_connections: 20,
        max_wait_queue_size: None,
        propagate_client_host: false,
        use_compression: true,
        propagate_client_accept_encoding: false,
        follow_redirects: false,
        pipelining: false,
        http2: Http2Settings {
            clear_text_upgrade: true,
            multiplexing_limit: None,
            connection_window: None,
            stream_window: None,
            max_frame_size: Some(16_384),
        },
    };

    /// What holds where a V2 definition says nothing.
    pub const V2: Self = Self { max_concurrent_connections: 100, ..Self::V4 };
}

/// A proxy on the way to an endpoint.
#[derive(Clone, Debug)]
pub enum UpstreamProxy {
    /// The node's own (`system.proxy`).
    System,
    /// One that the definition names.
    Own {
        /// How it is spoken to.
        kind: ProxyKind,
        /// Host name or address.
        host: String,
        /// Port.
        port: u16,
        /// User name.
        username: Option<String>,
        /// Password.
        password: Option<SecretString>,
    },
}

/// How a proxy is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ProxyKind {
    /// HTTP; `CONNECT` for TLS.
    #[default]
    Http,
    /// SOCKS 4.
    Socks4,
    /// SOCKS 5.
    Socks5,
}
