//! Waiting for the repository to tell that something changed.

use std::time::Duration;

use zonegate_sync::port::Watched;
use zonegate_sync::{RepositoryReply, RepositoryRequest};

use crate::gateway::{Gateway, two_apis, unreachable_repository};

fn is_window(request: &RepositoryRequest) -> bool {
    matches!(request, RepositoryRequest::ReadChanges(_))
}

fn is_watch(request: &RepositoryRequest) -> bool {
    matches!(request, RepositoryRequest::Watch)
}

/// Started a moment ago; nothing is due but the wait.
fn idle() -> Gateway {
    let mut gateway = Gateway::with(two_apis());
    gateway.pass(Duration::from_secs(5));
    gateway.window(Vec::new());
    gateway.pass(Duration::from_secs(1));
    assert!(!gateway.asks_for(is_window));
    gateway
}

#[test]
fn what_has_changed_is_read_at_once() {
    let mut gateway = idle();
    gateway.watched(Watched::Changed);
    assert!(gateway.asks_for(is_window));
}

#[test]
fn it_waits_again_and_reads_at_most_every_50_ms_however_often_something_changes() {
    let mut gateway = idle();
    let mut windows = 0;
    for _ in 0..100 {
        if gateway.asks_for(is_watch) {
            gateway.watched(Watched::Changed);
        }
        if gateway.asks_for(is_window) {
            gateway.window(Vec::new());
            windows += 1;
        }
        gateway.pass(Duration::from_millis(10));
    }
    assert!((15..=21).contains(&windows), "{windows} reads in a second");
}

#[test]
fn a_change_during_a_read_makes_another_one_due() {
    let mut gateway = idle();
    gateway.watched(Watched::Changed);
    gateway.pass(Duration::from_millis(60));
    gateway.watched(Watched::Changed);
    gateway.window(Vec::new());
    assert!(gateway.asks_for(is_window));
}

#[test]
fn a_repository_that_cannot_tell_is_not_asked_again() {
    let mut gateway = idle();
    gateway.watched(Watched::Unsupported);
    gateway.pass(Duration::from_secs(4));
    assert!(gateway.asks_for(is_window), "the cadence stays");
    assert!(!gateway.asks_for(is_watch));
}

#[test]
fn a_failed_wait_is_tried_again_after_a_pause() {
    let mut gateway = idle();
    let wait = gateway.take(is_watch);
    gateway.answer(wait, RepositoryReply::Done(Err(unreachable_repository())));
    assert!(!gateway.asks_for(is_watch));
    gateway.pass(Duration::from_secs(2));
    assert!(gateway.asks_for(is_watch));
}

#[test]
fn it_does_not_wait_where_the_operator_does_not_want_it() {
    let gateway = Gateway::with_settings(two_apis(), |settings| settings.watch = false);
    assert!(!gateway.asks_for(is_watch));
}
