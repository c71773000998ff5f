//! An upstream of plain threads, which records what it gets and answers as a test says.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::gateway::header_values;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) head: String,
    /// With the chunked framing taken off.
    pub(crate) body: String,
}

impl Seen {
    /// Method and target.
    pub(crate) fn line(&self) -> &str {
        self.head.split(" HTTP/1.1").next().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header_values(&self.head, name).into_iter().next()
    }

    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        header_values(&self.head, name)
    }
}

/// What becomes of the connection after an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Keep,
    Close,
}

type Answer = dyn Fn(&Seen, &mut TcpStream) -> Then + Send + Sync;

/// A running upstream.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
}

impl Upstream {
    /// Answers each request as `answer` does.
    pub(crate) fn answering(answer: impl Fn(&Seen, &mut TcpStream) -> Then + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let upstream =
            Self { address, seen: Arc::default(), connections: Arc::default(), closed: Arc::default() };
        let (seen, connections, closed) =
            (upstream.seen.clone(), upstream.connections.clone(), upstream.closed.clone());
        let answer: Arc<Answer> = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                connections.fetch_add(1, Ordering::SeqCst);
                let (seen, answer, closed) = (seen.clone(), answer.clone(), closed.clone());
                std::thread::spawn(move || {
                    serve(stream, &seen, &*answer);
                    closed.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        upstream
    }

    /// Answers 200 with `ok`.
    pub(crate) fn ok() -> Self {
        Self::with("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    }

    /// Answers these bytes.
    pub(crate) fn with(bytes: &'static str) -> Self {
        Self::answering(move |_, stream| {
            let _ = stream.write_all(bytes.as_bytes());
            Then::Keep
        })
    }

    /// Answers these bytes and closes.
    pub(crate) fn with_then_close(bytes: &'static str) -> Self {
        Self::answering(move |_, stream| {
            let _ = stream.write_all(bytes.as_bytes());
            Then::Close
        })
    }

    pub(crate) fn target(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// All requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no panic").clone()
    }

    /// The last request.
    pub(crate) fn last(&self) -> Seen {
        self.seen().pop().expect("a request came")
    }

    /// Connections accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Connections that have ended.
    pub(crate) fn closed(&self) -> usize {
        self.closed.load(Ordering::SeqCst)
    }
}

/// Waits until something is so. Fails a test that hangs; the time that it takes does not matter.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("never: {what}");
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<Seen>>, answer: &Answer) {
    let _ = stream.set_nodelay(true);
    let mut received = Vec::new();
    while let Some(request) = receive(&mut stream, &mut received) {
        seen.lock().expect("no panic").push(request.clone());
        if answer(&request, &mut stream) == Then::Close {
            return;
        }
    }
}

fn more(stream: &mut TcpStream, received: &mut Vec<u8>) -> Option<()> {
    let mut buffer = [0; 16 * 1024];
    match stream.read(&mut buffer) {
        Ok(length) if length > 0 => {
            received.extend_from_slice(&buffer[..length]);
            Some(())
        }
        _ => None,
    }
}

fn receive(stream: &mut TcpStream, received: &mut Vec<u8>) -> Option<Seen> {
    let end = loop {
        match received.windows(4).position(|window| window == b"\r\n\r\n") {
            Some(end) => break end,
            None => more(stream, received)?,
        }
    };
    let head = String::from_utf8_lossy(&received[..end]).into_owned();
    received.drain(..end + 4);
    if header_values(&head, "expect") == ["100-continue"] {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
    }
    let mut body = Vec::new();
    if let Some(length) = header_values(&head, "content-length").first() {
        let length: usize = length.parse().ok()?;
        while received.len() < length {
            more(stream, received)?;
        }
        body.extend(received.drain(..length));
    } else if !header_values(&head, "transfer-encoding").is_empty() {
        loop {
            let end = loop {
                match received.windows(2).position(|window| window == b"\r\n") {
                    Some(end) => break end,
                    None => more(stream, received)?,
                }
            };
            let size = usize::from_str_radix(std::str::from_utf8(&received[..end]).ok()?, 16).ok()?;
            while received.len() < end + 2 + size + 2 {
                more(stream, received)?;
            }
            body.extend_from_slice(&received[end + 2..end + 2 + size]);
            received.drain(..end + 2 + size + 2);
            if size == 0 {
                break;
            }
        }
    }
    Some(Seen { head, body: String::from_utf8_lossy(&body).into_owned() })
}
