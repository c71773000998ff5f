//! An endpoint with everything about it written out: its request-line prefix, its `Host`, its headers.

use std::sync::Arc;

use http::header::{self, HeaderName, HeaderValue};
use zonegate_definition::{Api, Endpoint, EndpointGroup, HttpSettings, Reason, Refusal};

use crate::upstream::{Upstream, Upstreams};

/// An endpoint as requests are forwarded to it.
#[derive(Debug)]
pub(crate) struct CompiledEndpoint {
    /// `None`: its target is no URL, so that requests are answered with 502.
    pub(crate) destination: Option<Destination>,
    pub(crate) propagate_client_host: bool,
    pub(crate) propagate_accept_encoding: bool,
}

/// Where an endpoint is, and what is written to reach it.
#[derive(Debug)]
pub(crate) struct Destination {
    pub(crate) upstream: Arc<Upstream>,
    /// The target's path, in front of the path-info.
    pub(crate) path: Box<str>,
    /// The target's query.
    pub(crate) query: Option<Box<str>>,
    /// The target's authority, as `Host` says it.
    pub(crate) authority: Box<[u8]>,
    /// Configured headers, written out with their line ends; without `Host`.
    pub(crate) header_lines: Box<[u8]>,
    /// Their names: headers of the request that they replace.
    pub(crate) header_names: Box<[HeaderName]>,
    /// A configured `Host`, which wins over all others.
    pub(crate) host: Option<Box<[u8]>>,
}

impl CompiledEndpoint {
    pub(super) fn compile(
        api: &Api,
        group: &EndpointGroup,
        endpoint: &Endpoint,
        upstreams: &Upstreams,
    ) -> Result<Self, Refusal> {
        let HttpSettings { propagate_client_host, propagate_client_accept_encoding, use_compression, .. } =
            endpoint.http;
        let destination = match &endpoint.target {
            Err(_) => None,
            Ok(target) => {
                let wrong = || Refusal::new(Reason::Header, format!("endpoint {}", endpoint.name));
                let (mut lines, mut names, mut host) = (Vec::new(), Vec::new(), None);
                for header in &endpoint.headers {
                    let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| wrong())?;
                    let value = HeaderValue::from_str(&header.value).map_err(|_| wrong())?;
                    if name == header::HOST {
                        host = Some(value.as_bytes().into());
                    } else if !is_framing(&name) {
                        lines.extend_from_slice(name.as_str().as_bytes());
                        lines.extend_from_slice(b": ");
                        lines.extend_from_slice(value.as_bytes());
                        lines.extend_from_slice(b"\r\n");
                        names.push(name);
                    }
                }
                Some(Destination {
                    upstream: upstreams.find(&api.id, &group.name, &endpoint.name, target, &endpoint.http),
                    path: target.path.as_str().into(),
                    query: target.query.as_deref().map(Into::into),
                    authority: target.authority().into_bytes().into(),
                    header_lines: lines.into(),
                    header_names: names.into(),
                    host,
                })
            }
        };
        Ok(Self {
            destination,
            propagate_client_host,
            // Only where the gateway does not negotiate compression itself.
            propagate_accept_encoding: propagate_client_accept_encoding && !use_compression,
        })
    }
}

/// Headers that say where a message ends or what becomes of its connection: nobody configures those.
fn is_framing(name: &HeaderName) -> bool {
    matches!(*name, header::CONTENT_LENGTH | header::TRANSFER_ENCODING | header::CONNECTION | header::UPGRADE)
}
