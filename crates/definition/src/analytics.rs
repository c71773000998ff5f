//! Analytics, logging and tracing (`data-plane.md` sections 1.10, 1.11). None of it changes what a client sees.

use serde::Deserialize;

use crate::json::{Flag, Text};
use crate::{Template, label};

/// What an API wants to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Analytics {
    /// Record anything at all. Default yes.
    pub enabled: bool,
    /// Record requests, if the settings come to anything.
    pub logging: Option<Logging>,
    /// Trace requests, if that is switched on.
    pub tracing: Option<Tracing>,
    /// Which messages are recorded. For message APIs only.
    pub sampling: Option<Sampling>,
}

/// Which parts of which requests are logged. At least one of each pair or triple is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logging {
    /// Between client and gateway.
    pub entrypoint: bool,
    /// Between gateway and upstream.
    pub endpoint: bool,
    /// Requests.
    pub request: bool,
    /// Responses.
    pub response: bool,
    /// Headers.
    pub headers: bool,
    /// Bodies.
    pub payload: bool,
    /// Expression that must be true.
    pub condition: Option<Template>,
}

/// Tracing that is switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tracing {
    /// Record every policy too.
    pub verbose: bool,
}

/// Sampling of messages, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// Label: `probability`, `temporal`, `count`, `windowed_count`.
    pub kind: String,
    /// What it is measured by.
    pub value: String,
}

impl Default for Analytics {
    fn default() -> Self {
        Self { enabled: true, logging: None, tracing: None, sampling: None }
    }
}

impl Logging {
    /// The settings, if they would record something.
    fn effective(self) -> Option<Self> {
        let some = (self.entrypoint || self.endpoint)
            && (self.request || self.response)
            && (self.headers || self.payload);
        some.then_some(self)
    }
}

/// V4 analytics as they are written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AnalyticsJson<'a> {
    enabled: Option<Flag>,
    #[serde(borrow)]
    logging: Option<LoggingJson<'a>>,
    tracing: Option<TracingJson>,
    message_sampling: Option<SamplingJson<'a>>,
}

#[derive(Deserialize)]
struct LoggingJson<'a> {
    mode: Option<ModeJson>,
    phase: Option<PhaseJson>,
    content: Option<ContentJson>,
    #[serde(borrow)]
    condition: Option<Text<'a>>,
}

#[derive(Deserialize, Default)]
struct ModeJson {
    entrypoint: Option<Flag>,
    endpoint: Option<Flag>,
}

#[derive(Deserialize, Default)]
struct PhaseJson {
    request: Option<Flag>,
    response: Option<Flag>,
}

#[derive(Deserialize, Default)]
struct ContentJson {
    headers: Option<Flag>,
    payload: Option<Flag>,
}

#[derive(Deserialize)]
struct TracingJson {
    enabled: Option<Flag>,
    verbose: Option<Flag>,
}

#[derive(Deserialize)]
struct SamplingJson<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Text<'a>>,
    value: Option<Text<'a>>,
}

/// V2 logging as it is written.
#[derive(Deserialize)]
pub(crate) struct V2Logging<'a> {
    #[serde(borrow)]
    mode: Option<Text<'a>>,
    scope: Option<Text<'a>>,
    content: Option<Text<'a>>,
    condition: Option<Text<'a>>,
}

/// V4 analytics.
pub(crate) fn v4_analytics(json: Option<AnalyticsJson<'_>>) -> Analytics {
    let Some(json) = json else { return Analytics::default() };
    let logging = json.logging.and_then(|logging| {
        let (mode, phase) = (logging.mode.unwrap_or_default(), logging.phase.unwrap_or_default());
        let content = logging.content.unwrap_or_default();
        Logging {
            entrypoint: Flag::or(mode.entrypoint, false),
            endpoint: Flag::or(mode.endpoint, false),
            request: Flag::or(phase.request, false),
            response: Flag::or(phase.response, false),
            headers: Flag::or(content.headers, false),
            payload: Flag::or(content.payload, false),
            condition: Template::filled(logging.condition.map(|Text(text)| text)),
        }
        .effective()
    });
    let tracing = json.tracing.filter(|tracing| Flag::or(tracing.enabled, false));
    Analytics {
        enabled: Flag::or(json.enabled, true),
        logging,
        tracing: tracing.map(|tracing| Tracing { verbose: Flag::or(tracing.verbose, false) }),
        sampling: json.message_sampling.map(|sampling| Sampling {
            kind: Text::or(sampling.kind, "").into(),
            value: Text::or(sampling.value, "").into(),
        }),
    }
}

/// Logging of a V2 API.
pub(crate) fn v2_analytics(json: Option<V2Logging<'_>>) -> Analytics {
    const NEITHER: (bool, bool) = (false, false);
    let pair = |text: Option<Text<'_>>, first: &str, second: &str, both: &str| match text {
        Some(Text(text)) if label::is(&text, first) => (true, false),
        Some(Text(text)) if label::is(&text, second) => (false, true),
        Some(Text(text)) if label::is(&text, both) => (true, true),
        _ => NEITHER,
    };
    let logging = json.and_then(|json| {
        let (entrypoint, endpoint) = pair(json.mode, "client", "proxy", "clientproxy");
        let (request, response) = pair(json.scope, "request", "response", "requestresponse");
        let (headers, payload) = pair(json.content, "headers", "payloads", "headerspayloads");
        let condition = Template::filled(json.condition.map(|Text(text)| text));
        Logging { entrypoint, endpoint, request, response, headers, payload, condition }.effective()
    });
    Analytics { logging, ..Analytics::default() }
}
