//! `api.*` and `policy.api-key.*`: how APIs are served.

use std::time::Duration;

use secrecy::SecretString;

/// How APIs are served.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// `api.properties.encryption.secret`: decrypts API properties. Default: the value that APIM ships.
    pub properties_encryption_secret: SecretString,
    /// `api.validateSubscription`, default true: whether a key needs a subscription that is valid now.
    pub validate_subscription: bool,
    /// `api.allowOverlappingContext`, default false: whether an API may be deployed on a path that another one has.
    pub allow_overlapping_context: bool,
    /// `api.pending_requests_timeout` in ms, default 10000: how long an undeployed API's requests may go on.
    pub pending_requests_timeout: Duration,
    /// `api.security.verbose401`, default false: say in 401 answers what is wrong.
    pub verbose_401: bool,
}

/// Where a client's API key is looked for. Both `None`: no request can carry one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeySettings {
    /// `policy.api-key.header`, default `X-Gravitee-Api-Key`. `None` when set to an empty value.
    pub header: Option<String>,
    /// `policy.api-key.param`, default `api-key`. `None` when set to an empty value.
    pub query_parameter: Option<String>,
}
