//! `/_node` and `/_node/license`.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use crate::answer;
use crate::routes::Context;

/// Who this gateway is. A label that is not configured has no member.
pub(crate) async fn node(State(context): State<Context>) -> Response {
    let identity = context.view.identity();
    let mut metadata = BTreeMap::from([
        ("node.id", Value::from(identity.id.as_str())),
        ("node.hostname", identity.hostname.into()),
        ("organizations", identity.organizations.into()),
        ("environments", identity.environments.into()),
    ]);
    let labels = [
        ("installation", identity.installation),
        ("tags", identity.tags),
        ("tenant", identity.tenant),
        ("zone", identity.zone),
    ];
    metadata.extend(labels.into_iter().filter_map(|(name, value)| Some((name, value?.into()))));
    let commit = identity.commit.unwrap_or_else(|| "unknown".to_owned());
    let body = json!({
        "id": identity.id,
        "name": identity.name,
        "metadata": metadata,
        "version": {
            "BUILD_ID": commit,
            "BUILD_NUMBER": "unknown",
            "MAJOR_VERSION": identity.version,
            "REVISION": commit,
        },
    });
    answer::pretty_json(StatusCode::OK, &body)
}

/// There is no licence: this gateway has no features that ask for one.
pub(crate) async fn license() -> Response {
    answer::pretty_json(StatusCode::OK, &json!({ "tier": "oss" }))
}
