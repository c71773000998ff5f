//! What the zone carries for others and this gateway only shows: node metadata and licences. Of shared policy groups and
//! authorization rows only the number is shown, which the digests of a generation have.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use zonegate_model::{Kind, Payload, RecordedAt, RowKey};
use zonegate_payload::NodeMetadataPayload;

/// Node metadata, and organizations that have a licence. Licence texts are not kept (L3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    metadata: BTreeMap<Arc<str>, (RecordedAt, NodeMetadataPayload)>,
    licenses: BTreeSet<Arc<str>>,
}

impl Carried {
    /// The newest node metadata: each primary of an original gateway writes a row of its own (`zone-store.md` 6.8).
    pub(crate) fn metadata(&self) -> Option<&NodeMetadataPayload> {
        let newest = self.metadata.iter().max_by_key(|(id, (at, _))| (*at, *id));
        newest.map(|(_, (_, metadata))| metadata)
    }

    /// Organizations that have a licence.
    pub(crate) fn licenses(&self) -> impl Iterator<Item = &Arc<str>> {
        self.licenses.iter()
    }

    /// Forgets what is not among these rows.
    pub(crate) fn keep(&mut self, staged: &HashMap<RowKey, Option<(Payload, RecordedAt)>>) {
        let there = |kind, id: &Arc<str>| staged.contains_key(&RowKey::new(kind, id.clone()));
        self.metadata.retain(|id, _| there(Kind::NodeMetadata, id));
        self.licenses.retain(|id| there(Kind::License, id));
    }

    /// Takes in rows, and names those that cannot be read, of which the earlier state stays.
    pub(crate) fn apply(
        &mut self,
        staged: HashMap<RowKey, Option<(Payload, RecordedAt)>>,
    ) -> Vec<(RowKey, serde_json::Error)> {
        let mut unreadable = Vec::new();
        for (key, state) in staged {
            match (key.kind, state) {
                (Kind::License, Some(_)) => {
                    self.licenses.insert(key.id);
                }
                (Kind::License, None) => {
                    self.licenses.remove(&key.id);
                }
                (_, Some((payload, at))) => match serde_json::from_str(payload.as_str()) {
                    Ok(metadata) => {
                        self.metadata.insert(key.id, (at, metadata));
                    }
                    Err(error) => unreadable.push((key, error)),
                },
                (_, None) => {
                    self.metadata.remove(&key.id);
                }
            }
        }
        unreadable
    }
}
