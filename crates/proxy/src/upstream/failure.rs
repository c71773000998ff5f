//! How a call to an upstream fails, with the keys and statuses of `data-plane.md` section 2.8.

use std::io;

use http::StatusCode;
use zonegate_policy::Failure;

/// Why there is no response of an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum CallError {
    /// No endpoint can be chosen.
    #[error("no endpoint is available")]
    NoEndpoint,
    /// The endpoint's target is no URL.
    #[error("the endpoint's target is not a URL")]
    NoAddress,
    /// The upstream's host refused the connection.
    #[error("the upstream refused the connection")]
    Refused,
    /// The upstream's name cannot be resolved.
    #[error("the upstream's name could not be resolved")]
    Dns,
    /// There is no route to the upstream.
    #[error("the upstream cannot be reached")]
    Unreachable,
    /// The upstream reset the connection.
    #[error("the upstream reset the connection")]
    Reset,
    /// The upstream closed the connection before its response began.
    #[error("the upstream closed the connection before it answered")]
    Closed,
    /// What came is not an HTTP response.
    #[error("the upstream's answer is not valid HTTP")]
    Malformed,
    /// Anything else.
    #[error("the connection to the upstream failed")]
    Other,
    /// All connections are in use and so is the queue for them.
    #[error("all connections to the upstream, and the queue for them, are in use")]
    PoolExhausted,
    /// No connection in time.
    #[error("no connection to the upstream in time")]
    ConnectTimeout,
    /// The upstream was silent for too long.
    #[error("the upstream was silent for too long")]
    ReadTimeout,
    /// The gateway's own budget for the request is used up.
    #[error("the time for the request is used up")]
    RequestTimeout,
    /// The client's request could not be read to its end.
    #[error("the client went away")]
    ClientAborted,
}

impl CallError {
    /// All of them, in the order of [`index`](Self::index).
    pub const ALL: [Self; 14] = [
        Self::NoEndpoint,
        Self::NoAddress,
        Self::Refused,
        Self::Dns,
        Self::Unreachable,
        Self::Reset,
        Self::Closed,
        Self::Malformed,
        Self::Other,
        Self::PoolExhausted,
        Self::ConnectTimeout,
        Self::ReadTimeout,
        Self::RequestTimeout,
        Self::ClientAborted,
    ];

    /// Place in [`ALL`](Self::ALL).
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Key of the failure, as response templates and metrics name it.
    pub const fn key(self) -> &'static str {
        match self {
            Self::NoEndpoint => "NO_ENDPOINT_FOUND",
            Self::Refused => "GATEWAY_CLIENT_CONNECTION_REFUSED",
            Self::Dns => "GATEWAY_CLIENT_DNS_RESOLUTION_ERROR",
            Self::Unreachable => "GATEWAY_CLIENT_UNREACHABLE",
            Self::Reset => "GATEWAY_CLIENT_CONNECTION_RESET",
            Self::Closed => "GATEWAY_CLIENT_CONNECTION_CLOSED",
            Self::NoAddress | Self::Malformed | Self::Other => CONNECTION_ERROR,
            Self::PoolExhausted => "GATEWAY_CLIENT_CONNECTION_POOL_EXHAUSTED",
            Self::ConnectTimeout => "GATEWAY_CLIENT_CONNECT_TIMEOUT",
            Self::ReadTimeout => "GATEWAY_CLIENT_READ_TIMEOUT",
            Self::RequestTimeout => REQUEST_TIMEOUT,
            Self::ClientAborted => "CLIENT_ABORTED_DURING_REQUEST_ERROR",
        }
    }

    /// The failure that the client is answered with.
    pub(crate) fn failure(self) -> Failure {
        match self {
            Self::NoEndpoint => Failure::silent(StatusCode::SERVICE_UNAVAILABLE, self.key()),
            Self::PoolExhausted => {
                Failure::silent(StatusCode::SERVICE_UNAVAILABLE, self.key()).within(CONNECTION_ERROR)
            }
            Self::ConnectTimeout | Self::ReadTimeout => {
                Failure::silent(StatusCode::GATEWAY_TIMEOUT, self.key()).within(REQUEST_TIMEOUT)
            }
            Self::RequestTimeout => {
                Failure::with_message(StatusCode::GATEWAY_TIMEOUT, REQUEST_TIMEOUT, "Request timeout")
            }
            Self::ClientAborted => Failure::silent(StatusCode::BAD_REQUEST, self.key()),
            Self::NoAddress | Self::Malformed | Self::Other => {
                Failure::silent(StatusCode::BAD_GATEWAY, CONNECTION_ERROR)
            }
            Self::Refused | Self::Dns | Self::Unreachable | Self::Reset | Self::Closed => {
                Failure::silent(StatusCode::BAD_GATEWAY, self.key()).within(CONNECTION_ERROR)
            }
        }
    }

    /// What an error of the socket means.
    pub(crate) fn of_socket(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
                Self::Reset
            }
            io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown => Self::Unreachable,
            io::ErrorKind::TimedOut => Self::ConnectTimeout,
            _ => Self::Other,
        }
    }
}

/// The family of failed connections.
const CONNECTION_ERROR: &str = "GATEWAY_CLIENT_CONNECTION_ERROR";
/// The family of time-outs, and the gateway's own.
const REQUEST_TIMEOUT: &str = "REQUEST_TIMEOUT";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_them_are_listed_in_their_order() {
        for (index, error) in CallError::ALL.into_iter().enumerate() {
            assert_eq!(error.index(), index);
        }
    }
}
