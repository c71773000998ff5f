//! What happens to a store behind the protocol's back (Z6, Z7).

use zonegate_model::{RecordedAt, Row, RowKey};

use super::{Content, Store};
use crate::random::Random;

impl Store {
    /// FLUSHALL. Connections stay.
    pub(crate) fn wipe(&mut self) {
        self.content = Content::default();
        self.changes += 1;
        self.tampered = false;
    }

    /// What a replica or a backup would hold.
    pub(crate) fn image(&self) -> Content {
        self.content.clone()
    }

    /// A restart from an older backup, or a failover to a replica that had not received everything: content of the
    /// past, and all connections gone.
    pub(crate) fn restore(&mut self, image: Content) {
        self.tampered = image.manifest.as_ref().is_some_and(|manifest| manifest.digests != image.digests);
        self.content = image;
        self.changes += 1;
        self.connected.clear();
    }

    /// The server restarts with all that it had; connections are gone.
    pub(crate) fn drop_connections(&mut self) {
        self.connected.clear();
    }

    /// Somebody changes, deletes or adds a row by hand. Answers what was done to which row.
    pub(crate) fn tamper(&mut self, random: &mut Random) -> Option<(&'static str, RowKey)> {
        let active: Vec<RowKey> = self
            .content
            .rows
            .iter()
            .filter(|(_, row)| row.digest.is_some())
            .map(|(key, _)| key.clone())
            .collect();
        let key = active.get(random.index(active.len()))?.clone();
        let what = match random.below(3) {
            0 => {
                if let Some(old) = self.content.rows.remove(&key).and_then(|row| row.digest) {
                    self.content.digests[key.kind].subtract(old);
                }
                "deleted"
            }
            1 => {
                // Its time stays, so that no audit could tell.
                let at = self.content.rows.get(&key).map_or(RecordedAt::UNKNOWN, |row| row.recorded_at);
                self.put(&Row::deployed(key.clone(), "altered by hand").recorded(at), 0);
                "altered"
            }
            _ => {
                let key = RowKey { id: format!("{}-by-hand", key.id).into(), ..key };
                self.put(&Row::deployed(key.clone(), "added by hand"), 0);
                self.tampered_with();
                return Some(("added", key));
            }
        };
        self.tampered_with();
        Some((what, key))
    }

    fn tampered_with(&mut self) {
        self.changes += 1;
        self.tampered = self.content.manifest.as_ref().is_none_or(|m| m.digests != self.content.digests);
    }

    /// The log loses its older items.
    pub(crate) fn trim_log(&mut self, keep: usize) {
        let surplus = self.content.log.len().saturating_sub(keep);
        self.content.log.drain(..surplus);
    }

    /// Somebody deletes the manifest by hand; the rows stay.
    pub(crate) fn delete_manifest(&mut self) {
        self.content.manifest = None;
    }

    /// For [`crate::Mutant::VoidProof`]: the manifest is made to fit what is there.
    pub(crate) fn recount(&mut self) {
        let digests = self.content.digests;
        if let Some(manifest) = &mut self.content.manifest {
            std::sync::Arc::make_mut(manifest).digests = digests;
        }
        self.tampered = false;
    }
}
