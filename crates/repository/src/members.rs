//! Which APIs are members of API products that have plans for this gateway. Such an API is served whatever its own
//! sharding tags, and without plans of its own (`management-repository.md` section 10.2), so that what its event comes to
//! also depends on the products: when those change, it is read again.
//!
//! A reader that begins with a window, as after a promotion, does not know which APIs a product had before it changed. One
//! that left it in between, and is served for no other reason, then keeps its row until it or the product changes
//! again, or everything is read; the generation does not serve it, since no product has it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use zonegate_payload::convert::{self, ApiOutcome, NotServed, ProductOutcome, Refusal};
use zonegate_payload::record::{EventRecord, EventType, Place};
use zonegate_sync::port::{ChangeSink, RepositoryError};

use crate::cursor::Cursor;
use crate::families::APIS;
use crate::port::{Database, Event, Session};
use crate::portions::portions;
use crate::reader::{ReadEnd, Run, Time};

/// What products say, kept from one read to the next.
#[derive(Debug, Default)]
pub(crate) struct Members {
    products: HashMap<Arc<str>, Product>,
    /// How many products an API is a member of.
    counts: HashMap<Arc<str>, usize>,
    /// Whether all products were read.
    complete: bool,
}

#[derive(Debug, Default)]
struct Product {
    apis: BTreeSet<Arc<str>>,
    /// Whether the product went out in a change, and its APIs with it.
    told: bool,
}

impl Members {
    /// Whether an API is served because a product is.
    pub(crate) fn has(&self, api: &str) -> bool {
        self.counts.contains_key(api)
    }

    /// Whether all products were read.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Sets a product's APIs, none if it is not served. `told`: it goes out in a change. Answers the APIs for which that
    /// may make a difference.
    pub(crate) fn set(
        &mut self,
        product: &Arc<str>,
        apis: BTreeSet<Arc<str>>,
        told: bool,
    ) -> BTreeSet<Arc<str>> {
        let before = self.products.remove(product).unwrap_or_default();
        for api in &apis {
            *self.counts.entry(Arc::clone(api)).or_default() += 1;
        }
        for api in &before.apis {
            if let Some(count) = self.counts.get_mut(api) {
                *count -= 1;
                if *count == 0 {
                    self.counts.remove(api);
                }
            }
        }
        let touched = if before.told {
            before.apis.symmetric_difference(&apis).cloned().collect()
        } else {
            before.apis.union(&apis).cloned().collect()
        };
        if !apis.is_empty() || told {
            self.products.insert(Arc::clone(product), Product { told: told || before.told, apis });
        }
        touched
    }

    /// The products as they are now: `fresh` with what is known of having told them, and what was known of those that
    /// cannot be understood (S3). Answers the APIs that are no members any more.
    fn replaced_by(&mut self, mut fresh: Self, refused: &[Arc<str>]) -> Vec<Arc<str>> {
        for id in refused {
            if let Some(known) = self.products.get(id) {
                fresh.set(id, known.apis.clone(), false);
            }
        }
        for (id, product) in &mut fresh.products {
            product.told =
                self.products.get(id).is_some_and(|before| before.told && before.apis == product.apis);
        }
        let left = self.counts.keys().filter(|api| !fresh.has(api)).cloned().collect();
        *self = Self { complete: true, ..fresh };
        left
    }
}

