//! The JSON payloads of zone-store rows, read and written (`zone-store.md` section 6), one type per kind, and the
//! conversion of a management repository's records into rows.
//!
//! Relies on `zonegate-model` and serde; no I/O. Repository adapters fill in [`record`]s and call [`convert`]; the
//! generation reads payloads with the types here. Unknown members are ignored, absent and `null` are the same (C3).
//! Foreign text is bounded in size and nesting, and a bad record is refused by itself (L1, S3); no secret gets into
//! a reason or a `Debug` output (L3).

mod access_point;
mod api;
mod api_key;
mod api_product;
mod authz;
mod cipher;
pub mod convert;
mod dictionary;
mod lenient;
mod nesting;
mod node_metadata;
mod organization;
pub mod record;
mod sharding;
mod shared_policy_group;
mod subscription;

pub use access_point::AccessPointPayload;
pub use api::ApiPayload;
pub use api_key::ApiKeyPayload;
pub use api_product::ApiProductPayload;
pub use authz::{AuthzEntityKind, AuthzEntityPayload, AuthzPolicyKind, AuthzPolicyPayload};
pub use cipher::{PropertyCipher, WrongSecretLength};
pub use dictionary::DictionaryPayload;
pub use node_metadata::NodeMetadataPayload;
pub use organization::OrganizationPayload;
pub use sharding::ShardingTags;
pub use shared_policy_group::SharedPolicyGroupPayload;
pub use subscription::SubscriptionPayload;
