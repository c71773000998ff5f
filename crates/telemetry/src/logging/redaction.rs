//! The last line of defence of L3: secrets that the process knows are masked in every log line, whoever wrote it.
//!
//! Types keep secrets out of logs in the first place (`SecretString`, `Payload`). This catches what types cannot see:
//! a driver that quotes its URL, a server's error that repeats a password. A line is one event: control
//! characters that would start another line or steer a terminal are escaped, since ids and messages are foreign.

use std::io::{self, Write};
use std::sync::{Arc, PoisonError, RwLock};

use secrecy::{ExposeSecret, SecretString};
use tracing_subscriber::fmt::MakeWriter;

use crate::secret_text::{MASK, mask_in_urls};

/// Shorter texts are not masked: they occur in any line by chance, and the mask would tell where.
const SHORTEST: usize = 4;

/// The secrets that may not be written. Clones share them.
#[derive(Clone, Default)]
pub struct Redaction {
    /// Longest first, so that a secret that contains another is masked whole.
    needles: Arc<RwLock<Vec<SecretString>>>,
}

impl std::fmt::Debug for Redaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redaction")
    }
}

impl Redaction {
    /// Nothing to mask yet, except passwords in URLs, which are always masked.
    pub fn new() -> Self {
        Self::default()
    }

    /// Masks this text from now on, also where it is written as part of JSON or of a URL. Texts shorter than four
    /// bytes are ignored.
    pub fn learn(&self, secret: &SecretString) {
        let raw = secret.expose_secret();
        if raw.len() < SHORTEST {
            return;
        }
        let mut needles = self.needles.write().unwrap_or_else(PoisonError::into_inner);
        // The second spelling is for JSON and `Debug`, the third for those two in one.
        let quoted = in_quotes(raw);
        for spelling in [raw.to_owned(), in_quotes(&quoted), quoted, in_url(raw)] {
            if !needles.iter().any(|known| known.expose_secret() == spelling) {
                needles.push(SecretString::from(spelling));
            }
        }
        needles.sort_by_key(|needle| std::cmp::Reverse(needle.expose_secret().len()));
    }

    /// A writer that masks before it hands on.
    pub(super) fn before<W>(self, inner: W) -> RedactingWriter<W> {
        RedactingWriter { redaction: self, inner }
    }

    /// The line without secrets and on one line.
    fn apply(&self, line: &str) -> String {
        let mut text = line.to_owned();
        for needle in self.needles.read().unwrap_or_else(PoisonError::into_inner).iter() {
            if text.contains(needle.expose_secret()) {
                text = text.replace(needle.expose_secret(), MASK);
            }
        }
        on_one_line(&mask_in_urls(&text))
    }
}

fn in_quotes(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn in_url(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Escapes control characters except a line feed at the very end. The escape character is left alone: it comes
/// from the formatter's colours, which escapes it in fields.
fn on_one_line(text: &str) -> String {
    let (body, end) = text.strip_suffix('\n').map_or((text, ""), |body| (body, "\n"));
    if !body.chars().any(|c| c.is_control() && c != '\u{1b}') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in body.chars() {
        if c.is_control() && c != '\u{1b}' {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out.push_str(end);
    out
}

/// Makes a masking writer for each event.
pub(super) struct RedactingWriter<W> {
    redaction: Redaction,
    inner: W,
}

impl<'w, W: MakeWriter<'w>> MakeWriter<'w> for RedactingWriter<W> {
    type Writer = Line<'w, W::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        Line { redaction: &self.redaction, inner: self.inner.make_writer() }
    }
}

/// Writes one event. `tracing-subscriber` formats an event into a buffer and writes it in one call, so that a secret
/// is never split over two.
pub(super) struct Line<'w, W> {
    redaction: &'w Redaction,
    inner: W,
}

impl<W: Write> Write for Line<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write_all(self.redaction.apply(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn l3_a_password_in_a_url_is_masked_although_nobody_registered_it() {
        let redaction = Redaction::new();
        assert_eq!(
            redaction.apply("cannot reach redis://app:p:4@ss@cache:6379/0 or http://plain/x@y\n"),
            "cannot reach redis://app:********@cache:6379/0 or http://plain/x@y\n"
        );
    }

    #[test]
    fn l3_a_secret_that_contains_another_is_masked_whole() {
        let redaction = Redaction::new();
        redaction.learn(&SecretString::from("hunter22"));
        redaction.learn(&SecretString::from("hunter22-and-more"));
        assert_eq!(redaction.apply("hunter22-and-more hunter22"), "******** ********");
    }

    #[test]
    fn an_id_with_a_line_feed_cannot_forge_a_log_line() {
        let line = Redaction::new().apply("refused api-1\nINFO all is well\n");
        assert_eq!(line, "refused api-1\\nINFO all is well\n");
    }

    proptest! {
        #[test]
        fn l3_a_registered_secret_is_in_no_line_whatever_surrounds_it(
            secret in "[ -~äß\"\\\\%@]{4,20}", before in ".{0,30}", after in ".{0,30}",
        ) {
            prop_assume!(!MASK.contains(&secret));
            let redaction = Redaction::new();
            redaction.learn(&SecretString::from(secret.clone()));
            for text in [secret.clone(), serde_json::Value::from(secret.as_str()).to_string(), in_url(&secret)] {
                let line = redaction.apply(&format!("{before}|{text}|{after}"));
                let middle = format!("|{text}|");
                prop_assert!(!line.contains(&middle), "{line}");
            }
        }

        #[test]
        fn any_text_becomes_one_line(text in "\\PC{0,40}[\r\n\t]{0,3}.{0,40}\n") {
            let line = Redaction::new().apply(&text);
            prop_assert_eq!(line.matches('\n').count(), 1);
            prop_assert!(line.ends_with('\n'));
        }
    }
}
