//! What happened in the sync process, counted by kind: what the log tells once, metrics and technical API can ask for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use zonegate_model::{Clock, Kind};
use zonegate_sync::port::ReadMethod;
use zonegate_sync::{FullReadReason, Note};

/// Counts since the start of the process. Clones share them.
#[derive(Clone)]
pub(crate) struct Tally {
    counts: Arc<Mutex<Counts>>,
    clock: Arc<dyn Clock>,
}

/// The counts at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) full_reads: BTreeMap<&'static str, u64>,
    pub(crate) proof_failures: BTreeMap<Option<Kind>, u64>,
    pub(crate) repository_failures: u64,
    pub(crate) store_failures: u64,
    pub(crate) last_full_read: Option<LastRead>,
}

/// The last full read of the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastRead {
    pub(crate) reason: &'static str,
    pub(crate) method: &'static str,
    /// Wall-clock milliseconds of its beginning.
    pub(crate) at: i64,
    /// `None` while it runs.
    pub(crate) proven: Option<bool>,
    pub(crate) rows: u64,
}

impl Tally {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { counts: Arc::default(), clock }
    }

    /// Counts a note.
    pub(crate) fn count(&self, note: &Note) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        match note {
            Note::FullRead { reason, method } => {
                *counts.full_reads.entry(word(*reason)).or_default() += 1;
                let method = match method {
                    ReadMethod::Index => "index",
                    ReadMethod::Scan => "scan",
                };
                let at = self.clock.now().wall_millis;
                counts.last_full_read =
                    Some(LastRead { reason: word(*reason), method, at, proven: None, rows: 0 });
            }
            Note::ReadUnproven { kind, .. } => {
                *counts.proof_failures.entry(*kind).or_default() += 1;
                if let Some(read) = &mut counts.last_full_read {
                    read.proven = Some(false);
                }
            }
            Note::Activated { rows, revision: Some(_) } => {
                if let Some(read) = &mut counts.last_full_read {
                    (read.proven, read.rows) = (Some(true), *rows);
                }
            }
            Note::StoreFailed(_) => counts.store_failures += 1,
            Note::RepositoryFailed(_) => counts.repository_failures += 1,
            _ => {}
        }
    }

    /// The counts now.
    pub(crate) fn counts(&self) -> Counts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The word for a reason in metrics and technical API; part of the operators' interface.
fn word(reason: FullReadReason) -> &'static str {
    match reason {
        FullReadReason::Start => "start",
        FullReadReason::LogGap => "log-gap",
        FullReadReason::OtherStore => "other-store",
        FullReadReason::DigestMismatch => "digest-mismatch",
        FullReadReason::Unproven => "unproven",
        FullReadReason::Verification => "verification",
        FullReadReason::ApimInterval => "apim-interval",
    }
}
