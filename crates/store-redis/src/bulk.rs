//! A connection for one read of many rows: opened for it, closed after it. It speaks RESP2 by itself, because a driver's
//! way of taking replies apart costs more per row than the server's whole work for it.
//!
//! Bounded (L2): one read buffer, which grows to the largest row ([`resp::LONGEST_VALUE`] and a little) and shrinks again;
//! values above that are passed over. Dropping the connection ends whatever was under way.

use std::sync::Arc;

use secrecy::ExposeSecret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use zonegate_sync::port::StoreError;

use crate::failure::{self, CallError};
use crate::resp::{
    self, Item, Items, LONGEST_VALUE, MOST_VALUES, Malformed, RowValues, Taken, Value, Values,
};
use crate::settings::RedisSettings;

/// Bytes asked for at a time.
const PART: usize = 256 * 1024;

/// A reply, or the beginning of one, that is no row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// A number.
    Integer(i64),
    /// A text or value.
    Text(Vec<u8>),
    /// Nothing, or more than is taken in.
    Nil,
    /// So many items follow.
    List(usize),
}

/// See the module.
pub(crate) struct Bulk {
    settings: Arc<RedisSettings>,
    stream: TcpStream,
    /// Received and not taken yet: from `start` on.
    buffer: Vec<u8>,
    start: usize,
    /// Commands that are not sent yet.
    out: Vec<u8>,
}

