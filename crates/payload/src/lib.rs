//! The JSON payloads of zone-store rows, read and written (`zone-store.md` section 6). One type per kind.
//!
//! Relies on `zonegate-model` and serde. Repository adapters write payloads with these types; the generation reads
//! them. Unknown members are ignored, absent and `null` are the same (C3).

mod api;
mod api_key;
mod dictionary;
mod organization;
mod subscription;

pub use api::ApiPayload;
pub use api_key::ApiKeyPayload;
pub use dictionary::DictionaryPayload;
pub use organization::OrganizationPayload;
pub use subscription::SubscriptionPayload;
