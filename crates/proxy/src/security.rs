//! The security chain: which plan a request is served under (`data-plane.md` sections 3.1–3.3, 3.8). Plans of the API
//! products that the API is a member of come first, each with the credentials of its product.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{StatusCode, Uri};
use zonegate_definition::ApiKeySource;
use zonegate_generation::{Credentials, Generation, KeyMatch, Scope, Served};
use zonegate_policy::Failure;

use crate::deployment::{CompiledPlan, Compiler, PlanSecurity};
use crate::query;
use crate::settings::GatewaySettings;

/// What the chain found out about a request.
#[derive(Debug)]
pub(crate) struct Granted<'a> {
    /// The plan, and its place among the API's.
    pub(crate) plan: &'a CompiledPlan,
    /// Id of the subscription; `None` under a key-less plan, or where it is no text for a header.
    pub(crate) subscription: Option<HeaderValue>,
    /// The header to be taken off the request before anyone else sees it.
    pub(crate) remove_header: Option<&'a HeaderName>,
    /// The key may not go upstream as a query parameter either.
    pub(crate) remove_parameter: bool,
}

/// What a request shows to a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'r> {
    Absent,
    /// There, and no token.
    Invalid,
    Key(&'r [u8]),
}

const UNAUTHORIZED: &str = "Unauthorized";

/// Tries the plans of the products, then the API's own, each in their order. The first that knows the request's token
/// decides alone.
///
/// `now` gives the wall clock, milliseconds since 1970; it is read only where a subscription is looked at.
pub(crate) fn grant<'a>(
    generation: &'a Generation<Compiler>,
    served: &'a Served<Compiler>,
    settings: &GatewaySettings,
    headers: &HeaderMap,
    uri: &Uri,
    now: impl Fn() -> i64,
) -> Result<Granted<'a>, Box<Failure>> {
    let api = &*served.compiled;
    let of_products = served
        .products
        .plans()
        .map(|(product, at)| (product.compiled.plans(api.flow_mode).get(at), product.scope()));
    let own = api.plans.iter().map(|plan| (Some(plan), served.scope()));
    let plans = of_products.chain(own).filter_map(|(plan, scope)| Some((plan?, scope)));
    let credentials = |scope: Scope<'_>| generation.credentials(scope);
    try_plans(plans, credentials, settings, headers, uri, now)
}

fn try_plans<'a, S>(
    plans: impl Iterator<Item = (&'a CompiledPlan, S)>,
    credentials: impl Fn(S) -> Option<&'a Credentials>,
    settings: &GatewaySettings,
    headers: &HeaderMap,
    uri: &Uri,
    now: impl Fn() -> i64,
) -> Result<Granted<'a>, Box<Failure>> {
    let mut shown = false;
    for (plan, scope) in plans {
        match &plan.security {
            // A token of another plan, even one that is not valid, keeps a request from being anonymous.
            PlanSecurity::KeyLess if shown => {}
            PlanSecurity::KeyLess => {
                return Ok(Granted {
                    plan,
                    subscription: None,
                    remove_header: None,
                    remove_parameter: false,
                });
            }
            PlanSecurity::ApiKey { header, source, propagate } => {
                match token(*source, header, &settings.api_key_parameter, headers, uri.query()) {
                    Token::Absent => {}
                    Token::Invalid => shown = true,
                    Token::Key(key) => {
                        shown = true;
                        let now = now();
                        let found = credentials(scope).and_then(|credentials| {
                            find(credentials, key, plan, settings.validate_subscription, now)
                        });
                        let Some(found) = found else { continue };
                        if found.is_expired_at(now) {
                            return Err(Box::new(unauthorized("API_KEY_INVALID")));
                        }
                        let carrier =
                            if *source == ApiKeySource::Bearer { &header::AUTHORIZATION } else { header };
                        return Ok(Granted {
                            plan,
                            subscription: HeaderValue::from_bytes(found.subscription.spell(&mut [0; 36]))
                                .ok(),
                            remove_header: (!propagate).then_some(carrier),
                            remove_parameter: !propagate && *source != ApiKeySource::Bearer,
                        });
                    }
                }
            }
        }
    }
    Err(Box::new(unauthorized("GATEWAY_PLAN_UNRESOLVABLE")))
}

