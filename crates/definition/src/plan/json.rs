//! What V2 and V4 plans have in common when they are read: status, order, and the configuration of API-key security.

use serde::Deserialize;

use super::{ApiKeySecurity, ApiKeySource, Plan, Security};
use crate::connection::json::is_token;
use crate::json::{self, Flag, Text};
use crate::refusal::{Reason, Refusal, excerpt};
use crate::{At, Configuration, label};

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct ApiKeyJson<'a> {
    propagate_api_key: Option<Flag>,
    #[serde(borrow)]
    source: Option<Text<'a>>,
    enable_custom_api_key_header: Option<Flag>,
    api_key_header: Option<Text<'a>>,
}

/// Only published and deprecated plans are served; a plan without status is not.
pub(crate) fn is_served(status: Option<&Text<'_>>) -> bool {
    Text::is(status, "published") || Text::is(status, "deprecated")
}

/// Security by its type; the configuration is looked at only where the type has one.
pub(crate) fn security(
    kind: Option<Text<'_>>,
    configuration: impl FnOnce() -> Result<Configuration, Refusal>,
    at: &At<'_>,
) -> Result<Security, Refusal> {
    let kind = Text::filled(kind).ok_or_else(|| at.refuse(Reason::Missing("security")))?;
    Ok(if label::is(&kind, "keyless") {
        Security::KeyLess
    } else if label::is(&kind, "apikey") {
        let configuration = configuration()?;
        let json: Option<ApiKeyJson<'_>> = json::parse(configuration.as_str(), at)?;
        Security::ApiKey(api_key(json.unwrap_or_default(), at)?)
    } else if label::is(&kind, "jwt") {
        Security::Jwt(configuration()?)
    } else if label::is(&kind, "oauth2") {
        Security::OAuth2(configuration()?)
    } else if label::is(&kind, "mtls") {
        Security::Mtls(configuration()?)
    } else {
        Security::Other { label: excerpt(&kind), configuration: configuration()? }
    })
}

fn api_key(json: ApiKeyJson<'_>, at: &At<'_>) -> Result<ApiKeySecurity, Refusal> {
    const SOURCES: [(&str, ApiKeySource); 3] = [
        ("header", ApiKeySource::Header),
        ("bearer", ApiKeySource::Bearer),
        ("queryparameter", ApiKeySource::QueryParameter),
    ];
    let source = match Text::filled(json.source) {
        None => ApiKeySource::Header,
        Some(text) => label::find(&text, &SOURCES)
            .ok_or_else(|| at.refuse(Reason::PlanSecurity(format!("api-key from {}", excerpt(&text)))))?,
    };
    let custom =
        Text::filled(json.api_key_header).filter(|_| Flag::or(json.enable_custom_api_key_header, false));
    let header = match custom {
        Some(name) if is_token(name.trim()) => Some(name.trim().to_ascii_lowercase()),
        Some(_) => return Err(at.member("apiKeyHeader").refuse(Reason::Header)),
        None => None,
    };
    Ok(ApiKeySecurity { header, source, propagate: Flag::or(json.propagate_api_key, false) })
}

/// Brings plans into the order of the security chain; the order of the definition stays within a type. Two plans
/// with one id make the definition unreadable.
pub(crate) fn in_chain_order(mut plans: Vec<Plan>, at: &At<'_>) -> Result<Vec<Plan>, Refusal> {
    plans.sort_by_key(|plan| plan.security.order());
    let mut ids: Vec<&str> = plans.iter().map(|plan| &*plan.id).collect();
    ids.sort_unstable();
    match ids.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(at.refuse(Reason::Duplicate(excerpt(pair[0])))),
        None => Ok(plans),
    }
}
