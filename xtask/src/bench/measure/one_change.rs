//! P4: processor time to apply one changed API on a gateway that holds 100,000 APIs, against one that holds 1,000.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::line::Line;
use super::by_hand::{ByHand, Cost};
use super::failure::MeasureError;
use super::sample_state::SampleState;
use super::spread::Spread;
use super::{Outcome, Quickness, Row, tell};

/// Subscriptions of each API, with a key each.
const SUBSCRIPTIONS: usize = 10;
/// Changes of each gateway in a round.
const CHANGES: usize = 50;
/// The goal.
const GOAL: f64 = 1.2;

/// A gateway, and what it holds.
struct Contestant {
    apis: usize,
    state: SampleState,
    gateway: ByHand,
    /// Changes made so far.
    changes: usize,
    /// Medians of the rounds, in microseconds: a changed API.
    api: Vec<f64>,
    /// The builder's part of it.
    builder: Vec<f64>,
    /// A revoked key.
    key: Vec<f64>,
}

/// Measures the row.
pub(super) fn measure(quickness: Quickness) -> Result<Outcome, MeasureError> {
    let ([few, many], rounds) = match quickness {
        Quickness::Quick => ([100, 5_000], 3),
        Quickness::Full | Quickness::Large => ([1_000, 100_000], 15),
    };
    let (mut small, mut large) = (Contestant::load(few)?, Contestant::load(many)?);
    for round in 1..=rounds {
        tell(&format!("round {round} of {rounds}"));
        small.round()?;
        large.round()?;
    }
    let each = rounds * CHANGES;
    let mut outcome = Outcome::new(Row::P4);
    for (what, goal, mine, reference) in [
        ("one changed API", Some(GOAL), &large.api, &small.api),
        ("one revoked key", None, &large.key, &small.key),
    ] {
        let ratios =
            Spread::new(mine.iter().zip(reference).map(|(mine, reference)| mine / reference).collect());
        let (mine, reference) = (Spread::new(mine.clone()), Spread::new(reference.clone()));
        let ratio = mine.median() / reference.median();
        outcome.lines.push(Line {
            work: format!("{what}, applied on a gateway with {many} APIs"),
            measured: format!("{:.1} µs of processor time", mine.median()),
            reference: format!("with {few} APIs: {:.1} µs", reference.median()),
            ratio: format!("{ratio:.2} × ({:.2} to {:.2})", ratios.least(), ratios.worst()),
            goal: goal.map_or_else(|| "–".to_owned(), |goal| format!("≤ {goal} ×")),
            met: goal.map(|goal| ratio <= goal),
            figures: BTreeMap::from([
                ("micros".to_owned(), mine.median()),
                ("reference_micros".to_owned(), reference.median()),
                ("ratio".to_owned(), ratio),
                ("ratio_least".to_owned(), ratios.least()),
                ("ratio_most".to_owned(), ratios.worst()),
            ]),
        });
    }
    outcome.taken = vec![
        format!(
            "APIs of 3 to 5 kB with {SUBSCRIPTIONS} subscriptions and keys each: {} rows against {}; both gateways in one \
             process, {rounds} rounds in turn, {CHANGES} changes a round, each of another API ({each} in all); medians of the \
             rounds' medians, ratio of the two (in brackets: least and most of a round)",
            large.state.count(),
            small.state.count()
        ),
        "measured: processor time of the process (`CLOCK_PROCESS_CPUTIME_ID`, nothing else runs in it) from the log entry, \
         decoded, to the publication of the generation that has it: the sync core following, the builder with the data \
         plane's compiler, the core's picture for `/_node/sync`; no Redis, threads or queues"
            .to_owned(),
    ];
    for contestant in [&large, &small] {
        let (api, builder) =
            (Spread::new(contestant.api.clone()).median(), Spread::new(contestant.builder.clone()).median());
        outcome.costs.push(format!(
            "one changed API with {} APIs: sync core {:.1} µs, builder of generations {builder:.1} µs",
            contestant.apis,
            api - builder
        ));
    }
    Ok(outcome)
}

impl Contestant {
    fn load(apis: usize) -> Result<Self, MeasureError> {
        tell(&format!("loading {apis} APIs"));
        let state = SampleState::new(apis, SUBSCRIPTIONS);
        let gateway = ByHand::load(state.rows())?;
        Ok(Self { apis, state, gateway, changes: 0, api: vec![], builder: vec![], key: vec![] })
    }

    fn round(&mut self) -> Result<(), MeasureError> {
        let (mut apis, mut keys) = (Vec::new(), Vec::new());
        for _ in 0..CHANGES {
            // Far from the one before, and not twice the same before all were changed once.
            let api = self.changes.wrapping_mul(7_919) % self.apis;
            let round = self.changes / self.apis;
            let (before, after) = (self.state.api(api, round), self.state.api(api, round + 1));
            let (cost, committed) = self.gateway.change(&before, after)?;
            let done = [&committed.updated, &committed.added, &committed.removed].map(Vec::len);
            if done != [1, 0, 0] || !committed.refused.is_empty() {
                return Err(MeasureError::Unexpected(format!("a changed API led to {committed:?}")));
            }
            apis.push(cost);
            let mine = round % SUBSCRIPTIONS;
            let [before, after] = self.state.revoked_key(api, mine);
            let (cost, committed) = self.gateway.change(&before, after)?;
            if committed.credentials.len() != 1 {
                return Err(MeasureError::Unexpected(format!("a revoked key led to {committed:?}")));
            }
            keys.push(cost);
            self.changes += 1;
        }
        self.api.push(median(&apis, |cost| cost.whole));
        self.builder.push(median(&apis, |cost| cost.builder));
        self.key.push(median(&keys, |cost| cost.whole));
        Ok(())
    }
}

fn median(costs: &[Cost], of: impl Fn(&Cost) -> Duration) -> f64 {
    Spread::new(costs.iter().map(|cost| of(cost).as_secs_f64() * 1e6).collect()).median()
}
