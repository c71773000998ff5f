//! How long it takes until the last gateway does something: follows a change, is ready, leads the zone.
//!
//! Everything is measured from outside, by asking. The resolution is the pause between two questions.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::task::JoinSet;

use super::client::Client;
use super::failure::DemoError;
use super::lane::Lane;
use super::question::Question;
use super::sight::Sight;
use crate::stopwatch::Stopwatch;

/// How long anything may take before the demo gives up. Generous: a machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// The pause between two questions to the traffic port of a gateway.
const STEP: Duration = Duration::from_millis(2);
/// The pause between two questions to its technical API.
const GLANCE: Duration = Duration::from_millis(5);

/// When the gateways followed a change, since it was made.
#[derive(Debug, Clone)]
pub(crate) struct Followed {
    /// The first one.
    pub(crate) first: Duration,
    /// The last one.
    pub(crate) last: Duration,
    /// How many.
    pub(crate) gateways: usize,
}

impl Followed {
    /// From the first gateway that serves the change to the last one: what the zone itself takes for it (Z5).
    pub(crate) fn spread(&self) -> Duration {
        self.last.saturating_sub(self.first)
    }
}

/// Waits until all these gateways answer a question with `status`, and from then on expects nothing else of them.
pub(crate) async fn followed(
    lanes: &[Arc<Lane>],
    question: Question,
    status: u16,
    since: Stopwatch,
) -> Result<Followed, DemoError> {
    let mut waiting = JoinSet::new();
    for lane in lanes {
        waiting.spawn(one_followed(Arc::clone(lane), question, status, since));
    }
    let mut times = Vec::new();
    while let Some(ended) = waiting.join_next().await {
        let time = ended.map_err(|error| DemoError::system("wait for a gateway")(error.into()))?;
        times.push(time?);
    }
    let first = times.iter().min().copied().unwrap_or_default();
    let last = times.iter().max().copied().unwrap_or_default();
    Ok(Followed { first, last, gateways: times.len() })
}

async fn one_followed(
    lane: Arc<Lane>,
    question: Question,
    status: u16,
    since: Stopwatch,
) -> Result<Duration, DemoError> {
    let mut client = Client::new(lane.address);
    let waiting = Stopwatch::start();
    loop {
        let found = match client.ask(question.route(), "probe").await {
            Ok(answer) if answer.status.as_u16() == status => {
                let time = since.elapsed();
                lane.expected.settle(question, status);
                return Ok(time);
            }
            Ok(answer) => answer.status.to_string(),
            Err(error) => error.to_string(),
        };
        if waiting.elapsed() > PATIENCE {
            let expected = format!("{status} for {} within {PATIENCE:?}", question.text());
            return Err(DemoError::broken(&lane.name, expected, found));
        }
        tokio::time::sleep(STEP).await;
    }
}

/// Waits until a gateway has one answer to one question, without expecting it from then on.
pub(crate) async fn answered(lane: &Lane, question: Question, status: u16) -> Result<(), DemoError> {
    let mut client = Client::new(lane.address);
    match client.ask(question.route(), "probe").await {
        Ok(answer) if answer.status.as_u16() == status => Ok(()),
        Ok(answer) => Err(DemoError::broken(
            &lane.name,
            format!("{status} for {}", question.text()),
            answer.status.to_string(),
        )),
        Err(error) => {
            Err(DemoError::broken(&lane.name, format!("{status} for {}", question.text()), error.to_string()))
        }
    }
}

/// Looks at a gateway until what it says of itself is as wanted, and says how long that took and what it said.
pub(crate) async fn until(
    lane: &Lane,
    what: &str,
    since: Stopwatch,
    wanted: impl Fn(&Sight) -> bool,
) -> Result<(Duration, Sight), DemoError> {
    let waiting = Stopwatch::start();
    loop {
        let sight = lane.look().await;
        if let Some(sight) = sight.as_ref().filter(|sight| wanted(sight)) {
            return Ok((since.elapsed(), sight.clone()));
        }
        if waiting.elapsed() > PATIENCE {
            let found = sight.map_or_else(|| "no answer".to_owned(), |sight| sight.to_string());
            return Err(DemoError::broken(&lane.name, format!("{what} within {PATIENCE:?}"), found));
        }
        tokio::time::sleep(GLANCE).await;
    }
}

/// Waits until one of these gateways is primary and as wanted. Says how long that took, which one it is, and what it said.
///
/// Not one gateway that was primary a moment ago: on a busy machine the lease may go to another one at any time.
pub(crate) async fn primary(
    lanes: &[Arc<Lane>],
    what: &str,
    since: Stopwatch,
    wanted: impl Fn(&Sight) -> bool,
) -> Result<(Duration, Arc<Lane>, Sight), DemoError> {
    let (time, zone) = looked(lanes, &format!("a primary {what}"), since, |zone| {
        zone.iter().any(|(_, sight)| sight.is_primary() && wanted(sight))
    })
    .await?;
    let found = zone.into_iter().find(|(_, sight)| sight.is_primary() && wanted(sight));
    let (lane, sight) = found.ok_or_else(|| lost(&format!("a primary {what}"), &[]))?;
    Ok((time, lane, sight))
}

/// Looks at all of these gateways until all answer and are together as wanted.
pub(crate) async fn whole_zone(
    lanes: &[Arc<Lane>],
    what: &str,
    since: Stopwatch,
    wanted: impl Fn(&[(Arc<Lane>, Sight)]) -> bool,
) -> Result<(Duration, Vec<(Arc<Lane>, Sight)>), DemoError> {
    looked(lanes, what, since, |zone| zone.len() == lanes.len() && wanted(zone)).await
}

async fn looked(
    lanes: &[Arc<Lane>],
    what: &str,
    since: Stopwatch,
    wanted: impl Fn(&[(Arc<Lane>, Sight)]) -> bool,
) -> Result<(Duration, Vec<(Arc<Lane>, Sight)>), DemoError> {
    let waiting = Stopwatch::start();
    loop {
        let looks = lanes.iter().map(async |lane| Some((Arc::clone(lane), lane.look().await?)));
        let zone: Vec<_> = join_all(looks).await.into_iter().flatten().collect();
        if wanted(&zone) {
            return Ok((since.elapsed(), zone));
        }
        if waiting.elapsed() > PATIENCE {
            return Err(lost(what, &zone));
        }
        tokio::time::sleep(GLANCE).await;
    }
}

fn lost(what: &str, zone: &[(Arc<Lane>, Sight)]) -> DemoError {
    let said: Vec<String> = zone.iter().map(|(lane, sight)| format!("{}: {sight}", lane.name)).collect();
    let expected = format!("{what} within {PATIENCE:?}");
    DemoError::Broken {
        expected,
        found: said.join("; "),
        gateway: zone.first().map(|(lane, _)| lane.name.clone()),
    }
}
