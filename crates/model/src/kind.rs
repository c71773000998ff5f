//! The twelve kinds of state that a zone carries, in the order in which they take effect (S1).

use std::fmt;
use std::str::FromStr;

/// What a row of the zone's state is. The order of the variants is the order in which kinds take effect, so that
/// a request never meets an API before what the API depends on (S1).
///
/// Source of names and order: `zone-store.md` sections 4.1 and 8.1, `sync-semantics.md` section 7.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Installation and organization ids.
    NodeMetadata,
    /// An organization's licence text.
    License,
    /// A default host of an environment.
    AccessPoint,
    /// An organization with its platform flows.
    Organization,
    /// A dictionary: named properties for the expression language.
    Dictionary,
    /// A shared policy group.
    SharedPolicyGroup,
    /// An authorization entity.
    AuthzEntity,
    /// An authorization policy.
    AuthzPolicy,
    /// An API product with its plans.
    ApiProduct,
    /// An API definition with its plans.
    Api,
    /// A subscription; its scope is the API, or the API product.
    Subscription,
    /// An API key of one subscription; its scope is the API, or the API product.
    ApiKey,
}

impl Kind {
    /// Every kind, in order of effect.
    pub const ALL: [Self; 12] = [
        Self::NodeMetadata,
        Self::License,
        Self::AccessPoint,
        Self::Organization,
        Self::Dictionary,
        Self::SharedPolicyGroup,
        Self::AuthzEntity,
        Self::AuthzPolicy,
        Self::ApiProduct,
        Self::Api,
        Self::Subscription,
        Self::ApiKey,
    ];

    /// The constant that APIM writes into the `type` field of the zone store.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NodeMetadata => "NODE_METADATA",
            Self::License => "LICENSE",
            Self::AccessPoint => "ACCESS_POINT",
            Self::Organization => "ORGANIZATION",
            Self::Dictionary => "DICTIONARY",
            Self::SharedPolicyGroup => "SHARED_POLICY_GROUP",
            Self::AuthzEntity => "AUTHZ_ENTITY",
            Self::AuthzPolicy => "AUTHZ_POLICY",
            Self::ApiProduct => "API_PRODUCT",
            Self::Api => "API",
            Self::Subscription => "SUBSCRIPTION",
            Self::ApiKey => "API_KEY",
        }
    }

    /// Whether rows of this kind live under an API or an API product.
    pub const fn is_scoped(self) -> bool {
        matches!(self, Self::Subscription | Self::ApiKey)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A `type` that is none of the twelve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a kind of state")]
pub struct UnknownKind(pub String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| UnknownKind(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_all_is_in_order_of_effect() {
        for kind in Kind::ALL {
            assert_eq!(kind.name().parse::<Kind>(), Ok(kind));
        }
        assert!(Kind::ALL.is_sorted());
        assert!("api".parse::<Kind>().is_err(), "names are exact: APIM's index ignores case, we do not");
    }
}
