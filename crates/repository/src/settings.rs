//! What decides which part of a repository is for this gateway, and how much of it is read at once.

use secrecy::SecretString;
use zonegate_payload::{PropertyCipher, ShardingTags, WrongSecretLength};

/// Settings of [`crate::Repository`], the same for every database.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `organizations` and `environments`.
    pub environments: EnvironmentFilter,
    /// `tags`.
    pub tags: ShardingTags,
    /// `services.sync.*`: how much is read at once.
    pub bulk: Bulk,
    /// `gamma.enabled`: authorization entities and policies are read too.
    pub authorization: bool,
    /// `api.properties.encryption.secret`: 16, 24 or 32 bytes.
    pub encryption_secret: SecretString,
}

impl Default for Settings {
    /// APIM's defaults.
    fn default() -> Self {
        Self {
            environments: EnvironmentFilter::default(),
            tags: ShardingTags::default(),
            bulk: Bulk::default(),
            authorization: false,
            encryption_secret: PropertyCipher::DEFAULT_SECRET.into(),
        }
    }
}

/// Which environments are for this gateway. All empty: all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvironmentFilter {
    /// Human-readable ids of organizations (`organizations`).
    pub organizations: Vec<String>,
    /// Environments (`environments`): human-readable ids, or ids.
    pub environments: Vec<String>,
    /// Whether `environments` are ids (`useLegacyEnvironmentHrids: false`).
    pub environments_are_ids: bool,
}

impl EnvironmentFilter {
    /// Whether it lets everything pass.
    pub fn is_empty(&self) -> bool {
        self.organizations.is_empty() && self.environments.is_empty()
    }
}

/// How much is read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bulk {
    /// `services.sync.bulk_items`: events.
    pub events: usize,
    /// `services.sync.subscription.bulk_items`: subscriptions.
    pub subscriptions: usize,
    /// `services.sync.apikey.bulk_items`: keys.
    pub keys: usize,
    /// `services.sync.apikey.subscriptions_chunk_size`: subscriptions whose keys are asked for together.
    pub key_subscriptions: usize,
}

impl Default for Bulk {
    fn default() -> Self {
        Self { events: 100, subscriptions: 2000, keys: 1000, key_subscriptions: 900 }
    }
}

/// Settings that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A size of nothing.
    #[error("`{0}` is 0: at least one item must be read at once")]
    Zero(&'static str),
    /// The secret of encrypted properties.
    #[error(transparent)]
    Secret(#[from] WrongSecretLength),
}

impl Bulk {
    /// Whether the sizes can be used.
    pub(crate) fn check(self) -> Result<(), SettingsError> {
        for (key, value) in [
            ("services.sync.bulk_items", self.events),
            ("services.sync.subscription.bulk_items", self.subscriptions),
            ("services.sync.apikey.bulk_items", self.keys),
            ("services.sync.apikey.subscriptions_chunk_size", self.key_subscriptions),
        ] {
            if value == 0 {
                return Err(SettingsError::Zero(key));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_of_nothing_is_refused_by_its_key() {
        let bulk = Bulk { keys: 0, ..Bulk::default() };
        let error = bulk.check().unwrap_err();
        assert!(error.to_string().contains("services.sync.apikey.bulk_items"), "{error}");
        assert_eq!(Bulk::default().check(), Ok(()));
    }
}
