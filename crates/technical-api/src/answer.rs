//! Answers in the form of the original: JSON with its content type, and bare texts without one.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;

/// JSON on one line.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    encoded(status, serde_json::to_vec(value))
}

/// JSON for people to read, where the original writes it so.
pub(crate) fn pretty_json(status: StatusCode, value: &impl Serialize) -> Response {
    encoded(status, serde_json::to_vec_pretty(value))
}

fn encoded(status: StatusCode, json: Result<Vec<u8>, serde_json::Error>) -> Response {
    match json {
        Ok(bytes) => {
            let mut response = Response::new(Body::from(bytes));
            *response.status_mut() = status;
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
        Err(error) => {
            tracing::error!(%error, "an answer of the technical API could not be encoded");
            bare(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
        }
    }
}

/// A text without a content type, or nothing.
pub(crate) fn bare(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}

/// What every path answers that does not exist.
pub(crate) async fn not_found() -> Response {
    bare(StatusCode::NOT_FOUND, "Not Found")
}

/// What every path answers to a method that it does not have.
pub(crate) async fn method_not_allowed() -> Response {
    bare(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
}
