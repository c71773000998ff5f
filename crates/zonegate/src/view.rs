//! The gateway as its technical API and its metrics see it: pictures of the sync core, the generation and the settings.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use zonegate_config::Report;
use zonegate_generation::{Compile, Generation, Published};
use zonegate_model::{Clock, Kind, Moment, Payload};
use zonegate_proxy::{ApiSnapshot, GatewaySnapshot, LATENCY_BOUNDS};
use zonegate_sync::port::MemberRole;
use zonegate_sync::{Role, Status};
use zonegate_technical_api::view::{
    ApiSummary, Cluster, ClusterMember, Counters, Dependency, Failure, FullRead, Identity, Member, NodeView,
    PrimaryLease, Probe, Probes, Refusal, StorePosition, Sync, Window, Zone,
};
use zonegate_telemetry::{ApiFigures, DataPlaneFigures, Exposition, Metrics, SyncFigures};

use crate::tally::Tally;

/// Who this gateway is, and what it was told.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) identity: Identity,
    pub(crate) zone: Option<String>,
    pub(crate) report: Report,
    pub(crate) log_levels: BTreeMap<String, String>,
    pub(crate) started: Moment,
}

/// The view. Every answer is a picture of a moment; nothing here waits.
pub(crate) struct GatewayView<C: Compile> {
    pub(crate) facts: Facts,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) status: watch::Receiver<Arc<Status>>,
    pub(crate) published: Published<C>,
    pub(crate) tally: Tally,
    pub(crate) metrics: Option<Metrics>,
    pub(crate) listening: Arc<AtomicBool>,
}

impl<C: Compile> GatewayView<C> {
    fn status(&self) -> Arc<Status> {
        self.status.borrow().clone()
    }
}

/// What is in a generation and not served.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unserved {
    apis: usize,
    api_products: usize,
    push_subscriptions: usize,
}

impl Unserved {
    pub(crate) fn of<C: Compile>(generation: &Generation<C>) -> Self {
        Self {
            apis: generation.refused_count(Kind::Api),
            api_products: generation.refused_count(Kind::ApiProduct),
            push_subscriptions: generation.push_subscription_count(),
        }
    }
}

/// Figures for a scrape.
pub(crate) fn figures(
    status: &Status,
    tally: &Tally,
    unserved: Unserved,
    zone: bool,
    now: Moment,
) -> SyncFigures {
    let counts = tally.counts();
    let counters = &status.counters;
    // What a primary could not make a row of, beside what could not be served.
    let refused = |here: usize, kind: Kind| {
        (here + status.refused.iter().filter(|(key, _)| key.kind == kind).count()) as u64
    };
    let stored = status.stored.map(|(_, revision, whole)| (revision, whole));
    SyncFigures {
        role: match status.role {
            Role::Lone => zonegate_telemetry::Role::Lone,
            Role::Secondary => zonegate_telemetry::Role::Secondary,
            Role::Primary { .. } => zonegate_telemetry::Role::Primary,
        },
        epoch: epoch(status),
        applied: status.applied.map(|(_, revision)| revision),
        store: stored.map(|(revision, _)| revision),
        whole: stored.map(|(_, whole)| whole),
        lag_millis: lag(status, now),
        ready: status.ready,
        repository_up: repository_up(status),
        store_up: zone.then_some(status.store_failure.is_none()),
        members: zone.then_some(status.members.len() as u64),
        rows: status.digests.iter().map(|(kind, sum)| (kind, sum.count)).collect(),
        pending_rows: status.pending,
        refused_apis: refused(unserved.apis, Kind::Api),
        refused_api_products: refused(unserved.api_products, Kind::ApiProduct),
        push_subscriptions: unserved.push_subscriptions as u64,
        batches_written: counters.batches,
        rows_written: counters.rows_written,
        fenced_writes: counters.fenced,
        takeovers: counters.promotions,
        full_reads: counts.full_reads.into_iter().map(|(word, count)| (Cow::Borrowed(word), count)).collect(),
        proof_failures: counts.proof_failures,
        repository_failures: counts.repository_failures,
        store_failures: counts.store_failures,
    }
}

