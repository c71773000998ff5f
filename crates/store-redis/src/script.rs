//! The atomic steps, as scripts that the server runs (Redis ≥ 7.0). Carries Z1: whether a grant is the current one is
//! decided inside the very step that writes.
//!
//! Scripts that keep a zone led (lease, members) run also when the server is out of memory, so that a full store does not
//! depose its primary; those that write state are refused as a whole then.

use std::sync::OnceLock;
use std::time::Duration;

use rustis::resp::{CommandBuilder, cmd};
use zonegate_model::{Epoch, NodeId, Token};
use zonegate_sync::port::{Grant, Holder, StoreError};

use crate::connect::{Link, Session};
use crate::failure;
use crate::reply::Reply;

/// A script. The server keeps it under its digest until it restarts.
pub(crate) struct Script {
    /// For messages.
    pub(crate) name: &'static str,
    text: &'static str,
    /// What the server called it. The same on every server.
    digest: OnceLock<String>,
}

macro_rules! script {
    ($(#[$meta:meta])* $item:ident, $name:literal, $flags:literal) => {
        $(#[$meta])*
        pub(crate) static $item: Script = Script {
            name: concat!("script ", $name),
            text: concat!(
                "#!lua", $flags, "\n",
                include_str!("script/lease.lua"),
                include_str!(concat!("script/", $name, ".lua")),
            ),
            digest: OnceLock::new(),
        };
    };
}

script! {
    /// Takes the lease.
    ACQUIRE, "acquire", " flags=allow-oom"
}
script! {
    /// Prolongs it.
    RENEW, "renew", " flags=allow-oom"
}
script! {
    /// Gives it up.
    RELEASE, "release", " flags=allow-oom"
}
script! {
    /// Writes a batch.
    WRITE, "write", ""
}
script! {
    /// Records how far the repository was read.
    RECORD_SYNCED, "record_synced", ""
}
script! {
    /// Refreshes a member and lists all.
    HEARTBEAT, "heartbeat", " flags=allow-oom"
}

impl Script {
    /// Runs the script, giving it to the server first if need be.
    pub(crate) async fn run(
        &self,
        link: &Link,
        keys: &[&str],
        arguments: &[&str],
    ) -> Result<Reply, StoreError> {
        let session = link.session().await?;
        if self.digest.get().is_none() {
            self.load(link, &session).await?;
        }
        match link.call_on(&session, self.name, self.command(keys, arguments), Duration::ZERO).await {
            // A script can only be missing before it began, so sending it again does nothing twice.
            Err(error) if error.says("NOSCRIPT") => {
                self.load(link, &session).await?;
                Ok(link.call_on(&session, self.name, self.command(keys, arguments), Duration::ZERO).await?)
            }
            outcome => Ok(outcome?),
        }
    }

    async fn load(&self, link: &Link, session: &Session) -> Result<(), StoreError> {
        let command = cmd("SCRIPT").arg("LOAD").arg(self.text);
        let digest: String = link.call_on(session, "SCRIPT LOAD", command, Duration::ZERO).await?;
        self.digest.get_or_init(|| digest);
        Ok(())
    }

    fn command(&self, keys: &[&str], arguments: &[&str]) -> CommandBuilder {
        let mut command = cmd("EVALSHA").arg(self.digest.get().map_or("", String::as_str)).arg(keys.len());
        for key in keys {
            command = command.key(key);
        }
        for argument in arguments {
            command = command.arg(argument);
        }
        command
    }
}

/// The word that an answer begins with, and the rest.
pub(crate) fn answer(reply: &Reply) -> (&str, &[Reply]) {
    match reply.items() {
        [word, rest @ ..] => (word.text().unwrap_or_default(), rest),
        [] => ("", &[]),
    }
}

/// The holder of the lease in the rest of an answer; `None` if nobody holds it.
pub(crate) fn holder(link: &Link, rest: &[Reply]) -> Result<Option<Holder>, StoreError> {
    match rest {
        [] => Ok(None),
        [node, epoch, token, remaining] => {
            let read = || {
                Some(Holder {
                    node: NodeId::new(node.text()?),
                    grant: Grant {
                        epoch: Epoch(epoch.text()?.parse().ok()?),
                        token: token.text()?.parse::<Token>().ok()?,
                    },
                    remaining: Duration::from_millis(u64::try_from(remaining.integer()?).unwrap_or(0)),
                })
            };
            match read() {
                Some(holder) => Ok(Some(holder)),
                None => Err(failure::malformed(
                    link.settings(),
                    "the zone's lease",
                    "not a node, a number and a token",
                )),
            }
        }
        _ => Err(failure::malformed(link.settings(), "the answer of a script", "unexpected parts")),
    }
}
