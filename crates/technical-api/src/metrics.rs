//! `/_node/metrics/prometheus`. Not there unless it is switched on, as in the original.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use zonegate_telemetry::Exposition;

use crate::answer;
use crate::routes::Context;

/// All metrics.
pub(crate) async fn prometheus(State(context): State<Context>, headers: HeaderMap) -> Response {
    let Ok(permit) = context.scrapes.clone().try_acquire_owned() else {
        return answer::bare(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests");
    };
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let exposition = Exposition::for_accept(accept);
    // With many APIs the text is megabytes: no other endpoint waits for it. The permit ends with the work, also if
    // the scraper has left meanwhile.
    let rendered = tokio::task::spawn_blocking(move || {
        let text = context.view.metrics(exposition);
        drop(permit);
        text
    });
    match rendered.await {
        Ok(Some(text)) => {
            let mut response = Response::new(Body::from(text));
            let content_type = HeaderValue::from_static(exposition.content_type());
            response.headers_mut().insert(header::CONTENT_TYPE, content_type);
            response
        }
        Ok(None) => answer::not_found().await,
        Err(error) => {
            tracing::error!(%error, "the metrics could not be collected");
            answer::bare(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
        }
    }
}
