//! `api.*` and `policy.api-key.*`: how APIs are served.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use crate::diagnostic::Diagnostic;
use crate::reader::Reader;

/// What APIM's gateway and management API use unless told otherwise. Public, so no secret.
const SHIPPED_SECRET: &str = "vvLJ4Q8Khvv9tm2tIPdkGEdmgKUruAL6";

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

impl ApiSettings {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
        const SECRET: &str = "api.properties.encryption.secret";
        // AES keys. APIM's gateway fails on each encrypted property otherwise; better to say so once.
        let secret = reader.secret(SECRET);
        if let Some(secret) = &secret
            && !matches!(secret.expose_secret().len(), 16 | 24 | 32)
        {
            let length = secret.expose_secret().len();
            reader.about(
                SECRET,
                Diagnostic::error(format!("the secret has {length} bytes, it must have 16, 24 or 32"))
                    .hint("use the same secret as the management API"),
            );
        }
        Self {
            properties_encryption_secret: secret.unwrap_or_else(|| SecretString::from(SHIPPED_SECRET)),
            validate_subscription: reader.boolean("api.validateSubscription", true),
            allow_overlapping_context: reader.boolean("api.allowOverlappingContext", false),
            pending_requests_timeout: reader.milliseconds("api.pending_requests_timeout", 10_000, 0),
            verbose_401: reader.boolean("api.security.verbose401", false),
        }
    }
}

impl ApiKeySettings {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            header: reader.header_name_or_empty("policy.api-key.header", "X-Gravitee-Api-Key"),
            query_parameter: reader.text_or_empty("policy.api-key.param", "api-key"),
        }
    }
}
