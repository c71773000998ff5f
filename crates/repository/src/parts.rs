//! Reading named APIs and API products complete, and all that stands alone: what an audit asks for after the index.

use std::collections::HashSet;
use std::sync::Arc;

use zonegate_sync::port::{Change, ChangeSink, StampedChange};

use crate::families::OF_UNITS;
use crate::port::{Database, Session};
use crate::portions::portions;
use crate::reader::{ReadEnd, Run};
use crate::stamps::stamp;

/// APIs and products that are looked for together, at least.
const TOGETHER: usize = 100;

impl<D: Database> Run<'_, D> {
    /// All entities that stand alone, then these units; one that is not to be active comes without rows.
    pub(crate) async fn parts(
        &mut self,
        units: &[Arc<str>],
        sink: &mut impl ChangeSink,
    ) -> Result<(), ReadEnd> {
        self.standing_alone(sink).await?;
        let mut units = units.to_vec();
        units.extend(self.read_members().await?);
        units.sort();
        units.dedup();
        for some in units.chunks(self.repository.settings.bulk.events.max(TOGETHER)) {
            let heads = self.session.event_heads(some, &OF_UNITS, self.selection.as_deref()).await?;
            let there = heads.iter().map(|head| Arc::clone(&head.id)).collect::<HashSet<_>>();
            let gone = some.iter().filter(|id| !there.contains(*id)).map(|id| StampedChange {
                stamp: stamp("event", id, 0),
                change: Change::Scope { id: Arc::clone(id), rows: Vec::new() },
            });
            let gone = gone.collect::<Vec<_>>();
            if !gone.is_empty() {
                sink.push(gone).await?;
            }
            for portion in portions(heads) {
                self.portion(portion, true, sink).await?;
            }
        }
        self.touched_members(sink).await?;
        Ok(())
    }
}
