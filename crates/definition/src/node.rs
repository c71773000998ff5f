//! What the gateway itself is, as far as it decides what is served here: sharding tags and tenant.

/// The gateway's own settings that select what it serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeContext {
    /// Sharding tags (`tags`), where `!tag` excludes. Empty: everything is served.
    pub tags: Vec<String>,
    /// Tenant (`tenant`). Without one, every endpoint is used.
    pub tenant: Option<String>,
}

impl NodeContext {
    /// Whether the node's tags accept these. An entity without tags is not accepted by a node that has some, unless
    /// it only excludes (`data-plane-live.md`).
    pub fn accepts_tags<S: AsRef<str>>(&self, tags: &[S]) -> bool {
        let carried = |wanted: &str| tags.iter().any(|tag| same_tag(tag.as_ref(), wanted));
        let (excluded, included): (Vec<&str>, Vec<&str>) = self
            .tags
            .iter()
            .map(|tag| tag.trim())
            .filter(|tag| !tag.is_empty())
            .partition(|tag| tag.starts_with('!'));
        (included.is_empty() || included.into_iter().any(carried))
            && !excluded.into_iter().any(|tag| carried(tag.trim_start_matches('!')))
    }

    /// Whether an endpoint for these tenants is used here.
    pub fn accepts_tenants(&self, tenants: &[String]) -> bool {
        self.tenant.as_ref().is_none_or(|own| tenants.is_empty() || tenants.contains(own))
    }
}

/// Tags are compared without regard to case.
fn same_tag(one: &str, other: &str) -> bool {
    one == other || one.to_lowercase() == other.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(tags: &[&str]) -> NodeContext {
        NodeContext { tags: tags.iter().map(|tag| (*tag).to_owned()).collect(), tenant: None }
    }

    #[test]
    fn a_node_without_tags_accepts_everything_and_one_with_tags_only_its_own() {
        assert!(node(&[]).accepts_tags::<&str>(&[]));
        assert!(node(&[]).accepts_tags(&["a"]));
        assert!(
            !node(&["a"]).accepts_tags::<&str>(&[]),
            "recorded from a running gateway: untagged APIs are not deployed"
        );
        assert!(node(&["b", " A "]).accepts_tags(&["a"]));
        assert!(!node(&["b"]).accepts_tags(&["a"]));
    }

    #[test]
    fn s6_a_tag_is_neither_a_prefix_nor_a_list() {
        assert!(!node(&["eu"]).accepts_tags(&["eu-west"]));
        assert!(!node(&["eu"]).accepts_tags(&["eu,us"]));
    }

    #[test]
    fn an_excluded_tag_wins_over_an_included_one() {
        assert!(node(&["!secret"]).accepts_tags::<&str>(&[]));
        assert!(node(&["!secret"]).accepts_tags(&["a"]));
        assert!(!node(&["a", "!secret"]).accepts_tags(&["a", "secret"]));
    }

    #[test]
    fn a_tenant_takes_its_own_endpoints_and_those_of_nobody() {
        let node = NodeContext { tenant: Some("east".into()), ..NodeContext::default() };
        assert!(node.accepts_tenants(&[]));
        assert!(node.accepts_tenants(&["west".into(), "east".into()]));
        assert!(!node.accepts_tenants(&["west".into()]));
        assert!(NodeContext::default().accepts_tenants(&["west".into()]));
    }
}
