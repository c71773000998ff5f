//! Who may call: HTTP Basic on every path, as the original (`sync-semantics.md` section 10).
//!
//! Credentials are compared as digests in constant time, against all users, so that the time of an answer tells nothing
//! about them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::answer;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Who may call the technical API.
#[derive(Clone, Debug)]
pub enum Access {
    /// Everybody (`authentication.type: none`).
    Open,
    /// These users with these passwords. Without users: nobody.
    Basic(BTreeMap<String, SecretString>),
}

/// The address that a request came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Compares credentials. Holds digests only.
#[derive(Clone)]
pub(crate) struct Gate(Option<Arc<[[u8; 32]]>>);

impl Gate {
    pub(crate) fn new(access: &Access) -> Self {
        Self(match access {
            Access::Open => None,
            Access::Basic(users) => Some(
                users
                    .iter()
                    .map(|(name, password)| digest(format!("{name}:{}", password.expose_secret()).as_bytes()))
                    .collect(),
            ),
        })
    }

    fn admits(&self, authorization: Option<&HeaderValue>) -> bool {
        let Some(users) = &self.0 else { return true };
        let Some(presented) = authorization.and_then(credentials) else { return false };
        let presented = digest(&presented);
        let known = users.iter().fold(Choice::from(0), |known, user| known | user.ct_eq(&presented));
        known.into()
    }
}

fn digest(credentials: &[u8]) -> [u8; 32] {
    Sha256::digest(credentials).into()
}

/// `user:password` of a Basic header.
fn credentials(authorization: &HeaderValue) -> Option<Vec<u8>> {
    let (scheme, encoded) = authorization.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("basic").then(|| BASE64.decode(encoded.trim()).ok()).flatten()
}

/// Lets a request through, or answers 401.
pub(crate) async fn require(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    if gate.admits(request.headers().get(header::AUTHORIZATION)) {
        return next.run(request).await;
    }
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    let path: String = request.uri().path().chars().take(100).collect();
    tracing::warn!(?peer, ?path, "the technical API was called without valid credentials");
    let mut response = answer::bare(StatusCode::UNAUTHORIZED, "Unauthorized");
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"gravitee.io\""));
    response
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose;

    use super::*;
    use proptest::prelude::*;

    fn gate() -> Gate {
        let users = [("admin", "pass:word"), ("ops", "")];
        Gate::new(&Access::Basic(
            users.map(|(name, password)| (name.to_owned(), SecretString::from(password))).into(),
        ))
    }

    fn basic(credentials: &str) -> HeaderValue {
        HeaderValue::try_from(format!("Basic {}", general_purpose::STANDARD.encode(credentials))).unwrap()
    }

    #[test]
    fn only_the_right_user_with_the_right_password_is_admitted() {
        let gate = gate();
        assert!(gate.admits(Some(&basic("admin:pass:word"))));
        assert!(gate.admits(Some(&basic("ops:"))), "an empty password is the operator's choice");
        for wrong in ["admin:pass:wor", "admin:", "ops:pass:word", "Admin:pass:word", "admin", ""] {
            assert!(!gate.admits(Some(&basic(wrong))), "{wrong}");
        }
        assert!(!gate.admits(None));
        assert!(!Gate::new(&Access::Basic(BTreeMap::new())).admits(Some(&basic(":"))));
        assert!(Gate::new(&Access::Open).admits(None));
    }

    #[test]
    fn the_scheme_is_read_in_any_case_and_padding_may_be_missing() {
        let encoded = general_purpose::STANDARD_NO_PAD.encode("admin:pass:word");
        for header in [format!("bAsIc {encoded}"), format!("Basic  {encoded}=")] {
            let header = HeaderValue::try_from(header.trim_end_matches('=')).unwrap();
            assert!(gate().admits(Some(&header)), "{header:?}");
        }
        assert!(!gate().admits(Some(&HeaderValue::try_from(format!("Bearer {encoded}")).unwrap())));
    }

    proptest! {
        #[test]
        fn any_header_is_refused_without_a_panic(bytes in prop::collection::vec(32_u8..=255, 0..80)) {
            if let Ok(header) = HeaderValue::from_bytes(&bytes) {
                prop_assert!(!gate().admits(Some(&header)));
            }
        }
    }
}