impl Bulk {
    /// Connects and says who we are.
    pub(crate) async fn open(settings: &Arc<RedisSettings>) -> Result<Self, StoreError> {
        let limit = settings.connect_timeout;
        let connecting = TcpStream::connect((settings.host.as_str(), settings.port));
        let stream = match timeout(limit, connecting).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(failure::unreachable(settings, &error.to_string())),
            Err(_) => {
                let reason = format!("no connection within {} ms", limit.as_millis());
                return Err(failure::unreachable(settings, &reason));
            }
        };
        // Without it the last command of a part waits; nothing else is wrong then.
        let _ = stream.set_nodelay(true);
        let mut bulk = Self {
            settings: Arc::clone(settings),
            stream,
            buffer: Vec::with_capacity(PART),
            start: 0,
            out: Vec::new(),
        };
        let mut words: Vec<&[u8]> = vec![b"HELLO", b"2"];
        if let Some(password) = &settings.password {
            let user = settings.username.as_deref().unwrap_or("default");
            words.extend([b"AUTH", user.as_bytes(), password.expose_secret().as_bytes()]);
        }
        words.extend([b"SETNAME".as_slice(), b"zonegate-bulk"]);
        resp::command(&mut bulk.out, &words);
        bulk.send().await?;
        let mut left = 1;
        while left > 0 {
            left -= 1;
            if let Head::List(items) = bulk.head("HELLO").await? {
                left += items;
            }
        }
        Ok(bulk)
    }

    /// Where commands are put until [`Self::send`].
    pub(crate) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Sends what was put there.
    pub(crate) async fn send(&mut self) -> Result<(), StoreError> {
        if self.out.is_empty() {
            return Ok(());
        }
        let limit = self.settings.call_timeout;
        match timeout(limit, self.stream.write_all(&self.out)).await {
            Ok(Ok(())) => {
                self.out.clear();
                Ok(())
            }
            Ok(Err(error)) => Err(failure::broken(&self.settings, "a read", &error.to_string())),
            Err(_) => Err(failure::timed_out(&self.settings, "a read", limit)),
        }
    }

    /// The next item that is no row.
    pub(crate) async fn head(&mut self, command: &'static str) -> Result<Head, CallError> {
        loop {
            let mut items = Items::new(&self.buffer[self.start..]);
            let item = items.take().map_err(|error| self.malformed(command, error))?;
            let taken = items.taken();
            let head = match item {
                Some(Item::Integer(number)) => Head::Integer(number),
                Some(Item::Text(text) | Item::Value(text)) => Head::Text(text.to_vec()),
                Some(Item::Nil) => Head::Nil,
                Some(Item::List(items)) => Head::List(items),
                Some(Item::Refusal(words)) => {
                    let refused = failure::refused(&self.settings, command, words);
                    self.take(taken);
                    return Err(refused);
                }
                Some(Item::Oversized(length)) => {
                    self.take(taken);
                    self.pass_over(length + 2).await?;
                    return Ok(Head::Nil);
                }
                None => {
                    self.receive().await?;
                    continue;
                }
            };
            self.take(taken);
            return Ok(head);
        }
    }

    /// The next row, as `decode` makes it of its values. A refusal that is the row's own fault is among the values; any
    /// other ends the read.
    pub(crate) async fn row<T>(
        &mut self,
        command: &'static str,
        decode: impl FnOnce(Option<RowValues<'_>>) -> T,
    ) -> Result<T, CallError> {
        loop {
            let taken = resp::values(&self.buffer[self.start..]);
            match taken.map_err(|error| self.malformed(command, error))? {
                Taken::All(Values::Row(row), taken) => {
                    let decoded = decode(Some(row));
                    self.take(taken);
                    return Ok(decoded);
                }
                Taken::All(Values::Refused(words), taken) => {
                    // Something else lies under the key of a row.
                    if !words.starts_with(b"WRONGTYPE") {
                        return Err(failure::refused(&self.settings, command, words));
                    }
                    self.take(taken);
                    return Ok(decode(None));
                }
                Taken::HasOversized => return self.row_by_value(command, decode).await,
                Taken::More => self.receive().await?,
            }
        }
    }

    /// A row with values that are passed over.
    async fn row_by_value<T>(
        &mut self,
        command: &'static str,
        decode: impl FnOnce(Option<RowValues<'_>>) -> T,
    ) -> Result<T, CallError> {
        enum Owned {
            Nil,
            Bytes(Vec<u8>),
            Oversized,
        }
        let Head::List(count) = self.head(command).await? else {
            return Err(self.malformed(command, Malformed("a row is expected")).into());
        };
        let mut owned = Vec::with_capacity(count.min(MOST_VALUES));
        while owned.len() < count.min(MOST_VALUES) {
            let mut items = Items::new(&self.buffer[self.start..]);
            let item = items.take().map_err(|error| self.malformed(command, error))?;
            let taken = items.taken();
            let mut beyond = 0;
            owned.push(match item {
                Some(Item::Value(bytes)) => Owned::Bytes(bytes.to_vec()),
                Some(Item::Oversized(length)) => {
                    beyond = length + 2;
                    Owned::Oversized
                }
                Some(_) => Owned::Nil,
                None => {
                    self.receive().await?;
                    continue;
                }
            });
            self.take(taken);
            self.pass_over(beyond).await?;
        }
        let mut row = [Value::Nil; MOST_VALUES];
        for (value, owned) in row.iter_mut().zip(&owned) {
            *value = match owned {
                Owned::Nil => Value::Nil,
                Owned::Bytes(bytes) => Value::Bytes(bytes),
                Owned::Oversized => Value::Oversized,
            };
        }
        Ok(decode(Some(row)))
    }

    fn take(&mut self, bytes: usize) {
        self.start += bytes;
        if self.start == self.buffer.len() {
            self.start = 0;
            self.buffer.clear();
            if self.buffer.capacity() > 4 * PART {
                self.buffer = Vec::with_capacity(PART);
            }
        }
    }

    /// Passes over bytes, most of which are not there yet.
    async fn pass_over(&mut self, mut bytes: usize) -> Result<(), StoreError> {
        loop {
            let there = bytes.min(self.buffer.len() - self.start);
            self.take(there);
            bytes -= there;
            if bytes == 0 {
                return Ok(());
            }
            self.receive().await?;
        }
    }

    /// Waits for more bytes.
    async fn receive(&mut self) -> Result<(), StoreError> {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        if self.buffer.len() > MOST_VALUES * (LONGEST_VALUE + PART) {
            return Err(self.malformed("a read", Malformed("a reply without an end")));
        }
        self.buffer.reserve(PART);
        let limit = self.settings.call_timeout;
        match timeout(limit, self.stream.read_buf(&mut self.buffer)).await {
            Ok(Ok(0)) => Err(failure::broken(&self.settings, "a read", "the server closed it")),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(failure::broken(&self.settings, "a read", &error.to_string())),
            Err(_) => Err(failure::timed_out(&self.settings, "a read", limit)),
        }
    }

    fn malformed(&self, command: &str, error: Malformed) -> StoreError {
        failure::malformed(&self.settings, &format!("the answer to {command}"), error.0)
    }

    /// The settings.
    pub(crate) fn settings(&self) -> &RedisSettings {
        &self.settings
    }

    /// The settings, to be kept.
    pub(crate) fn shared_settings(&self) -> &Arc<RedisSettings> {
        &self.settings
    }
}
