//! The protocol of Redis in its second version (RESP2), as far as bulk reads need it: commands out, and replies in, taken
//! apart where they lie. One bulk read is millions of rows, and the driver's decoder cost more than the server's work.
//!
//! Pure: bytes in, items out. Whatever the bytes are, the answer is an item, "not all there yet", or [`Malformed`]; no
//! length in them makes anything be allocated (L1, L2).

use std::fmt;

/// The longest value that is taken in, in bytes: above everything that a primary writes. A longer one is passed over.
pub(crate) const LONGEST_VALUE: usize = 64 * 1024 * 1024;
/// The longest line that begins an item: a length, a number, or a refusal.
const LONGEST_LINE: usize = 64 * 1024;
/// Most values of one row: twelve names and values are asked for at most.
pub(crate) const MOST_VALUES: usize = 16;

/// A part of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item<'a> {
    /// A short text, such as `OK`.
    Text(&'a [u8]),
    /// The server refused; its words.
    Refusal(&'a [u8]),
    /// A whole number.
    Integer(i64),
    /// A value.
    Value(&'a [u8]),
    /// A value above [`LONGEST_VALUE`]: its length. It follows, with its line end, and is not taken apart.
    Oversized(usize),
    /// Nothing there.
    Nil,
    /// So many items follow.
    List(usize),
}

/// The bytes are not RESP2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Takes items off the beginning of some bytes.
#[derive(Clone, Debug)]
pub(crate) struct Items<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Items<'a> {
    /// Over these bytes.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes the items took so far.
    pub(crate) fn taken(&self) -> usize {
        self.at
    }

    /// The next item; `None` if the bytes break off in it. A list is its length only, and its items follow.
    pub(crate) fn take(&mut self) -> Result<Option<Item<'a>>, Malformed> {
        let rest = &self.bytes[self.at..];
        let Some((&mark, rest)) = rest.split_first() else { return Ok(None) };
        let Some(end) = rest.iter().take(LONGEST_LINE).position(|byte| *byte == b'\r') else {
            return if rest.len() < LONGEST_LINE {
                Ok(None)
            } else {
                Err(Malformed("a line without an end"))
            };
        };
        let (line, after) = (&rest[..end], self.at + 1 + end + 2);
        match rest.get(end + 1) {
            Some(b'\n') => {}
            Some(_) => return Err(Malformed("a line that ends halfway")),
            None => return Ok(None),
        }
        let item = match mark {
            b'+' => Item::Text(line),
            b'-' => Item::Refusal(line),
            b':' => Item::Integer(number(line)?),
            b'$' => match length(line)? {
                None => Item::Nil,
                Some(length) if length > LONGEST_VALUE => Item::Oversized(length),
                Some(length) => {
                    let Some(value) = self.bytes.get(after..after + length + 2) else { return Ok(None) };
                    let Some(value) = value.strip_suffix(b"\r\n") else {
                        return Err(Malformed("a value of another length than was said"));
                    };
                    self.at = after + length + 2;
                    return Ok(Some(Item::Value(value)));
                }
            },
            b'*' => length(line)?.map_or(Item::Nil, Item::List),
            _ => return Err(Malformed("an item of an unknown sort")),
        };
        self.at = after;
        Ok(Some(item))
    }
}

/// A number of at most 18 digits, which no length or count of ours exceeds.
fn number(line: &[u8]) -> Result<i64, Malformed> {
    let (negative, digits) = match line.split_first() {
        Some((b'-', digits)) => (true, digits),
        _ => (false, line),
    };
    if digits.is_empty() || digits.len() > 18 {
        // The id of a cursor may be any 64-bit number.
        let text = std::str::from_utf8(line).ok().and_then(|text| text.parse().ok());
        return text.ok_or(Malformed("a number is expected"));
    }
    let mut value = 0_i64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return Err(Malformed("a number is expected"));
        }
        value = value * 10 + i64::from(digit - b'0');
    }
    Ok(if negative { -value } else { value })
}

/// A length; `None` for -1, which stands for nothing.
fn length(line: &[u8]) -> Result<Option<usize>, Malformed> {
    match number(line)? {
        -1 => Ok(None),
        length => usize::try_from(length).map(Some).map_err(|_| Malformed("a length below zero")),
    }
}

/// One value of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// Nothing there.
    #[default]
    Nil,
    /// Bytes.
    Bytes(&'a [u8]),
    /// More than is taken in.
    Oversized,
}

/// The values of a row; nil after the last one.
pub(crate) type RowValues<'a> = [Value<'a>; MOST_VALUES];

/// The values of a row, or what the server said instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Values<'a> {
    /// The values.
    Row(RowValues<'a>),
    /// The server's refusal.
    Refused(&'a [u8]),
}

/// What became of an attempt to read [`Values`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken<'a> {
    /// The values, and how many bytes they took.
    All(Values<'a>, usize),
    /// Not all there yet.
    More,
    /// It contains a value that is passed over, so it has to be read value by value.
    HasOversized,
}

/// Reads the values of one row: a list of values, or a refusal.
pub(crate) fn values(bytes: &[u8]) -> Result<Taken<'_>, Malformed> {
    let mut items = Items::new(bytes);
    let count = match items.take()? {
        Some(Item::List(count)) if count <= MOST_VALUES => count,
        Some(Item::Refusal(words)) => return Ok(Taken::All(Values::Refused(words), items.taken())),
        Some(_) => return Err(Malformed("a row is expected")),
        None => return Ok(Taken::More),
    };
    let mut row = [Value::Nil; MOST_VALUES];
    for value in &mut row[..count] {
        *value = match items.take()? {
            Some(Item::Value(bytes) | Item::Text(bytes)) => Value::Bytes(bytes),
            // A field that is no text.
            Some(Item::Nil | Item::Integer(_)) => Value::Nil,
            Some(Item::Oversized(_)) => return Ok(Taken::HasOversized),
            Some(Item::Refusal(_) | Item::List(_)) => return Err(Malformed("a row holds more than values")),
            None => return Ok(Taken::More),
        };
    }
    Ok(Taken::All(Values::Row(row), items.taken()))
}

/// Appends a command.
pub(crate) fn command(out: &mut Vec<u8>, words: &[&[u8]]) {
    heading(out, b'*', words.len());
    for part in words {
        word(out, part);
    }
}

/// Appends the beginning of a command of so many words; [`word`] appends them.
pub(crate) fn begin(out: &mut Vec<u8>, words: usize) {
    heading(out, b'*', words);
}

/// Appends one word of a command.
pub(crate) fn word(out: &mut Vec<u8>, word: &[u8]) {
    heading(out, b'$', word.len());
    out.extend_from_slice(word);
    out.extend_from_slice(b"\r\n");
}

fn heading(out: &mut Vec<u8>, mark: u8, mut number: usize) {
    let mut digits = [0_u8; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.push(mark);
    out.extend_from_slice(&digits[first..]);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests;
