//! Reading an index: ids and times only, in the order of ids, for audits (S5).
//!
//! Each page is read at its own moment, and nothing is kept of one when the next is read: memory does not grow with
//! the repository (L2). What the index mentions is decided by the database alone; texts are not read, so it also mentions
//! what is not served here.

use zonegate_model::{Kind, RowKey};
use zonegate_sync::port::{IndexSink, Indexed};

use crate::families::{Sort, families};
use crate::port::{Database, IndexPage, IndexPosition, Session};
use crate::reader::{ReadEnd, Run, Time};
use crate::stamps::recorded_at;

impl<D: Database> Run<'_, D> {
    /// All APIs and API products, accepted subscriptions, and active keys under each of the APIs and products that
    /// they are for.
    pub(crate) async fn index(&mut self, sink: &mut impl IndexSink) -> Result<(), ReadEnd> {
        let limit = self.repository.settings.bulk.subscriptions;
        for family in families(false) {
            let Sort::Unit(kind) = family.sort else { continue };
            let mut after = IndexPosition::default();
            loop {
                let selection = self.selection.as_deref();
                let page = self.session.event_index(family.deploying, &after, limit, selection).await?;
                match self.index_page(kind, page, sink).await? {
                    Some(next) => after = next,
                    None => break,
                }
            }
        }
        let mut after = IndexPosition::default();
        loop {
            let page = self.session.subscription_index(&after, limit, self.selection.as_deref()).await?;
            match self.index_page(Kind::Subscription, page, sink).await? {
                Some(next) => after = next,
                None => break,
            }
        }
        let mut after = IndexPosition::default();
        loop {
            let page = self.session.key_index(&after, limit, self.selection.as_deref()).await?;
            match self.index_page(Kind::ApiKey, page, sink).await? {
                Some(next) => after = next,
                None => return Ok(()),
            }
        }
    }

    /// Hands over a page, and answers where the next one begins.
    async fn index_page(
        &mut self,
        kind: Kind,
        page: IndexPage<Time<D>>,
        sink: &mut impl IndexSink,
    ) -> Result<Option<IndexPosition>, ReadEnd> {
        let scoped = matches!(kind, Kind::Subscription | Kind::ApiKey);
        let mut indexed: Vec<Indexed> = Vec::with_capacity(page.listed.len());
        for listed in page.listed {
            let key = match listed.scope {
                Some(scope) => RowKey::scoped(kind, scope, listed.id),
                // Belongs to no API or product, so that no row can be made of it.
                None if scoped => continue,
                None => RowKey::new(kind, listed.id),
            };
            // A key with several subscriptions to one API.
            let mut same = indexed.iter().rev().take_while(|last| last.key.id == key.id);
            if same.any(|last| last.key == key) {
                continue;
            }
            let at = listed.updated.as_ref().map(|time| self.session.millis(time));
            indexed.push(Indexed { key, recorded_at: recorded_at(at) });
        }
        if !indexed.is_empty() {
            sink.push(indexed).await?;
        }
        Ok(page.next)
    }
}
