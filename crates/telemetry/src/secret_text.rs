//! Secrets in text whose structure is not known: by the name that they go under, and inside URLs (L3).
//!
//! Types come first (`SecretString`, `Payload`); this is for log lines, foreign definitions and unknown settings.

/// What is shown instead of a secret.
pub const MASK: &str = "********";

/// Parts of a name that mean: the value is a secret.
const SECRET_WORDS: [&str; 14] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "keypass",
    "keycontent",
    "credential",
    "authorization",
    "cookie",
];

/// Whether a value under this name is to be taken for a secret: `keyPassword`, `client-secret`, `X-Api-Key`. Letter
/// case, hyphens and underscores do not matter.
pub fn is_secret_name(name: &str) -> bool {
    let plain: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    SECRET_WORDS.iter().any(|word| plain.contains(word))
}

/// The text with the passwords of its URLs masked: after the user in `scheme://user:password@host`, and values of
/// query parameters with a secret's name.
pub fn mask_in_urls(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let (before, after) = rest.split_at(start + 3);
        out.push_str(before);
        let authority_end = after.find(|c: char| ends_url(c) || "/?#".contains(c)).unwrap_or(after.len());
        let (authority, tail) = after.split_at(authority_end);
        match authority.rsplit_once('@').and_then(|(user, host)| Some((user.split_once(':')?.0, host))) {
            Some((user, host)) => out.extend([user, ":", MASK, "@", host]),
            None => mask_parameters(authority, &mut out),
        }
        let (path_and_query, tail) = tail.split_at(tail.find(ends_url).unwrap_or(tail.len()));
        mask_parameters(path_and_query, &mut out);
        rest = tail;
    }
    out.push_str(rest);
    out
}

fn ends_url(c: char) -> bool {
    c.is_whitespace() || "\"'<>".contains(c)
}

/// Masks `name=value` after `?`, `&` or `;` where the name is a secret's. The value is taken to reach up to `&` or `#`,
/// since a password may hold a semicolon.
fn mask_parameters(path_and_query: &str, out: &mut String) {
    let mut in_secret = false;
    for piece in path_and_query.split_inclusive(['?', '&', ';', '#']) {
        let end = match piece.char_indices().next_back() {
            Some((at, '&' | '#')) => at,
            _ => piece.len(),
        };
        if !in_secret {
            match piece.split_once('=') {
                Some((name, value)) if !value.is_empty() && is_secret_name(name) => {
                    out.extend([name, "=", MASK]);
                    in_secret = true;
                }
                _ => out.push_str(piece),
            }
        }
        if in_secret && end < piece.len() {
            out.push_str(&piece[end..]);
            in_secret = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_secrets_are_known_in_every_spelling() {
        for name in ["password", "keyPassword", "CLIENT_SECRET", "X-Api-Key", "access_token", "Authorization"]
        {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["key", "name", "target", "type", "services.sync.delay", "host"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn l3_passwords_of_urls_are_masked_wherever_they_stand() {
        for (text, masked) in [
            ("redis://app:p:4@ss@cache:6379/0 x", "redis://app:********@cache:6379/0 x"),
            ("redis://:pw@cache", "redis://:********@cache"),
            (
                "jdbc:postgresql://db/apim?user=a&password=b;c&ssl=true",
                "jdbc:postgresql://db/apim?user=a&password=********&ssl=true",
            ),
            ("jdbc:sqlserver://h;user=a;password=b;x=1", "jdbc:sqlserver://h;user=a;password=********"),
            ("a http://h/x@y?q=1#f b", "a http://h/x@y?q=1#f b"),
            ("no url, password=1", "no url, password=1"),
        ] {
            assert_eq!(mask_in_urls(text), masked);
        }
    }

    proptest! {
        #[test]
        fn l3_no_password_of_a_url_is_left(
            before in ".{0,20}", user in "[a-z]{0,8}", password in "[a-z0-9@:!$%]{6,20}", after in "(/.{0,20})?",
        ) {
            let text = format!("{before} scheme://{user}:{password}~Q@host{after}");
            prop_assert!(!mask_in_urls(&text).contains("~Q@"), "{}", mask_in_urls(&text));
        }

        #[test]
        fn text_without_urls_stays(text in "[^:]{0,60}") {
            prop_assert_eq!(mask_in_urls(&text), text);
        }
    }
}
