//! API products: read and compiled once each, and attached to their members (`sync-semantics.md` section 7.6). A product that
//! comes, changes or goes touches its members and nobody else, in the same commit (S2); its subscriptions and keys are
//! held once, under its own id (P5).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use zonegate_definition::{
    Api, ApiProduct, DefinitionVersion, NotHere, Read, Reason, Refusal, read_api_product,
};
use zonegate_model::{Kind, Payload, RowKey};
use zonegate_payload::ApiProductPayload;

use super::Builder;
use super::report::Report;
use super::settle::Dirty;
use super::staging::{Texts, describe};
use crate::compile::Compile;
use crate::generation::RefusedRow;
use crate::served::{Products, Refused, ServedProduct};

/// What is known of one product row.
pub(super) struct ProductSlot<C: Compile> {
    payload: Payload,
    /// The version whose plans are offered: the row's, or an earlier one if the row is refused.
    served: Option<Arc<ServedProduct<C>>>,
}

/// From an API to the products that are served and contain it.
#[derive(Default)]
pub(super) struct Memberships(HashMap<Arc<str>, BTreeSet<Arc<str>>>);

impl Memberships {
    fn add(&mut self, product: &ApiProduct) {
        for api in &product.apis {
            self.0.entry(api.clone()).or_default().insert(product.id.clone());
        }
    }

    fn remove(&mut self, product: &ApiProduct) {
        for api in &product.apis {
            if let Some(products) = self.0.get_mut(api) {
                products.remove(&product.id);
                if products.is_empty() {
                    self.0.remove(api);
                }
            }
        }
    }
}

type Verdict<C> = Result<Result<Arc<ServedProduct<C>>, NotHere>, (Option<Arc<str>>, Refusal)>;

impl<C: Compile> Builder<C> {
    pub(super) fn apply_products(
        &mut self,
        mut staged: Texts,
        full: bool,
        dirty: &mut Dirty,
        report: &mut Report<C>,
    ) {
        if full {
            for id in self.products.keys() {
                staged.entry(id.clone()).or_insert(None);
            }
        }
        for (id, payload) in staged {
            if self.products.get(&id).map(|slot| &slot.payload) == payload.as_ref() {
                continue;
            }
            self.clear_refusal_of_product(&id);
            let before = self.products.remove(&id).and_then(|slot| slot.served);
            let now = match payload {
                None => None,
                Some(payload) => {
                    let served = match self.evaluate_product(&id, &payload) {
                        Ok(Ok(served)) => Some(served),
                        Ok(Err(reason)) => {
                            report.not_here.push((RowKey::new(Kind::ApiProduct, id.clone()), reason));
                            None
                        }
                        Err((name, refusal)) => {
                            let previous = before.clone().filter(|_| self.settings.keep_previous);
                            let previous_served = previous.is_some();
                            let kind = Kind::ApiProduct;
                            let refused =
                                Arc::new(Refused { kind, id: id.clone(), name, refusal, previous_served });
                            self.refused.insert(RefusedRow(refused.clone()), &self.seed);
                            report.refused_products.push(refused);
                            previous
                        }
                    };
                    self.products.insert(id.clone(), ProductSlot { payload, served: served.clone() });
                    served
                }
            };
            self.replace_product(&id, before.as_ref(), now, dirty, report);
        }
    }

    /// Offers another version of a product, or none, and marks all whom that concerns.
    fn replace_product(
        &mut self,
        id: &Arc<str>,
        before: Option<&Arc<ServedProduct<C>>>,
        now: Option<Arc<ServedProduct<C>>>,
        dirty: &mut Dirty,
        report: &mut Report<C>,
    ) {
        let unchanged = match (before, &now) {
            (None, None) => true,
            (Some(before), Some(now)) => Arc::ptr_eq(before, now),
            _ => false,
        };
        if unchanged {
            return;
        }
        report.products.insert(id.clone());
        if let Some(before) = before {
            self.memberships.remove(&before.product);
        }
        if let Some(now) = &now {
            self.memberships.add(&now.product);
        }
        for product in before.into_iter().chain(&now) {
            for api in product.product.apis.iter().filter(|api| self.slots.contains_key(*api)) {
                dirty.products(api.clone());
            }
        }
        let served = Arc::make_mut(&mut self.served_products);
        match now {
            Some(now) => served.insert(id.clone(), now),
            None => served.remove(id),
        };
    }

    fn evaluate_product(&self, id: &str, payload: &Payload) -> Verdict<C> {
        let payload: ApiProductPayload = serde_json::from_str(payload.as_str())
            .map_err(|error| (None, Refusal::new(Reason::Malformed(describe(&error)), "")))?;
        let name = || payload.rest.get("name").and_then(|name| name.as_str()).map(Into::into);
        if payload.id != id {
            let reason = Reason::Other("the product has another id than its row".to_owned());
            return Err((name(), Refusal::new(reason, "id")));
        }
        let product = match read_api_product(&payload, &self.settings.node) {
            Ok(Read::Serve(product)) => Arc::<ApiProduct>::from(product),
            Ok(Read::NotHere(reason)) => return Ok(Err(reason)),
            Err(refusal) => return Err((name(), refusal)),
        };
        match self.compile.compile_product(&product) {
            Ok(compiled) => Ok(Ok(Arc::new(ServedProduct::new(product, compiled, &self.seed)))),
            Err(refusal) => Err((name(), refusal)),
        }
    }

    fn clear_refusal_of_product(&mut self, id: &str) {
        let hash = self.seed.hash(id.as_bytes());
        self.refused.remove(hash, |row| row.0.kind == Kind::ApiProduct && *row.0.id == *id);
    }

    /// The products that an API of an environment is a member of. Both have to be in the same one.
    fn products_in<'a>(
        &'a self,
        api: &str,
        environment: Option<&'a Arc<str>>,
    ) -> impl Iterator<Item = &'a Arc<ServedProduct<C>>> {
        let products = self.memberships.0.get(api).filter(|_| environment.is_some());
        products
            .into_iter()
            .flatten()
            .filter_map(|product| self.products.get(product)?.served.as_ref())
            .filter(move |served| served.product.environment.as_ref() == environment)
    }

    /// Whether some product lets an API be served that would not be by itself.
    pub(super) fn is_member(&self, api: &str, environment: Option<&Arc<str>>) -> bool {
        self.products_in(api, environment).next().is_some()
    }

    /// The products whose plans an API is served under. Only V4 APIs are.
    pub(super) fn products_of(&self, api: &Api) -> Products<C> {
        if api.generation != DefinitionVersion::V4 {
            return Products::default();
        }
        let mut products: Vec<_> = self.products_in(&api.id, api.environment.as_ref()).cloned().collect();
        products.sort_by(|one, other| {
            let order = |served: &ServedProduct<C>| (served.product.deployed_at, served.product.id.clone());
            order(one).cmp(&order(other))
        });
        Products::new(products)
    }

    /// The products whose plans an API is served under, or why it is not served: neither by itself nor by a product.
    pub(super) fn standing(&self, api: &Api) -> Result<Products<C>, NotHere> {
        let products = self.products_of(api);
        let tags = &self.settings.node.tags;
        if !products.is_empty() {
            Ok(products)
        } else if !tags.accept(api.tags.iter().map(String::as_str)) {
            Err(NotHere::Tags)
        } else if api.plans.is_empty() {
            Err(NotHere::NoPlan)
        } else {
            Ok(products)
        }
    }
}
