//! What an unquoted scalar means to SnakeYAML, which is YAML 1.1: `yes`, `0777`, `0x1f`, `1_000`, `1:30`.

use std::borrow::Cow;

/// Whether unquoted text is null.
pub(crate) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// The boolean that unquoted text is, if any.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

/// The integer that unquoted text is, if any.
pub(crate) fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let value = magnitude(digits)?;
    Some(if negative { -value } else { value })
}

fn magnitude(text: &str) -> Option<i128> {
    if let Some(binary) = text.strip_prefix("0b") {
        return radix(binary, 2);
    }
    if let Some(hexadecimal) = text.strip_prefix("0x") {
        return radix(hexadecimal, 16);
    }
    if text == "0" {
        return Some(0);
    }
    if let Some(octal) = text.strip_prefix('0') {
        return radix(octal, 8);
    }
    if !text.as_bytes().first()?.is_ascii_digit() {
        return None;
    }
    if !text.contains(':') {
        return radix(text, 10);
    }
    let mut parts = text.split(':');
    let mut total = radix(parts.next()?, 10)?;
    for part in parts {
        let valid = matches!(part.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9']);
        let part = valid.then(|| part.parse::<i128>().ok()).flatten()?;
        total = total.checked_mul(60)?.checked_add(part)?;
    }
    Some(total)
}

fn radix(digits: &str, radix: u32) -> Option<i128> {
    let cleaned: String = digits.chars().filter(|character| *character != '_').collect();
    if cleaned.is_empty() || !cleaned.chars().all(|character| character.is_digit(radix)) {
        return None;
    }
    i128::from_str_radix(&cleaned, radix).ok()
}

/// What becomes of unquoted text where APIM's gateway wants text: null, booleans and integers are read first and
/// written again, so `on` becomes `true` and `0777` becomes `511`.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    if is_null(text) {
        return Cow::Borrowed("");
    }
    if let Some(value) = boolean(text) {
        return Cow::Borrowed(if value { "true" } else { "false" });
    }
    integer(text).map_or(Cow::Borrowed(text), |value| Cow::Owned(value.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c1_unquoted_scalars_mean_what_yaml_1_1_says() {
        for (text, expected) in [
            ("0777", Some(511)),
            ("1_000", Some(1000)),
            ("0x1F", Some(31)),
            ("0b11", Some(3)),
            ("1:30", Some(90)),
            ("-5", Some(-5)),
            ("+5", Some(5)),
            ("0", Some(0)),
            ("08", None),
            ("1.5", None),
            ("_1", None),
            ("1:60", None),
            ("", None),
            ("-", None),
        ] {
            assert_eq!(integer(text), expected, "{text}");
        }
        assert_eq!(boolean("On"), Some(true));
        assert_eq!(boolean("oN"), None);
        assert_eq!(boolean("y"), None);
        assert_eq!(text("off"), "false");
        assert_eq!(text("0777"), "511");
        assert_eq!(text("a"), "a");
    }
}
