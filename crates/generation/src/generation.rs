//! One state of the gateway, whole and immutable: what a request sees from its beginning to its end (S2).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use zonegate_definition::{Api, Organization, Refusal};
use zonegate_model::{Digests, Payload, Revision, StoreId};
use zonegate_payload::DictionaryPayload;

use crate::credentials::Credentials;
use crate::routes::{Routed, Routes};
use crate::table::{Row, Seed, Table};

/// An API that is served, with its subscriptions and keys. They change together (S2).
pub struct Served<T> {
    /// The API.
    pub api: Arc<Api>,
    /// What the data plane made of it. The same pointer as before when only credentials changed.
    pub compiled: Arc<T>,
    /// Its subscriptions and keys.
    pub credentials: Arc<Credentials>,
    /// The text of its row. May hold secrets.
    pub payload: Payload,
}

impl<T> fmt::Debug for Served<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served")
            .field("api", &self.api.id)
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

/// An API whose row is there and is not served as it says (S3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Id.
    pub id: Arc<str>,
    /// Name, if it could be read.
    pub name: Option<Arc<str>>,
    /// Why.
    pub refusal: Refusal,
    /// An earlier version is still being served.
    pub previous_served: bool,
}

/// A whole state of the gateway.
pub struct Generation<T> {
    pub(crate) seed: Seed,
    pub(crate) number: u64,
    pub(crate) apis: Table<ApiRow<T>>,
    pub(crate) routes: Arc<Routes<T>>,
    pub(crate) refused: Table<RefusedRow>,
    pub(crate) organizations: Arc<BTreeMap<Arc<str>, Arc<Organization>>>,
    pub(crate) dictionaries: Arc<BTreeMap<Arc<str>, Arc<DictionaryPayload>>>,
    pub(crate) revision: Option<(StoreId, Revision)>,
    pub(crate) digests: Digests,
}

pub(crate) struct ApiRow<T>(pub(crate) Arc<Served<T>>);

impl<T> Clone for ApiRow<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Row for ApiRow<T> {
    fn hash(&self, seed: &Seed) -> u64 {
        seed.hash(self.0.api.id.as_bytes())
    }
}

#[derive(Clone)]
pub(crate) struct RefusedRow(pub(crate) Arc<Refused>);

impl Row for RefusedRow {
    fn hash(&self, seed: &Seed) -> u64 {
        seed.hash(self.0.id.as_bytes())
    }
}

impl<T> Generation<T> {
    /// The state before anything was committed: nothing is served, and nobody is ready.
    pub(crate) fn empty(seed: Seed) -> Self {
        Self {
            routes: Arc::new(Routes::new(seed.clone())),
            seed,
            number: 0,
            apis: Table::default(),
            refused: Table::default(),
            organizations: Arc::default(),
            dictionaries: Arc::default(),
            revision: None,
            digests: Digests::default(),
        }
    }

    /// How many commits led here. 0: none, so nothing may be concluded from what is not there.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Finds the API that a request is for (`data-plane.md` section 2.1).
    ///
    /// `server` is the id of the receiving server, `host` the request's authority as it came (any case, with port if
    /// the client sent one), `path` the raw path. An API on this very host goes before one on any host; within a
    /// host the longest context path wins.
    pub fn route(&self, server: Option<&str>, host: Option<&[u8]>, path: &str) -> Option<Routed<'_, T>> {
        self.routes.find(server, host, path)
    }

    /// An API that is served.
    pub fn api(&self, id: &str) -> Option<&Arc<Served<T>>> {
        self.apis.find(self.seed.hash(id.as_bytes()), |row| &*row.0.api.id == id).map(|row| &row.0)
    }

    /// All APIs that are served, in no order.
    pub fn apis(&self) -> impl Iterator<Item = &Arc<Served<T>>> {
        self.apis.iter().map(|row| &row.0)
    }

    /// Number of APIs that are served.
    pub fn api_count(&self) -> usize {
        self.apis.len()
    }

    /// All APIs that are refused, in no order (S3).
    pub fn refused(&self) -> impl Iterator<Item = &Arc<Refused>> {
        self.refused.iter().map(|row| &row.0)
    }

    /// Number of APIs that are refused.
    pub fn refused_count(&self) -> usize {
        self.refused.len()
    }

    /// An organization with platform flows.
    pub fn organization(&self, id: &str) -> Option<&Arc<Organization>> {
        self.organizations.get(id)
    }

    /// All dictionaries, by id.
    pub fn dictionaries(&self) -> impl Iterator<Item = &Arc<DictionaryPayload>> {
        self.dictionaries.values()
    }

    /// The zone store's revision that this state equals; `None` for one that the store does not have (yet).
    pub fn revision(&self) -> Option<(StoreId, Revision)> {
        self.revision
    }

    /// Counts and digests of the rows of this state (Z7).
    pub fn digests(&self) -> &Digests {
        &self.digests
    }
}

impl<T> fmt::Debug for Generation<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generation")
            .field("number", &self.number)
            .field("revision", &self.revision)
            .field("apis", &self.api_count())
            .field("refused", &self.refused_count())
            .finish_non_exhaustive()
    }
}
