//! JSON text to typed members, as leniently as the original reads it: unknown members are ignored, `null` is absent,
//! numbers and booleans may be written as text. Errors say where, and repeat no value (L3).

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;

use crate::refusal::{Reason, Refusal, shortened};
use crate::{At, label};

/// Parses the text of the member at `at`.
pub(crate) fn parse<'a, T: Deserialize<'a>>(text: &'a str, at: &At<'_>) -> Result<T, Refusal> {
    serde_json::from_str(text).map_err(|error| {
        let problem = describe(&error);
        // Only a text that fails is read again, with its path recorded.
        let deserializer = &mut serde_json::Deserializer::from_str(text);
        let within = match serde_path_to_error::deserialize::<_, T>(deserializer) {
            // It may go through keys of the definition's own choice.
            Err(error) => shortened(&error.path().to_string(), 256),
            Ok(_) => ".".to_owned(),
        };
        Refusal::new(Reason::Malformed(problem), join(&at.to_string(), &within))
    })
}

/// One path within another; `.` is the place itself.
fn join(outer: &str, inner: &str) -> String {
    match (outer, inner) {
        (outer, ".") => outer.to_owned(),
        ("", inner) => inner.to_owned(),
        (outer, inner) if inner.starts_with('[') => format!("{outer}{inner}"),
        (outer, inner) => format!("{outer}.{inner}"),
    }
}

fn describe(error: &serde_json::Error) -> String {
    let place = format!("line {} column {}", error.line(), error.column());
    match error.classify() {
        Category::Eof => "the text ends too early".to_owned(),
        Category::Syntax | Category::Io => format!("syntax error at {place}"),
        Category::Data => {
            // The library's message repeats the value that it met; what it expected is our own wording.
            let message = error.to_string();
            let expected = message
                .rsplit_once(", expected ")
                .map(|(_, tail)| tail.split(" at line ").next().unwrap_or(tail));
            match expected {
                Some(expected) => format!("expected {expected} at {place}"),
                None => format!("wrong content at {place}"),
            }
        }
    }
}

/// A text, borrowed where it has no escapes; a number or boolean is taken by its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

/// A whole number, possibly written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number(pub(crate) i64);

/// A boolean, possibly written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flag(pub(crate) bool);

macro_rules! lenient {
    ([$($generics:tt)*] $type:ty, $reader:ident of $value:ty, $expecting:literal, { $($method:ident: $argument:ty => $convert:expr;)+ }) => {
        struct $reader;

        impl<'de> Visitor<'de> for $reader {
            type Value = $value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($expecting)
            }

            $(fn $method<E: serde::de::Error>(self, value: $argument) -> Result<Self::Value, E> {
                let convert: fn($argument) -> Option<Self::Value> = $convert;
                convert(value).ok_or_else(|| E::custom(concat!("unusable value, expected ", $expecting)))
            })+
        }

        impl<$($generics)*> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any($reader)
            }
        }
    };
}

lenient!(['de: 'a, 'a] Text<'a>, TextReader of Text<'de>, "a text", {
    visit_borrowed_str: &'de str => |value| Some(Text(Cow::Borrowed(value)));
    visit_str: &str => |value| Some(Text(Cow::Owned(value.to_owned())));
    visit_string: String => |value| Some(Text(Cow::Owned(value)));
    visit_i64: i64 => |value| Some(Text(Cow::Owned(value.to_string())));
    visit_u64: u64 => |value| Some(Text(Cow::Owned(value.to_string())));
    visit_f64: f64 => |value| Some(Text(Cow::Owned(value.to_string())));
    visit_bool: bool => |value| Some(Text(Cow::Borrowed(if value { "true" } else { "false" })));
});

lenient!(['de] Number, NumberReader of Number, "a whole number", {
    visit_str: &str => |value| value.trim().parse().ok().map(Number);
    visit_i64: i64 => |value| Some(Number(value));
    visit_u64: u64 => |value| i64::try_from(value).ok().map(Number);
    visit_f64: f64 => |value| (value.abs() < 9e15).then_some(Number(value as i64));
});