impl<D: Database> Run<'_, D> {
    /// Reads all products, unless that was done before.
    pub(crate) async fn know_members(&mut self) -> Result<(), RepositoryError> {
        if !self.repository.members(|members| members.is_complete()) {
            self.read_members().await?;
        }
        Ok(())
    }

    /// Reads all products anew. Answers the APIs that are no members any more.
    pub(crate) async fn read_members(&mut self) -> Result<Vec<Arc<str>>, RepositoryError> {
        let always = self.session.window(i64::MIN, i64::MAX);
        let mut cursor = Cursor::new(&always, self.repository.settings.bulk.events);
        let (mut fresh, mut refused) = (Members::default(), Vec::new());
        loop {
            let (kinds, selection) = ([EventType::DeployApiProduct], self.selection.as_deref());
            let mut page = self.session.event_page(&kinds, cursor.slice(), selection).await?;
            if !cursor.advance(&mut page) {
                break;
            }
            for portion in portions(page) {
                let ids = portion.into_iter().map(|head| head.id).collect::<Vec<_>>();
                for event in self.session.events(&ids).await? {
                    match self.members_in(&event) {
                        Ok(apis) => {
                            fresh.set(&event.record.id, apis, false);
                        }
                        Err(_) => refused.push(event.record.id),
                    }
                }
            }
        }
        Ok(self.repository.members(|members| members.replaced_by(fresh, &refused)))
    }

    fn members_in(&self, event: &Event<Time<D>>) -> Result<BTreeSet<Arc<str>>, Refusal> {
        let nowhere = |_: Option<&Arc<str>>| Place::default();
        Ok(match convert::api_product(&event.record, &self.repository.convert, nowhere)? {
            ProductOutcome::Served { members, .. } => members.into_iter().collect(),
            ProductOutcome::NotServed(_) => BTreeSet::new(),
        })
    }

    /// What an API's event comes to, for its own sake or for a product's. Also answers which.
    pub(crate) fn api(
        &self,
        record: &EventRecord,
        place: impl Fn(Option<&Arc<str>>) -> Place,
    ) -> Result<(ApiOutcome, bool), Refusal> {
        let settings = &self.repository.convert;
        let own = convert::api(record, settings, &place)?;
        let without = matches!(own, ApiOutcome::NotServed(NotServed::NoPlan | NotServed::OtherTags));
        if without && self.repository.members(|members| members.has(&record.id)) {
            return Ok((convert::member_api(record, settings, place)?, false));
        }
        Ok((own, true))
    }

    /// Notes that a product goes out with these members.
    pub(crate) fn told_product(&self, product: &Arc<str>, members: Vec<Arc<str>>) {
        let apis = members.into_iter().collect();
        let touched = self.repository.members(|known| known.set(product, apis, true));
        self.touched.borrow_mut().extend(touched);
    }

    /// Reads APIs again whose membership may have changed in this read, if that can make a difference to them.
    pub(crate) async fn touched_members(&mut self, sink: &mut impl ChangeSink) -> Result<(), ReadEnd> {
        let touched = self.touched.take().into_iter().collect::<Vec<_>>();
        for some in touched.chunks(self.repository.settings.bulk.events) {
            let mut heads = self.session.event_heads(some, &APIS, self.selection.as_deref()).await?;
            self.repository.plans(|plans| heads.retain(|head| !plans.is_alone(&head.id, &head.updated)));
            for portion in portions(heads) {
                self.portion(portion, true, sink).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(of: &[&str]) -> BTreeSet<Arc<str>> {
        of.iter().map(|&id| id.into()).collect()
    }

    #[test]
    fn an_api_is_a_member_as_long_as_one_product_has_it() {
        let (mut members, one, two) = (Members::default(), "one".into(), "two".into());
        members.set(&one, set(&["a", "b"]), true);
        members.set(&two, set(&["b"]), true);
        members.set(&one, set(&[]), true);
        assert!(!members.has("a") && members.has("b"));
        members.set(&two, set(&[]), true);
        assert!(!members.has("b"));
    }

    #[test]
    fn only_what_was_not_told_before_is_touched() {
        let (mut members, product) = (Members::default(), "p".into());
        assert_eq!(members.set(&product, set(&["a", "b"]), false), set(&["a", "b"]));
        assert_eq!(
            members.set(&product, set(&["b", "c"]), true),
            set(&["a", "b", "c"]),
            "nothing was told yet"
        );
        assert_eq!(members.set(&product, set(&["c", "d"]), true), set(&["b", "d"]));
        assert_eq!(members.set(&product, set(&["c", "d"]), true), set(&[]));
        assert_eq!(members.set(&product, set(&[]), true), set(&["c", "d"]));
    }

    #[test]
    fn s5_a_product_that_is_not_there_any_more_leaves_its_apis() {
        let (mut members, mut fresh) = (Members::default(), Members::default());
        members.set(&"gone".into(), set(&["a", "b"]), true);
        members.set(&"same".into(), set(&["c"]), true);
        fresh.set(&"same".into(), set(&["b", "c"]), false);
        members.set(&"broken".into(), set(&["d"]), true);
        assert_eq!(members.replaced_by(fresh, &["broken".into(), "new".into()]), [Arc::from("a")]);
        assert!(members.has("d") && members.is_complete(), "S3: what is not understood stays");
        assert_eq!(
            members.set(&"same".into(), set(&["b", "c"]), true),
            set(&["b", "c"]),
            "it says something else now"
        );
    }
}
