//! A TCP proxy that can be told to cut, refuse or stall, for tests of what happens when a server is out of reach.
//!
//! It sits between a client and a real server, on a thread of its own. Each command returns once it is in force.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

use crate::deadline::Deadline;
use crate::ports::{self, Port};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Forward,
    Stall,
    Refuse,
    Stop,
}

#[derive(Debug, Clone, Copy)]
struct Order {
    mode: Mode,
    /// Connections made before the current round are closed.
    round: u64,
    /// Goes up with each order, so that obeying can be waited for.
    number: u64,
}

#[derive(Debug, Default)]
struct Shared {
    obeyed: AtomicU64,
    open: AtomicU64,
    accepted: AtomicU64,
}

/// A proxy to one server; ends with its connections when dropped.
#[derive(Debug)]
pub struct TcpProxy {
    port: Port,
    orders: watch::Sender<Order>,
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl TcpProxy {
    /// Starts forwarding to `target`.
    pub fn start(target: SocketAddr) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let port = Port::reserve()?;
        let (orders, order) = watch::channel(Order { mode: Mode::Forward, round: 0, number: 1 });
        let shared = Arc::new(Shared::default());
        let (address, state) = (port.address(), Arc::clone(&shared));
        let thread = std::thread::Builder::new()
            .name("tcp-proxy".into())
            .spawn(move || runtime.block_on(accept(address, target, order, state)))?;
        let proxy = Self { port, orders, shared, thread: Some(thread) };
        proxy.wait_for(|shared| shared.obeyed.load(Ordering::Acquire) >= 1);
        Ok(proxy)
    }

    /// Where clients connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The port that clients connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// How many connections are open now.
    #[must_use]
    pub fn open_connections(&self) -> u64 {
        self.shared.open.load(Ordering::Acquire)
    }

    /// How many connections were accepted so far.
    #[must_use]
    pub fn accepted_connections(&self) -> u64 {
        self.shared.accepted.load(Ordering::Acquire)
    }

    /// Breaks all open connections (reset); new ones are forwarded again.
    pub fn cut(&self) {
        self.order(Mode::Forward, true);
    }

    /// Breaks all open connections and refuses new ones.
    pub fn refuse(&self) {
        self.order(Mode::Refuse, true);
    }

    /// Moves no byte more, in either direction, and says nothing: like a network that drops packets. Connections stay
    /// open, and new ones are accepted.
    pub fn stall(&self) {
        self.order(Mode::Stall, false);
    }

    /// Forwards again; stalled connections go on where they were.
    pub fn restore(&self) {
        self.order(Mode::Forward, false);
    }

    fn order(&self, mode: Mode, breaking: bool) {
        let mut number = 0;
        self.orders.send_modify(|order| {
            *order = Order { mode, round: order.round + u64::from(breaking), number: order.number + 1 };
            number = order.number;
        });
        self.wait_for(|shared| {
            shared.obeyed.load(Ordering::Acquire) >= number
                && (!breaking || mode == Mode::Forward || shared.open.load(Ordering::Acquire) == 0)
        });
    }

