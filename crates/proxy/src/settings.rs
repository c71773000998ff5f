//! What the data plane has to be told. Names and defaults are those of `data-plane.md` section 2.12; where they come
//! from is the binary's business.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use http::{HeaderName, HeaderValue};

/// One HTTP server of the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerSettings {
    /// Id, which listeners of APIs may name (`servers[].id`).
    pub id: String,
    /// Address to bind (`http.host`).
    pub host: IpAddr,
    /// Port to bind (`http.port`); 0: any free one.
    pub port: u16,
    /// Threads that serve it.
    pub workers: usize,
    /// Most bytes of all header lines of a request (`http.maxHeaderSize`). Beyond: 431.
    pub max_header_size: usize,
    /// Most bytes of a request line (`http.maxInitialLineLength`). Beyond: 414.
    pub max_initial_line_length: usize,
    /// Longest silence of a client's connection (`http.idleTimeout`); `None`: any.
    pub idle_timeout: Option<Duration>,
    /// Connections that the kernel queues for a worker.
    pub backlog: i32,
}

impl Default for ListenerSettings {
    fn default() -> Self {
        Self {
            id: "http".to_owned(),
            host: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            port: 8082,
            workers: 1,
            max_header_size: 8192,
            max_initial_line_length: 4096,
            idle_timeout: None,
            backlog: 1024,
        }
    }
}

/// What holds for every request, whichever server receives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewaySettings {
    /// Time for a request until the head of its response is there (`http.requestTimeout`); `None`: any.
    pub request_timeout: Option<Duration>,
    /// Header with the transaction id (`handlers.request.transaction.header`).
    pub transaction_header: HeaderName,
    /// Header with the request id (`handlers.request.request.header`).
    pub request_header: HeaderName,
    /// Header with the client's identifier (`handlers.request.client.header`).
    pub client_identifier_header: HeaderName,
    /// Header with an API key, where the plan names none (`policy.api-key.header`).
    pub api_key_header: HeaderName,
    /// Query parameter with an API key (`policy.api-key.param`).
    pub api_key_parameter: String,
    /// The first `X-Forwarded-For` counts as the client's address (`handlers.request.x-forward.enabled`).
    pub trust_x_forwarded_for: bool,
    /// Plans that ask for a subscription check it (`api.validateSubscription`).
    pub validate_subscription: bool,
    /// Body of the answer to an unknown path (`http.errors[404].message`).
    pub not_found_message: String,
    /// Its content type (`http.errors[404].contentType`).
    pub not_found_content_type: HeaderValue,
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            request_timeout: Some(Duration::from_secs(30)),
            transaction_header: HeaderName::from_static("x-gravitee-transaction-id"),
            request_header: HeaderName::from_static("x-gravitee-request-id"),
            client_identifier_header: HeaderName::from_static("x-gravitee-client-identifier"),
            api_key_header: HeaderName::from_static("x-gravitee-api-key"),
            api_key_parameter: "api-key".to_owned(),
            trust_x_forwarded_for: true,
            validate_subscription: true,
            not_found_message: "No context-path matches the request URI.".to_owned(),
            not_found_content_type: HeaderValue::from_static("text/plain"),
        }
    }
}

/// A setting that the data plane cannot work with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` {problem}")]
pub struct InvalidSetting {
    /// Name of the member here.
    pub name: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl ListenerSettings {
    /// Whether a server can be run with them.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        let wrong = |name, problem| Err(InvalidSetting { name, problem });
        match self {
            Self { workers: 0, .. } => wrong("workers", "must be at least 1"),
            Self { workers, .. } if *workers > 1024 => wrong("workers", "must be at most 1024"),
            Self { max_header_size, .. } if !(1..=1 << 20).contains(max_header_size) => {
                wrong("max_header_size", "must be from 1 byte to 1 MiB")
            }
            // The HTTP library holds a URI of 64 KiB at most.
            Self { max_initial_line_length, .. } if !(16..65_000).contains(max_initial_line_length) => {
                wrong("max_initial_line_length", "must be from 16 to 64999 bytes")
            }
            _ => Ok(()),
        }
    }
}
