//! One call of an upstream: a connection, the exchange on it, and the one case in which it is tried again.

use std::rc::Rc;
use std::sync::Arc;

use http::Method;
use tokio::time::Instant;

use super::Upstream;
use super::body::UpstreamBody;
use super::connection::Connection;
use super::exchange::{Exchange, RequestBody};
use super::failure::CallError;
use super::pool::{self, Pool};
use super::response_head::ResponseHead;

/// A response of an upstream.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) head: ResponseHead,
    pub(crate) body: UpstreamBody,
}

/// Sends a request and waits for the head of its response. `write_head` writes the request head; it is called once.
///
/// A connection that was used before can have been closed by the upstream at the very moment when the request was
/// sent. The request is sent once more then, over a new connection, if its method is idempotent and it has no body.
pub(crate) async fn call(
    pool: &Rc<Pool>,
    upstream: &Arc<Upstream>,
    method: &Method,
    write_head: impl FnOnce(&mut Vec<u8>),
    body: Option<RequestBody>,
    deadline: Option<Instant>,
    now: Instant,
) -> Result<Response, CallError> {
    let permit = pool::permit(upstream, deadline).await?;
    let (mut connection, reused) = match pool.take(upstream, now) {
        Some(connection) => (connection, true),
        None => (Connection::open(upstream, deadline).await?, false),
    };
    connection.outbox.clear();
    write_head(&mut connection.outbox);
    let mut exchange = Exchange::new(connection, permit, body);
    let mut head = std::future::poll_fn(|cx| exchange.poll_head(cx, method, deadline)).await;
    if let Err(CallError::Closed | CallError::Reset) = head
        && reused
        && exchange.is_repeatable()
        && method.is_idempotent()
    {
        let (outbox, permit) = exchange.into_parts();
        let mut connection = Connection::open(upstream, deadline).await?;
        connection.outbox = outbox;
        exchange = Exchange::new(connection, permit, None);
        head = std::future::poll_fn(|cx| exchange.poll_head(cx, method, deadline)).await;
    }
    let head = head?;
    exchange.connection.keep_alive_timeout = head.keep_alive_timeout.or(upstream.settings.keep_alive_timeout);
    let body = UpstreamBody::new(exchange, head.framing, head.keep_alive, pool.clone());
    Ok(Response { head, body })
}
