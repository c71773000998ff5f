//! The gateway's own answers: unknown paths, and failures rendered for the client (`data-plane.md` sections 2.7, 2.9).

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use zonegate_policy::Failure;

use crate::body::AnswerBody;
use crate::settings::GatewaySettings;

/// What a failure makes of a response: headers that are there stay.
pub(crate) fn render(failure: &Failure, accepts_json: bool, headers: &mut HeaderMap) -> Bytes {
    let body = match &failure.message {
        None => Bytes::new(),
        Some(message) if accepts_json => {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            let message = serde_json::Value::from(&**message);
            format!(r#"{{"message":{message},"http_status_code":{}}}"#, failure.status.as_u16()).into()
        }
        Some(message) => {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            Bytes::copy_from_slice(message.as_bytes())
        }
    };
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    if !failure.status.is_client_error() {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    body
}

/// Whether a failure's text is sent as JSON: some `Accept` value contains one of two texts. No `Accept` means no.
pub(crate) fn accepts_json(headers: &HeaderMap) -> bool {
    headers.get_all(header::ACCEPT).iter().any(|value| {
        ["application/json", "*/*"]
            .into_iter()
            .any(|text| memchr::memmem::find(value.as_bytes(), text.as_bytes()).is_some())
    })
}

/// The answer to a path that no API is at. `Accept` does not matter, and there are no gateway headers.
pub(crate) fn not_found(settings: &GatewaySettings) -> Response<AnswerBody> {
    let body = Bytes::copy_from_slice(settings.not_found_message.as_bytes());
    let mut response = empty(StatusCode::NOT_FOUND);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    headers.insert(header::CONTENT_TYPE, settings.not_found_content_type.clone());
    *response.body_mut() = AnswerBody::Whole(body);
    response
}

/// An answer without body that ends the connection: a request that was not understood.
pub(crate) fn closing(status: StatusCode) -> Response<AnswerBody> {
    let mut response = empty(status);
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn empty(status: StatusCode) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::EMPTY);
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (header::ACCEPT, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn json_is_a_matter_of_the_text_of_accept() {
        assert!(!accepts_json(&accept(&[])), "no Accept means plain text");
        assert!(accepts_json(&accept(&["*/*"])));
        assert!(accepts_json(&accept(&["text/html", "application/json;q=0.1"])));
        assert!(accepts_json(&accept(&["application/jsonlines"])), "a plain substring test");
        assert!(!accepts_json(&accept(&["application/*"])));
        assert!(!accepts_json(&accept(&["text/html"])));
    }

    #[test]
    fn a_failure_is_text_or_json_or_nothing() {
        let unauthorized = Failure::with_message(StatusCode::UNAUTHORIZED, "KEY", "Unauthorized");
        let mut headers = HeaderMap::new();
        assert_eq!(render(&unauthorized, false, &mut headers), "Unauthorized");
        assert_eq!(headers[header::CONTENT_TYPE], "text/plain");
        assert!(!headers.contains_key(header::CONNECTION));
        assert_eq!(
            render(&unauthorized, true, &mut headers),
            r#"{"message":"Unauthorized","http_status_code":401}"#
        );
        assert_eq!(headers[header::CONTENT_TYPE], "application/json");
        assert_eq!(headers[header::CONTENT_LENGTH], "49");

        let mut headers = HeaderMap::new();
        assert!(render(&Failure::silent(StatusCode::BAD_GATEWAY, "KEY"), true, &mut headers).is_empty());
        assert_eq!(headers[header::CONNECTION], "close");
        assert_eq!(headers[header::CONTENT_LENGTH], "0");
        assert!(!headers.contains_key(header::CONTENT_TYPE));
    }

    #[test]
    fn a_message_is_escaped_in_json() {
        let failure = Failure::with_message(StatusCode::BAD_REQUEST, "KEY", "a \"b\"\n");
        assert_eq!(
            render(&failure, true, &mut HeaderMap::new()),
            r#"{"message":"a \"b\"\n","http_status_code":400}"#
        );
    }
}
