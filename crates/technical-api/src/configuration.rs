//! `/_node/configuration`: every setting, sorted, with secrets masked unless the operator wants APIM's clear text.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use zonegate_telemetry::secret_text::{MASK, is_secret_name, mask_in_urls};

use crate::answer;
use crate::routes::Context;

/// Settings by key.
pub(crate) async fn configuration(State(context): State<Context>) -> Response {
    let clear_text = context.settings.clear_text;
    let mut configuration = context.view.configuration(clear_text);
    if !clear_text {
        // The settings' own knowledge of secrets ends where other plugins' keys begin.
        for (key, value) in &mut configuration {
            if holds_secret(key) && !value.is_empty() {
                MASK.clone_into(value);
            } else {
                *value = mask_in_urls(value);
            }
        }
    }
    answer::pretty_json(StatusCode::OK, &configuration)
}

/// Whether the key's last part names a secret, or is a user whose value is the password. Keys come as in the file
/// (`a.b[0]`) and as in the environment (`a_b_0`).
fn holds_secret(key: &str) -> bool {
    let lower = key.to_ascii_lowercase().replace('_', ".");
    let parts: Vec<&str> =
        lower.split(['.', '[', ']']).filter(|part| !part.bytes().all(|b| b.is_ascii_digit())).collect();
    let is_user = |pair: &[&str]| pair == ["authentication", "users"];
    parts.windows(2).any(is_user)
        || parts.last().is_some_and(|last| is_secret_name(last))
        || parts.windows(2).last().is_some_and(|pair| is_secret_name(&pair.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l3_secrets_of_unknown_plugins_are_known_by_their_keys() {
        for key in [
            "management.mongodb.password",
            "ds_redis_password",
            "DISTRIBUTEDSYNC_REDIS_PASSWORD",
            "services.core.http.authentication.users.admin",
            "services_core_http_authentication_users_admin",
            "alerts.alert-engine.ws.security.passwords[0]",
            "api.properties.encryption.secret",
            "http.api_key",
            "http.ssl.keystore.keyPassword",
        ] {
            assert!(holds_secret(key), "{key}");
        }
        for key in
            ["secrets.vault.enabled", "services.sync.delay", "management.mongodb.username", "http.host", ""]
        {
            assert!(!holds_secret(key), "{key}");
        }
    }
}
