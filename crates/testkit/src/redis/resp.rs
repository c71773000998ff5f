//! A Redis client of a hundred lines: what tests look at the server with, so that they do not see it through the adapter
//! that they test. Blocking, protocol version 2.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The longest that a command may take.
const TIME_OUT: Duration = Duration::from_secs(10);

/// Why a command gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The connection failed.
    #[error("Redis at {address}: {source}")]
    Connection {
        /// Where the server should be.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The server refused the command.
    #[error("Redis answered `{command}` with: {message}")]
    Refused {
        /// The command's name.
        command: String,
        /// The server's words.
        message: String,
    },
}

/// An answer of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing there.
    Nil,
    /// A number.
    Integer(i64),
    /// Text or bytes.
    Bytes(Vec<u8>),
    /// Several answers. A refusal within one (of a transaction) is its text.
    Array(Vec<Value>),
}

impl Value {
    /// The answer as text; `None` for nothing and for several. Bytes that are no UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        match self {
            Value::Nil | Value::Array(_) => None,
            Value::Integer(number) => Some(number.to_string()),
            Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        }
    }

    /// The answer as a number, also from text.
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        self.text()?.parse().ok()
    }

    /// The parts of the answer; empty if it has none.
    #[must_use]
    pub fn items(&self) -> &[Value] {
        match self {
            Value::Array(items) => items,
            _ => &[],
        }
    }

    /// The parts of the answer as texts.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        self.items().iter().filter_map(Value::text).collect()
    }
}

/// One connection to a server.
#[derive(Debug)]
pub struct Connection {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr) -> Result<Self, CommandError> {
        let connect = || {
            let stream = TcpStream::connect_timeout(&address, TIME_OUT)?;
            stream.set_read_timeout(Some(TIME_OUT))?;
            stream.set_write_timeout(Some(TIME_OUT))?;
            stream.set_nodelay(true)?;
            Ok(BufReader::new(stream))
        };
        let stream = connect().map_err(|source| CommandError::Connection { address, source })?;
        Ok(Self { address, stream })
    }

    /// Sends one command and waits for its answer.
    pub fn command<Word: AsRef<[u8]>>(&mut self, words: &[Word]) -> Result<Value, CommandError> {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            let word = word.as_ref();
            request.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            request.extend_from_slice(word);
            request.extend_from_slice(b"\r\n");
        }
        let address = self.address;
        let exchange = self.stream.get_mut().write_all(&request).and_then(|()| read(&mut self.stream));
        let answer = exchange.map_err(|source| CommandError::Connection { address, source })?;
        answer.map_err(|message| CommandError::Refused {
            command: words
                .first()
                .map(|word| String::from_utf8_lossy(word.as_ref()).into_owned())
                .unwrap_or_default(),
            message,
        })
    }
}

/// Reads one answer: what it says, or the words of a refusal.
fn read(from: &mut impl BufRead) -> io::Result<Result<Value, String>> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let line = line.trim_end();
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, format!("not an answer of Redis: {line}"));
    let (kind, rest) = line.split_at_checked(1).ok_or_else(invalid)?;
    let number = || rest.parse::<i64>().map_err(|_| invalid());
    Ok(match kind {
        "+" => Ok(Value::Bytes(rest.as_bytes().to_vec())),
        "-" => Err(rest.to_owned()),
        ":" => Ok(Value::Integer(number()?)),
        "$" => match u64::try_from(number()?) {
            Err(_) => Ok(Value::Nil),
            Ok(length) => {
                let mut bytes = Vec::new();
                from.take(length + 2).read_to_end(&mut bytes)?;
                bytes.truncate(usize::try_from(length).map_err(|_| invalid())?);
                Ok(Value::Bytes(bytes))
            }
        },
        "*" => match number()? {
            ..0 => Ok(Value::Nil),
            count => {
                let items = (0..count)
                    .map(|_| Ok(read(from)?.unwrap_or_else(|refusal| Value::Bytes(refusal.into_bytes()))));
                Ok(Value::Array(items.collect::<io::Result<_>>()?))
            }
        },
        _ => return Err(invalid()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_answer_is_read() {
        let mut bytes = b"*5\r\n:12\r\n$3\r\na\r\n\r\n+OK\r\n$-1\r\n*1\r\n-ERR no\r\n".as_slice();
        let value = read(&mut bytes).unwrap().unwrap();
        let text = |text: &str| Value::Bytes(text.as_bytes().to_vec());
        assert_eq!(
            value,
            Value::Array(vec![
                Value::Integer(12),
                text("a\r\n"),
                text("OK"),
                Value::Nil,
                Value::Array(vec![text("ERR no")])
            ])
        );
        assert!(read(&mut b"-ERR wrong\r\n".as_slice()).unwrap().is_err());
        assert!(read(&mut b"".as_slice()).is_err());
    }
}
