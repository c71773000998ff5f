use std::time::Duration;

use zonegate_model::{Digests, Epoch, Revision, RowKey, StoreId};
use zonegate_sync::Counters;
use zonegate_sync::port::{Member, RepositoryError, RepositoryFailure, Synced};

use super::*;

fn at(wall_millis: i64) -> Moment {
    Moment { elapsed: Duration::ZERO, wall_millis }
}

fn status(role: Role) -> Status {
    Status {
        role,
        ready: true,
        applied: Some((StoreId(255), Revision(17))),
        stored: None,
        synced: Some(Synced { from: -1, to: 1000, reads: 1 }),
        digests: Digests::default(),
        pending: 0,
        primary: Some(NodeId::new("node-2")),
        members: Vec::new(),
        refused: Vec::new(),
        store_failure: None,
        repository_failure: None,
        counters: Counters { imports: 5, followed: 7, ..Counters::default() },
    }
}

fn sync(journal: &Journal, status: &Status) -> view::Sync {
    journal.sync(&ZoneName::new("north"), &NodeId::new("node-1"), status, at(1500))
}

#[test]
fn the_technical_api_and_the_metrics_tell_the_same() {
    let journal = Journal::default();
    let mut status = status(Role::Primary { epoch: Epoch(4), steady: true });
    status.stored = Some((StoreId(255), Revision(18), Revision(17)));
    status.counters.fenced = 2;
    status.refused = vec![(RowKey::new(Kind::Api, "api-1"), "not understood".into())];
    let zone = sync(&journal, &status).zone;
    let figures = journal.figures(&status, 0, at(1500));

    assert_eq!((zone.role, figures.role.name()), ("primary", "primary"));
    assert_eq!(zone.lease.unwrap().epoch, figures.epoch.map(|epoch| epoch.0));
    assert_eq!((zone.lag_millis, figures.lag_millis), (Some(500), Some(500)));
    assert_eq!((zone.store.unwrap().whole, figures.whole), (17, Some(Revision(17))));
    assert_eq!((zone.refused_count, figures.refused_apis), (1, 1));
    assert_eq!((zone.counters.fenced_writes, figures.fenced_writes), (2, 2));
    assert_eq!(zone.refused[0].id, "api-1");
}

#[test]
fn a_secondary_does_not_call_the_repository_and_a_lone_gateway_has_no_store() {
    let journal = Journal::default();
    let zone = sync(&journal, &status(Role::Secondary)).zone;
    assert_eq!((zone.repository.up, zone.zone_store.up), (None, Some(true)));
    let zone = sync(&journal, &status(Role::Lone)).zone;
    assert_eq!((zone.repository.up, zone.zone_store.up, zone.lease), (Some(true), None, None));
}

#[test]
fn a_member_of_a_zone_that_has_no_state_and_no_primary_is_starting() {
    let mut starting = status(Role::Secondary);
    (starting.ready, starting.primary) = (false, None);
    assert_eq!(sync(&Journal::default(), &starting).zone.role, "starting");
}

#[test]
fn a_full_read_is_shown_with_its_reason_and_its_end() {
    let journal = Journal::default();
    let status = status(Role::Secondary);
    let begun = Note::FullRead { reason: FullReadReason::LogGap, method: ReadMethod::Index };
    journal.record(&begun, at(10));
    assert_eq!(sync(&journal, &status).zone.last_full_read.unwrap().proven, None, "it runs");

    let revision = Revision(17);
    journal
        .record(&Note::ReadUnproven { revision, kind: Some(Kind::Api), method: ReadMethod::Index }, at(11));
    assert_eq!(sync(&journal, &status).zone.last_full_read.unwrap().proven, Some(false));
    assert_eq!(journal.figures(&status, 0, at(12)).proof_failures, BTreeMap::from([(Some(Kind::Api), 1)]));

    journal.record(&Note::FullRead { reason: FullReadReason::Unproven, method: ReadMethod::Scan }, at(12));
    journal.record(&Note::Activated { revision: None, rows: 40 }, at(13));
    journal.record(&Note::Activated { revision: None, rows: 41 }, at(14));
    let read = sync(&journal, &status).zone.last_full_read.unwrap();
    assert_eq!((read.reason.as_str(), read.method, read.at), ("unproven", "scan", 12));
    assert_eq!((read.proven, read.rows), (Some(true), 40), "later states are not of that read");
    let reads = journal.figures(&status, 0, at(15)).full_reads;
    assert_eq!(reads, BTreeMap::from([("log-gap".into(), 1), ("unproven".into(), 1)]));
}

#[test]
fn the_last_failure_is_remembered_after_the_recovery() {
    let journal = Journal::default();
    let error =
        RepositoryError { failure: RepositoryFailure::Unreachable, message: "connection refused".into() };
    journal.record(&Note::RepositoryFailed(error), at(20));
    journal.record(&Note::RepositoryRecovered, at(30));
    let shown = sync(&journal, &status(Role::Lone));
    assert!(!shown.last_on_error);
    assert_eq!(shown.zone.repository.up, Some(true));
    assert_eq!(shown.zone.repository.last_failure.unwrap().at, 20);
}

#[test]
fn the_epoch_that_a_deposed_primary_knew_is_still_shown() {
    let journal = Journal::default();
    journal.record(&Note::Promoted { epoch: Epoch(4) }, at(1));
    journal.record(&Note::Deposed { epoch: Epoch(4), by: None }, at(2));
    assert_eq!(sync(&journal, &status(Role::Secondary)).zone.lease.unwrap().epoch, Some(4));
}

#[test]
fn this_gateway_is_marked_among_the_members() {
    let member = |node: &str, role| Member {
        node: NodeId::new(node),
        host: "vm".to_owned(),
        version: "0.1.0".to_owned(),
        role,
        technical_api: None,
        applied: Some((StoreId(255), Revision(16))),
        repository_reachable: None,
        suspects: None,
        wants_audit: false,
        since: 3,
    };
    let mut status = status(Role::Secondary);
    status.members = vec![member("node-1", MemberRole::Secondary), member("node-2", MemberRole::Primary)];
    let members = sync(&Journal::default(), &status).zone.members;
    assert_eq!(members.iter().map(|m| m.is_self).collect::<Vec<_>>(), [true, false]);
    assert_eq!((members[1].role, members[1].applied), ("primary", Some(16)));
}
