//! The families of latest events that become rows, in order of effect (`management-repository.md` section 3.5).

use zonegate_model::Kind;
use zonegate_payload::record::EventType;

/// Events about one kind of entity.
#[derive(Debug)]
pub(crate) struct Family {
    /// Those that put it in place.
    pub(crate) deploying: &'static [EventType],
    /// Those, and those that take it away.
    pub(crate) all: &'static [EventType],
    /// What sort of family.
    pub(crate) sort: Sort,
}

/// What is special about a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// Nothing.
    Plain,
    /// It is for authorization, and only read where that is asked for.
    Authorization,
    /// Subscriptions and keys belong to it.
    Unit(Kind),
}

impl Family {
    /// Whether subscriptions and keys belong to its entities.
    pub(crate) fn is_of_units(&self) -> bool {
        matches!(self.sort, Sort::Unit(_))
    }
}

/// All of them.
const IN_ORDER: [Family; 7] = {
    use EventType::{
        DeployApiProduct, DeploySharedPolicyGroup, PublishApi, PublishAuthzEntity, PublishAuthzPolicy,
        PublishDictionary, PublishOrganization, StartApi, StopApi, UndeployApiProduct,
        UndeploySharedPolicyGroup, UnpublishApi, UnpublishAuthzEntity, UnpublishAuthzPolicy,
        UnpublishDictionary,
    };
    [
        Family { deploying: &[PublishOrganization], all: &[PublishOrganization], sort: Sort::Plain },
        Family {
            deploying: &[PublishDictionary],
            all: &[PublishDictionary, UnpublishDictionary],
            sort: Sort::Plain,
        },
        Family {
            deploying: &[DeploySharedPolicyGroup],
            all: &[DeploySharedPolicyGroup, UndeploySharedPolicyGroup],
            sort: Sort::Plain,
        },
        Family {
            deploying: &[PublishAuthzEntity],
            all: &[PublishAuthzEntity, UnpublishAuthzEntity],
            sort: Sort::Authorization,
        },
        Family {
            deploying: &[PublishAuthzPolicy],
            all: &[PublishAuthzPolicy, UnpublishAuthzPolicy],
            sort: Sort::Authorization,
        },
        Family {
            deploying: &[DeployApiProduct],
            all: &[DeployApiProduct, UndeployApiProduct],
            sort: Sort::Unit(Kind::ApiProduct),
        },
        Family {
            deploying: &[PublishApi, StartApi],
            all: &[PublishApi, StartApi, StopApi, UnpublishApi],
            sort: Sort::Unit(Kind::Api),
        },
    ]
};

/// Events that deploy or withdraw an API or API product.
pub(crate) const OF_UNITS: [EventType; 6] = [
    EventType::DeployApiProduct,
    EventType::UndeployApiProduct,
    EventType::PublishApi,
    EventType::StartApi,
    EventType::StopApi,
    EventType::UnpublishApi,
];

/// The families that are read.
pub(crate) fn families(authorization: bool) -> impl Iterator<Item = &'static Family> {
    const ALL: &[Family] = &IN_ORDER;
    ALL.iter().filter(move |family| authorization || family.sort != Sort::Authorization)
}

/// Events that deploy or withdraw an API.
pub(crate) const APIS: [EventType; 4] =
    [EventType::PublishApi, EventType::StartApi, EventType::StopApi, EventType::UnpublishApi];

/// What an event deploys or withdraws, if that is an API or API product.
pub(crate) fn unit_kind(event: EventType) -> Option<Kind> {
    families(false).find_map(|family| match family.sort {
        Sort::Unit(kind) if family.all.contains(&event) => Some(kind),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_every_type_of_event_is_in_one_family_and_authorization_only_where_it_is_asked_for() {
        let types = |authorization| {
            families(authorization).flat_map(|family| family.all.iter().copied()).collect::<Vec<_>>()
        };
        let mut all = types(true);
        assert_eq!(all.len() - types(false).len(), 4);
        all.sort();
        let mut known = EventType::ALL.to_vec();
        known.sort();
        assert_eq!(all, known);
        for family in families(true) {
            assert!(family.deploying.iter().all(|kind| family.all.contains(kind) && !kind.withdraws()));
            let rest = family.all.iter().filter(|kind| !family.deploying.contains(kind));
            assert!(rest.clone().all(|kind| kind.withdraws()), "{family:?}");
            let of_units = family.all.iter().all(|kind| OF_UNITS.contains(kind));
            assert_eq!(of_units, family.is_of_units());
        }
    }
}
