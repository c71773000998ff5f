//! A Redis client that does as little as possible: the floor for reading, and one round trip.
//!
//! It knows every key beforehand, has every request ready, and skips what comes back without looking at it.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::failure::MeasureError;
use crate::stopwatch::Stopwatch;

/// Keys in one write.
const PART: usize = 1000;
/// The fields of a row, as a gateway asks for them.
const FIELDS: [&str; 6] = ["clusterId", "id", "type", "syncAction", "updatedAt", "payload"];

/// One connection.
#[derive(Debug)]
pub(super) struct MinimalClient {
    writer: TcpStream,
    reader: BufReader<TcpStream>,
}

/// Requests for all fields of many rows, ready to be sent.
#[derive(Debug)]
pub(super) struct Requests {
    parts: Vec<(Vec<u8>, usize)>,
}

impl Requests {
    /// For these keys.
    pub(super) fn new(keys: &[String]) -> Self {
        let parts = keys.chunks(PART).map(|keys| {
            let mut text = Vec::new();
            for key in keys {
                encode(&mut text, &[["HMGET", key].as_slice(), &FIELDS].concat());
            }
            (text, keys.len())
        });
        Self { parts: parts.collect() }
    }
}

impl MinimalClient {
    /// Connects.
    pub(super) fn open(address: SocketAddr) -> Result<Self, MeasureError> {
        let open = || {
            let writer = TcpStream::connect(address)?;
            writer.set_nodelay(true)?;
            let reader = BufReader::with_capacity(1 << 20, writer.try_clone()?);
            Ok(Self { writer, reader })
        };
        open().map_err(MeasureError::system("connect to Redis"))
    }

    /// Reads all of it, one part asked for ahead so that the server never waits for us. Answers the bytes of the fields.
    pub(super) fn read(&mut self, requests: &Requests) -> Result<u64, MeasureError> {
        let mut read = || {
            let mut bytes = 0;
            let mut sent = requests.parts.iter();
            if let Some((text, _)) = sent.next() {
                self.writer.write_all(text)?;
            }
            for (_, answers) in &requests.parts {
                if let Some((text, _)) = sent.next() {
                    self.writer.write_all(text)?;
                }
                for _ in 0..*answers {
                    bytes += self.skip_row()?;
                }
            }
            Ok(bytes)
        };
        read().map_err(MeasureError::system("read rows from Redis"))
    }

    /// One round trip.
    pub(super) fn ping(&mut self) -> Result<Duration, MeasureError> {
        let watch = Stopwatch::start();
        let mut exchange = || {
            self.writer.write_all(b"*1\r\n$4\r\nPING\r\n")?;
            self.line()
        };
        let answer = exchange().map_err(MeasureError::system("ping Redis"))?;
        let time = watch.elapsed();
        if answer != b"+PONG" {
            let answer = String::from_utf8_lossy(&answer).into_owned();
            return Err(MeasureError::Unexpected(format!("Redis answered `PING` with {answer}")));
        }
        Ok(time)
    }

    /// Passes over the fields of one row.
    fn skip_row(&mut self) -> io::Result<u64> {
        if self.line()? != format!("*{}", FIELDS.len()).as_bytes() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not an answer to HMGET"));
        }
        let mut bytes = 0;
        for _ in FIELDS {
            let line = self.line()?;
            let length =
                line.strip_prefix(b"$").and_then(|length| std::str::from_utf8(length).ok()?.parse().ok());
            let Some(length) = length else {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a field of a row is missing"));
            };
            self.skip(length)?;
            bytes += length;
        }
        Ok(bytes)
    }

    fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::with_capacity(16);
        self.reader.read_until(b'\n', &mut line)?;
        line.truncate(line.len().saturating_sub(2));
        Ok(line)
    }

    /// Passes over a value and the end of its line.
    fn skip(&mut self, length: u64) -> io::Result<()> {
        let mut rest = usize::try_from(length).map_err(io::Error::other)? + 2;
        while rest > 0 {
            let there = self.reader.fill_buf()?.len().min(rest);
            if there == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.reader.consume(there);
            rest -= there;
        }
        Ok(())
    }
}

fn encode(into: &mut Vec<u8>, words: &[&str]) {
    into.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        into.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
}
