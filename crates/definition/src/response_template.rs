//! Response templates: what clients get instead of the gateway's own failures (`data-plane.md` section 2.9).

use std::fmt;

use serde::Deserialize;

use crate::json::{Entries, Flag, Number, Text};
use crate::refusal::{Reason, Refusal};
use crate::{At, Template};

/// The templates for one key of failures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseTemplates {
    /// Key of a failure, of a family of failures, or `DEFAULT`.
    pub key: String,
    /// Templates by media type, in the order in which they are written; `*/*` is the one for all others.
    pub by_media_type: Vec<(String, ResponseTemplate)>,
}

/// An answer. Its headers may hold secrets, so `Debug` shows only their names (L3).
#[derive(Clone, PartialEq, Eq)]
pub struct ResponseTemplate {
    /// Status, 100 to 999; absent where the definition has none.
    pub status: Option<u16>,
    /// Headers, replacing those of the same name.
    pub headers: Vec<(String, Template)>,
    /// Body.
    pub body: Option<Template>,
    /// Put the failure's key into the log.
    pub logs_key: bool,
}

impl fmt::Debug for ResponseTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("ResponseTemplate")
            .field("status", &self.status)
            .field("headers", &names)
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

/// Templates as they are written: by key, then by media type.
pub(crate) type TemplatesJson<'a> = Entries<'a, Option<Entries<'a, Option<TemplateJson<'a>>>>>;

/// One template as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TemplateJson<'a> {
    status: Option<Number>,
    #[serde(borrow)]
    headers: Option<Entries<'a, Option<Text<'a>>>>,
    body: Option<Text<'a>>,
    propagate_error_key_to_logs: Option<Flag>,
}

/// All templates of an API.
pub(crate) fn response_templates(
    json: Option<TemplatesJson<'_>>,
    at: &At<'_>,
) -> Result<Vec<ResponseTemplates>, Refusal> {
    let Entries(keys) = json.unwrap_or_default();
    let mut all = Vec::with_capacity(keys.len());
    for (Text(key), json) in keys {
        let Entries(written) = json.unwrap_or_default();
        let mut by_media_type = Vec::with_capacity(written.len());
        for (Text(media_type), json) in written {
            let Some(json) = json else { continue };
            let template = template(json, &at.member(&key).member(&media_type))?;
            by_media_type.push((media_type.into_owned(), template));
        }
        all.push(ResponseTemplates { key: key.into_owned(), by_media_type });
    }
    Ok(all)
}

fn template(json: TemplateJson<'_>, at: &At<'_>) -> Result<ResponseTemplate, Refusal> {
    // Zero is what the original takes for an absent status.
    let status = match json.status {
        None | Some(Number(0)) => None,
        Some(Number(number)) => Some(
            u16::try_from(number)
                .ok()
                .filter(|status| (100..1000).contains(status))
                .ok_or_else(|| at.refuse(Reason::OutOfRange("status")))?,
        ),
    };
    let Entries(headers) = json.headers.unwrap_or_default();
    Ok(ResponseTemplate {
        status,
        headers: headers
            .into_iter()
            .filter_map(|(Text(name), value)| Some((name.into_owned(), Template::new(&value?.0))))
            .collect(),
        body: json.body.filter(|Text(body)| !body.is_empty()).map(|Text(body)| Template::new(&body)),
        logs_key: Flag::or(json.propagate_error_key_to_logs, false),
    })
}