/// What the data plane counted, for a scrape.
pub(crate) fn traffic(counts: GatewaySnapshot) -> DataPlaneFigures {
    let bounds = || LATENCY_BOUNDS.into_iter().map(Duration::from_millis).chain([Duration::MAX]);
    let api = |counts: ApiSnapshot| ApiFigures {
        by_class: counts.by_class,
        failures: counts.failures.iter().map(|(failure, count)| (failure.key(), *count)).collect(),
        durations: bounds().zip(counts.latency).collect(),
        duration_sum: Duration::from_micros(counts.latency_sum_micros),
    };
    DataPlaneFigures {
        connections: counts.connections,
        accepted: counts.accepted,
        in_flight: counts.in_flight,
        unrouted: counts.unrouted,
        refused: counts.refused,
        apis: counts.apis.into_iter().map(|(id, counts)| (id, api(counts))).collect(),
    }
}

fn epoch(status: &Status) -> Option<zonegate_model::Epoch> {
    match status.role {
        Role::Primary { epoch, .. } => Some(epoch),
        Role::Lone | Role::Secondary => None,
    }
}

/// Age of the repository time of the served state.
fn lag(status: &Status, now: Moment) -> Option<u64> {
    let synced = status.synced.filter(|_| status.ready)?;
    Some(now.wall_millis.saturating_sub(synced.to).max(0) as u64)
}

/// Whether the repository answers, for those that read it (Z2).
fn repository_up(status: &Status) -> Option<bool> {
    let reads = matches!(status.role, Role::Primary { .. } | Role::Lone);
    reads.then_some(status.repository_failure.is_none())
}

fn dependency(up: Option<bool>, failure: Option<&zonegate_sync::Failure>) -> Dependency {
    Dependency {
        up,
        last_failure: failure
            .map(|failure| Failure { message: failure.message.to_string(), at: failure.since }),
    }
}

const fn role_word(role: Role) -> &'static str {
    match role {
        Role::Lone => "lone",
        Role::Secondary => "secondary",
        Role::Primary { .. } => "primary",
    }
}

impl<C: Compile> NodeView for GatewayView<C> {
    fn now(&self) -> Moment {
        self.clock.now()
    }

    fn started(&self) -> Moment {
        self.facts.started
    }

    fn identity(&self) -> Identity {
        Identity {
            installation: self.published.load().installation_id().map(ToOwned::to_owned),
            ..self.facts.identity.clone()
        }
    }

    fn probes(&self) -> Probes {
        let status = self.status();
        let failed = |failure: &zonegate_sync::Failure| Probe::unhealthy(failure.message.to_string());
        let in_zone = self.facts.zone.is_some();
        Probes {
            management_repository: match repository_up(&status) {
                Some(true) => Probe::healthy(),
                Some(false) => status.repository_failure.as_ref().map_or_else(Probe::healthy, failed),
                None => Probe::healthy().saying("not read by a secondary"),
            },
            http_server: if self.listening.load(Ordering::Acquire) {
                Probe::healthy()
            } else {
                Probe::unhealthy("not listening")
            },
            cluster: match &status.store_failure {
                Some(failure) if in_zone => failed(failure),
                _ => Probe::healthy(),
            },
            sync_process: Some(if status.ready { Probe::healthy() } else { Probe::unhealthy("not ready") }),
        }
    }

