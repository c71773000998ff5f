//! What V2 and V4 plans have in common when they are read: status, order, and the configuration of API-key security.

use serde::Deserialize;

use super::{ApiKeySecurity, ApiKeySource, Plan, Security};
use crate::endpoint::json::is_token;
use crate::json::{self, Flag, Text};
use crate::label;
use crate::refusal::{Reason, Refusal, excerpt};

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct ApiKeyJson {
    propagate_api_key: Option<Flag>,
    source: Option<Text>,
    enable_custom_api_key_header: Option<Flag>,
    api_key_header: Option<Text>,
}

/// Only published and deprecated plans are served; a plan without status is not.
pub(crate) fn is_served(status: Option<&Text>) -> bool {
    status.is_some_and(|Text(status)| label::is(status, "published") || label::is(status, "deprecated"))
}

/// Security by its type and its configuration as JSON text.
pub(crate) fn security(
    kind: Option<Text>,
    configuration: Option<&str>,
    at: &str,
) -> Result<Security, Refusal> {
    let kind = Text::filled(kind).ok_or_else(|| Refusal::new(Reason::Missing("security"), at))?;
    if label::is(&kind, "keyless") {
        return Ok(Security::KeyLess);
    }
    if !label::is(&kind, "apikey") {
        return Err(Refusal::new(Reason::PlanSecurity(excerpt(&kind)), at));
    }
    let json = match configuration.map(str::trim) {
        None | Some("") => ApiKeyJson::default(),
        Some(text) => json::parse::<Option<ApiKeyJson>>(text, at)?.unwrap_or_default(),
    };
    Ok(Security::ApiKey(api_key(json, at)?))
}

/// JSON text that may itself be wrapped in a JSON string.
pub(crate) fn unwrapped<'a>(text: &'a str, at: &str) -> Result<std::borrow::Cow<'a, str>, Refusal> {
    if text.starts_with('"') { json::parse::<String>(text, at).map(Into::into) } else { Ok(text.into()) }
}

fn api_key(json: ApiKeyJson, at: &str) -> Result<ApiKeySecurity, Refusal> {
    const SOURCES: [(&str, ApiKeySource); 3] = [
        ("header", ApiKeySource::Header),
        ("bearer", ApiKeySource::Bearer),
        ("queryparameter", ApiKeySource::QueryParameter),
    ];
    let source = match Text::filled(json.source) {
        None => ApiKeySource::Header,
        Some(text) => label::find(&text, &SOURCES).ok_or_else(|| {
            Refusal::new(Reason::PlanSecurity(format!("api-key from {}", excerpt(&text))), at)
        })?,
    };
    let custom =
        Text::filled(json.api_key_header).filter(|_| Flag::or(json.enable_custom_api_key_header, false));
    let header = match custom {
        Some(name) if is_token(name.trim()) => Some(name.trim().to_ascii_lowercase()),
        Some(_) => return Err(Refusal::new(Reason::Header, format!("{at}.apiKeyHeader"))),
        None => None,
    };
    Ok(ApiKeySecurity { header, source, propagate: Flag::or(json.propagate_api_key, false) })
}

/// Brings plans into the order of the security chain; the order of the definition stays within a type. Two plans
/// with one id make the definition unreadable.
pub(crate) fn in_chain_order(mut plans: Vec<Plan>, at: &str) -> Result<Vec<Plan>, Refusal> {
    plans.sort_by_key(|plan| plan.security.order());
    let mut ids: Vec<&str> = plans.iter().map(|plan| &*plan.id).collect();
    ids.sort_unstable();
    match ids.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Refusal::new(Reason::Duplicate(excerpt(pair[0])), at)),
        None => Ok(plans),
    }
}
