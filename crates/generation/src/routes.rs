//! From host and path to an API (`data-plane.md` sections 2.1, 2.2): a hash of context paths, tried longest first at
//! `/` boundaries; the request's own host before any host.
//!
//! The time of a look-up is bounded by the deepest context path that is deployed, not by the request (L1).

use std::sync::Arc;

use crate::compile::Compile;
use crate::generation::FEW;
use crate::served::Served;
use crate::table::{Row, Seed, Table};

/// The API that a request is for.
pub struct Routed<'a, C: Compile> {
    /// The API.
    pub served: &'a Arc<Served<C>>,
    /// The context path that matched, with `/` at both ends. The path-info is the request's path without the part
    /// before that last `/`, see [`path_info`](Self::path_info).
    pub context_path: &'a str,
}

impl<C: Compile> Clone for Routed<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C: Compile> Copy for Routed<'_, C> {}

impl<C: Compile> Routed<'_, C> {
    /// The part of the request's path behind the context path (section 2.2): empty for the context path without its
    /// last `/`, and for `/` on an API at `/`.
    pub fn path_info<'p>(&self, path: &'p str) -> &'p str {
        if self.context_path == "/" && path == "/" {
            return "";
        }
        path.get(self.context_path.len() - 1..).unwrap_or_default()
    }
}

/// A place where an API wants to be: it may not be shared with another API on the same server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    /// Virtual host in lower case, empty for any.
    pub(crate) host: Arc<str>,
    /// Context path with `/` at both ends.
    pub(crate) path: Arc<str>,
}

impl Place {
    /// What is hashed and compared: the path without the last `/`.
    fn key(&self) -> &str {
        &self.path[..self.path.len() - 1]
    }

    fn hash(&self, seed: &Seed) -> u64 {
        seed.hash_pair(self.host.as_bytes(), self.key().as_bytes())
    }

    fn depth(&self) -> usize {
        self.key().bytes().filter(|byte| *byte == b'/').count()
    }
}

/// A place with the servers that offer it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) place: Place,
    /// Ids of the servers; empty: all.
    pub(crate) servers: Arc<[String]>,
}

/// One API at one place.
pub(crate) struct Route<C: Compile> {
    pub(crate) claim: Arc<Claim>,
    pub(crate) served: Arc<Served<C>>,
}

/// Shared by the copies of a leaf, so that copying a row touches one counter.
struct RouteRow<C: Compile>(Arc<Route<C>>);

impl<C: Compile> Clone for RouteRow<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C: Compile> Row for RouteRow<C> {
    fn hash(&self, seed: &Seed) -> u64 {
        self.0.claim.place.hash(seed)
    }
}

impl Claim {
    fn is_offered_by(&self, server: Option<&str>) -> bool {
        self.servers.is_empty() || server.is_some_and(|server| self.servers.iter().any(|id| id == server))
    }

    /// Whether some server offers both.
    fn shares_a_server(&self, servers: &[String]) -> bool {
        self.servers.is_empty() || servers.is_empty() || self.servers.iter().any(|id| servers.contains(id))
    }
}

impl<C: Compile> Route<C> {
    fn is(&self, claim: &Claim, id: &str) -> bool {
        *self.claim == *claim && &*self.served.api.id == id
    }
}

/// All routes of a generation.
pub(crate) struct Routes<C: Compile> {
    seed: Seed,
    table: Table<RouteRow<C>, FEW>,
    /// Number of routes by depth of the context path.
    depths: Vec<usize>,
    /// Number of routes with a host.
    hosts: usize,
}

impl<C: Compile> Clone for Routes<C> {
    fn clone(&self) -> Self {
        Self {
            seed: self.seed.clone(),
            table: self.table.clone(),
            depths: self.depths.clone(),
            hosts: self.hosts,
        }
    }
}

/// Longest host with port that can match a listener's.
const LONGEST_HOST: usize = 272;

impl<C: Compile> Routes<C> {
    pub(crate) fn new(seed: Seed) -> Self {
        Self { seed, table: Table::default(), depths: Vec::new(), hosts: 0 }
    }

