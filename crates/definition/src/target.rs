//! The address of an upstream, taken apart without changing its path (`data-plane.md` sections 2.3, 8 and R11).
//!
//! The `url` crate normalises paths, which the original does not; only its host parser is used, to refuse hosts that
//! are none.

use std::fmt;

/// An absolute upstream URL. User information and fragment are dropped. The query may hold a key, so neither `Debug`
/// nor `Display` shows it (L3).
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// Protocol.
    pub scheme: Scheme,
    /// Host name or address in lower case; an IPv6 address has its brackets.
    pub host: String,
    /// Port, the scheme's own where the URL has none.
    pub port: u16,
    /// Whether the URL names a port, which the `Host` header then does too.
    pub explicit_port: bool,
    /// Path as it is written; may be empty, and then the path-info stands alone.
    pub path: String,
    /// Query as it is written, without `?`.
    pub query: Option<String>,
}

/// Protocol of an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Clear HTTP.
    Http,
    /// HTTP in TLS.
    Https,
    /// Clear WebSocket.
    Ws,
    /// WebSocket in TLS.
    Wss,
    /// Clear gRPC.
    Grpc,
    /// gRPC in TLS.
    Grpcs,
}

impl Scheme {
    const ALL: [Self; 6] = [Self::Http, Self::Https, Self::Ws, Self::Wss, Self::Grpc, Self::Grpcs];

    /// As it is written in a URL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Ws => "ws",
            Self::Wss => "wss",
            Self::Grpc => "grpc",
            Self::Grpcs => "grpcs",
        }
    }

    /// Whether it runs in TLS.
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::Wss | Self::Grpcs)
    }

    const fn default_port(self) -> u16 {
        if self.is_tls() { 443 } else { 80 }
    }
}

/// A target that is no URL of a known scheme. The text is not repeated, since it can hold credentials (L3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the target is not a URL: {0}")]
pub struct NotAUrl(&'static str);

impl Target {
    /// Takes a URL apart.
    pub fn parse(text: &str) -> Result<Self, NotAUrl> {
        let text = text.trim();
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(NotAUrl("it has blanks or control characters"));
        }
        let (scheme, rest) = text.split_once("://").ok_or(NotAUrl("it has no scheme"))?;
        let scheme = Scheme::ALL
            .into_iter()
            .find(|known| known.name().eq_ignore_ascii_case(scheme))
            .ok_or(NotAUrl("its scheme is not known"))?;
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (path, query) = match tail.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (tail, None),
        };
        let address = authority.rsplit_once('@').map_or(authority, |(_, address)| address);
        let (host, port) = split_port(address)?;
        let host = match url::Host::parse(host).map_err(|_| NotAUrl("its host is not valid"))? {
            // As written where that is possible: `Host` goes out the way the definition has it.
            _ if host.is_ascii() => host.to_ascii_lowercase(),
            host => host.to_string(),
        };
        Ok(Self {
            scheme,
            host,
            port: port.unwrap_or(scheme.default_port()),
            explicit_port: port.is_some(),
            path: path.to_owned(),
            query,
        })
    }

    /// `host`, or `host:port` where the port is not the scheme's own: what the `Host` header says.
    pub fn authority(&self) -> String {
        if self.port == self.scheme.default_port() {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}{}", self.scheme.name(), self.host, self.port, self.path)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

fn split_port(address: &str) -> Result<(&str, Option<u16>), NotAUrl> {
    let colon = match address.rfind(']') {
        Some(bracket) => address[bracket..].find(':').map(|at| bracket + at),
        None => address.find(':'),
    };
    let (host, port) = match colon {
        Some(colon) => (&address[..colon], &address[colon + 1..]),
        None => (address, ""),
    };
    if host.is_empty() {
        return Err(NotAUrl("it has no host"));
    }
    if port.is_empty() {
        return Ok((host, None));
    }
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(number) if digits && number != 0 => Ok((host, Some(number))),
        _ => Err(NotAUrl("its port is not a number from 1 to 65535")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn target(text: &str) -> Target {
        Target::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_url_is_taken_apart_without_changing_its_path() {
        let parsed = target("HTTP://Backend:8080/a/../b%2Fc;x/?k=v&k=w#gone");
        assert_eq!((parsed.scheme, parsed.host.as_str(), parsed.port), (Scheme::Http, "backend", 8080));
        assert_eq!(parsed.path, "/a/../b%2Fc;x/");
        assert_eq!(parsed.query.as_deref(), Some("k=v&k=w"));
        assert_eq!(target("http://b").path, "");
        assert_eq!(target("http://b?x").query.as_deref(), Some("x"));
        assert_eq!(target("https://b").port, 443);
        assert_eq!(target("http://my_service.local").host, "my_service.local");
        assert_eq!(target("http://[::1]:81/x").host, "[::1]");
        assert_eq!(target("http://[::1]:81/x").port, 81);
        assert_eq!(target("http://b:80/").authority(), "b");
        assert_eq!(target("http://b:81/").authority(), "b:81");
    }

    #[test]
    fn user_information_reaches_neither_the_host_nor_a_message() {
        assert_eq!(target("http://user:p@ss@b:1/").host, "b");
        let error = Target::parse("http://user:secret@:x/").unwrap_err();
        assert!(!error.to_string().contains("secret"));
    }

    #[test]
    fn what_is_no_url_is_told_apart() {
        for text in [
            "",
            "b",
            "http:/b",
            "http://",
            "ftp://b",
            "http://:80",
            "http://b:0",
            "http://b:70000",
            "http://b:+1",
            "http://a b/",
            "http://[::1",
            "http://a/\u{7f}",
            "://b",
        ] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_apart_or_refused(text in "(http://)?.{0,60}") {
            if let Ok(target) = Target::parse(&text) {
                prop_assert!(!target.host.is_empty());
                prop_assert!(target.path.is_empty() || target.path.starts_with('/'));
            }
        }
    }
}
