//! What a member says of itself, as JSON in the members hash. For other gateways and for people.

use serde::{Deserialize, Serialize};
use zonegate_model::{NodeId, Revision, StoreId};
use zonegate_sync::port::{Member, MemberRole};

/// The JSON. Unknown members are ignored, so that newer versions may say more.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MemberText {
    host: String,
    version: String,
    role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    technical_api: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    applied: Option<Applied>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    repository_reachable: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    suspects: Option<u64>,
    #[serde(default)]
    wants_audit: bool,
    since: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Role {
    Primary,
    Secondary,
}

#[derive(Serialize, Deserialize)]
struct Applied {
    store: String,
    revision: u64,
}

/// The JSON of a member; its node id is the hash's field name.
pub(crate) fn encode_member(member: &Member) -> Result<String, serde_json::Error> {
    serde_json::to_string(&MemberText {
        host: member.host.clone(),
        version: member.version.clone(),
        role: match member.role {
            MemberRole::Primary => Role::Primary,
            MemberRole::Secondary => Role::Secondary,
        },
        technical_api: member.technical_api.clone(),
        applied: member
            .applied
            .map(|(store, revision)| Applied { store: store.to_string(), revision: revision.0 }),
        repository_reachable: member.repository_reachable,
        suspects: member.suspects.map(|revision| revision.0),
        wants_audit: member.wants_audit,
        since: member.since,
    })
}

/// Reads a member back; `None` if it is not one.
pub(crate) fn decode_member(node: &str, text: &str) -> Option<Member> {
    let member: MemberText = serde_json::from_str(text).ok()?;
    let applied = match member.applied {
        Some(applied) => Some((applied.store.parse::<StoreId>().ok()?, Revision(applied.revision))),
        None => None,
    };
    Some(Member {
        node: NodeId::new(node),
        host: member.host,
        version: member.version,
        role: match member.role {
            Role::Primary => MemberRole::Primary,
            Role::Secondary => MemberRole::Secondary,
        },
        technical_api: member.technical_api,
        applied,
        repository_reachable: member.repository_reachable,
        suspects: member.suspects.map(Revision),
        wants_audit: member.wants_audit,
        since: member.since,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_member_goes_there_and_back(
            texts in (".{0,9}", ".{0,9}", ".{0,9}"),
            primary in any::<bool>(),
            api in prop::option::of(".{0,9}"),
            applied in prop::option::of((any::<u128>(), any::<u64>())),
            reachable in prop::option::of(any::<bool>()),
            suspects in prop::option::of(any::<u64>()),
            wants_audit in any::<bool>(),
            since in any::<i64>(),
        ) {
            let member = Member {
                node: NodeId::new(texts.0.as_str()),
                host: texts.1,
                version: texts.2,
                role: if primary { MemberRole::Primary } else { MemberRole::Secondary },
                technical_api: api,
                applied: applied.map(|(store, revision)| (StoreId(store), Revision(revision))),
                repository_reachable: reachable,
                suspects: suspects.map(Revision),
                wants_audit,
                since,
            };
            let text = encode_member(&member).unwrap();
            prop_assert_eq!(decode_member(member.node.as_str(), &text), Some(member));
        }

        #[test]
        fn l1_any_text_is_a_member_or_none(text in ".{0,60}") {
            let _ = decode_member("n", &text);
        }
    }
}
