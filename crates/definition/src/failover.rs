//! Failover: trying again, elsewhere (`data-plane.md` section 1.6).

use std::time::Duration;

use serde::Deserialize;

use crate::json::{Flag, Number, Text};
use crate::refusal::{Reason, Refusal};
use crate::{At, Template};

/// Failover that is switched on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failover {
    /// Attempts after the first one. Default 2 (V4), 1 (V2).
    pub max_retries: u32,
    /// Longest wait of an attempt for the head of the response. Default 2 s (V4), 10 s (V2).
    pub attempt_timeout: Duration,
    /// Expression over the response's head that makes an attempt a failure. V4 only.
    pub failure_condition: Option<Template>,
    /// Take the next endpoint in order of declaration instead of the load balancer's choice. V4 only.
    pub forces_next_endpoint: bool,
    /// Stops trying after too many failures. V4 only.
    pub circuit_breaker: Option<CircuitBreaker>,
}

/// When requests fail at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CircuitBreaker {
    /// Failed requests in a row that open it. Default 5.
    pub max_failures: u32,
    /// How long it stays open. Default 10 s.
    pub open_duration: Duration,
    /// One for each subscription instead of one for the API. Default yes.
    pub per_subscription: bool,
}

/// V4 failover as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct V4Failover<'a> {
    enabled: Option<Flag>,
    max_retries: Option<Number>,
    slow_call_duration: Option<Number>,
    open_state_duration: Option<Number>,
    max_failures: Option<Number>,
    per_subscription: Option<Flag>,
    #[serde(borrow)]
    failure_condition: Option<Text<'a>>,
    force_next_endpoint_on_failure: Option<Flag>,
}

/// V2 failover as it is written. Being there switches it on; the only case that there is, is the time-out.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct V2Failover {
    max_attempts: Option<Number>,
    retry_timeout: Option<Number>,
}

/// V4 failover, if it is switched on.
pub(crate) fn v4_failover(json: Option<V4Failover<'_>>, at: &At<'_>) -> Result<Option<Failover>, Refusal> {
    let Some(json) = json.filter(|json| Flag::or(json.enabled, false)) else { return Ok(None) };
    Ok(Some(Failover {
        max_retries: Number::unsigned(json.max_retries, 2, "maxRetries", at)?,
        attempt_timeout: duration(json.slow_call_duration, 2_000, "slowCallDuration", at)?,
        failure_condition: Template::filled(json.failure_condition.map(|Text(text)| text)),
        forces_next_endpoint: Flag::or(json.force_next_endpoint_on_failure, false),
        circuit_breaker: Some(CircuitBreaker {
            max_failures: Number::unsigned(json.max_failures, 5, "maxFailures", at)?,
            open_duration: duration(json.open_state_duration, 10_000, "openStateDuration", at)?,
            per_subscription: Flag::or(json.per_subscription, true),
        }),
    }))
}

/// V2 failover, if it is there.
pub(crate) fn v2_failover(json: Option<V2Failover>, at: &At<'_>) -> Result<Option<Failover>, Refusal> {
    let Some(json) = json else { return Ok(None) };
    Ok(Some(Failover {
        max_retries: Number::unsigned(json.max_attempts, 1, "maxAttempts", at)?,
        attempt_timeout: duration(json.retry_timeout, 10_000, "retryTimeout", at)?,
        failure_condition: None,
        forces_next_endpoint: false,
        circuit_breaker: None,
    }))
}

fn duration(
    number: Option<Number>,
    default: u64,
    name: &'static str,
    at: &At<'_>,
) -> Result<Duration, Refusal> {
    let millis = match number {
        None => default,
        Some(Number(number)) => u64::try_from(number).map_err(|_| at.refuse(Reason::OutOfRange(name)))?,
    };
    Ok(Duration::from_millis(millis))
}
