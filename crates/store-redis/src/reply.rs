//! A server's reply as a small tree, whatever protocol version shaped it. For replies that are few or small; rows have
//! their own decoder in [`crate::layout`].
//!
//! Nothing in here trusts the server: a missing field is `None`, never a panic (L1).

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A reply.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    /// Nothing there.
    Nil,
    /// A whole number, or a boolean as 0 and 1.
    Integer(i64),
    /// A fraction. RESP3 only.
    Double(f64),
    /// Bytes or text.
    Bytes(Vec<u8>),
    /// Several replies.
    List(Vec<Reply>),
    /// Pairs. RESP3 only; RESP2 sends a flat list.
    Map(Vec<(Reply, Reply)>),
    /// The server refused this part of a longer reply; its words.
    Refused(String),
}

impl Reply {
    /// The reply as text, if it is some.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The reply as a whole number, also from text.
    pub(crate) fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Bytes(_) => self.text()?.parse().ok(),
            _ => None,
        }
    }

    /// The parts; empty if the reply has none.
    pub(crate) fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// Name-value pairs, from a map or a flat list. A name without a value is left out.
    pub(crate) fn pairs(&self) -> Vec<(&Self, &Self)> {
        match self {
            Self::Map(pairs) => pairs.iter().map(|(name, value)| (name, value)).collect(),
            Self::List(items) => items.chunks_exact(2).map(|pair| (&pair[0], &pair[1])).collect(),
            _ => Vec::new(),
        }
    }

    /// The value of a name among [`Self::pairs`]; the first one if there are several.
    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Map(pairs) => {
                pairs.iter().find(|(key, _)| key.text() == Some(name)).map(|(_, value)| value)
            }
            Self::List(items) => {
                items.chunks_exact(2).find(|pair| pair[0].text() == Some(name)).map(|pair| &pair[1])
            }
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Reply {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReplyVisitor)
    }
}

struct ReplyVisitor;

impl<'de> Visitor<'de> for ReplyVisitor {
    type Value = Reply;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any reply")
    }

    fn visit_none<E>(self) -> Result<Reply, E> {
        Ok(Reply::Nil)
    }

    fn visit_unit<E>(self) -> Result<Reply, E> {
        Ok(Reply::Nil)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Reply, E> {
        Ok(Reply::Integer(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Reply, E> {
        Ok(Reply::Integer(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Reply, E> {
        Ok(Reply::Double(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Reply, E> {
        Ok(Reply::Bytes(value.as_bytes().to_vec()))
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Reply, E> {
        Ok(Reply::Bytes(value.to_vec()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Reply, A::Error> {
        let mut items = Vec::new();
        while let Some(Tolerant(item)) = access.next_element()? {
            items.push(item.unwrap_or_else(Reply::Refused));
        }
        Ok(Reply::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Reply, A::Error> {
        let mut pairs = Vec::new();
        while let Some(name) = access.next_key()? {
            let Tolerant(value) = access.next_value()?;
            pairs.push((name, value.unwrap_or_else(Reply::Refused)));
        }
        Ok(Reply::Map(pairs))
    }
}

/// A part of a longer reply that may be a refusal, which then does not spoil the other parts.
pub(crate) struct Tolerant<T>(pub(crate) Result<T, String>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Tolerant<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(T::deserialize(deserializer).map_err(|error| error.to_string())))
    }
}

#[cfg(test)]
pub(crate) fn bytes(text: &str) -> Reply {
    Reply::Bytes(text.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_in_maps_and_in_flat_lists() {
        let map = Reply::Map(vec![(bytes("a"), Reply::Integer(1)), (bytes("b"), bytes("2"))]);
        let list = Reply::List(vec![bytes("a"), Reply::Integer(1), bytes("b"), bytes("2"), bytes("odd")]);
        for reply in [map, list] {
            assert_eq!(reply.field("b").and_then(Reply::integer), Some(2));
            assert_eq!(reply.field("odd"), None);
            assert_eq!(reply.pairs().len(), 2);
        }
        assert_eq!(Reply::Nil.field("a"), None);
    }
}