    fn wait_for(&self, reached: impl Fn(&Shared) -> bool) {
        let deadline = Deadline::after(Duration::from_secs(5));
        while !reached(&self.shared) && deadline.sleep(Duration::from_millis(1)) {}
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.orders.send_modify(|order| order.mode = Mode::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Runs until told to stop; the runtime that it runs on ends the connections.
async fn accept(
    address: SocketAddr,
    target: SocketAddr,
    mut orders: watch::Receiver<Order>,
    shared: Arc<Shared>,
) {
    let mut listener: Option<TcpListener> = None;
    loop {
        let order = *orders.borrow_and_update();
        match order.mode {
            Mode::Stop | Mode::Refuse => {
                if let Some(open) = listener.take() {
                    ports::stop_listening(open);
                }
                if order.mode == Mode::Stop {
                    return;
                }
            }
            Mode::Forward | Mode::Stall if listener.is_none() => listener = listen(address).ok(),
            Mode::Forward | Mode::Stall => {}
        }
        shared.obeyed.store(order.number, Ordering::Release);
        let Some(open) = &listener else {
            if orders.changed().await.is_err() {
                return;
            }
            continue;
        };
        tokio::select! {
            changed = orders.changed() => if changed.is_err() { return },
            accepted = open.accept() => if let Ok((client, _)) = accepted {
                let counted = Open::new(&shared);
                let orders = orders.clone();
                tokio::spawn(async move {
                    forward(client, target, order.round, orders).await;
                    drop(counted);
                });
            },
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(1024)
}

/// Counts a connection as open for as long as it lives.
struct Open(Arc<Shared>);

impl Open {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.open.fetch_add(1, Ordering::AcqRel);
        shared.accepted.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(shared))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
    }
}

async fn forward(client: TcpStream, target: SocketAddr, round: u64, orders: watch::Receiver<Order>) {
    // Closing with a reset, as a cut network does once somebody answers again.
    let _ = client.set_zero_linger();
    let mut watched = orders.clone();
    let broken = async { while watched.wait_for(|order| order.round != round).await.is_err() {} };
    let work = async {
        let mut gate = orders.clone();
        gate.wait_for(|order| order.mode != Mode::Stall).await.ok()?;
        let server = TcpStream::connect(target).await.ok()?;
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (client_in, client_out) = client.into_split();
        let (server_in, server_out) = server.into_split();
        tokio::join!(
            pump(client_in, server_out, orders.clone()),
            pump(server_in, client_out, orders.clone())
        );
        Some(())
    };
    tokio::select! {
        () = broken => {}
        _ = work => {}
    }
}

/// Moves bytes one way until the end of the stream, standing still while stalled.
async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut orders: watch::Receiver<Order>) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(count) = from.read(&mut buffer).await else { return };
        // What was read before the stall is held back too.
        if orders.wait_for(|order| order.mode != Mode::Stall).await.is_err() {
            return;
        }
        let bytes = buffer.get(..count).unwrap_or_default();
        if bytes.is_empty() || to.write_all(bytes).await.is_err() {
            let _ = to.shutdown().await;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::{Connection, Redis, RedisOptions};

    fn server() -> Redis {
        Redis::start(RedisOptions { search: false, ..RedisOptions::default() }).unwrap()
    }

    #[test]
    fn a_cut_breaks_what_is_open_and_nothing_else() {
        let redis = server();
        let proxy = TcpProxy::start(redis.address()).unwrap();
        let mut connection = Connection::open(proxy.address()).unwrap();
        connection.command(&["PING"]).unwrap();
        proxy.cut();
        assert!(connection.command(&["PING"]).is_err());
        Connection::open(proxy.address()).unwrap().command(&["PING"]).unwrap();
    }

    #[test]
    fn a_refusing_proxy_lets_nobody_in_until_it_is_restored() {
        let redis = server();
        let proxy = TcpProxy::start(redis.address()).unwrap();
        let mut connection = Connection::open(proxy.address()).unwrap();
        connection.command(&["PING"]).unwrap();
        proxy.refuse();
        assert!(connection.command(&["PING"]).is_err());
        assert!(Connection::open(proxy.address()).is_err());
        proxy.restore();
        Connection::open(proxy.address()).unwrap().command(&["PING"]).unwrap();
    }

    #[test]
    fn a_stalled_connection_goes_on_where_it_was() {
        let redis = server();
        let proxy = TcpProxy::start(redis.address()).unwrap();
        let mut connection = Connection::open(proxy.address()).unwrap();
        connection.command(&["PING"]).unwrap();
        proxy.stall();
        std::thread::scope(|scope| {
            let answer = scope.spawn(|| connection.command(&["PING"]));
            std::thread::sleep(Duration::from_millis(100));
            assert!(!answer.is_finished());
            proxy.restore();
            answer.join().unwrap().unwrap();
        });
    }
}
