//! What happens in the sync process, as log lines.

use tracing::{debug, error, info, warn};
use zonegate_model::{Revision, StoreId};
use zonegate_sync::{FullReadReason, Note};

/// Writes a note to the log. Levels: `error` needs somebody soon, `warn` explains a disturbance, `info` is the story.
pub(crate) fn log(note: Note) {
    match note {
        Note::Promoted { epoch } => info!(%epoch, "this gateway is now the primary of its zone"),
        Note::Deposed { epoch, by } => {
            let by = by.map(|node| node.to_string());
            warn!(%epoch, by, "this gateway is no longer primary; it follows from now on");
        }
        Note::Released { epoch } => info!(%epoch, "the lease was handed back; another gateway takes over"),
        Note::FullRead { reason, method } => {
            info!(reason = reason_text(reason), ?method, "reading the whole zone store");
        }
        Note::ReadUnproven { revision, kind, method } => {
            let kind = kind.map_or("?", zonegate_model::Kind::name);
            warn!(%revision, kind, ?method, "what was read is not the whole state of the zone; it is not used, and read again");
        }
        Note::Activated { revision, rows } => {
            info!(revision = place(revision), rows, "a complete state is active");
        }
        Note::StoreChanged { known, found } => {
            warn!(
                known = place(known),
                found = place(found),
                "the zone store is not what it was (emptied, rolled back, or filled by somebody else); serving goes on"
            );
        }
        Note::Verified { differences } => {
            info!(differences, "compared the zone store with this gateway's state");
        }
        Note::HoldingNewerState => {
            warn!(
                "this gateway's state may be newer than the zone store's; it is kept until the primary has read the repository again"
            );
        }
        Note::Published { revision, rows, whole } => {
            info!(%revision, rows, whole, "published to the zone store");
        }
        Note::Imported { full, changed } => info!(full, changed, "read the management repository"),
        Note::Audited { units: 0, changed: 0 } => {
            debug!("audited the management repository: nothing differs");
        }
        Note::Audited { units, changed } => {
            info!(units, changed, "audited the management repository: what differed was read");
        }
        Note::Refused { key, reason } => {
            error!(key, reason, "refused a record of the management repository; what was known of it stays");
        }
        Note::StoreFailed(cause) => warn!(%cause, "the zone store does not answer; trying again"),
        Note::StoreRecovered => info!("the zone store answers again"),
        Note::RepositoryFailed(cause) => {
            warn!(%cause, "the management repository does not answer; trying again");
        }
        Note::RepositoryRecovered => info!("the management repository answers again"),
    }
}

fn place(revision: Option<(StoreId, Revision)>) -> String {
    revision.map_or_else(|| "none".to_owned(), |(store, revision)| format!("{revision} of {store}"))
}

fn reason_text(reason: FullReadReason) -> &'static str {
    match reason {
        FullReadReason::Start => "start",
        FullReadReason::LogGap => "the log does not continue here",
        FullReadReason::OtherStore => "the store is another one",
        FullReadReason::DigestMismatch => "digests differ",
        FullReadReason::Unproven => "the last read could not be proven",
        FullReadReason::Verification => "verification",
        FullReadReason::ApimInterval => "interval",
    }
}
