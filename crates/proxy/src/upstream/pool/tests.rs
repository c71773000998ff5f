//! What is kept in a pool, and for how long.

use tokio::net::TcpListener;
use zonegate_definition::{HttpSettings, Target};

use super::*;
use crate::upstream::Upstreams;

/// An endpoint of a listener, and the listener.
async fn endpoint(settings: HttpSettings) -> (Arc<Upstream>, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let target = format!("http://{}", listener.local_addr().expect("bound"));
    let target = Target::parse(&target).expect("a URL");
    (Upstreams::default().find(&"api".into(), "g", "e", &target, &settings), listener)
}

#[tokio::test]
async fn idle_connections_end_with_their_time() {
    let (upstream, _listener) = endpoint(HttpSettings::V4).await;
    let (pool, now) = (Pool::default(), Instant::now());
    pool.put(Connection::open(&upstream, None).await.expect("a connection"), now);
    let mut short = Connection::open(&upstream, None).await.expect("a connection");
    short.keep_alive_timeout = Some(Duration::from_secs(5));
    pool.put(short, now);
    assert_eq!((pool.idle(), upstream.open.load(Ordering::Relaxed)), (2, 2));
    pool.sweep(now + Duration::from_secs(6));
    assert_eq!((pool.idle(), upstream.open.load(Ordering::Relaxed)), (1, 1), "what the upstream said counts");
    assert!(pool.take(&upstream, now + Duration::from_secs(31)).is_none(), "one that is too old is not used");
    assert_eq!((pool.idle(), upstream.open.load(Ordering::Relaxed)), (0, 0));
}

#[tokio::test]
async fn a_connection_that_the_upstream_closed_or_spoke_on_is_not_used() {
    let (upstream, listener) = endpoint(HttpSettings::V4).await;
    let (pool, now) = (Pool::default(), Instant::now());
    for says in [&b""[..], b"HTTP/1.1 408 Request Timeout\r\n\r\n"] {
        pool.put(Connection::open(&upstream, None).await.expect("a connection"), now);
        let (mut peer, _) = listener.accept().await.expect("a connection");
        tokio::io::AsyncWriteExt::write_all(&mut peer, says).await.expect("sent");
        if says.is_empty() {
            drop(peer);
        }
        // Until the runtime has heard of it.
        for _ in 0..5000 {
            pool.sweep(now);
            if pool.idle() == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(pool.idle(), 0);
    }
    assert_eq!(upstream.open.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn no_more_than_the_endpoint_may_have_are_kept() {
    let (upstream, _listener) =
        endpoint(HttpSettings { max_concurrent_connections: 2, ..HttpSettings::V4 }).await;
    let (pool, now) = (Pool::default(), Instant::now());
    let mut connections = Vec::new();
    for _ in 0..3 {
        connections.push(Connection::open(&upstream, None).await.expect("a connection"));
    }
    for connection in connections {
        pool.put(connection, now);
    }
    assert_eq!(pool.idle(), 2);
}
