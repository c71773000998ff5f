//! From the sync core's words to what people and tools are shown: `/_node/sync` and the metrics tell the same figures.
//!
//! The core's status says where things stand. What happened on the way (which reads were begun and why, when a call
//! failed last) it only notes; the [`Journal`] hears the notes and remembers as much as is shown. Its size does not grow.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use zonegate_model::{Kind, Moment, NodeId, ZoneName};
use zonegate_sync::port::{MemberRole, ReadMethod};
use zonegate_sync::{FullReadReason, Note, Role, Status};
use zonegate_telemetry::SyncFigures;

use crate::view;

/// What happened in the sync process, as far as it is shown.
#[derive(Debug, Default)]
pub struct Journal(Mutex<Events>);

#[derive(Clone, Debug, Default)]
struct Events {
    /// The highest epoch heard of.
    epoch: Option<zonegate_model::Epoch>,
    last_full_read: Option<view::FullRead>,
    full_reads: BTreeMap<Cow<'static, str>, u64>,
    proof_failures: BTreeMap<Option<Kind>, u64>,
    activations: u64,
    store_failures: u64,
    repository_failures: u64,
    last_store_failure: Option<view::Failure>,
    last_repository_failure: Option<view::Failure>,
}

impl Journal {
    /// Hears a note.
    pub fn record(&self, note: &Note, now: Moment) {
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = now.wall_millis;
        match note {
            Note::Promoted { epoch } | Note::Deposed { epoch, .. } | Note::Released { epoch } => {
                events.epoch = events.epoch.max(Some(*epoch));
            }
            Note::FullRead { reason, method } => {
                let reason = reason_word(*reason);
                *events.full_reads.entry(Cow::Borrowed(reason)).or_default() += 1;
                events.last_full_read = Some(view::FullRead {
                    reason: reason.to_owned(),
                    method: method_word(*method),
                    at,
                    proven: None,
                    rows: 0,
                });
            }
            Note::ReadUnproven { kind, .. } => {
                *events.proof_failures.entry(*kind).or_default() += 1;
                if let Some(read) = &mut events.last_full_read {
                    read.proven = Some(false);
                }
            }
            Note::Activated { rows, .. } => {
                events.activations += 1;
                if let Some(read) = &mut events.last_full_read
                    && read.proven.is_none()
                {
                    read.proven = Some(true);
                    read.rows = *rows;
                }
            }
            Note::StoreFailed(error) => {
                events.store_failures += 1;
                events.last_store_failure = Some(view::Failure { message: error.message.clone(), at });
            }
            Note::RepositoryFailed(error) => {
                events.repository_failures += 1;
                events.last_repository_failure = Some(view::Failure { message: error.message.clone(), at });
            }
            _ => {}
        }
    }

    /// The sync process as `/_node/sync` shows it. What the generation refuses is not in it: the caller adds it to
    /// `zone.refused`.
    pub fn sync(&self, zone: &ZoneName, this: &NodeId, status: &Status, now: Moment) -> view::Sync {
        let events = self.events();
        let primary = status.primary.as_ref().map(NodeId::to_string);
        let epoch = epoch(status, &events);
        let failure = status.repository_failure.as_ref().or(status.store_failure.as_ref());
        let counters = &status.counters;
        view::Sync {
            initial_done: status.ready,
            cycles: cycles(status, &events),
            last_on_error: failure.is_some(),
            last_error: failure.map(|failure| failure.message.to_string()),
            zone: view::Zone {
                name: zone.to_string(),
                role: role(status).name(),
                lease: (status.role != Role::Lone)
                    .then(|| view::PrimaryLease { epoch: epoch.map(|epoch| epoch.0), primary }),
                store: status.stored.map(|(store, revision, whole)| view::StorePosition {
                    id: store.to_string(),
                    revision: revision.0,
                    whole: whole.0,
                }),
                applied: status.applied.map(|(_, revision)| revision.0),
                synced: status.synced.map(|synced| view::Window { from: synced.from, to: synced.to }),
                lag_millis: lag(status, now),
                rows: rows(status).map(|(kind, count)| (kind.name(), count)).collect(),
                pending_rows: status.pending,
                refused_count: status.refused.len() as u64,
                refused: status.refused.iter().map(refusal).collect(),
                last_full_read: events.last_full_read,
                repository: view::Dependency {
                    up: repository_up(status),
                    last_failure: events.last_repository_failure,
                },
                zone_store: view::Dependency {
                    up: store_up(status),
                    last_failure: events.last_store_failure,
                },
                members: status.members.iter().map(|member| shown_member(member, this)).collect(),
                counters: view::Counters {
                    batches_written: counters.batches,
                    rows_written: counters.rows_written,
                    fenced_writes: counters.fenced,
                    takeovers: counters.promotions,
                    full_reads: counters.full_reads,
                    proof_failures: counters.unproven_reads + counters.digest_mismatches,
                },
            },
        }
    }

