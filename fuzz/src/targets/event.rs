//! Events of the management repository. The first byte chooses the type of event, the rest is its payload. A row that
//! comes out is JSON of bounded size about the event's subject, and the same each time (S4).

use std::collections::BTreeMap;
use std::sync::Arc;

use zonegate_model::RowState;
use zonegate_payload::record::{EventRecord, EventText, EventType, Place};
use zonegate_payload::{PropertyCipher, ShardingTags, convert};

pub(super) fn run(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let kind = EventType::ALL[usize::from(*first) % EventType::ALL.len()];
    let Ok(cipher) = PropertyCipher::new(&PropertyCipher::DEFAULT_SECRET.into()) else { return };
    let settings = convert::Settings { tags: ShardingTags::new(["eu", "!test"]), cipher };
    let record = EventRecord {
        id: "subject".into(),
        kind,
        payload: EventText::Text(super::text(rest).into_owned()),
        properties: BTreeMap::from([(kind.property().to_owned(), "subject".to_owned())]),
        created_at: Some(1_767_225_600_000),
    };
    let once = rows(&record, &settings);
    for row in &once {
        if let RowState::Deployed(payload) = &row.state {
            assert!(serde_json::from_str::<serde_json::Value>(payload.as_str()).is_ok(), "a row is JSON");
        }
    }
    assert_eq!(once, rows(&record, &settings), "the same each time");
}

fn rows(record: &EventRecord, settings: &convert::Settings) -> Vec<zonegate_model::Row> {
    let place =
        |environment: Option<&Arc<str>>| Place { environment_id: environment.cloned(), ..Place::default() };
    let row = match record.kind {
        EventType::PublishOrganization => convert::organization(record, settings).ok(),
        EventType::PublishDictionary | EventType::UnpublishDictionary => convert::dictionary(record).ok(),
        EventType::DeploySharedPolicyGroup | EventType::UndeploySharedPolicyGroup => {
            convert::shared_policy_group(record, place).ok()
        }
        EventType::DeployApiProduct => match convert::api_product(record, settings, place) {
            Ok(convert::ProductOutcome::Served { row, .. }) => Some(row),
            _ => None,
        },
        EventType::PublishApi | EventType::StartApi => match convert::api(record, settings, place) {
            Ok(convert::ApiOutcome::Served { row, .. }) => Some(row),
            _ => None,
        },
        _ => None,
    };
    row.into_iter().collect()
}
