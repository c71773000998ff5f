//! APIs and API products that are served, and what is refused.

use std::fmt;
use std::sync::Arc;

use zonegate_definition::{Api, ApiProduct, Refusal};
use zonegate_model::{Kind, Payload};

use crate::compile::Compile;
use crate::table::Seed;

/// An API that is served.
pub struct Served<C: Compile> {
    /// The API.
    pub api: Arc<Api>,
    /// What the data plane made of it. The same pointer as before when only its products or its places changed.
    pub compiled: Arc<C::Compiled>,
    /// The API products that it is a member of.
    pub products: Products<C>,
    /// The text of its row. May hold secrets.
    pub payload: Payload,
    pub(crate) scope: u64,
}

impl<C: Compile> Served<C> {
    /// Where its own credentials are.
    pub fn scope(&self) -> Scope<'_> {
        Scope { id: &self.api.id, hash: self.scope }
    }
}

impl<C: Compile> fmt::Debug for Served<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served")
            .field("api", &self.api.id)
            .field("products", &self.products)
            .finish_non_exhaustive()
    }
}

/// An API product whose plans are served: held once, whatever the number of its members.
pub struct ServedProduct<C: Compile> {
    /// The product.
    pub product: Arc<ApiProduct>,
    /// What the data plane made of its plans.
    pub compiled: C::CompiledProduct,
    scope: u64,
}

impl<C: Compile> ServedProduct<C> {
    pub(crate) fn new(product: Arc<ApiProduct>, compiled: C::CompiledProduct, seed: &Seed) -> Self {
        Self { scope: seed.hash(product.id.as_bytes()), product, compiled }
    }

    /// Where its credentials are.
    pub fn scope(&self) -> Scope<'_> {
        Scope { id: &self.product.id, hash: self.scope }
    }
}

impl<C: Compile> fmt::Debug for ServedProduct<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServedProduct").field("id", &self.product.id).finish_non_exhaustive()
    }
}

/// Where the credentials of an API or an API product are in a generation.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    pub(crate) id: &'a Arc<str>,
    pub(crate) hash: u64,
}

/// The API products that an API is a member of, and their plans in the order in which they are tried: by the type of
/// their security, then by product (`data-plane.md` section 3.1).
pub struct Products<C: Compile>(Option<Arc<Membership<C>>>);

struct Membership<C: Compile> {
    products: Box<[Arc<ServedProduct<C>>]>,
    /// Index of the product, and of the plan in it.
    chain: Box<[(u32, u32)]>,
}

impl<C: Compile> Default for Products<C> {
    fn default() -> Self {
        Self(None)
    }
}

impl<C: Compile> Clone for Products<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C: Compile> Products<C> {
    /// Of products in the order in which they come among plans of the same type.
    pub(crate) fn new(products: Vec<Arc<ServedProduct<C>>>) -> Self {
        if products.is_empty() {
            return Self(None);
        }
        let mut chain: Vec<_> = products
            .iter()
            .enumerate()
            .flat_map(|(at, product)| {
                let orders = product.product.plans.iter().map(|plan| plan.security.order());
                orders.enumerate().map(move |(plan, order)| (order, (at as u32, plan as u32)))
            })
            .collect();
        chain.sort_by_key(|(order, _)| *order);
        let chain = chain.into_iter().map(|(_, at)| at).collect();
        Self(Some(Arc::new(Membership { products: products.into(), chain })))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The products.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<ServedProduct<C>>> {
        self.0.iter().flat_map(|membership| &membership.products)
    }

    /// All their plans in the order in which they are tried: the product, and the index of the plan in it.
    pub fn plans(&self) -> impl Iterator<Item = (&ServedProduct<C>, usize)> {
        self.0.iter().flat_map(|membership| {
            let plan =
                |(product, plan): &(u32, u32)| (&*membership.products[*product as usize], *plan as usize);
            membership.chain.iter().map(plan)
        })
    }

    /// Whether both are the same versions of the same products.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.iter().map(Arc::as_ptr).eq(other.iter().map(Arc::as_ptr))
    }
}

impl<C: Compile> fmt::Debug for Products<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|product| &product.product.id)).finish()
    }
}

/// An API or an API product whose row is there and is not served as it says (S3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What it is.
    pub kind: Kind,
    /// Id.
    pub id: Arc<str>,
    /// Name, if it could be read.
    pub name: Option<Arc<str>>,
    /// Why.
    pub refusal: Refusal,
    /// An earlier version is still being served.
    pub previous_served: bool,
}
