//! Plans of an API or API product: which of them are served here, and which of those have subscriptions and keys
//! (`management-repository.md` sections 7.1 and 8.5).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Reason, json};
use crate::{ShardingTags, lenient};

/// Plans that are served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServedPlans {
    /// Those that can have subscriptions.
    pub subscribable: Vec<Arc<str>>,
    /// Those of them whose subscriptions can have API keys.
    pub by_key: Vec<Arc<str>>,
}

impl ServedPlans {
    /// Whether subscriptions of this plan are served.
    pub fn takes_subscriptions(&self, plan: &str) -> bool {
        self.subscribable.iter().any(|id| &**id == plan)
    }

    /// Whether API keys of this plan are served.
    pub fn takes_keys(&self, plan: &str) -> bool {
        self.by_key.iter().any(|id| &**id == plan)
    }
}

/// How a format spells plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    V2,
    V4,
}

/// What decides about a plan.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    id: Option<Arc<str>>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    mode: Option<String>,
    #[serde(default)]
    security: Option<Security>,
    #[serde(default, deserialize_with = "lenient::or_default")]
    tags: Vec<String>,
}

/// V4 has an object, V2 a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Security {
    Label(String),
    Object {
        #[serde(default, rename = "type")]
        label: Option<String>,
    },
}

/// Keeps the plans that are served: published or deprecated, and with no tags or matching ones. Answers their JSON
/// array, in the zone store's spelling, or `None` if nothing is left.
pub(super) fn served(
    format: Format,
    api: &str,
    plans: Option<&RawValue>,
    tags: &ShardingTags,
) -> Result<(Option<Box<RawValue>>, ServedPlans), Reason> {
    const WHAT: &str = "the plans";
    let plans: Option<Vec<&RawValue>> = match plans {
        Some(plans) => json::read(WHAT, plans.get())?,
        None => None,
    };
    let mut kept = Vec::new();
    let mut served = ServedPlans::default();
    for plan in plans.unwrap_or_default() {
        let head: Head = json::read(WHAT, plan.get())?;
        let active = head.status.as_deref().is_some_and(|status| {
            status.eq_ignore_ascii_case("published") || status.eq_ignore_ascii_case("deprecated")
        });
        if !active || !tags.accept_plan(head.tags.iter().map(String::as_str)) {
            continue;
        }
        let id = head.id.ok_or(Reason::Missing("the id of a plan"))?;
        let security = match head.security {
            Some(Security::Label(label) | Security::Object { label: Some(label) }) => Some(label),
            _ => None,
        };
        let is = |name: &str| security.as_deref().is_some_and(|label| same_label(label, name));
        let push = head.mode.as_deref().is_some_and(|mode| mode.eq_ignore_ascii_case("push"));
        let subscribable = match format {
            Format::V2 => is("oauth2") || is("jwt") || is("api_key"),
            Format::V4 => push || (security.is_some() && !is("key_less")),
        };
        if subscribable {
            served.subscribable.push(Arc::clone(&id));
        }
        if is("api_key") {
            served.by_key.push(Arc::clone(&id));
        }
        kept.push(match format {
            Format::V4 => plan.to_owned(),
            Format::V2 => respell_v2(api, plan)?,
        });
    }
    if kept.is_empty() {
        return Ok((None, served));
    }
    let array = serde_json::value::to_raw_value(&kept).map_err(|error| json::reason(WHAT, &error))?;
    Ok((Some(array), served))
}

/// `key-less` and `KEY_LESS` are the same.
fn same_label(label: &str, name: &str) -> bool {
    label.len() == name.len()
        && label.bytes().zip(name.bytes()).all(|(left, right)| match left {
            b'-' => right == b'_',
            other => other.eq_ignore_ascii_case(&right),
        })
}

/// A gateway of APIM 4.12 adds the API's id to a V2 plan, and drops the paths of the former plan format.
fn respell_v2(api: &str, plan: &RawValue) -> Result<Box<RawValue>, Reason> {
    const WHAT: &str = "a plan";
    let mut members: BTreeMap<String, Box<RawValue>> = json::read(WHAT, plan.get())?;
    members.remove("paths");
    let write = |value: &str| serde_json::value::to_raw_value(value);
    members.insert("api".to_owned(), write(api).map_err(|error| json::reason(WHAT, &error))?);
    serde_json::value::to_raw_value(&members).map_err(|error| json::reason(WHAT, &error))
}
