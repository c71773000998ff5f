//! Audits: what is asked of the repository, and what follows from its answers.

use std::time::Duration;

use zonegate_model::{Kind, RecordedAt, Row, RowKey};
use zonegate_sync::port::Change;
use zonegate_sync::{RepositoryReply, RepositoryRequest};

use crate::gateway::{
    Gateway, api, index_of_two, indexed, key, row, stamped, two_apis, unit, unreachable_repository,
};

#[test]
fn s4_an_audit_that_finds_nothing_reads_no_unit_and_changes_nothing() {
    let mut gateway = Gateway::with(two_apis());
    assert_eq!(gateway.audit(index_of_two(), Vec::new()), Vec::<String>::new());
    assert_eq!(gateway.served(), Vec::<String>::new());
    assert_eq!(gateway.audits, [(0, 0)]);
}

#[test]
fn s5_a_key_that_the_index_does_not_mention_goes_when_its_unit_was_read_and_not_before() {
    let mut gateway = Gateway::with(two_apis());
    let mut index = index_of_two();
    index.retain(|indexed| &*indexed.key.id != "b-key");
    let call = gateway.begin_audit();
    gateway.answer(call, RepositoryReply::Index(index));
    gateway.answer(call, RepositoryReply::Done(Ok(())));
    assert_eq!(gateway.served(), Vec::<String>::new(), "the index itself proves nothing");
    let (call, units) = gateway.parts();
    assert_eq!(units, ["b"]);
    gateway.answer(call, RepositoryReply::Changes(vec![unit("b", vec![row(api("b"), 10)])]));
    gateway.answer(call, RepositoryReply::Done(Ok(())));
    assert_eq!(gateway.served(), ["-b-key"]);
}

#[test]
fn s5_a_record_with_another_time_or_without_a_row_has_its_unit_read() {
    let mut gateway = Gateway::with(two_apis());
    let mut index = index_of_two();
    index[0].recorded_at = RecordedAt(99);
    index.push(indexed(key("b", "another"), 5));
    index.push(indexed(api("c"), 5));
    let read = gateway.audit(index, Vec::new());
    assert_eq!(read, ["a", "b", "c"]);
}

#[test]
fn what_a_window_brought_since_the_audit_began_need_not_be_in_its_index() {
    let mut gateway = Gateway::with(two_apis());
    let call = gateway.begin_audit();
    gateway.pass(Duration::from_secs(5));
    gateway.window(vec![unit("c", vec![row(api("c"), 50), row(key("c", "c-key"), 50)])]);
    gateway.answer(call, RepositoryReply::Index(index_of_two()));
    gateway.answer(call, RepositoryReply::Done(Ok(())));
    assert_eq!(gateway.parts().1, Vec::<String>::new());
}

#[test]
fn windows_go_on_at_their_cadence_while_an_index_streams() {
    let mut gateway = Gateway::with(two_apis());
    let call = gateway.begin_audit();
    for _ in 0..5 {
        gateway.pass(Duration::from_secs(5));
        gateway.window(Vec::new());
        gateway.answer(call, RepositoryReply::Index(index_of_two()));
    }
    assert!(gateway.audits.is_empty());
}

#[test]
fn what_is_not_served_here_is_read_once_and_again_when_its_record_changes() {
    let mut gateway = Gateway::with(two_apis());
    let with_others = |at| {
        let mut index = index_of_two();
        index.push(indexed(api("elsewhere"), at));
        index.push(indexed(key("elsewhere", "its-key"), at));
        index.push(indexed(key("b", "of-another-plan"), at));
        index
    };
    let parts = || vec![unit("elsewhere", Vec::new()), two_apis().remove(1)];
    assert_eq!(gateway.audit(with_others(7), parts()), ["b", "elsewhere"]);
    assert_eq!(gateway.audit(with_others(7), Vec::new()), Vec::<String>::new());
    assert_eq!(gateway.audit(with_others(7), Vec::new()), Vec::<String>::new(), "it stays known");
    assert_eq!(gateway.audit(with_others(8), parts()), ["b", "elsewhere"]);
    assert_eq!(gateway.audit(index_of_two(), Vec::new()), Vec::<String>::new());
    assert_eq!(
        gateway.audit(with_others(8), parts()),
        ["b", "elsewhere"],
        "what an index leaves out is forgotten"
    );
}

