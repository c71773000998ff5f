//! Records of a management repository, as far as a gateway reads them, free of the database they came from
//! (`management-repository.md` sections 3, 5 and 8). Adapters fill them in; [`crate::convert`] turns them into rows.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The types of latest event that become rows. All others are not for a gateway's sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "APIM's constants, which say it themselves")]
pub enum EventType {
    PublishOrganization,
    PublishDictionary,
    UnpublishDictionary,
    DeploySharedPolicyGroup,
    UndeploySharedPolicyGroup,
    PublishAuthzEntity,
    UnpublishAuthzEntity,
    PublishAuthzPolicy,
    UnpublishAuthzPolicy,
    DeployApiProduct,
    UndeployApiProduct,
    PublishApi,
    StartApi,
    StopApi,
    UnpublishApi,
}

impl EventType {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::PublishOrganization,
        Self::PublishDictionary,
        Self::UnpublishDictionary,
        Self::DeploySharedPolicyGroup,
        Self::UndeploySharedPolicyGroup,
        Self::PublishAuthzEntity,
        Self::UnpublishAuthzEntity,
        Self::PublishAuthzPolicy,
        Self::UnpublishAuthzPolicy,
        Self::DeployApiProduct,
        Self::UndeployApiProduct,
        Self::PublishApi,
        Self::StartApi,
        Self::StopApi,
        Self::UnpublishApi,
    ];

    /// The constant in the repository.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PublishOrganization => "PUBLISH_ORGANIZATION",
            Self::PublishDictionary => "PUBLISH_DICTIONARY",
            Self::UnpublishDictionary => "UNPUBLISH_DICTIONARY",
            Self::DeploySharedPolicyGroup => "DEPLOY_SHARED_POLICY_GROUP",
            Self::UndeploySharedPolicyGroup => "UNDEPLOY_SHARED_POLICY_GROUP",
            Self::PublishAuthzEntity => "PUBLISH_AUTHZ_ENTITY",
            Self::UnpublishAuthzEntity => "UNPUBLISH_AUTHZ_ENTITY",
            Self::PublishAuthzPolicy => "PUBLISH_AUTHZ_POLICY",
            Self::UnpublishAuthzPolicy => "UNPUBLISH_AUTHZ_POLICY",
            Self::DeployApiProduct => "DEPLOY_API_PRODUCT",
            Self::UndeployApiProduct => "UNDEPLOY_API_PRODUCT",
            Self::PublishApi => "PUBLISH_API",
            Self::StartApi => "START_API",
            Self::StopApi => "STOP_API",
            Self::UnpublishApi => "UNPUBLISH_API",
        }
    }

    /// Whether it takes its entity away.
    pub const fn withdraws(self) -> bool {
        matches!(
            self,
            Self::UnpublishDictionary
                | Self::UndeploySharedPolicyGroup
                | Self::UnpublishAuthzEntity
                | Self::UnpublishAuthzPolicy
                | Self::UndeployApiProduct
                | Self::StopApi
                | Self::UnpublishApi
        )
    }

    /// The property that names the entity that the event is about.
    pub const fn property(self) -> &'static str {
        match self {
            Self::PublishOrganization => "organization_id",
            Self::PublishDictionary | Self::UnpublishDictionary => "dictionary_id",
            Self::DeploySharedPolicyGroup | Self::UndeploySharedPolicyGroup => "shared_policy_group_id",
            Self::PublishAuthzEntity | Self::UnpublishAuthzEntity => "authz_entity_id",
            Self::PublishAuthzPolicy | Self::UnpublishAuthzPolicy => "authz_policy_id",
            Self::DeployApiProduct | Self::UndeployApiProduct => "api_product_id",
            Self::PublishApi | Self::StartApi | Self::StopApi | Self::UnpublishApi => "api_id",
        }
    }
}

/// An event of a type that is not read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a type of event that a gateway's sync reads")]
pub struct UnknownEventType;

impl FromStr for EventType {
    type Err = UnknownEventType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or(UnknownEventType)
    }
}

/// The payload of an event, as far as it was read.
#[derive(Clone, PartialEq, Eq)]
pub enum EventText {
    /// There is none.
    Absent,
    /// The text.
    Text(String),
    /// Longer than [`crate::convert::MAX_PAYLOAD`], and therefore not read. Its length in bytes.
    TooLong(u64),
    /// It is not text in UTF-8.
    NotText,
}

