//! Where chunks begin and end in a body with chunked transfer coding (RFC 9112 section 7.1).
//!
//! One scanner serves both sides: upstream bodies are taken apart with it, and request bodies are followed so that
//! the next request's head is found. It is strict: lines end in CRLF, sizes are plain hexadecimal. Input is hostile.

/// Bytes that extensions, and trailers, may have in one body.
const LARGEST_SIDE_LOAD: u32 = 16 * 1024;

/// Follows a chunked body through the pieces in which it arrives.
#[derive(Debug)]
pub(crate) struct ChunkScanner {
    state: State,
    side_load: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size { value: u64, digits: u8 },
    Extension { value: u64 },
    SizeLf { value: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    TrailerStart,
    Trailer,
    TrailerLf,
    EndLf,
    Done,
}

/// What the next bytes of the input are, after [`Scan::skip`] bytes of framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scan {
    /// Bytes of framing, to be dropped first.
    pub(crate) skip: usize,
    /// What follows.
    pub(crate) then: Next,
}

/// What follows the framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// That many bytes of the body; the scanner has counted them already.
    Data(usize),
    /// That many bytes of the trailer section, without its last, empty line.
    Trailer(usize),
    /// More input is needed.
    More,
    /// The body has ended.
    End,
}

/// The framing is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the chunked framing of a body is broken")]
pub(crate) struct BadChunk;

impl ChunkScanner {
    pub(crate) fn new() -> Self {
        Self { state: State::Size { value: 0, digits: 0 }, side_load: 0 }
    }

    /// Looks at the input from where it stopped before.
    pub(crate) fn next(&mut self, input: &[u8]) -> Result<Scan, BadChunk> {
        let mut at = 0;
        loop {
            if let State::Data { left } = self.state {
                let length = usize::try_from(left).unwrap_or(usize::MAX).min(input.len() - at);
                if length == 0 {
                    return Ok(Scan { skip: at, then: Next::More });
                }
                let left = left - length as u64;
                self.state = if left == 0 { State::DataCr } else { State::Data { left } };
                return Ok(Scan { skip: at, then: Next::Data(length) });
            }
            if self.state == State::Done {
                return Ok(Scan { skip: at, then: Next::End });
            }
            if self.state == State::Trailer {
                let rest = &input[at..];
                let length = memchr::memchr(b'\r', rest).map_or(rest.len(), |end| end + 1);
                if length == 0 {
                    return Ok(Scan { skip: at, then: Next::More });
                }
                self.count(length)?;
                if memchr::memchr(b'\n', &rest[..length]).is_some() {
                    return Err(BadChunk);
                }
                if rest[length - 1] == b'\r' {
                    self.state = State::TrailerLf;
                }
                return Ok(Scan { skip: at, then: Next::Trailer(length) });
            }
            let Some(byte) = input.get(at).copied() else {
                return Ok(Scan { skip: at, then: Next::More });
            };
            let next = match (self.state, byte) {
                (State::Size { value, digits }, b'\r') if digits > 0 => State::SizeLf { value },
                (State::Size { value, digits }, b';' | b' ' | b'\t') if digits > 0 => {
                    State::Extension { value }
                }
                (State::Extension { value }, b'\r') => State::SizeLf { value },
                (State::Extension { .. }, b'\n') => return Err(BadChunk),
                (State::Extension { value }, _) => {
                    self.count(1)?;
                    State::Extension { value }
                }
                (State::Size { value, digits }, byte) => {
                    let digit = char::from(byte).to_digit(16).ok_or(BadChunk)?;
                    if digits == 15 {
                        return Err(BadChunk);
                    }
                    State::Size { value: (value << 4) | u64::from(digit), digits: digits + 1 }
                }
                (State::SizeLf { value: 0 }, b'\n') => State::TrailerStart,
                (State::SizeLf { value }, b'\n') => State::Data { left: value },
                (State::DataCr, b'\r') => State::DataLf,
                (State::DataLf, b'\n') => State::Size { value: 0, digits: 0 },
                (State::TrailerStart, b'\r') => State::EndLf,
                (State::TrailerStart, _) => {
                    // Not consumed: it is the first byte of a trailer line.
                    self.state = State::Trailer;
                    continue;
                }
                (State::TrailerLf, b'\n') => {
                    self.state = State::TrailerStart;
                    return Ok(Scan { skip: at, then: Next::Trailer(1) });
                }
                (State::EndLf, b'\n') => State::Done,
                _ => return Err(BadChunk),
            };
            self.state = next;
            at += 1;
        }
    }

