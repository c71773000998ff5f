//! A client with one keep-alive connection: what the demo's traffic and its measurements ask gateways with.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::question::Route;

/// The longest that an exchange may take. Nothing that the demo asks for takes long.
const TIME_OUT: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Nobody listens.
    #[error("no connection: {0}")]
    Connect(#[from] std::io::Error),
    /// The connection broke, or what came is not HTTP.
    #[error("the connection broke: {0}{cause}", cause = cause(.0))]
    Exchange(#[from] hyper::Error),
    /// The request cannot be written.
    #[error("not a request: {0}")]
    Invalid(#[from] http::Error),
    /// Too slow.
    #[error("no whole answer within {TIME_OUT:?}")]
    TimedOut,
}

/// What hyper's own text leaves out.
fn cause(error: &hyper::Error) -> String {
    std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default()
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its status.
    pub(crate) status: StatusCode,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Its body.
    pub(crate) body: Bytes,
}

/// A connection to one gateway, made when it is needed and made again when it broke.
#[derive(Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    sender: SendRequest<Empty<Bytes>>,
    driver: JoinHandle<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Client {
    /// A client that is not connected yet.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, open: None }
    }

    /// Closes the connection.
    pub(crate) fn close(&mut self) {
        self.open = None;
    }

    /// Sends a GET request for `route`, with `query` behind its path, and reads the whole answer.
    pub(crate) async fn ask(&mut self, route: Route, query: &str) -> Result<Answer, ClientError> {
        // What is dropped on the way, by an error or by the time-out, is not used again.
        let open = self.open.take();
        let (answer, open) = tokio::time::timeout(TIME_OUT, self.exchange(open, route, query))
            .await
            .unwrap_or(Err(ClientError::TimedOut))?;
        self.open = open;
        Ok(answer)
    }

    async fn exchange(
        &self,
        open: Option<Open>,
        route: Route,
        query: &str,
    ) -> Result<(Answer, Option<Open>), ClientError> {
        let mut usable = None;
        if let Some(mut before) = open
            && before.sender.ready().await.is_ok()
        {
            usable = Some(before);
        }
        let mut open = match usable {
            Some(open) => open,
            None => self.connect().await?,
        };
        let mut request = Request::get(format!("{}?{query}", route.path));
        request = match route.host {
            Some(host) => request.header(HOST, host),
            None => request.header(HOST, self.address.to_string()),
        };
        if let Some(key) = route.key {
            request = request.header("X-Gravitee-Api-Key", key);
        }
        let response = open.sender.send_request(request.body(Empty::new())?).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        let closing =
            head.headers.get(CONNECTION).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"));
        let answer = Answer { status: head.status, headers: head.headers, body };
        Ok((answer, (!closing).then_some(open)))
    }

    async fn connect(&self) -> Result<Open, ClientError> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(async move {
            // Its end shows in the next request.
            let _ = connection.await;
        });
        Ok(Open { sender, driver })
    }
}
