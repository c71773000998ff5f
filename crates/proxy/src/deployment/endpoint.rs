//! An endpoint with everything about it written out: its request-line prefix, its `Host`, its headers.

use std::sync::Arc;

use http::header::{self, HeaderName, HeaderValue};
use zonegate_definition::{
    Api, Endpoint, EndpointGroup, EndpointTarget, HttpSettings, HttpVersion, Reason, Refusal, Scheme,
};

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

/// Refuses an endpoint that cannot be talked to as its definition says, also one that no request would come to today.
pub(super) fn check(api: &Api, group: &EndpointGroup, endpoint: &Endpoint) -> Result<(), Refusal> {
    let refuse_target = |reason| Err(Refusal::new(reason, api.target_at(group, endpoint)));
    match &endpoint.target {
        EndpointTarget::Dynamic(_) => return refuse_target(Reason::Expression),
        EndpointTarget::Url(target) if target.scheme.is_tls() => {
            return refuse_target(Reason::UpstreamTls(target.scheme.name()));
        }
        EndpointTarget::Url(target) if target.scheme != Scheme::Http => {
            return refuse_target(Reason::UpstreamScheme(target.scheme.name()));
        }
        EndpointTarget::Url(_) | EndpointTarget::NotAUrl(_) => {}
    }
    if endpoint.discovery.is_some() {
        let at = format!("{}.services.discovery", group.endpoint_at(endpoint));
        return Err(Refusal::new(Reason::ServiceDiscovery, at));
    }
    let connection = &endpoint.connection;
    let refuse = |reason, member: &str| Err(Refusal::new(reason, format!("{}.{member}", connection.at)));
    if connection.proxy.is_some() {
        return refuse(Reason::UpstreamProxy, "proxy.enabled");
    }
    if connection.http.follow_redirects {
        return refuse(Reason::FollowRedirects, "http.followRedirects");
    }
    if connection.http.version != HttpVersion::Http11 {
        let version = connection.http.version.label().to_owned();
        return refuse(Reason::UpstreamVersion(version), "http.version");
    }
    match connection.headers.iter().position(|header| header.value.is_dynamic()) {
        Some(index) => refuse(Reason::Expression, &format!("headers[{index}]")),
        None => Ok(()),
    }
}

impl CompiledEndpoint {
    pub(super) fn compile(
        api: &Api,
        group: &EndpointGroup,
        endpoint: &Endpoint,
        upstreams: &Upstreams,
    ) -> Result<Self, Refusal> {
        let http = &endpoint.connection.http;
        let HttpSettings { propagate_client_host, propagate_client_accept_encoding, use_compression, .. } =
            *http;
        let destination = match &endpoint.target {
            // The second one has been refused.
            EndpointTarget::NotAUrl(_) | EndpointTarget::Dynamic(_) => None,
            EndpointTarget::Url(target) => {
                let wrong = || Refusal::new(Reason::Header, format!("endpoint {}", endpoint.name));
                let (mut lines, mut names, mut host) = (Vec::new(), Vec::new(), None);
                for header in &endpoint.connection.headers {
                    let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| wrong())?;
                    let value = HeaderValue::from_str(header.value.as_str()).map_err(|_| wrong())?;
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
                    upstream: upstreams.find(&api.id, &group.name, &endpoint.name, target, http),
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
