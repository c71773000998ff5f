//! The manifest as fields of a hash; an entry of the log holds the same fields.

use zonegate_model::{DigestSum, Digests, Epoch, Kind, Revision, StoreId};
use zonegate_sync::port::{Manifest, Synced};

use crate::reply::Reply;

/// How many fields [`encode_manifest`] makes.
pub(crate) const MANIFEST_FIELDS: usize = 7 + Kind::ALL.len();

/// The manifest's fields. All of them, so that writing them over an older manifest leaves nothing of that.
pub(crate) fn encode_manifest(manifest: &Manifest) -> Vec<(&'static str, String)> {
    let [from, to, reads] = split_synced(manifest.synced);
    let mut fields = vec![
        ("store", manifest.store.to_string()),
        ("revision", manifest.revision.to_string()),
        ("whole", manifest.whole.to_string()),
        ("epoch", manifest.epoch.to_string()),
        ("synced_from", from),
        ("synced_to", to),
        ("synced_reads", reads),
    ];
    fields.extend(manifest.digests.iter().map(|(kind, sum)| (kind.name(), sum.to_string())));
    debug_assert_eq!(fields.len(), MANIFEST_FIELDS);
    fields
}

/// The three values of the fields `synced_from`, `synced_to`, `synced_reads`.
pub(crate) fn split_synced(synced: Synced) -> [String; 3] {
    [synced.from.to_string(), synced.to.to_string(), synced.reads.to_string()]
}

/// Reads the fields back. `Ok(None)`: there are none. `Err` names the field that is missing or wrong.
pub(crate) fn decode_manifest(fields: &Reply) -> Result<Option<Manifest>, &'static str> {
    if fields.pairs().is_empty() {
        return Ok(None);
    }
    let number = |name: &'static str| {
        fields.field(name).and_then(Reply::text).and_then(|text| text.parse::<u64>().ok()).ok_or(name)
    };
    let time = |name: &'static str| fields.field(name).and_then(Reply::integer).ok_or(name);
    let mut digests = Digests::default();
    for kind in Kind::ALL {
        // A kind that came later than the writer is absent, and then empty.
        if let Some(value) = fields.field(kind.name()) {
            digests[kind] =
                value.text().and_then(|text| text.parse::<DigestSum>().ok()).ok_or(kind.name())?;
        }
    }
    Ok(Some(Manifest {
        store: fields
            .field("store")
            .and_then(Reply::text)
            .and_then(|text| text.parse::<StoreId>().ok())
            .ok_or("store")?,
        revision: Revision(number("revision")?),
        whole: Revision(number("whole")?),
        epoch: Epoch(number("epoch")?),
        digests,
        synced: Synced { from: time("synced_from")?, to: time("synced_to")?, reads: number("synced_reads")? },
    }))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reply::bytes;

    pub(in super::super) fn any_manifest() -> impl Strategy<Value = Manifest> {
        let numbers = (any::<u128>(), any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>());
        let sums = prop::collection::vec((any::<u64>(), any::<u128>()), Kind::ALL.len());
        (numbers, any::<(i64, i64)>(), sums).prop_map(
            |((store, revision, whole, epoch, reads), (from, to), sums)| {
                let mut digests = Digests::default();
                for (kind, (count, sum)) in Kind::ALL.into_iter().zip(sums) {
                    digests[kind] = DigestSum { count, sum };
                }
                Manifest {
                    store: StoreId(store),
                    revision: Revision(revision),
                    whole: Revision(whole),
                    epoch: Epoch(epoch),
                    digests,
                    synced: Synced { from, to, reads },
                }
            },
        )
    }

    pub(in super::super) fn as_reply(fields: &[(&'static str, String)]) -> Reply {
        Reply::List(fields.iter().flat_map(|(name, value)| [bytes(name), bytes(value)]).collect())
    }

    proptest! {
        #[test]
        fn a_manifest_goes_there_and_back(manifest in any_manifest()) {
            let fields = encode_manifest(&manifest);
            prop_assert_eq!(fields.len(), MANIFEST_FIELDS);
            prop_assert_eq!(decode_manifest(&as_reply(&fields)), Ok(Some(manifest)));
        }

        #[test]
        fn l1_a_spoiled_manifest_is_refused_by_the_name_of_the_field(
            manifest in any_manifest(),
            spoiled in 0..MANIFEST_FIELDS,
            with in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let fields = encode_manifest(&manifest);
            let mut reply = as_reply(&fields);
            if let Reply::List(items) = &mut reply {
                items[2 * spoiled + 1] = Reply::Bytes(with);
            }
            match decode_manifest(&reply) {
                Ok(read) => prop_assert!(read.is_some()),
                Err(name) => prop_assert_eq!(name, fields[spoiled].0),
            }
        }
    }
}
