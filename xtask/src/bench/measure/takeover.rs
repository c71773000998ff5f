//! P8: the primary is killed, hangs, or stops in good order; how long until the next one leads and has published.
//!
//! Everything is seen from outside: roles by `/_node/sync`, the published change by its row in the store and by requests
//! to the gateways that are left. The change is made in the repository right after the primary was hit.

mod zone;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use super::super::line::Line;
use super::failure::MeasureError;
use super::spread::Spread;
use super::{Outcome, Quickness, Row, redis, runtime, tell};
use zone::Zone;

/// How often the primary reads the repository: the cadence of APIM's figure.
const DELAY: Duration = Duration::from_secs(1);
/// How often is looked.
const LOOK: Duration = Duration::from_millis(4);

/// What happens to the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    /// SIGKILL: the kernel closes its connections.
    Killed,
    /// SIGSTOP: its connections stay open.
    Hangs,
    /// SIGTERM.
    InGoodOrder,
}

/// Times since the blow.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// Another gateway says that it is primary.
    primary: Duration,
    /// The change is in the store.
    published: Duration,
    /// All gateways that are left serve it.
    served: Duration,
}

impl Blow {
    const ALL: [Self; 3] = [Self::Killed, Self::Hangs, Self::InGoodOrder];

    fn signal(self) -> Signal {
        match self {
            Self::Killed => Signal::KILL,
            Self::Hangs => Signal::STOP,
            Self::InGoodOrder => Signal::TERM,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Killed => "primary killed (SIGKILL)",
            Self::Hangs => "primary hangs (SIGSTOP)",
            Self::InGoodOrder => "primary stops in good order (SIGTERM)",
        }
    }

    /// What APIM with Hazelcast takes until there is a primary, and until it has published.
    fn reference(self) -> [&'static str; 2] {
        match self {
            Self::Killed => {
                ["APIM with Hazelcast: 400 to 1400 ms", "APIM with Hazelcast: 3100 ms at this cadence"]
            }
            Self::Hangs => ["Hazelcast's heartbeat time-out: tens of seconds", "the same"],
            Self::InGoodOrder => ["–", "–"],
        }
    }

    /// The same for the goals, in milliseconds. A hang: the lease of 2 s and one more.
    fn goals(self) -> [Option<f64>; 2] {
        match self {
            Self::Killed => [Some(500.0), Some(1000.0)],
            Self::Hangs => [Some(3000.0), Some(3000.0)],
            Self::InGoodOrder => [Some(100.0), None],
        }
    }
}

/// Measures the row.
pub(super) fn measure(quickness: Quickness, gateway: &Path) -> Result<Outcome, MeasureError> {
    let times = if quickness == Quickness::Quick { 3 } else { 7 };
    let (redis, runtime) = (redis()?, runtime()?);
    let mut outcome = Outcome::new(Row::P8);
    outcome.taken = vec![
        format!(
            "three gateways of one zone on real Redis and SQLite, `services.sync.delay` {} ms, lease 2 s; each blow {times} \
             times, median and worst; goals are held against the worst",
            DELAY.as_millis()
        ),
        format!(
            "primary: another gateway says so on `/_node/sync`; published: the row of an API that was deployed right after \
             the blow is in the store; both looked for every {} ms",
            LOOK.as_millis()
        ),
        "reference: figures of the targets for two APIM nodes on one host; NOT measured again in this run"
            .to_owned(),
    ];
    runtime.block_on(async {
        tell("starting three gateways");
        let mut zone = Zone::start(&redis, gateway, DELAY).await?;
        for blow in Blow::ALL {
            let mut found = Vec::new();
            for number in 0..times {
                tell(&format!("{}: {} of {times}", blow.text(), number + 1));
                // Not always at the same moment of the lease's and the repository's cadence.
                zone.settle(Duration::from_millis(1500 + 170 * number)).await?;
                found.push(zone.strike(blow, LOOK).await?);
            }
            let served = Spread::millis(found.iter().map(|times| times.served));
            outcome.costs.push(format!(
                "{}: served by both gateways that are left: median {:.0} ms, worst {:.0} ms",
                blow.text(),
                served.median(),
                served.worst()
            ));
            outcome.lines.extend(lines(blow, &found));
        }
        Ok::<_, MeasureError>(())
    })?;
    Ok(outcome)
}

fn lines(blow: Blow, times: &[Times]) -> [Line; 2] {
    let [primary_reference, published_reference] = blow.reference();
    let [primary_goal, published_goal] = blow.goals();
    let line = |what: &str, times: Spread, reference: &str, goal: Option<f64>| Line {
        work: format!("{} → {what}", blow.text()),
        measured: format!("median {:.0} ms, worst {:.0} ms", times.median(), times.worst()),
        reference: reference.to_owned(),
        ratio: "–".to_owned(),
        goal: goal.map_or_else(|| "–".to_owned(), |goal| format!("≤ {goal:.0} ms")),
        met: goal.map(|goal| times.worst() <= goal),
        figures: BTreeMap::from([
            ("median_ms".to_owned(), times.median()),
            ("worst_ms".to_owned(), times.worst()),
            ("least_ms".to_owned(), times.least()),
        ]),
    };
    [
        line(
            "the next one is primary",
            Spread::millis(times.iter().map(|times| times.primary)),
            primary_reference,
            primary_goal,
        ),
        line(
            "and has published a change",
            Spread::millis(times.iter().map(|times| times.published)),
            published_reference,
            published_goal,
        ),
    ]
}
