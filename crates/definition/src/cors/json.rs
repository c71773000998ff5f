//! Cross-origin settings in JSON; V2 and V4 write them alike.

use serde::Deserialize;

use super::Cors;
use crate::json::{Flag, Number, Text};

/// Cross-origin settings as they are written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CorsJson<'a> {
    enabled: Option<Flag>,
    #[serde(borrow)]
    allow_origin: Option<Vec<Text<'a>>>,
    allow_methods: Option<Vec<Text<'a>>>,
    allow_headers: Option<Vec<Text<'a>>>,
    expose_headers: Option<Vec<Text<'a>>>,
    allow_credentials: Option<Flag>,
    max_age: Option<Number>,
    run_policies: Option<Flag>,
    allow_private_network: Option<Flag>,
}

/// The settings, if they are switched on.
pub(crate) fn cors(json: Option<CorsJson<'_>>, listener: usize) -> Option<Cors> {
    let json = json.filter(|json| Flag::or(json.enabled, false))?;
    let methods = json.allow_methods.unwrap_or_default();
    Some(Cors {
        listener,
        allow_origin: Text::all(json.allow_origin),
        allow_methods: methods.into_iter().map(|Text(method)| method.to_ascii_uppercase()).collect(),
        allow_headers: Text::all(json.allow_headers),
        expose_headers: Text::all(json.expose_headers),
        allow_credentials: Flag::or(json.allow_credentials, false),
        max_age: json.max_age.and_then(|Number(seconds)| u64::try_from(seconds).ok()),
        run_policies: Flag::or(json.run_policies, false),
        allow_private_network: Flag::or(json.allow_private_network, false),
    })
}
