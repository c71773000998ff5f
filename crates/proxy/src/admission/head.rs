//! One request head: where it ends, how its body is framed, and whether it may be admitted.

use http::StatusCode;

/// Limits of a head, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadLimits {
    /// Request line, without its line end. Beyond: 414.
    pub(crate) request_line: usize,
    /// All header lines together, with their line ends. Beyond: 431.
    pub(crate) headers: usize,
}

/// How a request's body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    None,
    Sized(u64),
    Chunked,
}

/// What is known of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadStatus {
    Incomplete,
    Complete { length: usize, framing: Framing },
    Refused(StatusCode),
}

/// Looks at a head line by line, and goes on where it stopped when more of it has come.
#[derive(Debug, Default)]
pub(crate) struct HeadScanner {
    /// Where the next line starts.
    line: usize,
    /// Where the header lines start; 0 before the request line has been seen.
    headers: usize,
    http_10: bool,
    length: Option<u64>,
    chunked: bool,
}

impl HeadScanner {
    /// Looks at the head from its first byte on; each time the slice starts at the same byte.
    pub(crate) fn advance(&mut self, head: &[u8], limits: &HeadLimits) -> HeadStatus {
        loop {
            let rest = head.get(self.line..).unwrap_or_default();
            let Some(end) = memchr::memchr(b'\n', rest) else {
                // The line end itself does not count, also when only half of it is there.
                let seen = head.len() - usize::from(head.last() == Some(&b'\r'));
                return match self.check_size(seen, limits) {
                    Ok(()) => HeadStatus::Incomplete,
                    Err(status) => HeadStatus::Refused(status),
                };
            };
            let next = self.line + end + 1;
            let Some(line) = rest[..end].strip_suffix(b"\r") else {
                return HeadStatus::Refused(StatusCode::BAD_REQUEST);
            };
            if let Err(status) = self.check_size(next - 2, limits) {
                return HeadStatus::Refused(status);
            }
            let seen = if self.headers == 0 { self.request_line(line, next) } else { self.header_line(line) };
            self.line = next;
            match seen {
                Ok(false) => {}
                Ok(true) => return HeadStatus::Complete { length: next, framing: self.framing() },
                Err(status) => return HeadStatus::Refused(status),
            }
        }
    }

    fn check_size(&self, seen: usize, limits: &HeadLimits) -> Result<(), StatusCode> {
        if self.headers == 0 {
            // Empty lines before the request line count, too: there is no reason to send many.
            if seen > limits.request_line { Err(StatusCode::URI_TOO_LONG) } else { Ok(()) }
        } else if seen - self.headers.min(seen) > limits.headers {
            Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
        } else {
            Ok(())
        }
    }

    fn request_line(&mut self, line: &[u8], next: usize) -> Result<bool, StatusCode> {
        // RFC 9112 section 2.2: empty lines before a request line are ignored.
        if line.is_empty() {
            return Ok(false);
        }
        match line {
            [.., b' ', b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1'] => {}
            [.., b' ', b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'] => self.http_10 = true,
            [.., b' ', b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
                if major.is_ascii_digit() && minor.is_ascii_digit() =>
            {
                return Err(StatusCode::HTTP_VERSION_NOT_SUPPORTED);
            }
            _ => return Err(StatusCode::BAD_REQUEST),
        }
        self.headers = next;
        Ok(false)
    }

    /// Whether the head ends with this line.
    fn header_line(&mut self, line: &[u8]) -> Result<bool, StatusCode> {
        let Some(first) = line.first() else { return Ok(true) };
        match first {
            // RFC 9112 section 5.2: a folded header is refused.
            b' ' | b'\t' => Err(StatusCode::BAD_REQUEST),
            b'c' | b'C' => match after_name(line, b"content-length") {
                Some(value) => self.content_length(value),
                None => Ok(false),
            },
            b't' | b'T' => match after_name(line, b"transfer-encoding") {
                Some(value) => self.transfer_encoding(value),
                None => Ok(false),
            },
            _ => Ok(false),
        }
    }

    /// Two of them are refused even when they are equal, as the original does.
    fn content_length(&mut self, value: &[u8]) -> Result<bool, StatusCode> {
        let length = parse_length(value).ok_or(StatusCode::BAD_REQUEST)?;
        if self.chunked || self.length.replace(length).is_some() {
            Err(StatusCode::BAD_REQUEST)
        } else {
            Ok(false)
        }
    }

    /// Only `chunked`, or a list that ends with it.
    fn transfer_encoding(&mut self, value: &[u8]) -> Result<bool, StatusCode> {
        let mut codings = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).rev();
        let last = codings.next().is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked"));
        let before = codings.any(|coding| coding.is_empty() || coding.eq_ignore_ascii_case(b"chunked"));
        if !last || before || self.chunked || self.http_10 || self.length.is_some() {
            return Err(StatusCode::BAD_REQUEST);
        }
        self.chunked = true;
        Ok(false)
    }

    fn framing(&self) -> Framing {
        match self.length {
            _ if self.chunked => Framing::Chunked,
            Some(length) if length > 0 => Framing::Sized(length),
            _ => Framing::None,
        }
    }
}

/// A length as its header says: digits only, up to 2^63.
pub(crate) fn parse_length(value: &[u8]) -> Option<u64> {
    let digits = value.trim_ascii();
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    digits.iter().try_fold(0_u64, |length, byte| {
        byte.is_ascii_digit()
            .then(|| length * 10 + u64::from(byte - b'0'))
            .filter(|length| i64::try_from(*length).is_ok())
    })
}

/// What follows the colon, if the line is the header of this name, given in lower case.
fn after_name<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = line.split_at_checked(name.len())?;
    match rest {
        [b':', value @ ..] if start.eq_ignore_ascii_case(name) => Some(value),
        _ => None,
    }
}
