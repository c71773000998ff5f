//! How a request fails inside the gateway: the facts from which an answer is rendered (`data-plane.md` section 2.9).

use std::borrow::Cow;

use http::StatusCode;

/// A failure that the gateway answers by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Status of the answer.
    pub status: StatusCode,
    /// Key, by which response templates and metrics find it.
    pub key: Option<&'static str>,
    /// Key of the family that it belongs to; templates fall back to it.
    pub parent_key: Option<&'static str>,
    /// Text for the client; without one the answer has no body.
    pub message: Option<Cow<'static, str>>,
}

impl Failure {
    /// A failure without text.
    pub const fn silent(status: StatusCode, key: &'static str) -> Self {
        Self { status, key: Some(key), parent_key: None, message: None }
    }

    /// A failure with a text for the client.
    pub const fn with_message(status: StatusCode, key: &'static str, message: &'static str) -> Self {
        Self { status, key: Some(key), parent_key: None, message: Some(Cow::Borrowed(message)) }
    }

    /// The same failure, as a member of a family of keys.
    #[must_use]
    pub const fn within(mut self, parent_key: &'static str) -> Self {
        self.parent_key = Some(parent_key);
        self
    }
}
