//! Escaping: parts of keys, patterns of `SCAN`, tags of a search query. Keeps Z8: no name reaches into another zone.

use std::borrow::Cow;

/// A zone, scope or id as a part of a key: `%` and `:` percent-encoded, so that a key falls apart in one way only.
/// Names without these two, which are all that APIM makes, stay as they are.
pub(crate) fn part(name: &str) -> Cow<'_, str> {
    if !name.contains(['%', ':']) {
        return Cow::Borrowed(name);
    }
    Cow::Owned(name.replace('%', "%25").replace(':', "%3A"))
}

/// Takes [`part`] back. A `%` that does not begin one of its two codes stands for itself.
pub(crate) fn unpart(part: &str) -> Cow<'_, str> {
    if !part.contains('%') {
        return Cow::Borrowed(part);
    }
    Cow::Owned(part.replace("%3A", ":").replace("%25", "%"))
}

/// A zone's name as a part of a `SCAN` pattern. Pattern characters stand for themselves. `%` and `:` match anything,
/// because APIM writes them as they are and we encode them; whoever scans compares the zone afterwards.
pub(crate) fn pattern(name: &str) -> String {
    let mut pattern = String::with_capacity(name.len() + 8);
    for character in name.chars() {
        match character {
            '%' | ':' => pattern.push('*'),
            '*' | '?' | '[' | ']' | '^' | '\\' => pattern.extend(['\\', character]),
            _ => pattern.push(character),
        }
    }
    pattern
}

/// A tag's value in a search query (`zone-store.md` section 5.2: these characters need a backslash).
pub(crate) fn tag(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len() + 8);
    for character in value.chars() {
        if character.is_ascii_punctuation() && character != '_' || character == ' ' {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_tag_is_escaped_as_apim_escapes_it() {
        assert_eq!(tag("cluster/a b|c?d"), r"cluster\/a\ b\|c\?d", "APIM's own test vector");
        assert_eq!(tag("under_score"), "under_score");
        for character in r#",.<>{}[]"':;!@#$%^&*()-+=~\/?| "#.chars() {
            assert_eq!(tag(&character.to_string()), format!("\\{character}"));
        }
    }

    #[test]
    fn s6_pattern_characters_in_a_name_stand_for_themselves() {
        assert_eq!(pattern(r"a*b?[c]^\d"), r"a\*b\?\[c\]\^\\d");
        assert_eq!(pattern("a:b%c"), "a*b*c");
    }

    proptest! {
        #[test]
        fn a_part_goes_there_and_back_and_has_no_separator(name in "(?s).{0,40}|[%:3A25]{0,12}") {
            let encoded = part(&name);
            prop_assert!(!encoded.contains(':'));
            prop_assert_eq!(unpart(&encoded).into_owned(), name);
        }

        #[test]
        fn any_text_can_be_taken_back(text in "(?s).{0,40}|[%:3A25a]{0,12}") {
            let _ = unpart(&text);
        }
    }
}