impl fmt::Debug for EventText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("Absent"),
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::TooLong(bytes) => write!(f, "TooLong({bytes} bytes)"),
            Self::NotText => f.write_str("NotText"),
        }
    }
}

/// A latest event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecord {
    /// Id of the row: of the entity, except for shared policy groups.
    pub id: Arc<str>,
    /// Type.
    pub kind: EventType,
    /// Payload.
    pub payload: EventText,
    /// Properties.
    pub properties: BTreeMap<String, String>,
    /// When the management side made it, epoch milliseconds.
    pub created_at: Option<i64>,
}

impl EventRecord {
    /// The entity that the event is about: by the property, which also a tombstone has, else by the row's id.
    pub fn subject(&self) -> Arc<str> {
        match self.properties.get(self.kind.property()) {
            Some(id) if !id.is_empty() => Arc::from(id.as_str()),
            _ => Arc::clone(&self.id),
        }
    }
}

/// Environment and organization of an entity, with the first human-readable id of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Environment.
    pub environment_id: Option<Arc<str>>,
    /// Its first human-readable id.
    pub environment_hrid: Option<Arc<str>>,
    /// Organization.
    pub organization_id: Option<Arc<str>>,
    /// Its first human-readable id.
    pub organization_hrid: Option<Arc<str>>,
}

/// State of a subscription. Only `Accepted` is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "APIM's constants, which say it themselves")]
pub enum SubscriptionStatus {
    Pending,
    Rejected,
    Accepted,
    Closed,
    Paused,
    /// A constant that is not known here.
    Other,
}

impl From<&str> for SubscriptionStatus {
    fn from(text: &str) -> Self {
        match text {
            "PENDING" => Self::Pending,
            "REJECTED" => Self::Rejected,
            "ACCEPTED" => Self::Accepted,
            "CLOSED" => Self::Closed,
            "PAUSED" => Self::Paused,
            _ => Self::Other,
        }
    }
}

/// A subscription. Times in epoch milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "columns of the same name, section 8.1")]
pub struct SubscriptionRecord {
    pub id: Arc<str>,
    pub api: Option<Arc<str>>,
    pub reference_type: Option<String>,
    pub reference_id: Option<Arc<str>>,
    pub environment_id: Option<Arc<str>>,
    pub plan: Arc<str>,
    pub application: Option<Arc<str>>,
    pub application_name: Option<String>,
    pub client_id: Option<String>,
    pub client_certificate: Option<String>,
    pub status: SubscriptionStatus,
    pub consumer_status: Option<String>,
    pub starting_at: Option<i64>,
    pub ending_at: Option<i64>,
    /// STANDARD or PUSH.
    pub kind: Option<String>,
    /// JSON text.
    pub configuration: Option<String>,
    pub metadata: BTreeMap<String, String>,
}

impl SubscriptionRecord {
    /// Whether it is to an API product.
    pub fn is_product(&self) -> bool {
        self.reference_type.as_deref() == Some("API_PRODUCT")
    }

    /// The API or API product that it belongs to, under which its rows are kept. The older `api` column counts where
    /// the reference is absent.
    pub fn scope(&self) -> Option<&Arc<str>> {
        if self.is_product() {
            self.reference_id.as_ref()
        } else {
            self.reference_id.as_ref().or(self.api.as_ref())
        }
    }
}

/// An API key, whatever number of subscriptions it is for. `key` is the secret, so `Debug` leaves it out (L3).
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "columns of the same name, section 8.2")]
pub struct KeyRecord {
    pub id: Arc<str>,
    pub key: String,
    pub application: Option<String>,
    /// Epoch milliseconds.
    pub expire_at: Option<i64>,
    pub revoked: bool,
    pub paused: bool,
}

impl fmt::Debug for KeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRecord")
            .field("id", &self.id)
            .field("revoked", &self.revoked)
            .field("paused", &self.paused)
            .finish_non_exhaustive()
    }
}

/// What a key's row says of its subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySubscription {
    /// Id.
    pub id: Arc<str>,
    /// API or API product.
    pub scope: Arc<str>,
    /// Plan.
    pub plan: Arc<str>,
    /// Whether it is accepted, and its plan is served.
    pub served: bool,
}

/// An access point of an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "columns of the same name, section 5.3")]
pub struct AccessPointRecord {
    pub id: Arc<str>,
    pub environment_id: String,
    pub target: String,
    pub host: String,
    /// Whether its status is `CREATED`.
    pub created: bool,
}
