//! Idle connections of one worker, and the permits that all workers share.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::Instant;

use super::Upstream;
use super::connection::{Connection, earlier};
use super::failure::CallError;

/// How often idle connections are looked through.
const SWEEP: Duration = Duration::from_secs(1);

/// Idle connections of one worker, by endpoint; the one used last is used first.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    idle: RefCell<HashMap<u64, Vec<Idle>, foldhash::fast::FixedState>>,
    /// Tells the sweeper that there is something to look through.
    filled: Notify,
}

#[derive(Debug)]
struct Idle {
    connection: Box<Connection>,
    until: Option<Instant>,
}

impl Pool {
    /// An idle connection to this endpoint that is alive as far as can be known.
    pub(crate) fn take(&self, upstream: &Upstream, now: Instant) -> Option<Box<Connection>> {
        let mut idle = self.idle.borrow_mut();
        let stack = idle.get_mut(&upstream.number)?;
        while let Some(Idle { connection, until }) = stack.pop() {
            if until.is_none_or(|until| now < until) && connection.is_young(now) && connection.is_quiet() {
                return Some(connection);
            }
        }
        None
    }

    /// Takes a connection back.
    pub(crate) fn put(&self, connection: Box<Connection>, now: Instant) {
        let upstream = &connection.upstream;
        // Only those that could all be in use at once are kept, over all workers.
        let surplus = upstream.open.load(Ordering::Relaxed) > upstream.settings.max_concurrent_connections;
        if surplus || !upstream.settings.keep_alive || !connection.is_young(now) {
            return;
        }
        let until = match connection.keep_alive_timeout {
            Some(timeout) => Some(now + timeout),
            None => upstream.settings.idle_timeout.map(|timeout| now + timeout),
        };
        let mut idle = self.idle.borrow_mut();
        if idle.is_empty() {
            self.filled.notify_one();
        }
        idle.entry(upstream.number).or_default().push(Idle { connection, until });
    }

    /// Closes what is too old, was closed by the upstream, or is more than the endpoint may have.
    fn sweep(&self, now: Instant) {
        self.idle.borrow_mut().retain(|_, stack| {
            stack.retain(|Idle { connection, until }| {
                // The pool itself holds one reference for each idle connection; a surplus elsewhere is made room for here.
                let upstream = &connection.upstream;
                let surplus =
                    upstream.open.load(Ordering::Relaxed) > upstream.settings.max_concurrent_connections;
                !surplus
                    && until.is_none_or(|until| now < until)
                    && connection.is_young(now)
                    && connection.is_quiet()
            });
            !stack.is_empty()
        });
    }

    /// Looks idle connections through at intervals, until the pool goes away.
    pub(crate) async fn keep_swept(pool: Weak<Self>) {
        loop {
            let Some(own) = pool.upgrade() else { return };
            if own.idle.borrow().is_empty() {
                own.filled.notified().await;
            }
            drop(own);
            tokio::time::sleep(SWEEP).await;
            match pool.upgrade() {
                Some(own) => own.sweep(Instant::now()),
                None => return,
            }
        }
    }

    /// Number of idle connections.
    #[cfg(test)]
    pub(crate) fn idle(&self) -> usize {
        self.idle.borrow().values().map(Vec::len).sum()
    }
}

/// A pool with its sweeper, which ends with it.
pub(crate) fn swept_pool() -> Rc<Pool> {
    let pool = Rc::new(Pool::default());
    tokio::task::spawn_local(Pool::keep_swept(Rc::downgrade(&pool)));
    pool
}

/// The right to have one request under way, waited for within the endpoint's limits (`data-plane.md` section 1.4):
/// beyond the queue's size at once [`CallError::PoolExhausted`], after the read time-out [`CallError::ConnectTimeout`].
pub(crate) async fn permit(
    upstream: &Arc<Upstream>,
    deadline: Option<Instant>,
) -> Result<OwnedSemaphorePermit, CallError> {
    if let Ok(permit) = upstream.permits.clone().try_acquire_owned() {
        return Ok(permit);
    }
    let place = Place::take(upstream)?;
    let own = upstream.settings.read_timeout.map(|timeout| Instant::now() + timeout);
    let (until, late) = earlier((own, CallError::ConnectTimeout), (deadline, CallError::RequestTimeout));
    let wait = upstream.permits.clone().acquire_owned();
    let permit = match until {
        Some(until) => tokio::time::timeout_at(until, wait).await.map_err(|_| late)?,
        None => wait.await,
    };
    drop(place);
    // The semaphore is never closed.
    permit.map_err(|_| CallError::Other)
}

/// A place in the queue, given up when dropped.
struct Place<'a>(&'a AtomicU32);

impl<'a> Place<'a> {
    fn take(upstream: &'a Upstream) -> Result<Self, CallError> {
        let limit = upstream.settings.max_wait_queue_size.unwrap_or(u32::MAX);
        upstream
            .waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
                (waiting < limit).then(|| waiting + 1)
            })
            .map(|_| Self(&upstream.waiting))
            .map_err(|_| CallError::PoolExhausted)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