#[test]
fn s3_a_refused_api_is_read_once_and_keeps_what_is_known_of_it() {
    let mut gateway = Gateway::with(two_apis());
    let mut index = index_of_two();
    index[0].recorded_at = RecordedAt(20);
    let refused = || vec![stamped(Change::Refused { key: api("a"), reason: "broken".to_owned() })];
    assert_eq!(gateway.audit(index.clone(), refused()), ["a"]);
    assert_eq!(gateway.audit(index.clone(), Vec::new()), Vec::<String>::new());
    assert_eq!(gateway.served(), Vec::<String>::new());
    index[0].recorded_at = RecordedAt(21);
    assert_eq!(gateway.audit(index, refused()), ["a"]);
}

#[test]
fn s5_what_stands_alone_goes_when_the_parts_do_not_bring_it() {
    let dictionary = |id: &str| stamped(Change::Rows(vec![row(RowKey::new(Kind::Dictionary, id), 3)]));
    let mut gateway = Gateway::with([two_apis(), vec![dictionary("d"), dictionary("e")]].concat());
    gateway.audit(index_of_two(), vec![dictionary("e")]);
    assert_eq!(gateway.served(), ["-d"]);
}

#[test]
fn too_many_suspicious_units_make_it_read_everything_and_are_ignored_all_the_same() {
    let mut gateway = Gateway::with_settings(two_apis(), |settings| settings.audit_most_units = 2);
    let mut index = index_of_two();
    index.extend(["p", "q", "r"].map(|id| indexed(api(id), 7)));
    let call = gateway.begin_audit();
    gateway.answer(call, RepositoryReply::Index(index.clone()));
    gateway.answer(call, RepositoryReply::Done(Ok(())));
    if gateway.asks_for(|request| matches!(request, RepositoryRequest::ReadChanges(_))) {
        gateway.window(Vec::new());
    }
    gateway.pass(Duration::from_secs(5));
    let all = gateway.take(|request| matches!(request, RepositoryRequest::ReadAll));
    gateway.answer(all, RepositoryReply::Changes(two_apis()));
    gateway.answer(all, RepositoryReply::Done(Ok(())));
    assert_eq!(gateway.served(), Vec::<String>::new());
    assert_eq!(gateway.audit(index, Vec::new()), Vec::<String>::new());
}

#[test]
fn s5_a_failed_audit_changes_nothing_and_is_tried_again() {
    let mut gateway = Gateway::with(two_apis());
    let error = || RepositoryReply::Done(Err(unreachable_repository()));
    let call = gateway.begin_audit();
    gateway.answer(call, RepositoryReply::Index(Vec::new()));
    gateway.answer(call, error());
    let call = gateway.begin_audit();
    gateway.answer(call, RepositoryReply::Done(Ok(())));
    let (call, units) = gateway.parts();
    gateway.answer(call, RepositoryReply::Changes(vec![unit("a", Vec::new())]));
    gateway.answer(call, error());
    assert_eq!(gateway.served(), ["-a", "-a-key"], "what was read is right whatever comes after it");
    gateway.pass(Duration::from_secs(40));
    assert_eq!((units.len(), gateway.parts().1.as_slice()), (2, &["b".to_owned()][..]));
}

#[test]
fn a_touched_record_is_no_change_and_not_suspicious_afterwards() {
    let mut gateway = Gateway::with(two_apis());
    let touched = Row::deployed(key("a", "a-key"), "text of 11").recorded(RecordedAt(77));
    gateway.pass(Duration::from_secs(5));
    gateway.window(vec![stamped(Change::Rows(vec![touched]))]);
    assert_eq!(gateway.served(), Vec::<String>::new());
    let mut index = index_of_two();
    index[1].recorded_at = RecordedAt(77);
    assert_eq!(gateway.audit(index, Vec::new()), Vec::<String>::new());
}

#[test]
fn rows_of_which_no_time_is_known_are_read() {
    let unknown = |id: &str| unit(id, vec![Row::deployed(api(id), "text"), row(key(id, "k"), 1)]);
    let mut gateway = Gateway::with(vec![unknown("a")]);
    let index = vec![indexed(api("a"), 0), indexed(key("a", "k"), 1)];
    assert_eq!(gateway.audit(index, Vec::new()), ["a"]);
}

/// Ids are what they are (S6).
#[test]
fn s6_units_with_ids_that_begin_alike_are_told_apart() {
    let rows = ["a", "a*", "a/b"].map(|id| unit(id, vec![row(api(id), 1)])).to_vec();
    let mut gateway = Gateway::with(rows);
    let index = ["a", "a/b"].map(|id| indexed(api(id), 1)).to_vec();
    assert_eq!(gateway.audit(index, vec![unit("a*", Vec::new())]), ["a*"]);
    assert_eq!(gateway.served(), ["-a*"]);
}
