//! What the gateway itself is, as far as it decides what is served here: sharding tags and tenant.

use zonegate_payload::ShardingTags;

/// The gateway's own settings that select what it serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeContext {
    /// Sharding tags (`tags`). The same rule decides on the primary which rows are written.
    pub tags: ShardingTags,
    /// Tenant (`tenant`). Without one, every endpoint is used.
    pub tenant: Option<String>,
}

impl NodeContext {
    /// Whether an API with these tags is served here.
    pub(crate) fn accepts(&self, tags: &[String]) -> bool {
        self.tags.accept(tags.iter().map(String::as_str))
    }

    /// Whether a plan with these tags is served here.
    pub(crate) fn accepts_plan(&self, tags: &[String]) -> bool {
        self.tags.accept_plan(tags.iter().map(String::as_str))
    }

    /// Whether an endpoint for these tenants is used here.
    pub(crate) fn accepts_tenants(&self, tenants: &[String]) -> bool {
        self.tenant.as_ref().is_none_or(|own| tenants.is_empty() || tenants.contains(own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_takes_its_own_endpoints_and_those_of_nobody() {
        let node = NodeContext { tenant: Some("east".into()), ..NodeContext::default() };
        assert!(node.accepts_tenants(&[]));
        assert!(node.accepts_tenants(&["west".into(), "east".into()]));
        assert!(!node.accepts_tenants(&["west".into()]));
        assert!(NodeContext::default().accepts_tenants(&["west".into()]));
    }
}