    fn count(&mut self, bytes: usize) -> Result<(), BadChunk> {
        self.side_load = self.side_load.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        if self.side_load > LARGEST_SIDE_LOAD { Err(BadChunk) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Body, trailer section, and what follows the body if it ends.
    type Scanned = (Vec<u8>, Vec<u8>, Option<Vec<u8>>);

    /// Scans the whole input in pieces.
    fn scan(input: &[u8], piece: usize) -> Result<Scanned, BadChunk> {
        let (mut scanner, mut body, mut trailer) = (ChunkScanner::new(), Vec::new(), Vec::new());
        let mut at = 0;
        let mut end = 0;
        while end < input.len() {
            end = (end + piece).min(input.len());
            loop {
                let found = scanner.next(&input[at..end])?;
                at += found.skip;
                match found.then {
                    Next::Data(length) => {
                        body.extend_from_slice(&input[at..at + length]);
                        at += length;
                    }
                    Next::Trailer(length) => {
                        trailer.extend_from_slice(&input[at..at + length]);
                        at += length;
                    }
                    Next::More => break,
                    Next::End => return Ok((body, trailer, Some(input[at..].to_vec()))),
                }
            }
        }
        Ok((body, trailer, None))
    }

    #[test]
    fn chunks_extensions_and_trailers_are_told_apart() {
        let input = b"5;a=\"b\"\r\nhello\r\n00A \r\n0123456789\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\nNEXT";
        for piece in 1..input.len() {
            let (body, trailer, rest) = scan(input, piece).expect("well formed");
            assert_eq!(body, b"hello0123456789", "pieces of {piece}");
            assert_eq!(trailer, b"X-Sum: 1\r\nY: 2\r\n");
            assert!(rest.is_some_and(|rest| b"NEXT".starts_with(&rest)));
        }
    }

    #[test]
    fn broken_framing_is_an_error() {
        for input in [
            &b"\r\n"[..],
            b"5\nhello",
            b"5\r\nhelloX",
            b"5\r\nhello\n",
            b"-5\r\n",
            b"+5\r\n",
            b"0x5\r\n",
            b"g\r\n",
            b";a\r\n",
            b"1000000000000000\r\n",
            b"0\r\nA: b\nC: d\r\n\r\n",
            b"0;a\n\r\n",
            b"0\r\n\rX",
        ] {
            assert_eq!(scan(input, input.len()), Err(BadChunk), "{input:?}");
        }
    }

    #[test]
    fn l2_extensions_and_trailers_are_bounded() {
        let mut input = b"0\r\n".to_vec();
        for _ in 0..2000 {
            input.extend_from_slice(b"X-Trailer: 1\r\n");
        }
        assert_eq!(scan(&input, 100), Err(BadChunk));
        let mut input = b"1;".to_vec();
        input.resize(20_000, b'a');
        assert_eq!(scan(&input, 100), Err(BadChunk));
    }

    proptest! {
        #[test]
        fn a_body_comes_out_as_it_was_chunked(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8), piece in 1_usize..50,
        ) {
            let mut input = Vec::new();
            for chunk in &chunks {
                input.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                input.extend_from_slice(chunk);
                input.extend_from_slice(b"\r\n");
            }
            input.extend_from_slice(b"0\r\n\r\n");
            let (body, trailer, rest) = scan(&input, piece).expect("well formed");
            prop_assert_eq!(body, chunks.concat());
            prop_assert!(trailer.is_empty());
            prop_assert_eq!(rest, Some(Vec::new()));
        }

        #[test]
        fn any_input_ends(input in prop::collection::vec(any::<u8>(), 0..200), piece in 1_usize..50) {
            let _ = scan(&input, piece);
        }
    }
}
