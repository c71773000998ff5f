//! Turns the steps of the sync core into generations: the one place where sync process and data plane meet.

use tracing::{error, info, warn};
use zonegate_generation::{Builder, Committed, Compile};
use zonegate_sync::port::StageOp;
use zonegate_sync_driver::Stage;

/// The generation's builder, as the driver's stage.
pub(crate) struct Serving<C: Compile>(pub(crate) Builder<C>);

impl<C: Compile> Stage for Serving<C> {
    fn step(&mut self, op: StageOp) {
        match op {
            StageOp::Begin { full } => self.0.begin(full),
            StageOp::Rows(rows) => self.0.rows(rows),
            StageOp::Abort => self.0.abort(),
            StageOp::Commit { revision, digests } => log(&self.0.commit(revision, digests)),
        }
    }
}

/// Says what a commit changed. At most a few lines, however large it was.
fn log(committed: &Committed) {
    let Committed { number: generation, added, updated, members, credentials, removed, products, .. } =
        committed;
    let counts = [added, updated, members, credentials, removed, products].map(Vec::len);
    let [added, updated, members, credentials, removed, products] = counts;
    if counts.iter().any(|count| *count > 0) {
        info!(generation, added, updated, members, credentials, removed, products, "APIs changed");
    }
    for refused in committed.refused.iter().take(20) {
        let (kind, id, previous) = (refused.kind.name(), &refused.id, refused.previous_served);
        warn!(kind, %id, earlier_version_served = previous, reason = %refused.refusal, "an API or API product is refused");
    }
    if committed.refused.len() > 20 {
        warn!(count = committed.refused.len(), "more is refused; /_node/sync lists it");
    }
    for unreadable in committed.unreadable.iter().take(20) {
        error!(row = %unreadable.key, problem = unreadable.problem, "a row of the zone's state cannot be read");
    }
}
