//! Digests of rows and of whole states (Z7): order-free, so that each side keeps its own up to date row by row.

use std::fmt;
use std::ops::{Index, IndexMut};
use std::str::FromStr;

use crate::{Kind, Payload, RowKey};

/// The 128-bit digest of one active row: XXH3 over kind, scope, id and text, each preceded by its length.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub u128);

impl Digest {
    /// The digest of an active row. The encoding is part of the zone protocol: changing it needs a new store id.
    pub fn of(key: &RowKey, payload: &Payload) -> Self {
        let mut hasher = xxhash_rust::xxh3::Xxh3::new();
        let mut feed = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        feed(key.kind.name());
        feed(key.scope.as_deref().unwrap_or(""));
        feed(&key.id);
        feed(payload.as_str());
        Self(hasher.digest128())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// How many active rows of one kind there are, and the sum (modulo 2^128) of their digests.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct DigestSum {
    /// Number of active rows.
    pub count: u64,
    /// Sum of the digests, wrapping.
    pub sum: u128,
}

impl DigestSum {
    /// Counts one more row in.
    pub fn add(&mut self, digest: Digest) {
        self.count = self.count.wrapping_add(1);
        self.sum = self.sum.wrapping_add(digest.0);
    }

    /// Takes one row out that was counted in before.
    pub fn subtract(&mut self, digest: Digest) {
        self.count = self.count.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(digest.0);
    }
}

impl fmt::Display for DigestSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:032x}", self.count, self.sum)
    }
}

impl fmt::Debug for DigestSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not `<count>:<sum in hexadecimal>`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a digest sum of the form <count>:<hexadecimal>")]
pub struct MalformedDigestSum;

impl FromStr for DigestSum {
    type Err = MalformedDigestSum;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (count, sum) = text.split_once(':').ok_or(MalformedDigestSum)?;
        Ok(Self {
            count: count.parse().map_err(|_| MalformedDigestSum)?,
            sum: u128::from_str_radix(sum, 16).map_err(|_| MalformedDigestSum)?,
        })
    }
}

/// Counts and digests of a whole state, kind by kind. Two states with equal `Digests` are taken to be the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digests([DigestSum; Kind::ALL.len()]);

impl Digests {
    /// Kinds with their sums, in order of effect.
    pub fn iter(&self) -> impl Iterator<Item = (Kind, DigestSum)> + '_ {
        Kind::ALL.into_iter().zip(self.0)
    }

    /// The first kind in which the two differ.
    pub fn first_difference(&self, other: &Self) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| self[*kind] != other[*kind])
    }

    /// Active rows of all kinds together.
    pub fn total(&self) -> u64 {
        self.0.iter().map(|sum| sum.count).sum()
    }
}

impl Index<Kind> for Digests {
    type Output = DigestSum;

    fn index(&self, kind: Kind) -> &DigestSum {
        &self.0[kind as usize]
    }
}

impl IndexMut<Kind> for Digests {
    fn index_mut(&mut self, kind: Kind) -> &mut DigestSum {
        &mut self.0[kind as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn digest(kind: Kind, scope: Option<&str>, id: &str, payload: &str) -> Digest {
        let key = RowKey { kind, scope: scope.map(Into::into), id: id.into() };
        Digest::of(&key, &Payload::from(payload))
    }

    #[test]
    fn parts_of_a_key_do_not_run_into_each_other() {
        assert_ne!(
            digest(Kind::ApiKey, Some("ab"), "c", "x"),
            digest(Kind::ApiKey, Some("a"), "bc", "x"),
            "scope and id are told apart"
        );
        assert_ne!(digest(Kind::Api, None, "a", "bx"), digest(Kind::Api, None, "ab", "x"));
    }

    #[test]
    fn the_encoding_is_part_of_the_protocol_and_stays() {
        let value = digest(Kind::Api, None, "api-1", "{}");
        assert_eq!(
            format!("{value:?}"),
            "1af915280f943b33c193f94c0c8e8abb".to_owned(),
            "changing this needs a new store id"
        );
    }

    proptest! {
        #[test]
        fn a_sum_does_not_depend_on_order_and_goes_back_to_zero(mut values in prop::collection::vec(any::<u128>(), 0..50)) {
            let mut forward = DigestSum::default();
            for value in &values {
                forward.add(Digest(*value));
            }
            values.reverse();
            let mut backward = DigestSum::default();
            for value in &values {
                backward.add(Digest(*value));
            }
            prop_assert_eq!(forward, backward);
            prop_assert_eq!(forward.to_string().parse::<DigestSum>(), Ok(forward));
            for value in &values {
                backward.subtract(Digest(*value));
            }
            prop_assert_eq!(backward, DigestSum::default());
        }

        #[test]
        fn any_text_is_parsed_or_refused(text in ".{0,80}") {
            let _ = text.parse::<DigestSum>();
        }
    }
}
