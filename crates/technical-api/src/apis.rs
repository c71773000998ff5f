//! `/_node/apis`: what is deployed, and each API's definition.

mod redaction;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use crate::answer;
use crate::routes::Context;

/// Deployed APIs by name.
pub(crate) async fn list(State(context): State<Context>) -> Response {
    let mut apis = context.view.apis();
    apis.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    answer::pretty_json(StatusCode::OK, &apis)
}

/// A deployed API as it lies in the zone store. Secrets are masked unless the operator wants APIM's clear text.
pub(crate) async fn one(State(context): State<Context>, Path(id): Path<String>) -> Response {
    let Some(payload) = context.view.api(&id) else {
        return answer::bare(StatusCode::NOT_FOUND, "");
    };
    match serde_json::from_str::<Value>(payload.as_str()) {
        Ok(mut wrapper) => {
            if !context.settings.clear_text {
                redaction::redact(&mut wrapper);
            }
            answer::pretty_json(StatusCode::OK, &wrapper)
        }
        Err(error) => {
            // The error may quote the text: the position is enough.
            let (line, column) = (error.line(), error.column());
            tracing::error!(api = ?id, line, column, "the row of a deployed API is not JSON and cannot be shown");
            answer::bare(StatusCode::INTERNAL_SERVER_ERROR, "The definition is not readable as JSON")
        }
    }
}
