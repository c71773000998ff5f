//! A bound on the nesting of JSON text that is passed on without being read (L1): whoever reads it later recurses.

/// The same limit as serde_json's own.
pub(crate) const MAX_NESTING: usize = 128;

/// Whether objects and arrays nest at most [`MAX_NESTING`] deep. Says nothing on whether it is JSON.
pub(crate) fn is_bounded(text: &str) -> bool {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for byte in text.bytes() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_NESTING {
                    return false;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_count_outside_of_strings_only() {
        assert!(is_bounded(&"[".repeat(128)));
        assert!(!is_bounded(&"[".repeat(129)));
        assert!(is_bounded(&"[]".repeat(1000)));
        assert!(is_bounded(&format!("[\"{}\\\"{}\"]", "[".repeat(500), "{".repeat(500))));
        assert!(!is_bounded(&format!("[\"\\\\\"{}", "{".repeat(500))));
    }
}