    /// The sync process as the metrics show it. `refused_apis`: what the generation refuses.
    pub fn figures(&self, status: &Status, refused_apis: u64, now: Moment) -> SyncFigures {
        let events = self.events();
        let counters = &status.counters;
        SyncFigures {
            role: role(status),
            epoch: epoch(status, &events),
            applied: status.applied.map(|(_, revision)| revision),
            store: status.stored.map(|(_, revision, _)| revision),
            whole: status.stored.map(|(_, _, whole)| whole),
            lag_millis: lag(status, now),
            ready: status.ready,
            repository_up: repository_up(status),
            store_up: store_up(status),
            members: (status.role != Role::Lone).then_some(status.members.len() as u64),
            rows: rows(status).collect(),
            pending_rows: status.pending,
            refused_apis: refused_apis + status.refused.len() as u64,
            batches_written: counters.batches,
            rows_written: counters.rows_written,
            fenced_writes: counters.fenced,
            takeovers: counters.promotions,
            full_reads: events.full_reads,
            proof_failures: events.proof_failures,
            repository_failures: events.repository_failures,
            store_failures: events.store_failures,
        }
    }

    fn events(&self) -> Events {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What this gateway is. A member of a zone without any state is still starting.
fn role(status: &Status) -> zonegate_telemetry::Role {
    match status.role {
        Role::Lone => zonegate_telemetry::Role::Lone,
        Role::Primary { .. } => zonegate_telemetry::Role::Primary,
        Role::Secondary if status.ready || status.primary.is_some() => zonegate_telemetry::Role::Secondary,
        Role::Secondary => zonegate_telemetry::Role::Starting,
    }
}

fn epoch(status: &Status, events: &Events) -> Option<zonegate_model::Epoch> {
    match status.role {
        Role::Primary { epoch, .. } => Some(epoch),
        Role::Secondary => events.epoch,
        Role::Lone => None,
    }
}

/// The original counts cycles; a primary's are its reads of the repository, a secondary's the states that it activated.
fn cycles(status: &Status, events: &Events) -> u64 {
    match status.role {
        Role::Primary { .. } | Role::Lone => status.counters.imports,
        Role::Secondary => events.activations + status.counters.followed,
    }
}

fn lag(status: &Status, now: Moment) -> Option<u64> {
    status.synced.map(|synced| u64::try_from(now.wall_millis.saturating_sub(synced.to)).unwrap_or(0))
}

fn rows(status: &Status) -> impl Iterator<Item = (Kind, u64)> + '_ {
    status.digests.iter().map(|(kind, sum)| (kind, sum.count)).filter(|(_, count)| *count > 0)
}

/// A secondary does not call the repository (Z2).
fn repository_up(status: &Status) -> Option<bool> {
    (status.role != Role::Secondary).then_some(status.repository_failure.is_none())
}

fn store_up(status: &Status) -> Option<bool> {
    (status.role != Role::Lone).then_some(status.store_failure.is_none())
}

fn refusal((key, reason): &(zonegate_model::RowKey, std::sync::Arc<str>)) -> view::Refusal {
    view::Refusal {
        kind: key.kind.name(),
        id: key.id.to_string(),
        reason: reason.to_string(),
        at: None,
        // What was known of the record stays, if anything was; the core does not say.
        earlier_version_served: None,
    }
}

fn shown_member(member: &zonegate_sync::port::Member, this: &NodeId) -> view::Member {
    view::Member {
        node: member.node.to_string(),
        is_self: member.node == *this,
        host: member.host.clone(),
        version: member.version.clone(),
        role: match member.role {
            MemberRole::Primary => "primary",
            MemberRole::Secondary => "secondary",
        },
        applied: member.applied.map(|(_, revision)| revision.0),
        store: member.applied.map(|(store, _)| store.to_string()),
        technical_api: member.technical_api.clone(),
        repository_reachable: member.repository_reachable,
        since: member.since,
    }
}

/// The word for a reason in metrics and JSON; `docs/metrics.md` explains them.
fn reason_word(reason: FullReadReason) -> &'static str {
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

fn method_word(method: ReadMethod) -> &'static str {
    match method {
        ReadMethod::Index => "index",
        ReadMethod::Scan => "scan",
    }
}

#[cfg(test)]
mod tests;
