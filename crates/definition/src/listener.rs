//! Where an API is reachable: context paths and hosts in their normal form (`data-plane.md` sections 1.3, 2.1).

use std::borrow::Cow;
use std::collections::HashSet;

use crate::json::Text;
use crate::refusal::{Reason, Refusal};
use crate::{At, Configuration};

/// One place where an API is reachable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextPath {
    /// Virtual host, in lower case, may carry a port; `None`: any host. A `*` in it stands for a part of the name.
    pub host: Option<String>,
    /// Context path: starts and ends with `/`, no `/` twice in a row.
    pub path: String,
    /// Ids of the HTTP servers of the node that offer it; empty: all.
    pub servers: Vec<String>,
    /// Number of the V4 listener that has it; 0 in V2.
    pub listener: usize,
    /// Its own number among those of its listener.
    pub index: usize,
}

impl ContextPath {
    /// Whether the host stands for more than one name.
    pub fn has_wildcard(&self) -> bool {
        self.host.as_ref().is_some_and(|host| host.contains('*'))
    }
}

/// How a V4 listener offers an API. Types other than `http-proxy` are refused when they are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entrypoint {
    /// Number of its listener.
    pub listener: usize,
    /// Its configuration; no member of it changes what is served.
    pub configuration: Configuration,
}

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
pub(crate) fn host(host: Option<Text<'_>>) -> Option<String> {
    Text::filled(host).map(|host: Cow<'_, str>| host.trim().to_lowercase())
}

/// The context paths without repetition; none at all is a refusal.
pub(crate) fn distinct(mut paths: Vec<ContextPath>, at: &At<'_>) -> Result<Vec<ContextPath>, Refusal> {
    if paths.is_empty() {
        return Err(at.refuse(Reason::Missing("paths")));
    }
    if paths.len() > 1 {
        let mut seen = HashSet::with_capacity(paths.len());
        paths.retain(|path| seen.insert((path.host.clone(), path.path.clone(), path.servers.clone())));
    }
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