    fn sync(&self) -> Sync {
        let status = self.status();
        let now = self.clock.now();
        let generation = self.published.load();
        let counts = self.tally.counts();
        let mut refused: Vec<Refusal> = generation
            .refused()
            .map(|refused| Refusal {
                kind: refused.kind.name(),
                id: refused.id.to_string(),
                reason: refused.refusal.to_string(),
                at: None,
                earlier_version_served: refused.previous_served,
            })
            .collect();
        refused.extend(status.refused.iter().map(|(key, reason)| Refusal {
            kind: key.kind.name(),
            id: key.id.to_string(),
            reason: reason.to_string(),
            at: None,
            earlier_version_served: key.kind == Kind::Api && generation.api(&key.id).is_some(),
        }));
        let last_error = status.repository_failure.as_ref().or(status.store_failure.as_ref());
        let in_zone = self.facts.zone.is_some();
        let position = status.stored.or(status.applied.map(|(id, revision)| (id, revision, revision)));
        Sync {
            initial_done: status.ready,
            cycles: status.counters.imports + status.counters.followed,
            last_on_error: last_error.is_some(),
            last_error: last_error.map(|failure| failure.message.to_string()),
            zone: Zone {
                name: self.facts.zone.clone().unwrap_or_default(),
                role: role_word(status.role),
                lease: in_zone.then(|| PrimaryLease {
                    epoch: epoch(&status).map_or(0, |epoch| epoch.0),
                    primary: status.primary.as_ref().map(ToString::to_string),
                }),
                store: position.map(|(id, revision, whole)| StorePosition {
                    id: id.to_string(),
                    revision: revision.0,
                    whole: whole.0,
                }),
                applied: status.applied.map(|(_, revision)| revision.0),
                synced: status.synced.map(|synced| Window { from: synced.from, to: synced.to }),
                lag_millis: lag(&status, now),
                rows: status.digests.iter().map(|(kind, sum)| (kind.name(), sum.count)).collect(),
                pending_rows: status.pending,
                push_subscriptions: generation.push_subscription_count() as u64,
                refused_count: refused.len() as u64,
                refused,
                last_full_read: counts.last_full_read.map(|read| FullRead {
                    reason: read.reason.to_owned(),
                    method: read.method,
                    at: read.at,
                    proven: read.proven,
                    rows: read.rows,
                }),
                repository: dependency(repository_up(&status), status.repository_failure.as_ref()),
                zone_store: dependency(
                    in_zone.then_some(status.store_failure.is_none()),
                    status.store_failure.as_ref(),
                ),
                members: status.members.iter().map(|member| self.member(member)).collect(),
                counters: Counters {
                    batches_written: status.counters.batches,
                    rows_written: status.counters.rows_written,
                    fenced_writes: status.counters.fenced,
                    takeovers: status.counters.promotions,
                    full_reads: status.counters.full_reads,
                    proof_failures: status.counters.unproven_reads + status.counters.digest_mismatches,
                },
            },
        }
    }

    fn cluster(&self) -> Cluster {
        let status = self.status();
        let identity = &self.facts.identity;
        let leads = !matches!(status.role, Role::Secondary);
        let others = status.members.iter().filter(|member| member.node.as_str() != identity.id);
        Cluster {
            id: self.facts.zone.clone().unwrap_or_else(|| "standalone".to_owned()),
            this: ClusterMember {
                node: identity.id.clone(),
                hostname: identity.hostname.clone(),
                host: identity.hostname.clone(),
                version: identity.version.clone(),
                primary: leads,
            },
            others: others
                .map(|member| ClusterMember {
                    node: member.node.to_string(),
                    hostname: member.host.clone(),
                    host: member.technical_api.clone().unwrap_or_else(|| member.host.clone()),
                    version: member.version.clone(),
                    primary: member.role == MemberRole::Primary,
                })
                .collect(),
        }
    }

    fn apis(&self) -> Vec<ApiSummary> {
        let generation = self.published.load();
        let summaries = generation.apis().map(|served| ApiSummary {
            id: served.api.id.to_string(),
            name: served.api.name.to_string(),
            version: served.api.version.to_string(),
        });
        summaries.collect()
    }

    fn api(&self, id: &str) -> Option<Payload> {
        self.published.load().api(id).map(|served| served.payload.clone())
    }

    fn configuration(&self, clear_text: bool) -> BTreeMap<String, String> {
        self.facts.report.resolved(clear_text)
    }

    fn metrics(&self, exposition: Exposition) -> Option<String> {
        self.metrics.as_ref().map(|metrics| metrics.render(exposition))
    }

    fn log_levels(&self) -> BTreeMap<String, String> {
        self.facts.log_levels.clone()
    }
}

impl<C: Compile> GatewayView<C> {
    fn member(&self, member: &zonegate_sync::port::Member) -> Member {
        Member {
            node: member.node.to_string(),
            is_self: member.node.as_str() == self.facts.identity.id,
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
}
