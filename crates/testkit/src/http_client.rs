//! One HTTP/1.1 request on a connection of its own: what tests look at gateways with.
//!
//! No pool, no redirect, no header that was not asked for except `host`: a test sees what it sends.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;

/// The longest that an exchange may take, from connecting to the last byte.
pub const TIME_OUT: Duration = Duration::from_mins(1);

/// Why a request got no whole answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Nobody listens there.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The connection broke, or what came back is not HTTP.
    #[error("request to {address} failed: {source}")]
    Exchange {
        /// To whom.
        address: SocketAddr,
        /// Why.
        source: hyper::Error,
    },
    /// The path, a header's name or its value cannot be sent.
    #[error("cannot make the request: {0}")]
    Invalid(#[from] http::Error),
    /// It took longer than [`TIME_OUT`].
    #[error("no whole answer from {address} within {TIME_OUT:?}")]
    TimedOut {
        /// From whom.
        address: SocketAddr,
    },
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Answer {
    /// The body as text; bytes that are no UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `null` if it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The first value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A GET request with the given headers; `host` is the address unless given.
pub async fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Result<Answer, HttpError> {
    let request =
        headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
    send(address, request.body(Bytes::new())?).await
}

/// Sends any request; `host` is added if absent.
pub async fn send(address: SocketAddr, request: Request<Bytes>) -> Result<Answer, HttpError> {
    let exchange = tokio::time::timeout(TIME_OUT, exchange(address, request));
    exchange.await.unwrap_or(Err(HttpError::TimedOut { address }))
}

async fn exchange(address: SocketAddr, request: Request<Bytes>) -> Result<Answer, HttpError> {
    let failed = |source| HttpError::Exchange { address, source };
    let connected = tokio::net::TcpStream::connect(address).await;
    let stream = connected.map_err(|source| HttpError::Connect { address, source })?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let (mut head, body) = request.into_parts();
    if !head.headers.contains_key(http::header::HOST) {
        head.headers.insert(
            http::header::HOST,
            http::HeaderValue::try_from(address.to_string()).map_err(http::Error::from)?,
        );
    }
    let answer = async {
        let response = sender.send_request(Request::from_parts(head, Full::new(body))).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer { status: head.status, headers: head.headers, body })
    };
    // The connection is driven here, so that it ends with the exchange and no task outlives it.
    let mut connection = std::pin::pin!(connection);
    let mut answer = std::pin::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer.map_err(failed),
        // It may end first, once the whole answer is in its buffers.
        _ = &mut connection => answer.await.map_err(failed),
    }
}