fn unauthorized(key: &'static str) -> Failure {
    Failure::with_message(StatusCode::UNAUTHORIZED, key, UNAUTHORIZED)
}

/// The key of a subscription to this very plan, valid by time. Without validation the subscription's time does not
/// count, but a key that nobody issued opens nothing.
fn find<'a>(
    credentials: &'a Credentials,
    key: &'a [u8],
    plan: &CompiledPlan,
    validate: bool,
    now: i64,
) -> Option<KeyMatch<'a>> {
    credentials
        .find_keys(key)
        .find(|found| found.plan == *plan.id && (!validate || found.is_subscribed_at(now)))
}

fn token<'r>(
    source: ApiKeySource,
    header: &HeaderName,
    parameter: &str,
    headers: &'r HeaderMap,
    query: Option<&'r str>,
) -> Token<'r> {
    let in_query = || query.and_then(|query| query::first(query, parameter)).map(str::as_bytes);
    let found = match source {
        ApiKeySource::Header => headers.get(header).map(HeaderValue::as_bytes).or_else(in_query),
        ApiKeySource::QueryParameter => in_query(),
        ApiKeySource::Bearer => headers.get(header::AUTHORIZATION).and_then(|value| bearer(value.as_bytes())),
    };
    match found.map(<[u8]>::trim_ascii) {
        None => Token::Absent,
        Some([]) => Token::Invalid,
        Some(key) => Token::Key(key),
    }
}

/// What follows `Bearer`, in any case.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(6)?;
    (scheme.eq_ignore_ascii_case(b"bearer") && rest.first().is_none_or(|byte| *byte == b' ')).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: HeaderName = HeaderName::from_static("x-key");

    fn headers(list: &[(HeaderName, &'static str)]) -> HeaderMap {
        list.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_key_is_looked_for_where_the_plan_says() {
        let with = headers(&[(KEY, "h"), (header::AUTHORIZATION, "bEARER b")]);
        let without = HeaderMap::new();
        let at = |source, headers, query| token(source, &KEY, "api-key", headers, query);
        assert_eq!(at(ApiKeySource::Header, &with, Some("api-key=q")), Token::Key(b"h"));
        assert_eq!(at(ApiKeySource::Header, &without, Some("api-key=q")), Token::Key(b"q"));
        assert_eq!(at(ApiKeySource::Header, &without, Some("x=api-key")), Token::Absent);
        assert_eq!(at(ApiKeySource::QueryParameter, &with, None), Token::Absent);
        assert_eq!(at(ApiKeySource::QueryParameter, &with, Some("api-key=q")), Token::Key(b"q"));
        assert_eq!(at(ApiKeySource::Bearer, &with, Some("api-key=q")), Token::Key(b"b"));
        assert_eq!(at(ApiKeySource::Bearer, &without, Some("api-key=q")), Token::Absent);
    }

    #[test]
    fn an_empty_key_is_there_and_no_token() {
        let empty = headers(&[(KEY, "")]);
        let none = HeaderMap::new();
        let at = |headers, query| token(ApiKeySource::Header, &KEY, "api-key", headers, query);
        assert_eq!(
            at(&empty, Some("api-key=q")),
            Token::Invalid,
            "the header is there, so the query does not count"
        );
        assert_eq!(at(&none, Some("api-key=")), Token::Invalid);
        assert_eq!(at(&none, Some("api-key")), Token::Invalid);
    }

    #[test]
    fn another_scheme_is_not_a_bearer_token() {
        assert_eq!(bearer(b"Basic abc"), None);
        assert_eq!(bearer(b"Bearerabc"), None);
        assert_eq!(bearer(b"Bearer"), Some(&b""[..]));
    }
}
