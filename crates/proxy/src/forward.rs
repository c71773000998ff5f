//! The request head that goes upstream (`data-plane.md` sections 2.3, 2.5), written straight to the wire.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri};
use zonegate_definition::{DefinitionVersion, ExecutionMode};

use crate::deployment::endpoint::{CompiledEndpoint, Destination};
use crate::query;

/// How the request's body is announced.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Announced<'a> {
    /// Not at all.
    Nothing,
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding`, as the client wrote it.
    Coding(&'a HeaderValue),
}

/// A request as it goes upstream.
pub(crate) struct Outgoing<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) path_info: &'a str,
    pub(crate) headers: &'a HeaderMap,
    /// A policy changed the `Host`.
    pub(crate) host_changed: bool,
    /// Names and values of the gateway's own headers, instead of any that the request has.
    pub(crate) own: &'a [(&'a HeaderName, &'a HeaderValue)],
    /// The query parameter that is left out.
    pub(crate) without_parameter: Option<&'a str>,
    pub(crate) announced: Announced<'a>,
    pub(crate) version: DefinitionVersion,
    pub(crate) mode: ExecutionMode,
}

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

impl Outgoing<'_> {
    /// Writes the whole head.
    pub(crate) fn write(&self, endpoint: &CompiledEndpoint, destination: &Destination, out: &mut Vec<u8>) {
        out.extend_from_slice(self.method.as_str().as_bytes());
        out.push(b' ');
        self.write_target(destination, out);
        out.extend_from_slice(b" HTTP/1.1\r\nhost: ");
        out.extend_from_slice(self.host(endpoint, destination));
        out.extend_from_slice(b"\r\n");
        for (name, value) in self.headers {
            if !self.is_left_out(name, endpoint, destination) {
                write_line(out, name, value);
            }
        }
        for (name, value) in self.own {
            if !destination.header_names.contains(name) {
                write_line(out, name, value);
            }
        }
        match self.announced {
            Announced::Nothing => {}
            Announced::Length(length) => {
                use std::io::Write;
                // Writing to memory cannot fail.
                let _ = write!(out, "content-length: {length}\r\n");
            }
            Announced::Coding(coding) => write_line(out, &header::TRANSFER_ENCODING, coding),
        }
        out.extend_from_slice(&destination.header_lines);
        out.extend_from_slice(b"\r\n");
    }

    /// Path and query: the target's path and the path-info, glued together as they are.
    fn write_target(&self, destination: &Destination, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(destination.path.as_bytes());
        // The emulation engine glues the path-info behind the target's query (`data-plane-live.md`, R12).
        if let Some(query) = &destination.query
            && self.version == DefinitionVersion::V2
            && self.mode == ExecutionMode::V4
        {
            if destination.path.is_empty() {
                out.push(b'/');
            }
            out.push(b'?');
            out.extend_from_slice(query.as_bytes());
            out.extend_from_slice(self.path_info.as_bytes());
            let mark = out.len();
            query::write(out, self.uri.query(), self.without_parameter, None);
            if let Some(separator) = out.get_mut(mark) {
                *separator = b'&';
            }
            return;
        }
        out.extend_from_slice(self.path_info.as_bytes());
        if out.get(start) != Some(&b'/') {
            out.insert(start, b'/');
        }
        query::write(out, self.uri.query(), self.without_parameter, destination.query.as_deref());
    }

    fn host<'d>(&'d self, endpoint: &CompiledEndpoint, destination: &'d Destination) -> &'d [u8] {
        if let Some(configured) = &destination.host {
            return configured;
        }
        let relays =
            self.version == DefinitionVersion::V4 && (endpoint.propagate_client_host || self.host_changed);
        match self.headers.get(header::HOST).filter(|_| relays) {
            Some(host) if !host.is_empty() => host.as_bytes(),
            _ => &destination.authority,
        }
    }

    /// Whether a header does not go upstream as it is.
    fn is_left_out(&self, name: &HeaderName, endpoint: &CompiledEndpoint, destination: &Destination) -> bool {
        let hop_by_hop = match *name {
            header::HOST
            | header::CONNECTION
            | header::CONTENT_LENGTH
            | header::TRANSFER_ENCODING
            | header::PROXY_AUTHENTICATE
            | header::PROXY_AUTHORIZATION
            | header::TE
            | header::TRAILER
            | header::UPGRADE => true,
            header::ACCEPT_ENCODING => !endpoint.propagate_accept_encoding,
            _ => *name == KEEP_ALIVE || *name == PROXY_CONNECTION,
        };
        hop_by_hop || self.own.iter().any(|(own, _)| *own == name) || destination.header_names.contains(name)
    }
}

fn write_line(out: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    let (name, value) = (name.as_str().as_bytes(), value.as_bytes());
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests;
