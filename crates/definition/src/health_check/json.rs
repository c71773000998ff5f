//! Health checks in JSON. Only those that are switched on are taken apart.
//!
//! One that is not understood is left out and reported: the original logs it and goes on without. Its endpoints then
//! count as up, which is where every endpoint begins.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{HealthCheck, Probe};
use crate::connection::json::{HeaderJson, headers};
use crate::json::{self, Flag, Number, Pairs, Text};
use crate::refusal::{Reason, Refusal};
use crate::{At, Configuration, Limitation, Template, label};

/// A V4 health-check service.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct V4HealthCheck<'a> {
    override_configuration: Option<Flag>,
    enabled: Option<Flag>,
    #[serde(rename = "type", borrow)]
    kind: Option<Text<'a>>,
    configuration: Option<&'a RawValue>,
}

impl V4HealthCheck<'_> {
    /// Whether an endpoint's own service holds instead of the group's.
    pub(crate) fn overrides(&self) -> bool {
        Flag::or(self.override_configuration, false)
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct V4Configuration<'a> {
    #[serde(borrow)]
    schedule: Option<Text<'a>>,
    method: Option<Text<'a>>,
    target: Option<Text<'a>>,
    override_endpoint_path: Option<Flag>,
    headers: Option<Pairs<HeaderJson<'a>>>,
    body: Option<Text<'a>>,
    assertion: Option<Text<'a>>,
    success_threshold: Option<Number>,
    failure_threshold: Option<Number>,
}

/// A V2 health-check service, of the API or of an endpoint.
#[derive(Deserialize)]
struct V2HealthCheck<'a> {
    enabled: Option<Flag>,
    inherit: Option<Flag>,
    #[serde(borrow)]
    schedule: Option<Text<'a>>,
    steps: Option<Vec<V2Step<'a>>>,
    /// Older than `steps`.
    request: Option<V2Request<'a>>,
    expectation: Option<V2Response<'a>>,
}

impl V2HealthCheck<'_> {
    /// Whether it is switched on.
    fn is_on(&self) -> bool {
        Flag::or(self.enabled, true)
    }
}

#[derive(Deserialize)]
struct V2Step<'a> {
    #[serde(borrow)]
    request: Option<V2Request<'a>>,
    response: Option<V2Response<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct V2Request<'a> {
    #[serde(borrow)]
    path: Option<Text<'a>>,
    uri: Option<Text<'a>>,
    method: Option<Text<'a>>,
    headers: Option<Pairs<HeaderJson<'a>>>,
    body: Option<Text<'a>>,
    from_root: Option<Flag>,
}

#[derive(Deserialize)]
struct V2Response<'a> {
    #[serde(borrow)]
    assertions: Option<Vec<Text<'a>>>,
}

/// What a service that cannot be understood comes to.
fn or_left_out(
    read: Result<HealthCheck, Refusal>,
    at: &At<'_>,
    limitations: &mut Vec<Limitation>,
) -> Option<Arc<HealthCheck>> {
    if read.is_err() {
        limitations.push(Limitation::HealthCheckLeftOut { at: at.to_string() });
    }
    read.ok().map(Arc::new)
}

/// The check of a V4 service, if it is switched on.
pub(crate) fn v4_health_check(
    json: &V4HealthCheck<'_>,
    at: &At<'_>,
    limitations: &mut Vec<Limitation>,
) -> Option<Arc<HealthCheck>> {
    Flag::or(json.enabled, true).then(|| or_left_out(v4(json, at), at, limitations)).flatten()
}

fn v4(json: &V4HealthCheck<'_>, at: &At<'_>) -> Result<HealthCheck, Refusal> {
    let kind = json.kind.as_ref().map_or("", |Text(kind)| kind);
    if !label::is(kind, "httphealthcheck") {
        return Err(at.refuse(Reason::Missing("type")));
    }
    let configuration = Configuration::unwrapped(json.configuration, at)?;
    let json: Option<V4Configuration<'_>> = json::parse(configuration.as_str(), at)?;
    let json = json.unwrap_or_default();
    let assertion = Text::filled(json.assertion).unwrap_or("{#response.status == 200}".into());
    Ok(HealthCheck {
        schedule: Text::filled(json.schedule).map(Into::into),
        probes: vec![Probe {
            method: method(json.method),
            target: Text::or(json.target, "").into(),
            overrides_path: Flag::or(json.override_endpoint_path, false),
            headers: headers(json.headers, at)?,
            body: Template::filled(json.body.map(|Text(body)| body)),
            assertions: vec![Template::new(&assertion)],
        }],
        success_threshold: Number::unsigned(json.success_threshold, 2, "successThreshold", at)?,
        failure_threshold: Number::unsigned(json.failure_threshold, 3, "failureThreshold", at)?,
    })
}

/// The check of a V2 API, if it is switched on.
pub(crate) fn v2_health_check(
    text: &str,
    at: &At<'_>,
    limitations: &mut Vec<Limitation>,
) -> Option<Arc<HealthCheck>> {
    let read = json::parse::<V2HealthCheck<'_>>(text, at)
        .and_then(|json| if json.is_on() { v2(json, at).map(Some) } else { Ok(None) });
    or_left_out(read.transpose()?, at, limitations)
}

/// The check of a V2 endpoint: none, its own, or the API's.
pub(crate) fn v2_endpoint_health_check(
    text: &str,
    of_api: Option<&Arc<HealthCheck>>,
    at: &At<'_>,
    limitations: &mut Vec<Limitation>,
) -> Option<Arc<HealthCheck>> {
    match json::parse::<V2HealthCheck<'_>>(text, at) {
        Ok(json) if !json.is_on() => None,
        Ok(json) if Flag::or(json.inherit, true) => of_api.cloned(),
        Ok(json) => or_left_out(v2(json, at), at, limitations),
        Err(refusal) => or_left_out(Err(refusal), at, limitations),
    }
}

fn v2(json: V2HealthCheck<'_>, at: &At<'_>) -> Result<HealthCheck, Refusal> {
    let steps = match json.steps {
        Some(steps) => steps,
        None => vec![V2Step { request: json.request, response: json.expectation }],
    };
    let mut probes = Vec::with_capacity(steps.len());
    for step in steps {
        let request = step.request.ok_or_else(|| at.refuse(Reason::Missing("request")))?;
        let path = request.path.or(request.uri).ok_or_else(|| at.refuse(Reason::Missing("path")))?;
        let assertions = step.response.and_then(|response| response.assertions).unwrap_or_default();
        let mut assertions: Vec<_> = assertions.iter().map(|Text(text)| Template::new(text)).collect();
        if assertions.is_empty() {
            assertions.push(Template::new("#response.status == 200"));
        }
        probes.push(Probe {
            method: method(request.method),
            target: path.0.into(),
            overrides_path: Flag::or(request.from_root, false),
            headers: headers(request.headers, at)?,
            body: Template::filled(request.body.map(|Text(body)| body)),
            assertions,
        });
    }
    Ok(HealthCheck {
        schedule: Text::filled(json.schedule).map(Into::into),
        probes,
        success_threshold: 2,
        failure_threshold: 3,
    })
}

fn method(text: Option<Text<'_>>) -> String {
    Text::filled(text).map_or_else(|| "GET".to_owned(), |method| method.trim().to_ascii_uppercase())
}
