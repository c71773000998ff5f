//! Waiting for the repository to tell that something changed, beside the cadence of windows, which stays as the net.
//! Keeps Z2: only a node that reads the repository waits for it.

use std::time::Duration;

use crate::command::{CallId, RepositoryReply, RepositoryRequest};
use crate::machine::Machine;
use crate::port::Watched;
use crate::random::BackOff;

/// Least time between the beginnings of two reads, and between two waits, however often something changes: what changes
/// in between is read together.
const PAUSE: Duration = Duration::from_millis(50);

/// The wait for a change.
pub(super) struct Watcher {
    call: Option<CallId>,
    /// When to wait again; `None` if this repository cannot tell.
    at: Option<Duration>,
    /// Something has changed since the last read began.
    changed: bool,
    back_off: BackOff,
}

impl Watcher {
    pub(super) fn new(now: Duration) -> Self {
        let back_off = BackOff::new(Duration::from_millis(500), Duration::from_secs(30));
        Self { call: None, at: Some(now), changed: false, back_off }
    }
}

impl Machine {
    pub(super) fn watch_wake(&self) -> Option<Duration> {
        let watcher = &self.importer.watcher;
        watcher.at.filter(|_| watcher.call.is_none() && self.settings.watch)
    }

    /// Waits, if this node reads the repository; no longer, if it does not.
    pub(super) fn advance_watch(&mut self, imports: bool) {
        if !imports {
            let call = self.importer.watcher.call.take();
            self.cancel(call);
        } else if self.watch_wake().is_some_and(|at| self.now.elapsed >= at) {
            let call = self.call_repository(RepositoryRequest::Watch);
            self.importer.watcher.call = Some(call);
        }
    }

    /// A new primary waits anew.
    pub(super) fn restart_watch(&mut self) {
        let call = self.importer.watcher.call.take();
        self.cancel(call);
        self.importer.watcher = Watcher::new(self.now.elapsed);
    }

    pub(super) fn is_watch_call(&self, call: CallId) -> bool {
        self.importer.watcher.call == Some(call)
    }

    pub(super) fn on_watch_reply(&mut self, reply: &RepositoryReply) {
        let now = self.now.elapsed;
        let watcher = &mut self.importer.watcher;
        watcher.call = None;
        match reply {
            RepositoryReply::Watched(Ok(Watched::Changed)) => {
                watcher.at = Some(now + PAUSE);
                watcher.back_off.reset();
                watcher.changed = true;
                self.hasten_window();
            }
            RepositoryReply::Watched(Ok(Watched::Unsupported)) => watcher.at = None,
            _ => watcher.at = Some(now + watcher.back_off.next(&mut self.random)),
        }
    }

    /// A read begins: it sees what was told of until now.
    pub(super) fn read_begins(&mut self) {
        self.importer.watcher.changed = false;
    }

    /// Something has changed that no read saw: the next window is due at once. Not while the repository fails, since what
    /// it told does not mean that it can be read.
    pub(super) fn hasten_window(&mut self) {
        if self.importer.watcher.changed && self.repository_failure.is_none() {
            let begun = self.importer.reached.map(|(begun, _)| begun + PAUSE);
            let soonest = begun.unwrap_or_default().max(self.now.elapsed);
            self.importer.next_at = self.importer.next_at.min(soonest);
        }
    }
}
