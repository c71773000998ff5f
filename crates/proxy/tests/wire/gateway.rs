//! A gateway in this process, and a client that sends raw bytes to it.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use zonegate_generation::{Builder, Committed, Settings};
use zonegate_model::{Clock, Digests, Kind, Moment, Row, RowKey};
use zonegate_policy::Registry;
use zonegate_proxy::{Compiler, Counters, GatewaySettings, ListenerSettings, Running, Server, StartError};

/// Nothing in these tests takes as long, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A wall clock that is set by hand.
#[derive(Debug, Default)]
pub(crate) struct HandClock(AtomicI64);

impl Clock for HandClock {
    fn now(&self) -> Moment {
        Moment { elapsed: Duration::ZERO, wall_millis: self.0.load(Ordering::SeqCst) }
    }
}

/// A running gateway.
pub(crate) struct Gateway {
    builder: Builder<Compiler>,
    server: Server,
    running: Option<Running>,
    address: SocketAddr,
    pub(crate) counters: Arc<Counters>,
    clock: Arc<HandClock>,
}

impl Gateway {
    /// A gateway with default settings that serves these rows.
    pub(crate) fn serving(rows: Vec<Row>) -> Self {
        Self::with(GatewaySettings::default(), listener(), rows)
    }

    pub(crate) fn with(settings: GatewaySettings, listener: ListenerSettings, rows: Vec<Row>) -> Self {
        let (settings, counters) = (Arc::new(settings), Arc::new(Counters::default()));
        let compiler = Compiler::new(Registry::builtin(), settings.clone(), counters.clone());
        let builder = Builder::new(compiler, Settings::default());
        let clock = Arc::new(HandClock::default());
        let server = Server {
            published: builder.published(),
            settings,
            counters: counters.clone(),
            clock: clock.clone(),
        };
        let running = server.start(&listener).expect("a free port");
        let address = running.address();
        let mut gateway = Self { builder, server, running: Some(running), address, counters, clock };
        if !rows.is_empty() {
            gateway.apply(rows);
        }
        gateway
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Another HTTP server of the same gateway.
    pub(crate) fn start_another(&self, listener: &ListenerSettings) -> Result<Running, StartError> {
        self.server.start(listener)
    }

    /// Commits a change.
    pub(crate) fn apply(&mut self, rows: Vec<Row>) -> Committed {
        self.builder.begin(false);
        self.builder.rows(rows);
        self.builder.commit(None, Digests::default())
    }

    pub(crate) fn set_clock(&self, millis: i64) {
        self.clock.0.store(millis, Ordering::SeqCst);
    }

    pub(crate) fn connect(&self) -> Client {
        Client::new(TcpStream::connect(self.address).expect("the gateway listens"))
    }

    /// Whether the gateway still accepts connections.
    pub(crate) fn listens(&self) -> bool {
        TcpStream::connect(self.address).is_ok()
    }

    /// Sends one request on a connection of its own.
    pub(crate) fn send(&self, request: &str) -> Response {
        let mut client = self.connect();
        client.send(request);
        client.receive()
    }

    /// `GET` with these header lines, each with its line end.
    pub(crate) fn get(&self, path: &str, headers: &str) -> Response {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: gateway.example\r\n{headers}\r\n"))
    }

    /// Stops in good order, in the background.
    pub(crate) fn shut_down(&mut self, grace: Duration) -> std::thread::JoinHandle<()> {
        let running = self.running.take().expect("still running");
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(running.shutdown(grace));
        })
    }
}

pub(crate) fn listener() -> ListenerSettings {
    ListenerSettings { host: IpAddr::V4(Ipv4Addr::LOCALHOST), port: 0, ..ListenerSettings::default() }
}

/// A response as it came.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    /// With the chunked framing taken off.
    pub(crate) body: String,
    /// The body came to its proper end.
    pub(crate) complete: bool,
}

impl Response {
    /// The first value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).into_iter().next()
    }

    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        header_values(&self.head, name)
    }
}

/// Values of a header in a raw head.
pub(crate) fn header_values<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    head.split("\r\n")
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .filter(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
        .collect()
}

/// A client's connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    received: Vec<u8>,
    to_head: bool,
}

