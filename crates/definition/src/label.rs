//! Labels of enumerations: case, `_` and `-` do not count (`data-plane.md` section 1.1).

/// Whether `text` is the label that `plain` is when written in lower case without separators.
pub(crate) fn is(text: &str, plain: &str) -> bool {
    let mut letters = text.trim().chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase);
    let mut expected = plain.chars();
    loop {
        match (letters.next(), expected.next()) {
            (None, None) => return true,
            (one, other) if one == other => {}
            _ => return false,
        }
    }
}

/// The value whose plain label `text` is.
pub(crate) fn find<T: Copy>(text: &str, labels: &[(&str, T)]) -> Option<T> {
    labels.iter().find(|(plain, _)| is(text, plain)).map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_both_management_apis_are_the_same_label() {
        for text in ["key-less", "KEY_LESS", "keyless", "Key_Less"] {
            assert!(is(text, "keyless"), "{text}");
        }
        assert!(!is("key-les", "keyless"));
        assert!(!is("key-lesss", "keyless"));
        assert!(!is("", "keyless"));
    }
}
