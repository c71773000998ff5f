//! Rules that can be broken on purpose, to see that the checker notices (a proof that cannot fail proves nothing).
//!
//! Each mutant breaks the simulated adapters or servers, not the core: the core relies on what its ports promise,
//! and here one promise is not kept.

use std::fmt;
use std::str::FromStr;

/// One broken rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mutant {
    /// The store accepts writes whatever their grant.
    NoFence,
    /// The fence compares node and epoch, but not the token: two grants of one epoch are taken for the same.
    NoTokenCheck,
    /// The fence compares the token and node of the lease but forgets that it ran out.
    ExpiredLeaseWrites,
    /// The store accepts writes whatever its own revision and identity.
    NoExpectedCheck,
    /// A batch is not atomic: the manifest changes although part of the rows is lost.
    TornBatch,
    /// The manifest claims that each batch leaves the zone whole.
    AlwaysWhole,
    /// A read that lost rows comes with a manifest that was recounted from what is left: the proof is void.
    VoidProof,
    /// The log silently renumbers what is left when it is trimmed, so that followers see no gap.
    HiddenGap,
    /// A whole read of the repository sometimes ends early as if that were all.
    ShortReadAll,
    /// A window reads the API of a unit but not its keys.
    UnitWithoutKeys,
    /// A window skips every record that was seen before, whatever its time.
    SeenForEver,
    /// A window does not contain removals.
    NoRemovals,
    /// Every record has the same time for an audit: what an audit would be that compares ids only.
    TimelessIndex,
    /// The parts that an audit reads are as old as its index: what an audit would be that draws conclusions from the
    /// index itself, and removes what it does not mention.
    StaleParts,
    /// A record that was not served when an index first mentioned it is mentioned with that time for ever: what an audit
    /// would be that ignores a record because it did so before.
    IgnoredForEver,
    /// Rows are activated before the commit.
    EarlyActivation,
    /// Renewals succeed for a node that lost the lease.
    RenewAnyway,
}

impl Mutant {
    /// Every mutant.
    pub const ALL: [Self; 17] = [
        Self::NoFence,
        Self::NoTokenCheck,
        Self::ExpiredLeaseWrites,
        Self::NoExpectedCheck,
        Self::TornBatch,
        Self::AlwaysWhole,
        Self::VoidProof,
        Self::HiddenGap,
        Self::ShortReadAll,
        Self::UnitWithoutKeys,
        Self::SeenForEver,
        Self::NoRemovals,
        Self::TimelessIndex,
        Self::StaleParts,
        Self::IgnoredForEver,
        Self::EarlyActivation,
        Self::RenewAnyway,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoFence => "no-fence",
            Self::NoTokenCheck => "no-token-check",
            Self::ExpiredLeaseWrites => "expired-lease-writes",
            Self::NoExpectedCheck => "no-expected-check",
            Self::TornBatch => "torn-batch",
            Self::AlwaysWhole => "always-whole",
            Self::VoidProof => "void-proof",
            Self::HiddenGap => "hidden-gap",
            Self::ShortReadAll => "short-read-all",
            Self::UnitWithoutKeys => "unit-without-keys",
            Self::SeenForEver => "seen-for-ever",
            Self::NoRemovals => "no-removals",
            Self::TimelessIndex => "timeless-index",
            Self::StaleParts => "stale-parts",
            Self::IgnoredForEver => "ignored-for-ever",
            Self::EarlyActivation => "early-activation",
            Self::RenewAnyway => "renew-anyway",
        }
    }
}

impl Mutant {
    /// Within how many histories from seed 0 on the checker must have noticed.
    pub const fn found_within(self) -> u64 {
        match self {
            // Need a roll-back at the right moment, or a window between the halves of an audit.
            Self::NoExpectedCheck => 10_000,
            Self::NoTokenCheck | Self::StaleParts => 5_000,
            _ => 500,
        }
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no mutant's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a mutant; known are: {known}", known = Mutant::ALL.map(Mutant::name).join(", "))]
pub struct UnknownMutant(pub String);

impl FromStr for Mutant {
    type Err = UnknownMutant;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|mutant| mutant.name() == text)
            .ok_or_else(|| UnknownMutant(text.to_owned()))
    }
}
