//! Where an API is reachable: context paths and hosts in their normal form (`data-plane.md` section 2.1).

use std::collections::HashSet;

use crate::ContextPath;
use crate::json::Text;
use crate::refusal::{Reason, Refusal, excerpt};

/// A context path in its normal form: one `/` at a time, at both ends (`data-plane.md` section 2.1).
pub(crate) fn context_path(path: &str) -> String {
    let mut normal = String::with_capacity(path.len() + 2);
    normal.push('/');
    for segment in path.trim().split('/').filter(|segment| !segment.is_empty()) {
        normal.push_str(segment);
        normal.push('/');
    }
    normal
}

/// A listener's host: lower case, absent where blank.
pub(crate) fn host(host: Option<Text>, at: &str) -> Result<Option<String>, Refusal> {
    let Some(host) = Text::filled(host).map(|host| host.trim().to_lowercase()) else { return Ok(None) };
    if host.contains('*') {
        return Err(Refusal::new(Reason::WildcardHost(excerpt(&host)), at));
    }
    Ok(Some(host))
}

/// The context paths without repetition; none at all is a refusal.
pub(crate) fn distinct(mut paths: Vec<ContextPath>, at: &str) -> Result<Vec<ContextPath>, Refusal> {
    if paths.is_empty() {
        return Err(Refusal::new(Reason::Missing("paths"), at));
    }
    let mut seen = HashSet::with_capacity(paths.len());
    paths.retain(|path| seen.insert(path.clone()));
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::context_path;

    #[test]
    fn context_paths_have_one_normal_form() {
        for (written, normal) in [
            ("", "/"),
            ("/", "/"),
            ("//a//b", "/a/b/"),
            ("a", "/a/"),
            ("/a/", "/a/"),
            ("/caf%C3%A9", "/caf%C3%A9/"),
        ] {
            assert_eq!(context_path(written), normal);
            assert_eq!(context_path(normal), normal);
        }
    }
}