    pub(crate) fn find(
        &self,
        server: Option<&str>,
        host: Option<&[u8]>,
        path: &str,
    ) -> Option<Routed<'_, C>> {
        let mut lower = [0; LONGEST_HOST];
        let host = host.filter(|host| self.hosts > 0 && !host.is_empty()).and_then(|host| {
            let lower = lower.get_mut(..host.len())?;
            lower.copy_from_slice(host);
            lower.make_ascii_lowercase();
            Some(&*lower)
        });
        let ends = Ends::of(path, self.depths.len());
        host.and_then(|host| self.longest(server, host, path, &ends))
            .or_else(|| self.longest(server, b"", path, &ends))
    }

    fn longest(&self, server: Option<&str>, host: &[u8], path: &str, ends: &Ends) -> Option<Routed<'_, C>> {
        ends.longest_first()
            .filter(|(depth, _)| self.depths.get(*depth).is_some_and(|count| *count > 0))
            .find_map(|(_, end)| {
                let key = path.get(..end)?;
                let hash = self.seed.hash_pair(host, key.as_bytes());
                let fits = |RouteRow(route): &RouteRow<C>| {
                    let Claim { place, .. } = &*route.claim;
                    place.key() == key && place.host.as_bytes() == host && route.claim.is_offered_by(server)
                };
                self.table.find(hash, fits).map(|RouteRow(route)| Routed {
                    served: &route.served,
                    context_path: &route.claim.place.path,
                })
            })
    }

    /// Who is at a place, on any of its servers.
    pub(crate) fn holders(&self, claim: &Claim) -> impl Iterator<Item = &Route<C>> {
        let at = |RouteRow(route): &RouteRow<C>| {
            route.claim.place == claim.place && route.claim.shares_a_server(&claim.servers)
        };
        self.table.find_all(claim.place.hash(&self.seed), at).map(|RouteRow(route)| &**route)
    }

    /// The API with this id at a place.
    pub(crate) fn holder(&self, claim: &Claim, id: &str) -> Option<&Arc<Served<C>>> {
        let own = |RouteRow(route): &RouteRow<C>| route.is(claim, id);
        self.table.find(claim.place.hash(&self.seed), own).map(|RouteRow(route)| &route.served)
    }

    /// Puts an API at a place, instead of an earlier version of itself.
    pub(crate) fn put(&mut self, claim: Arc<Claim>, served: Arc<Served<C>>) {
        let (depth, hosted) = (claim.place.depth(), !claim.place.host.is_empty());
        let Self { seed, table, .. } = self;
        let route = Arc::new(Route { claim, served });
        let own = |RouteRow(other): &RouteRow<C>| other.is(&route.claim, &route.served.api.id);
        if table.replace(RouteRow(route.clone()), own, seed).is_none() {
            if self.depths.len() <= depth {
                self.depths.resize(depth + 1, 0);
            }
            self.depths[depth] += 1;
            self.hosts += usize::from(hosted);
        }
    }

    /// Takes an API away from a place.
    pub(crate) fn remove(&mut self, claim: &Claim, id: &str) {
        let own = |RouteRow(route): &RouteRow<C>| route.is(claim, id);
        if self.table.remove(claim.place.hash(&self.seed), own).is_some() {
            self.depths[claim.place.depth()] -= 1;
            while self.depths.last() == Some(&0) {
                self.depths.pop();
            }
            self.hosts -= usize::from(!claim.place.host.is_empty());
        }
    }

    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Route<C>> {
        self.table.iter().map(|RouteRow(route)| &**route)
    }
}

/// Where a path may be cut: at each `/`, and at its end. Only as many as context paths are deep.
struct Ends {
    few: [usize; Self::FEW],
    many: Vec<usize>,
    count: usize,
}

impl Ends {
    const FEW: usize = 16;

    fn of(path: &str, depths: usize) -> Self {
        let mut ends = Self { few: [0; Self::FEW], many: Vec::new(), count: 0 };
        // A path that does not begin with `/` is none (`*`, or an authority).
        if !path.starts_with('/') {
            return ends;
        }
        let boundaries = path.bytes().enumerate().filter(|(_, byte)| *byte == b'/').map(|(at, _)| at);
        let whole = (!path.ends_with('/')).then_some(path.len());
        for end in boundaries.chain(whole).take(depths) {
            match ends.few.get_mut(ends.count) {
                Some(place) => *place = end,
                None => ends.many.push(end),
            }
            ends.count += 1;
        }
        ends
    }

    /// Depth and end of each prefix, the longest first.
    fn longest_first(&self) -> impl Iterator<Item = (usize, usize)> {
        let few = &self.few[..self.count.min(Self::FEW)];
        let many = self.many.iter().enumerate().map(|(index, end)| (Self::FEW + index, *end));
        many.rev().chain(few.iter().copied().enumerate().rev())
    }
}
