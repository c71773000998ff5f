//! Turns the steps of the sync core into generations: the one place where sync process and data plane meet.

use tracing::{error, info, warn};
use zonegate_generation::{Builder, Committed, Compile};
use zonegate_sync::port::StageOp;

use crate::sync_driver::Stage;

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
    let counts =
        [&committed.added, &committed.updated, &committed.credentials, &committed.removed].map(Vec::len);
    let [added, updated, credentials, removed] = counts;
    if counts.iter().any(|count| *count > 0) {
        info!(generation = committed.number, added, updated, credentials, removed, "APIs changed");
    }
    for refused in committed.refused.iter().take(20) {
        let (api, previous) = (&refused.id, refused.previous_served);
        warn!(%api, earlier_version_served = previous, reason = %refused.refusal, "an API is refused");
    }
    if committed.refused.len() > 20 {
        warn!(count = committed.refused.len(), "more APIs are refused; /_node/sync lists them");
    }
    for unreadable in committed.unreadable.iter().take(20) {
        error!(row = %unreadable.key, problem = unreadable.problem, "a row of the zone's state cannot be read");
    }
}