lenient!(['de] Flag, FlagReader of Flag, "true or false", {
    visit_str: &str => |value| match value.trim() { "true" => Some(Flag(true)), "false" | "" => Some(Flag(false)), _ => None };
    visit_bool: bool => |value| Some(Flag(value));
});

/// An array, or an object whose keys are ids that its values repeat.
#[derive(Clone, Debug)]
pub(crate) struct Items<T>(pub(crate) Vec<T>);

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Items<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
            type Value = Items<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array or an object")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Items<T>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = access.next_element()? {
                    items.push(item);
                }
                Ok(Items(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Items<T>, A::Error> {
                let mut items = Vec::new();
                while let Some((serde::de::IgnoredAny, item)) = access.next_entry()? {
                    items.push(item);
                }
                Ok(Items(items))
            }
        }
        deserializer.deserialize_any(Reader(PhantomData))
    }
}

/// Names with values: an array of objects, or an object. `K` reads one object of the array.
#[derive(Clone, Debug)]
pub(crate) struct Pairs<K>(pub(crate) Vec<K>);

impl<K> Default for Pairs<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// An object of an array of pairs, or built from an entry of an object.
pub(crate) trait Pair<'a> {
    fn of(name: Text<'a>, value: Option<Text<'a>>) -> Self;
}

impl<'de, K: Deserialize<'de> + Pair<'de>> Deserialize<'de> for Pairs<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<K>(PhantomData<K>);
        impl<'de, K: Deserialize<'de> + Pair<'de>> Visitor<'de> for Reader<K> {
            type Value = Pairs<K>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of names with values, or an object")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Pairs<K>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = access.next_element()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Pairs<K>, A::Error> {
                let mut pairs = Vec::new();
                while let Some((name, value)) = access.next_entry()? {
                    pairs.push(K::of(name, value));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_any(Reader(PhantomData))
    }
}

/// An object as its entries, in the order in which they are written.
#[derive(Clone, Debug)]
pub(crate) struct Entries<'a, T>(pub(crate) Vec<(Text<'a>, T)>);

impl<T> Default for Entries<'_, T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Entries<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
            type Value = Vec<(Text<'de>, T)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = access.next_entry()? {
                    entries.push(entry);
                }
                Ok(entries)
            }
        }
        deserializer.deserialize_map(Reader(PhantomData)).map(Entries)
    }
}

impl<'a> Text<'a> {
    /// The text, if there is any besides blanks.
    pub(crate) fn filled(text: Option<Self>) -> Option<Cow<'a, str>> {
        text.map(|Self(text)| text).filter(|text| !text.trim().is_empty())
    }

    /// The text as it is, or what stands in for it.
    pub(crate) fn or(text: Option<Self>, default: &'a str) -> Cow<'a, str> {
        text.map_or(Cow::Borrowed(default), |Self(text)| text)
    }

    /// Texts without the wrapper.
    pub(crate) fn all(texts: Option<Vec<Self>>) -> Vec<String> {
        texts.unwrap_or_default().into_iter().map(|Self(text)| text.into_owned()).collect()
    }

    /// Whether there is a text, and it is this label.
    pub(crate) fn is(text: Option<&Self>, plain: &str) -> bool {
        text.is_some_and(|Self(text)| label::is(text, plain))
    }
}

impl Flag {
    /// The value, or `default` where absent.
    pub(crate) fn or(flag: Option<Self>, default: bool) -> bool {
        flag.map_or(default, |Self(value)| value)
    }
}

impl Number {
    /// The number as one that cannot be negative, or `default` where absent.
    pub(crate) fn unsigned(
        number: Option<Self>,
        default: u32,
        name: &'static str,
        at: &At<'_>,
    ) -> Result<u32, Refusal> {
        number.map_or(Ok(default), |Self(number)| {
            u32::try_from(number).map_err(|_| at.refuse(Reason::OutOfRange(name)))
        })
    }
}
