//! A primary shows that it lives by being subscribed to a channel of its own: the subscription ends with its connection,
//! whatever ends that, and the server knows at once (P8). Nothing is ever published there.

use std::sync::{Arc, MutexGuard, PoisonError};

use rustis::client::PubSubStream;
use rustis::commands::PubSubCommands;
use tokio::time::timeout;

use super::{Link, Session, Shared};

/// Which channel is wanted, and the subscription to it on the current connection.
#[derive(Default)]
pub(super) struct Presence {
    wanted: Option<Arc<str>>,
    held: Option<(u64, PubSubStream)>,
}

impl Presence {
    /// The connection is gone, and the subscription with it.
    pub(super) fn forget(&mut self, generation: u64) {
        if self.held.as_ref().is_some_and(|(held, _)| *held == generation) {
            self.held = None;
        }
    }
}

impl Shared {
    pub(super) fn presence(&self) -> MutexGuard<'_, Presence> {
        // Only whole values are stored under this lock, so a panic elsewhere leaves nothing half done.
        self.presence.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link {
    /// Subscribes to `channel` in place of any other, and again after each loss of the connection. `false`: the server
    /// does not let us, so our silence means nothing.
    pub(crate) async fn show_presence(&self, channel: &str) -> bool {
        {
            let mut presence = self.shared.presence();
            presence.wanted = Some(channel.into());
            presence.held = None;
        }
        match self.session().await {
            Ok(session) => {
                restore(&self.shared, &session).await;
                self.is_present(channel)
            }
            Err(_) => false,
        }
    }

    /// Unsubscribes.
    pub(crate) fn end_presence(&self) {
        let mut presence = self.shared.presence();
        presence.wanted = None;
        presence.held = None;
    }

    /// Whether the subscription to `channel` stands.
    pub(crate) fn is_present(&self, channel: &str) -> bool {
        let presence = self.shared.presence();
        presence.wanted.as_deref() == Some(channel) && presence.held.is_some()
    }
}

/// Subscribes on a connection to what is wanted, if anything.
pub(super) async fn restore(shared: &Shared, session: &Session) {
    let Some(channel) = shared.presence().wanted.clone() else { return };
    let subscribed = timeout(shared.settings.call_timeout, session.client.subscribe(&*channel)).await;
    match subscribed {
        Ok(Ok(stream)) => {
            let mut presence = shared.presence();
            if presence.wanted.as_ref() == Some(&channel) {
                presence.held = Some((session.generation, stream));
            }
        }
        Ok(Err(error)) => tracing::warn!(
            address = shared.settings.address(),
            "cannot subscribe to the zone's channel ({error}); if this primary dies, its lease has to run out before \
             another one takes over. Allow the channels zonegate:* to the user"
        ),
        Err(_) => {}
    }
}
