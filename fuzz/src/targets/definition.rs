//! Rows of the zone store that hold definitions. What is served is whole: an id, a place, a plan (S3).

use zonegate_definition::{
    NodeContext, Read, name_of, read_api, read_api_product, read_organization, read_shared_policy_group,
};
use zonegate_payload::{ApiPayload, ApiProductPayload, OrganizationPayload, SharedPolicyGroupPayload};

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
    if let Ok(payload) = serde_json::from_str::<ApiProductPayload>(&text)
        && let Ok(Read::Serve(product)) = read_api_product(&payload, &node)
    {
        assert!(!product.id.is_empty() && !product.plans.is_empty(), "a product without id or plan");
    }
    if let Ok(payload) = serde_json::from_str::<SharedPolicyGroupPayload>(&text) {
        let _ = read_shared_policy_group(&payload);
    }
}