impl Client {
    fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
        Self { stream, received: Vec::new(), to_head: false }
    }

    pub(crate) fn send(&mut self, bytes: &str) {
        self.to_head = bytes.starts_with("HEAD ");
        self.stream.write_all(bytes.as_bytes()).expect("the gateway reads");
    }

    fn more(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(length) => {
                self.received.extend_from_slice(&buffer[..length]);
                true
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => false,
            Err(error) => panic!("no more from the gateway: {error}; so far {:?}", self.so_far()),
        }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.received).into_owned()
    }

    /// The head of the next response.
    pub(crate) fn receive_head(&mut self) -> String {
        loop {
            if let Some(end) = self.received.windows(4).position(|window| window == b"\r\n\r\n") {
                let head: Vec<u8> = self.received.drain(..end + 4).collect();
                return String::from_utf8(head[..end].to_vec()).expect("text");
            }
            assert!(self.more(), "the connection ended within a head: {:?}", self.so_far());
        }
    }

    /// The next response, whole.
    pub(crate) fn receive(&mut self) -> Response {
        let head = self.receive_head();
        let status = head.get(9..12).and_then(|code| code.parse().ok()).expect("a status line");
        let chunked = header_values(&head, "transfer-encoding") == ["chunked"];
        let length = header_values(&head, "content-length")
            .first()
            .map(|value| value.parse::<usize>().expect("a length"));
        let bodiless = self.to_head || matches!(status, 204 | 304) || status < 200;
        let (body, complete) = match length {
            _ if bodiless => (Vec::new(), true),
            _ if chunked => self.receive_chunks(),
            Some(length) => {
                while self.received.len() < length && self.more() {}
                let complete = self.received.len() >= length;
                let length = length.min(self.received.len());
                (self.received.drain(..length).collect(), complete)
            }
            None => {
                while self.more() {}
                (std::mem::take(&mut self.received), true)
            }
        };
        Response { status, head, body: String::from_utf8(body).expect("text"), complete }
    }

    fn receive_chunks(&mut self) -> (Vec<u8>, bool) {
        let mut body = Vec::new();
        loop {
            let Some(end) = self.received.windows(2).position(|window| window == b"\r\n") else {
                if self.more() {
                    continue;
                }
                return (body, false);
            };
            let size = std::str::from_utf8(&self.received[..end]).expect("a size");
            let size = usize::from_str_radix(size, 16).expect("a size");
            while self.received.len() < end + 2 + size + 2 {
                if !self.more() {
                    return (body, false);
                }
            }
            body.extend_from_slice(&self.received[end + 2..end + 2 + size]);
            self.received.drain(..end + 2 + size + 2);
            if size == 0 {
                return (body, true);
            }
        }
    }

    /// Whether the gateway has closed the connection, without anything more on it.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.received.is_empty() && !self.more()
    }
}

/// An API of one keyless plan at `/test`, on this target.
pub(crate) fn keyless(target: &str) -> Row {
    api(&definition("keyless", "/test", target))
}

/// A V4 definition that can be changed before it is deployed.
pub(crate) fn definition(id: &str, path: &str, target: &str) -> Value {
    json!({
        "id": id, "name": id, "type": "proxy", "definitionVersion": "4.0.0", "apiVersion": "1",
        "listeners": [{ "type": "http", "paths": [{ "path": path }], "entrypoints": [{ "type": "http-proxy" }] }],
        "endpointGroups": [{
            "name": "default-group", "type": "http-proxy",
            "endpoints": [{
                "name": "default", "type": "http-proxy", "inheritConfiguration": false,
                "configuration": { "target": target }, "sharedConfigurationOverride": {}
            }]
        }],
        "plans": [{ "id": "open", "name": "open", "mode": "standard", "status": "published",
                    "security": { "type": "key-less" } }],
        "flows": []
    })
}

/// Sets the HTTP settings of the only endpoint.
pub(crate) fn set_http(definition: &mut Value, http: Value) {
    definition["endpointGroups"][0]["endpoints"][0]["sharedConfigurationOverride"]["http"] = http;
}

/// The row of a definition.
pub(crate) fn api(definition: &Value) -> Row {
    let id = definition["id"].as_str().expect("an id");
    let payload = json!({ "definition": definition, "enabled": true, "deployedAt": 1, "organizationId": "O",
                          "environmentId": "E" });
    Row::deployed(RowKey::new(Kind::Api, id), payload.to_string())
}

pub(crate) fn organization(definition: &Value) -> Row {
    let payload = json!({ "definition": definition, "enabled": true, "deployedAt": 1 });
    Row::deployed(RowKey::new(Kind::Organization, "O"), payload.to_string())
}
