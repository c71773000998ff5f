//! Choosing an endpoint of a group (`data-plane.md` section 1.4).

use std::sync::atomic::{AtomicU64, Ordering};

use zonegate_definition::{Api, EndpointGroup, LoadBalancing, Refusal};

use super::endpoint::CompiledEndpoint;
use crate::upstream::Upstreams;

/// A group of endpoints among which load is balanced. Its cursor is shared by all workers, so that turns are exact.
#[derive(Debug, Default)]
pub(crate) struct Group {
    /// Those that are used: the primary ones, or the secondary ones where there are no others.
    endpoints: Box<[CompiledEndpoint]>,
    strategy: Strategy,
    cursor: AtomicU64,
}

#[derive(Debug, Default)]
enum Strategy {
    #[default]
    RoundRobin,
    Random,
    WeightedRoundRobin(Weights),
    WeightedRandom(Weights),
}

/// Weights as the ends of intervals on a circle.
#[derive(Debug)]
struct Weights {
    /// Sums of the weights up to each endpoint, ascending.
    ends: Box<[u64]>,
    total: u64,
    /// Step around the circle, coprime to `total`: it visits every place once per cycle, and spreads the turns.
    step: u64,
}

impl Weights {
    fn new(weights: impl Iterator<Item = u32>) -> Self {
        let mut total = 0;
        let ends = weights
            .map(|weight| {
                total += u64::from(weight.max(1));
                total
            })
            .collect();
        // About the golden section of the circle.
        let start = (u128::from(total) * 618 / 1000).max(1) as u64;
        let step = (start..=total).chain(1..start).find(|step| gcd(*step, total) == 1);
        Self { ends, total, step: step.unwrap_or(1) }
    }

    /// The endpoint of a place on the circle.
    fn at(&self, place: u64) -> usize {
        self.ends.partition_point(|end| *end <= place)
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl Group {
    pub(super) fn compile(api: &Api, group: &EndpointGroup, upstreams: &Upstreams) -> Result<Self, Refusal> {
        let primaries = group.endpoints.iter().any(|endpoint| !endpoint.secondary);
        let used = || group.endpoints.iter().filter(move |endpoint| endpoint.secondary != primaries);
        let weights = || Weights::new(used().map(|endpoint| endpoint.weight));
        Ok(Self {
            strategy: match group.load_balancing {
                LoadBalancing::RoundRobin => Strategy::RoundRobin,
                LoadBalancing::Random => Strategy::Random,
                LoadBalancing::WeightedRoundRobin => Strategy::WeightedRoundRobin(weights()),
                LoadBalancing::WeightedRandom => Strategy::WeightedRandom(weights()),
            },
            endpoints: used()
                .map(|endpoint| CompiledEndpoint::compile(api, group, endpoint, upstreams))
                .collect::<Result<_, _>>()?,
            cursor: AtomicU64::new(0),
        })
    }

    /// The endpoint for one request; `random` gives a number below its argument.
    pub(crate) fn choose(&self, random: impl FnOnce(u64) -> u64) -> Option<&CompiledEndpoint> {
        let count = self.endpoints.len() as u64;
        if count <= 1 {
            return self.endpoints.first();
        }
        let turn = |cycle: u64| self.cursor.fetch_add(1, Ordering::Relaxed) % cycle;
        let index = match &self.strategy {
            Strategy::RoundRobin => turn(count) as usize,
            Strategy::Random => random(count) as usize,
            Strategy::WeightedRoundRobin(weights) => {
                let place =
                    u128::from(turn(weights.total)) * u128::from(weights.step) % u128::from(weights.total);
                weights.at(place as u64)
            }
            Strategy::WeightedRandom(weights) => weights.at(random(weights.total)),
        };
        self.endpoints.get(index)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn turns(weights: &[u32]) -> Vec<usize> {
        let weights = Weights::new(weights.iter().copied());
        (0..weights.total).map(|turn| weights.at((turn * weights.step) % weights.total)).collect()
    }

    #[test]
    fn weights_3_and_7_give_exactly_3_and_7_of_10_turns_well_mixed() {
        let turns = turns(&[3, 7]);
        assert_eq!(turns.iter().filter(|index| **index == 0).count(), 3);
        assert!(turns.windows(2).all(|pair| pair != [0, 0]), "{turns:?}");
    }

    proptest! {
        #[test]
        fn a_cycle_gives_each_endpoint_its_weight(weights in prop::collection::vec(1_u32..40, 1..6)) {
            let turns = turns(&weights);
            for (index, weight) in weights.iter().enumerate() {
                prop_assert_eq!(turns.iter().filter(|turn| **turn == index).count(), *weight as usize);
            }
        }
    }
}
