//! Load of exactly so many requests, for counting what one of them costs.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::contestant::Route;
use crate::bench::measure::failure::MeasureError;

/// The longest that an answer may take; long, because who answers may run under valgrind.
const PATIENCE: Duration = Duration::from_mins(1);

/// Sends `count` requests over `connections` keep-alive connections, one outstanding on each.
pub(super) fn send(route: &Route, connections: usize, count: usize) -> Result<(), MeasureError> {
    let key = route.key.map(|key| format!("X-Gravitee-Api-Key: {key}\r\n")).unwrap_or_default();
    let request = format!("GET {} HTTP/1.1\r\nHost: {}\r\n{key}\r\n", route.path, route.address);
    let run = || {
        let open = |_| {
            let stream = TcpStream::connect(route.address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            Ok(stream)
        };
        let mut streams = (0..connections).map(open).collect::<io::Result<Vec<_>>>()?;
        let mut left = count;
        while left > 0 {
            let busy = left.min(connections);
            for stream in streams.iter_mut().take(busy) {
                stream.write_all(request.as_bytes())?;
            }
            for stream in streams.iter_mut().take(busy) {
                skip_answer(stream)?;
            }
            left -= busy;
        }
        Ok(())
    };
    run().map_err(MeasureError::system(&format!("send {count} requests to {}", route.name)))
}

/// Passes over one answer, which must be a good one.
fn skip_answer(stream: &mut TcpStream) -> io::Result<()> {
    let mut answer = Vec::with_capacity(1024);
    let mut part = [0; 4096];
    loop {
        if let Some(length) = length(&answer)? {
            match answer.len().cmp(&length) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Ok(()),
                std::cmp::Ordering::Greater => return Err(io::Error::other("more than one answer")),
            }
        }
        let read = stream.read(&mut part)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(part.get(..read).unwrap_or_default());
    }
}

/// How long the whole answer is, once its headers are there.
fn length(answer: &[u8]) -> io::Result<Option<usize>> {
    let text = String::from_utf8_lossy(answer);
    let Some((head, _)) = text.split_once("\r\n\r\n") else { return Ok(None) };
    let value = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    };
    let length = head.lines().find_map(value).filter(|_| head.starts_with("HTTP/1.1 200"));
    let length =
        length.ok_or_else(|| io::Error::other(format!("not a good answer of known length: {head}")))?;
    Ok(Some(head.len() + 4 + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_its_headers_say() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
        assert_eq!(length(answer).unwrap(), Some(answer.len()));
        assert_eq!(length(b"HTTP/1.1 200 OK\r\nContent-Le").unwrap(), None);
        assert!(length(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n").is_err());
    }
}
