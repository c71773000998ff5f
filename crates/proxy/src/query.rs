//! Query strings: read without decoding, and written upstream in the original's order (`data-plane.md` section 2.3).
//!
//! Parameters are separated by `&` and `;` and written with `&`; those of one name are regrouped at the first. Empty
//! ones are dropped, and so is a `=` in front of a name.

use smallvec::SmallVec;

/// A parameter as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parameter<'a> {
    pub(crate) name: &'a str,
    /// `None` where there is no `=`.
    pub(crate) value: Option<&'a str>,
}

/// The parameters of a query.
pub(crate) fn parameters(query: &str) -> impl Iterator<Item = Parameter<'_>> {
    query.split(['&', ';']).filter_map(|part| {
        let part = part.trim_start_matches('=');
        let (name, value) = match part.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (part, None),
        };
        (!name.is_empty()).then_some(Parameter { name, value })
    })
}

/// The value of the first parameter of a name: empty where it has none.
pub(crate) fn first<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    // Most queries do not have the name at all.
    memchr::memmem::find(query.as_bytes(), name.as_bytes())?;
    parameters(query)
        .find(|parameter| parameter.name == name)
        .map(|parameter| parameter.value.unwrap_or_default())
}

/// The value of the first parameter whose name is equal but for case.
pub(crate) fn first_ignoring_case<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    // A shorter query cannot hold it.
    if query.len() < name.len() {
        return None;
    }
    parameters(query)
        .find(|parameter| parameter.name.eq_ignore_ascii_case(name))
        .map(|parameter| parameter.value.unwrap_or_default())
}

/// Writes `?` and the parameters of the client, without those of one name, then those of the target; nothing if there
/// are none.
pub(crate) fn write(out: &mut Vec<u8>, client: Option<&str>, without: Option<&str>, target: Option<&str>) {
    let client = client.unwrap_or_default();
    if target.is_none() && (without.is_none() || client.is_empty()) && is_single(client) {
        if !client.is_empty() {
            out.push(b'?');
            out.extend_from_slice(client.as_bytes());
        }
        return;
    }
    let all: SmallVec<[Parameter<'_>; 16]> = parameters(client)
        .filter(|parameter| Some(parameter.name) != without)
        .chain(parameters(target.unwrap_or_default()))
        .collect();
    let mut separator = b'?';
    let mut put = |parameter: &Parameter<'_>| {
        out.push(separator);
        separator = b'&';
        out.extend_from_slice(parameter.name.as_bytes());
        if let Some(value) = parameter.value {
            out.push(b'=');
            out.extend_from_slice(value.as_bytes());
        }
    };
    if all.len() <= FEW {
        for (index, parameter) in all.iter().enumerate() {
            if !all[..index].iter().any(|earlier| earlier.name == parameter.name) {
                all[index..].iter().filter(|other| other.name == parameter.name).for_each(&mut put);
            }
        }
    } else {
        // The same by sorting: a long query must not cost its length squared (L1).
        let mut first_seen = hashbrown::HashMap::<&str, usize, foldhash::fast::RandomState>::default();
        let mut order: Vec<(usize, usize)> = all
            .iter()
            .enumerate()
            .map(|(index, parameter)| (*first_seen.entry(parameter.name).or_insert(index), index))
            .collect();
        order.sort_unstable();
        for (_, index) in order {
            put(&all[index]);
        }
    }
}

/// Up to here comparing each with each is quicker than sorting.
const FEW: usize = 24;

/// Whether the query is at most one parameter that is written as it is.
fn is_single(query: &str) -> bool {
    !query.starts_with('=') && memchr::memchr2(b'&', b';', query.as_bytes()).is_none()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(client: &str, without: Option<&str>, target: Option<&str>) -> String {
        let mut out = Vec::new();
        write(&mut out, Some(client), without, target);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn parameters_of_one_name_are_regrouped_and_keep_their_form() {
        for (client, expected) in [
            ("", ""),
            ("a=1", "?a=1"),
            ("a=1&b=2&a=3", "?a=1&a=3&b=2"),
            ("flag", "?flag"),
            ("flag=", "?flag="),
            ("q=a%20b&e=&f&r=1&r=2", "?q=a%20b&e=&f&r=1&r=2"),
            ("a=1;b=2", "?a=1&b=2"),
            ("a=b=c&a", "?a=b=c&a"),
            ("=v", "?v"),
            ("&=novalue&==x", "?novalue&x"),
            ("&&", ""),
        ] {
            assert_eq!(written(client, None, None), expected, "{client}");
        }
    }

    #[test]
    fn those_of_the_target_come_last_and_a_key_is_left_out() {
        assert_eq!(written("x=1", None, Some("k=v")), "?x=1&k=v");
        assert_eq!(written("x=1&y=2", None, Some("x=t")), "?x=1&x=t&y=2");
        assert_eq!(written("", None, Some("k=v")), "?k=v");
        assert_eq!(written("api-key=secret", Some("api-key"), None), "");
        assert_eq!(written("a=1&api-key=secret&api-key&b", Some("api-key"), None), "?a=1&b");
        assert_eq!(written("a=1&xapi-key=1", Some("api-key"), None), "?a=1&xapi-key=1");
    }

    #[test]
    fn the_first_value_of_a_name_is_found_as_it_is_written() {
        assert_eq!(first("a=1&api-key=k%20&api-key=2", "api-key"), Some("k%20"));
        assert_eq!(first("api-key", "api-key"), Some(""));
        assert_eq!(first("api-keys=1", "api-key"), None);
        assert_eq!(first("a=api-key", "api-key"), None);
        assert_eq!(first("a;api-key=1", "api-key"), Some("1"));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_made_up(query in "[a-c=&;]{0,60}") {
            let sorted = |text: &str| {
                let mut all: Vec<_> = parameters(text).map(|p| (p.name.to_owned(), p.value.map(str::to_owned))).collect();
                all.sort();
                all
            };
            let out = written(&query, None, None);
            prop_assert_eq!(sorted(&query), sorted(out.strip_prefix('?').unwrap_or_default()));
        }

        #[test]
        fn few_and_many_are_ordered_alike(names in prop::collection::vec("[a-e]", FEW + 1..60)) {
            let query = names.iter().enumerate().map(|(index, name)| format!("{name}={index}")).collect::<Vec<_>>().join("&");
            let mut expected = Vec::new();
            for (index, name) in names.iter().enumerate() {
                if !names[..index].contains(name) {
                    expected.extend(names.iter().enumerate().filter(|(_, other)| *other == name).map(|(at, name)| format!("{name}={at}")));
                }
            }
            prop_assert_eq!(written(&query, None, None), format!("?{}", expected.join("&")));
        }
    }
}
