//! Environments and organizations: what an entity's environment is called, and which environments are for this
//! gateway (`management-repository.md` sections 5.1, 7.2 and 10.1).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use zonegate_payload::record::Place;
use zonegate_sync::port::{RepositoryError, RepositoryFailure};

use crate::settings::EnvironmentFilter;

/// All environments, and the filter resolved.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    environments: BTreeMap<Arc<str>, Place>,
    selection: Option<Arc<Selection>>,
}

/// The environments that are for this gateway. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Ids of environments.
    pub environments: BTreeSet<Arc<str>>,
    /// Ids of their organizations.
    pub organizations: BTreeSet<Arc<str>>,
}

/// What a repository says of environments and organizations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// Ids of environments, each with its organization's.
    pub environments: Vec<(Arc<str>, Arc<str>)>,
    /// Ids of environments with their human-readable ones. Those of one environment in their order: the first counts.
    pub environment_hrids: Vec<(String, String)>,
    /// The same for organizations.
    pub organization_hrids: Vec<(String, String)>,
}

impl Places {
    /// Resolves the settings against what the repository has.
    pub(crate) fn resolve(tables: &Tables, filter: &EnvironmentFilter) -> Result<Self, RepositoryError> {
        let selection = resolve_filter(tables, filter)
            .map_err(|message| RepositoryError { failure: RepositoryFailure::Other, message })?;
        let first = |hrids: &[(String, String)], wanted: &str| {
            hrids.iter().find(|(id, _)| id == wanted).map(|(_, hrid)| Arc::from(hrid.as_str()))
        };
        let environments = tables.environments.iter().map(|(id, organization)| {
            let place = Place {
                environment_id: Some(Arc::clone(id)),
                environment_hrid: first(&tables.environment_hrids, id),
                organization_id: Some(Arc::clone(organization)),
                organization_hrid: first(&tables.organization_hrids, organization),
            };
            (Arc::clone(id), place)
        });
        Ok(Self { environments: environments.collect(), selection: selection.map(Arc::new) })
    }

    /// Where an environment belongs. Nothing but its own id, if it is not known.
    pub(crate) fn of(&self, environment: Option<&Arc<str>>) -> Place {
        match environment {
            Some(id) => self
                .environments
                .get(id)
                .cloned()
                .unwrap_or_else(|| Place { environment_id: Some(Arc::clone(id)), ..Place::default() }),
            None => Place::default(),
        }
    }

    /// What is for this gateway, unless everything is.
    pub(crate) fn selection(&self) -> Option<&Arc<Selection>> {
        self.selection.as_ref()
    }
}

/// Ids from what the settings name. An empty result is an error: it would mean "everything" in the queries.
fn resolve_filter(tables: &Tables, filter: &EnvironmentFilter) -> Result<Option<Selection>, String> {
    if filter.is_empty() {
        return Ok(None);
    }
    let has = |hrids: &[(String, String)], id: &str, wanted: &[String]| {
        hrids.iter().any(|(of, hrid)| of == id && wanted.contains(hrid))
    };
    let mut found = Selection { environments: BTreeSet::new(), organizations: BTreeSet::new() };
    for (id, organization) in &tables.environments {
        let named = filter.environments.is_empty()
            || if filter.environments_are_ids {
                filter.environments.iter().any(|wanted| **wanted == **id)
            } else {
                has(&tables.environment_hrids, id, &filter.environments)
            };
        let in_organization = filter.organizations.is_empty()
            || has(&tables.organization_hrids, organization, &filter.organizations);
        if named && in_organization {
            found.environments.insert(Arc::clone(id));
            found.organizations.insert(Arc::clone(organization));
        }
    }
    if found.environments.is_empty() {
        return Err(format!(
            "the management repository has none of the environments that `environments` ({}) and `organizations` \
             ({}) ask for; correct the settings, or leave them out to serve all environments",
            filter.environments.join(","),
            filter.organizations.join(",")
        ));
    }
    Ok(Some(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables() -> Tables {
        let pair = |id: &str, other: &str| (id.to_owned(), other.to_owned());
        Tables {
            environments: vec![
                ("E1".into(), "O1".into()),
                ("E2".into(), "O1".into()),
                ("E3".into(), "O2".into()),
            ],
            environment_hrids: vec![
                pair("E1", "dev"),
                pair("E1", "development"),
                pair("E2", "prod"),
                pair("E3", "prod"),
            ],
            organization_hrids: vec![pair("O1", "one"), pair("O2", "two")],
        }
    }

    fn resolved(
        organizations: &[&str],
        environments: &[&str],
        ids: bool,
    ) -> Result<Option<Vec<String>>, String> {
        let filter = EnvironmentFilter {
            organizations: organizations.iter().map(|&name| name.to_owned()).collect(),
            environments: environments.iter().map(|&name| name.to_owned()).collect(),
            environments_are_ids: ids,
        };
        let places = Places::resolve(&tables(), &filter).map_err(|error| error.message)?;
        Ok(places
            .selection()
            .map(|selection| selection.environments.iter().map(ToString::to_string).collect()))
    }

    #[test]
    fn names_become_ids() {
        assert_eq!(resolved(&[], &[], false), Ok(None));
        assert_eq!(resolved(&[], &["development"], false), Ok(Some(vec!["E1".to_owned()])));
        assert_eq!(resolved(&[], &["prod"], false), Ok(Some(vec!["E2".to_owned(), "E3".to_owned()])));
        assert_eq!(resolved(&["two"], &["prod"], false), Ok(Some(vec!["E3".to_owned()])));
        assert_eq!(resolved(&["one"], &[], false), Ok(Some(vec!["E1".to_owned(), "E2".to_owned()])));
        assert_eq!(resolved(&[], &["E3", "E9"], true), Ok(Some(vec!["E3".to_owned()])));
    }

    #[test]
    fn nothing_found_is_an_error_and_never_everything() {
        for (organizations, environments, ids) in [
            (&[][..], &["nowhere"][..], false),
            (&["three"], &[], false),
            (&["two"], &["dev"], false),
            (&[], &["dev"], true),
        ] {
            let error = resolved(organizations, environments, ids).unwrap_err();
            assert!(error.contains("`environments`"), "{error}");
        }
    }

    #[test]
    fn the_first_human_readable_id_counts() {
        let places = Places::resolve(&tables(), &EnvironmentFilter::default()).unwrap();
        let place = places.of(Some(&"E1".into()));
        assert_eq!(place.environment_hrid.as_deref(), Some("dev"));
        assert_eq!(place.organization_hrid.as_deref(), Some("one"));
        assert_eq!(places.of(Some(&"E9".into())).environment_id.as_deref(), Some("E9"));
        assert_eq!(places.of(None), Place::default());
    }
}
