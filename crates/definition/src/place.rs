//! Where the parts of an API stand in its definition: for whoever refuses a part that it cannot execute.

use crate::{Api, At, ContextPath, DefinitionVersion, Endpoint, EndpointGroup};

impl DefinitionVersion {
    /// Members of a flow that hold the steps of its request and of its response phase.
    pub const fn phases(self) -> (&'static str, &'static str) {
        match self {
            Self::V2 => ("pre", "post"),
            Self::V4 => ("request", "response"),
        }
    }
}

impl Api {
    /// Where the host of a context path stands.
    pub fn host_at(&self, path: &ContextPath) -> String {
        match self.generation {
            DefinitionVersion::V2 => format!("proxy.virtual_hosts[{}].host", path.index),
            DefinitionVersion::V4 => format!("listeners[{}].paths[{}].host", path.listener, path.index),
        }
    }

    /// What switches the cross-origin settings on.
    pub fn cors_at(&self) -> String {
        let listener = self.cors.as_ref().map_or(0, |cors| cors.listener);
        match self.generation {
            DefinitionVersion::V2 => "proxy.cors.enabled".to_owned(),
            DefinitionVersion::V4 => format!("listeners[{listener}].cors.enabled"),
        }
    }

    /// What switches failover on.
    pub const fn failover_at(&self) -> At<'static> {
        At::root(match self.generation {
            DefinitionVersion::V2 => "proxy.failover",
            DefinitionVersion::V4 => "failover.enabled",
        })
    }

    /// Where the response templates stand.
    pub const fn response_templates_at(&self) -> At<'static> {
        At::root(match self.generation {
            DefinitionVersion::V2 => "response_templates",
            DefinitionVersion::V4 => "responseTemplates",
        })
    }

    /// Where the target of an endpoint stands.
    pub fn target_at(&self, group: &EndpointGroup, endpoint: &Endpoint) -> String {
        let member = match self.generation {
            DefinitionVersion::V2 => "target",
            DefinitionVersion::V4 => "configuration.target",
        };
        format!("{}.{member}", group.endpoint_at(endpoint))
    }
}

impl EndpointGroup {
    /// Where an endpoint of it stands.
    pub fn endpoint_at(&self, endpoint: &Endpoint) -> String {
        format!("{}.endpoints[{}]", self.at, endpoint.index)
    }
}
