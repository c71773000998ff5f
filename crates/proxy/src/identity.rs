//! Ids that the gateway gives: request ids, and the identifier of a client (`data-plane.md` sections 2.5, 3.9).

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// Makes ids and random choices for one worker. Ids are unique, not secret.
#[derive(Debug)]
pub(crate) struct IdSource(SmallRng);

impl IdSource {
    pub(crate) fn new() -> Self {
        Self(SmallRng::from_os_rng())
    }

    /// A fresh random UUID as text.
    pub(crate) fn next(&mut self) -> HeaderValue {
        let uuid = uuid::Builder::from_random_bytes(self.0.random()).into_uuid();
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        uuid.hyphenated().encode_lower(&mut text);
        header_value(Bytes::copy_from_slice(&text))
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0.random_range(0..bound.max(1))
    }
}

/// A value from bytes that are visible ASCII.
fn header_value(bytes: Bytes) -> HeaderValue {
    HeaderValue::from_maybe_shared(bytes).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// SHA-256 of a client's address in lower-case hexadecimal: the identifier of a client without subscription.
pub(crate) fn hashed(address: &[u8]) -> HeaderValue {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(address) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    header_value(text.into())
}

/// The first address in `X-Forwarded-For`, without the port of an IPv4 address; `None` where there is none.
pub(crate) fn forwarded_for(headers: &HeaderMap) -> Option<&[u8]> {
    const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
    let value = headers.get(X_FORWARDED_FOR)?.as_bytes();
    let first = value.split(|byte| *byte == b',').next().unwrap_or_default().trim_ascii();
    if first.is_empty() {
        return None;
    }
    let without_port =
        first.iter().rposition(|byte| *byte == b':').map(|colon| &first[..colon]).filter(|address| {
            std::str::from_utf8(address).is_ok_and(|text| text.parse::<Ipv4Addr>().is_ok())
        });
    Some(without_port.unwrap_or(first))
}

/// An address as the original writes it.
pub(crate) fn address_text(address: IpAddr) -> String {
    address.to_canonical().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids_of_version_4_and_differ() {
        let mut source = IdSource::new();
        let (one, other) = (source.next(), source.next());
        assert_ne!(one, other);
        let uuid = uuid::Uuid::parse_str(one.to_str().expect("text")).expect("a UUID");
        assert_eq!(uuid.get_version_num(), 4);
        assert_eq!(one.len(), 36);
    }

    #[test]
    fn a_client_without_subscription_is_known_by_the_hash_of_its_address() {
        // Recorded from the original for a client on 127.0.0.1, and one with `X-Forwarded-For: 10.0.0.1`.
        assert_eq!(hashed(b"127.0.0.1"), "12ca17b49af2289436f303e0166030a21e525d266e209267433801a8fd4071a0");
        assert_eq!(hashed(b"10.0.0.1"), "f5047344122f0dee9974ba6761e61c6b8649e1f3968d13a635ebbf7be53a3a0d");
    }

    #[test]
    fn the_first_forwarded_address_counts_without_its_port() {
        for (value, expected) in [
            ("10.0.0.1", Some("10.0.0.1")),
            ("10.0.0.1:80, 10.0.0.2", Some("10.0.0.1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("unknown:1", Some("unknown:1")),
            (" , 10.0.0.2", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", HeaderValue::from_static(value));
            assert_eq!(forwarded_for(&headers), expected.map(str::as_bytes), "{value}");
        }
        assert_eq!(forwarded_for(&HeaderMap::new()), None);
    }
}
