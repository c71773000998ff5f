//! The upstream that test APIs point to: it echoes requests, and answers as asked by the path.
//!
//! It answers as the upstream of the golden data does: any path echoes
//! `{"method","url","httpVersion","headers":{name:[values]},"body"}`; `/status/N` answers N with the text `status N`; a path
//! that ends in `/big?n=N` answers N bytes of `x`; `?ms=N` delays the answer. Names of headers are in lower case.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::ports;

/// The longest request body that is echoed, in bytes.
const BODY_LIMIT: usize = 64 << 20;
/// The longest answer of `/big`, in bytes.
const BIG_LIMIT: usize = 1 << 30;

/// An upstream on a thread of its own; it ends, with its connections, when dropped.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    counts: Arc<Counts>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Counts {
    requests: AtomicU64,
    connections: AtomicU64,
}

impl Upstream {
    /// Starts it on a free port of the loopback interface.
    pub fn start() -> io::Result<Self> {
        Self::start_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// Starts it on a given address.
    pub fn start_on(address: SocketAddr) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let counts = Arc::new(Counts::default());
        let (stop, stopped) = oneshot::channel();
        let serving = Arc::clone(&counts);
        let closing = listener.try_clone()?;
        let thread = std::thread::Builder::new().name("upstream".into()).spawn(move || {
            runtime.block_on(async move {
                tokio::select! {
                    _ = stopped => {}
                    () = serve(listener, serving) => {}
                }
                ports::stop_listening(closing);
            });
        })?;
        Ok(Self { address, counts, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests came in so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.counts.requests.load(Ordering::Relaxed)
    }

    /// How many connections were accepted so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.counts.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Accepts until dropped; the runtime that it runs on ends the connections.
async fn serve(listener: std::net::TcpListener, counts: Arc<Counts>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        counts.connections.fetch_add(1, Ordering::Relaxed);
        let _ = stream.set_nodelay(true);
        let counts = Arc::clone(&counts);
        let service = service_fn(move |request| {
            counts.requests.fetch_add(1, Ordering::Relaxed);
            async { Ok::<_, Infallible>(answer(request).await) }
        });
        let mut server = hyper::server::conn::http1::Builder::new();
        let connection = server.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection);
    }
}

async fn answer(request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let parameter = |name: &str| {
        let mut pairs =
            head.uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).and_then(|(_, value)| value.parse::<u64>().ok())
    };
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        return text(StatusCode::PAYLOAD_TOO_LARGE, "the body broke off or is too long");
    };
    if let Some(delay) = parameter("ms") {
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    if let Some(code) = path.strip_prefix("/status/").and_then(|code| code.parse().ok()) {
        let status = StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST);
        return text(status, &format!("status {code}"));
    }
    if let (true, Some(length)) = (path.ends_with("/big"), parameter("n")) {
        let length = usize::try_from(length).unwrap_or(BIG_LIMIT).min(BIG_LIMIT);
        return Response::new(Full::new(Bytes::from(vec![b'x'; length])));
    }
    let mut headers = Map::new();
    for (name, value) in &head.headers {
        let value = Value::from(String::from_utf8_lossy(value.as_bytes()));
        match headers.entry(name.as_str()).or_insert_with(|| Value::Array(Vec::new())) {
            Value::Array(values) => values.push(value),
            _ => unreachable!("only lists are inserted"),
        }
    }
    let echo = serde_json::json!({
        "method": head.method.as_str(),
        "url": head.uri.path_and_query().map_or("", |path| path.as_str()),
        "httpVersion": format!("{:?}", head.version).trim_start_matches("HTTP/"),
        "headers": headers,
        "body": String::from_utf8_lossy(&body.to_bytes()),
    });
    let mut response = Response::new(Full::new(Bytes::from(echo.to_string())));
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert("x-upstream", HeaderValue::from_static("echo"));
    response
}

fn text(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text.to_owned())));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http_client::{get, send};

    #[tokio::test]
    async fn requests_are_echoed_and_counted() {
        let upstream = Upstream::start().unwrap();
        let request = Request::post("/a/b?x=1").header("X-Multi", "a").header("X-Multi", "b");
        let answer = send(upstream.address(), request.body(Bytes::from("hello")).unwrap()).await.unwrap();
        assert_eq!((answer.status, answer.header("x-upstream")), (StatusCode::OK, Some("echo")));
        let echo = answer.json();
        assert_eq!(
            (&echo["method"], &echo["url"], &echo["httpVersion"]),
            (&"POST".into(), &"/a/b?x=1".into(), &"1.1".into())
        );
        assert_eq!(echo["headers"]["x-multi"], serde_json::json!(["a", "b"]));
        assert_eq!(echo["body"], "hello");
        get(upstream.address(), "/", &[]).await.unwrap();
        assert_eq!((upstream.requests(), upstream.connections()), (2, 2));
    }

    #[tokio::test]
    async fn paths_choose_status_size_and_delay() {
        let upstream = Upstream::start().unwrap();
        let answer = get(upstream.address(), "/status/503", &[]).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.text()), (503, "status 503".to_owned()));
        let answer = get(upstream.address(), "/x/big?n=100000&ms=1", &[]).await.unwrap();
        assert_eq!(answer.body.len(), 100_000);
    }

    #[tokio::test]
    async fn a_dropped_upstream_refuses_connections() {
        let upstream = Upstream::start().unwrap();
        let address = upstream.address();
        drop(upstream);
        assert!(get(address, "/", &[]).await.is_err());
    }
}
