//! One state of the gateway, whole and immutable: what a request sees from its beginning to its end (S2).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use zonegate_definition::Organization;
use zonegate_model::{Digests, Kind, Revision, StoreId};
use zonegate_payload::DictionaryPayload;

use crate::carried::Carried;
use crate::compile::Compile;
use crate::credentials::Credentials;
use crate::routes::{Claim, Routed, Routes};
use crate::served::{Refused, Scope, Served, ServedProduct};
use crate::table::{Row, Seed, Table};

/// Rows in a leaf of a table whose rows are pointers: few, see [`Table`].
pub(crate) const FEW: usize = 4;

/// A whole state of the gateway.
pub struct Generation<C: Compile> {
    pub(crate) seed: Seed,
    pub(crate) number: u64,
    pub(crate) apis: Table<ApiRow, FEW>,
    pub(crate) routes: Arc<Routes<C>>,
    pub(crate) scopes: Table<ScopeRow, FEW>,
    pub(crate) push_subscriptions: usize,
    pub(crate) products: Arc<BTreeMap<Arc<str>, Arc<ServedProduct<C>>>>,
    pub(crate) refused: Table<RefusedRow, FEW>,
    pub(crate) organizations: Arc<BTreeMap<Arc<str>, Arc<Organization>>>,
    pub(crate) dictionaries: Arc<BTreeMap<Arc<str>, Arc<DictionaryPayload>>>,
    pub(crate) carried: Arc<Carried>,
    pub(crate) revision: Option<(StoreId, Revision)>,
    pub(crate) digests: Digests,
}

/// An API that is served, and one of its places. The API itself is in the routes alone, so that a new version of it
/// changes one table.
#[derive(Clone)]
pub(crate) struct ApiRow(pub(crate) Arc<(Arc<str>, Arc<Claim>)>);

impl Row for ApiRow {
    fn hash(&self, seed: &Seed) -> u64 {
        seed.hash(self.0.0.as_bytes())
    }
}

/// The credentials of one scope.
#[derive(Clone)]
pub(crate) struct ScopeRow(pub(crate) Arc<(Arc<str>, Credentials)>);

impl ScopeRow {
    pub(crate) fn credentials(&self) -> &Credentials {
        &self.0.1
    }

    pub(crate) fn is(&self, scope: &str) -> bool {
        *self.0.0 == *scope
    }
}

impl Row for ScopeRow {
    fn hash(&self, seed: &Seed) -> u64 {
        seed.hash(self.0.0.as_bytes())
    }
}

#[derive(Clone)]
pub(crate) struct RefusedRow(pub(crate) Arc<Refused>);

impl Row for RefusedRow {
    fn hash(&self, seed: &Seed) -> u64 {
        seed.hash(self.0.id.as_bytes())
    }
}

impl<C: Compile> Generation<C> {
    /// The state before anything was committed: nothing is served, and nobody is ready.
    pub(crate) fn empty(seed: Seed) -> Self {
        Self {
            routes: Arc::new(Routes::new(seed.clone())),
            seed,
            number: 0,
            apis: Table::default(),
            scopes: Table::default(),
            push_subscriptions: 0,
            products: Arc::default(),
            refused: Table::default(),
            organizations: Arc::default(),
            dictionaries: Arc::default(),
            carried: Arc::default(),
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
    pub fn route(&self, server: Option<&str>, host: Option<&[u8]>, path: &str) -> Option<Routed<'_, C>> {
        self.routes.find(server, host, path)
    }

    /// Subscriptions and keys of an API or an API product; `None` if there are none. Allocates nothing.
    #[inline]
    pub fn credentials(&self, scope: Scope<'_>) -> Option<&Credentials> {
        let is = |row: &ScopeRow| Arc::ptr_eq(&row.0.0, scope.id) || row.is(scope.id);
        self.scopes.find(scope.hash, is).map(ScopeRow::credentials)
    }

    /// Subscriptions and keys by the id of their API or API product.
    pub fn credentials_of(&self, id: &str) -> Option<&Credentials> {
        self.scopes.find(self.seed.hash(id.as_bytes()), |row| row.is(id)).map(ScopeRow::credentials)
    }

    /// An API that is served.
    pub fn api(&self, id: &str) -> Option<&Arc<Served<C>>> {
        let row = self.apis.find(self.seed.hash(id.as_bytes()), |row| *row.0.0 == *id)?;
        self.routes.holder(&row.0.1, id)
    }

    /// All APIs that are served, in no order.
    pub fn apis(&self) -> impl Iterator<Item = &Arc<Served<C>>> {
        self.apis.iter().filter_map(|row| self.routes.holder(&row.0.1, &row.0.0))
    }

    /// Number of APIs that are served.
    pub fn api_count(&self) -> usize {
        self.apis.len()
    }

    /// The API products whose plans are served, by id.
    pub fn products(&self) -> impl Iterator<Item = &Arc<ServedProduct<C>>> {
        self.products.values()
    }

    /// All APIs and API products that are refused, in no order (S3).
    pub fn refused(&self) -> impl Iterator<Item = &Arc<Refused>> {
        self.refused.iter().map(|row| &row.0)
    }

    /// Number of APIs, or of API products, that are refused.
    pub fn refused_count(&self, kind: Kind) -> usize {
        self.refused().filter(|refused| refused.kind == kind).count()
    }

    /// Number of accepted subscriptions of type PUSH. They are carried and not served: this gateway does not push.
    pub fn push_subscription_count(&self) -> usize {
        self.push_subscriptions
    }

    /// An organization with platform flows.
    pub fn organization(&self, id: &str) -> Option<&Arc<Organization>> {
        self.organizations.get(id)
    }

    /// All dictionaries, by id.
    pub fn dictionaries(&self) -> impl Iterator<Item = &Arc<DictionaryPayload>> {
        self.dictionaries.values()
    }

    /// Id of the installation that the zone belongs to.
    pub fn installation_id(&self) -> Option<&str> {
        self.carried.metadata()?.installation_id.as_deref()
    }

    /// Ids of the organizations that the zone is configured for; empty where it takes all.
    pub fn organization_ids(&self) -> &[String] {
        self.carried.metadata().map_or(&[], |metadata| &metadata.organization_ids)
    }

    /// Ids of the organizations that have a licence. Licences lock nothing here.
    pub fn licensed_organizations(&self) -> impl Iterator<Item = &Arc<str>> {
        self.carried.licenses()
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

impl<C: Compile> fmt::Debug for Generation<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generation")
            .field("number", &self.number)
            .field("revision", &self.revision)
            .field("apis", &self.api_count())
            .field("products", &self.products.len())
            .field("refused", &self.refused.len())
            .finish_non_exhaustive()
    }
}
