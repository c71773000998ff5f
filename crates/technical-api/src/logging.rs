//! `/_node/logging`: log levels. Changing them while the gateway runs is not there yet.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::answer;
use crate::routes::Context;

/// Levels by part of the program.
pub(crate) async fn levels(State(context): State<Context>) -> Response {
    answer::json(StatusCode::OK, &context.view.log_levels())
}
