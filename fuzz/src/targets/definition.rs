//! Rows of the zone store that hold definitions. What is served is whole: an id, a place, a plan (S3).

use zonegate_definition::{NodeContext, Read, name_of, read_api, read_organization};
use zonegate_payload::{ApiPayload, OrganizationPayload};

pub(super) fn run(bytes: &[u8]) {
    let text = super::text(bytes);
    let node = NodeContext::default();
    if let Ok(payload) = serde_json::from_str::<ApiPayload>(&text) {
        let _ = name_of(&payload);
        match read_api(&payload, &node) {
            Ok(Read::Serve(api)) => {
                assert!(!api.id.is_empty(), "an API without id");
                assert!(!api.listeners.is_empty(), "an API without a place");
                for place in &api.listeners {
                    assert!(place.path.starts_with('/') && place.path.ends_with('/'), "{:?}", place.path);
                }
            }
            Ok(Read::NotHere(_)) => {}
            Err(refusal) => assert!(refusal.to_string().len() < 4096, "a reason is short"),
        }
    }
    if let Ok(payload) = serde_json::from_str::<OrganizationPayload>(&text) {
        let _ = read_organization(&payload, &node);
    }
}
