//! What V2 and V4 endpoints have in common when they are read.

use super::{EndpointTarget, LoadBalancing};
use crate::json::{Number, Text};
use crate::refusal::{Reason, Refusal, excerpt};
use crate::{At, Target, Template, label};

/// The strategy by its label; round robin where there is none.
pub(crate) fn load_balancing(kind: Option<Text<'_>>, at: &At<'_>) -> Result<LoadBalancing, Refusal> {
    const LABELS: [(&str, LoadBalancing); 4] = [
        ("roundrobin", LoadBalancing::RoundRobin),
        ("random", LoadBalancing::Random),
        ("weightedroundrobin", LoadBalancing::WeightedRoundRobin),
        ("weightedrandom", LoadBalancing::WeightedRandom),
    ];
    match Text::filled(kind) {
        None => Ok(LoadBalancing::default()),
        Some(kind) => {
            label::find(&kind, &LABELS).ok_or_else(|| at.refuse(Reason::LoadBalancing(excerpt(&kind))))
        }
    }
}

/// The target of an endpoint. A text that is no URL is not refused, since the original deploys it and answers 502.
pub(crate) fn target(text: &str) -> EndpointTarget {
    let template = Template::new(text);
    if template.is_dynamic() {
        return EndpointTarget::Dynamic(template);
    }
    match Target::parse(text) {
        Ok(target) => EndpointTarget::Url(target),
        Err(problem) => EndpointTarget::NotAUrl(problem),
    }
}

/// A weight; below 1 it counts as 1.
pub(crate) fn weight(number: Option<Number>) -> u32 {
    number.map_or(1, |Number(number)| u32::try_from(number.max(1)).unwrap_or(u32::MAX))
}
